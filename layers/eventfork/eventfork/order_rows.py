"""The row of the orders table that one `OrderSubmitted` event gives."""

from collections.abc import Mapping
from typing import Any, Final

from eventfork.card_data import Redactor
from eventfork.checkout_events import NotAnOrderError, read_order_submitted
from eventfork.forwarding import CannotCarryError, Message
from eventfork.json_text import render
from eventfork.orders import placed_at

__all__ = ["OWNED", "prepare", "row"]

OWNED: Final = (
    "OrderId",
    "PaymentId",
    "PaymentAmount",
    "PaymentCurrency",
    "TotalQuantity",
    "EventId",
    "EventTime",
    "Order",
)
"""The attributes this projection writes; whatever else stands in the row belongs to others, and survives."""


def prepare(message: Message, redactor: Redactor) -> dict[str, Any]:
    """Give the row for a message.

    Raises
    ------
    CannotCarryError
        If it reports no order, or one that can never be stored.
    """
    try:
        return row(read_order_submitted(message.body, redactor))
    except NotAnOrderError as reason:
        raise CannotCarryError(str(reason)) from reason


def row(event: Mapping[str, Any]) -> dict[str, Any]:
    """Give the row for a checked event: the keys `CustomerId` and `DateOrderId`, and the attributes in `OWNED`.

    `DateOrderId` starts with the order's date in UTC, so that a customer's rows are sorted by time. `Order` is the
    order's JSON text: a text keeps every digit, and nesting that DynamoDB's own maps would refuse.
    """
    order = event["data"]
    order_id = str(order["id"])
    return {
        "CustomerId": str(order["customer"]["id"]),
        "DateOrderId": f"{placed_at(order).strftime('%Y-%m-%dT%H:%M:%SZ')}#{order_id}",
        "OrderId": order_id,
        "PaymentId": str(order["payment"]["id"]),
        "PaymentAmount": order["payment"]["amount"],
        "PaymentCurrency": order["payment"]["currency"],
        "TotalQuantity": sum(item["quantity"] for item in order["items"]),
        "EventId": event["id"],
        "EventTime": event["time"],
        "Order": render(order),
    }
