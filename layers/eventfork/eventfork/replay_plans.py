"""The plan of a replay: how many events, into what, for how long and at what price, before anything is sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from eventfork.limits import SQS_CALL
from eventfork.replay_jobs import Request, Source
from eventfork.replay_targets import Rule, Target
from eventfork.timestamps import timestamp

__all__ = ["Plan", "Sighting", "cost", "make"]

_BACKUP_FROM: Final = 100_000
"""Messages from which on a queue is the worse source: at most 120,000 can be received and not deleted at a time."""
_MILLION: Final = 1_000_000
_EVENT_REPLAYED: Final = Decimal("1.00") / _MILLION
"""US dollars, here and below, list prices of us-east-1, second-hand. A replayed event is billed as a custom event."""
_SQS_REQUEST: Final = Decimal("0.40") / _MILLION
_WRITE: Final = Decimal("0.625") / _MILLION
_GIGABYTE_SECOND: Final = Decimal("0.0000133334")
_WORKER_GIGABYTES: Final = Decimal("0.25")
_BEATS_PER_SECOND: Final = 2
_UNPACED_PER_SECOND: Final = 300
"""How fast an unlimited replay is taken to be where time costs something; it is not promised anywhere."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """How many events were seen, whether that is all of them exactly, and what has to be said about it."""

    events: int
    exact: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What a replay would be.

    Attributes
    ----------
    request : Request
    targets : tuple of Target
    rules : mapping
        The replay rules on the bus, by ARN.
    seen : Sighting
    starts_at : datetime
    """

    request: Request
    targets: tuple[Target, ...]
    rules: Mapping[str, Rule]
    seen: Sighting
    starts_at: datetime

    def document(self) -> dict[str, Any]:
        """Give it for JSON."""
        request = self.request
        pace = None if request.pace is None else Decimal(repr(request.pace))
        return {
            "source": request.source.value,
            "window": request.window.document(),
            "targets": [self._target(one) for one in self.targets],
            "filter": request.filter.document(),
            "pace": pace,
            "canary": request.canary,
            "archive": request.archive,
            "events": self.seen.events,
            "exact": self.seen.exact,
            "seconds": None if pace is None else round(self.seen.events / pace, 1),
            "costUsd": f"{cost(request, self.seen.events):.4f}",
            "startsAt": timestamp(self.starts_at),
            "notes": list(self._notes()),
        }

    @staticmethod
    def _target(target: Target) -> dict[str, str]:
        rule = {"ruleArn": target.rule_arn} if target.is_on_the_bus else {}
        return {"name": target.name, "queueArn": target.queue_arn, **rule}

    def _notes(self) -> Sequence[str]:
        notes = list(self.seen.notes)
        for target in self.targets:
            rule = self.rules.get(target.rule_arn)
            if rule is not None and rule.asks_for_more():
                notes.append(f"The rule {rule.name} asks for more than source and type, which is not counted by.")
        if self.request.source in {Source.QUEUE, Source.DLQ} and self.seen.events > _BACKUP_FROM:
            notes.append(f"The queue has more than {_BACKUP_FROM:,} messages: replay from backup instead.")
        return notes


def make(
    request: Request, targets: tuple[Target, ...], rules: Sequence[Rule], seen: Sighting, starts_at: datetime
) -> Plan:
    """Give the plan."""
    return Plan(request, targets, {rule.arn: rule for rule in rules}, seen, starts_at)


def cost(request: Request, events: int) -> Decimal:
    """Give what a replay costs in US dollars, without what its consumers do."""
    # Received, sent on and deleted, ten at a time; and what is replayed into a buffer was put there by EventBridge.
    per_event = 3 * _SQS_REQUEST / SQS_CALL.entries
    if request.source is Source.ARCHIVE:
        per_event += _EVENT_REPLAYED
    seconds = Decimal(events) / Decimal(request.pace or _UNPACED_PER_SECOND)
    return events * per_event + seconds * (_GIGABYTE_SECOND * _WORKER_GIGABYTES + _BEATS_PER_SECOND * _WRITE)
