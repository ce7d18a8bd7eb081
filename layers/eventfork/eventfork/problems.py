"""What the API answers when it cannot do what was asked: problem documents (RFC 9457)."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from eventfork.callers import NotTheirsError
from eventfork.card_data import CardDataError, Redactor
from eventfork.checkout import RequestError, TooLargeError, UnsupportedMediaTypeError
from eventfork.errors import NotFoundError, ServiceError, UnavailableError
from eventfork.json_text import JsonTextError, render
from eventfork.limits import SNS_MESSAGE_BYTES
from eventfork.orders import OrderError

__all__ = ["EXPECTED", "RETRY_AFTER_SECONDS", "problem", "problem_document"]

EXPECTED: Final = (JsonTextError, OrderError, CardDataError, RequestError, NotTheirsError, ServiceError)
"""What a client or an outage can cause; anything else is a bug of ours, and must show as one."""

RETRY_AFTER_SECONDS: Final = 5
"""What the API asks a client to wait when the topic or the table does not answer."""


def problem(error: Exception) -> dict[str, Any]:
    """Give the API's answer to an error: the one place where an error becomes a status.

    Raises
    ------
    Exception
        `error` itself, if it is none of `EXPECTED`.
    """
    match error:
        case JsonTextError() | OrderError():
            return _answer(HTTPStatus.BAD_REQUEST, str(error), [(error.pointer, error.detail)])
        case CardDataError():
            return _answer(HTTPStatus.BAD_REQUEST, str(error), [(error.pointer, "has keys that hold card numbers")])
        case TooLargeError():
            detail = f"An order may weigh {SNS_MESSAGE_BYTES // 1024} KiB, what is added to send it on included."
            return _answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail, [("", "is too large")])
        case UnsupportedMediaTypeError() | NotTheirsError() | NotFoundError():
            return _answer(*_ALWAYS_THE_SAME[type(error)], [])
        case UnavailableError():
            detail = "A service behind this API does not answer. Ask again; the same order is never processed twice."
            headers = {"retry-after": str(RETRY_AFTER_SECONDS)}
            return _answer(HTTPStatus.SERVICE_UNAVAILABLE, detail, [], headers)
        case _:
            raise error


_ALWAYS_THE_SAME: Final[Mapping[type[Exception], tuple[HTTPStatus, str]]] = {
    UnsupportedMediaTypeError: (
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "Send the order as application/json, in UTF-8.",
    ),
    NotTheirsError: (
        HTTPStatus.FORBIDDEN,
        "The token is another customer's: customers place and read their own orders only.",
    ),
    NotFoundError: (
        HTTPStatus.NOT_FOUND,
        "There is no such order, or it is not processed yet: it takes some seconds.",
    ),
}
"""The answers that depend on nothing but the kind of error."""


def _answer(
    status: HTTPStatus, detail: str, errors: Sequence[tuple[str, str]], headers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    return {
        "statusCode": status.value,
        "headers": {"content-type": "application/problem+json", **(headers or {})},
        "body": render(problem_document(status, detail, errors)),
    }


def problem_document(status: HTTPStatus, detail: str, errors: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Give a problem document (RFC 9457).

    Parameters
    ----------
    status : HTTPStatus
    detail : str
        What is wrong, for people.
    errors : sequence of (pointer, detail)
        Which fields it is about, by JSON pointer, and what is wrong with each.
    """
    # A pointer names keys, which are the client's: a proxy that keeps answers need not get card numbers from us.
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": _TITLES.get(status, status.phrase),
        "status": status.value,
        "detail": _REDACTOR.text(detail),
    }
    if errors:
        document["errors"] = [{"pointer": _REDACTOR.text(pointer), "detail": reason} for pointer, reason in errors]
    return document


_REDACTOR: Final = Redactor()
_TITLES: Final = {HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Content Too Large"}
"""RFC 9110's words where the standard library still has RFC 7231's (until Python 3.13)."""
