"""Submitting an order: an accepted one gives its ids, anything else an error that tells what was answered."""

import email.message
import io
import urllib.error
import urllib.request
from typing import Any

import pytest

from local.checkout_api import Submission, submit
from local.errors import SubmissionError

URL = "http://127.0.0.1:4566/api"
ACCEPTED = b'{"orderId": "7", "eventId": "5f0c"}'


class Response(io.BytesIO):
    """An answer."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(body)
        self.status = status
        self.headers = {"location": "orders/1/7"}


class Server:
    """Gives one answer and keeps the request."""

    def __init__(self, answer: Response | Exception) -> None:
        self.answer = answer
        self.request = urllib.request.Request(URL)

    def __call__(self, request: urllib.request.Request, timeout: float) -> Any:
        """Answer."""
        assert timeout > 0
        self.request = request
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def refusal(status: int, body: bytes) -> urllib.error.HTTPError:
    """Build what urllib raises for an error status."""
    return urllib.error.HTTPError(URL, status, "", email.message.Message(), io.BytesIO(body))


def test_an_accepted_order_gives_its_ids() -> None:
    """The order goes out as JSON by POST, and the ids and the location come back."""
    server = Server(Response(202, ACCEPTED))
    assert submit(URL, b"{}", server) == Submission("7", "5f0c", "orders/1/7")
    assert server.request.full_url == f"{URL}/checkout"
    assert server.request.method == "POST"
    assert server.request.data == b"{}"
    assert server.request.get_header("Content-type") == "application/json"
    assert not server.request.has_header("Authorization")


def test_an_order_is_sent_with_the_access_token_that_is_given() -> None:
    """As the API asks for it where not everybody may call."""
    server = Server(Response(202, ACCEPTED))
    submit(URL, b"{}", server, token="a.b.c")
    assert server.request.get_header("Authorization") == "Bearer a.b.c"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (refusal(400, b'{"title":\n "Bad order"}'), 'the API answered 400: {"title": "Bad order"}'),
        (refusal(503, b""), "the API answered 503: (nothing)"),
        (ConnectionRefusedError("refused"), "the API did not answer: refused"),
        (Response(202, b"no JSON"), "the API answered 202, but not with the ids: no JSON"),
        (Response(202, b"[]"), "the API answered 202, but not with the ids: []"),
        (Response(200, ACCEPTED), f"the API answered 200 instead of 202: {ACCEPTED.decode()}"),
    ],
    ids=["refused", "silent", "unreachable", "no JSON", "no ids", "another status"],
)
def test_anything_else_is_an_error_that_tells_the_answer(answer: Response | Exception, told: str) -> None:
    """Whatever is not 202 with the ids is an error, in one sentence with what the API said."""
    with pytest.raises(SubmissionError) as caught:
        submit(URL, b"{}", Server(answer))
    assert str(caught.value) == told
