"""ReplayFunction: every message is on its destination, marked, or is set aside, or received again."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from eventfork.errors import UnavailableError

from tests.unit.aws import ACCOUNT, REGION, Aws, unreachable
from tests.unit.functions.conftest import Handler, Load, sample
from tests.unit.samples import CANARIES, message, order_with_canaries, string

Batch = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send refused messages again at once."""
    monkeypatch.setattr("time.sleep", lambda _: None)


def function(aws: Aws, load: Load) -> tuple[Handler, str, str]:
    destination, quarantine = aws.queue("CheckoutQueue"), aws.queue("Quarantine")
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:CheckoutQueue"
    return load("replay", DESTINATION_QUEUE_ARN=arn, QUARANTINE_QUEUE_URL=quarantine), destination, quarantine


def test_the_sample_event_is_replayed(aws: Aws, load: Load) -> None:
    """Body and attributes as they were published, and the mark of a replay."""
    handler, destination, _ = function(aws, load)
    received = sample("replay-queue")
    assert handler(received) == {"batchItemFailures": []}
    [replayed] = aws.received(destination)
    [record] = received["Records"]
    assert replayed["Body"] == record["body"]
    mark = replayed["MessageAttributes"].pop("eventfork-replay")
    assert json.loads(mark["StringValue"]) == {"job": "operator", "hop": 1}
    assert {
        name: (value["DataType"], value["StringValue"]) for name, value in replayed["MessageAttributes"].items()
    } == {name: (value["dataType"], value["stringValue"]) for name, value in record["messageAttributes"].items()}


def test_a_large_batch_is_replayed_completely(aws: Aws, load: Load, batch: Batch) -> None:
    """Ten in a call."""
    handler, destination, _ = function(aws, load)
    bodies = [f"body {number}" for number in range(37)]
    assert handler(batch([message(body, body) for body in bodies])) == {"batchItemFailures": []}
    assert sorted(received["Body"] for received in aws.received(destination)) == sorted(bodies)


def test_what_cannot_be_marked_is_set_aside(aws: Aws, load: Load, batch: Batch) -> None:
    """Unmarked it could go round for ever; its ten attributes are kept."""
    handler, destination, quarantine = function(aws, load)
    ten = {f"a{number}": string("x") for number in range(10)}
    foreign = {"eventfork-replay": string('{"hop": 1e999}')}
    received = batch([message("a", "1", ten), message("b", "2", foreign), message("c", "3")])
    assert handler(received) == {"batchItemFailures": []}
    assert [one["Body"] for one in aws.received(destination)] == ["c"]
    parked = {one["Body"]: one["MessageAttributes"] for one in aws.received(quarantine)}
    assert parked.keys() == {"a", "b"}
    assert json.loads(parked["a"]["quarantined-attributes"]["StringValue"]) == ten


def test_while_the_destination_is_away_messages_stay(aws: Aws, load: Load, batch: Batch) -> None:
    """Only what was confirmed leaves the replay queue."""
    handler, destination, _ = function(aws, load)
    received = batch([message("a", "1"), message("b", "2")])
    handler(batch([]))
    with unreachable(aws.client("sqs")):
        answer = handler(received)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}, {"itemIdentifier": "2"}]}
    assert handler(received) == {"batchItemFailures": []}
    assert len(aws.received(destination)) == 2


def test_a_destination_that_is_not_there_fails_the_batch(aws: Aws, load: Load, batch: Batch) -> None:
    """Nothing leaves the replay queue, and the function is mended by making the queue."""
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:CheckoutQueue"
    handler = load("replay", DESTINATION_QUEUE_ARN=arn, QUARANTINE_QUEUE_URL=aws.queue("Quarantine"))
    with pytest.raises(UnavailableError, match="CheckoutQueue"):
        handler(batch([message("a")]))
    destination = aws.queue("CheckoutQueue")
    assert handler(batch([message("a")])) == {"batchItemFailures": []}
    assert len(aws.received(destination)) == 1


def test_no_log_line_holds_card_data(aws: Aws, load: Load, batch: Batch, logs: Callable[[], str]) -> None:
    """Of messages that were published with it: replayed, set aside or received again."""
    handler, _, _ = function(aws, load)
    ten = {f"a{number}": string(CANARIES[0]) for number in range(10)}
    received = batch([message(order_with_canaries(), "1"), message(order_with_canaries(), "2", ten)])
    logs()
    handler(received)
    with unreachable(aws.client("sqs")):
        handler(received)
    written = logs()
    assert '"received":2,"sent":1,"parked":1,"failed":0' in written
    assert '"received":2,"sent":0,"parked":0,"failed":2' in written
    assert not [canary for canary in CANARIES if canary in written]
