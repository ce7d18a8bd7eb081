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

    Parameters
    ----------
    batches : iterable of sequences
        Each within the limits of one call.
    send : callable
        Sends one batch, gives the positions of the entries that were refused; raises `UnavailableError` if the call
        failed, which counts as refusing all of it.
    sleep : callable
        Waits so many seconds.
    """
    refused: list[Entry] = []
    for batch in batches:
        left = _sent(batch, send)
        for pause in PAUSES:
            if not left:
                break
            sleep(pause)
            left = _sent(left, send)
        refused += left
    return refused


def _sent(batch: Sequence[Entry], send: Callable[[Sequence[Entry]], Sequence[int]]) -> list[Entry]:
    try:
        return [batch[position] for position in send(batch)]
    except UnavailableError:
        return list(batch)
