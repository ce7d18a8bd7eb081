"""Checks are run one after the other, and none that failed, broke or hung is taken for one that passed."""

import json
import sys
from pathlib import Path

import pytest
from rich.console import Console

from security.__main__ import chosen, show
from security.checks import CHECKS, JUNIT, Check, read_junit
from security.runner import Result, run, run_all, write_report


def _check(code: str, name: str = "fake") -> Check:
    return Check(name, "a fake", (sys.executable, "-c", code), environments=())


def _run(code: str, tmp_path: Path, limit: float = 60) -> Result:
    return run(_check(code), tmp_path, tmp_path, lambda *_: None, limit)


def _shown(results: list[Result]) -> str:
    console = Console(width=160, highlight=False)
    with console.capture() as capture:
        show(results, ["left"], console)
    return capture.get()


def test_a_check_that_finds_nothing_passes(tmp_path: Path) -> None:
    result = _run("print('checked 3, failed 0, suppressed 0')", tmp_path)
    assert result.passed
    assert "passed" in _shown([result])
    assert "Left out, as asked: left." in _shown([result])
    assert "checked 3" in result.log.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("print('failed: R1 in a: mend it'); print('checked 3, failed 1, suppressed 0')", "R1 in a: mend it"),
        ("print('checked 3, failed 0, suppressed 2')", "NO REASON IS GIVEN"),
        ("print('checked 0, failed 0, suppressed 0')", "it looked at nothing"),
        ("print('checked 3, failed 0, suppressed 0'); raise SystemExit(2)", "it ended with status 2"),
        ("print('npm is missing'); raise SystemExit(1)", "could not run: npm is missing"),
        ("print('all is well')", "could not run: all is well"),
    ],
)
def test_a_check_that_is_not_well_does_not_pass_and_says_why(code: str, shown: str, tmp_path: Path) -> None:
    result = _run(code, tmp_path)
    assert not result.passed
    assert shown in _shown([result])


def test_a_check_that_hangs_is_stopped(tmp_path: Path) -> None:
    result = _run("import signal; signal.pause()", tmp_path, limit=0.5)
    assert result.hindrance.startswith("it was stopped after")


def test_a_check_whose_program_is_missing_could_not_run(tmp_path: Path) -> None:
    result = run(Check("fake", "a fake", ("no-such-program",), environments=()), tmp_path, tmp_path, lambda *_: None)
    assert "no-such-program does not start" in result.hindrance


def test_what_a_check_needs_is_installed_first_and_what_stops_that_is_told(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text(
        ".venvs/a/complete:\n\t@echo npm is missing: install it; exit 1\n", encoding="utf-8"
    )
    ran = tmp_path / "ran"
    check = Check("fake", "a fake", (sys.executable, "-c", f"open({str(ran)!r}, 'w')"), environments=("a",))
    result = run(check, tmp_path, tmp_path, lambda *_: None)
    assert result.hindrance == "npm is missing: install it"
    assert not ran.exists()


def test_the_report_of_pytest_is_of_this_run(tmp_path: Path) -> None:
    check = Check("fake", "a fake", (sys.executable, "-c", "", JUNIT), read_junit, environments=())
    (tmp_path / "fake.xml").write_text("<testsuites><testcase/></testsuites>", encoding="utf-8")
    assert run(check, tmp_path, tmp_path, lambda *_: None).hindrance


@pytest.mark.parametrize(
    ("alone", "checked"),
    [pytest.param(False, 1, id="as the first wrote it"), pytest.param(True, 2, id="by itself")],
)
def test_a_check_that_another_runs_on_its_way_is_not_run_twice(alone: bool, checked: int, tmp_path: Path) -> None:
    def writing(tests: int) -> tuple[str, ...]:
        report = f"<testsuites>{'<testcase/>' * tests}</testsuites>"
        return (sys.executable, "-c", "import sys; open(sys.argv[1], 'w').write(sys.argv[2])", JUNIT, report)

    first = Check("first", "a fake", writing(1), read_junit, environments=())
    second = Check("second", "a fake", writing(2), read_junit, environments=(), along_with="first")
    results = run_all([second] if alone else [first, second], tmp_path, tmp_path, lambda *_: None)
    last = list(results)[-1]
    assert (last.check.name, last.outcome and last.outcome.checked) == ("second", checked)


def test_what_another_check_did_not_write_on_its_way_could_not_run(tmp_path: Path) -> None:
    second = Check("second", "a fake", ("no-such-program",), read_junit, environments=(), along_with="fake")
    [_, result] = run_all([_check("print('broke')"), second], tmp_path, tmp_path, lambda *_: None)
    assert result.hindrance == "broke"


def test_the_same_is_written_as_json(tmp_path: Path) -> None:
    checks = [
        _check("print('suppressed 1: R1 in a: made up\\nchecked 3, failed 0, suppressed 1')"),
        _check("", "broken"),
    ]
    results = list(run_all(checks, tmp_path, tmp_path / "logs", lambda *_: None))
    write_report(results, tmp_path / "report.json")
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert report["passed"] is False
    well, broken = report["checks"]
    assert (well["passed"], well["outcome"]["checked"], well["outcome"]["suppressions"][0]["reason"]) == (
        True,
        3,
        "made up",
    )
    assert (broken["passed"], broken["outcome"], broken["hindrance"]) == (False, None, "it printed nothing")


def test_checks_are_chosen_by_name_or_as_the_quick_ones_and_left_out_by_name() -> None:
    assert [check.name for check in chosen([])] == [check.name for check in CHECKS]
    assert [check.name for check in chosen(["--only", "checkov,bandit"])] == ["bandit", "checkov"]
    assert all(check.quick for check in chosen(["--quick"]))
    assert "secrets" not in [check.name for check in chosen(["--quick", "--except", "secrets"])]


def test_a_check_that_there_is_not_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        chosen(["--only", "chekov"])
    assert "there is no chekov; there are dependencies, bandit" in capsys.readouterr().err


def test_every_check_has_a_name_of_its_own() -> None:
    assert len({check.name for check in CHECKS}) == len(CHECKS)
