"""A command is read from either form, and answered in the same; whatever goes wrong has a status and a sentence."""

import json
from collections.abc import Mapping
from decimal import Decimal
from http import HTTPStatus
from typing import Any

import pytest
from eventfork.errors import DeniedError, NotFoundError, RefusedError, UnavailableError
from eventfork.problems import RETRY_AFTER_SECONDS
from eventfork.replay_commands import Command, answered, in_form, read
from eventfork.replay_control import Answer
from eventfork.replay_jobs import FieldError, ForbiddenError, UnknownError
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.samples import documents

ADA = "arn:aws:iam::123456789012:user/ada"
DONE = Answer(HTTPStatus.ACCEPTED, {"job": {"id": "one", "pace": Decimal("2.50")}})


class Control:
    """Does what it is told, or fails; notes what it was told."""

    def __init__(self, error: Exception | None = None) -> None:
        self.told: list[tuple[object, Mapping[str, Any]]] = []
        self._error = error

    def __call__(self, name: object, said: Mapping[str, Any]) -> Answer:
        """Carry out a command."""
        self.told.append((name, said))
        if self._error is not None:
            raise self._error
        return DONE


def called(command: str | None, body: str | None = None, caller: str | None = ADA) -> dict[str, Any]:
    """Give a call of the API as API Gateway passes it."""
    return {
        "requestContext": {"identity": {"userArn": caller}},
        "pathParameters": None if command is None else {"command": command},
        "body": body,
    }


def answer_to(event: Mapping[str, Any], error: Exception | None = None) -> dict[str, Any]:
    """Give the answer to an event, in its form."""
    command = read(event)
    return in_form(answered(command, Control(error)), command)


def told(event: Mapping[str, Any]) -> tuple[object, Mapping[str, Any]]:
    """Give what the control is told of an event."""
    control = Control()
    answered(read(event), control)
    [only] = control.told
    return only


def test_a_direct_command_is_all_that_is_said() -> None:
    """But for its own name; who says it is what they say."""
    event = {"command": "stop", "jobId": "one", "actor": "ada", "reason": "why"}
    assert told(event) == ("stop", {"jobId": "one", "actor": "ada", "reason": "why"})


def test_a_call_of_the_api_names_its_command_in_the_path() -> None:
    """Whatever its body calls itself, and whoever it says it is from."""
    body = '{"command": "stop", "jobId": "one", "pace": 2.50, "actor": "grace"}'
    assert told(called("start", body)) == ("start", {"jobId": "one", "pace": Decimal("2.50"), "actor": ADA})


@pytest.mark.parametrize("command", ["show", "list"])
def test_who_only_asks_is_nobody(command: str) -> None:
    """What changes nothing takes no actor."""
    assert told(called(command, '{"limit": 1}')) == (command, {"limit": 1})


@pytest.mark.parametrize("body", [None, ""])
def test_a_call_without_a_body_says_nothing(body: str | None) -> None:
    """A list, for one, needs none."""
    assert told(called("list", body)) == ("list", {})


@pytest.mark.parametrize("event", [called("stop", "{}", caller=None), {**called("stop"), "requestContext": {}}])
def test_a_caller_that_the_api_does_not_know_is_called_unknown(event: dict[str, Any]) -> None:
    """And cannot pass for somebody by saying so."""
    assert told({**event, "body": '{"actor": "ada"}'}) == ("stop", {"actor": "unknown"})


@pytest.mark.parametrize(("event", "name"), [({}, None), ({"command": 7}, 7), (called(None), None)])
def test_a_command_without_a_name_is_left_to_the_control(event: dict[str, Any], name: object) -> None:
    """It knows which there are."""
    assert told(event)[0] == name


def test_an_answer_has_the_form_of_its_command() -> None:
    """A document where the command was one; a status, headers and text where the API asked."""
    assert answer_to({"command": "start"}) == {"job": {"id": "one", "pace": 2.5}}
    assert answer_to(called("start")) == {
        "statusCode": 202,
        "headers": {"content-type": "application/json"},
        "body": '{"job":{"id":"one","pace":2.50}}',
    }


def test_a_direct_answer_can_be_written_by_the_standard_library() -> None:
    """As Lambda writes it."""
    assert json.loads(json.dumps(answer_to({"command": "start"})))["job"]["pace"] == 2.5


@pytest.mark.parametrize(
    ("error", "status", "title", "detail"),
    [
        (FieldError("/pace", "is no number"), 400, "Bad Request", "/pace is no number."),
        (UnknownError("There is no replay one."), 404, "Not Found", "There is no replay one."),
        (NotFoundError("there is no archive all"), 404, "Not Found", "There is no archive all."),
        (ForbiddenError("The job one is PAUSED."), 409, "Conflict", "The job one is PAUSED."),
        (RefusedError("the archive is another bus's"), 409, "Conflict", "The archive is another bus's."),
        (
            UnavailableError("DynamoDB did not answer"),
            503,
            "Service Unavailable",
            "DynamoDB did not answer. Look at what is there, and try again.",
        ),
        (
            DeniedError("SQS does not allow it."),
            503,
            "Service Unavailable",
            "SQS does not allow it. Look at what is there, and try again.",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_each_error_has_a_status_and_a_sentence(error: Exception, status: int, title: str, detail: str) -> None:
    """The same in both forms: a problem document."""
    problem = answer_to({"command": "start"}, error)
    assert (problem["type"], problem["status"], problem["title"], problem["detail"]) == (
        "about:blank",
        status,
        title,
        detail,
    )
    by_api = answer_to(called("start"), error)
    assert (by_api["statusCode"], json.loads(by_api["body"])) == (status, problem)
    assert by_api["headers"]["content-type"] == "application/problem+json"
    assert by_api["headers"].get("retry-after") == (str(RETRY_AFTER_SECONDS) if status == 503 else None)


def test_a_field_that_is_wrong_is_pointed_at() -> None:
    """For a program to find; other errors are about no field."""
    problem = answer_to({"command": "start"}, FieldError("/pace", "is no number"))
    assert problem["errors"] == [{"pointer": "/pace", "detail": "is no number"}]
    assert "errors" not in answer_to({"command": "start"}, ForbiddenError("No."))


@pytest.mark.parametrize(
    ("body", "pointer", "detail"),
    [
        ("{", "", None),
        ("  ", "", None),
        ('{"pace": NaN}', "", "NaN is not a JSON number"),
        ('{"jobId": "a", "jobId": "b"}', "/jobId", None),
        ("[1]", "", "is no JSON object"),
        ('"start"', "", "is no JSON object"),
        ("null", "", "is no JSON object"),
    ],
)
def test_a_body_that_is_no_document_is_refused_before_anything_is_done(
    body: str, pointer: str, detail: str | None
) -> None:
    """With where it goes wrong, and how."""
    control, command = Control(), read(called("start", body))
    answer = in_form(answered(command, control), command)
    [error] = json.loads(answer["body"])["errors"]
    assert (answer["statusCode"], error["pointer"], control.told) == (400, pointer, [])
    assert error["detail"] if detail is None else error["detail"] == detail


@pytest.mark.parametrize("event", [["start"], None, 7], ids=str)
def test_an_invocation_with_no_object_is_refused(event: object) -> None:
    """As a body by API is."""
    control, command = Control(), read(event)
    answer = in_form(answered(command, control), command)
    assert (answer["status"], answer["detail"], control.told) == (400, "The body is no JSON object.", [])


def test_an_error_of_our_own_is_not_hidden() -> None:
    """It must show as one."""
    with pytest.raises(ZeroDivisionError):
        answer_to(called("start"), ZeroDivisionError())


def test_reading_a_command_leaves_it_as_it_came() -> None:
    """What is added is added to a copy."""
    body = {"command": "stop", "jobId": "one"}
    assert Command(by_api=True, name="stop", body=body, actor=ADA).said() == {"jobId": "one", "actor": ADA}
    assert body == {"command": "stop", "jobId": "one"}


@given(
    documents
    | st.fixed_dictionaries(
        {},
        optional={
            "requestContext": documents | st.fixed_dictionaries({"identity": documents}),
            "pathParameters": documents | st.fixed_dictionaries({"command": documents}),
            "body": documents | st.text(),
            "command": documents,
        },
    )
)
def test_whatever_the_function_is_invoked_with_is_answered_in_its_form(event: Any) -> None:
    """What is no command is a bad request; nothing else is ever raised."""
    answer = json.loads(json.dumps(answer_to(event)))
    if isinstance(event, dict) and "requestContext" in event:
        assert answer["statusCode"] in {202, 400}
    else:
        assert "job" in answer or answer["status"] == 400
