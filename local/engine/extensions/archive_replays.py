"""Replays of an archive.

The engine replays into all rules whatever `FilterArns` says, goes on after `CancelReplay` and then calls the replay
completed, never tells how far it came, and takes a window that ends before it starts. On AWS only the rules named
receive anything; a cancelled replay is CANCELLING, then CANCELLED, and one that is over cannot be cancelled;
`EventLastReplayedTime` is the time of the last event replayed ("StartReplay", "CancelReplay", "DescribeReplay",
EventBridge API reference).

The engine replays as fast as it can. AWS's speed is not documented: `EVENTFORK_REPLAY_EVENTS_PER_SECOND` sets one.

Not needed once `eventbridge._start_replay` and `_cancel_replay` do all that. Must be applied after every other
extension of rule targets: a rule that a replay leaves out has no target that fails.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from ministack.core import responses
from ministack.services import eventbridge

from local.engine.replacement import engine_attribute, replace

__all__ = ["apply"]

ENDING = ("CANCELLING", "CANCELLED")

Event = dict[str, Any]


def apply() -> None:
    """Let a replay reach the rules it names, tell its progress, and end when it is cancelled."""
    replays = _Replays(float(os.environ.get("EVENTFORK_REPLAY_EVENTS_PER_SECOND", "0")))
    replace(eventbridge, "_start_replay", replays.starting)
    replace(eventbridge, "_dispatch_event", replays.dispatching)
    replace(eventbridge, "_invoke_target", replays.invoking)
    replace(eventbridge, "_cancel_replay", replays.cancelling)


class _Replays:
    """The engine's replays, and what its functions do for them besides."""

    def __init__(self, events_per_second: float) -> None:
        self._events_per_second = events_per_second
        self._replays = engine_attribute(eventbridge, "_replays")
        self._seconds = engine_attribute(eventbridge, "_coerce_timestamp")
        self._refuse = engine_attribute(responses, "error_response_json")
        self._answer = engine_attribute(responses, "json_response")

    def starting(self, start: Callable[[Event], Any]) -> Callable[[Event], Any]:
        def start_replay(data: Event) -> Any:
            if self._seconds(data["EventStartTime"]) >= self._seconds(data["EventEndTime"]):
                reason = "Parameter EventEndTime is not valid. Reason: EventStartTime must be before EventEndTime."
                return self._refuse("ValidationException", reason, 400)
            return start(data)

        return start_replay

    def dispatching(self, dispatch: Callable[..., None]) -> Callable[..., None]:
        def dispatch_event(event: Event, view: Any = None) -> None:
            replay = self._of(event)
            if replay is None:
                dispatch(event, view)
                return
            if self._events_per_second:
                time.sleep(1 / self._events_per_second)
            if replay["State"] in ENDING:
                replay.update(State="CANCELLED", ReplayEndTime=time.time())
                # Ends the replay's thread, which would call the replay completed; nothing reports this exception.
                raise SystemExit
            dispatch(event, view)
            replay["EventLastReplayedTime"] = event["Time"]

        return dispatch_event

    def invoking(self, invoke: Callable[..., None]) -> Callable[..., None]:
        def invoke_target(target: Event, event: Event, rule: Event, view: Any = None) -> None:
            replay = self._of(event)
            named = replay["Destination"].get("FilterArns") if replay else None
            if not named or rule["Arn"] in named:
                invoke(target, event, rule, view)

        return invoke_target

    def cancelling(self, cancel: Callable[[Event], Any]) -> Callable[[Event], Any]:
        def cancel_replay(data: Event) -> Any:
            replay = self._replays.get(data.get("ReplayName"))
            if replay is None:
                return cancel(data)
            if replay["State"] not in {"STARTING", "RUNNING"}:
                reason = f"Replay {replay['ReplayName']} is not in a valid state for this operation."
                return self._refuse("IllegalStatusException", reason, 400)
            replay["State"] = "CANCELLING"
            return self._answer({"ReplayArn": replay["ReplayArn"], "State": "CANCELLING"})

        return cancel_replay

    def _of(self, event: Event) -> Event | None:
        """Find the replay that puts an event; what a rule forwarded to another bus is no longer its concern."""
        replay: Event | None = None if event.get("_DispatchPath") else self._replays.get(event.get("ReplayName"))
        return replay
