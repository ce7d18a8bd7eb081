"""FraudScreeningFunction: every order of a batch gets its verdict, is set aside with a reason, or received again."""

from collections.abc import Callable, Sequence
from typing import Any

from eventfork.forwarding import Message

from tests.unit.aws import Aws, unreachable
from tests.unit.bus import delivered, event, table, with_data
from tests.unit.functions.conftest import Handler, Load, sample

Batch = Callable[[Sequence[Message]], dict[str, Any]]


def function(aws: Aws, load: Load) -> tuple[Handler, str]:
    quarantine = aws.queue("Quarantine")
    settings = {
        "TABLE_NAME": table(aws, "applications/fraud-screening/template.yaml", "FraudScreeningTable"),
        "QUARANTINE_QUEUE_URL": quarantine,
        "MAXIMUM_HOPS": "3",
        "MAXIMUM_AMOUNT": "128.39",
        "MAXIMUM_QUANTITY": "100",
    }
    return load("fraud_screening", **settings), quarantine


def test_the_sample_order_gets_its_verdict(aws: Aws, load: Load) -> None:
    """By the limits that the template sets, and once however often it comes."""
    handler, quarantine = function(aws, load)
    for _ in range(2):
        assert handler(sample("fraud-screening-queue")) == {"batchItemFailures": []}
    [row] = aws.rows("FraudScreeningTable")
    assert (row["OrderId"], row["Result"]) == ({"S": "48213"}, {"S": "REVIEW"})
    assert row["Reasons"] == {"S": "The amount is above 128.39."}
    assert aws.received(quarantine) == []


def test_orders_of_two_customers_with_one_id_are_two(aws: Aws, load: Load, batch: Batch) -> None:
    """As in the orders table."""
    handler, _ = function(aws, load)
    handler(batch([delivered(with_data("order-placed", customerId=one), one) for one in ("a", "b")]))
    assert len(aws.rows("FraudScreeningTable")) == 2


def test_what_can_never_be_screened_is_set_aside(aws: Aws, load: Load, batch: Batch) -> None:
    """An event that came too far, too; its neighbour is screened."""
    handler, quarantine = function(aws, load)
    far = with_data("order-placed")
    far["detail"]["metadata"]["hops"] = 4
    received = [delivered(far, "1"), delivered(event("order-changed"), "2"), delivered(event("order-placed"), "3")]
    assert handler(batch(received)) == {"batchItemFailures": []}
    assert len(aws.rows("FraudScreeningTable")) == 1
    assert len(aws.received(quarantine)) == 2


def test_while_the_table_is_away_orders_are_received_again(aws: Aws, load: Load, logs: Callable[[], str]) -> None:
    """And the log counts them."""
    handler, _ = function(aws, load)
    logs()
    with unreachable(aws.client("dynamodb")):
        assert len(handler(sample("fraud-screening-queue"))["batchItemFailures"]) == 1
    assert '"received":1,"sent":0,"parked":0,"failed":1' in logs()
