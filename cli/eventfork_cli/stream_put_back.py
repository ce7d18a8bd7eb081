"""What `eventfork events put-back` does: the order stream's failed batches, forwarded as the stream's function does."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from eventfork import bus_events, order_stream
from eventfork.adapters.event_bus import EventBus
from eventfork.adapters.failed_batches import FailedBatches
from eventfork.adapters.sqs import Queue
from eventfork.forwarding import Forwarder, Outcome
from eventfork.order_stream import Change
from rich.console import Console

from eventfork_cli.display import lines

__all__ = ["Batches", "Forward", "forwarder", "uninvolved"]

Forward = Callable[[Sequence[Change]], Outcome]


def forwarder(bus: EventBus, quarantine: Queue, sleep: Callable[[float], object]) -> Forward:
    """Give what the stream's function does with changes."""
    forwarding = Forwarder(
        prepare=order_stream.prepare,
        send=lambda prepared: bus_events.send(prepared, bus.put, sleep),
        park=quarantine.quarantine,
    )
    return lambda changes: forwarding.forward(order_stream.messages(changes))


def uninvolved() -> Forward:
    """Give the same without anything that is sent or set aside."""
    forwarding = Forwarder(prepare=order_stream.prepare, send=lambda _: (), park=lambda _message, _reason: None)
    return lambda changes: forwarding.forward(order_stream.messages(changes))


@dataclass(slots=True)
class Batches:
    """The failed batches, and what became of them.

    Attributes
    ----------
    stored : FailedBatches
    bucket : str
    dry_run : bool
        Nothing is put, set aside or deleted.
    read, removed, put, set_aside, failed : int
        Batches that were read and deleted; changes that were put on the bus, that went to quarantine, and that stay.
    damaged : list of str
        Keys of objects that are no batches.
    """

    stored: FailedBatches
    bucket: str
    dry_run: bool
    read: int = 0
    removed: int = 0
    put: int = 0
    set_aside: int = 0
    failed: int = 0
    damaged: list[str] = field(default_factory=list)
    _key: str = ""

    @property
    def left(self) -> int:
        """Batches that were read and are still there."""
        return self.read - self.removed

    def keys(self) -> Iterable[str]:
        """Give the key of every batch, the oldest first."""
        return self.stored.keys()

    def changes(self, key: str) -> Sequence[Change]:
        """Read the changes of a batch; a damaged one has none."""
        self.read += 1
        self._key = key
        try:
            return self.stored.changes(key)
        except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError):
            self.damaged.append(key)
            return ()

    def delete(self, key: str) -> None:
        """Forget a batch, unless nothing was done with it."""
        if not self.dry_run:
            self.stored.delete(key)
            self.removed += 1

    def counting(self, forward: Forward) -> Forward:
        """Count what becomes of the changes; what is damaged stays."""

        def counted(changes: Sequence[Change]) -> Outcome:
            if self._key in self.damaged:
                return Outcome(received=0, failed={self._key})
            outcome = forward(changes)
            self.put += outcome.sent
            self.set_aside += outcome.parked
            self.failed += len(outcome.failed)
            return outcome

        return counted

    def document(self) -> dict[str, Any]:
        """Give it for scripts."""
        return {
            "bucket": self.bucket,
            "dry_run": self.dry_run,
            "batches": self.read,
            "put": self.put,
            "quarantined": self.set_aside,
            "failed": self.failed,
            "batches_removed": self.removed,
            "batches_left": self.left,
            "damaged": self.damaged,
        }

    def show(self, console: Console) -> None:
        """Print it for people."""
        for sentence in self._sentences():
            lines(console, sentence)

    def _sentences(self) -> Iterator[str]:
        place = f"s3://{self.bucket}"
        if not self.read:
            yield f"There is nothing to put back in {place}."
            return
        if self.dry_run:
            yield f"{_counted(self.read, 'batch', 'batches')} of {place} can be put back:"
            yield f"{_counted(self.put, 'event')} for the bus, {_counted(self.set_aside, 'change')} for the quarantine."
        else:
            yield f"{_counted(self.put, 'event')} put on the bus, {_counted(self.set_aside, 'change')} quarantined."
        for key in self.damaged:
            yield f"{place}/{key} is no batch that can be read: look at it, and delete it."
        if self.failed:
            yield (
                f"{_counted(self.failed, 'change')} not taken: check that the bus is there and that you may put events "
                "on it (events:PutEvents, sqs:SendMessage on the quarantine), and run it again."
            )
        if self.left and not self.dry_run:
            yield f"{_counted(self.left, 'batch', 'batches')} left in {place}."


def _counted(count: int, one: str, several: str = "") -> str:
    return f"{count:,} {one if count == 1 else several or f'{one}s'}"
