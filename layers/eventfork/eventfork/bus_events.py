"""Events on the bus: what every one of them says besides its data, sending them, and reading one off a queue."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from eventfork.batches import fill, send_all
from eventfork.card_data import Redactor
from eventfork.forwarding import CannotCarryError, Message, Prepared
from eventfork.json_text import JsonTextError, parse, render
from eventfork.limits import PUT_EVENTS_CALL
from eventfork.timestamps import timestamp

__all__ = [
    "CIRCUITS",
    "CIRCUIT_CLOSED",
    "CIRCUIT_HALF_OPENED",
    "CIRCUIT_OPENED",
    "CUSTOMERS",
    "CUSTOMER_CREATED",
    "HELD_WORK_FOUND",
    "ORDERS",
    "ORDER_CHANGED",
    "ORDER_PLACED",
    "PAYMENTS",
    "PAYMENT_CAPTURED",
    "PAYMENT_DECLINED",
    "PAYMENT_DEFERRED",
    "SCHEMA_VERSION",
    "BusEvent",
    "Entry",
    "entry",
    "read",
    "refuse_card_numbers",
    "send",
]

ORDERS: Final = "eventfork.orders"
"""The source of what the orders table's stream reports."""
CUSTOMERS: Final = "eventfork.customers"
"""The source of what the API reports about customers; other sources may report the same."""
PAYMENTS: Final = "eventfork.payments"
"""The source of what the payments table's stream reports."""
CIRCUITS: Final = "eventfork.circuits"
"""The source of what the circuits' table's stream reports."""
ORDER_PLACED: Final = "OrderPlaced"
ORDER_CHANGED: Final = "OrderChanged"
CUSTOMER_CREATED: Final = "customerCreated"
PAYMENT_CAPTURED: Final = "PaymentCaptured"
PAYMENT_DECLINED: Final = "PaymentDeclined"
PAYMENT_DEFERRED: Final = "PaymentDeferred"
CIRCUIT_OPENED: Final = "CircuitOpened"
CIRCUIT_HALF_OPENED: Final = "CircuitHalfOpened"
CIRCUIT_CLOSED: Final = "CircuitClosed"
HELD_WORK_FOUND: Final = "HeldWorkFound"
"""Work is still held though the circuit has closed: it is to be replayed, again or for the first time."""
SCHEMA_VERSION: Final = 1
_REDACTOR: Final = Redactor()


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
    type : str
        Its detail-type.
    correlation_id, cause_id : str
        The event at the head of its chain, and the one that led to it; its own id where it does not say.
    """

    id: str
    time: str
    hops: int
    data: Mapping[str, Any]
    type: str
    correlation_id: str
    cause_id: str


def entry(
    source: str,
    detail_type: str,
    event_id: str,
    cause_id: str,
    data: Mapping[str, Any],
    *,
    hops: int = 0,
    correlation_id: str | None = None,
) -> Entry:
    """Give the entry for an event whose cause is the event `cause_id`.

    That stands at the head of its chain, unless `correlation_id` says which event does.
    """
    metadata = {
        "id": event_id,
        "correlationId": correlation_id or cause_id,
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


def refuse_card_numbers(event: BusEvent, *names: str) -> None:
    """Refuse an event that is known by a card number, or whose data has one for any of these identifiers.

    Masked, it would identify nothing; what the API accepts has none.

    Raises
    ------
    CannotCarryError
        If there is one.
    """
    metadata = {"its id": event.id, "its correlationId": event.correlation_id, "its causationId": event.cause_id}
    for name, identifier in {**metadata, **{f"/{name}": str(event.data.get(name)) for name in names}}.items():
        if _REDACTOR.text(identifier) != identifier:
            raise CannotCarryError(f"{name} has the form of a card number, so it cannot be kept")


def read(message: Message, detail_types: str | Collection[str], maximum_hops: int) -> BusEvent:
    """Read an event, of the one type or of any of several, off a queue that a rule feeds.

    Its detail is `{"metadata": ..., "data": ...}`, or, from other publishers, the data alone.

    Raises
    ------
    CannotCarryError
        If it is no such event, or more than `maximum_hops` events led to it: events that lead to each other never end.
    """
    wanted = (detail_types,) if isinstance(detail_types, str) else tuple(detail_types)
    try:
        event = parse(message.body)
        if not isinstance(event, dict) or event.get("detail-type") not in wanted:
            raise CannotCarryError(f"not an event of the type {' or '.join(wanted)}")
        detail = event["detail"]
        has_envelope = "metadata" in detail and "data" in detail
        metadata = detail["metadata"] if has_envelope else {"id": event["id"]}
        event_id = _text(metadata["id"], "id")
        found = BusEvent(
            id=event_id,
            time=_time(event["time"]),
            hops=_hops(metadata.get("hops", 0)),
            data=_object(detail["data"] if has_envelope else detail),
            type=event["detail-type"],
            correlation_id=_text_or(metadata.get("correlationId"), event_id),
            cause_id=_text_or(metadata.get("causationId"), event_id),
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


def _text_or(value: Any, otherwise: str) -> str:
    return value if isinstance(value, str) and value else otherwise


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
