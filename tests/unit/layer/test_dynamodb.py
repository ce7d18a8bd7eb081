"""The orders table keeps one row for an order, as its newest event reports it, whatever comes when and how often."""

import itertools
from typing import Any

import pytest
from botocore.stub import Stubber
from eventfork import checkout_events, order_rows, orders
from eventfork.adapters.dynamodb import ORDER_INDEX, OrdersTable
from eventfork.card_data import Redactor
from eventfork.errors import NotFoundError, UnavailableError
from eventfork.json_text import parse

from tests.unit.aws import Aws, unreachable
from tests.unit.layer.test_checkout_events import ACCEPTED_AT
from tests.unit.samples import order, order_with

KEY = {"CustomerId": {"S": "9027"}, "DateOrderId": {"S": "2026-11-20T08:15:42Z#48213"}}


def row(document: dict[str, Any] | None = None, second: int = 0) -> dict[str, Any]:
    """Give the row for an order that was accepted at that second."""
    kept = orders.without_card_data(document or order(), Redactor())
    return order_rows.row(checkout_events.order_submitted(kept, ACCEPTED_AT.replace(second=second)))


def table(aws: Aws) -> OrdersTable:
    return OrdersTable(aws.client("dynamodb"), aws.orders_table())


def test_a_row_is_stored_exactly(aws: Aws) -> None:
    """Amounts are numbers with all their digits."""
    amount = "0.12345678901234567890123456789012345678"
    assert table(aws).project(row(order_with("/payment/amount", parse(amount))))
    [stored] = aws.rows("CheckoutTable")
    assert stored["PaymentAmount"] == {"N": amount}
    assert stored["TotalQuantity"] == {"N": "3"}
    assert {**stored, **KEY} == stored
    assert stored["EventTime"] == {"S": "2026-11-20T08:15:00.120000Z"}


@pytest.mark.parametrize("amount", ["1E-120", "999999999", "1e2"])
def test_an_amount_is_written_in_full(aws: Aws, amount: str) -> None:
    """Whatever its notation was."""
    table(aws).project(row(order_with("/payment/amount", parse(amount))))
    [stored] = aws.rows("CheckoutTable")
    assert parse(stored["PaymentAmount"]["N"]) == parse(amount)
    assert "e" not in stored["PaymentAmount"]["N"].lower()


def test_the_same_event_twice_is_one_row(aws: Aws) -> None:
    """At least once, effect once."""
    orders_table = table(aws)
    assert orders_table.project(row())
    first = aws.rows("CheckoutTable")
    assert orders_table.project(row())
    assert aws.rows("CheckoutTable") == first


def test_the_same_event_repairs_its_row(aws: Aws) -> None:
    """A replay puts right whatever a bug has written, even a time in the future, or an attribute that it dropped."""
    orders_table = table(aws)
    orders_table.project(row())
    right = aws.rows("CheckoutTable")
    spoilt = {name: {"S": "spoilt"} for name in order_rows.OWNED if name not in {"EventId", "OrderId"}}
    aws.client("dynamodb").put_item(TableName="CheckoutTable", Item={**right[0], **spoilt})
    assert orders_table.project(row())
    assert aws.rows("CheckoutTable") == right
    without_event = {name: value for name, value in right[0].items() if name not in {"EventId", "EventTime", "Order"}}
    aws.client("dynamodb").put_item(TableName="CheckoutTable", Item=without_event)
    assert orders_table.project(row())
    assert aws.rows("CheckoutTable") == right


def test_in_whatever_order_events_come_the_newest_stays(aws: Aws) -> None:
    """An older event, delayed or replayed, never overwrites a newer one."""
    orders_table = table(aws)
    events = [row(order_with("/status", f"status {second}"), second) for second in (1, 2, 3)]
    for sequence in itertools.permutations([*events, events[0]]):
        aws.client("dynamodb").delete_item(TableName="CheckoutTable", Key=KEY)
        written = [orders_table.project(event) for event in sequence]
        [stored] = aws.rows("CheckoutTable")
        assert stored["EventId"]["S"] == events[2]["EventId"]
        assert '"status":"status 3"' in stored["Order"]["S"]
        assert written[0]
        assert written[-1] == (sequence[-1] is events[2])


def test_an_attribute_of_others_survives(aws: Aws) -> None:
    """A payment's status, written by another function, is not the projection's to change."""
    orders_table = table(aws)
    orders_table.project(row(second=1))
    aws.client("dynamodb").update_item(
        TableName="CheckoutTable",
        Key=KEY,
        UpdateExpression="SET PaymentStatus = :captured",
        ExpressionAttributeValues={":captured": {"S": "captured"}},
    )
    for event in (row(second=1), row(order_with("/status", "shipped"), 2)):
        assert orders_table.project(event)
        assert aws.rows("CheckoutTable")[0]["PaymentStatus"] == {"S": "captured"}


def test_a_row_that_others_began_is_completed(aws: Aws) -> None:
    """Whoever comes first, both parts are in the row."""
    orders_table = table(aws)
    aws.client("dynamodb").put_item(TableName="CheckoutTable", Item={**KEY, "PaymentStatus": {"S": "captured"}})
    assert orders_table.project(row())
    [stored] = aws.rows("CheckoutTable")
    assert stored["PaymentStatus"] == {"S": "captured"}
    assert stored["OrderId"] == {"S": "48213"}


def test_an_order_is_read_as_it_was_stored(aws: Aws) -> None:
    """By customer and order, without knowing its date."""
    orders_table = table(aws)
    orders_table.project(row())
    orders_table.project(row(order_with("/id", 48214)))
    assert orders_table.order("9027", "48213") == row()["Order"]


def test_of_an_order_whose_date_was_changed_the_newest_is_read(aws: Aws) -> None:
    """Its rows differ in their sort key, and its last event counts."""
    orders_table = table(aws)
    later = row(order_with("/date", "2026-01-01T00:00:00Z"), second=2)
    orders_table.project(later)
    orders_table.project(row(second=1))
    assert len(aws.rows("CheckoutTable")) == 2
    assert orders_table.order("9027", "48213") == later["Order"]


@pytest.mark.parametrize(
    ("customer_id", "order_id"),
    [("9027", "1"), ("1", "48213"), ("48213", "9027"), ("9027", "4821"), ("x" * 3000, "1"), ("9027", "é" * 513)],
    ids=lambda identifier: identifier[:9],
)
def test_an_order_that_is_not_there_is_not_found(aws: Aws, customer_id: str, order_id: str) -> None:
    """Not another customer's either, and not one whose id no key can hold."""
    orders_table = table(aws)
    orders_table.project(row())
    with pytest.raises(NotFoundError):
        orders_table.order(customer_id, order_id)


def test_a_key_that_no_row_can_have_is_not_asked_for(aws: Aws) -> None:
    """DynamoDB would refuse the question, and the client would be told to try again."""
    client = aws.client("dynamodb")
    with unreachable(client):
        for identifiers in (("x" * 1025, "1"), ("1", "é" * 513)):
            with pytest.raises(NotFoundError):
                OrdersTable(client, "CheckoutTable").order(*identifiers)
        with pytest.raises(UnavailableError):
            OrdersTable(client, "CheckoutTable").order("x" * 1024, "é" * 512)


@pytest.mark.parametrize(
    "code", ["ThrottlingException", "ProvisionedThroughputExceededException", "InternalServerError"]
)
def test_a_table_that_throttles_is_unavailable(aws: Aws, code: str) -> None:
    """Reading and writing."""
    client = aws.client("dynamodb")
    with Stubber(client) as stub:
        stub.add_client_error("update_item", code, http_status_code=400)
        stub.add_client_error("query", code, http_status_code=400)
        with pytest.raises(UnavailableError):
            OrdersTable(client, "CheckoutTable").project(row())
        with pytest.raises(UnavailableError):
            OrdersTable(client, "CheckoutTable").order("9027", "48213")


def test_a_table_that_cannot_be_reached_is_unavailable(aws: Aws) -> None:
    """Nothing counts as written."""
    client = aws.client("dynamodb")
    with unreachable(client):
        with pytest.raises(UnavailableError):
            OrdersTable(client, "CheckoutTable").project(row())
        with pytest.raises(UnavailableError):
            OrdersTable(client, "CheckoutTable").order("9027", "48213")


def test_the_index_is_the_one_of_the_template(aws: Aws) -> None:
    """Queries name it, so it must not be renamed in one place only."""
    aws.orders_table()
    description = aws.client("dynamodb").describe_table(TableName="CheckoutTable")["Table"]
    assert [index["IndexName"] for index in description["LocalSecondaryIndexes"]] == [ORDER_INDEX]
