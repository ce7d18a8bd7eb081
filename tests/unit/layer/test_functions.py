"""A function is asked in JSON and answers in JSON, and every way in which that can fail has its error."""

import io
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from botocore.response import StreamingBody
from botocore.stub import Stubber
from eventfork.adapters.functions import Function
from eventfork.errors import DeniedError, NotFoundError, RefusedError, ServiceError, UnavailableError

from tests.unit.aws import Aws, unreachable

NAME = "ReplayControlFunction"


def answering(aws: Aws, body: bytes, **more: str) -> Any:
    """Give what the function answers with a body."""
    client = aws.client("lambda")
    with Stubber(client) as stub:
        answer = {"StatusCode": 200, "Payload": StreamingBody(io.BytesIO(body), len(body)), **more}
        asked = {"FunctionName": NAME, "Payload": b'{"command":"show","jobId":"\xc3\xbc","pace":0.10}'}
        stub.add_response("invoke", answer, asked)
        return Function(client, NAME).invoke({"command": "show", "jobId": "ü", "pace": Decimal("0.10")})


def test_a_function_is_asked_and_answers(aws: Aws) -> None:
    """With every digit, both ways."""
    assert answering(aws, '{"job": {"paceNow": 49.90, "reason": "ü"}}'.encode()) == {
        "job": {"paceNow": Decimal("49.90"), "reason": "ü"}
    }


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"errorType": "KeyError", "errorMessage": "'TABLE_NAME'\n is not set"}, "KeyError: 'TABLE_NAME' is not set"),
        ({"errorMessage": "2026-11-26T09:30:00Z x Task timed out after 60.00 seconds"}, "2026-11-26T09:30:00Z x Task"),
        ({"errorType": "E", "errorMessage": "m" * 1000}, "E: " + "m" * 297),
        ({}, "it tells no reason"),
        ([], "it tells no reason"),
    ],
)
def test_a_function_that_fails_is_unavailable(aws: Aws, told: Any, reason: str) -> None:
    """With the type and the message of its error, as far as it tells them, in one short line."""
    with pytest.raises(UnavailableError) as failure:
        answering(aws, json.dumps(told).encode(), FunctionError="Unhandled")
    assert str(failure.value).startswith(f"the function failed: {reason}")
    assert len(str(failure.value)) <= 330


def test_a_failure_that_is_no_json_is_one_too(aws: Aws) -> None:
    """Lambda cuts off what is too long."""
    with pytest.raises(UnavailableError, match="it tells no reason"):
        answering(aws, b'{"errorType": "Key', FunctionError="Unhandled")


def test_an_answer_that_is_no_json_is_none(aws: Aws) -> None:
    """Nothing is guessed from it."""
    with pytest.raises(UnavailableError, match="no JSON"):
        answering(aws, b"done")


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, "AccessDeniedException", DeniedError),
        (404, "ResourceNotFoundException", NotFoundError),
        (413, "RequestTooLargeException", RefusedError),
        (400, "InvalidRequestContentException", RefusedError),
        (429, "TooManyRequestsException", UnavailableError),
        (500, "ServiceException", UnavailableError),
        (502, "KMSDisabledException", UnavailableError),
    ],
)
def test_what_lambda_says_has_its_error(aws: Aws, status: int, code: str, kind: type[ServiceError]) -> None:
    """By its status; the code is in the text, and the cause is kept."""
    client = aws.client("lambda")
    with Stubber(client) as stub:
        stub.add_client_error("invoke", code, http_status_code=status)
        with pytest.raises(kind, match=code) as failure:
            Function(client, NAME).invoke({})
    assert type(failure.value) is kind
    assert failure.value.__cause__ is not None


def test_lambda_that_cannot_be_reached_is_unavailable(aws: Aws) -> None:
    """Nothing was invoked, as far as is known."""
    client = aws.client("lambda")
    with unreachable(client), pytest.raises(UnavailableError, match="EndpointConnectionError"):
        Function(client, NAME).invoke({})


class Cut(io.RawIOBase):
    """A body that stops half-way."""

    def read(self, _: int = -1) -> bytes:
        """Time out."""
        raise ReadTimeoutError(endpoint_url="https://lambda.example")

    def __iter__(self) -> Iterator[bytes]:
        """Give nothing."""
        return iter(())


def test_an_answer_that_stops_half_way_is_unavailable(aws: Aws) -> None:
    """It is read within the call's translation, too."""
    client = aws.client("lambda")
    with Stubber(client) as stub:
        stub.add_response("invoke", {"StatusCode": 200, "Payload": StreamingBody(Cut(), 10)})
        with pytest.raises(UnavailableError, match="ReadTimeoutError"):
            Function(client, NAME).invoke({})
