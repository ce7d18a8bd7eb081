"""Events on the bus: what every one of them says besides its data, sending them, and reading one off a queue."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from eventfork.batches import fill, send_all
from eventfork.forwarding import CannotCarryError, Message, Prepared
from eventfork.json_text import JsonTextError, parse, render
from eventfork.limits import PUT_EVENTS_CALL
from eventfork.timestamps import timestamp

__all__ = [
    "CUSTOMERS",
    "CUSTOMER_CREATED",
    "ORDERS",
    "ORDER_CHANGED",
    "ORDER_PLACED",
    "SCHEMA_VERSION",
    "BusEvent",
    "Entry",
    "entry",
    "read",
    "send",
]

ORDERS: Final = "eventfork.orders"
"""The source of what the orders table's stream reports."""
CUSTOMERS: Final = "eventfork.customers"
"""The source of what the API reports about customers; other sources may report the same."""
ORDER_PLACED: Final = "OrderPlaced"
ORDER_CHANGED: Final = "OrderChanged"
CUSTOMER_CREATED: Final = "customerCreated"
SCHEMA_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """An event to be put on the bus; `detail` is JSON text."""

    source: str
    detail_type: str
    detail: str


@dataclass(frozen=True, slots=True)
class BusEvent:
    """An event as a rule delivered it.

    Attributes
    ----------
    id : str
        The same whenever the same event is delivered: its metadata's, or EventBridge's own where it has none.
    time : str
        When it was put on the bus, RFC 3339 in UTC; a replay does not change it.
    hops : int
        How many events before it led to it.
    data : mapping
        What it reports.
    """

    id: str
    time: str
    hops: int
    data: Mapping[str, Any]


def entry(
    source: str, detail_type: str, event_id: str, cause_id: str, data: Mapping[str, Any], *, hops: int = 0
) -> Entry:
    """Give the entry for an event whose cause is the event `cause_id`, which stands at the head of its chain."""
    metadata = {
        "id": event_id,
        "correlationId": cause_id,
        "causationId": cause_id,
        "schemaVersion": SCHEMA_VERSION,
        "hops": hops,
    }
    return Entry(source, detail_type, render({"metadata": metadata, "data": data}))


def send(
    prepared: Sequence[Prepared[Entry]],
    put: Callable[[Sequence[Entry]], Sequence[int]],
    sleep: Callable[[float], object],
) -> set[str]:
    """Send events; give the ids of the messages whose events were never taken.

    Parameters
    ----------
    prepared : sequence of Prepared
        Messages and their events.
    put : callable
        Puts events, gives the positions of those refused: `EventBus.put`.
    sleep : callable
        Waits so many seconds, before a refused event is put again.
    """
    calls = fill(prepared, PUT_EVENTS_CALL, lambda one: _weight(one.entry))
    refused = send_all(calls, lambda call: put([one.entry for one in call]), sleep)
    return {one.message.id for one in refused}


def _weight(event: Entry) -> int:
    return sum(len(text.encode()) for text in (event.source, event.detail_type, event.detail))


def read(message: Message, detail_type: str, maximum_hops: int) -> BusEvent:
    """Read an event off a queue that a rule feeds.

    Its detail is `{"metadata": ..., "data": ...}`, or, from other publishers, the data alone.

    Raises
    ------
    CannotCarryError
        If it is no such event, or more than `maximum_hops` events led to it: events that lead to each other never end.
    """
    try:
        event = parse(message.body)
        if not isinstance(event, dict) or event.get("detail-type") != detail_type:
            raise CannotCarryError(f"not an event of the type {detail_type}")
        detail = event["detail"]
        has_envelope = "metadata" in detail and "data" in detail
        metadata = detail["metadata"] if has_envelope else {"id": event["id"]}
        found = BusEvent(
            id=_text(metadata["id"], "id"),
            time=_time(event["time"]),
            hops=_hops(metadata.get("hops", 0)),
            data=_object(detail["data"] if has_envelope else detail),
        )
    except JsonTextError as error:
        raise CannotCarryError(str(error)) from error
    except (AttributeError, KeyError, TypeError) as error:
        raise CannotCarryError("its id, time or detail is missing or of another type") from error
    if found.hops > maximum_hops:
        raise CannotCarryError(f"{found.hops} events led to it, more than the {maximum_hops} that are let through")
    return found


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or not value:
        raise CannotCarryError(f"its {name} is no text, or empty")
    return value


def _time(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise CannotCarryError("its time has no offset from UTC")
        return timestamp(moment)
    except CannotCarryError:
        raise
    except (ValueError, OverflowError):
        raise CannotCarryError("its time is no day and time that exists") from None


def _hops(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise CannotCarryError("its hops are no whole number from 0 on")
    return value


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise CannotCarryError("its data is no object")
    return value
