"""What is known of each permission of each function's role: which test misses it, or why none can."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from security.permissions import Permission
from tests.templates import PROJECT_ROOT

__all__ = ["Verdict", "closing", "read_report", "summary", "write_report"]

REPORT: Final = PROJECT_ROOT / "docs" / "security" / "role-actions.md"
NOTHING: Final = "**nothing**"
HEAD: Final = (
    "# What each function's role may do, and what misses it",
    "",
    "Made by `make mutate-roles`, which takes each permission away by itself: the test named failed without it.",
    "What the local engine never asks for no test can miss. `tests/template/test_roles.py` holds it to the templates.",
    "",
    "| role | statement | action | missed by |",
    "|---|---|---|---|",
)


class Verdict(NamedTuple):
    """What became of a mutant: which test missed the permission, or why none can."""

    permission: Permission
    killed_by: str = ""
    static: str = ""

    @property
    def survived(self) -> bool:
        """Whether nothing missed the permission."""
        return not self.killed_by and not self.static


def write_report(verdicts: Sequence[Verdict]) -> None:
    """Write the report, a row for each permission."""
    rows = [
        f"| {' | '.join(one.permission)} | {f'`{one.killed_by}`' if one.killed_by else one.static or NOTHING} |"
        for one in verdicts
    ]
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text("\n".join([*HEAD, *rows, "", closing(verdicts), ""]), encoding="utf-8")


def read_report() -> dict[Permission, Verdict]:
    """Read the last report."""
    lines = REPORT.read_text(encoding="utf-8").splitlines() if REPORT.exists() else []
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    verdicts = {}
    for role, sid, action, by in rows[1:]:
        permission = Permission(role, sid, action)
        if by.startswith("`"):
            verdicts[permission] = Verdict(permission, killed_by=by.strip("`"))
        else:
            verdicts[permission] = Verdict(permission, static="" if by == NOTHING else by)
    return verdicts


def closing(verdicts: Sequence[Verdict]) -> str:
    """Count what became of permissions, in a line."""
    killed = sum(bool(one.killed_by) for one in verdicts)
    static = sum(bool(one.static) for one in verdicts)
    survivors = sum(one.survived for one in verdicts)
    return f"mutants {killed + survivors}, killed {killed}, survivors {survivors}, static {static}"


def summary(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Give a line for each role, and one for each permission that nothing misses."""
    by_role: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        by_role[verdict.permission.role].append(verdict)
    for role, ofs in by_role.items():
        yield f"{role}: {closing(ofs)}"
    for verdict in verdicts:
        if verdict.survived:
            yield f"survived: {' '.join(verdict.permission)}"
