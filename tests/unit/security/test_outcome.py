"""What a check says of its outcome is read as it was meant."""

import pytest

from security.outcome import CouldNotRunError, Outcome, Suppression, read_summary


def test_what_is_written_is_read() -> None:
    outcome = Outcome(7, 1, (Suppression(2, "RULE in a: b", "a reason: short"),), ("RULE in c: wrong",))
    assert read_summary("noise\n" + "\n".join(outcome.lines()) + "\n").lines is not None
    assert list(read_summary("noise\n" + "\n".join(outcome.lines())).lines()) == list(outcome.lines())


@pytest.mark.parametrize(
    "line", ["checked 1,200, failed 0, suppressed 0", "\x1b[32mroles: checked 1200, failed 0, suppressed 0.\x1b[0m"]
)
def test_the_last_line_that_sums_up_counts(line: str) -> None:
    assert read_summary(f"checked 1, failed 1, suppressed 0\n{line}\n").checked == 1200


def test_a_check_that_does_not_sum_up_could_not_run_and_its_last_line_says_why() -> None:
    with pytest.raises(CouldNotRunError, match="npm is missing"):
        read_summary("Setting up.\nnpm is missing\n\n")


def test_a_suppression_that_is_counted_and_not_explained_is_a_fault() -> None:
    assert not read_summary("checked 5, failed 0, suppressed 1").passed
    assert not read_summary("suppressed 1: RULE in a: \nchecked 5, failed 0, suppressed 1").passed
    assert read_summary("suppressed 1: RULE in a: made up\nchecked 5, failed 0, suppressed 1").passed


def test_a_check_that_looked_at_nothing_did_not_pass() -> None:
    assert not read_summary("checked 0, failed 0, suppressed 0").passed
