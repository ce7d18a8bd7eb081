"""The pace of a replay: so many events per second, with what a short interruption cost made up for, and no more."""

from dataclasses import dataclass
from typing import Final

__all__ = ["Pace"]

_BURST_SECONDS: Final = 1.0
"""How much of the past is made up for: over any stretch of time, at most one second's worth more than was asked."""
_STEPS_PER_SECOND: Final = 5
"""Events are sent together as far as that keeps them this evenly spread."""


@dataclass(slots=True)
class Pace:
    """A token bucket, told by one moment, so that the next worker goes on with it.

    Attributes
    ----------
    rate : float or None
        Events per second; None for as fast as it goes.
    ready_at : float
        When the next event was due, in seconds since 1970.
    """

    rate: float | None
    ready_at: float

    def allowance(self, now: float, most: int) -> int:
        """Give how many events may be sent now: none, or as many as are sent together, `most` at the most."""
        if self.rate is None:
            return most
        self.ready_at = max(self.ready_at, now - max(_BURST_SECONDS, 1 / self.rate))
        due = int((now - self.ready_at) * self.rate + 1e-6)
        return min(due, most) if due >= min(self._step(), most) else 0

    def wait(self, now: float, most: int) -> float:
        """Give the seconds until `allowance` is more than none."""
        if self.rate is None:
            return 0.0
        return max(0.0, self.ready_at + min(self._step(), most) / self.rate - now)

    def spend(self, events: int) -> None:
        """Take note of events that were sent."""
        if self.rate is not None:
            self.ready_at += events / self.rate

    def _step(self) -> int:
        return max(1, int((self.rate or 0) / _STEPS_PER_SECOND))
