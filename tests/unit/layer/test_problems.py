"""Every error that a client or an outage can cause becomes one problem document; a bug of ours stays an error."""

from typing import Any

import pytest
from eventfork.callers import NotTheirsError, UnidentifiedCallerError
from eventfork.card_data import CardDataError
from eventfork.checkout import TooLargeError, UnsupportedMediaTypeError
from eventfork.errors import NotFoundError, UnavailableError
from eventfork.json_text import AmbiguousJsonError, JsonSyntaxError, parse
from eventfork.orders import OrderError
from eventfork.problems import EXPECTED, RETRY_AFTER_SECONDS, problem

ANSWERS: dict[str, tuple[Exception, int, str, list[Any]]] = {
    "no JSON": (JsonSyntaxError("", "is empty"), 400, "Bad Request", [{"pointer": "", "detail": "is empty"}]),
    "ambiguous": (AmbiguousJsonError("/a", "twice"), 400, "Bad Request", [{"pointer": "/a", "detail": "twice"}]),
    "order": (OrderError("/id", "is missing"), 400, "Bad Request", [{"pointer": "/id", "detail": "is missing"}]),
    "card data": (
        CardDataError("/a"), 400, "Bad Request", [{"pointer": "/a", "detail": "has keys that hold card numbers"}],
    ),
    "media type": (UnsupportedMediaTypeError("text/plain"), 415, "Unsupported Media Type", []),
    "too large": (TooLargeError(1), 413, "Content Too Large", [{"pointer": "", "detail": "is too large"}]),
    "not theirs": (NotTheirsError(), 403, "Forbidden", []),
    "not found": (NotFoundError("x"), 404, "Not Found", []),
    "unavailable": (UnavailableError("x"), 503, "Service Unavailable", []),
}  # fmt: skip


def test_an_answer_repeats_no_card_number() -> None:
    """A key of the client's may be one; its place is told nevertheless."""
    document = parse(problem(AmbiguousJsonError("/4111-1111-1111-1111/a", "twice"))["body"])
    assert document["detail"] == "/[card ending 1111]/a: twice"
    assert document["errors"] == [{"pointer": "/[card ending 1111]/a", "detail": "twice"}]


@pytest.mark.parametrize("name", ANSWERS)
def test_an_error_becomes_a_problem_document(name: str) -> None:
    """RFC 9457: type, title, status and detail, and the fields at fault by JSON pointer where there are any."""
    error, status, title, errors = ANSWERS[name]
    assert isinstance(error, EXPECTED)
    answer = problem(error)
    document = parse(answer["body"])
    assert answer["statusCode"] == status
    assert answer["headers"]["content-type"] == "application/problem+json"
    assert document.pop("detail")
    assert document.pop("errors", []) == errors
    assert document == {"type": "about:blank", "title": title, "status": status}


def test_an_outage_says_when_to_come_back() -> None:
    """Only then is trying again of any use, and only then is it asked for."""
    retry_after = {name: problem(error)["headers"].get("retry-after") for name, (error, *_) in ANSWERS.items()}
    assert retry_after.pop("unavailable") == str(RETRY_AFTER_SECONDS)
    assert set(retry_after.values()) == {None}


@pytest.mark.parametrize("bug", [KeyError("x"), ValueError("x"), UnidentifiedCallerError("x")])
def test_a_bug_of_ours_is_no_answer(bug: Exception) -> None:
    """It is raised again, and shows as the failure it is."""
    with pytest.raises(type(bug)) as raised:
        problem(bug)
    assert raised.value is bug
    assert not isinstance(bug, EXPECTED)
