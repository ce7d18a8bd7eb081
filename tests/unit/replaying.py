"""What replays are tested with: a clock, a ledger, queues, an archive and stored events, none of them real.

Killed   the worker that made a call is dead, from this very call on
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from eventfork.errors import NotFoundError, UnavailableError
from eventfork.forwarding import Message, Outcome
from eventfork.json_text import parse, render
from eventfork.replay_feeds import (
    ArchiveFeed,
    Feed,
    Item,
    QueueFeed,
    Received,
    ReplayState,
    StoredFeed,
    kept_before,
    replayed_by,
)
from eventfork.replay_jobs import (
    ENDED,
    EXTENDABLE,
    TRANSITIONS,
    Active,
    ConflictError,
    ForbiddenError,
    Job,
    Request,
    Source,
    State,
)
from eventfork.replay_records import active_document, read, read_active, record
from eventfork.replay_targets import REPLAYED
from eventfork.replay_windows import Window
from eventfork.replay_work import Worker
from eventfork.timestamps import timestamp

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
"""When the clock starts."""
LAST_HOUR = Window(NOON - timedelta(hours=1), NOON - timedelta(minutes=5))
TARGET = "customers"
RULE = "arn:aws:events:eu-central-1:123456789012:rule/commerce/customers-replay"
SLICE_SECONDS = 8
VISIBILITY_SECONDS = 60
QUIET_SECONDS = 3.0

Result = TypeVar("Result")


class Killed(BaseException):
    """A worker is dead: nothing that it still tries has an effect."""


class Clock:
    """A clock that goes on when somebody sleeps, and a little whenever it is asked.

    Parameters
    ----------
    tick : float
        By how much it goes on whenever it is asked.
    """

    def __init__(self, tick: float = 0.0) -> None:
        self._now = NOON.timestamp()
        self._tick = tick
        self.slept: list[float] = []

    def now(self) -> float:
        """Give the time in seconds since 1970."""
        self._now += self._tick
        return self._now

    def moment(self) -> datetime:
        """Give the time."""
        return datetime.fromtimestamp(self._now, UTC)

    def sleep(self, seconds: float) -> None:
        """Let time pass: nobody sleeps for less than a millisecond."""
        self.slept.append(seconds)
        self._now += max(seconds, 0.001)


class Connection:
    """What all calls of one worker go through, so that any of them can fail, or be its last.

    Attributes
    ----------
    meanwhile : mapping
        What happens before a call, by the number of the call, counted from 1.
    killed_at : int or None
        The call in which the worker dies.
    fails_at : set of int
        The calls that the service does not answer.
    takes_effect : bool
        Whether what does not come back has an effect all the same.
    """

    def __init__(
        self,
        *,
        meanwhile: Mapping[int, Callable[[], object]] | None = None,
        killed_at: int | None = None,
        fails_at: Sequence[int] = (),
        takes_effect: bool = False,
    ) -> None:
        self.calls = 0
        self.meanwhile = dict(meanwhile or {})
        self.killed_at = killed_at
        self.fails_at = set(fails_at)
        self.takes_effect = takes_effect
        self._is_dead = False

    def call(self, act: Callable[[], Result]) -> Result:
        """Make a call."""
        if self._is_dead:
            raise Killed
        self.calls += 1
        if happens := self.meanwhile.pop(self.calls, None):
            happens()
        if self.calls == self.killed_at or self.calls in self.fails_at:
            if self.takes_effect:
                act()
            if self.calls != self.killed_at:
                raise UnavailableError("the service does not answer")
            self._is_dead = True
            raise Killed
        return act()

    def to(self, service: object) -> Any:
        """Give a service as it is reached through this connection."""
        return _Through(self, service)


class _Through:
    def __init__(self, connection: Connection, service: object) -> None:
        self._connection = connection
        self._service = service

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._service, name)
        return lambda *values, **named: self._connection.call(lambda: method(*values, **named))


class FakeLedger:
    """Keeps jobs as text, with a version each; holds every write to what may follow what was there."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._jobs: dict[str, tuple[str, int]] = {}
        self._active = ("{}", 0)
        self.states: dict[str, list[State]] = {}
        self.saves = 0

    def job(self, job_id: str) -> Job:
        """Give a job as it is now."""
        if job_id not in self._jobs:
            raise NotFoundError(job_id)
        text, version = self._jobs[job_id]
        return read(parse(text), version)

    def newest(self, most: int) -> Sequence[Job]:
        """Give the jobs that were asked for last, the newest first."""
        return sorted(map(self.job, self._jobs), key=lambda job: job.requested_at, reverse=True)[:most]

    def active(self) -> Active:
        """Give the register."""
        text, version = self._active
        return read_active(parse(text), version)

    def save(self, job: Job, active: Active | None = None) -> Job:
        """Write a job, and the register where that is given, unless either has changed."""
        version = self._jobs[job.id][1] if job.id in self._jobs else 0
        if job.version != version or (active is not None and active.version != self._active[1]):
            raise ConflictError
        if version:
            self._check(self.job(job.id), job)
        self.states.setdefault(job.id, [])
        if self.states[job.id][-1:] != [job.state]:
            self.states[job.id].append(job.state)
        self.saves += 1
        self._jobs[job.id] = (render(record(job)), version + 1)
        if active is not None:
            self._active = (render(active_document(active)), active.version + 1)
        return replace(job, version=version + 1)

    def _check(self, before: Job, after: Job) -> None:
        is_extended = after.request.window != before.request.window
        assert not is_extended or (before.state in EXTENDABLE and after.state is State.WAITING)
        assert is_extended or after.state is before.state or after.state in TRANSITIONS[before.state]
        owner = before.lease.owner if before.lease else None
        new_owner = after.lease.owner if after.lease else None
        if new_owner not in {None, owner}:
            assert not before.is_leased(self._clock.moment().timestamp()), f"{new_owner} took what {owner} has"
        if (after.counts, after.checkpoint) != (before.counts, before.checkpoint):
            assert owner is not None, "progress was written by nobody who had the job"
            assert new_owner in {None, owner}, "progress was written by one who had not had the job"


class FakeQueue:
    """A queue with visibility time-outs; messages come in the order in which `shuffle` leaves them.

    Attributes
    ----------
    keeps : set of str
        Ids of messages that it does not delete when it is told to.
    """

    def __init__(self, clock: Clock, shuffle: random.Random | None = None) -> None:
        self._clock = clock
        self._shuffle = shuffle
        self._messages: dict[str, Message] = {}
        self._hidden: dict[str, float] = {}
        self._receipts: dict[str, str] = {}
        self._count = 0
        self.keeps: set[str] = set()
        self.before_receiving: Callable[[], object] = lambda: None

    def put(self, body: str, sent_at: datetime | None = None, message_id: str | None = None) -> str:
        """Put a message on it; give its id."""
        self._count += 1
        found = message_id or f"m-{self._count}"
        self._messages[found] = Message(found, body, {}, timestamp(sent_at or self._clock.moment()))
        return found

    def bodies(self) -> list[str]:
        """Give what it holds, hidden or not."""
        return [message.body for message in self._messages.values()]

    def ids(self) -> set[str]:
        """Give the ids of what it holds, hidden or not."""
        return set(self._messages)

    def visible(self) -> set[str]:
        """Give the ids of what can be received."""
        now = self._clock.moment().timestamp()
        return {one for one in self._messages if self._hidden.get(one, 0) <= now}

    def receive(self, most: int, visibility_seconds: int, wait_seconds: int) -> Sequence[Received]:
        """Receive messages; wait for so long if there is none."""
        assert 1 <= most <= 10
        self.before_receiving()
        visible = self.visible()
        if not visible and wait_seconds:
            self._clock.sleep(wait_seconds)
            visible = self.visible()
        found = [one for one in self._messages if one in visible]
        if self._shuffle is not None:
            self._shuffle.shuffle(found)
        received = []
        for one in found[:most]:
            self._count += 1
            self._hidden[one] = self._clock.moment().timestamp() + visibility_seconds
            receipt = f"receipt {self._count}"
            self._receipts[receipt] = one
            received.append(Received(self._messages[one], receipt))
        return received

    def delete(self, receipts: Sequence[str]) -> Sequence[int]:
        """Delete messages; an old receipt does as well."""
        assert 1 <= len(receipts) <= 10
        kept = [position for position, one in enumerate(receipts) if self._receipts[one] in self.keeps]
        for position, one in enumerate(receipts):
            if position not in kept:
                self._messages.pop(self._receipts[one], None)
        return kept

    def give_back(self, receipts: Sequence[str]) -> None:
        """Let messages be received again, unless somebody else has received them since."""
        assert 1 <= len(receipts) <= 10
        newest = {message: receipt for receipt, message in self._receipts.items()}
        for one in receipts:
            if newest[self._receipts[one]] == one:
                self._hidden.pop(self._receipts[one], None)


@dataclass
class _Replay:
    begins_at: float
    pending: list[tuple[str, dict[str, Any]]]
    state: ReplayState = ReplayState.ACTIVE
    reason: str = ""
    is_cancelling: bool = False


class FakeReplays:
    """An archive, and its replays into buffers: a few events at a time, in any order, now and then one of them twice.

    Attributes
    ----------
    events : list of dict
        What the archive keeps.
    most : int
        How many replays may be active.
    begins_after : float
        Seconds from a replay's start until it puts its first event on the bus.
    starts : list of tuple
        Every replay that was started: its name and window.
    """

    def __init__(self, clock: Clock, buffers: Mapping[str, FakeQueue], order: random.Random) -> None:
        self._clock = clock
        self._buffers = buffers
        self._order = order
        self._replays: dict[str, _Replay] = {}
        self.events: list[dict[str, Any]] = []
        self.most = 10
        self.begins_after = 0.0
        self.starts: list[tuple[str, Window]] = []
        self.asked = 0
        for buffer in buffers.values():
            buffer.before_receiving = self.go_on

    def start(self, name: str, window: Window, rule_arns: Sequence[str]) -> bool:
        """Start a replay, unless it was, or too many are active."""
        self.asked += 1
        if name in self._replays:
            return True
        if len(self.active()) >= self.most:
            return False
        fit = [event for event in self.events if datetime.fromisoformat(event["time"]) in window]
        pending = [(rule, event) for event in fit for rule in rule_arns]
        self._order.shuffle(pending)
        begins_at = self._clock.moment().timestamp() + self.begins_after
        self._replays[name] = _Replay(begins_at, pending)
        self.starts.append((name, window))
        return True

    def state(self, name: str) -> tuple[ReplayState, str]:
        """Give the state of a replay."""
        self.asked += 1
        self.go_on()
        if name not in self._replays:
            raise NotFoundError(name)
        return self._replays[name].state, self._replays[name].reason

    def cancel(self, name: str) -> None:
        """Begin to cancel a replay, if it runs."""
        if name in self._replays:
            self._replays[name].is_cancelling = True

    def fail(self, name: str, reason: str) -> None:
        """Have a replay fail."""
        self._replays[name].state, self._replays[name].reason = ReplayState.FAILED, reason

    def active(self) -> list[str]:
        """Give the names of the replays that are active."""
        return [name for name, one in self._replays.items() if one.state is ReplayState.ACTIVE]

    def go_on(self) -> None:
        """Let every replay put a few events into the buffers."""
        for name in self.active():
            one = self._replays[name]
            if self._clock.moment().timestamp() < one.begins_at:
                continue
            if one.is_cancelling:
                one.pending, one.state = one.pending[:5], ReplayState.CANCELLED
            elif not one.pending:
                one.state = ReplayState.COMPLETED
            for _ in range(min(len(one.pending), self._order.randint(1, 3))):
                rule, event = one.pending.pop()
                for _ in range(1 + (self._order.random() < 0.1)):
                    self._buffers[rule].put(render({**event, REPLAYED: name}))


@dataclass(frozen=True)
class Stored:
    """An object of stored events."""

    key: str
    size: int = 0


class FakeStore:
    """A bucket of events, filed by the hour they arrived in.

    Attributes
    ----------
    damaged : dict
        What reading an object ends in, behind its last line.
    opened : list of str
        The keys of the objects that were opened.
    """

    def __init__(self) -> None:
        self._objects: dict[str, list[str]] = {}
        self.damaged: dict[str, Exception] = {}
        self.opened: list[str] = []
        self.open = 0

    def put(self, hour: datetime, name: str, lines: Sequence[str]) -> str:
        """Put an object of lines there; give its key."""
        key = f"{hour:%Y/%m/%d/%H}/{name}"
        self._objects[key] = list(lines)
        return key

    def remove(self, key: str) -> None:
        """Move an object away."""
        del self._objects[key]

    def objects(self, hour: datetime, after: str) -> Iterator[Stored]:
        """Give the objects of an hour, from behind a key on."""
        keys = sorted(key for key in self._objects if key.startswith(f"{hour:%Y/%m/%d/%H}/"))
        return iter([Stored(key) for key in keys if key > after])

    @contextmanager
    def lines(self, key: str) -> Iterator[Iterator[str]]:
        """Open an object."""
        if key not in self._objects:
            raise NotFoundError(key)
        self.opened.append(key)
        self.open += 1
        try:
            yield self._lines(key)
        finally:
            self.open -= 1

    def _lines(self, key: str) -> Iterator[str]:
        for line in self._objects[key]:
            yield f"{line}\n"
        if key in self.damaged:
            raise self.damaged[key]


@dataclass
class Consumer:
    """Takes what is replayed.

    Attributes
    ----------
    taken : list of str
        The bodies that were sent, in order.
    refuses : int
        How many messages it still refuses.
    cannot_take : set of str
        Bodies that can never be sent.
    parked : list of str
        Those that were parked.
    open_circuit : str or None
        The circuit that is open.
    """

    taken: list[str] = field(default_factory=list)
    taken_at: list[float] = field(default_factory=list)
    refuses: int = 0
    cannot_take: set[str] = field(default_factory=set)
    parked: list[str] = field(default_factory=list)
    open_circuit: str | None = None
    fails_with: Exception | None = None

    def forward(self, items: Sequence[Item], now: float) -> Outcome:
        """Take messages, but for some."""
        if self.fails_with is not None:
            raise self.fails_with
        outcome = Outcome(received=len(items))
        for item in items:
            if item.message.body in self.cannot_take:
                self.parked.append(item.message.body)
                outcome.parked += 1
            elif self.refuses:
                self.refuses -= 1
                outcome.failed.add(item.message.id)
            else:
                self.taken.append(item.message.body)
                self.taken_at.append(now)
                outcome.sent += 1
        return outcome


class World:
    """Everything that a job meets, and workers for it."""

    def __init__(self, *, seed: int | None = None, tick: float = 0.001, canary_seconds: float = 2.0) -> None:
        order = random.Random(seed or 0)
        self.clock = Clock(tick)
        self.ledger = FakeLedger(self.clock)
        self.queue = FakeQueue(self.clock, None if seed is None else order)
        self.buffer = FakeQueue(self.clock, None if seed is None else order)
        self.replays = FakeReplays(self.clock, {RULE: self.buffer}, order)
        self.store = FakeStore()
        self.consumer = Consumer()
        self.ended: list[Job] = []
        self.canary_seconds = canary_seconds
        self.feed_fails_with: Exception | None = None
        self._workers = 0

    def start(self, source: Source, *, job_id: str = "job", starts_in: float = 0.0, **said: Any) -> Job:
        """Ask for a job, as the command does."""
        at = self.clock.moment()
        request = Request(**{"source": source, "window": LAST_HOUR, "targets": (TARGET,), "reason": "why", **said})
        planned = Job(
            id=job_id,
            request=request,
            state=State.PLANNED,
            requested_at=at,
            starts_at=at + timedelta(seconds=starts_in),
        )
        waiting = planned.moved(State.WAITING, at, "operator", "start", "why")
        return self.ledger.save(waiting, self.ledger.active().admitting(waiting))

    def job(self, job_id: str = "job") -> Job:
        """Give the job as the ledger has it."""
        return self.ledger.job(job_id)

    def command(self, state: State, job_id: str = "job") -> bool:
        """Pause, resume or stop the job, as commands do; tell whether its state allowed it."""
        job, active = self.job(job_id), self.ledger.active()
        try:
            moved = job.moved(state, self.clock.moment(), "operator", "command", "told to")
        except ForbiddenError:
            return False
        registered = None
        if state is State.WAITING:
            registered = active.admitting(moved)
        elif state in ENDED and moved.request.source is not Source.ARCHIVE:
            registered = active.without(job_id)
        self.ledger.save(moved, registered)
        return True

    def worker(self, connection: Connection | None = None) -> Worker:
        """Give another worker."""
        self._workers += 1
        reached = connection or Connection()
        return Worker(
            ledger=reached.to(self.ledger),
            events=_Events(self, reached),
            owner=f"worker {self._workers}",
            now=self.clock.now,
            sleep=self.clock.sleep,
            ended=self.ended.append,
            slice_seconds=SLICE_SECONDS,
            canary_seconds=self.canary_seconds,
        )

    def work(self, connection: Connection | None = None, job_id: str = "job") -> int | None:
        """Have another worker work on the job for a slice."""
        return self.worker(connection).work(job_id)

    def work_on(self, job_id: str = "job", slices: int = 60) -> Job:
        """Have workers work on the job until there is nothing to do."""
        for _ in range(slices):
            again = self.work(job_id=job_id)
            if again is None:
                return self.job(job_id)
            self.clock.sleep(again)
        raise AssertionError(f"there is no end to it: {self.job(job_id)}")


class _Events:
    def __init__(self, world: World, connection: Connection) -> None:
        self._world = world
        self._connection = connection

    def feed(self, job: Job) -> Feed:
        """Open what the job reads from, over the worker's connection."""
        world, to = self._world, self._connection.to
        if world.feed_fails_with is not None:
            raise world.feed_fails_with
        match job.request.source:
            case Source.ARCHIVE:
                buffers = {RULE: queue_feed(to(world.buffer), job, world.clock, replayed_by(job))}
                return ArchiveFeed(job, to(world.replays), buffers, world.clock.now)
            case Source.BACKUP:
                return StoredFeed(job, to(world.store), TARGET, None, lag=timedelta(hours=1), now=world.clock.now)
            case Source.QUEUE | Source.DLQ:
                return queue_feed(to(world.queue), job, world.clock, kept_before(job))

    def forward(self, job: Job, items: Sequence[Item]) -> Outcome:
        """Have the consumer take messages."""
        assert {item.target for item in items} <= set(job.request.targets)
        return self._connection.call(lambda: self._world.consumer.forward(items, self._world.clock.now()))

    def open_circuit(self, job: Job) -> str | None:
        """Name the circuit that is open."""
        assert job.request.targets
        return self._connection.call(lambda: self._world.consumer.open_circuit)


def queue_feed(queue: Any, job: Job, clock: Clock, decide: Callable[[Message], Any]) -> QueueFeed:
    """Open a queue for a job."""
    return QueueFeed(
        queue,
        TARGET,
        decide,
        clock.now,
        quiet_seconds=QUIET_SECONDS,
        visibility_seconds=VISIBILITY_SECONDS,
        checkpoint=job.checkpoint,
    )


def order_event(name: str, moment: datetime = LAST_HOUR.start, kind: str = "OrderPlaced") -> dict[str, Any]:
    """Give an event as the topic carries it."""
    return {
        "specversion": "1.0",
        "id": name,
        "source": "shop",
        "type": kind,
        "time": timestamp(moment),
        "data": {"id": f"order-{name}", "customer": {"id": f"customer-{name}"}},
    }


def bus_event(name: str, moment: datetime = LAST_HOUR.start, kind: str = "OrderPlaced") -> dict[str, Any]:
    """Give an event as the bus carries it."""
    return {
        "id": name,
        "source": "eventfork.orders",
        "detail-type": kind,
        "time": timestamp(moment),
        "detail": {"metadata": {}, "data": {"orderId": f"order-{name}", "customerId": f"customer-{name}"}},
    }
