"""What is excused is told from what is at fault, and excuses for nothing are faults."""

from pathlib import Path

from security.suppressions import FILE, Entry, Finding, entries, judge

FINDING = Finding("R1", "application pipelines/backup Key", "mend it")


def test_a_finding_that_nothing_excuses_is_a_fault() -> None:
    outcome = judge([FINDING], [], checked=3)
    assert (outcome.checked, outcome.failed, outcome.suppressed) == (3, 1, 0)
    assert outcome.faults == ("R1 in application pipelines/backup Key: mend it",)


def test_a_finding_is_excused_where_the_entry_says() -> None:
    outcome = judge([FINDING], [Entry("R1", ("* *Key",), "made up")], checked=3)
    assert outcome.passed
    assert outcome.suppressed == 1


def test_an_entry_of_another_rule_or_place_excuses_nothing_and_is_a_fault_itself() -> None:
    for entry in (Entry("R2", ("*",), "made up"), Entry("R1", ("alone *",), "made up")):
        assert judge([FINDING], [entry], checked=3).failed == 2, entry


def test_each_place_of_an_entry_has_to_match() -> None:
    outcome = judge([FINDING], [Entry("R1", ("*", "gone"), "made up")], checked=3)
    assert outcome.faults == ("suppressions.toml excuses R1 in gone, where nothing is found: remove that.",)


def test_an_entry_without_a_reason_does_not_pass(tmp_path: Path) -> None:
    file = tmp_path / "suppressions.toml"
    file.write_text('[[cfn-guard]]\nrule = "R1"\nplaces = ["*"]\nreason = " "\n', encoding="utf-8")
    outcome = judge([FINDING], entries("cfn-guard", file), checked=3)
    assert outcome.failed == 0
    assert not outcome.passed


def test_a_place_has_one_entry_for_a_rule() -> None:
    for check in ("bandit", "secrets", "cfn-guard"):
        pairs = [(entry.rule, place) for entry in entries(check, FILE) for place in entry.places]
        assert len(pairs) == len(set(pairs)) > 0, check
