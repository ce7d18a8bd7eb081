"""What a change of a row of the payments table says on the bus: a payment was captured, declined or deferred.

A payment that is deferred again is told again: whoever replays deferrals finds it by the last one.
"""

import uuid
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from eventfork.bus_events import PAYMENT_CAPTURED, PAYMENT_DECLINED, PAYMENT_DEFERRED, PAYMENTS, Entry, entry
from eventfork.forwarding import CannotCarryError, Message
from eventfork.json_text import parse, render
from eventfork.order_stream import Change
from eventfork.payments import CAPTURED, DECLINED, DEFERRED
from eventfork.timestamps import timestamp

__all__ = ["messages", "prepare"]

_NAMESPACE: Final = uuid.UUID("a7c6f0de-41b3-5d0e-8a35-6e2d9c1f7b42")
_TYPES: Final = {CAPTURED: PAYMENT_CAPTURED, DECLINED: PAYMENT_DECLINED, DEFERRED: PAYMENT_DEFERRED}
_OF_EACH: Final = {
    "orderId": "OrderId",
    "customerId": "CustomerId",
    "dateOrderId": "DateOrderId",
    "paymentId": "PaymentId",
    "amount": "Amount",
    "currency": "Currency",
}
_OF_STATUS: Final = {
    CAPTURED: {"chargeId": "ChargeId"},
    DECLINED: {"reason": "DeclineReason"},
    DEFERRED: {
        "statusCode": "StatusCode",
        "circuit": "Circuit",
        "outageId": "OutageId",
        "deferredAt": "DeferredAt",
        "deferrals": "Deferrals",
    },
}
"""What an event tells, and the attribute in which it stands."""
_NUMBERS: Final = frozenset({"Amount", "StatusCode", "Deferrals", "Hops"})
_MAY_BE_MISSING: Final = frozenset({"OutageId"})


def messages(changes: Iterable[Change]) -> list[Message]:
    """Give a message for each change that is news of a payment."""
    return [
        Message(
            id=change.position,
            body=render({"id": change.id, "row": _summary(change.new)}),
            attributes={},
            sent_at=timestamp(change.changed_at),
        )
        for change in changes
        if _is_news(change.old, change.new)
    ]


def _is_news(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    if "Status" not in new:
        return False
    again = new["Status"] == DEFERRED and old.get("Deferrals") != new.get("Deferrals")
    return again or old.get("Status") != new["Status"]


def _summary(row: Mapping[str, Any]) -> dict[str, Any]:
    told = [*_OF_EACH.values(), *(name for names in _OF_STATUS.values() for name in names.values())]
    return {name: row[name] for name in ("Status", *told, "EventId", "CorrelationId", "Hops") if name in row}


def prepare(message: Message) -> Entry:
    """Give the event for a message of `messages`: the same event, however often the change is read.

    A deferral is no step on the way of the order that was placed, so that it may be deferred as often as it takes; what
    ends the payment is one.

    Raises
    ------
    CannotCarryError
        If the row lacks something that the event tells.
    """
    change = parse(message.body)
    row = change["row"]
    status = row["Status"]
    if status not in _TYPES:
        raise CannotCarryError("the row's Status is none that a payment can have")
    told = {**_OF_EACH, **_OF_STATUS[status]}
    hops = _value(row, "Hops")
    return entry(
        PAYMENTS,
        _TYPES[status],
        event_id=str(uuid.uuid5(_NAMESPACE, change["id"])),
        cause_id=_value(row, "EventId"),
        data={key: _value(row, name) for key, name in told.items() if name in row or name not in _MAY_BE_MISSING},
        hops=hops if status == DEFERRED else hops + 1,
        correlation_id=_value(row, "CorrelationId"),
    )


def _value(row: Mapping[str, Any], name: str) -> Any:
    value = row.get(name)
    if name not in _NUMBERS:
        if not isinstance(value, str) or not value:
            raise CannotCarryError(f"the row's {name} is missing or no text")
        return value
    if not isinstance(value, int | Decimal) or isinstance(value, bool):
        raise CannotCarryError(f"the row's {name} is missing or no number")
    if name != "Amount" and (value != int(value) or value < 0):
        raise CannotCarryError(f"the row's {name} is no whole number from 0 on")
    return value if name == "Amount" else int(value)
