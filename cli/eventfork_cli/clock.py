"""The clock that commands go by; a test runs them with another."""

import time
from datetime import UTC, datetime

import click

__all__ = ["Clock", "pass_clock"]


class Clock:
    """The time, and waiting."""

    def now(self) -> datetime:
        """Give the time, in UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Wait so many seconds."""
        time.sleep(seconds)


pass_clock = click.make_pass_decorator(Clock, ensure=True)
"""Gives a command the clock as its first argument."""
