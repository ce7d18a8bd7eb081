"""Which findings are no fault: `suppressions.toml`, where each entry names a rule, the places, and the reason.

An entry that matches no finding has outlived what it excuses, and is a fault itself; so is one without a reason.
"""

import fnmatch
import tomllib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from security.outcome import Outcome, Suppression

__all__ = ["Entry", "Finding", "entries", "judge"]

FILE: Final = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes
    ----------
    rule : str
        Name of the rule.
    place : str
        Where: a path, and what in it.
    sentence : str
        What is wrong, or what to do about it.
    """

    rule: str
    place: str
    sentence: str


@dataclass(frozen=True)
class Entry:
    """A rule that is no fault in some places.

    Attributes
    ----------
    rule : str
        Name of the rule.
    places : tuple of str
        Where, with the wildcards of the shell; each has to match a finding.
    reason : str
        Why it is no fault.
    """

    rule: str
    places: tuple[str, ...]
    reason: str

    def matches(self, finding: Finding, place: str) -> bool:
        """Tell whether one of its places holds this finding."""
        return finding.rule == self.rule and fnmatch.fnmatchcase(finding.place, place)


def entries(check: str, file: Path = FILE) -> list[Entry]:
    """Read the entries for a check."""
    listed = tomllib.loads(file.read_text(encoding="utf-8")).get(check, [])
    return [Entry(one["rule"], tuple(one["places"]), " ".join(one.get("reason", "").split())) for one in listed]


def judge(findings: Collection[Finding], excused: Iterable[Entry], *, checked: int) -> Outcome:
    """Tell faults from what is excused, and complain of excuses for nothing."""
    left = set(findings)
    faults: list[str] = []
    suppressions: list[Suppression] = []
    for entry in excused:
        faults += [
            f"suppressions.toml excuses {entry.rule} in {place}, where nothing is found: remove that."
            for place in entry.places
            if not any(entry.matches(finding, place) for finding in findings)
        ]
        held = {finding for finding in left if any(entry.matches(finding, place) for place in entry.places)}
        left -= held
        if held:
            suppressions.append(Suppression(len(held), f"{entry.rule} in {', '.join(entry.places)}", entry.reason))
    found = sorted(f"{finding.rule} in {finding.place}: {finding.sentence}" for finding in left)
    return Outcome(checked, len(faults) + len(found), tuple(suppressions), (*faults, *found))
