"""Working on a replay: a slice at a time, under a lease, at its pace, so that whoever comes next can go on.

LeaseLostError   somebody else has the job by now; what was done since the last beat may be done again
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum, auto
from typing import Final, Protocol

from eventfork.errors import DeniedError, NotFoundError, RefusedError, UnavailableError
from eventfork.forwarding import Outcome
from eventfork.limits import SQS_CALL, SQS_DELAY_SECONDS
from eventfork.pacing import Pace
from eventfork.replay_feeds import Feed, FeedError, Item
from eventfork.replay_jobs import (
    CIRCUIT,
    ENDED,
    WORKING,
    ConflictError,
    Counts,
    ForbiddenError,
    Job,
    Lease,
    Ledger,
    ReplayError,
    Source,
    State,
)

__all__ = ["LEASE_SECONDS", "WORKER", "Events", "LeaseLostError", "Worker"]

WORKER: Final = "replay worker"
"""Who is on record for what a job does by itself."""
LEASE_SECONDS: Final = 30.0
"""How long a worker is believed to be alive without saying so."""
_BEAT_SECONDS: Final = 0.5
"""How often progress is written, and how late, at most, a pause is seen."""
_CIRCUIT_SECONDS: Final = 1.0
"""How long a circuit's state is taken for known."""
_IDLE_SECONDS: Final = 0.1
_RETRY_SECONDS: Final = 5
"""Until the next slice, after one in which a service did not answer."""
_MEASURED_SECONDS: Final = 10.0
"""Over how long the pace is measured."""
_HOPELESS: Final = (FeedError, ReplayError, DeniedError, NotFoundError, RefusedError)
"""What does not go away by itself."""


class LeaseLostError(Exception):
    """Somebody else has the job by now."""


class Events(Protocol):
    """What jobs read from and send to."""

    def feed(self, job: Job) -> Feed:
        """Open what a job reads from."""

    def forward(self, job: Job, items: Sequence[Item]) -> Outcome:
        """Send messages to their consumers, and park what cannot be sent; `failed` has the ids of the rest."""

    def open_circuit(self, job: Job) -> str | None:
        """Name an open circuit that guards what one of a job's targets calls, if there is one."""


@dataclass(frozen=True, slots=True)
class Worker:
    """Works on jobs.

    Attributes
    ----------
    ledger : Ledger
    events : Events
    owner : str
        A name that no other worker has.
    now : callable
        Seconds since 1970.
    sleep : callable
        Waits so many seconds.
    ended : callable
        Told of each job that ends.
    slice_seconds : float
        The longest a job is worked on at a stretch.
    canary_seconds : float
        How long a job waits after its canary, for a circuit to open.
    """

    ledger: Ledger
    events: Events
    owner: str
    now: Callable[[], float]
    sleep: Callable[[float], object]
    ended: Callable[[Job], object]
    slice_seconds: float
    canary_seconds: float

    def work(self, job_id: str) -> int | None:
        """Work on a job for a slice.

        Returns
        -------
        int or None
            Seconds after which to work on it again; None if there is nothing to do, or somebody else does it.

        Raises
        ------
        UnavailableError
            If the ledger does not answer.
        """
        job = self._leased(job_id)
        if job is None:
            return None
        held = _Held(self, job)
        try:
            return held.clear_away() if job.state in ENDED else held.go_on()
        except LeaseLostError:
            return None

    def stranded(self) -> list[str]:
        """Give the ids of active jobs that have something to be done and that nobody works on.

        A message may be lost with the worker that was to send it; a job may not.

        Raises
        ------
        UnavailableError
            If the ledger does not answer.
        """
        jobs = map(self.ledger.job, self.ledger.active().jobs)
        return [job.id for job in jobs if self._has_work(job) and job.starts_at.timestamp() <= self.now()]

    def _has_work(self, job: Job) -> bool:
        # An ended job is registered for as long as it leaves something behind.
        to_do = job.state in WORKING or (job.state in ENDED and job.id in self.ledger.active().jobs)
        return to_do and not job.is_leased(self.now())

    def _leased(self, job_id: str) -> Job | None:
        while True:
            try:
                job = self.ledger.job(job_id)
            except NotFoundError:
                return None
            if not self._has_work(job):
                return None
            try:
                return self.ledger.save(replace(job, lease=Lease(self.owner, self.now() + LEASE_SECONDS)))
            except ConflictError:
                continue


class _Over(Enum):
    """Why a slice ended."""

    TIME = auto()
    EXHAUSTED = auto()
    REFUSED = auto()


class _Held:
    """A job that this worker has."""

    def __init__(self, worker: Worker, job: Job) -> None:
        self._worker = worker
        self._job = job
        self._before = job.counts
        self._feed: Feed | None = None
        self._is_clearing = False
        self._sent = 0
        self._parked = 0
        self._pace = Pace(job.request.pace, job.paced_at or worker.now())
        self._measured = deque([(worker.now(), 0)])
        self._beat_at = worker.now()
        self._circuit_at = float("-inf")

    def go_on(self) -> int | None:
        """Do what the job's state asks for, for a slice; give the seconds after which to do more."""
        try:
            return self._begin() if self._job.state is State.WAITING else self._read_and_send()
        except UnavailableError as error:
            return self._trying_again(str(error))
        except _HOPELESS as error:
            self._move(State.FAILED, "fail", str(error))
            return self._released(0)

    def _begin(self) -> int | None:
        left = self._job.starts_at.timestamp() - self._worker.now()
        if left > 0:
            self._release()
            return min(int(left) + 1, SQS_DELAY_SECONDS)
        if self._is_held_by_circuit():
            return self._released(0)
        canary = self._job.request.canary and self._job.canary_sent_at is None
        self._move(State.CANARY if canary else State.RUNNING, "begin", "What it reads from is complete.")
        return self._read_and_send()

    def _read_and_send(self) -> int | None:
        worker = self._worker
        self._feed = feed = worker.events.feed(self._job)
        try:
            over = self._slice(feed, worker.now() + worker.slice_seconds)
        finally:
            feed.close()
        if over is _Over.EXHAUSTED:
            self._move(State.COMPLETED, "complete", f"All of it: {self._counts().sent:,} events were sent.")
        if over is _Over.REFUSED:
            return self._trying_again("not all events were taken")
        return self._released(0)

    def _slice(self, feed: Feed, deadline: float) -> "_Over":
        """Read and send until there is a reason to end; give the reason."""
        worker = self._worker
        self._beat()
        while True:
            now = worker.now()
            if now >= self._beat_at + _BEAT_SECONDS:
                self._beat()
            if self._job.state not in {State.CANARY, State.RUNNING} or now >= deadline or self._is_held_by_circuit():
                return _Over.TIME
            most = self._most()
            if not most:
                worker.sleep(_BEAT_SECONDS)
                continue
            allowed = self._pace.allowance(now, most)
            if not allowed:
                worker.sleep(min(self._pace.wait(now, most), _BEAT_SECONDS))
                continue
            items = feed.take(allowed)
            if items and not self._send(feed, items):
                return _Over.REFUSED
            if not items:
                if feed.is_exhausted():
                    return _Over.EXHAUSTED
                worker.sleep(_IDLE_SECONDS)

    def _most(self) -> int:
        """Give how many messages may be taken as far as the canary goes; none while it is watched."""
        if self._job.state is not State.CANARY:
            return SQS_CALL.entries
        left = self._job.request.canary - (self._counts().sent - self._job.canary_from)
        if left > 0:
            return min(left, SQS_CALL.entries)
        if self._job.canary_sent_at is None:
            self._job = replace(self._job, canary_sent_at=self._worker.now())
            self._beat()
        elif self._worker.now() >= self._job.canary_sent_at + self._worker.canary_seconds:
            self._move(State.RUNNING, "go on", "The canary did no harm.")
        return 0

    def _send(self, feed: Feed, items: Sequence[Item]) -> bool:
        outcome = self._worker.events.forward(self._job, items)
        self._sent += outcome.sent
        self._parked += outcome.parked
        self._pace.spend(outcome.sent + outcome.parked)
        feed.done({item.message.id for item in items} - outcome.failed)
        return not outcome.failed

    def _is_held_by_circuit(self) -> bool:
        worker = self._worker
        if self._job.request.forced or worker.now() < self._circuit_at + _CIRCUIT_SECONDS:
            return False
        self._circuit_at = worker.now()
        circuit = worker.events.open_circuit(self._job)
        if circuit is None:
            return False
        self._move(State.PAUSED, "pause", f"The circuit {circuit} is open.", actor=CIRCUIT)
        return True

    def clear_away(self) -> int | None:
        """Clear away what an ended job has left behind, for a slice; once that is all, it is no longer registered."""
        worker = self._worker
        try:
            self._feed = feed = worker.events.feed(self._job)
            self._is_clearing = True
            try:
                is_all = self._cleared(feed, worker.now() + worker.slice_seconds)
            finally:
                feed.close()
            if not is_all:
                # Only a feed that is closed tells of nothing that it hides.
                return self._released(0)
        except UnavailableError:
            self._release()
            return _RETRY_SECONDS
        except _HOPELESS as error:
            # It stays where nobody takes it for theirs, and a job that cannot end would hold up others.
            left = f"Something is left behind: {error}"
            self._save(lambda latest: latest.noted(self._at(), WORKER, "clear away", left))
        self._save(lambda latest: replace(self._with_progress(latest), lease=None), leaves=True)
        return 0 if self._job.state in WORKING else None

    def _cleared(self, feed: Feed, deadline: float) -> bool:
        """Clear away until that is all, or there is a reason to end; tell whether it is all."""
        worker = self._worker
        self._beat()
        while not feed.abandon():
            if worker.now() >= self._beat_at + _BEAT_SECONDS:
                self._beat()
            if worker.now() >= deadline or self._job.state not in ENDED:
                return False
            worker.sleep(_IDLE_SECONDS)
        return True

    def _move(self, state: State, action: str, reason: str, actor: str = WORKER) -> None:
        """Move the job on, unless somebody has moved it somewhere else meanwhile."""
        at = self._at()
        moved = False

        def change(latest: Job) -> Job:
            nonlocal moved
            try:
                changed = self._with_progress(latest).moved(state, at, actor, action, reason)
            except ForbiddenError:
                moved = False
                return self._with_progress(latest)
            moved = True
            return changed

        # What an archive has put into buffers is cleared away first, unless all of it was sent.
        remains = state is not State.COMPLETED and self._job.request.source is Source.ARCHIVE
        self._save(change, leaves=state in ENDED and not remains)
        if moved and state in ENDED:
            self._worker.ended(self._job)

    def _at(self) -> datetime:
        return datetime.fromtimestamp(self._worker.now(), UTC)

    def _release(self) -> None:
        self._save(lambda latest: replace(self._with_progress(latest), lease=None))

    def _trying_again(self, reason: str) -> int | None:
        def change(latest: Job) -> Job:
            # Whoever has moved it meanwhile said why, which counts for more.
            outcome = f"Trying again: {reason}." if latest.state in WORKING else latest.outcome
            return replace(self._with_progress(latest), lease=None, outcome=outcome)

        self._save(change)
        return _RETRY_SECONDS if self._job.state in WORKING else self._again(0)

    def _released(self, again: int) -> int | None:
        self._release()
        return self._again(again)

    def _again(self, seconds: int) -> int | None:
        is_registered = self._job.state in ENDED and self._job.request.source is Source.ARCHIVE
        return seconds if self._job.state in WORKING or is_registered else None

    def _beat(self) -> None:
        self._save(self._with_progress)
        self._beat_at = self._worker.now()

    def _save(self, change: Callable[[Job], Job], *, leaves: bool = False) -> None:
        """Write a change of the job as it is by now."""
        ledger = self._worker.ledger
        latest = self._job
        while True:
            try:
                changed = change(latest)
                active = ledger.active().without(latest.id) if leaves and changed.state in ENDED else None
                self._job = ledger.save(changed, active)
            except ConflictError:
                latest = ledger.job(latest.id)
                if latest.lease is None or latest.lease.owner != self._worker.owner:
                    raise LeaseLostError(latest.id) from None
                continue
            return

    def _with_progress(self, latest: Job) -> Job:
        now = self._worker.now()
        self._measured.append((now, self._sent))
        while now - self._measured[0][0] > _MEASURED_SECONDS:
            self._measured.popleft()
        since, sent = self._measured[0]
        runs = latest.state in {State.CANARY, State.RUNNING}
        measured = round((self._sent - sent) / (now - since), 1) if now > since else latest.pace_now
        return replace(
            latest,
            counts=self._counts(),
            checkpoint=latest.checkpoint if self._feed is None else self._feed.checkpoint(),
            # Of a job that waits again, another canary is to be sent.
            canary_sent_at=latest.canary_sent_at or (self._job.canary_sent_at if runs else None),
            paced_at=None if self._pace.rate is None else self._pace.ready_at,
            pace_now=measured if runs else None,
            outcome="" if runs and self._sent else latest.outcome,
            lease=Lease(self._worker.owner, now + LEASE_SECONDS),
        )

    def _counts(self) -> Counts:
        before, feed = self._before, None if self._is_clearing else self._feed
        return replace(
            before,
            read=before.read + (feed.read if feed else 0),
            skipped=before.skipped + (feed.skipped if feed else 0),
            sent=before.sent + self._sent,
            parked=before.parked + self._parked,
        )
