"""`eventfork replay watch`: how far a replay is, until it needs no more watching."""

import json
from typing import Any

import pytest

from tests.unit.cli.conftest import Operator
from tests.unit.cli.replays import JOB_ID, answer, problem

COURSE = [
    answer("WAITING", startedAt=None),
    answer("CANARY", sent=5),
    answer("CANARY", sent=5),
    answer(sent=405, paceNow=100),
    answer(sent=1105, counts={"skipped": 3, "parked": 1}, paceNow=20),
    answer("COMPLETED", sent=1199, counts={"parked": 1}, outcome="All was replayed."),
]


def watch(operator: Operator, *arguments: str) -> Any:
    """Watch the job."""
    return operator.run("replay", "watch", JOB_ID, *arguments)


def test_each_change_is_a_line_where_no_terminal_is(operator: Operator) -> None:
    """It is looked at about once a second, and what has not changed is not told again."""
    operator.control.answers = COURSE
    result = watch(operator)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "WAITING: 0 sent of 1,200 planned, starts 2026-11-26T12:10:00Z at the earliest",
        "CANARY: 5 sent of 1,200 planned",
        "RUNNING: 405 sent of 1,200 planned, 100 per second, 8 s left",
        "RUNNING: 1,105 sent of 1,200 planned, 3 left out, 1 in quarantine, 20 per second, 5 s left",
        "COMPLETED: 1,199 sent of 1,200 planned, 1 in quarantine",
        "All was replayed.",
        "1 event is in the quarantine of replays (ReplayJobQuarantineQueueUrl), each with its reason.",
    ]
    assert operator.clock.slept == [1.0] * 5
    assert operator.control.asked == [{"command": "show", "jobId": JOB_ID}] * 6


def test_scripts_get_a_line_for_each_change(operator: Operator) -> None:
    """All of the job in each."""
    operator.control.answers = COURSE
    jobs = [json.loads(line)["job"] for line in watch(operator, "--json").stdout.splitlines()]
    assert [(one["state"], one["counts"]["sent"]) for one in jobs] == [
        ("WAITING", 0),
        ("CANARY", 5),
        ("RUNNING", 405),
        ("RUNNING", 1105),
        ("COMPLETED", 1199),
    ]
    assert jobs[0] == json.loads(json.dumps(COURSE[0]["job"]))


def test_in_a_terminal_there_is_a_bar_while_it_runs(operator: Operator) -> None:
    """With state, counts, pace and what is left; it goes away, and what came of it stays."""
    operator.control.answers = COURSE
    shown = operator.run_in_terminal(120, "replay", "watch", JOB_ID)
    assert "━" in shown
    assert "8 s left" in shown
    assert shown.splitlines()[-3:-1] == ["COMPLETED: 1,199 sent of 1,200 planned, 1 in quarantine", "All was replayed."]
    operator.control.asked.clear()
    assert "\x1b[1;32mCOMPLETED\x1b[0m" in operator.run_in_colour(120, "replay", "watch", JOB_ID)


def test_a_bar_needs_no_plan(operator: Operator) -> None:
    """How many there will be may not be known, or may be more than were counted."""
    operator.control.answers = [
        answer(sent=7, counts={"planned": None}),
        answer(sent=9, counts={"planned": 8}, paceNow=3),
        answer("COMPLETED", sent=0, counts={"planned": 0}),
    ]
    shown = operator.run_in_terminal(120, "replay", "watch", JOB_ID)
    assert "7 sent" in shown
    assert "9 sent of 8 planned, 3 per second" in shown
    assert "left" not in shown


def test_what_keeps_it_waiting_is_told_meanwhile(operator: Operator) -> None:
    """The numbers may stand still, but not without a reason."""
    operator.control.answers = [answer(), answer(outcome="Trying again: SQS did not answer."), answer("COMPLETED")]
    assert watch(operator).stdout.splitlines()[1] == (
        "RUNNING: 0 sent of 1,200 planned, Trying again: SQS did not answer."
    )


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("PAUSED", f"It is paused. Go on: eventfork replay resume {JOB_ID} --reason WHY"),
        ("PLANNED", f"Start it: eventfork replay start {JOB_ID} --reason WHY"),
        ("FAILED", f"What was sent stays sent. Go on where it ended: eventfork replay resume {JOB_ID} --reason WHY"),
        ("CANCELLED", f"What was sent stays sent. Go on where it ended: eventfork replay resume {JOB_ID} --reason WHY"),
    ],
)
def test_a_watch_ends_when_only_an_operator_can_go_on(operator: Operator, state: str, told: str) -> None:
    """It says why, and what to do; something is left."""
    operator.control.answers = [answer(sent=3), answer(state, sent=3, outcome="the circuit payments is open")]
    result = watch(operator)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[1:4] == [f"{state}: 3 sent of 1,200 planned", "the circuit payments is open", told]
    operator.control.asked.clear()
    assert told in operator.run_in_terminal(200, "replay", "watch", JOB_ID, status=1)


@pytest.mark.parametrize("where", ["plain", "json", "terminal"])
def test_interrupted_it_stops_watching_and_says_so(operator: Operator, where: str) -> None:
    """The job goes on; a script's output stays JSON Lines."""
    operator.control.answers = COURSE
    operator.clock.interrupted_after = 1
    told = f"This has stopped watching; the job goes on. Watch it again: eventfork replay watch {JOB_ID}\n"
    if where == "terminal":
        assert operator.run_in_terminal(120, "replay", "watch", JOB_ID, status=1).endswith(told)
    else:
        result = watch(operator, *(["--json"] if where == "json" else []))
        assert result.exit_code == 1
        assert (result.stderr if where == "json" else result.stdout).endswith(told)
        assert len(result.stdout.splitlines()) == (2 if where == "json" else 3)
    assert {one["command"] for one in operator.control.asked} == {"show"}


def test_a_moment_without_an_answer_does_not_end_it(operator: Operator) -> None:
    """Whether the function or what is behind it does not answer."""
    away = problem(503, "A service does not answer.")
    operator.control.answers = [answer(), "TimeoutError", away, away, "TimeoutError", answer("COMPLETED", sent=1200)]
    result = watch(operator)
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 2
    assert len(operator.clock.slept) == 5


def test_a_service_that_stays_away_ends_it(operator: Operator) -> None:
    """After five looks in a row; the job may go on all the same."""
    operator.control.answers = [answer(), problem(503, "A service does not answer.")]
    result = watch(operator)
    assert (result.exit_code, result.stderr) == (3, "Error: A service does not answer.\n")
    assert len(operator.control.asked) == 6


def test_a_job_that_is_not_there_ends_it_at_once(operator: Operator) -> None:
    """There is nothing to wait for."""
    operator.control.answers = [problem(404, "There is no replay x: `list` tells which there are.")]
    result = watch(operator)
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == "Error: There is no replay x: `list` tells which there are.\n"
    assert operator.clock.slept == []
