"""What botocore raises, as what a port may raise: `eventfork.errors`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from eventfork.errors import UnavailableError

__all__ = ["CONDITION_FAILED", "translated"]

CONDITION_FAILED: Final = frozenset({"ConditionalCheckFailedException"})
"""What DynamoDB answers to a write whose condition does not hold."""


@contextmanager
def translated(service: str, task: str, *, answers: frozenset[str] = frozenset()) -> Iterator[None]:
    """Have every failure of a call mean that the service is unavailable.

    Parameters
    ----------
    service, task : str
        Who did not do what, as in "DynamoDB did not give the order".
    answers : frozenset of str
        Codes of errors that are answers, and pass as they are.

    Raises
    ------
    UnavailableError
        For every other error of botocore's.
    """
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] in answers:
            raise
        raise UnavailableError(f"{service} did not {task}") from error
    except BotoCoreError as error:
        raise UnavailableError(f"{service} did not {task}") from error
