"""Replay jobs: what one is, the states it goes through, which may be active together, and the ledger that keeps them.

ReplayError            a replay that is not to be
├── FieldError         something about the request is wrong; names the field
├── UnknownError       it names a job, a target, a rule or an archive that is not there
└── ForbiddenError     a guard rail holds it, or its state does not allow it
ConflictError          somebody else wrote the ledger first; read again, decide again
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Protocol

from eventfork.limits import EVENTBRIDGE_ACTIVE_REPLAYS
from eventfork.replay_filters import EventFilter
from eventfork.replay_windows import Window

__all__ = [
    "CIRCUIT",
    "ENDED",
    "EXTENDABLE",
    "TRANSITIONS",
    "WORKING",
    "Action",
    "Active",
    "ActiveJob",
    "ConflictError",
    "Counts",
    "FieldError",
    "ForbiddenError",
    "Job",
    "Lease",
    "Ledger",
    "ReplayError",
    "Request",
    "Source",
    "State",
    "UnknownError",
]


class ReplayError(Exception):
    """A replay that is not to be; the text is one sentence for the operator."""


class FieldError(ReplayError):
    """Something about the request is wrong.

    Attributes
    ----------
    pointer : str
        JSON pointer (RFC 6901) to it; "" is all of it.
    detail : str
        What is wrong.
    """

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__(f"{pointer or 'The body'} {detail}")
        self.pointer = pointer
        self.detail = detail


class UnknownError(ReplayError):
    """It names something that is not there."""


class ForbiddenError(ReplayError):
    """A guard rail holds it, or the job's state does not allow it."""


class ConflictError(Exception):
    """Somebody else wrote the ledger first: nothing was written."""


class State(StrEnum):
    """Where a job stands."""

    PLANNED = "PLANNED"
    WAITING = "WAITING"
    CANARY = "CANARY"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class Source(StrEnum):
    """What kept the events."""

    ARCHIVE = "archive"
    QUEUE = "queue"
    BACKUP = "backup"
    DLQ = "dlq"


TRANSITIONS: Final[Mapping[State, frozenset[State]]] = {
    State.PLANNED: frozenset({State.WAITING, State.CANCELLED}),
    State.WAITING: frozenset({State.CANARY, State.RUNNING, State.PAUSED, State.FAILED, State.CANCELLED}),
    State.CANARY: frozenset({State.RUNNING, State.PAUSED, State.COMPLETED, State.FAILED, State.CANCELLED}),
    State.RUNNING: frozenset({State.PAUSED, State.COMPLETED, State.FAILED, State.CANCELLED}),
    State.PAUSED: frozenset({State.WAITING, State.CANCELLED}),
    State.COMPLETED: frozenset(),
    State.FAILED: frozenset({State.WAITING}),
    State.CANCELLED: frozenset({State.WAITING}),
}
"""From each state, those that may follow. Whatever goes on begins by waiting: for its archive, and for its turn."""
WORKING: Final = frozenset({State.WAITING, State.CANARY, State.RUNNING})
"""A worker has something to do."""
ENDED: Final = frozenset({State.COMPLETED, State.FAILED, State.CANCELLED})
EXTENDABLE: Final = frozenset({State.PAUSED, State.COMPLETED, State.FAILED})
"""From these, a job waits again once its window is extended: there is more to do, even for one that is complete."""
CIRCUIT: Final = "circuit"
"""Who is on record for what is done to a job because a circuit has opened or closed."""

_ACTIONS_KEPT: Final = 200
"""Of one job, the newest: an item of the ledger may weigh 400 KB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be replayed, and who wants it.

    Attributes
    ----------
    source : Source
    window : Window
        By the events' own time.
    targets : tuple of str
        Names of consumers.
    filter : EventFilter
    pace : float or None
        Events per second, all targets together; None for as fast as it goes.
    canary : int
        Events that are sent first, and watched, before the rest.
    archive : str
        Name of the archive; empty where the source is none.
    reason, actor : str
    forced : bool
        Guard rails that can be overruled are.
    """

    source: Source
    window: Window
    targets: tuple[str, ...]
    filter: EventFilter = field(default_factory=EventFilter)
    pace: float | None = None
    canary: int = 0
    archive: str = ""
    reason: str = ""
    actor: str = ""
    forced: bool = False

    @property
    def holds(self) -> frozenset[str]:
        """What only one job at a time can read from, as each takes away what the others would wait for."""
        match self.source:
            case Source.ARCHIVE:
                return frozenset(f"the replay buffer of {target}" for target in self.targets)
            case Source.QUEUE:
                return frozenset({"the replay queue"})
            case Source.DLQ:
                return frozenset(f"the dead-letter queue of {target}" for target in self.targets)
            case Source.BACKUP:
                return frozenset()


@dataclass(frozen=True, slots=True)
class Counts:
    """How many events: `planned` when it was planned (None: not known), and since then read, sent, left out, parked."""

    planned: int | None = None
    read: int = 0
    sent: int = 0
    skipped: int = 0
    parked: int = 0


@dataclass(frozen=True, slots=True)
class Lease:
    """Which worker has a job, and until when, in seconds since 1970, unless it says so again."""

    owner: str
    until: float


@dataclass(frozen=True, slots=True)
class Action:
    """Who did what to a job, when and why, and the state that it left it in."""

    at: datetime
    actor: str
    action: str
    state: State
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A replay.

    Attributes
    ----------
    id : str
    request : Request
    state : State
    counts : Counts
    checkpoint : mapping
        Where its source goes on: JSON that only the source reads.
    requested_at, starts_at : datetime
        When it was asked for, and when, at the earliest, what it reads from has everything.
    started_at, ended_at : datetime or None
    outcome : str
        Why it ended, or what it is waiting for.
    run : int
        How often it was begun, this time included.
    whole_since : int
        The run that last began at the window's start: where those before it were is none of its concern.
    earlier_ends : tuple of datetime
        Where the window ended before it was extended, in order, as far as that run goes on behind each of them.
    canary_sent_at : float or None
        When the canary had been sent, in seconds since 1970.
    canary_from : int
        How many events had been sent before the canary.
    paced_at : float or None
        See `Pace.ready_at`.
    pace_now : float or None
        Events per second, as measured lately.
    lease : Lease or None
    history : tuple of Action
    version : int
        How often it was written to the ledger.
    """

    id: str
    request: Request
    state: State
    requested_at: datetime
    starts_at: datetime
    counts: Counts = field(default_factory=Counts)
    checkpoint: Mapping[str, Any] = field(default_factory=dict)
    started_at: datetime | None = None
    ended_at: datetime | None = None
    outcome: str = ""
    run: int = 1
    whole_since: int = 1
    earlier_ends: tuple[datetime, ...] = ()
    canary_sent_at: float | None = None
    canary_from: int = 0
    paced_at: float | None = None
    pace_now: float | None = None
    lease: Lease | None = None
    history: tuple[Action, ...] = ()
    version: int = 0

    def moved(self, state: State, at: datetime, actor: str, action: str, reason: str) -> "Job":
        """Give the job in another state, with that on record.

        Raises
        ------
        ForbiddenError
            If its state does not allow it.
        """
        if state not in TRANSITIONS[self.state]:
            raise ForbiddenError(f"The job {self.id} is {self.state}: it cannot {action}.")
        again = state is State.WAITING and self.state in ENDED
        return replace(
            self,
            state=state,
            started_at=self.started_at or (at if state in {State.CANARY, State.RUNNING} else None),
            ended_at=at if state in ENDED else None,
            outcome=reason if state in ENDED or state is State.PAUSED else "",
            run=self.run + 1 if again else self.run,
            pace_now=None,
            history=(*self.history, Action(at, actor, action, state, reason))[-_ACTIONS_KEPT:],
        )

    def extended(self, window: Window, starts_at: datetime, at: datetime, actor: str, reason: str) -> "Job":
        """Give the job with a window that reaches further, waiting until that can be read, with that on record.

        One that is paused goes on where it is, unless its window now starts earlier; any other begins anew, at the
        window's start. Either way a canary goes first, though one may have gone before.

        Raises
        ------
        ForbiddenError
            If its state does not allow it.
        """
        if self.state not in EXTENDABLE:
            raise ForbiddenError(f"The job {self.id} is {self.state}: it cannot be extended.")
        before = self.request.window
        begins_anew = self.state is not State.PAUSED or window.start < before.start
        run = self.run + 1 if begins_anew else self.run
        ends = (*self.earlier_ends, before.end) if window.end > before.end else self.earlier_ends
        action = "resume" if window == before else "extend"
        return replace(
            self,
            request=replace(self.request, window=window),
            state=State.WAITING,
            starts_at=starts_at,
            ended_at=None,
            outcome="",
            run=run,
            whole_since=run if begins_anew else self.whole_since,
            earlier_ends=() if begins_anew else ends,
            canary_sent_at=None,
            canary_from=self.counts.sent,
            pace_now=None,
            history=(*self.history, Action(at, actor, action, State.WAITING, reason))[-_ACTIONS_KEPT:],
        )

    @property
    def is_held_by_circuit(self) -> bool:
        """Whether it is paused, and not by an operator but because a circuit has opened."""
        return self.state is State.PAUSED and bool(self.history) and self.history[-1].actor == CIRCUIT

    def noted(self, at: datetime, actor: str, action: str, reason: str) -> "Job":
        """Give the job with something on record that left its state as it was."""
        action_taken = Action(at, actor, action, self.state, reason)
        return replace(self, history=(*self.history, action_taken)[-_ACTIONS_KEPT:])

    def is_leased(self, now: float) -> bool:
        """Whether a worker has it."""
        return self.lease is not None and self.lease.until > now


@dataclass(frozen=True, slots=True)
class ActiveJob:
    """What is known of a job that is active, so that others can be held to it."""

    targets: tuple[str, ...]
    window: Window
    holds: frozenset[str]


@dataclass(frozen=True, slots=True)
class Active:
    """The jobs that are active, written together with every change of who is."""

    jobs: Mapping[str, ActiveJob] = field(default_factory=dict)
    version: int = 0

    def admitting(self, job: Job) -> "Active":
        """Give the register with a job in it.

        Raises
        ------
        ForbiddenError
            If there are as many as can be, it would send into a target what another job does, or it would read from
            where another job does.
        """
        request = job.request
        others = {name: other for name, other in self.jobs.items() if name != job.id}
        if len(others) >= EVENTBRIDGE_ACTIVE_REPLAYS:
            raise ForbiddenError(
                f"{len(others)} replays are active, as many as there can be: wait for one of them, or stop one."
            )
        for name, other in sorted(others.items()):
            if held := sorted(request.holds & other.holds):
                raise ForbiddenError(f"The job {name} reads from {held[0]}: wait for it, or stop it.")
            shared = sorted(set(request.targets) & set(other.targets))
            if shared and request.window.overlaps(other.window) and not request.forced:
                raise ForbiddenError(
                    f"The job {name} replays into {shared[0]} from a window that overlaps: wait for it, stop it, "
                    "or force this one."
                )
        mine = ActiveJob(request.targets, request.window, request.holds)
        return replace(self, jobs={**others, job.id: mine})

    def without(self, job_id: str) -> "Active":
        """Give the register without a job."""
        return replace(self, jobs={name: other for name, other in self.jobs.items() if name != job_id})


class Ledger(Protocol):
    """Where jobs are kept. What is saved is saved as a whole, or not at all."""

    def job(self, job_id: str) -> Job:
        """Give a job as it is now; raise `eventfork.errors.NotFoundError` if there is none."""

    def newest(self, most: int) -> Sequence[Job]:
        """Give the jobs that were asked for last, the newest first."""

    def active(self) -> Active:
        """Give the register of active jobs as it is now."""

    def save(self, job: Job, active: Active | None = None) -> Job:
        """Write a job, together with the register where that is given; give the job with its new version.

        Raises
        ------
        ConflictError
            If either has another version by now than it had when it was read; a new job has 0.
        eventfork.errors.UnavailableError
            If it cannot be known whether it was written.
        """
