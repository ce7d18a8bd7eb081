"""Putting back what a stream's consumer failed too often: each stored batch is forwarded again, then forgotten."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from eventfork.forwarding import Outcome
from eventfork.order_stream import Change

__all__ = ["StoredBatches", "put_back"]


class StoredBatches(Protocol):
    """Where batches that failed too often are kept."""

    def keys(self) -> Iterable[str]:
        """Give the key of every batch, the oldest first."""

    def changes(self, key: str) -> Sequence[Change]:
        """Read the changes of a batch."""

    def delete(self, key: str) -> None:
        """Forget a batch."""


def put_back(stored: StoredBatches, forward: Callable[[Sequence[Change]], Outcome]) -> Outcome:
    """Forward every stored batch; one stays where it is unless all of it was sent or parked.

    An event that had been put before its batch failed is put again, as the same event.

    Parameters
    ----------
    stored : StoredBatches
    forward : callable
        Does with changes what the stream's function does with them.

    Returns
    -------
    Outcome
        The sum over all batches; `failed` holds the positions of changes whose batches stay.

    Raises
    ------
    UnavailableError
        If the batches cannot be listed, read or deleted; those that were deleted have been forwarded.
    """
    total = Outcome(received=0)
    for key in stored.keys():  # noqa: SIM118 - not a mapping
        outcome = forward(stored.changes(key))
        total.received += outcome.received
        total.sent += outcome.sent
        total.parked += outcome.parked
        total.failed |= outcome.failed
        if not outcome.failed:
            stored.delete(key)
    return total
