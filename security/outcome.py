"""What a check found, and the lines in which a check says so.

Reads and writes text only, so that a check of any kind, in an environment of its own, can be understood: its last line
is `checked N, failed N, suppressed N`, and each suppression stands above it with its reason. A check that ends without
such a line could not run.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

__all__ = ["CouldNotRunError", "Outcome", "Suppression", "read_summary"]

SUMMARY: Final = re.compile(r"checked ([\d,]+), failed ([\d,]+), suppressed ([\d,]+)\W*$")
SUPPRESSED: Final = re.compile(r"suppressed (\d+): (.+?): *(.*)$")
FAILED: Final = "failed: "
ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class CouldNotRunError(Exception):
    """A check came to no result; its message says why."""


@dataclass(frozen=True)
class Suppression:
    """Findings that are no fault.

    Attributes
    ----------
    count : int
        How many findings.
    what : str
        The rule, and where.
    reason : str
        Why they are no fault.
    """

    count: int
    what: str
    reason: str


@dataclass(frozen=True)
class Outcome:
    """What a check found.

    Attributes
    ----------
    checked : int
        How many things were looked at.
    failed : int
        How many of them are at fault.
    suppressions : tuple of Suppression
        What is no fault, and why.
    faults : tuple of str
        A sentence for each fault that the check named.
    """

    checked: int
    failed: int
    suppressions: tuple[Suppression, ...] = ()
    faults: tuple[str, ...] = field(default=())

    @property
    def suppressed(self) -> int:
        """How many findings are suppressed."""
        return sum(suppression.count for suppression in self.suppressions)

    @property
    def passed(self) -> bool:
        """Whether something was checked, nothing failed, and each suppression has its reason."""
        return self.checked > 0 and self.failed == 0 and all(one.reason for one in self.suppressions)

    def lines(self) -> Iterable[str]:
        """Give the lines that `read_summary` reads."""
        for fault in self.faults:
            yield FAILED + fault
        for one in self.suppressions:
            yield f"suppressed {one.count}: {one.what}: {one.reason}"
        yield f"checked {self.checked}, failed {self.failed}, suppressed {self.suppressed}"


def read_summary(output: str) -> Outcome:
    """Read the outcome out of what a check printed.

    Raises
    ------
    CouldNotRunError
        There is no line that sums up.
    """
    lines = [ESCAPES.sub("", line).strip() for line in output.splitlines()]
    lines = [line for line in lines if line]
    sums = [found for line in lines if (found := SUMMARY.search(line))]
    if not sums:
        raise CouldNotRunError(lines[-1] if lines else "it printed nothing")
    checked, failed, suppressed = (int(number.replace(",", "")) for number in sums[-1].groups())
    suppressions = [
        Suppression(int(found[1]), found[2], found[3]) for line in lines if (found := SUPPRESSED.match(line))
    ]
    unexplained = suppressed - sum(one.count for one in suppressions)
    if unexplained > 0:
        suppressions.append(Suppression(unexplained, "not said what", ""))
    faults = tuple(line.removeprefix(FAILED) for line in lines if line.startswith(FAILED))
    return Outcome(checked, failed, tuple(suppressions), faults)
