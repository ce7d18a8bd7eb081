"""Run every security check of the project, and print one table of what they found.

Run it as `make security`; ARGS="--only checkov,bandit" runs those, ARGS="--quick" those that are fit for every change,
ARGS="--except integration" all others. It ends with 1 if anything failed, has no reason, or could not run.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.box import ASCII2, ROUNDED
from rich.console import Console
from rich.table import Table
from rich.text import Text

from security.checks import CHECKS, Check
from security.runner import Result, run_all, write_report

__all__ = ["chosen", "main", "show"]

PROJECT_ROOT: Final = Path(__file__).resolve().parents[1]
PLAIN_WIDTH: Final = 160
SAY_SECONDS: Final = 60
FAULTS_SHOWN: Final = 20


def chosen(arguments: Sequence[str], checks: Sequence[Check] = CHECKS) -> list[Check]:
    """Return the checks that the arguments ask for, in their own order."""
    names = [check.name for check in checks]

    def listed(text: str) -> set[str]:
        asked = set(text.split(","))
        unknown = sorted(asked - set(names))
        if unknown:
            raise argparse.ArgumentTypeError(f"there is no {', '.join(unknown)}; there are {', '.join(names)}")
        return asked

    parser = argparse.ArgumentParser(prog="make security", description=f"Checks: {', '.join(names)}.")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--only", type=listed, metavar="NAME,NAME", help="run these")
    which.add_argument("--quick", action="store_true", help="run those that are fit for every change")
    parser.add_argument(
        "--except", type=listed, default=set(), dest="left_out", metavar="NAME,NAME", help="leave these out"
    )
    asked = parser.parse_args(arguments)
    taken = asked.only or {check.name for check in checks if check.quick or not asked.quick}
    return [check for check in checks if check.name in taken - asked.left_out]


def show(results: Sequence[Result], left_out: Sequence[str], console: Console) -> None:
    """Print the table, below it the reasons for what is suppressed, and what is wrong."""
    table = Table(box=ROUNDED if console.is_terminal else ASCII2, title="Security checks", title_justify="left")
    table.add_column("rule set")
    for name in ("checked", "failed", "suppressed"):
        table.add_column(name, justify="right")
    table.add_column("outcome")
    for result in results:
        found = result.outcome
        numbers = (found.checked, found.failed, found.suppressed) if found else None
        cells = [f"{number:,}" for number in numbers] if numbers else ["-", "-", "-"]
        word = "passed" if result.passed else "FAILED" if found else "COULD NOT RUN"
        style = "green" if result.passed else "bold red"
        table.add_row(Text(f"{result.check.name}: {result.check.title}"), *cells, Text(word, style=style))
    console.print(table)
    _reasons(results, console)
    for result in results:
        if not result.passed:
            _faults(result, console)
    if left_out:
        console.print(Text(f"Left out, as asked: {', '.join(left_out)}."), soft_wrap=True)


def _reasons(results: Sequence[Result], console: Console) -> None:
    suppressions = [
        (result.check.name, one) for result in results if result.outcome for one in result.outcome.suppressions
    ]
    if suppressions:
        console.print(Text("Suppressed, because", style="bold"))
    for name, one in suppressions:
        reason = Text(one.reason) if one.reason else Text("NO REASON IS GIVEN", style="bold red")
        console.print(Text(f"  {name}: {one.count} of {one.what}: ") + reason, soft_wrap=True)


def _faults(result: Result, console: Console) -> None:
    console.print(
        Text(f"{result.check.name}", style="bold red") + Text(f": what it printed is in {result.log}"), soft_wrap=True
    )
    if result.outcome is None:
        console.print(Text(f"  could not run: {result.hindrance}"), soft_wrap=True)
        return
    if result.outcome.checked == 0:
        console.print(Text("  it looked at nothing"))
    for fault in result.outcome.faults[:FAULTS_SHOWN]:
        console.print(Text(f"  {fault}"), soft_wrap=True)
    more = len(result.outcome.faults) - FAULTS_SHOWN
    if more > 0:
        console.print(Text(f"  and {more} more"))


class _Progress:
    """Says which check runs, and for how long: on one line of a terminal, else once a minute."""

    def __init__(self, console: Console, count: int) -> None:
        self._console = console
        self._count = count
        self._number = 0
        self._running = ""
        self._said = 0.0

    def __call__(self, check: Check, seconds: float) -> None:
        if check.name != self._running:
            self._running = check.name
            self._number += 1
            self._said = 0.0
            self._console.print(
                Text(f"[{self._number}/{self._count}] {check.name}: {' '.join(check.command)}"), soft_wrap=True
            )
        elif self._console.is_terminal:
            self._console.print(Text(f"    {seconds:.0f} s"), end="\r")
        elif seconds - self._said >= SAY_SECONDS:
            self._said = seconds
            self._console.print(f"    still runs, {seconds:.0f} s")


def main(arguments: Sequence[str]) -> int:
    """Run, and print the table; 0 when all is well."""
    checks = chosen(arguments)
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=PLAIN_WIDTH)
    logs = PROJECT_ROOT / ".aws-sam" / "security"
    progress = _Progress(console, len(checks))
    results: list[Result] = []
    stopped = False
    try:
        for result in run_all(checks, PROJECT_ROOT, logs, progress):
            results.append(result)
            word = "passed" if result.passed else "failed" if result.outcome else "could not run"
            console.print(f"    {word} after {result.seconds:.0f} s")
    except KeyboardInterrupt:
        stopped = True
        console.print("Stopped; this is what there is:")
    show(results, [check.name for check in CHECKS if check not in checks], console)
    write_report(results, logs / "report.json")
    console.print(f"Logs and report.json: {logs.relative_to(PROJECT_ROOT)}")
    return 0 if not stopped and results and all(result.passed for result in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
