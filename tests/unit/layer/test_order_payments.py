"""What an event tells of a payment is written into the row of its order, if there is one."""

from typing import Any

import pytest
from eventfork import order_payments
from eventfork.forwarding import CannotCarryError
from eventfork.order_payments import OrderPayment

from tests.unit.bus import delivered, event, with_data

KEY = ("9027", "2026-11-20T08:15:42Z#48213")


def prepare(
    document: dict[str, Any], *, maximum_hops: int = 3, rows: frozenset[tuple[str, str]] = frozenset({KEY})
) -> OrderPayment:
    return order_payments.prepare(delivered(document), maximum_hops, lambda *key: key in rows)


@pytest.mark.parametrize(
    ("name", "status", "at"),
    [
        ("payment-captured", "CAPTURED", "2026-11-20T08:41:10.000000Z"),
        ("payment-deferred", "DEFERRED", "2026-11-20T08:15:47.000000Z"),
    ],
)
def test_each_event_tells_how_the_payment_stands(name: str, status: str, at: str) -> None:
    """Since the event was put on the bus."""
    assert prepare(event(name)) == OrderPayment(*KEY, status, at)


def test_a_payment_that_was_declined_is_told_of_its_own_order() -> None:
    """By the row's sort key."""
    key = ("9027", "2026-11-20T08:02:17Z#48190")
    found = prepare(event("payment-declined"), rows=frozenset({key}))
    assert found == OrderPayment(*key, "DECLINED", "2026-11-20T08:02:22.000000Z")


def test_a_payment_whose_order_is_not_there_is_set_aside() -> None:
    """It is not dropped, and makes no row of nothing else."""
    with pytest.raises(CannotCarryError, match="no row of the order"):
        prepare(event("payment-captured"), rows=frozenset())


@pytest.mark.parametrize(
    "data",
    [
        {"customerId": None},
        {"customerId": 7},
        {"customerId": "é" * 1025},
        {"dateOrderId": ""},
        {"dateOrderId": "é" * 513},
    ],
    ids=lambda data: str(data)[:30],
)
def test_what_names_no_row_is_refused_with_the_field(data: dict[str, Any]) -> None:
    """No row can have such a key, so that none is looked for."""
    [name] = data
    with pytest.raises(CannotCarryError, match=f"/{name} "):
        prepare(with_data("payment-captured", **data))


def test_another_event_is_refused() -> None:
    """An order that was placed says nothing of its payment."""
    with pytest.raises(CannotCarryError, match="PaymentCaptured or PaymentDeclined or PaymentDeferred"):
        prepare(event("order-placed"))


def test_an_event_that_came_too_far_is_refused() -> None:
    """A payment is one step behind its order."""
    with pytest.raises(CannotCarryError, match="1 events led to it"):
        prepare(event("payment-captured"), maximum_hops=0)
    assert prepare(event("payment-deferred"), maximum_hops=0).status == "DEFERRED"
