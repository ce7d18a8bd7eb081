"""CustomerFunction: every customer of a batch is stored, set aside with its reason, or received again."""

from collections.abc import Callable, Sequence
from typing import Any

from eventfork.forwarding import Message

from tests.unit.aws import Aws, unreachable
from tests.unit.bus import delivered, event, table, with_data
from tests.unit.functions.conftest import Handler, Load, sample
from tests.unit.samples import CANARIES, CARD

Batch = Callable[[Sequence[Message]], dict[str, Any]]


def function(aws: Aws, load: Load) -> tuple[Handler, str]:
    quarantine = aws.queue("Quarantine")
    name = table(aws, "applications/customers/template.yaml", "CustomerTable")
    return load("customers", TABLE_NAME=name, QUARANTINE_QUEUE_URL=quarantine, MAXIMUM_HOPS="3"), quarantine


def test_the_sample_customer_is_stored(aws: Aws, load: Load) -> None:
    """One row, and nothing to receive again."""
    handler, quarantine = function(aws, load)
    assert handler(sample("customers-queue")) == {"batchItemFailures": []}
    [row] = aws.rows("CustomerTable")
    assert (row["CustomerId"], row["CustomerName"]) == ({"S": "9027"}, {"S": "Ada Example"})
    assert aws.received(quarantine) == []


def test_a_batch_received_twice_changes_nothing(aws: Aws, load: Load) -> None:
    """The same input, the same row."""
    handler, _ = function(aws, load)
    handler(sample("customers-queue"))
    rows = aws.rows("CustomerTable")
    assert handler(sample("customers-queue")) == {"batchItemFailures": []}
    assert aws.rows("CustomerTable") == rows


def test_what_can_never_be_stored_is_set_aside(aws: Aws, load: Load, batch: Batch) -> None:
    """An event that came too far, too; its neighbour is stored."""
    handler, quarantine = function(aws, load)
    far = with_data("customer-created")
    far["detail"]["metadata"]["hops"] = 4
    received = [delivered(far, "1"), delivered(event("order-placed"), "2"), delivered(event("customer-created"), "3")]
    assert handler(batch(received)) == {"batchItemFailures": []}
    assert len(aws.rows("CustomerTable")) == 1
    reasons = [one["MessageAttributes"]["quarantine-reason"]["StringValue"] for one in aws.received(quarantine)]
    assert sorted(reasons) == [
        "4 events led to it, more than the 3 that are let through",
        "not an event of the type customerCreated",
    ]


def test_while_the_table_is_away_customers_are_received_again(aws: Aws, load: Load) -> None:
    """Afterwards they are stored."""
    handler, quarantine = function(aws, load)
    with unreachable(aws.client("dynamodb")):
        answer = handler(sample("customers-queue"))
    assert [one["itemIdentifier"] for one in answer["batchItemFailures"]] == ["059f36b4-87a3-44ab-83d2-661975930004"]
    assert aws.received(quarantine) == []
    assert handler(sample("customers-queue")) == {"batchItemFailures": []}


def test_card_data_reaches_neither_table_nor_log(aws: Aws, load: Load, batch: Batch, logs: Callable[[], str]) -> None:
    """Whatever another publisher sends."""
    handler, _ = function(aws, load)
    leaking = [delivered(with_data("customer-created", customerData=CARD), "1")]
    leaking.append(delivered(with_data("customer-created", customerName=None, customerData=CARD), "2"))
    logs()
    handler(batch(leaking))
    written = logs() + str(aws.rows("CustomerTable"))
    assert '"received":2,"sent":1,"parked":1,"failed":0' in written
    assert not [canary for canary in CANARIES if canary in written]
