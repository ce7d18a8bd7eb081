"""What can be replayed from and to: which queue, bucket or archive a job's source means for its target."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from eventfork import replay
from eventfork.forwarding import Forwarder, Message, Outcome
from eventfork.replay_feeds import (
    ArchiveFeed,
    Feed,
    FeedError,
    Fit,
    Item,
    KeptQueue,
    QueueFeed,
    Replays,
    Store,
    StoredFeed,
    kept_before,
    replayed_by,
)
from eventfork.replay_jobs import ForbiddenError, Job, Request, Source, State, UnknownError
from eventfork.replay_plans import Sighting
from eventfork.replay_targets import Rule, Target

__all__ = ["OPEN", "Places", "ReplayQueue", "Timing"]

OPEN: Final = frozenset({"OPEN", "HALF_OPEN", "FORCED_OPEN"})
"""States of a circuit in which what it guards is not to be called by a replay."""
_COUNTING_SECONDS: Final = 15.0
"""A command has 29 seconds in all: API Gateway waits no longer."""
_COUNTED_AT_ONCE: Final = 1_000
_LEEWAY_SECONDS: Final = 30


class ReplayQueue(KeptQueue, Protocol):
    """A queue, to read from and to send to."""

    def send(self, messages: Sequence[tuple[str, Mapping[str, Any]]]) -> Sequence[int]:
        """Send messages; give the positions of those that were refused."""

    def approximate_count(self) -> int:
        """Give about how many messages it holds."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long things take.

    Attributes
    ----------
    archive_settles, backup_settles : timedelta
        Until an event can be read from there.
    backup_lag : timedelta
        The longest it takes an event to arrive in a bucket.
    slice_seconds : int
        How long a job is worked on at a stretch.
    quiet_seconds : float
        A queue that has given nothing for so long has nothing more.
    """

    archive_settles: timedelta
    backup_settles: timedelta
    backup_lag: timedelta
    slice_seconds: int
    quiet_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Everything that is kept, and everything that can be sent to.

    Attributes
    ----------
    known : mapping
        The consumers by name.
    rules_of_bus : callable
        Reads the rules of the bus.
    default_archive : str
        Name of the archive of everything.
    archive_arn : callable
        Gives the ARN of an archive of the bus by its name.
    replays : callable
        Gives the replays of an archive by its ARN.
    queue : callable
        Gives a queue by its ARN.
    replay_queue_arn : str
        The queue that keeps what the topic carried; empty for none.
    topic_events, bus_events : Store
        What the topic carried, and what was put on the bus, in buckets.
    circuit_state : callable
        Gives the state of a circuit by its name, None if it has none.
    park : callable
        Puts a message that can never be replayed, with the reason, where an operator finds it.
    timing : Timing
    maximum_hops : int
        How often a message may be replayed.
    now : callable
        Seconds since 1970.
    sleep : callable
        Waits so many seconds.
    """

    known: Mapping[str, Target]
    rules_of_bus: Callable[[], Sequence[Rule]]
    default_archive: str
    archive_arn: Callable[[str], str]
    replays: Callable[[str], Replays]
    queue: Callable[[str], ReplayQueue]
    replay_queue_arn: str
    topic_events: Store
    bus_events: Store
    circuit_state: Callable[[str], str | None]
    park: Callable[[Message, str], None]
    timing: Timing
    maximum_hops: int
    now: Callable[[], float]
    sleep: Callable[[float], object]

    def targets(self) -> Mapping[str, Target]:
        """Give the consumers by name."""
        return self.known

    def rules(self) -> Sequence[Rule]:
        """Give the rules of the bus."""
        return self.rules_of_bus()

    def archive(self, name: str) -> str:
        """Give the name of the archive meant, "" meaning that of everything, if it is one of the bus."""
        meant = name or self.default_archive
        self.archive_arn(meant)
        return meant

    def settles_after(self, source: Source) -> timedelta | None:
        """Give how long it takes until what happened last can be read from a source; None where that is at once."""
        match source:
            case Source.ARCHIVE:
                return self.timing.archive_settles
            case Source.BACKUP:
                return self.timing.backup_settles
            case Source.QUEUE | Source.DLQ:
                return None

    def count(self, request: Request, target: Target, rules: Sequence[Rule]) -> Sighting:
        """Count what a replay would send to a target: in the buckets event by event, on a queue as SQS tells."""
        if request.source in {Source.QUEUE, Source.DLQ}:
            held = self._kept_queue(request.source, target).approximate_count()
            return Sighting(held, False, ("What the queue holds in all, as SQS tells: window and filter not applied.",))
        return self._counted(request, target, rules)

    def _counted(self, request: Request, target: Target, rules: Sequence[Rule]) -> Sighting:
        at = datetime.fromtimestamp(self.now(), UTC)
        job = Job(id="plan", request=request, state=State.PLANNED, requested_at=at, starts_at=at)
        feed = self._stored(job, target, rules)
        events, give_up_at = 0, self.now() + _COUNTING_SECONDS
        notes = []
        try:
            while not feed.is_exhausted() and self.now() < give_up_at:
                items = feed.take(_COUNTED_AT_ONCE)
                feed.done({item.message.id for item in items})
                events += len(items)
            if not feed.is_exhausted():
                notes.append(f"Counting stopped after {_COUNTING_SECONDS:.0f} seconds: there are at least so many.")
        except FeedError as error:
            notes.append(f"Counting stopped, there are at least so many: {error}")
        finally:
            feed.close()
        if request.window.end + self.timing.backup_settles > at:
            notes.append("What happened last is not counted: it takes some time to arrive in the bucket.")
        return Sighting(events, not notes, tuple(notes))

    def open_circuit(self, job: Job) -> str | None:
        """Name an open circuit that guards what one of a job's targets calls, if there is one."""
        circuits = (self._target(name).circuit for name in job.request.targets)
        return next((one for one in circuits if one and self.circuit_state(one) in OPEN), None)

    def _target(self, name: str) -> Target:
        # A job may outlive what it was asked for.
        if name not in self.known:
            raise UnknownError(f"There is no consumer {name} any more.")
        return self.known[name]

    def feed(self, job: Job) -> Feed:
        """Open what a job reads from."""
        request = job.request
        targets = [self._target(name) for name in request.targets]
        match request.source:
            case Source.ARCHIVE:
                buffers = {
                    one.rule_arn: self._queue_feed(job, self.queue(one.buffer_queue_arn), one, replayed_by(job))
                    for one in targets
                }
                return ArchiveFeed(job, self.replays(self.archive_arn(request.archive)), buffers, self.now)
            case Source.BACKUP:
                return self._stored(job, targets[0], self.rules())
            case Source.QUEUE | Source.DLQ:
                queue = self._kept_queue(request.source, targets[0])
                return self._queue_feed(job, queue, targets[0], kept_before(job))

    def _kept_queue(self, source: Source, target: Target) -> ReplayQueue:
        arn = self.replay_queue_arn if source is Source.QUEUE else target.dead_letter_queue_arn
        if not arn:
            raise ForbiddenError(f"Nothing is kept for {target.name} in a {source}: replay it from {Source.BACKUP}.")
        return self.queue(arn)

    def _queue_feed(self, job: Job, queue: KeptQueue, target: Target, decide: Callable[[Message], Fit]) -> QueueFeed:
        return QueueFeed(
            queue,
            target.name,
            decide,
            self.now,
            quiet_seconds=self.timing.quiet_seconds,
            visibility_seconds=self.timing.slice_seconds + _LEEWAY_SECONDS,
            checkpoint=job.checkpoint,
        )

    def _stored(self, job: Job, target: Target, rules: Sequence[Rule]) -> StoredFeed:
        store, rule = self.topic_events, None
        if target.is_on_the_bus:
            rule = next((one for one in rules if one.arn == target.rule_arn), None)
            if rule is None:
                raise UnknownError(f"The bus has no rule {target.rule_arn}, which is to feed {target.name}.")
            store = self.bus_events
        return StoredFeed(job, store, target.name, rule, lag=self.timing.backup_lag, now=self.now)

    def forward(self, job: Job, items: Sequence[Item]) -> Outcome:
        """Send messages to their consumers, marked, and park what cannot be sent; `failed` has the ids of the rest."""
        total = Outcome(received=0)
        for name in dict.fromkeys(item.target for item in items):
            outcome = self._forwarder(job, self.queue(self._target(name).queue_arn)).forward(
                [item.message for item in items if item.target == name]
            )
            total.received += outcome.received
            total.sent += outcome.sent
            total.parked += outcome.parked
            total.failed |= outcome.failed
        return total

    def _forwarder(self, job: Job, queue: ReplayQueue) -> Forwarder[Mapping[str, Any]]:
        return Forwarder(
            prepare=lambda message: replay.prepare(message, job.id, self.maximum_hops),
            send=lambda prepared: replay.send(prepared, queue.send, self.sleep),
            park=self.park,
        )
