"""What a change of a row of the orders table says on the bus: an order was placed, or changed.

Nothing is put on the bus beside a write: the table's stream reports what was written, so that the two cannot disagree.
"""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from eventfork.bus_events import ORDER_CHANGED, ORDER_PLACED, ORDERS, Entry, entry
from eventfork.forwarding import CannotCarryError, Message
from eventfork.json_text import parse, render
from eventfork.order_rows import OWNED
from eventfork.timestamps import timestamp

__all__ = ["Change", "messages", "prepare"]

_NAMESPACE: Final = uuid.UUID("0d6f9a3c-7d1e-5b7a-9c52-3f1b0c8a4e77")
_TEXTS: Final = {
    "orderId": "OrderId",
    "customerId": "CustomerId",
    "dateOrderId": "DateOrderId",
    "paymentId": "PaymentId",
    "currency": "PaymentCurrency",
}
_NUMBERS: Final = ("PaymentAmount", "TotalQuantity", "Hops")
_COMPARED: Final = tuple(name for name in OWNED if name != "EventTime")
"""An order that is sent again is the same event; that it was accepted later, too, is no change of the order."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change of one row.

    Attributes
    ----------
    id : str
        The same whenever the stream reports the same change.
    position : str
        Where it stands in the stream, by which its failure is reported.
    changed_at : datetime
        When it was written.
    old, new : mapping
        The row before and after; empty where there was none.
    """

    id: str
    position: str
    changed_at: datetime
    old: Mapping[str, Any]
    new: Mapping[str, Any]


def messages(changes: Iterable[Change]) -> list[Message]:
    """Give a message for each change that is news of an order; what others write into its row is none."""
    return [
        Message(
            id=change.position,
            body=render({"id": change.id, "type": detail_type, "row": _summary(change.new)}),
            attributes={},
            sent_at=timestamp(change.changed_at),
        )
        for change in changes
        if (detail_type := _news(change.old, change.new))
    ]


def _news(old: Mapping[str, Any], new: Mapping[str, Any]) -> str | None:
    if "EventId" not in new:
        return None
    if "EventId" not in old:
        return ORDER_PLACED
    return ORDER_CHANGED if any(old.get(name) != new.get(name) for name in _COMPARED) else None


def _summary(row: Mapping[str, Any]) -> dict[str, Any]:
    # Without the order's text: a queue, like the bus, takes only so much.
    return {name: row[name] for name in (*_TEXTS.values(), *_NUMBERS, "EventId") if name in row}


def prepare(message: Message) -> Entry:
    """Give the event for a message of `messages`: the same event, however often the change is read.

    Raises
    ------
    CannotCarryError
        If the row lacks something that the event tells.
    """
    change = parse(message.body)
    row = change["row"]
    event_id = _text(row, "EventId")
    data = {key: _text(row, name) for key, name in _TEXTS.items()}
    return entry(
        ORDERS,
        change["type"],
        event_id=str(uuid.uuid5(_NAMESPACE, change["id"])),
        cause_id=event_id,
        data={**data, "amount": _number(row, "PaymentAmount"), "totalQuantity": _whole(row, "TotalQuantity")},
        hops=_whole(row, "Hops") if "Hops" in row else 0,
    )


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not value:
        raise CannotCarryError(f"the row's {name} is missing or no text")
    return value


def _number(row: Mapping[str, Any], name: str) -> int | Decimal:
    value = row.get(name)
    if not isinstance(value, int | Decimal):
        raise CannotCarryError(f"the row's {name} is missing or no number")
    return value


def _whole(row: Mapping[str, Any], name: str) -> int:
    value = _number(row, name)
    if value != int(value) or value < 0:
        raise CannotCarryError(f"the row's {name} is no whole number from 0 on")
    return int(value)
