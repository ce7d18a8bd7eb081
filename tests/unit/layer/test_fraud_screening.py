"""An order that breaks no rule is clear; one that breaks some is to be reviewed, with a sentence for each."""

from decimal import Decimal
from typing import Any

import pytest
from eventfork import fraud_screening
from eventfork.forwarding import CannotCarryError
from eventfork.fraud_screening import CLEAR, REVIEW, Rules

from tests.unit.bus import delivered, event, with_data

RULES = Rules(maximum_amount=Decimal(1000), maximum_quantity=100)
AMOUNT = "The amount is above 1000."
QUANTITY = "The quantity is above 100."


def prepare(document: dict[str, Any]) -> dict[str, Any]:
    return fraud_screening.prepare(delivered(document), 3, RULES)


def test_the_row_of_the_sample_event() -> None:
    """Everything a row has."""
    assert prepare(event("order-placed")) == {
        "CustomerId": "9027",
        "OrderId": "48213",
        "Result": CLEAR,
        "Reasons": "",
        "EventId": event("order-placed")["detail"]["metadata"]["id"],
        "EventTime": "2026-11-20T08:15:45.000000Z",
    }


@pytest.mark.parametrize(
    ("amount", "quantity", "reasons"),
    [
        (Decimal("1000.00"), 100, ""),
        (Decimal("1000.01"), 100, AMOUNT),
        (1001, 100, AMOUNT),
        (1000, 101, QUANTITY),
        (Decimal("999999.99"), 101, f"{AMOUNT} {QUANTITY}"),
    ],
)
def test_a_verdict_tells_every_rule_that_is_broken(amount: Any, quantity: int, reasons: str) -> None:
    """A limit itself is not above it."""
    row = prepare(with_data("order-placed", amount=amount, totalQuantity=quantity))
    assert (row["Result"], row["Reasons"]) == (REVIEW if reasons else CLEAR, reasons)


@pytest.mark.parametrize(
    "data",
    [
        {"customerId": None},
        {"customerId": 7},
        {"orderId": ""},
        {"orderId": "4111 1111 1111 1111"},
        {"customerId": "4111111111111111"},
        {"orderId": "é" * 513},
        {"amount": "12"},
        {"amount": True},
        {"totalQuantity": Decimal("0.5")},
        {"totalQuantity": None},
    ],
    ids=str,
)
def test_what_is_no_order_is_refused_with_the_field(data: dict[str, Any]) -> None:
    """It can never be screened."""
    [name] = data
    with pytest.raises(CannotCarryError, match=f"/{name} "):
        prepare(with_data("order-placed", **data))


def test_another_event_is_refused() -> None:
    """Its data would mean something else."""
    with pytest.raises(CannotCarryError, match="OrderPlaced"):
        prepare(event("order-changed"))
