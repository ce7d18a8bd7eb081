"""What tools report is read: cfn-guard, bandit, pip-audit, cyclonedx, pytest and schemathesis."""

from pathlib import Path
from typing import Any

import pytest

from security.bill_of_materials import faults
from security.checks import CHECKS, read_junit, read_schemathesis
from security.code import findings as code_findings
from security.code import folders
from security.outcome import CouldNotRunError
from security.vulnerabilities import audited
from security.vulnerabilities import findings as vulnerabilities
from tests.templates import PROJECT_ROOT


def test_what_bandit_finds_and_cannot_read_are_findings() -> None:
    found = code_findings(
        {
            "results": [{"test_id": "B602", "filename": "./local/a.py", "line_number": 3, "issue_text": "shell"}],
            "errors": [{"filename": "b.py", "reason": "syntax error"}],
        }
    )
    assert [(one.rule, one.place) for one in found] == [("B602", "local/a.py"), ("unreadable", "b.py")]


def test_all_code_but_tests_is_looked_at() -> None:
    assert {"cli", "functions", "layers", "local", "security"} <= set(folders(PROJECT_ROOT))
    assert "tests" not in folders(PROJECT_ROOT)


def test_a_package_that_the_database_does_not_know_means_that_it_is_not_reached() -> None:
    known = {"name": "a", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}]}
    assert [one.place for one in vulnerabilities(audited([known]))] == ["a==1"]
    with pytest.raises(CouldNotRunError, match="1 of 2 packages"):
        audited([known, {"name": "b", "skip_reason": "not found"}])


def test_a_bill_of_materials_has_every_locked_package_once_with_its_hash_and_no_other() -> None:
    hashed: list[dict[str, Any]] = [{"hashes": [{}]}]
    bill = {"components": [{"name": "One_a", "version": "1", "externalReferences": hashed}]}
    assert faults(bill, {"one-a": "1"}) == []
    assert len(faults(bill, {"one-a": "2"})) == 1
    assert len(faults(bill, {"one-a": "1", "b": "1"})) == 1
    assert len(faults(bill, {})) == 1
    bill["components"][0]["externalReferences"] = []
    assert len(faults(bill, {"one-a": "1"})) == 1


def test_a_run_of_pytest_counts_tests_failures_and_what_was_skipped_for_its_reason(tmp_path: Path) -> None:
    junit = tmp_path / "x.xml"
    junit.write_text(
        '<testsuites><testsuite><testcase classname="t" name="a"/><testcase classname="t" name="b">'
        "<failure/></testcase>"
        '<testcase classname="t" name="c"><error/></testcase>'
        '<testcase classname="t" name="d"><skipped message="no Docker"/></testcase></testsuite></testsuites>',
        encoding="utf-8",
    )
    outcome = read_junit("", junit)
    assert (outcome.checked, outcome.failed, outcome.suppressed) == (4, 2, 1)
    assert outcome.suppressions[0].reason == "no Docker"
    assert outcome.faults == ("t.b", "t.c")
    junit.write_text("<testsuites/>", encoding="utf-8")
    with pytest.raises(CouldNotRunError, match="no test was run"):
        read_junit("", junit)
    with pytest.raises(CouldNotRunError, match="no such folder"):
        read_junit("ERROR: no such folder\n", tmp_path / "missing.xml")


@pytest.mark.parametrize(
    ("line", "numbers"),
    [
        ("  \x1b[1m1200\x1b[0m generated, \x1b[1m1200\x1b[0m passed", (1200, 0)),
        ("  1200 generated, 3 found 2 unique failures", (1200, 3)),
        ("  1200 generated, 3 found 1 unique failure, 2 errored, 1 skipped", (1200, 5)),
        ("  1200 generated, 1200 passed, 2 errored", (1200, 2)),
    ],
)
def test_what_schemathesis_generated_and_what_failed_is_read(line: str, numbers: tuple[int, int]) -> None:
    outcome = read_schemathesis(f"Test cases:\n{line}\n", Path())
    assert (outcome.checked, outcome.failed) == numbers


def test_schemathesis_that_generated_nothing_could_not_run() -> None:
    with pytest.raises(CouldNotRunError, match="No test cases"):
        read_schemathesis("Test cases:\n  No test cases were generated\n", Path())


def test_what_make_security_is_told_reaches_no_make_below_it() -> None:
    below = [check.command for check in CHECKS if check.command[0] == "make"]
    assert below
    assert all(any(word.startswith("ARGS=") for word in command) for command in below)
