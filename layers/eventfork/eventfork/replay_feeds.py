"""What a replay reads from: a queue, stored events, or an archive that EventBridge replays into queues.

A feed hands out messages that are fit for its job, and is told which of them were dealt with; whatever it is not told
of comes again, from the same feed or from the next one that goes on from its checkpoint. So a worker may die anywhere.

FeedError   the job cannot go on, however often it is tried; its text says why
"""

from collections import deque
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from math import ceil
from typing import Any, Final, Protocol

from eventfork.envelopes import unwrapped
from eventfork.errors import NotFoundError, UnavailableError
from eventfork.forwarding import Message
from eventfork.json_text import JsonTextError, parse
from eventfork.limits import SQS_CALL
from eventfork.replay_filters import EventFilter, FilterError, happened_at
from eventfork.replay_jobs import ENDED, Job
from eventfork.replay_targets import REPLAYED, Rule
from eventfork.replay_windows import Window, arrival_hours, chunk
from eventfork.timestamps import timestamp

__all__ = [
    "ArchiveFeed",
    "Feed",
    "FeedError",
    "Fit",
    "Item",
    "KeptQueue",
    "QueueFeed",
    "Received",
    "ReplayState",
    "Replays",
    "Store",
    "StoredEvents",
    "StoredFeed",
    "kept_before",
    "replayed_by",
]

_LOOKING_SECONDS: Final = 0.3
"""How long what is kept is looked through for something that fits, before the worker has its turn."""
_ASKING_SECONDS: Final = 2.0
"""How long a replay's state is taken for known."""


class FeedError(Exception):
    """The job cannot go on."""


@dataclass(frozen=True, slots=True)
class Item:
    """A message that is fit for a job, and the consumer it is for."""

    message: Message
    target: str


@dataclass(frozen=True, slots=True)
class Received:
    """A message off a queue, and the receipt by which SQS knows that it was received."""

    message: Message
    receipt: str


class Feed(Protocol):
    """What a job reads from."""

    @property
    def read(self) -> int:
        """Messages that it has looked at, but for those it leaves to others."""

    @property
    def skipped(self) -> int:
        """Of those, how many the job leaves out."""

    def take(self, most: int) -> list[Item]:
        """Give at most so many messages; none where there is none right now."""

    def done(self, message_ids: Collection[str]) -> None:
        """Take note of messages that were sent, or parked."""

    def is_exhausted(self) -> bool:
        """Tell whether nothing more will come."""

    def checkpoint(self) -> Mapping[str, Any]:
        """Give where to go on."""

    def close(self) -> None:
        """Give back whatever was taken and not done."""

    def abandon(self) -> bool:
        """Clear away what the job has left behind, a bit at a time; tell whether that is all."""


class KeptQueue(Protocol):
    """A queue, to read from."""

    def receive(self, most: int, visibility_seconds: int, wait_seconds: int) -> Sequence[Received]:
        """Receive at most so many messages (10 at the most), which nobody else receives for so many seconds."""

    def delete(self, receipts: Sequence[str]) -> Sequence[int]:
        """Delete messages; give the positions of those that were not deleted."""

    def give_back(self, receipts: Sequence[str]) -> None:
        """Let messages be received again at once."""


class ReplayState(Enum):
    """What EventBridge says of a replay."""

    ACTIVE = auto()
    COMPLETED = auto()
    CANCELLED = auto()
    FAILED = auto()


class Replays(Protocol):
    """EventBridge's replays of an archive."""

    def start(self, name: str, window: Window, rule_arns: Sequence[str]) -> bool:
        """Start one; tell whether it runs, or did: False where as many are active as the account may have."""

    def state(self, name: str) -> tuple[ReplayState, str]:
        """Give its state, and the reason for it; raise `eventfork.errors.NotFoundError` if there is none."""

    def cancel(self, name: str) -> None:
        """Cancel it, if it runs."""


class StoredEvents(Protocol):
    """An object of stored events: its key, and its size in bytes."""

    @property
    def key(self) -> str:
        """Its key."""

    @property
    def size(self) -> int:
        """Its bytes, compressed."""


class Store(Protocol):
    """A bucket of events, filed by the hour they arrived in, one on each line."""

    def objects(self, hour: datetime, after: str) -> Iterator[StoredEvents]:
        """Give the objects of an hour in the order of their keys, from behind the key `after` on."""

    def lines(self, key: str) -> AbstractContextManager[Iterator[str]]:
        """Open an object, to read its lines as they come.

        Raises
        ------
        eventfork.errors.NotFoundError
            If it is not there.
        EOFError, OSError, ValueError
            As it is opened or read, if it is damaged.
        """


class Fit(Enum):
    """What a job does with a message that it finds on a queue."""

    TAKE = auto()
    DROP = auto()
    """Delete it: it was put there for this job, which leaves it out, or for an earlier run of it."""
    LEAVE = auto()
    """It is none of this job's concern, but what is may lie behind it."""
    LATER = auto()
    """It came after the job was asked for, as more will: nothing of this job's concern is to be expected behind it."""


def kept_before(job: Job) -> Callable[[Message], Fit]:
    """Give what decides for a queue that keeps messages: what was sent before the job was asked for, and is wanted."""
    request, asked_at = job.request, job.requested_at

    def decide(message: Message) -> Fit:
        sent_at = datetime.fromisoformat(message.sent_at)
        event = _event(message.body)
        if sent_at > asked_at:
            return Fit.LATER
        moment = (happened_at(event) if event is not None else None) or sent_at
        return Fit.TAKE if moment in request.window and _matches(request.filter, event) else Fit.LEAVE

    return decide


def replayed_by(job: Job) -> Callable[[Message], Fit]:
    """Give what decides for a replay buffer: what this run of the job has had replayed, and is wanted.

    Nothing is wanted of a job that has ended; whatever it had replayed goes.
    """
    request = job.request

    def decide(message: Message) -> Fit:
        event = _event(message.body)
        name = event.get(REPLAYED) if event is not None else None
        job_id, _, rest = name.partition(".") if isinstance(name, str) else ("", "", "")
        if event is None or job_id != job.id:
            return Fit.LEAVE
        if job.state in ENDED or rest.partition(".")[0] != str(job.run):
            return Fit.DROP
        moment = happened_at(event)
        wanted = (moment is None or moment in request.window) and _matches(request.filter, event)
        return Fit.TAKE if wanted else Fit.DROP

    return decide


def _event(body: str) -> Mapping[str, Any] | None:
    try:
        event = parse(body)
    except JsonTextError:
        return None
    return event if isinstance(event, dict) else None


def _matches(wanted: EventFilter, event: Mapping[str, Any] | None) -> bool:
    if not wanted:
        return True
    try:
        return event is not None and wanted.matches(event)
    except FilterError as error:
        raise FeedError(f"The filter's expression {error}.") from error


class QueueFeed:
    """A queue that keeps messages: those that fit are taken off it, the others are given back at the end.

    Parameters
    ----------
    queue : KeptQueue
    target : str
        The consumer that its messages are for.
    decide : callable
        Says what to do with a message.
    now : callable
        Seconds since 1970.
    quiet_seconds : float
        A queue that has given nothing for the job for so long has nothing more.
    visibility_seconds : int
        How long nobody else receives what was taken: longer than a feed is open.
    checkpoint : mapping
        Where the feed before this one ended.
    """

    def __init__(
        self,
        queue: KeptQueue,
        target: str,
        decide: Callable[[Message], Fit],
        now: Callable[[], float],
        *,
        quiet_seconds: float,
        visibility_seconds: int,
        checkpoint: Mapping[str, Any],
    ) -> None:
        self.read = 0
        self.skipped = 0
        self._queue = queue
        self._target = target
        self._decide = decide
        self._now = now
        self._quiet_seconds = quiet_seconds
        self._visibility_seconds = visibility_seconds
        # What a worker that died had taken shows again only now: until then, silence does not mean that it is all.
        self._hidden_until = float(checkpoint.get("hiddenUntil", 0))
        # It is quiet from when it was first asked in vain: what has not been asked for is no silence.
        self._quiet_since: float | None = None
        self._open = True
        self._taken: dict[str, str] = {}
        self._left: dict[str, None] = {}

    def take(self, most: int) -> list[Item]:
        """Give at most so many messages; waits a second where there is none."""
        return self._take(most, wait_seconds=1)

    def _take(self, most: int, wait_seconds: int) -> list[Item]:
        give_up_at = self._now() + _LOOKING_SECONDS
        while received := self._received(most, wait_seconds):
            if items := self._sorted(received):
                return items
            if self._now() >= give_up_at:
                return []
        if self._quiet_since is None:
            self._quiet_since = self._now()
        return []

    def _received(self, most: int, wait_seconds: int) -> Sequence[Received]:
        try:
            return self._queue.receive(most, self._visibility_seconds, wait_seconds)
        except UnavailableError:
            # It may have handed out what never got here.
            self._hidden_until = self._now() + self._visibility_seconds
            raise

    def _sorted(self, received: Sequence[Received]) -> list[Item]:
        # Whatever happens before it is known what to do with a message, it is given back.
        self._left.update((one.receipt, None) for one in received)
        fits = [self._decide(one.message) for one in received]
        taken = [one for one, fit in zip(received, fits, strict=True) if fit is Fit.TAKE]
        for one in taken:
            del self._left[one.receipt]
            self._taken[one.message.id] = one.receipt
        self._drop([one.receipt for one, fit in zip(received, fits, strict=True) if fit is Fit.DROP])
        self.read += len(taken)
        if any(fit is not Fit.LATER for fit in fits):
            self._quiet_since = None
        return [Item(one.message, self._target) for one in taken]

    def _drop(self, receipts: Sequence[str]) -> None:
        if receipts:
            kept = {receipts[position] for position in self._queue.delete(receipts)}
            for receipt in set(receipts) - kept:
                del self._left[receipt]
            self.read += len(receipts) - len(kept)
            self.skipped += len(receipts) - len(kept)

    def poll(self, most: int) -> list[Item]:
        """Give at most so many messages, without waiting for any."""
        return self._take(most, wait_seconds=0)

    def done(self, message_ids: Collection[str]) -> None:
        """Delete messages that were dealt with; one that SQS keeps comes again, which does no harm."""
        known = [one for one in message_ids if one in self._taken]
        if known:
            self._queue.delete([self._taken[one] for one in known])
        for one in known:
            del self._taken[one]

    def is_exhausted(self) -> bool:
        """Tell whether it has been quiet for long enough, and nothing of a dead worker's is still to show."""
        if self._taken or self._quiet_since is None:
            return False
        return self._now() >= max(self._hidden_until, self._quiet_since) + self._quiet_seconds

    def checkpoint(self) -> Mapping[str, Any]:
        """Give until when what this feed may hold is hidden, were it to end now, or what one before it held."""
        until = self._now() + self._visibility_seconds if self._open else self._hidden_until
        return {"hiddenUntil": ceil(until)} if until > self._now() else {}

    def close(self) -> None:
        """Give back what was taken and not done, and what was left to others."""
        receipts = [*self._taken.values(), *self._left]
        self._taken.clear()
        self._left.clear()
        for start in range(0, len(receipts), SQS_CALL.entries):
            self._queue.give_back(receipts[start : start + SQS_CALL.entries])
        self._open = False

    def abandon(self) -> bool:
        """Leave everything where it is: a queue keeps what it keeps."""
        return True


class ArchiveFeed:
    """An archive that EventBridge replays, part by part, into the replay buffers of the job's targets.

    Parameters
    ----------
    job : Job
    replays : Replays
    buffers : mapping
        The feed of each target's buffer, by the ARN of its replay rule.
    now : callable
        Seconds since 1970.
    """

    def __init__(self, job: Job, replays: Replays, buffers: Mapping[str, QueueFeed], now: Callable[[], float]) -> None:
        self._window = job.request.window
        self._earlier_ends = job.earlier_ends
        self._id = job.id
        self._replays = replays
        self._rules = sorted(buffers)
        self._buffers = [buffers[rule] for rule in self._rules]
        self._now = now
        self._turn = 0
        kept = job.checkpoint
        self._run = int(kept.get("run", job.run))
        goes_on = "from" in kept and self._run >= job.whole_since
        self._from = datetime.fromisoformat(kept["from"]) if goes_on else self._window.start
        self._part = int(kept.get("part", 0))
        self._started = bool(kept.get("started"))
        self._newest_run = job.run
        self._over = False
        self._cancelled = False
        self._asked_at = float("-inf")

    @property
    def read(self) -> int:
        """Messages that it has looked at."""
        return sum(buffer.read for buffer in self._buffers)

    @property
    def skipped(self) -> int:
        """Of those, how many the job leaves out."""
        return sum(buffer.skipped for buffer in self._buffers)

    def take(self, most: int) -> list[Item]:
        """Give messages of one buffer, each in its turn; where none has any, see how far the replay is."""
        for _ in self._buffers:
            buffer = self._buffers[self._turn]
            self._turn = (self._turn + 1) % len(self._buffers)
            if items := buffer.poll(most):
                return items
        self._advance()
        return []

    def _advance(self) -> None:
        part = chunk(self._whole(), self._from)
        if part is None:
            self._over = True
        elif self._is_to_ask():
            if self._run != self._newest_run:
                # A run of its own replays the part that the one before was in from its beginning.
                self._cancel(self._name(self._run, self._part))
                self._run, self._started = self._newest_run, False
            name = self._name(self._run, self._part)
            if not self._started:
                # The name is the same whoever starts it: a worker which died in between has started this very one.
                self._started = self._replays.start(name, part, self._rules)
                return
            state, reason = self._replays.state(name)
            if state in {ReplayState.FAILED, ReplayState.CANCELLED}:
                raise FeedError(f"The replay {name} was {state.name.lower()}: {reason or 'no reason is given'}.")
            if state is ReplayState.COMPLETED and all(buffer.is_exhausted() for buffer in self._buffers):
                self._from, self._part, self._started = part.end, self._part + 1, False
                self._asked_at = float("-inf")

    def _whole(self) -> Window:
        """Give the window as it is cut into parts from here on.

        What was started under a part's name, by whomever, went no further than the window did then. So a window that
        was extended is cut as before up to where it ended, and only behind that as it is now.
        """
        ends = (end for end in self._earlier_ends if self._from <= end)
        return replace(self._window, end=next(ends, self._window.end))

    def _is_to_ask(self) -> bool:
        if self._now() < self._asked_at + _ASKING_SECONDS:
            return False
        self._asked_at = self._now()
        return True

    def _name(self, run: int, part: int) -> str:
        return f"{self._id}.{run}.{part}"

    def _cancel(self, name: str) -> bool:
        """Cancel a replay; tell whether nothing more comes of it."""
        try:
            self._replays.cancel(name)
            return self._replays.state(name)[0] is not ReplayState.ACTIVE
        except NotFoundError:
            return True

    def done(self, message_ids: Collection[str]) -> None:
        """Take note of messages that were dealt with."""
        for buffer in self._buffers:
            buffer.done(message_ids)

    def is_exhausted(self) -> bool:
        """Tell whether every part was replayed, and every buffer is empty."""
        return self._over and all(buffer.is_exhausted() for buffer in self._buffers)

    def checkpoint(self) -> Mapping[str, Any]:
        """Give the part that is being replayed."""
        hidden = [one for buffer in self._buffers for one in buffer.checkpoint().values()]
        place = {"from": timestamp(self._from), "part": self._part, "started": self._started, "run": self._run}
        return {**place, "hiddenUntil": max(hidden)} if hidden else place

    def close(self) -> None:
        """Give back what was taken and not done."""
        for buffer in self._buffers:
            buffer.close()

    def abandon(self) -> bool:
        """Cancel the replay, and take what it has put into the buffers away: the archive still has it."""
        if not self._cancelled and self._is_to_ask():
            # What a worker that died has started may not be on record.
            runs, parts = {self._run, self._newest_run}, (self._part, self._part + 1)
            self._cancelled = all(self._cancel(self._name(run, part)) for run in sorted(runs) for part in parts)
        for buffer in self._buffers:
            buffer.done([item.message.id for item in buffer.take(SQS_CALL.entries)])
        return self._cancelled and all(buffer.is_exhausted() for buffer in self._buffers)


@dataclass(frozen=True, slots=True)
class _Position:
    hour: str
    key: str
    line: int


class StoredFeed:
    """Events in a bucket, read object by object and line by line, so that memory stays flat however many there are.

    Parameters
    ----------
    job : Job
    store : Store
    target : str
        The consumer.
    rule : Rule or None
        The rule that feeds it off the bus; None where it takes what the topic carries.
    lag : timedelta
        The longest it takes an event to arrive in the bucket.
    now : callable
        Seconds since 1970.
    """

    def __init__(
        self, job: Job, store: Store, target: str, rule: Rule | None, *, lag: timedelta, now: Callable[[], float]
    ) -> None:
        self.read = 0
        self.skipped = 0
        self._request = job.request
        self._store = store
        self._target = target
        self._rule = rule
        self._lag = lag
        self._now = now
        kept = job.checkpoint
        self._read_to = _Position(kept.get("hour", ""), kept.get("key", ""), int(kept.get("line", 0)))
        self._pending: deque[tuple[str, _Position]] = deque()
        self._lines = self._all_lines()
        self._over = False

    def take(self, most: int) -> list[Item]:
        """Give at most so many events; looks for them only for a moment."""
        items: list[Item] = []
        give_up_at = self._now() + _LOOKING_SECONDS
        while len(items) < most and not self._over and self._now() < give_up_at:
            try:
                position, text = next(self._lines)
            except StopIteration:
                self._over = True
                break
            message = self._message(position, text)
            before, self._read_to = self._read_to, position
            self.read += 1
            if message is None:
                self.skipped += 1
                continue
            self._pending.append((message.id, before))
            items.append(Item(message, self._target))
        return items

    def _all_lines(self) -> Generator[tuple[_Position, str]]:
        start = self._read_to
        for moment in arrival_hours(self._request.window, self._lag, datetime.fromtimestamp(self._now(), UTC)):
            hour = timestamp(moment)
            if hour == start.hour:
                # It may have been moved away since then, as what is damaged is.
                with suppress(NotFoundError):
                    yield from self._rest_of(start)
            if hour >= start.hour:
                for stored in self._store.objects(moment, start.key if hour == start.hour else ""):
                    yield from self._rest_of(_Position(hour, stored.key, 0))

    def _rest_of(self, start: _Position) -> Generator[tuple[_Position, str]]:
        try:
            with self._store.lines(start.key) as lines:
                for number, line in enumerate(lines, 1):
                    if number > start.line and line.strip():
                        yield replace(start, line=number), line
        except (EOFError, OSError, ValueError) as error:
            raise FeedError(
                f"The object {start.key} is damaged ({type(error).__name__}): mend it or move it away, and resume."
            ) from error

    def _message(self, position: _Position, line: str) -> Message | None:
        event = _event(line)
        if event is None:
            raise FeedError(
                f"The object {position.key} is damaged in line {position.line}: mend it or move it away, and resume."
            )
        moment = happened_at(event)
        if moment is None or moment not in self._request.window or not _matches(self._request.filter, event):
            return None
        if self._rule is not None and not self._rule.takes(event):
            return None
        identifier = f"{position.key}:{position.line}"
        return Message(identifier, unwrapped(line.rstrip("\n"), event), {}, timestamp(moment))

    def done(self, message_ids: Collection[str]) -> None:
        """Take note of events that were dealt with."""
        self._pending = deque(one for one in self._pending if one[0] not in message_ids)

    def is_exhausted(self) -> bool:
        """Tell whether every object was read, and all that was taken was dealt with."""
        return self._over and not self._pending

    def checkpoint(self) -> Mapping[str, Any]:
        """Give the last line before the first that was not dealt with."""
        position = self._pending[0][1] if self._pending else self._read_to
        if not position.key:
            return {}
        return {"hour": position.hour, "key": position.key, "line": position.line}

    def close(self) -> None:
        """Close the object that is open."""
        self._lines.close()

    def abandon(self) -> bool:
        """Leave everything where it is."""
        return True
