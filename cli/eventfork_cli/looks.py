"""Looking at something again and again, by asking a service that may not answer for a moment."""

from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Final, TypeVar

from eventfork_cli.clock import Clock
from eventfork_cli.errors import ProblemError, UnreachableError

__all__ = ["looks"]

_SECONDS: Final = 1.0
_MISSES: Final = 5
"""In a row: a service that does not answer for a moment does not end hours of watching."""
Seen = TypeVar("Seen")


def looks(show: Callable[[], Seen], clock: Clock) -> Iterator[Seen]:
    """Give without end how something is now, about once a second.

    Parameters
    ----------
    show
        Gives how it is.
    clock
        Waits between one look and the next.

    Raises
    ------
    CommandError
        If it cannot be seen at all, or not for so many looks in a row.
    """
    misses = 0
    while True:
        try:
            seen = show()
        except (UnreachableError, ProblemError) as error:
            misses += 1
            lasting = isinstance(error, ProblemError) and error.status != HTTPStatus.SERVICE_UNAVAILABLE
            if lasting or misses >= _MISSES:
                raise
        else:
            misses = 0
            yield seen
        clock.sleep(_SECONDS)
