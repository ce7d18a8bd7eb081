"""The time that a publisher gives its event.

The engine sets every event's time to that of the call. On AWS an entry's `Time` is the event's time, by which a replay
takes it or leaves it ("PutEventsRequestEntry", EventBridge API reference).

Not needed once `eventbridge._put_events` reads `Time`.
"""

from __future__ import annotations

import contextvars
import json
from collections.abc import Callable
from typing import Any

from ministack.core import responses
from ministack.services import eventbridge

from local.engine.replacement import engine_attribute, replace

__all__ = ["apply"]

MOST_ENTRIES = 10


def apply() -> None:
    """Put each entry that has a time at that time."""
    json_response = engine_attribute(responses, "json_response")
    seconds = engine_attribute(eventbridge, "_coerce_timestamp")
    given: contextvars.ContextVar[float | None] = contextvars.ContextVar("given", default=None)

    def build_clock(now: Callable[[], float]) -> Callable[[], float]:
        def event_time() -> float:
            moment = given.get()
            return now() if moment is None else moment

        return event_time

    def build_put(put: Callable[..., Any]) -> Callable[..., Any]:
        def put_at_their_times(data: dict[str, Any], *arguments: Any, **options: Any) -> Any:
            entries = data.get("Entries", [])
            if len(entries) > MOST_ENTRIES or not any("Time" in entry for entry in entries):
                return put(data, *arguments, **options)
            results: list[dict[str, str]] = []
            for entry in entries:
                token = given.set(seconds(entry["Time"]) if "Time" in entry else None)
                try:
                    _status, _headers, body = put({"Entries": [entry]}, *arguments, **options)
                finally:
                    given.reset(token)
                results += json.loads(body)["Entries"]
            failed = sum("ErrorCode" in result for result in results)
            return json_response({"FailedEntryCount": failed, "Entries": results})

        return put_at_their_times

    replace(eventbridge, "_now_ts", build_clock)
    replace(eventbridge, "_put_events", build_put)
