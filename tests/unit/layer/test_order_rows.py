"""One event gives one row: keys that sort, amounts that are exact, and the order's own text."""

from decimal import Decimal
from typing import Any

import pytest
from eventfork import checkout_events, order_rows, orders
from eventfork.card_data import Redactor
from eventfork.forwarding import CannotCarryError
from eventfork.json_text import parse, render
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.layer.test_checkout_events import ACCEPTED_AT
from tests.unit.samples import CANARIES, message, order, order_with, order_with_canaries

redactor = Redactor()


def prepare(document: dict[str, Any]) -> dict[str, Any]:
    kept = orders.without_card_data(document, redactor)
    return order_rows.prepare(message(checkout_events.order_submitted(kept, ACCEPTED_AT)), redactor)


def test_the_row_of_the_sample_order() -> None:
    """Everything a row has."""
    row = prepare(order())
    assert parse(row.pop("Order")) == orders.without_card_data(order(), redactor)
    assert row == {
        "CustomerId": "9027",
        "DateOrderId": "2026-11-20T08:15:42Z#48213",
        "OrderId": "48213",
        "PaymentId": "77310",
        "PaymentAmount": Decimal("128.40"),
        "PaymentCurrency": "eur",
        "TotalQuantity": 3,
        "EventId": "184d89bb-ba27-5028-9fd8-3b5bd06841ee",
        "EventTime": "2026-11-20T08:15:43.120000Z",
    }


def test_the_projection_owns_all_but_the_keys() -> None:
    """So that it repairs everything it ever wrote."""
    assert set(order_rows.OWNED) == prepare(order()).keys() - {"CustomerId", "DateOrderId"}


def test_a_number_and_a_text_are_the_same_identifier() -> None:
    """7 and "7" are one order of one customer."""
    numbers = prepare(order())
    texts = prepare({**order_with("/customer/id", "9027"), "id": "48213"})
    keys = ("CustomerId", "DateOrderId", "OrderId")
    assert [numbers[key] for key in keys] == [texts[key] for key in keys]


def test_the_rows_of_a_customer_sort_by_time() -> None:
    """Offsets do not disturb the order."""
    dates = ["2026-11-20T09:15:42+01:00", "2026-11-20T08:15:43Z", "2026-11-20T00:15:44-08:00", "2026-11-20T08:15:45Z"]
    keys = [prepare(order_with("/date", date))["DateOrderId"] for date in dates]
    assert keys == sorted(keys)


@given(st.integers(min_value=1, max_value=10**38 - 1), st.integers(min_value=30, max_value=120))
def test_an_amount_is_stored_as_it_was_sent(digits: int, decimals: int) -> None:
    """To the last of 38 digits."""
    amount = Decimal(f"{digits}e-{decimals}")
    assert prepare(order_with("/payment/amount", amount))["PaymentAmount"] == amount


def test_no_card_data_is_stored() -> None:
    """Not even that of another publisher's event."""
    event = checkout_events.order_submitted(order_with_canaries(), ACCEPTED_AT)
    row = order_rows.prepare(message(event), redactor)
    assert not any(canary in str(row) for canary in CANARIES)


def test_the_stored_order_is_its_json() -> None:
    """With every digit, on one line."""
    assert '"amount":128.40,' in prepare(order())["Order"]
    assert prepare(order())["Order"] == render(parse(prepare(order())["Order"]))


@pytest.mark.parametrize("body", ["", "hello", "{}", '{"type":"eventfork.checkout.OrderSubmitted"}'])
def test_a_message_that_gives_no_row_is_not_carried(body: str) -> None:
    """It can never be stored, so it is set aside with the reason."""
    with pytest.raises(CannotCarryError) as refusal:
        order_rows.prepare(message(body), redactor)
    assert str(refusal.value)
