"""What the functions of the API have in common: who calls, and what every answer carries."""

from collections.abc import Mapping
from typing import Any, Final

from eventfork import callers
from eventfork.callers import Caller
from eventfork.settings import setting

__all__ = ["SECURITY_HEADERS", "caller", "finished"]

SECURITY_HEADERS: Final = {
    "strict-transport-security": "max-age=31536000",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}
"""On every answer: only over TLS, taken for nothing but what it says it is, and kept by nobody on the way."""


def caller(event: Mapping[str, Any], customer_id_claim: str = "") -> Caller:
    """Give who calls, by the event of a request.

    Parameters
    ----------
    event : mapping
        What API Gateway gives a function.
    customer_id_claim : str
        Claim that holds the customer's id; left empty where it makes no difference which customer calls.

    Raises
    ------
    UnidentifiedCallerError
        See `callers.caller`.
    """
    return callers.caller(
        event["requestContext"],
        customer_id_claim,
        everybody_may_call=setting("EVERYBODY_MAY_CALL") == "true",
    )


def finished(answer: dict[str, Any]) -> dict[str, Any]:
    """Give an answer with the headers that every answer carries."""
    origin = setting("CORS_ALLOWED_ORIGIN", "")
    shown = {"access-control-allow-origin": origin} if origin else {}
    return {**answer, "headers": {**answer["headers"], **SECURITY_HEADERS, **shown}}
