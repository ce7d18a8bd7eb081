"""The payments table keeps one row for an order's payment, and what is final in it, or in the order's row, stays."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.stub import Stubber
from eventfork import payments
from eventfork.adapters.payments_table import OrderRows, PaymentsTable
from eventfork.errors import UnavailableError
from eventfork.order_payments import OrderPayment
from eventfork.payments import Captured, Declined, Deferred, Result

from tests.unit.aws import Aws, unreachable
from tests.unit.payments import payment, payments_table

NOW = datetime(2026, 11, 20, 8, 15, 46, 204000, tzinfo=UTC)
OUTAGE = "payments-20261120T081201Z-7"
HELD = Deferred(503, "payments", OUTAGE)
KEY = {"CustomerId": {"S": "9027"}, "DateOrderId": {"S": "2026-11-20T08:15:42Z#48213"}}


def row(result: Result, minute: int = 0, **data: Any) -> dict[str, Any]:
    return payments.row(payment(**data), result, NOW + timedelta(minutes=minute))


def table(aws: Aws) -> PaymentsTable:
    return PaymentsTable(aws.client("dynamodb"), payments_table(aws))


def test_a_payment_is_stored_exactly(aws: Aws) -> None:
    """Texts as texts, numbers with every digit."""
    assert table(aws).write(row(Captured("ch_1")))
    assert aws.rows("PaymentsTable") == [
        {
            "CustomerId": {"S": "9027"},
            "OrderId": {"S": "48213"},
            "DateOrderId": {"S": "2026-11-20T08:15:42Z#48213"},
            "PaymentId": {"S": "77310"},
            "Amount": {"N": "128.4"},
            "Currency": {"S": "eur"},
            "EventId": {"S": "f3c03044-fb51-5637-ad72-0ee5d1a0136f"},
            "CorrelationId": {"S": "184d89bb-ba27-5028-9fd8-3b5bd06841ee"},
            "Hops": {"N": "0"},
            "UpdatedAt": {"S": "2026-11-20T08:15:46.204000Z"},
            "Status": {"S": "CAPTURED"},
            "ChargeId": {"S": "ch_1"},
        }
    ]


def test_a_status_is_read_as_it_was_written_last(aws: Aws) -> None:
    """None where there is no payment, of another customer's order neither."""
    stored = table(aws)
    assert stored.status("9027", "48213") is None
    for result, status in ((HELD, "DEFERRED"), (Captured("ch_1"), "CAPTURED")):
        stored.write(row(result))
        assert stored.status("9027", "48213") == status
    assert stored.status("9028", "48213") is None


def test_a_payment_that_is_deferred_twice_is_one_row(aws: Aws) -> None:
    """Which counts the deferrals, and tells of the last one."""
    stored = table(aws)
    assert stored.write(row(HELD))
    assert stored.write(row(Deferred(504, "payments"), minute=20))
    [found] = aws.rows("PaymentsTable")
    assert (found["Deferrals"], found["StatusCode"]) == ({"N": "2"}, {"N": "504"})
    assert found["DeferredAt"] == {"S": "2026-11-20T08:35:46.204000Z"}
    assert "OutageId" not in found


@pytest.mark.parametrize("result", [Captured("ch_1"), Declined("insufficient funds")], ids=["captured", "declined"])
def test_what_ends_a_payment_takes_it_out_of_what_is_held(aws: Aws, result: Result) -> None:
    """Nothing is left of why it was deferred, but how often."""
    stored = table(aws)
    stored.write(row(HELD))
    assert stored.held("HeldIndex", "payments")[0] == 1
    assert stored.write(row(result))
    [found] = aws.rows("PaymentsTable")
    assert not found.keys() & {"StatusCode", "Circuit", "DeferredAt", "OutageId"}
    assert found["Deferrals"] == {"N": "1"}
    assert stored.held("HeldIndex", "payments") == (0, None)


@pytest.mark.parametrize("final", [Captured("ch_1"), Declined("insufficient funds")], ids=["captured", "declined"])
def test_a_final_status_is_never_overwritten(aws: Aws, final: Result) -> None:
    """By nothing that comes later, however it comes."""
    stored = table(aws)
    assert stored.write(row(final))
    before = aws.rows("PaymentsTable")
    for other in (HELD, Captured("ch_2"), Declined("stolen")):
        assert not stored.write(row(other, minute=1))
        assert aws.rows("PaymentsTable") == before


def test_an_attribute_of_others_survives(aws: Aws) -> None:
    """It is not the cashier's to change."""
    stored = table(aws)
    stored.write(row(HELD))
    aws.client("dynamodb").update_item(
        TableName="PaymentsTable",
        Key={"CustomerId": {"S": "9027"}, "OrderId": {"S": "48213"}},
        UpdateExpression="SET Note = :note",
        ExpressionAttributeValues={":note": {"S": "an operator's"}},
    )
    stored.write(row(Captured("ch_1")))
    assert aws.rows("PaymentsTable")[0]["Note"] == {"S": "an operator's"}


def test_what_is_held_is_counted_with_the_oldest_of_it(aws: Aws) -> None:
    """Behind that circuit, and nothing that is final or held behind another."""
    stored = table(aws)
    assert stored.held("HeldIndex", "payments") == (0, None)
    for number in range(5):
        stored.write(row(HELD, minute=number, orderId=str(number)))
    stored.write(row(Deferred(503, "other"), minute=-60, orderId="other"))
    stored.write(row(Captured("ch_1"), minute=10, orderId="0"))
    assert stored.held("HeldIndex", "payments") == (4, NOW + timedelta(minutes=1))


def test_what_is_held_is_counted_on_every_page(aws: Aws) -> None:
    """A query gives a megabyte at a time."""
    client = aws.client("dynamodb")
    first = {"DeferredAt": {"S": "2026-11-20T08:15:46.204000Z"}}
    with Stubber(client) as stub:
        stub.add_response("query", {"Items": [first], "Count": 1, "LastEvaluatedKey": {"CustomerId": {"S": "1"}}})
        stub.add_response("query", {"Count": 5000, "LastEvaluatedKey": {"CustomerId": {"S": "5"}}})
        stub.add_response("query", {"Count": 17})
        assert PaymentsTable(client, "PaymentsTable").held("HeldIndex", "payments") == (5017, NOW)


def test_a_table_that_throttles_or_cannot_be_reached_is_unavailable(aws: Aws) -> None:
    """Nothing counts as read or written."""
    client = aws.client("dynamodb")
    stored = PaymentsTable(client, "PaymentsTable")
    calls: dict[str, Callable[[], object]] = {
        "get_item": lambda: stored.status("9027", "48213"),
        "update_item": lambda: stored.write(row(HELD)),
        "query": lambda: stored.held("HeldIndex", "payments"),
    }
    for operation, call in calls.items():
        with Stubber(client) as stub:
            stub.add_client_error(operation, "ThrottlingException", http_status_code=400)
            with pytest.raises(UnavailableError):
                call()
        with unreachable(client), pytest.raises(UnavailableError):
            call()


def orders(aws: Aws) -> OrderRows:
    """Give the orders table with the row of the sample order."""
    name = aws.orders_table()
    aws.client("dynamodb").put_item(TableName=name, Item={**KEY, "OrderId": {"S": "48213"}})
    return OrderRows(aws.client("dynamodb"), name)


def told(status: str, second: int = 0) -> OrderPayment:
    return OrderPayment("9027", "2026-11-20T08:15:42Z#48213", status, f"2026-11-20T08:41:{second:02}.000000Z")


def test_a_row_of_an_order_exists_or_not(aws: Aws) -> None:
    """By customer and sort key."""
    rows = orders(aws)
    assert rows.exists("9027", "2026-11-20T08:15:42Z#48213")
    assert not rows.exists("9028", "2026-11-20T08:15:42Z#48213")


def test_how_a_payment_stands_is_written_into_the_order(aws: Aws) -> None:
    """Beside all that others wrote there; the same event twice is written once in effect."""
    rows = orders(aws)
    for _ in range(2):
        assert rows.write(told("DEFERRED"))
        [found] = aws.rows("CheckoutTable")
        assert found == {
            **KEY,
            "OrderId": {"S": "48213"},
            "PaymentStatus": {"S": "DEFERRED"},
            "PaymentStatusAt": {"S": "2026-11-20T08:41:00.000000Z"},
        }


@pytest.mark.parametrize("final", ["CAPTURED", "DECLINED"])
def test_in_whatever_order_events_come_the_final_one_stays(aws: Aws, final: str) -> None:
    """Even if a deferral comes later, or is younger by the clock."""
    rows = orders(aws)
    for sequence in itertools.permutations([told("DEFERRED", 1), told("DEFERRED", 9), told(final, 5)]):
        aws.client("dynamodb").put_item(TableName="CheckoutTable", Item=KEY)
        for one in sequence:
            rows.write(one)
        [found] = aws.rows("CheckoutTable")
        assert (found["PaymentStatus"], found["PaymentStatusAt"]) == ({"S": final}, {"S": told(final, 5).at})


def test_of_two_deferrals_the_later_stays(aws: Aws) -> None:
    """Whichever is delivered first."""
    rows = orders(aws)
    assert rows.write(told("DEFERRED", 9))
    assert not rows.write(told("DEFERRED", 1))
    assert aws.rows("CheckoutTable")[0]["PaymentStatusAt"] == {"S": told("DEFERRED", 9).at}


def test_a_final_status_is_repaired_by_its_event_and_never_replaced_by_another(aws: Aws) -> None:
    """A replay puts right what a bug has spoilt."""
    rows = orders(aws)
    spoilt = {"PaymentStatus": {"S": "captured"}, "PaymentStatusAt": {"S": "9999"}}
    aws.client("dynamodb").put_item(TableName="CheckoutTable", Item={**KEY, **spoilt})
    assert rows.write(told("CAPTURED", 5))
    assert rows.write(told("CAPTURED", 5))
    assert not rows.write(told("DECLINED", 9))
    assert aws.rows("CheckoutTable")[0]["PaymentStatus"] == {"S": "CAPTURED"}


def test_no_row_is_made_for_an_order_that_is_not_there(aws: Aws) -> None:
    """It would be an order of nothing but a payment."""
    rows = OrderRows(aws.client("dynamodb"), aws.orders_table())
    for status in ("CAPTURED", "DEFERRED"):
        assert not rows.write(told(status))
    assert aws.rows("CheckoutTable") == []


def test_an_orders_table_that_cannot_be_reached_is_unavailable(aws: Aws) -> None:
    """Nothing counts as looked up or written."""
    client = aws.client("dynamodb")
    rows = OrderRows(client, "CheckoutTable")
    with Stubber(client) as stub:
        stub.add_client_error("update_item", "InternalServerError", http_status_code=500)
        with pytest.raises(UnavailableError):
            rows.write(told("CAPTURED"))
    with unreachable(client):
        with pytest.raises(UnavailableError):
            rows.exists("9027", "2026-11-20T08:15:42Z#48213")
        with pytest.raises(UnavailableError):
            rows.write(told("CAPTURED"))
