"""What a function is told by its template, and the clients it talks to AWS with: read once, when first asked for.

SettingsError   the template leaves a setting out
"""

import logging
import os
from functools import cache
from typing import Any, Final

import botocore.session
from botocore.config import Config

__all__ = ["SettingsError", "client", "quick_client", "session", "setting"]

_TIMEOUTS: Final = Config(connect_timeout=2, read_timeout=10)
"""Seconds. The defaults, 60 each, outlast every function here. Retries are the template's: AWS_MAX_ATTEMPTS."""
_SHORT_TIMEOUTS: Final = Config(
    connect_timeout=1, read_timeout=1, retries={"mode": "standard", "total_max_attempts": 2}
)
"""Seconds. DynamoDB answers within hundredths of one, or is in trouble."""


class SettingsError(RuntimeError):
    """An environment variable is missing; the text names it."""


def setting(name: str, default: str | None = None) -> str:
    """Give the environment variable `name`; if it is unset or empty, the default, where there is one.

    Raises
    ------
    SettingsError
        If it is unset or empty, and there is no default.
    """
    value = os.environ.get(name) or default
    if value is None:
        raise SettingsError(f"the environment variable {name} is not set: see the function's template")
    return value


@cache
def client(service: str) -> Any:
    """Give the one client for an AWS service; botocore's own, which starts faster than boto3's session."""
    return session().create_client(service, config=_TIMEOUTS)


def quick_client(service: str) -> Any:
    """Give a client that gives up soon: for what is asked before a call, and must not keep that from being made."""
    return session().create_client(service, config=_SHORT_TIMEOUTS)


@cache
def session() -> botocore.session.Session:
    """Give the one session: the function's Region, and credentials to sign requests with."""
    # At DEBUG, botocore logs whole requests: the bodies of what is quarantined can hold card data. And urllib3 logs
    # what is asked for.
    for library in ("botocore", "urllib3"):
        logging.getLogger(library).setLevel(logging.INFO)
    # One for all clients: each would read AWS's endpoints anew, which takes a fifth of a cold start.
    return botocore.session.get_session()
