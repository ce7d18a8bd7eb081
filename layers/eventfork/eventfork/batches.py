"""Batches: filled to a service's limits, and only what was refused is sent again."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeVar

from eventfork.errors import UnavailableError
from eventfork.limits import Limits

__all__ = ["PAUSES", "fill", "send_all"]

Entry = TypeVar("Entry")

PAUSES: Final = (0.2, 0.8)
"""Seconds before each resending within one invocation; what is refused after that comes back through the queue."""


def fill(entries: Iterable[Entry], limits: Limits, size: Callable[[Entry], int]) -> Iterator[list[Entry]]:
    """Group entries into batches, in order, each as full as the limits let it be."""
    batch: list[Entry] = []
    total = 0
    for entry in entries:
        weight = size(entry)
        if batch and (len(batch) == limits.entries or total + weight > limits.size):
            yield batch
            batch, total = [], 0
        batch.append(entry)
        total += weight
    if batch:
        yield batch


def send_all(
    batches: Iterable[Sequence[Entry]],
    send: Callable[[Sequence[Entry]], Sequence[int]],
    sleep: Callable[[float], object],
) -> list[Entry]:
    """Send batches, resending only the entries that the service refused, and give those it never took.

    A call that fails as a whole ends it: the AWS client has retried already, and to wait longer costs more than to
    receive the messages again.

    Parameters
    ----------
    batches : iterable of sequences
        Each within the limits of one call.
    send : callable
        Sends one batch, gives the positions of the entries that were refused; raises `UnavailableError` if the call
        failed, which counts as refusing all of it, and of what was to follow.
    sleep : callable
        Waits so many seconds.
    """
    never_taken: list[Entry] = []
    away = False
    for batch in batches:
        left = list(batch)
        for pause in (None, *PAUSES):
            if away or not left:
                break
            if pause is not None:
                sleep(pause)
            try:
                left = [left[position] for position in send(left)]
            except UnavailableError:
                away = True
        never_taken += left
    return never_taken
