"""What IAM decided about the requests of functions, so that a denial shows at once."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.engine.process import Engine

__all__ = ["Decisions", "assert_nothing_denied", "watched"]

SETTLING_SECONDS = 15
QUIET_SECONDS = 3
_POLL_SECONDS = 0.1


class Decisions:
    """The decisions that an engine has recorded since the last look.

    Parameters
    ----------
    engine : Engine
        One that enforces IAM.
    """

    def __init__(self, engine: Engine) -> None:
        self._file: Path = engine.decisions_file
        self._read = self._file.stat().st_size
        self._denied: list[str] = []

    def begin(self, test: str) -> None:
        """Note that a test begins: what follows is decided meanwhile."""
        file = os.open(self._file, os.O_WRONLY | os.O_APPEND)
        os.write(file, json.dumps({"test": test, "at": time.time()}).encode() + b"\n")
        os.close(file)

    def denials(self) -> list[str]:
        """Give what was denied, a sentence each."""
        with self._file.open("rb") as file:
            file.seek(self._read)
            for line in file:
                self._read += len(line)
                decision = json.loads(line)
                if not decision.get("allowed", True):
                    said = "{role} may not {action} on {resource}".format(**decision)
                    self._denied += [] if said in self._denied else [said]
        return self._denied

    def settled(self) -> list[str]:
        """Wait until functions ask for nothing more, but not long, and give what was denied."""
        deadline, size, quiet_since = time.monotonic() + SETTLING_SECONDS, 0, time.monotonic()
        while not self.denials() and time.monotonic() < min(deadline, quiet_since + QUIET_SECONDS):
            if self._read != size:
                size, quiet_since = self._read, time.monotonic()
            time.sleep(_POLL_SECONDS)
        return self._denied

    def take(self) -> list[str]:
        """Give what was denied, and forget it."""
        denied = self.denials()
        self._denied = []
        return denied


_watched: list[Decisions] = []


@contextmanager
def watched(decisions: Decisions) -> Iterator[None]:
    """Have `assert_nothing_denied` look at these decisions meanwhile."""
    _watched.append(decisions)
    try:
        yield
    finally:
        _watched.pop()


def assert_nothing_denied() -> None:
    """Hold the decisions that are watched to no denial.

    Raises
    ------
    AssertionError
        If anything was denied; it says which role wanted to do what.
    """
    for decisions in _watched:
        assert not (denied := decisions.denials()), f"denied: {'; '.join(denied)}"
