"""Write the texts of the pictures of state machines, from the tables that the code goes by.

Run by `make generate`; a test fails where a table was changed and its picture was not.
"""

import sys
from collections.abc import Collection, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, NamedTuple

from eventfork import circuits, replay_jobs

PROJECT_ROOT: Final = Path(__file__).resolve().parents[1]
FOLDER: Final = PROJECT_ROOT / "docs" / "architecture"


class Machine(NamedTuple):
    """A state machine, as it is drawn.

    Attributes
    ----------
    title : str
    start : StrEnum
        The state that all begin in.
    transitions : mapping
        From each state, those that may follow.
    ended : collection
        States in which nothing more happens by itself.
    """

    title: str
    start: StrEnum
    transitions: Mapping[Any, Collection[StrEnum]]
    ended: Collection[StrEnum]


MACHINES: Final[Mapping[str, Machine]] = {
    "replay-job.dot": Machine("A replay job", replay_jobs.State.PLANNED, replay_jobs.TRANSITIONS, replay_jobs.ENDED),
    "circuit.dot": Machine("A circuit", circuits.State.CLOSED, circuits.TRANSITIONS, ()),
}


def text(machine: Machine) -> str:
    """Give the text of a machine's picture."""
    lines = [
        f"// {machine.title}: which state may follow which. Written by `make generate`, drawn by `make pictures`.",
        "digraph states {",
        '    graph [rankdir=LR, fontname="Helvetica", nodesep=0.35, ranksep=0.6, pad=0.2, bgcolor="white"]',
        '    node  [fontname="Helvetica", fontsize=11, shape=box, style="rounded,filled", color="#5a6b7b"]',
        '    node  [fillcolor="#fde8c9"]',
        '    edge  [color="#5a6b7b", arrowsize=0.7]',
        '    begin [shape=point, width=0.12, fillcolor="#5a6b7b"]',
        f"    begin -> {machine.start}",
    ]
    lines += [f'    {state} [fillcolor="#eceff2"]' for state in machine.transitions if state in machine.ended]
    lines += [
        f"    {state} -> {following}" for state, after in machine.transitions.items() for following in sorted(after)
    ]
    return "\n".join([*lines, "}", ""])


def main() -> int:
    """Write the texts that are not as they should be, and name them."""
    for name, machine in MACHINES.items():
        path = FOLDER / name
        if not path.exists() or path.read_text(encoding="utf-8") != text(machine):
            path.write_text(text(machine), encoding="utf-8")
            print(f"{path.relative_to(PROJECT_ROOT)} is written anew.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
