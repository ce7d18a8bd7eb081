"""Messages are sent on exactly as they were received, and set aside with a reason."""

import base64
import json
import re
from typing import Any

import pytest
from botocore.stub import Stubber
from eventfork.adapters.sqs import Queue
from eventfork.errors import UnavailableError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.aws import ACCOUNT, REGION, Aws, unreachable
from tests.unit.samples import message, string

ATTRIBUTES = {
    "type": string("eventfork.checkout.OrderSubmitted"),
    "amount": {"dataType": "Number.decimal", "stringValue": "128.40", "stringListValues": [], "binaryListValues": []},
    "blob": {"dataType": "Binary", "binaryValue": base64.b64encode(b"\x00\xff").decode(), "stringListValues": []},
    "null": {"dataType": "String", "stringValue": "x", "binaryValue": None},
}
SENT = {
    "type": {"DataType": "String", "StringValue": "eventfork.checkout.OrderSubmitted"},
    "amount": {"DataType": "Number.decimal", "StringValue": "128.40"},
    "blob": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    "null": {"DataType": "String", "StringValue": "x"},
}
REASON = "quarantine-reason"
# SQS API reference, "SendMessage".
SENDABLE = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+")


def test_messages_are_sent_as_they_were_received(aws: Aws) -> None:
    """Body and attributes of every type, in one call."""
    url = aws.queue("Destination")
    assert Queue(aws.client("sqs"), url).send([("one", ATTRIBUTES), ("two", {})]) == []
    one, two = sorted(aws.received(url), key=lambda received: str(received["Body"]))
    assert (one["Body"], one["MessageAttributes"]) == ("one", SENT)
    assert two["Body"] == "two"
    assert "MessageAttributes" not in two


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.sets(st.integers(min_value=0, max_value=9)))
def test_refused_messages_are_named_by_position(aws: Aws, refused: set[int]) -> None:
    """A call that succeeded says which messages it did not take."""
    client = aws.client("sqs")
    answer: dict[str, Any] = {
        "Successful": [
            {"Id": str(position), "MessageId": "m", "MD5OfMessageBody": "9dd4e461268c8034f5c8564e155c67a6"}
            for position in range(10)
            if position not in refused
        ]
    }
    answer["Failed"] = [{"Id": str(one), "SenderFault": False, "Code": "InternalError"} for one in refused]
    with Stubber(client) as stub:
        stub.add_response("send_message_batch", answer)
        assert sorted(Queue(client, "https://queue").send([("x", {})] * 10)) == sorted(refused)


def test_a_queue_that_refuses_or_cannot_be_reached_is_unavailable(aws: Aws) -> None:
    """So is one that is not there."""
    client = aws.client("sqs")
    with pytest.raises(UnavailableError):
        Queue(client, f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/not-there").send([("x", {})])
    with Stubber(client) as stub:
        stub.add_client_error("send_message_batch", "AWS.SimpleQueueService.BatchRequestTooLong")
        with pytest.raises(UnavailableError):
            Queue(client, "https://queue").send([("x", {})])
    with unreachable(client), pytest.raises(UnavailableError):
        Queue(client, "https://queue").send([("x", {})])


def test_a_queue_is_found_by_its_arn(aws: Aws) -> None:
    """Name and account are in it."""
    url = aws.queue("CheckoutQueue")
    Queue.at(aws.client("sqs"), f"arn:aws:sqs:{REGION}:{ACCOUNT}:CheckoutQueue").send([("x", {})])
    assert [received["Body"] for received in aws.received(url)] == ["x"]


def test_a_queue_that_is_not_found_is_unavailable(aws: Aws) -> None:
    """Its name is said, for the operator who mistyped it."""
    with pytest.raises(UnavailableError, match=r"CheckoutQueu$"):
        Queue.at(aws.client("sqs"), f"arn:aws:sqs:{REGION}:{ACCOUNT}:CheckoutQueu")


def quarantined(aws: Aws, attributes: dict[str, Any], reason: str) -> dict[str, Any]:
    url = aws.queue("Quarantine")
    Queue(aws.client("sqs"), url).quarantine(message(" as it was\n", attributes=attributes), reason)
    [received] = aws.received(url)
    assert received["Body"] == " as it was\n"
    return dict(received["MessageAttributes"])


def test_a_message_is_set_aside_unchanged_with_the_reason(aws: Aws) -> None:
    """The reason is one attribute more."""
    attributes = quarantined(aws, ATTRIBUTES, "/data/id is missing")
    assert attributes.pop(REASON) == {"DataType": "String", "StringValue": "/data/id is missing"}
    assert attributes == SENT


def test_a_message_that_is_set_aside_again_has_the_new_reason(aws: Aws) -> None:
    """It takes the place of the old one."""
    attributes = quarantined(aws, {REASON: string("old"), "a": string("b")}, "new")
    assert attributes[REASON]["StringValue"] == "new"
    assert set(attributes) == {REASON, "a"}


@pytest.mark.parametrize("number", [9, 10])
def test_ten_attributes_are_folded_into_one(aws: Aws, number: int) -> None:
    """An eleventh would be refused; nine and the reason are not."""
    many = {f"a{position}": string(str(position)) for position in range(number)}
    attributes = quarantined(aws, many, "why")
    assert attributes.pop(REASON)["StringValue"] == "why"
    if number == 9:
        assert set(attributes) == set(many)
    else:
        assert {name: json.loads(value["StringValue"]) for name, value in attributes.items()} == {
            "quarantined-attributes": many
        }


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(
    st.text(st.characters(exclude_categories=[]), min_size=1) | st.just("/\x00\x1f\ud800\ufffe\uffff" + "x" * 300_000)
)
def test_a_reason_is_never_what_keeps_a_message_from_being_set_aside(aws: Aws, reason: str) -> None:
    """SQS refuses a message for one control character in an attribute, or for its length; keys can hold anything."""
    [attribute] = quarantined(aws, {}, reason).values()
    assert SENDABLE.fullmatch(attribute["StringValue"])
    assert len(attribute["StringValue"].encode()) < 2048


def test_a_message_that_was_not_set_aside_is_not_lost(aws: Aws) -> None:
    """The caller learns that the quarantine did not take it."""
    client = aws.client("sqs")
    with Stubber(client) as stub:
        failed = {"Id": "0", "SenderFault": True, "Code": "InvalidMessageContents"}
        stub.add_response("send_message_batch", {"Failed": [failed], "Successful": []})
        with pytest.raises(UnavailableError):
            Queue(client, "https://queue").quarantine(message("x"), "why")
    with unreachable(client), pytest.raises(UnavailableError):
        Queue(client, "https://queue").quarantine(message("x"), "why")
