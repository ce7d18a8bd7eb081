"""Every message of a batch is sent, parked, or received again: one of the three, and never two."""

from collections.abc import Sequence
from typing import Any

import pytest
from eventfork import forwarding
from eventfork.errors import UnavailableError
from eventfork.forwarding import CannotCarryError, Forwarder, Message, Outcome, Prepared
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.samples import message

FATES = ("sent", "refused", "parked", "not even parked")


def forwarder(fates: dict[str, str], trace: dict[str, list[str]]) -> Forwarder[str]:
    def prepare(one: Message) -> str:
        if "parked" in fates[one.id]:
            raise CannotCarryError(f"reason of {one.id}")
        return f"entry of {one.id}"

    def send(prepared: Sequence[Prepared[str]]) -> list[str]:
        trace["offered"] += [one.entry for one in prepared]
        return [one.message.id for one in prepared if fates[one.message.id] == "refused"]

    def park(one: Message, reason: str) -> None:
        if fates[one.id] == "not even parked":
            raise UnavailableError("SQS refused the message")
        trace["parked"].append(f"{one.id}: {reason}")

    return Forwarder(prepare, send, park)


@given(st.lists(st.sampled_from(FATES), max_size=12))
def test_every_message_has_one_fate(fates: list[str]) -> None:
    """What was neither sent nor parked is received again, at whichever position it stands."""
    by_id = {str(position): fate for position, fate in enumerate(fates)}
    trace: dict[str, list[str]] = {"offered": [], "parked": []}
    outcome = forwarder(by_id, trace).forward([message("", message_id) for message_id in by_id])
    assert outcome.failed == {key for key, fate in by_id.items() if fate in {"refused", "not even parked"}}
    assert trace["parked"] == [f"{key}: reason of {key}" for key, fate in by_id.items() if fate == "parked"]
    assert trace["offered"] == [f"entry of {key}" for key, fate in by_id.items() if fate in {"sent", "refused"}]
    assert outcome.sent == fates.count("sent")
    assert outcome.parked == fates.count("parked")
    assert outcome.received == outcome.sent + outcome.parked + len(outcome.failed) == len(fates)


def test_a_bug_fails_the_whole_batch() -> None:
    """Only what is known to be hopeless is set aside; anything else is received again, and ends in the DLQ."""

    def prepare(_: Message) -> str:
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        Forwarder(prepare, lambda _: [], lambda *_: None).forward([message("")])


def test_an_outcome_is_counted() -> None:
    """A log line gets numbers, and no ids."""
    outcome = Outcome(received=6, sent=3, parked=1, failed={"a", "b"})
    assert outcome.counts() == {"received": 6, "sent": 3, "parked": 1, "failed": 2}


def test_lambda_is_told_which_messages_failed() -> None:
    """An empty list means that all are done."""
    assert forwarding.partial_failure(Outcome(received=1)) == {"batchItemFailures": []}
    assert forwarding.partial_failure(Outcome(received=3, failed={"b", "a"})) == {
        "batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "b"}]
    }


def test_messages_are_read_from_the_event_of_a_queue() -> None:
    """Body and attributes exactly; the moment of sending in UTC."""
    attributes: dict[str, Any] = {"amount": {"dataType": "Number", "stringValue": "1.50"}}
    record = {
        "messageId": "m-1",
        "body": ' {"a": 1}\n',
        "attributes": {"SentTimestamp": "1795162543188"},
        "messageAttributes": attributes,
    }
    assert forwarding.messages({"Records": [record]}) == [
        Message("m-1", ' {"a": 1}\n', attributes, "2026-11-20T08:15:43.188000Z", receive_count=1)
    ]


def test_a_message_says_how_often_it_was_received() -> None:
    """As SQS counts it."""
    counted = {"SentTimestamp": "1795162543188", "ApproximateReceiveCount": "4"}
    record = {"messageId": "m-1", "body": "", "attributes": counted, "messageAttributes": {}}
    [found] = forwarding.messages({"Records": [record]})
    assert found.receive_count == 4


def test_what_cannot_be_looked_up_for_a_message_lets_it_be_received_again() -> None:
    """And no other one."""

    def prepare(one: Message) -> str:
        if one.id == "a":
            raise UnavailableError("down")
        return one.id

    sent: list[str] = []
    sender = forwarding.one_by_one(sent.append)
    outcome = Forwarder(prepare, sender, lambda *_: None).forward([message("", "a"), message("", "b")])
    assert (outcome.failed, outcome.sent, outcome.parked, sent) == ({"a"}, 1, 0, ["b"])


@given(st.lists(st.booleans(), max_size=8))
def test_a_sender_of_one_sends_each(available: list[bool]) -> None:
    """One that fails does not keep the others from being sent."""
    sent: list[int] = []

    def send(entry: int) -> None:
        if not available[entry]:
            raise UnavailableError("down")
        sent.append(entry)

    prepared = [Prepared(message("", str(position)), position) for position in range(len(available))]
    refused = forwarding.one_by_one(send)(prepared)
    assert refused == {str(position) for position, up in enumerate(available) if not up}
    assert sent == [position for position, up in enumerate(available) if up]
