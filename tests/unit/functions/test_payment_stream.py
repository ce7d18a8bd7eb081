"""PaymentStreamFunction: what became of payments is on the bus, set aside, or read again."""

from collections.abc import Callable
from typing import Any

from tests.unit.aws import Aws, unreachable
from tests.unit.bus import BUS, event, event_bus
from tests.unit.functions.conftest import Handler, Load, sample

SAMPLES = ("payment-declined", "payment-deferred", "payment-captured")


def function(aws: Aws, load: Load) -> tuple[Handler, list[dict[str, Any]], str]:
    on_bus, quarantine = event_bus(aws), aws.queue("Quarantine")
    return load("payment_stream", EVENT_BUS_NAME=BUS, QUARANTINE_QUEUE_URL=quarantine), on_bus, quarantine


def record(number: int, old: dict[str, Any] | None = None, **attributes: Any) -> dict[str, Any]:
    """Give the record of a payment that is deferred, with other attributes in its row."""
    held: dict[str, Any] = sample("payments-stream")["Records"][1]
    image = {**held["dynamodb"]["NewImage"], "OrderId": {"S": str(number)}, **attributes}
    written = {**held["dynamodb"], "NewImage": image, "SequenceNumber": f"{number:021}"}
    if old:
        written["OldImage"] = {**image, **old}
    return {**held, "eventID": f"change-{number}", "dynamodb": written}


def test_the_sample_batch_gives_the_sample_events(aws: Aws, load: Load) -> None:
    """A payment that was declined, and one that was deferred and captured at last."""
    handler, on_bus, quarantine = function(aws, load)
    assert handler(sample("payments-stream")) == {"batchItemFailures": []}
    samples = [event(name) for name in SAMPLES]
    assert on_bus == [{name: one[name] for name in ("source", "detail-type", "detail")} for one in samples]
    assert aws.received(quarantine) == []


def test_only_what_changed_is_told(aws: Aws, load: Load) -> None:
    """A payment deferred again has changed; one that merely was written again has not."""
    handler, on_bus, _ = function(aws, load)
    again = record(1, {"Deferrals": {"N": "1"}}, Deferrals={"N": "2"})
    same = record(2, {"UpdatedAt": {"S": "2026-11-20T08:00:00.000000Z"}})
    assert handler({"Records": [again, same]}) == {"batchItemFailures": []}
    assert [(one["detail-type"], one["detail"]["data"]["deferrals"]) for one in on_bus] == [("PaymentDeferred", 2)]


def test_a_spoilt_row_is_set_aside_with_its_reason(aws: Aws, load: Load) -> None:
    """Its neighbours are on the bus, and the stream goes on."""
    handler, on_bus, quarantine = function(aws, load)
    batch = [record(1), record(2, Amount={"S": "spoilt"}), record(3)]
    assert handler({"Records": batch}) == {"batchItemFailures": []}
    assert sorted(one["detail"]["data"]["orderId"] for one in on_bus) == ["1", "3"]
    [parked] = aws.received(quarantine)
    assert '"OrderId":"2"' in parked["Body"]
    assert "Amount" in parked["MessageAttributes"]["quarantine-reason"]["StringValue"]


def test_while_the_bus_is_away_the_stream_is_read_again(aws: Aws, load: Load) -> None:
    """From the first change that was not put; then it gives the same events."""
    handler, on_bus, _ = function(aws, load)
    batch = {"Records": [record(number) for number in (1, 2)]}
    with unreachable(aws.client("events")):
        answer = handler(batch)
    assert answer == {"batchItemFailures": [{"itemIdentifier": f"{number:021}"} for number in (1, 2)]}
    assert on_bus == []
    for _ in range(2):
        assert handler(batch) == {"batchItemFailures": []}
    assert len({one["detail"]["metadata"]["id"] for one in on_bus}) == len(on_bus) / 2 == 2


def test_counts_are_logged_and_nothing_of_a_payment(aws: Aws, load: Load, logs: Callable[[], str]) -> None:
    """At any level."""
    handler, _, _ = function(aws, load)
    logs()
    handler({"Records": [record(1, PaymentId={"S": "payment-canary"}), record(2, Amount={"S": "amount-canary"})]})
    written = logs()
    assert '"read":2,"received":2,"sent":1,"parked":1,"failed":0' in written
    assert "payment-canary" not in written
    assert "amount-canary" not in written
