"""What this machine asks, and what services ask of each other, counts as sent over TLS.

The engine answers over plain HTTP, and with IAM enforced says so to policies: `aws:SecureTransport` is false, and a
policy that denies what does not come over TLS denies everything. On AWS nothing that the application or its callers
send comes otherwise ("AWS global condition context keys", IAM User Guide).

Not needed once the engine is reached over TLS, or can be told that it is.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from contextvars import ContextVar

from ministack import app
from ministack.core import iam_evaluator

from local.engine.replacement import replace

__all__ = ["apply"]

Origin = ContextVar[tuple[str, bool]]
"""An address, and whether it came over TLS."""


def apply() -> None:
    """Take what does not leave this machine for secure."""

    def build_origin(origin: Origin) -> Origin:
        # What a service does by itself has no request, and so goes by the default.
        address, _ = origin.get()
        return ContextVar("secure_request_origin", default=(address, True))

    def build_pin(pin: Callable[[str, bool], None]) -> Callable[[str, bool], None]:
        def pin_as_secure(source_ip: str, secure_transport: bool) -> None:
            pin(source_ip, secure_transport or ipaddress.ip_address(source_ip).is_loopback)

        return pin_as_secure

    replace(iam_evaluator, "_request_origin", build_origin)
    replace(app, "pin_request_origin", build_pin)
