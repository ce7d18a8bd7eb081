"""Every check of `make security`: what it is called, what runs it, and how its outcome is read. Quick ones stand first.

A check that prints `checked N, failed N, suppressed N` as its last line needs no more than an entry here.
"""

import re
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

from security.outcome import CouldNotRunError, Outcome, Suppression, read_summary

__all__ = ["CHECKS", "JUNIT", "Check", "read_junit", "read_schemathesis"]

JUNIT: Final = "{junit}"
"""In a command: the file that the check writes its outcome to, as JUnit has it."""
PYTEST: Final = (sys.executable, "-m", "pytest", "--no-header", "--quiet", "--no-cov", f"--junitxml={JUNIT}")
GENERATED: Final = re.compile(
    r"(\d+) generated(?:, (\d+) found \d+ unique failures?)?(?:, \d+ passed)?(?:, (\d+) errored)?"
)
NOTED: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

Reader = Callable[[str, Path], Outcome]
"""Makes an outcome of what a check printed, and of the file named by `JUNIT`."""


def summary(output: str, _junit: Path) -> Outcome:
    """Read a check that sums up in its last line."""
    return read_summary(output)


def read_junit(output: str, junit: Path) -> Outcome:
    """Read a run of pytest; a test that was skipped counts as suppressed, for the reason that it gives."""
    try:
        suites = ET.parse(junit).getroot()
    except (OSError, ET.ParseError) as error:
        lines = [line for line in output.splitlines() if line.strip()]
        raise CouldNotRunError(lines[-1] if lines else "pytest printed nothing") from error
    cases = list(suites.iter("testcase"))
    if not cases:
        raise CouldNotRunError("no test was run")
    faults = [
        f"{case.get('classname')}.{case.get('name')}"
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    ]
    skipped = Counter(said.get("message", "") for case in cases if (said := case.find("skipped")) is not None)
    return Outcome(
        len(cases),
        len(faults),
        tuple(Suppression(count, "tests that were not run", reason) for reason, count in skipped.items()),
        tuple(faults),
    )


def read_schemathesis(output: str, _junit: Path) -> Outcome:
    """Read what schemathesis says of the requests that it generated."""
    found = GENERATED.search(NOTED.sub("", output))
    if found is None:
        lines = [line for line in output.splitlines() if line.strip()]
        raise CouldNotRunError(lines[-1] if lines else "schemathesis printed nothing")
    generated, failures, errors = (int(number or 0) for number in found.groups())
    return Outcome(generated, failures + errors)


@dataclass(frozen=True)
class Check:
    """A check.

    Attributes
    ----------
    name : str
        What it is chosen by.
    title : str
        The rules that it holds us to.
    command : tuple of str
        What runs it, from the root of the project.
    read : Callable
        Makes an outcome of what it printed.
    environments : tuple of str
        What make has to install before, below `.venvs/`; a command of make sees to that itself.
    quick : bool
        Whether it is fit for every change: seconds, and no engine.
    along_with : str
        Name of a check before it that runs it on its way, and writes its outcome as JUnit has it; empty for none.
    """

    name: str
    title: str
    command: tuple[str, ...]
    read: Reader = summary
    environments: tuple[str, ...] = ("main",)
    quick: bool = False
    along_with: str = ""


def _gate(module: str, environment: str = "main") -> tuple[str, ...]:
    return (f".venvs/{environment}/bin/python", "-m", f"security.{module}")


def _make(*arguments: str) -> tuple[str, ...]:
    # What `make security` was told is not for the makes below it, which would take it over.
    return ("make", "--no-print-directory", "ARGS=", *arguments)


ENGINE: Final = ("main", "functions", "engine", "sam")

CHECKS: Final = (
    Check("dependencies", "every dependency pinned and hashed", _gate("dependencies"), quick=True),
    Check("bandit", "bandit, code but tests", _gate("code"), quick=True),
    Check("sbom", "CycloneDX bill of materials", _make("sbom"), quick=True),
    Check("templates", "our own rules for templates", (*PYTEST, "tests/template"), read_junit, quick=True),
    Check(
        "vulnerabilities",
        "known vulnerabilities, pip-audit",
        _gate("vulnerabilities", "vulnerabilities"),
        environments=("vulnerabilities",),
    ),
    Check("checkov", "checkov, templates", _gate("checkov", "checkov"), environments=("checkov",), quick=True),
    Check("secrets", "secrets, files and history", _gate("secrets", "secrets"), environments=("secrets",), quick=True),
    Check(
        "cfn-guard",
        "AWS Control Tower, cfn-guard",
        _gate("control_tower", "sam"),
        environments=("sam", "cfn-guard"),
        quick=True,
    ),
    Check("roles", "mutation of roles", _make("mutate-roles", f"ARGS=--junitxml={JUNIT}")),
    Check(
        "integration",
        "integration and drills, IAM enforced",
        (*PYTEST, "-m", "not sweep", "--kill-seeds=0", "tests/integration"),
        read_junit,
        ENGINE,
        along_with="roles",
    ),
    Check("bodies", "generated bodies", _make("fuzz", "BODIES=100000")),
    Check("cards", "card data, end to end", (*PYTEST, "tests/integration/test_card_data.py"), read_junit, ENGINE),
    Check("api", "API as described, anonymous", _make("schemathesis"), read_schemathesis),
    Check("api-auth", "API as described, authorised", _make("schemathesis", "ARGS=--auth"), read_schemathesis),
)
