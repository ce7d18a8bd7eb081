"""The window of a replay: which events, by their own time, and how it is cut so that it can go on where it ended."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from eventfork.timestamps import timestamp

__all__ = ["Window", "arrival_hours", "chunk", "window"]

_SECOND: Final = timedelta(seconds=1)
_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)
_MOST_CHUNKS: Final = 24
_CLOCKS_APART: Final = timedelta(minutes=5)
"""How far the clock of whoever gave an event its time may be ahead of the one that filed it by hour."""


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time; the seconds it starts and ends in belong to it, as EventBridge tells time by the second.

    Attributes
    ----------
    start, end : datetime
        In UTC, whole seconds.
    """

    start: datetime
    end: datetime

    def __contains__(self, moment: datetime) -> bool:
        """Whether an event of this time is in it."""
        return self.start <= moment.replace(microsecond=0) <= self.end

    def overlaps(self, other: "Window") -> bool:
        """Whether an event could be in both."""
        return self.start <= other.end and other.start <= self.end

    def document(self) -> dict[str, str]:
        """Give it for JSON."""
        return {"from": timestamp(self.start), "to": timestamp(self.end)}


def window(start: datetime, end: datetime) -> Window:
    """Give the window between two moments, widened to whole seconds."""
    whole = end.astimezone(UTC).replace(microsecond=0)
    return Window(
        start.astimezone(UTC).replace(microsecond=0),
        whole if whole == end else whole + _SECOND,
    )


def chunk(whole: Window, start: datetime) -> Window | None:
    """Give the part of a window that is replayed next, or None if `start` lies behind it.

    EventBridge replays minute by minute, so parts are cut at whole minutes; two parts share the moment they meet in,
    and the last goes one second beyond the window, so that nothing falls between. Each takes at least an hour, and
    there are at most 24 of them, as a part costs time to begin and to end.
    """
    if start > whole.end:
        return None
    length = max(_HOUR, _whole_minutes((whole.end - whole.start) / _MOST_CHUNKS))
    return Window(start, min(start.replace(second=0) + length, whole.end + _SECOND))


def _whole_minutes(length: timedelta) -> timedelta:
    return -(-length // _MINUTE) * _MINUTE


def arrival_hours(whole: Window, lag: timedelta, now: datetime) -> Iterator[datetime]:
    """Give every hour in which an event of the window can have arrived in a bucket that is filed by hour.

    Parameters
    ----------
    whole : Window
    lag : timedelta
        The longest it takes an event to arrive.
    now : datetime
        Nothing has arrived later.
    """
    hour = (whole.start - _CLOCKS_APART).replace(minute=0, second=0, microsecond=0)
    last = min(whole.end + lag, now)
    while hour <= last:
        yield hour
        hour += _HOUR
