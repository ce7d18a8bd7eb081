"""`eventfork circuit`: what circuit control is asked, and how its answers are shown, or why there are none."""

import json
import re
from typing import Any

import pytest
from click.testing import CliRunner
from eventfork.circuit_control import CircuitControl, answered
from eventfork.circuits import Circuit, Held, Mode, recorded
from eventfork_cli.__main__ import command
from eventfork_cli.circuit_display import MODES

from tests.unit.aws import REGION
from tests.unit.circuits import CircuitsInMemory
from tests.unit.cli.circuits import ADA, OUTAGE_ID, closed, forced, open_circuit, outage, transition
from tests.unit.cli.conftest import NOW, OUTPUTS, Operator
from tests.unit.cli.replays import problem

ACTOR = "arn:aws:sts::123456789012:user/moto"
FORCES = ("force-open", "force-close", "disable", "metrics-only")
CHANGES = (*FORCES, "reset")
SHOW_OPEN = [
    "circuit payments",
    "state CLOSED ── [OPEN] ── HALF_OPEN",
    "since 2026-11-26T11:55:48Z, for 4 min 12 s",
    "by breaker: 5 calls in a row failed.",
    "mode AUTOMATIC",
    f"outage {OUTAGE_ID}",
    "since 2026-11-26T11:55:48Z, for 4 min 12 s",
    "held 1,204, the oldest for 4 min 10 s (counted 20 s ago)",
    "probes - -, next one in 3 s",
    "It closes by itself when probes succeed. Watch it: eventfork circuit watch payments",
]


def rows(text: str) -> list[str]:
    """Give lines, with one space between words."""
    return [" ".join(line.split()) for line in text.splitlines()]


def shown(operator: Operator, circuit: dict[str, Any], *arguments: str) -> list[str]:
    """Show a circuit; give the lines."""
    operator.circuit_control.answers = [{"circuit": circuit}]
    operator.circuit_control.asked.clear()
    result = operator.run("circuit", "show", "payments", *arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    return rows(result.stdout)


def test_an_open_circuit_is_shown(operator: Operator) -> None:
    """Its state in a row of all states, since when, why, what is held, and what the probes said."""
    assert shown(operator, open_circuit()) == SHOW_OPEN
    assert operator.circuit_control.asked == [{"command": "show", "circuit": "payments"}]


def test_a_closed_circuit_needs_few_lines(operator: Operator) -> None:
    """There is nothing to be done."""
    assert shown(operator, closed()) == [
        "circuit payments",
        "state [CLOSED] ── OPEN ── HALF_OPEN",
        "since 2026-11-25T10:00:00Z, for 1 d 2 h",
        "by probe: 3 of the last 5 probes found the other side healthy.",
        "mode AUTOMATIC",
        "held nothing (counted 20 s ago)",
    ]


def test_a_circuit_that_nothing_has_happened_to_is_shown(operator: Operator) -> None:
    """It has no item yet, and nothing was counted."""
    untouched = closed(changedAt=None, changedBy="", reason="", held=None, version=0)
    assert shown(operator, untouched) == [
        "circuit payments",
        "state [CLOSED] ── OPEN ── HALF_OPEN",
        "mode AUTOMATIC",
        "held not counted yet",
    ]


def test_a_half_open_circuit_shows_its_probes(operator: Operator) -> None:
    """The newest last, and how often the outage has opened it."""
    probed = open_circuit(
        state="HALF_OPEN",
        probes=[False, True, True],
        nextProbeAt="2026-11-26T11:59:59.000000Z",
        outage=outage(cycles=3),
    )
    lines = shown(operator, probed)
    assert "state CLOSED ── OPEN ── [HALF_OPEN]" in lines
    assert "probes - + +, next one is due" in lines
    assert "since 2026-11-26T11:55:48Z, for 4 min 12 s, opened 3 times" in lines
    assert "probes next one is due" in shown(operator, {**probed, "probes": []})
    assert "probes - + +" in shown(operator, {**probed, "nextProbeAt": None})


def test_a_closed_circuit_whose_work_is_still_held_names_the_replay(operator: Operator) -> None:
    """The job has the id of the outage."""
    lines = shown(operator, closed(outage=outage(closedAt="2026-11-26T11:59:00.000000Z")), "--region", REGION)
    assert "since 2026-11-26T11:55:48Z, closed 2026-11-26T11:59:00Z" in lines
    assert lines[-1] == (
        f"What was held is replayed by the job of the outage: eventfork replay watch {OUTAGE_ID} --region eu-central-1"
    )


@pytest.mark.parametrize(
    ("expires_at", "told"),
    [
        ("2026-11-26T14:00:00.000000Z", "FORCED_OPEN until 2026-11-26T14:00:00Z, 2 h left"),
        (
            "2026-11-26T11:59:30.000000Z",
            "FORCED_OPEN until 2026-11-26T11:59:30Z, which is past: it ends within a minute",
        ),
        (None, "FORCED_OPEN, until it is reset"),
    ],
)
def test_a_force_is_shown_with_its_end(operator: Operator, expires_at: str | None, told: str) -> None:
    """And what it means, and how it is taken back; who forced it is told once."""
    lines = shown(operator, forced(modeExpiresAt=expires_at))
    assert f"mode {told}" in lines
    assert f"by {ADA}: charges twice" in lines
    assert " ".join(lines).count(ADA) == 1
    assert lines[-2:] == [
        MODES["FORCED_OPEN"],
        "Leave it to itself again: eventfork circuit reset payments --reason WHY",
    ]


def test_a_force_that_did_not_change_the_state_is_told_beside_what_did(operator: Operator) -> None:
    """Both have who and why."""
    lines = shown(operator, open_circuit(mode="FORCED_OPEN", modeActor=ADA, modeReason="do not close"))
    assert "by breaker: 5 calls in a row failed." in lines
    assert f"by {ADA}: do not close" in lines


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "AUTOMATIC"])
def test_every_mode_but_the_automatic_one_says_what_it_does(operator: Operator, mode: str) -> None:
    """Nobody has to know them by heart at night."""
    assert MODES[mode] in shown(operator, forced(mode))


def test_another_version_s_states_and_modes_are_shown_as_they_are(operator: Operator) -> None:
    """A command may be older than its stack."""
    lines = shown(operator, open_circuit(state="ISOLATED", mode="DRAINING"))
    assert "state CLOSED ── OPEN ── HALF_OPEN ── [ISOLATED]" in lines
    assert "mode DRAINING, until it is reset" in lines


def test_a_clock_that_is_behind_shows_no_length_below_nothing(operator: Operator) -> None:
    """The circuit's moments are another's."""
    assert "since 2026-11-26T12:00:02Z, for 0 s" in shown(operator, open_circuit(changedAt="2026-11-26T12:00:02.5Z"))


@pytest.mark.parametrize("name", FORCES)
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], {}),
        (["--for", "2h"], {"expiresAt": "2026-11-26T14:00:00.000000Z"}),
        (["--until", "2026-11-26T15:30:00+01:00"], {"expiresAt": "2026-11-26T14:30:00.000000Z"}),
    ],
)
def test_a_circuit_is_forced(operator: Operator, name: str, arguments: list[str], said: dict[str, str]) -> None:
    """With who and why, and until when if that was said; it is told how it is then."""
    operator.circuit_control.answers = [{"circuit": forced()}]
    result = operator.run("circuit", name, "payments", "--reason", "charges twice", *arguments)
    assert result.exit_code == 0
    assert operator.circuit_control.asked == [
        {"command": name, "circuit": "payments", "reason": "charges twice", "actor": ACTOR, **said}
    ]
    assert "mode FORCED_OPEN until 2026-11-26T14:00:00Z, 2 h left" in rows(result.stdout)


def test_a_force_is_ended(operator: Operator) -> None:
    """With who and why; probes decide what follows."""
    answer = open_circuit(modeActor=ACTOR, modeReason="it is back")
    operator.circuit_control.answers = [{"circuit": answer}]
    result = operator.run("circuit", "reset", "payments", "--reason", "it is back")
    assert operator.circuit_control.asked == [
        {"command": "reset", "circuit": "payments", "reason": "it is back", "actor": ACTOR}
    ]
    lines = rows(result.stdout)
    position = lines.index("mode AUTOMATIC")
    assert lines[position + 1] == f"by {ACTOR}: it is back"
    assert lines[-1] == SHOW_OPEN[-1]


@pytest.mark.parametrize("name", CHANGES)
def test_whatever_changes_something_needs_its_reason(operator: Operator, name: str) -> None:
    """The one that is missing is named."""
    result = operator.run("circuit", name, "payments")
    assert result.exit_code == 2
    assert "Missing option '--reason'" in result.stderr
    assert operator.circuit_control.asked == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--for", "2 hours"], "is no length of time: write it as 90m, 2h or 3d"),
        (["--for", "0h"], "is no length of time"),
        (["--until", "2h"], "'2h' is no moment: write it as 2026-11-26T09:30:00Z."),
        (["--until", "2026-11-26T14:00:00"], "does not say in which time zone: add Z for UTC"),
        (
            ["--until", "2026-11-26T12:00:00Z"],
            "--until is a moment that is past: say one to come, or how long with --for.",
        ),
        (["--for", "2h", "--until", "2026-11-26T14:00:00Z"], "--for and --until both say when it ends"),
    ],
)
def test_a_wrong_end_is_told_before_anything_is_asked(operator: Operator, arguments: list[str], told: str) -> None:
    """In one sentence, with what to write instead."""
    result = operator.run("circuit", "force-open", "payments", "--reason", "x", *arguments)
    assert result.exit_code == 2
    assert told in " ".join(result.stderr.split())
    assert operator.circuit_control.asked == []


@pytest.mark.parametrize(
    "arguments",
    [["show"], ["history"], ["watch"], ["history", "payments", "--limit", "0"], ["reset", "payments", "--for", "2h"]],
)
def test_what_makes_no_command_is_wrong_use(operator: Operator, arguments: list[str]) -> None:
    """No circuit, a limit of nothing, or an end of what is ended."""
    assert operator.run("circuit", *arguments, "--reason", "x").exit_code == 2
    assert operator.circuit_control.asked == []


def test_circuits_are_listed(operator: Operator) -> None:
    """A row for each, or a word that there are none."""
    operator.circuit_control.answers = [
        {"circuits": [forced(), closed(name="mail", changedAt=None, reason="", held=None)]}
    ]
    result = operator.run("circuit", "list")
    assert operator.circuit_control.asked == [{"command": "list"}]
    assert rows(result.stdout) == [
        "circuit state since mode held outage reason",
        f"payments OPEN 2026-11-26T11:55:48Z FORCED_OPEN until 2026-11-26T14:00:00Z 1,204 {OUTAGE_ID} charges twice",
        "mail CLOSED AUTOMATIC",
    ]
    operator.circuit_control.answers = [{"circuits": []}]
    assert operator.run("circuit", "list").stdout == "There are no circuits.\n"


def test_what_happened_to_a_circuit_is_listed(operator: Operator) -> None:
    """A row for each change, or a word that there was none."""
    operator.circuit_control.answers = [
        {
            "transitions": [
                transition(),
                transition(
                    at="2026-11-25T10:00:00Z", state="CLOSED", previousState="HALF_OPEN", by="probe", outageId=None
                ),
            ]
        }
    ]
    result = operator.run("circuit", "history", "payments", "--limit", "2")
    assert operator.circuit_control.asked == [{"command": "history", "circuit": "payments", "limit": 2}]
    assert rows(result.stdout) == [
        "at from to mode by reason outage",
        f"2026-11-26T11:55:48Z CLOSED OPEN AUTOMATIC breaker 5 calls in a row failed. {OUTAGE_ID}",
        "2026-11-25T10:00:00Z HALF_OPEN CLOSED AUTOMATIC probe 5 calls in a row failed.",
    ]
    operator.circuit_control.answers = [{"transitions": []}]
    assert (
        operator.run("circuit", "history", "payments").stdout == "Nothing has happened to the circuit payments yet.\n"
    )
    assert operator.circuit_control.asked[-1]["limit"] == 20


@pytest.mark.parametrize("width", [60, 160])
@pytest.mark.parametrize("arguments", [["list"], ["show", "payments"], ["history", "payments"]])
def test_what_is_shown_fits_its_terminal(operator: Operator, width: int, arguments: list[str]) -> None:
    """However long who and why are."""
    long = forced(modeReason="because " * 40)
    operator.circuit_control.answers = [
        {"circuit": long, "circuits": [long, closed()], "transitions": [transition(reason="because " * 40)]}
    ]
    told = operator.run_in_terminal(width, "circuit", *arguments).splitlines()
    # What is to be pasted is never broken.
    assert max(len(line) for line in told if "eventfork circuit" not in line and line not in MODES.values()) <= width
    assert "OPEN" in "".join(told)


@pytest.mark.parametrize(
    ("circuit", "colour"),
    [(closed(), "1;32"), (open_circuit(), "1;31"), (open_circuit(state="HALF_OPEN"), "1;33")],
)
def test_in_a_terminal_a_circuit_is_framed_in_the_colour_of_its_state(
    operator: Operator, circuit: dict[str, Any], colour: str
) -> None:
    """Only the present state has its colour; elsewhere there is neither colour nor frame."""
    operator.circuit_control.answers = [{"circuit": circuit}]
    told = operator.run_in_colour(100, "circuit", "show", "payments")
    assert f"\x1b[{colour}m[{circuit['state']}]" in told
    assert f"\x1b[{colour}m╭─" in told
    assert len(re.findall(r"\x1b\[2m(CLOSED|OPEN|HALF_OPEN)", told)) == 2
    plain = operator.run("circuit", "show", "payments").stdout
    assert "\x1b" not in plain
    assert "╭" not in plain


def test_probes_have_colours_in_a_terminal(operator: Operator) -> None:
    """What succeeded is green, what failed is red."""
    operator.circuit_control.answers = [{"circuit": open_circuit(probes=[False, True])}]
    assert "\x1b[31m-\x1b[0m \x1b[32m+\x1b[0m" in operator.run_in_colour(100, "circuit", "show", "payments")


def test_a_terminal_of_few_characters_gets_no_others(operator: Operator) -> None:
    """The picture is drawn with what it has."""
    operator.circuit_control.answers = [{"circuit": open_circuit()}]
    for terminal in ({"FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "100"}, {}):
        runner = CliRunner(env={**terminal, **operator.environment}, charset="ascii")
        result = runner.invoke(command, ["circuit", "show", "payments"], obj=operator.clock)
        assert result.exit_code == 0, result.output
        assert "CLOSED -- [OPEN] -- HALF_OPEN" in re.sub(r"\x1b\[[0-9;]*m", "", result.stdout)
        assert result.stdout.isascii()


def test_nothing_of_a_circuit_does_anything_to_the_terminal(operator: Operator) -> None:
    """Reasons are whatever somebody wrote."""
    harm = "\x1b]0;harm\x07"
    harmful = forced(name=harm, state=harm, reason=harm, modeReason=f"{harm}2", changedBy=harm)
    operator.circuit_control.answers = [
        {"circuit": harmful, "circuits": [harmful], "transitions": [transition(reason=harm, by=harm, state=harm)]}
    ]
    for arguments in (["list"], ["show", "payments"], ["history", "payments"]):
        result = operator.run("circuit", *arguments)
        assert result.exit_code == 0
        assert "\x1b" not in result.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["list"], {"circuits": [closed(), open_circuit()]}),
        (["show", "payments"], {"circuit": open_circuit()}),
        (["history", "payments"], {"transitions": [transition()]}),
        *((([name, "payments", "--reason", "x"], {"circuit": forced()})) for name in CHANGES),
    ],
)
def test_scripts_get_the_answer_as_it_is(operator: Operator, arguments: list[str], told: dict[str, Any]) -> None:
    """One document."""
    operator.circuit_control.answers = [told]
    result = operator.run("circuit", *arguments, "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == told


@pytest.mark.parametrize(
    "arguments", [["show", "payments"], ["reset", "payments", "--reason", "x"], ["list", "--json"]]
)
@pytest.mark.parametrize(("status", "exit_status"), [(400, 2), (404, 3), (409, 3), (503, 3)])
def test_a_problem_is_told_in_its_own_sentence(
    operator: Operator, arguments: list[str], status: int, exit_status: int
) -> None:
    """What is wrong with the command is wrong use; the rest could not be done."""
    operator.circuit_control.answers = [problem(status, f"{ADA} has forced it open meanwhile")]
    result = operator.run("circuit", *arguments)
    assert (result.exit_code, result.stdout) == (exit_status, "")
    assert result.stderr == f"Error: {ADA} has forced it open meanwhile\n"


def test_circuit_control_is_named_where_it_is_at_fault(operator: Operator) -> None:
    """Not replay control, which takes commands in the same way."""
    operator.circuit_control.answers = [[], {"status": 418}]
    assert "Circuit control answered with something that is no answer" in operator.run("circuit", "list").stderr
    assert operator.run("circuit", "list").stderr == "Error: Circuit control refuses it (418).\n"


def test_a_change_whose_answer_is_lost_says_where_to_look(operator: Operator) -> None:
    """The circuit may have been forced all the same."""
    operator.circuit_control.answers = ["TimeoutError"]
    result = operator.run("circuit", "force-open", "payments", "--reason", "x", "--region", REGION)
    assert result.exit_code == 3
    asking = "eventfork circuit show payments --region eu-central-1"
    assert f"see with `{asking}` that it was not changed, and run it again." in result.stderr


def test_circuit_control_takes_what_it_is_asked(operator: Operator) -> None:
    """Every command, with its options; what it answers is what these tests show, field by field."""
    circuits = CircuitsInMemory(Circuit("payments", version=1))
    circuits.keep_held("payments", Held(1, NOW, NOW))
    control = CircuitControl(circuits, ["payments"], lambda: NOW)
    operator.circuit_control.answers = [lambda said: answered(said, control.command)]
    for words, told in [
        (("force-open", "--for", "2h"), "mode FORCED_OPEN until 2026-11-26T14:00:00Z, 2 h left"),
        (("force-close",), "mode FORCED_CLOSED, until it is reset"),
        (("disable", "--until", "2026-11-26T12:00:01Z"), "mode DISABLED until 2026-11-26T12:00:01Z, 1 s left"),
        (("metrics-only",), "state [CLOSED] ── OPEN ── HALF_OPEN"),
        (("reset",), "held 1, the oldest for 0 s (counted 0 s ago)"),
    ]:
        name, *options = words
        result = operator.run("circuit", name, "payments", "--reason", "x", *options)
        assert (result.exit_code, result.stderr) == (0, "")
        assert told in rows(result.stdout)
    (listed,) = json.loads(operator.run("circuit", "list", "--json").stdout)["circuits"]
    for one in (closed(), open_circuit(), forced()):
        assert one.keys() == listed.keys()
        assert one["held"].keys() == listed["held"].keys()
    assert outage().keys() == listed["outage"].keys()
    for old, new in circuits.stream:
        if found := recorded(old, new):
            circuits.record(found)
    kept = json.loads(operator.run("circuit", "history", "payments", "--json").stdout)["transitions"]
    assert [one["mode"] for one in kept] == ["AUTOMATIC", "METRICS_ONLY", "DISABLED", "FORCED_CLOSED", "FORCED_OPEN"]
    assert {one["by"] for one in kept} == {ACTOR}
    assert kept[0].keys() == transition().keys()


def test_every_mode_has_its_words() -> None:
    """One that is added needs them, too."""
    assert [*MODES] == [*Mode]


def test_a_stack_without_circuits_is_told(operator: Operator) -> None:
    """It may have nobody to pay orders with."""
    operator.outputs = {"eventfork": {key: value for key, value in OUTPUTS.items() if not key.startswith("Circuit")}}
    result = operator.run("circuit", "list")
    assert result.exit_code == 3
    assert result.stderr == (
        "Error: The stack eventfork has no circuit breaker (no output CircuitControlFunctionName): deploy it "
        "with PaymentProviderUrl, or name the stack that has one with --stack-name.\n"
    )
