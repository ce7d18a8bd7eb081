"""`eventfork circuit watch`: how a circuit is, until it is closed."""

import json
from typing import Any

import pytest

from tests.unit.cli.circuits import OUTAGE_ID, closed, forced, open_circuit, outage
from tests.unit.cli.conftest import Operator
from tests.unit.cli.replays import problem

AGAIN = "This has stopped watching; the circuit stays as it is. Watch it again: eventfork circuit watch payments\n"
HELD = {"count": 1400, "oldest": "2026-11-26T11:55:50.000000Z", "checkedAt": "2026-11-26T12:00:40.000000Z"}
COURSE = [
    {"circuit": one}
    for one in (
        open_circuit(),
        open_circuit(version=8, nextProbeAt="2026-11-26T12:00:08.000000Z"),
        open_circuit(held={**HELD, "count": 1204}),
        open_circuit(held=HELD),
        open_circuit(
            state="HALF_OPEN", changedAt="2026-11-26T12:00:04.000000Z", held=HELD, probes=[False, False, True]
        ),
        closed(
            changedAt="2026-11-26T12:00:05.000000Z", held=HELD, outage=outage(closedAt="2026-11-26T12:00:05.000000Z")
        ),
    )
]
REPLAYED = f"What was held is replayed by the job of the outage: eventfork replay watch {OUTAGE_ID}"


def watch(operator: Operator, *arguments: str) -> Any:
    """Watch the circuit."""
    return operator.run("circuit", "watch", "payments", *arguments)


def test_each_change_is_a_line_where_no_terminal_is(operator: Operator) -> None:
    """It is looked at about once a second, and neither a probe like the last nor a new count of the same is told."""
    operator.circuit_control.answers = COURSE
    result = watch(operator)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "OPEN: since 2026-11-26T11:55:48Z, 1,204 held, probes - -",
        "OPEN: since 2026-11-26T11:55:48Z, 1,400 held, probes - -",
        "HALF_OPEN: since 2026-11-26T12:00:04Z, 1,400 held, probes - - +",
        "CLOSED: since 2026-11-26T12:00:05Z, 1,400 held",
        REPLAYED,
    ]
    assert operator.clock.slept == [1.0] * 5
    assert operator.circuit_control.asked == [{"command": "show", "circuit": "payments"}] * 6


def test_a_force_is_told_in_its_line(operator: Operator) -> None:
    """It may keep the circuit open for hours."""
    operator.circuit_control.answers = [{"circuit": forced(held=None)}, {"circuit": closed(changedAt=None, held=None)}]
    assert watch(operator).stdout.splitlines() == [
        "OPEN: since 2026-11-26T11:55:48Z, FORCED_OPEN until 2026-11-26T14:00:00Z",
        "CLOSED",
    ]


def test_scripts_get_a_line_for_each_change(operator: Operator) -> None:
    """All of the circuit in each."""
    operator.circuit_control.answers = COURSE
    circuits = [json.loads(line)["circuit"] for line in watch(operator, "--json").stdout.splitlines()]
    assert [one["state"] for one in circuits] == ["OPEN", "OPEN", "HALF_OPEN", "CLOSED"]
    assert circuits[0] == open_circuit()


def test_in_a_terminal_the_picture_is_drawn_anew(operator: Operator) -> None:
    """The time in its state goes on with every look; the last picture stays, with what comes next."""
    operator.circuit_control.answers = COURSE
    shown = operator.run_in_terminal(120, "circuit", "watch", "payments")
    for told in ("for 4 min 12 s", "for 4 min 13 s", "CLOSED ── OPEN ── [HALF_OPEN]", "next one in 3 s"):
        assert told in shown
    last = shown[shown.rindex("╭") :]
    assert "[CLOSED] ── OPEN ── HALF_OPEN" in last
    assert last.splitlines()[-1] == REPLAYED
    operator.circuit_control.asked.clear()
    assert "\x1b[1;32m[CLOSED]" in operator.run_in_colour(120, "circuit", "watch", "payments")


def test_a_circuit_that_is_closed_is_not_watched(operator: Operator) -> None:
    """It is told that it is."""
    operator.circuit_control.answers = [{"circuit": closed()}]
    result = watch(operator)
    assert (result.exit_code, result.stdout) == (0, "CLOSED: since 2026-11-25T10:00:00Z, 0 held\n")
    assert operator.clock.slept == []


@pytest.mark.parametrize("where", ["plain", "json", "terminal"])
def test_interrupted_it_stops_watching_and_says_so(operator: Operator, where: str) -> None:
    """The circuit stays as it is; a script's output stays JSON Lines."""
    operator.circuit_control.answers = COURSE
    operator.clock.interrupted_after = 1
    if where == "terminal":
        assert operator.run_in_terminal(120, "circuit", "watch", "payments", status=1).endswith(AGAIN)
    else:
        result = watch(operator, *(["--json"] if where == "json" else []))
        assert result.exit_code == 1
        assert (result.stderr if where == "json" else result.stdout).endswith(AGAIN)
        assert len(result.stdout.splitlines()) == (1 if where == "json" else 2)
    assert {one["command"] for one in operator.circuit_control.asked} == {"show"}


def test_a_moment_without_an_answer_does_not_end_it(operator: Operator) -> None:
    """Whether the function or what is behind it does not answer."""
    away = problem(503, "A service does not answer.")
    operator.circuit_control.answers = [COURSE[0], "TimeoutError", away, away, "TimeoutError", COURSE[-1]]
    result = watch(operator)
    assert result.exit_code == 0
    assert len(operator.clock.slept) == 5


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_a_circuit_that_is_not_there_ends_it_at_once(operator: Operator, arguments: list[str]) -> None:
    """There is nothing to wait for."""
    operator.circuit_control.answers = [problem(404, "There is no circuit payments: `list` tells which there are.")]
    result = watch(operator, *arguments)
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == "Error: There is no circuit payments: `list` tells which there are.\n"
    assert operator.clock.slept == []
