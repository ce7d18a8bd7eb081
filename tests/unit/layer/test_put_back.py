"""What failed too often is put back batch by batch, and forgotten only once all of it is done."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from eventfork import bus_events, order_stream
from eventfork.adapters.event_bus import EventBus
from eventfork.adapters.failed_batches import FailedBatches
from eventfork.adapters.sqs import Queue
from eventfork.adapters.table_streams import failed_changes
from eventfork.errors import UnavailableError
from eventfork.forwarding import Forwarder, Outcome
from eventfork.order_stream import Change
from eventfork.put_back import put_back

from tests.unit.aws import REGION, Aws, unreachable
from tests.unit.bus import BUS, event_bus
from tests.unit.functions.conftest import sample

BUCKET = "failures"


def store(aws: Aws, *batches: list[dict[str, Any]]) -> FailedBatches:
    """Store batches as Lambda does, beside an object that is none."""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=BUCKET, Key="notes.txt", Body=b"not Lambda's")
    for number, records in enumerate(batches):
        document = {"version": "1.0", "payload": json.dumps({"Records": records})}
        key = f"aws/lambda/mapping/shard/2026/11/20/2026-11-20T08.15.0{number}-x"
        s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(document).encode())
    return FailedBatches(s3, BUCKET, failed_changes)


def forwarding_to_the_bus(aws: Aws) -> Any:
    """Give what the stream's function does with changes."""
    bus = EventBus(aws.client("events"), BUS)
    forwarder = Forwarder(
        prepare=order_stream.prepare,
        send=lambda prepared: bus_events.send(prepared, bus.put, lambda _: None),
        park=Queue(aws.client("sqs"), aws.queue("Quarantine")).quarantine,
    )
    return lambda changes: forwarder.forward(order_stream.messages(changes))


def spoilt() -> dict[str, Any]:
    """Give the record of a row that gives no event."""
    record: dict[str, Any] = sample("order-stream")["Records"][0]
    record["dynamodb"]["NewImage"]["PaymentAmount"] = {"S": "spoilt"}
    return record


def test_every_batch_is_put_on_the_bus_and_forgotten(aws: Aws) -> None:
    """What can never be told is set aside on the way."""
    on_bus = event_bus(aws)
    stored = store(aws, sample("order-stream")["Records"], [spoilt()])
    outcome = put_back(stored, forwarding_to_the_bus(aws))
    assert outcome.counts() == {"received": 3, "sent": 2, "parked": 1, "failed": 0}
    assert [one["detail-type"] for one in on_bus] == ["OrderPlaced", "OrderChanged"]
    assert list(stored.keys()) == []


def test_a_batch_of_which_something_failed_stays(aws: Aws) -> None:
    """Its neighbours do not."""
    placed, changed = sample("order-stream")["Records"]
    stored = store(aws, [placed], [changed], [placed])
    keys = list(stored.keys())

    def forward(changes: Sequence[Change]) -> Outcome:
        failed = {one.position for one in changes if one.position == changed["dynamodb"]["SequenceNumber"]}
        return Outcome(received=len(changes), sent=len(changes) - len(failed), failed=failed)

    outcome = put_back(stored, forward)
    assert outcome.counts() == {"received": 3, "sent": 2, "parked": 0, "failed": 1}
    assert list(stored.keys()) == keys[1:2]


def test_while_the_bus_is_away_everything_stays(aws: Aws) -> None:
    """Nothing is deleted that was not put."""
    stored = store(aws, sample("order-stream")["Records"])
    forward = forwarding_to_the_bus(aws)
    with unreachable(aws.client("events")):
        assert len(put_back(stored, forward).failed) == 2
    assert len(list(stored.keys())) == 1


def test_a_bucket_that_cannot_be_reached_is_unavailable(aws: Aws) -> None:
    """To list, to read, to delete."""
    stored = store(aws, sample("order-stream")["Records"])
    [key] = stored.keys()
    with unreachable(aws.client("s3")):
        for act in (lambda: list(stored.keys()), lambda: stored.changes(key), lambda: stored.delete(key)):
            with pytest.raises(UnavailableError):
                act()
