"""Run checks one after the other, say what runs, and keep what each prints."""

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from security.checks import JUNIT, Check
from security.outcome import CouldNotRunError, Outcome

__all__ = ["Result", "run", "run_all", "write_report"]

LIMIT_SECONDS: Final = 7200
"""Longer than any check takes: one that hangs must not keep the table away."""
GRACE_SECONDS: Final = 20
OF_MAKE: Final = re.compile(r"make(\[\d+\])?: \*\*\*")

Progress = Callable[[Check, float], None]
"""Is told which check runs, and for how many seconds."""


@dataclass(frozen=True)
class Result:
    """How a check ended.

    Attributes
    ----------
    check : Check
        Which one.
    seconds : float
        How long it took.
    log : Path
        What it printed.
    outcome : Outcome or None
        What it found; None when it could not run.
    hindrance : str
        Why it could not run.
    """

    check: Check
    seconds: float
    log: Path
    outcome: Outcome | None
    hindrance: str = ""

    @property
    def passed(self) -> bool:
        """Whether it ran, and nothing is wrong."""
        return self.outcome is not None and self.outcome.passed


def run_all(checks: Sequence[Check], root: Path, logs: Path, progress: Progress) -> Iterator[Result]:
    """Run checks in a folder, and give how each ended."""
    logs.mkdir(parents=True, exist_ok=True)
    names = {check.name for check in checks}
    for check in checks:
        yield _read_along(check, logs) if check.along_with in names else run(check, root, logs, progress)


def _read_along(check: Check, logs: Path) -> Result:
    """Read the outcome of a check that another one has run on its way."""
    log = logs / f"{check.along_with}.log"
    try:
        return Result(check, 0, log, check.read(_printed(log, 0), logs / f"{check.along_with}.xml"))
    except CouldNotRunError as error:
        return Result(check, 0, log, None, str(error))


def run(check: Check, root: Path, logs: Path, progress: Progress, limit: float = LIMIT_SECONDS) -> Result:
    """Install what a check needs, run it, and read its outcome."""
    log, junit = logs / f"{check.name}.log", logs / f"{check.name}.xml"
    junit.unlink(missing_ok=True)
    started = time.monotonic()
    installed = ("make", "--no-print-directory", *(f".venvs/{name}/complete" for name in check.environments))
    command = tuple(part.replace(JUNIT, str(junit)) for part in check.command)
    outcome, hindrance, status, begun = None, "", 0, 0
    try:
        with log.open("wb") as file:
            for step in (installed, command):
                file.write(f"$ {' '.join(step)}\n".encode())
                file.flush()
                begun = file.tell()
                status = _status(step, root, file.fileno(), lambda: progress(check, time.monotonic() - started), limit)
                if status != 0 and step is installed and check.environments:
                    raise CouldNotRunError(_last_line(_printed(log, begun)))
        printed = _printed(log, begun)
        outcome = _held_to(status, check.read(printed, junit))
    except CouldNotRunError as error:
        hindrance = str(error)
    return Result(check, time.monotonic() - started, log, outcome, hindrance)


def _held_to(status: int, outcome: Outcome) -> Outcome:
    """A check that ends as failed did, whatever it counted."""
    if status == 0 or not outcome.passed:
        return outcome
    fault = f"it ended with status {status}, and counted no failure: see its log"
    return Outcome(outcome.checked, 1, outcome.suppressions, (fault,))


def _status(command: Sequence[str], root: Path, output: int, tick: Callable[[], None], limit: float) -> int:
    try:
        process = subprocess.Popen(
            command, cwd=root, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    except OSError as error:
        raise CouldNotRunError(f"{command[0]} does not start: {error.strerror}") from error
    deadline = time.monotonic() + limit
    try:
        while True:
            tick()
            if time.monotonic() > deadline:
                raise CouldNotRunError(f"it was stopped after {limit / 60:.0f} minutes")
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(timeout=1)
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a check that still runs, and what it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=GRACE_SECONDS)


def _printed(log: Path, begun: int) -> str:
    return log.read_bytes()[begun:].decode("utf-8", errors="replace")


def _last_line(printed: str) -> str:
    # make adds a line of its own to that of what failed.
    lines = [line for line in printed.splitlines() if line.strip() and not OF_MAKE.match(line)]
    return lines[-1] if lines else "what it needs could not be installed: see its log"


def write_report(results: Sequence[Result], file: Path) -> None:
    """Write how the checks ended as JSON."""
    report = [
        {
            "name": result.check.name,
            "title": result.check.title,
            "command": list(result.check.command),
            "passed": result.passed,
            "seconds": round(result.seconds, 1),
            "log": str(result.log),
            "hindrance": result.hindrance or None,
            "outcome": result.outcome and asdict(result.outcome),
        }
        for result in results
    ]
    file.write_text(
        json.dumps({"passed": all(result.passed for result in results), "checks": report}, indent=2) + "\n",
        encoding="utf-8",
    )
