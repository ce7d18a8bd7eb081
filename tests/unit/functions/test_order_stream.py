"""OrderStreamFunction: what changed in the orders table is on the bus, set aside, or read again."""

from collections.abc import Callable
from typing import Any

from tests.unit.aws import Aws, unreachable
from tests.unit.bus import BUS, event, event_bus
from tests.unit.functions.conftest import Handler, Load, sample


def function(aws: Aws, load: Load) -> tuple[Handler, list[dict[str, Any]], str]:
    on_bus, quarantine = event_bus(aws), aws.queue("Quarantine")
    return load("order_stream", EVENT_BUS_NAME=BUS, QUARANTINE_QUEUE_URL=quarantine), on_bus, quarantine


def record(number: int, **attributes: Any) -> dict[str, Any]:
    """Give the record of a new order, with other attributes in its row."""
    new: dict[str, Any] = sample("order-stream")["Records"][0]
    image = {**new["dynamodb"]["NewImage"], "OrderId": {"S": str(number)}, **attributes}
    written = {**new["dynamodb"], "NewImage": image, "SequenceNumber": f"{number:021}"}
    return {**new, "eventID": f"change-{number}", "dynamodb": written}


def test_the_sample_batch_gives_the_sample_events(aws: Aws, load: Load) -> None:
    """A placed and a changed order."""
    handler, on_bus, quarantine = function(aws, load)
    assert handler(sample("order-stream")) == {"batchItemFailures": []}
    samples = [event(name) for name in ("order-placed", "order-changed")]
    assert on_bus == [{name: one[name] for name in ("source", "detail-type", "detail")} for one in samples]
    assert aws.received(quarantine) == []


def test_a_spoilt_row_is_set_aside_with_its_reason(aws: Aws, load: Load) -> None:
    """Its neighbours are on the bus, and the stream goes on."""
    handler, on_bus, quarantine = function(aws, load)
    batch = [record(1), record(2, PaymentAmount={"S": "spoilt"}), record(3)]
    assert handler({"Records": batch}) == {"batchItemFailures": []}
    assert sorted(one["detail"]["data"]["orderId"] for one in on_bus) == ["1", "3"]
    [parked] = aws.received(quarantine)
    assert '"OrderId":"2"' in parked["Body"]
    assert "PaymentAmount" in parked["MessageAttributes"]["quarantine-reason"]["StringValue"]


def test_while_the_bus_is_away_the_stream_is_read_again(aws: Aws, load: Load) -> None:
    """From the first change that was not put."""
    handler, on_bus, _ = function(aws, load)
    batch = {"Records": [record(number) for number in (1, 2)]}
    with unreachable(aws.client("events")):
        answer = handler(batch)
    assert answer == {"batchItemFailures": [{"itemIdentifier": f"{number:021}"} for number in (1, 2)]}
    assert on_bus == []
    assert handler(batch) == {"batchItemFailures": []}
    assert len(on_bus) == 2


def test_what_cannot_be_set_aside_is_read_again(aws: Aws, load: Load) -> None:
    """Nothing is dropped."""
    handler, _, _ = function(aws, load)
    with unreachable(aws.client("sqs")):
        answer = handler({"Records": [record(1, PaymentAmount={"S": "spoilt"})]})
    assert answer == {"batchItemFailures": [{"itemIdentifier": f"{1:021}"}]}


def test_a_batch_read_twice_gives_the_same_events(aws: Aws, load: Load) -> None:
    """At least once, and each time the same."""
    handler, on_bus, _ = function(aws, load)
    for _ in range(2):
        handler(sample("order-stream"))
    ids = [one["detail"]["metadata"]["id"] for one in on_bus]
    assert (len(ids), len(set(ids))) == (4, 2)


def test_counts_are_logged_and_nothing_of_an_order(aws: Aws, load: Load, logs: Callable[[], str]) -> None:
    """At any level."""
    handler, _, _ = function(aws, load)
    logs()
    handler(sample("order-stream"))
    handler({"Records": [record(1, PaymentAmount={"S": "spoilt"})]})
    written = logs()
    assert '"read":2,"received":2,"sent":2,"parked":0,"failed":0' in written
    assert '"parked":1' in written
    assert "ada@example.com" not in written
