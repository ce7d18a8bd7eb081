"""Recovery: what was held while a circuit was open is replayed once it has closed, by one job for each outage.

The job's id is the outage's, so that however often its closing is told, in whatever order, and to however many at the
same time, there is one. Should the circuit open again, a worker pauses the job, and the next closing has it go on with
a window that reaches further; should work still be held when it is complete, it begins anew. An operator's word counts
for more: what one has paused or stopped stays so.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from eventfork import replay_requests
from eventfork.bus_events import CIRCUIT_CLOSED, HELD_WORK_FOUND
from eventfork.errors import NotFoundError
from eventfork.replay_control import Kept
from eventfork.replay_jobs import CIRCUIT, ConflictError, FieldError, Job, Ledger, Request, Source, State
from eventfork.replay_windows import Window, window

__all__ = ["Closing", "Done", "Ramp", "Recovery", "is_event", "read"]

_CLOCKS_APART: Final = timedelta(seconds=1)
"""How far the clock of whoever held work may be behind the one that told when the circuit opened."""
_TOLD_BY: Final = (CIRCUIT_CLOSED, HELD_WORK_FOUND)
_DATA: Final = "/detail/data"


@dataclass(frozen=True, slots=True)
class Closing:
    """A circuit has closed, or work of its outage is still held though it has.

    Attributes
    ----------
    circuit : str
    outage_id : str
    recover_from : datetime
        From when on work may be held.
    closed_at : datetime
        When the circuit closed, or when that work was found.
    """

    circuit: str
    outage_id: str
    recover_from: datetime
    closed_at: datetime

    @property
    def reason(self) -> str:
        """Why something is replayed, for people."""
        return f"The circuit {self.circuit} is closed after the outage {self.outage_id}."


@dataclass(frozen=True, slots=True)
class Ramp:
    """How a recovery is spared what the outage came from.

    Attributes
    ----------
    grace : timedelta
        How long work may still be held after the circuit has closed, by those who have not heard of it.
    pace : float
        Events per second.
    canary : int
        Events that are sent first, and watched, before the rest.
    """

    grace: timedelta
    pace: float
    canary: int


class Done(StrEnum):
    """What came of a closing."""

    STARTED = "started"
    EXTENDED = "extended"
    LEFT = "left as it was"


def is_event(event: Any) -> bool:
    """Whether a function was invoked with what a rule of a bus delivers, and not with a command."""
    return isinstance(event, dict) and "detail-type" in event


def read(event: Mapping[str, Any]) -> Closing:
    """Read a closing from the event that EventBridge delivers.

    Raises
    ------
    FieldError
        If it is none.
    """
    if event.get("detail-type") not in _TOLD_BY:
        raise FieldError("/detail-type", f"is none of {', '.join(_TOLD_BY)}")
    detail = event.get("detail")
    data = detail.get("data") if isinstance(detail, dict) else None
    if not isinstance(data, dict):
        raise FieldError(_DATA, "is no object")
    try:
        outage_id = replay_requests.job_id({"jobId": data.get("outageId")})
    except FieldError as error:
        raise FieldError(f"{_DATA}/outageId", error.detail) from error
    if outage_id is None:
        raise FieldError(f"{_DATA}/outageId", "is missing")
    if not isinstance(data.get("circuit"), str):
        raise FieldError(f"{_DATA}/circuit", "is no text")
    return Closing(data["circuit"], outage_id, _moment(data, "recoverFrom"), _moment(data, "closedAt"))


def _moment(data: Mapping[str, Any], name: str) -> datetime:
    try:
        found = datetime.fromisoformat(data[name])
    except (KeyError, TypeError, ValueError):
        raise FieldError(f"{_DATA}/{name}", "is no day and time that exists") from None
    if found.tzinfo is None:
        raise FieldError(f"{_DATA}/{name}", "has no offset from UTC")
    return found.astimezone(UTC)


class Recovery:
    """Has what was held replayed.

    Parameters
    ----------
    ledger : Ledger
    kept : Kept
    wake : callable
        Has a job worked on.
    now : callable
        Gives the time, in UTC.
    ramp : Ramp
    """

    def __init__(
        self,
        ledger: Ledger,
        kept: Kept,
        wake: Callable[[str], object],
        now: Callable[[], datetime],
        ramp: Ramp,
    ) -> None:
        self._ledger = ledger
        self._kept = kept
        self._wake = wake
        self._now = now
        self._ramp = ramp

    def recover(self, closing: Closing) -> Done:
        """Start the job of an outage, or have it go on where there is more to be replayed.

        Raises
        ------
        ForbiddenError
            If another job is in its way, or as many are active as can be: once that has ended, it may be told again.
        eventfork.errors.ServiceError
            If a service did not do its part.
        """
        targets = self._targets(closing.circuit)
        if not targets:
            return Done.LEFT
        self._release_others(closing, targets)
        while True:
            before = self._known(closing.outage_id)
            job = self._new(closing, targets) if before is None else self._extended(before, closing)
            if job is None:
                return Done.LEFT
            try:
                self._save(job)
            except ConflictError:
                continue
            return Done.STARTED if before is None else Done.EXTENDED

    def _targets(self, circuit: str) -> tuple[str, ...]:
        """Name the consumers that the circuit guards. An archive reaches none but those that take off the bus."""
        known = self._kept.targets().values()
        return tuple(sorted(one.name for one in known if one.circuit == circuit and one.is_on_the_bus))

    def _known(self, job_id: str) -> Job | None:
        try:
            return self._ledger.job(job_id)
        except NotFoundError:
            return None

    def _save(self, job: Job) -> None:
        self._ledger.save(job, self._ledger.active().admitting(job))
        self._wake(job.id)

    def _new(self, closing: Closing, targets: tuple[str, ...]) -> Job:
        now, wanted = self._now(), self._window(closing)
        request = Request(
            source=Source.ARCHIVE,
            window=wanted,
            targets=targets,
            pace=self._ramp.pace,
            canary=self._ramp.canary,
            archive=self._kept.archive(""),
            reason=closing.reason,
            actor=CIRCUIT,
        )
        planned = Job(
            id=closing.outage_id,
            request=request,
            state=State.PLANNED,
            requested_at=now,
            starts_at=self._starts_at(wanted, now),
        )
        return planned.moved(State.WAITING, now, CIRCUIT, "start", closing.reason)

    def _extended(self, job: Job, closing: Closing) -> Job | None:
        """Give a job that is there already as it goes on; None where it stays as it is."""
        before, wanted = job.request.window, self._window(closing)
        reaches_further = job.state in {State.COMPLETED, State.FAILED} and wanted.end > before.end
        if not _is_automatic(job) or not (job.is_held_by_circuit or reaches_further):
            return None
        now = self._now()
        wider = Window(min(before.start, wanted.start), max(before.end, wanted.end))
        return job.extended(wider, self._starts_at(wider, now), now, CIRCUIT, closing.reason)

    def _window(self, closing: Closing) -> Window:
        # By another clock, the circuit may seem to have closed before it opened.
        closed_at = max(closing.recover_from, closing.closed_at)
        return window(closing.recover_from - _CLOCKS_APART, closed_at + self._ramp.grace)

    def _starts_at(self, whole: Window, now: datetime) -> datetime:
        return max(now, whole.end + (self._kept.settles_after(Source.ARCHIVE) or timedelta()))

    def _release_others(self, closing: Closing, targets: Sequence[str]) -> None:
        """Have earlier outages' jobs go on that the circuit holds.

        A worker may have paused one just as its outage ended, of which nothing more is told; it must not be in the way
        of all that come after it.
        """
        for job_id in sorted(self._ledger.active().jobs.keys() - {closing.outage_id}):
            job = self._ledger.job(job_id)
            if _is_automatic(job) and job.is_held_by_circuit and set(job.request.targets) & set(targets):
                try:
                    same = job.request.window
                    self._save(job.extended(same, job.starts_at, self._now(), CIRCUIT, closing.reason))
                except ConflictError:
                    # Somebody else has moved it.
                    continue


def _is_automatic(job: Job) -> bool:
    """Whether it was started here; an operator may have used the id for a job of another kind."""
    return job.request.actor == CIRCUIT and job.request.source is Source.ARCHIVE
