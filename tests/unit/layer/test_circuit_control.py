"""Operators look at circuits, force them, and leave them to themselves again; what cannot be done says why not."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from eventfork.circuit_control import CircuitControl, answered
from eventfork.circuits import Circuit, Held, Mode, State, change, recorded
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.circuits import CircuitsInMemory
from tests.unit.samples import documents, resolve

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
NAMES = {"payments": {"healthEndpointParameter": "/provider"}, "crm": {}}


class Desk:
    """Where an operator gives commands."""

    def __init__(self) -> None:
        self.circuits = CircuitsInMemory()
        self.now = NOON
        self._control = CircuitControl(self.circuits, NAMES, lambda: self.now)

    def ask(self, command: object, **said: Any) -> dict[str, Any]:
        """Give a command; give its answer."""
        return answered({"command": command, **said}, self._control.command)

    def force(self, command: str = "force-open", **said: Any) -> dict[str, Any]:
        """Give a command about the circuit payments, with a reason."""
        return self.ask(command, **{"circuit": "payments", "reason": "maintenance", "actor": "ann", **said})

    def circuit(self) -> Circuit:
        """Give the circuit as it is."""
        return self.circuits.load("payments")


@pytest.fixture
def desk() -> Desk:
    """Give a desk over circuits that were never written."""
    return Desk()


def problem(answer: Mapping[str, Any]) -> tuple[int, str | None]:
    """Give a problem's status, and the pointer to what it is about."""
    assert answer["type"] == "about:blank"
    return answer["status"], answer["errors"][0]["pointer"] if "errors" in answer else None


def test_every_circuit_is_listed(desk: Desk) -> None:
    """Those that were never written, too."""
    desk.force()
    listed = desk.ask("list")["circuits"]
    assert [(one["name"], one["state"], one["mode"]) for one in listed] == [
        ("crm", "CLOSED", "AUTOMATIC"),
        ("payments", "OPEN", "FORCED_OPEN"),
    ]


def test_a_circuit_that_was_never_written_is_shown(desk: Desk) -> None:
    """With nothing that is not known."""
    assert desk.ask("show", circuit="payments") == {
        "circuit": {
            "name": "payments",
            "state": "CLOSED",
            "mode": "AUTOMATIC",
            "changedAt": None,
            "changedBy": "",
            "reason": "",
            "modeActor": "",
            "modeReason": "",
            "modeExpiresAt": None,
            "outage": None,
            "held": None,
            "probes": [],
            "nextProbeAt": None,
            "version": 0,
        }
    }


def test_a_circuit_is_shown_with_its_outage_and_what_is_held(desk: Desk) -> None:
    """Everything that an operator decides from."""
    change(desk.circuits, "payments", lambda circuit: circuit.trip(NOON, "breaker", "5 calls in a row failed.", 5))
    later = NOON + timedelta(seconds=5)
    change(desk.circuits, "payments", lambda circuit: circuit.probed(healthy=True, now=later))
    desk.circuits.keep_held("payments", Held(7, NOON, later))
    assert desk.ask("show", circuit="payments")["circuit"] == {
        "name": "payments",
        "state": "HALF_OPEN",
        "mode": "AUTOMATIC",
        "changedAt": "2026-11-26T12:00:05.000000Z",
        "changedBy": "probe",
        "reason": "A probe found the other side healthy.",
        "modeActor": "",
        "modeReason": "",
        "modeExpiresAt": None,
        "outage": {
            "id": "payments-20261126T120000Z-1",
            "startedAt": "2026-11-26T12:00:00.000000Z",
            "closedAt": None,
            "cycles": 1,
        },
        "held": {"count": 7, "oldest": "2026-11-26T12:00:00.000000Z", "checkedAt": "2026-11-26T12:00:05.000000Z"},
        "probes": [True],
        "nextProbeAt": "2026-11-26T12:00:05.000000Z",
        "version": 2,
    }


@pytest.mark.parametrize(
    ("command", "mode", "state"),
    [
        ("force-open", Mode.FORCED_OPEN, State.OPEN),
        ("force-close", Mode.FORCED_CLOSED, State.CLOSED),
        ("disable", Mode.DISABLED, State.CLOSED),
        ("metrics-only", Mode.METRICS_ONLY, State.CLOSED),
    ],
)
def test_a_circuit_is_forced(desk: Desk, command: str, mode: Mode, state: State) -> None:
    """With who did so, why, and until when."""
    answer = desk.force(command, expiresAt="2026-11-26T15:00:00+01:00")
    circuit = desk.circuit()
    assert (circuit.mode, circuit.state) == (mode, state)
    assert (circuit.mode_actor, circuit.mode_reason) == ("ann", "maintenance")
    assert circuit.mode_expires_at == NOON + timedelta(hours=2)
    assert answer == desk.ask("show", circuit="payments")
    assert answer["circuit"]["modeExpiresAt"] == "2026-11-26T14:00:00.000000Z"


def test_a_circuit_can_be_forced_without_end(desk: Desk) -> None:
    """And by somebody who does not say who he is."""
    shown = desk.ask("disable", circuit="payments", reason="tests")["circuit"]
    assert (shown["modeExpiresAt"], shown["modeActor"]) == (None, "unknown")


def test_a_circuit_is_forced_once_more(desk: Desk) -> None:
    """The later command holds, with its own reason and end."""
    desk.force(expiresAt="2026-11-26T13:00:00Z")
    shown = desk.force(reason="still maintenance", actor="bob")["circuit"]
    assert (shown["modeActor"], shown["modeReason"], shown["modeExpiresAt"]) == ("bob", "still maintenance", None)


def test_a_circuit_is_reset(desk: Desk) -> None:
    """It stays open until probes decide, the first of which is due at once."""
    desk.force()
    desk.now += timedelta(minutes=5)
    shown = desk.ask("reset", circuit="payments", reason="done", actor="bob")["circuit"]
    assert (shown["mode"], shown["state"], shown["modeActor"]) == ("AUTOMATIC", "OPEN", "bob")
    assert shown["nextProbeAt"] == "2026-11-26T12:05:00.000000Z"


def test_a_circuit_that_nobody_forces_is_reset_without_effect(desk: Desk) -> None:
    """The answer says how it is."""
    shown = desk.ask("reset", circuit="payments", reason="just to be sure")["circuit"]
    assert (shown["mode"], shown["version"]) == ("AUTOMATIC", 0)


def test_the_history_tells_the_newest_first(desk: Desk) -> None:
    """As many transitions as are asked for."""
    desk.force()
    desk.now += timedelta(minutes=5)
    desk.force("force-close", reason="done", actor="bob")
    for old, new in desk.circuits.stream:
        transition = recorded(old, new)
        assert transition is not None
        desk.circuits.record(transition)
    newest = {
        "version": 2,
        "at": "2026-11-26T12:05:00.000000Z",
        "state": "CLOSED",
        "previousState": "OPEN",
        "mode": "FORCED_CLOSED",
        "by": "bob",
        "reason": "done",
        "outageId": "payments-20261126T120000Z-1",
    }
    assert desk.ask("history", circuit="payments", limit=1) == {"transitions": [newest]}
    assert [one["version"] for one in desk.ask("history", circuit="payments")["transitions"]] == [2, 1]
    assert desk.ask("history", circuit="crm") == {"transitions": []}


def test_of_two_operators_at_once_the_second_is_refused(desk: Desk) -> None:
    """He learns who has done what, and nothing of his own was done."""
    desk.circuits.meanwhile.append(lambda: desk.force("disable", actor="bob", reason="tests"))
    answer = desk.force("force-open", actor="ann")
    assert problem(answer) == (409, None)
    assert answer["detail"] == ("Bob has set the circuit payments to DISABLED meanwhile: look at it, and decide again.")
    assert (desk.circuit().mode, desk.circuit().mode_actor) == (Mode.DISABLED, "bob")


def test_an_operator_is_refused_who_did_not_know_that_another_reset_the_circuit(desk: Desk) -> None:
    """Nor is a reset carried out over what another forced."""
    desk.force()
    desk.circuits.meanwhile.append(lambda: desk.force("force-close", actor="bob"))
    assert problem(desk.ask("reset", circuit="payments", reason="done")) == (409, None)
    assert desk.circuit().mode is Mode.FORCED_CLOSED


def test_a_trip_meanwhile_refuses_no_operator(desk: Desk) -> None:
    """What he decided holds over whatever state the circuit is in."""
    desk.circuits.meanwhile += [
        lambda: None,
        lambda: change(desk.circuits, "payments", lambda circuit: circuit.trip(NOON, "breaker", "failures")),
    ]
    assert desk.force("force-close")["circuit"]["mode"] == "FORCED_CLOSED"
    assert [new.state for _, new in desk.circuits.stream] == [State.OPEN, State.CLOSED]


def test_a_circuit_that_others_always_write_first_is_a_conflict(desk: Desk) -> None:
    """The operator may try again."""

    def write() -> None:
        circuit = desk.circuits._circuit("payments")
        desk.circuits.save(circuit.trip(NOON, "breaker", "failures") or circuit.probed(False, NOON) or circuit)

    desk.circuits.meanwhile = [write] * 6
    answer = desk.force()
    assert problem(answer) == (409, None)
    assert answer["detail"] == "The circuit payments was written by others 5 times in a row."


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"command": None}, "/command"),
        ({"command": "explode"}, "/command"),
        ({"command": ["list"]}, "/command"),
        ({"command": "list", "circuit": "payments"}, "/circuit"),
        ({"command": "show"}, "/circuit"),
        ({"command": "show", "circuit": 7}, "/circuit"),
        ({"command": "show", "circuit": "payments", "reason": "curiosity"}, "/reason"),
        ({"command": "history", "circuit": "payments", "limit": 0}, "/limit"),
        ({"command": "history", "circuit": "payments", "limit": 101}, "/limit"),
        ({"command": "history", "circuit": "payments", "limit": True}, "/limit"),
        ({"command": "history", "circuit": "payments", "limit": "5"}, "/limit"),
        ({"command": "force-open", "circuit": "payments"}, "/reason"),
        ({"command": "force-open", "circuit": "payments", "reason": " "}, "/reason"),
        ({"command": "force-open", "circuit": "payments", "reason": 7}, "/reason"),
        ({"command": "force-open", "circuit": "payments", "reason": "a" * 1001}, "/reason"),
        ({"command": "force-open", "circuit": "payments", "reason": "a", "actor": []}, "/actor"),
        ({"command": "force-open", "circuit": "payments", "reason": "a", "expiresAt": 5}, "/expiresAt"),
        ({"command": "force-open", "circuit": "payments", "reason": "a", "expiresAt": "soon"}, "/expiresAt"),
        (
            {"command": "force-open", "circuit": "payments", "reason": "a", "expiresAt": "2026-11-26T13:00:00"},
            "/expiresAt",
        ),
        (
            {"command": "force-open", "circuit": "payments", "reason": "a", "expiresAt": "2026-11-26T12:00:00Z"},
            "/expiresAt",
        ),
        (
            {"command": "force-open", "circuit": "payments", "reason": "a", "expiresAt": "0001-01-01T00:00:00+14:00"},
            "/expiresAt",
        ),
        ({"command": "force-open", "circuit": "payments", "reason": "a", "until": "noon"}, "/until"),
        ({"command": "reset", "circuit": "payments"}, "/reason"),
        (
            {"command": "reset", "circuit": "payments", "reason": "a", "expiresAt": "2026-11-26T13:00:00Z"},
            "/expiresAt",
        ),
    ],
    ids=str,
)
def test_a_command_that_is_wrong_says_where(desk: Desk, said: dict[str, Any], pointer: str) -> None:
    """And has no effect."""
    assert problem(desk.ask(**said)) == (400, pointer)
    assert desk.circuits.writes == 0


@pytest.mark.parametrize("command", ["show", "history", "force-open", "reset"])
def test_a_circuit_that_there_is_not_is_not_found(desk: Desk, command: str) -> None:
    """No mistyped name makes a circuit."""
    reason = {} if command in {"show", "history"} else {"reason": "a"}
    answer = desk.ask(command, circuit="payment", **reason)
    assert problem(answer) == (404, None)
    assert answer["detail"] == "There is no circuit payment: `list` tells which there are."


@pytest.mark.parametrize("command", ["show", "force-open"])
def test_a_table_that_does_not_answer_is_a_problem_for_later(desk: Desk, command: str) -> None:
    """Whether a command had an effect is not known."""
    desk.circuits.is_down = True
    reason = {} if command == "show" else {"reason": "a"}
    answer = desk.ask(command, circuit="payments", **reason)
    assert problem(answer) == (503, None)
    assert answer["detail"] == "The service does not answer. Look at what is there, and try again."


def test_a_bug_of_ours_shows_as_one() -> None:
    """It is no problem of the operator's."""
    with pytest.raises(ZeroDivisionError):
        answered({}, lambda _: {"circuit": 1 // 0})


COMMANDS = ("list", "show", "history", "force-open", "force-close", "disable", "metrics-only", "reset")


@given(
    st.sampled_from(COMMANDS) | documents,
    st.dictionaries(
        st.sampled_from(["circuit", "reason", "actor", "expiresAt", "limit"]) | st.text(max_size=3),
        documents | st.sampled_from(["payments", "2026-11-26T13:00:00Z", "9999-12-31T23:59:59-23:59", "why"]),
    ).filter(lambda said: "command" not in said),
)
def test_whatever_is_commanded_is_done_or_refused_by_the_field(command: object, said: dict[str, Any]) -> None:
    """By a pointer that leads to it, or to where it is missing; nothing else is ever raised."""
    answer = Desk().ask(command, **said)
    if "status" not in answer:
        return
    assert answer["status"] in {400, 404, 409}
    for error in answer.get("errors", []):
        if "missing" not in error["detail"] and error["pointer"] != "/command":
            resolve(said, error["pointer"])
