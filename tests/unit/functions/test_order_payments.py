"""OrderPaymentFunction: how each payment stands is in its order's row, set aside, or received again."""

from collections.abc import Callable, Sequence
from typing import Any

from eventfork.forwarding import Message

from tests.unit.aws import Aws, unreachable
from tests.unit.bus import delivered, event
from tests.unit.functions.conftest import Handler, Load, sample

Batch = Callable[[Sequence[Message]], dict[str, Any]]
KEY = {"CustomerId": {"S": "9027"}, "DateOrderId": {"S": "2026-11-20T08:15:42Z#48213"}}
DONE: dict[str, list[Any]] = {"batchItemFailures": []}


def function(aws: Aws, load: Load) -> tuple[Handler, str]:
    """Give the function, the sample order's row in its table, and its quarantine."""
    quarantine, name = aws.queue("Quarantine"), aws.orders_table()
    aws.client("dynamodb").put_item(TableName=name, Item={**KEY, "EventId": {"S": "event-1"}})
    return load("order_payments", TABLE_NAME=name, QUARANTINE_QUEUE_URL=quarantine, MAXIMUM_HOPS="3"), quarantine


def statuses(aws: Aws) -> list[str]:
    return [row["PaymentStatus"]["S"] for row in aws.rows("CheckoutTable") if "PaymentStatus" in row]


def test_the_sample_payment_is_written_into_its_order(aws: Aws, load: Load) -> None:
    """Beside what others wrote there, and once however often it comes."""
    handler, quarantine = function(aws, load)
    for _ in range(2):
        assert handler(sample("order-payments-queue")) == DONE
        assert aws.rows("CheckoutTable") == [
            {
                **KEY,
                "EventId": {"S": "event-1"},
                "PaymentStatus": {"S": "CAPTURED"},
                "PaymentStatusAt": {"S": "2026-11-20T08:41:10.000000Z"},
            }
        ]
    assert aws.received(quarantine) == []


def test_a_deferral_that_comes_late_changes_nothing(aws: Aws, load: Load, batch: Batch) -> None:
    """What is final stays; before, the order says that its payment is deferred."""
    handler, _ = function(aws, load)
    handler(batch([delivered(event("payment-deferred"))]))
    assert statuses(aws) == ["DEFERRED"]
    handler(batch([delivered(event("payment-captured")), delivered(event("payment-deferred"), "2")]))
    assert statuses(aws) == ["CAPTURED"]
    late = {**event("payment-deferred"), "time": "2026-12-24T00:00:00Z"}
    assert handler(batch([delivered(late)])) == DONE
    assert statuses(aws) == ["CAPTURED"]


def test_a_payment_without_an_order_is_set_aside(aws: Aws, load: Load, batch: Batch) -> None:
    """With its reason; its neighbour is written, and no row is made."""
    handler, quarantine = function(aws, load)
    received = [delivered(event(name), name) for name in ("payment-declined", "order-placed", "payment-captured")]
    assert handler(batch(received)) == DONE
    assert statuses(aws) == ["CAPTURED"]
    assert len(aws.rows("CheckoutTable")) == 1
    reasons = [one["MessageAttributes"]["quarantine-reason"]["StringValue"] for one in aws.received(quarantine)]
    assert sorted(reasons) == [
        "not an event of the type PaymentCaptured or PaymentDeclined or PaymentDeferred",
        "the orders table has no row of the order that was paid",
    ]


def test_while_the_table_is_away_payments_are_received_again(
    aws: Aws, load: Load, batch: Batch, logs: Callable[[], str]
) -> None:
    """What can never be written is set aside all the same; the log counts, and names nobody."""
    handler, quarantine = function(aws, load)
    logs()
    with unreachable(aws.client("dynamodb")):
        answer = handler(batch([delivered(event("payment-captured"), "a"), delivered(event("order-placed"), "b")]))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "a"}]}
    assert len(aws.received(quarantine)) == 1
    written = logs()
    assert '"received":2,"sent":0,"parked":1,"failed":1' in written
    assert "48213" not in written
    assert handler(batch([delivered(event("payment-captured"), "a")])) == DONE
    assert statuses(aws) == ["CAPTURED"]
