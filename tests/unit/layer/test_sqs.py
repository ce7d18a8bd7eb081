"""Messages are sent on exactly as they were received, and set aside with a reason."""

import base64
import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
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


def test_card_data_is_not_set_aside(aws: Aws) -> None:
    """Not in the body, not in an attribute, and not in the reason, which may name a key."""
    url = aws.queue("Quarantine")
    card = "4111 1111 1111 1111"
    Queue(aws.client("sqs"), url).quarantine(
        message(f"pay with {card}", attributes={"note": string(card), "a": string("b")}), f"/{card} stands twice"
    )
    [received] = aws.received(url)
    assert received["Body"] == "pay with [card ending 1111]"
    assert {name: value["StringValue"] for name, value in received["MessageAttributes"].items()} == {
        "a": "b",
        REASON: "/[card ending 1111] stands twice",
    }


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


def test_messages_are_received_as_lambda_passes_them(aws: Aws) -> None:
    """Attributes of every type, so that they can be sent on; and when each was sent."""
    client, url = aws.client("sqs"), aws.queue("Kept")
    queue = Queue(client, url)
    queue.send([("one", ATTRIBUTES), ("two", {})])
    one, two = sorted(queue.receive(10, 60, 0), key=lambda received: received.message.body)
    assert (one.message.body, two.message.body, two.message.attributes) == ("one", "two", {})
    assert one.message.attributes == {
        "type": {"dataType": "String", "stringValue": "eventfork.checkout.OrderSubmitted"},
        "amount": {"dataType": "Number.decimal", "stringValue": "128.40"},
        "blob": {"dataType": "Binary", "binaryValue": base64.b64encode(b"\x00\xff").decode()},
        "null": {"dataType": "String", "stringValue": "x"},
    }
    assert one.message.sent_at.endswith("Z")
    sent_at = datetime.fromisoformat(one.message.sent_at)
    assert abs(datetime.now(sent_at.tzinfo) - sent_at) < timedelta(minutes=5)
    assert len({one.message.id, two.message.id, one.receipt, two.receipt}) == 4
    destination = aws.queue("Destination")
    Queue(client, destination).send([(one.message.body, one.message.attributes)])
    [sent] = aws.received(destination)
    assert sent["MessageAttributes"] == SENT


def test_a_message_is_received_as_it_came_to_the_millisecond(aws: Aws) -> None:
    """And what is asked of SQS is what the caller said."""
    client = aws.client("sqs")
    told = {"MessageId": "1", "Body": "x", "ReceiptHandle": "r", "Attributes": {"SentTimestamp": "1795680943188"}}
    asked = {
        "QueueUrl": "https://queue",
        "MaxNumberOfMessages": 7,
        "VisibilityTimeout": 270,
        "WaitTimeSeconds": 1,
        "AttributeNames": ["SentTimestamp"],
        "MessageAttributeNames": ["All"],
    }
    with Stubber(client) as stub:
        stub.add_response("receive_message", {"Messages": [told]}, asked)
        [received] = Queue(client, "https://queue").receive(7, 270, 1)
    assert received.message.sent_at == "2026-11-26T08:15:43.188000Z"


def test_an_empty_queue_gives_nothing(aws: Aws) -> None:
    """No message, and no error."""
    queue = Queue(aws.client("sqs"), aws.queue("Kept"))
    assert queue.receive(10, 60, 0) == []
    assert queue.approximate_count() == 0


def test_what_was_received_is_hidden_until_it_is_given_back(aws: Aws) -> None:
    """What was deleted does not come again."""
    queue = Queue(aws.client("sqs"), aws.queue("Kept"))
    queue.send([(str(number), {}) for number in range(10)])
    received = sorted(queue.receive(10, 600, 0), key=lambda one: int(one.message.body))
    assert queue.receive(10, 600, 0) == []
    assert queue.delete([one.receipt for one in received[:4]]) == []
    queue.give_back([one.receipt for one in received[4:]])
    assert sorted(one.message.body for one in queue.receive(10, 600, 0)) == ["4", "5", "6", "7", "8", "9"]


def test_all_that_a_queue_holds_is_counted(aws: Aws) -> None:
    """What can be had, what somebody has received, and what is delayed."""
    queue = Queue(aws.client("sqs"), aws.queue("Kept"))
    queue.send([("x", {})] * 5)
    queue.receive(2, 600, 0)
    queue.send_later("later", 900)
    assert queue.approximate_count() == 6


def test_a_message_that_is_sent_for_later_is_not_received_before(aws: Aws) -> None:
    """One without a delay is."""
    queue = Queue(aws.client("sqs"), aws.queue("Work"))
    queue.send_later("later", 900)
    queue.send_later("now", 0)
    assert [one.message.body for one in queue.receive(10, 600, 0)] == ["now"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.sets(st.integers(min_value=0, max_value=9)))
def test_messages_that_were_not_deleted_are_named_by_position(aws: Aws, kept: set[int]) -> None:
    """A call that succeeded says which messages it did not delete."""
    client = aws.client("sqs")
    answer = {
        "Successful": [{"Id": str(one)} for one in range(10) if one not in kept],
        "Failed": [{"Id": str(one), "SenderFault": False, "Code": "InternalError"} for one in kept],
    }
    with Stubber(client) as stub:
        stub.add_response("delete_message_batch", answer)
        assert sorted(Queue(client, "https://queue").delete(["receipt"] * 10)) == sorted(kept)


def test_a_message_that_is_gone_need_not_be_given_back(aws: Aws) -> None:
    """It was deleted meanwhile, or somebody else has it by now; the others are given back all the same."""
    queue = Queue(aws.client("sqs"), aws.queue("Kept"))
    queue.send([("gone", {}), ("left", {})])
    received = queue.receive(10, 600, 0)
    queue.delete([one.receipt for one in received if one.message.body == "gone"])
    queue.give_back([one.receipt for one in received])
    assert [one.message.body for one in queue.receive(10, 600, 0)] == ["left"]
    client = aws.client("sqs")
    failed = {"Id": "0", "SenderFault": True, "Code": "ReceiptHandleIsInvalid"}
    with Stubber(client) as stub:
        stub.add_response("change_message_visibility_batch", {"Successful": [], "Failed": [failed]})
        Queue(client, "https://queue").give_back(["receipt"])


CALLS: dict[str, Callable[[Queue], object]] = {
    "receive_message": lambda queue: queue.receive(10, 60, 0),
    "delete_message_batch": lambda queue: queue.delete(["receipt"]),
    "change_message_visibility_batch": lambda queue: queue.give_back(["receipt"]),
    "get_queue_attributes": lambda queue: queue.approximate_count(),
    "send_message": lambda queue: queue.send_later("x", 0),
}


@pytest.mark.parametrize("operation", CALLS)
def test_a_kept_queue_that_throttles_fails_or_cannot_be_reached_is_unavailable(aws: Aws, operation: str) -> None:
    """So is one that is not there."""
    client = aws.client("sqs")
    with Stubber(client) as stub:
        for code, status in {"RequestThrottled": 403, "InternalError": 500, "OverLimit": 403}.items():
            stub.add_client_error(operation, code, http_status_code=status)
            with pytest.raises(UnavailableError):
                CALLS[operation](Queue(client, "https://queue"))
    with unreachable(client), pytest.raises(UnavailableError):
        CALLS[operation](Queue(client, "https://queue"))
    with pytest.raises(UnavailableError):
        CALLS[operation](Queue(client, f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/not-there"))
