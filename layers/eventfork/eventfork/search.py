"""The search fork: each message one document, one document a record.

Firehose indexes a record as one document, so that nothing is packed here.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from eventfork.batches import fill, send_all
from eventfork.card_data import Redactor
from eventfork.envelopes import line
from eventfork.forwarding import CannotCarryError, Message, Prepared
from eventfork.json_text import parse, render
from eventfork.limits import FIREHOSE_CALL, FIREHOSE_RECORD_BYTES, OPENSEARCH_ID_BYTES
from eventfork.timestamps import timestamp

__all__ = ["document", "send"]

_SECONDS: Final = {"minute": 60, "hour": 3_600, "day": 86_400, "week": 604_800}
_UNPLACED: Final = {"document": True}
"""What the ingest pipeline takes away and the mapping refuses: a node that has just started takes documents before it
knows its pipelines, and would keep them under ids of its own, so that a replay doubles them."""
_LONGEST_DELIVERY: Final = 10**9
"""In any unit: order.schema.json, "shipping", "time"."""
_READABLE: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-](0[0-9]|1[0-7]):[0-9]{2})"
)
"""What a field of the type `date` takes as it is. RFC 3339 also allows small letters, more digits, greater offsets."""


def document(message: Message, redactor: Redactor) -> bytes:
    """Give the document to index for a message, JSON without card data.

    It is the message's CloudEvent (see `envelopes.line`) with its `time` in UTC. Its `data`, if it is no object, stands
    in `text`, data other than a string as its JSON text. An order that says how long its delivery takes has
    `delivery_seconds`, in whole seconds, half a second up. `unplaced` keeps it out of an index as long as no ingest
    pipeline has placed it.

    Raises
    ------
    CannotCarryError
        If there is no CloudEvent without card data, its time is no moment, its id longer than OpenSearch takes, or the
        document longer than a record may be.
    """
    event = parse(line(message, redactor))
    size = len(event["id"].encode())
    if size > OPENSEARCH_ID_BYTES:
        raise CannotCarryError(f"/id weighs {size} bytes; OpenSearch takes {OPENSEARCH_ID_BYTES}")
    moment = _moment(event.get("time", message.sent_at))
    if moment is None:
        raise CannotCarryError("/time is no day and time that exists, with its offset from UTC")
    # OpenSearch keeps names with an underscore in front for itself.
    fields = {name: value for name, value in event.items() if name != "data" and not name.startswith("_")}
    text = render({**fields, "time": moment, **_content(event.get("data")), "unplaced": _UNPLACED}).encode()
    if len(text) > FIREHOSE_RECORD_BYTES:
        raise CannotCarryError(f"as a document it weighs {len(text)} bytes; a record takes {FIREHOSE_RECORD_BYTES}")
    return text


def _content(data: Any) -> dict[str, Any]:
    match data:
        case {"shipping": {"time": int() | Decimal() as time, "unit": str(unit)}} if not isinstance(time, bool):
            seconds = _delivery_seconds(time, unit)
        case _:
            seconds = None
    match data:
        case None:
            return {}
        case dict():
            delivery = {} if seconds is None else {"delivery_seconds": seconds}
            return {"data": _with_readable_date(data), **delivery}
        case str():
            return {"text": data}
        case _:
            return {"text": render(data)}


def _delivery_seconds(time: int | Decimal, unit: str) -> int | None:
    unit_seconds = _SECONDS.get(unit.strip().lower().removesuffix("s"))
    if unit_seconds is None or not 0 <= time <= _LONGEST_DELIVERY:
        return None
    return int((Decimal(time) * unit_seconds).to_integral_value(ROUND_HALF_UP))


def _with_readable_date(data: Mapping[str, Any]) -> Mapping[str, Any]:
    date = data.get("date")
    if not isinstance(date, str) or _READABLE.fullmatch(date):
        return data
    moment = _moment(date)
    return data if moment is None else {**data, "date": moment}


def _moment(text: Any) -> str | None:
    try:
        moment = datetime.fromisoformat(text.upper())
        return None if moment.tzinfo is None else timestamp(moment)
    except (AttributeError, ValueError, OverflowError):
        return None


def send(
    prepared: Sequence[Prepared[bytes]],
    put: Callable[[Sequence[bytes]], Sequence[int]],
    sleep: Callable[[float], object],
) -> set[str]:
    """Send documents, each in a record of its own; give the ids of the messages that were never taken.

    Parameters
    ----------
    prepared : sequence of Prepared
        Messages and their documents.
    put : callable
        Puts records, gives the positions of those refused: `DeliveryStream.put`.
    sleep : callable
        Waits so many seconds, before a refused record is put again.
    """
    calls = fill(prepared, FIREHOSE_CALL, lambda one: len(one.entry))
    refused = send_all(calls, lambda call: put([one.entry for one in call]), sleep)
    return {one.message.id for one in refused}
