"""DynamoDB keeps circuits, each write on the condition that nobody wrote before."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from eventfork.adapters.circuit_table import CircuitTable
from eventfork.circuits import Circuit, ConflictError, Held, Mode, Outage, State, Transition, change
from eventfork.errors import UnavailableError

from tests.unit.aws import Aws, unreachable
from tests.unit.bus import table as made

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
TEMPLATE = "applications/circuit-breaker/template.yaml"
NAME = "payments"
OPEN = Circuit(
    NAME,
    state=State.OPEN,
    version=1,
    changed_at=NOON,
    changed_by="breaker",
    reason="5 calls in a row failed.",
    outage=Outage("payments-20261126T120000Z-1", NOON, NOON, closed_at=None, cycles=1),
    next_probe_at=NOON + timedelta(seconds=5),
    failures=5,
)
EVERYTHING = replace(
    OPEN,
    mode=Mode.FORCED_OPEN,
    mode_version=3,
    mode_actor="ann",
    mode_reason="maintenance",
    mode_expires_at=NOON + timedelta(hours=1),
    outage=Outage("payments-20261126T120000Z-1", NOON, NOON - timedelta(hours=2), closed_at=NOON, cycles=2),
    probes=(True, False, True),
)


@pytest.fixture
def table(aws: Aws) -> CircuitTable:
    """Give an empty table."""
    return CircuitTable(aws.client("dynamodb"), made(aws, TEMPLATE, "CircuitTable"))


def transition(version: int, name: str = NAME) -> Transition:
    return Transition(
        name=name,
        version=version,
        at=NOON + timedelta(seconds=version),
        state=State.OPEN,
        previous_state=State.CLOSED,
        mode=Mode.AUTOMATIC,
        by="breaker",
        reason="5 calls in a row failed.",
        outage_id="payments-20261126T120000Z-1" if version % 2 else None,
    )


def test_a_circuit_that_was_never_written_is_closed(table: CircuitTable) -> None:
    """It has the version 0, so that the first write begins it."""
    assert table.load(NAME) == table.glance(NAME) == Circuit(NAME)


@pytest.mark.parametrize("circuit", [replace(Circuit(NAME), version=1), OPEN, EVERYTHING])
def test_a_circuit_is_read_as_it_was_written(table: CircuitTable, circuit: Circuit) -> None:
    """With everything that there is of it, and nothing that there is not."""
    table.save(circuit)
    assert table.load(NAME) == circuit
    assert table.glance(NAME) == circuit
    assert table.load("another") == Circuit("another")


def test_a_circuit_is_one_item(aws: Aws, table: CircuitTable) -> None:
    """State, mode and outage together: a stream's record of it is complete."""
    table.save(EVERYTHING)
    assert aws.rows("CircuitTable") == [
        {
            "Circuit": {"S": "payments"},
            "Item": {"S": "STATE"},
            "State": {"S": "OPEN"},
            "Mode": {"S": "FORCED_OPEN"},
            "Version": {"N": "1"},
            "ChangedAt": {"S": "2026-11-26T12:00:00.000000Z"},
            "ChangedBy": {"S": "breaker"},
            "Reason": {"S": "5 calls in a row failed."},
            "ModeVersion": {"N": "3"},
            "ModeActor": {"S": "ann"},
            "ModeReason": {"S": "maintenance"},
            "ModeExpiresAt": {"S": "2026-11-26T13:00:00.000000Z"},
            "OutageId": {"S": "payments-20261126T120000Z-1"},
            "OutageStartedAt": {"S": "2026-11-26T12:00:00.000000Z"},
            "RecoverFrom": {"S": "2026-11-26T10:00:00.000000Z"},
            "OutageClosedAt": {"S": "2026-11-26T12:00:00.000000Z"},
            "Cycles": {"N": "2"},
            "Probes": {"S": "+-+"},
            "NextProbeAt": {"S": "2026-11-26T12:00:05.000000Z"},
            "Failures": {"N": "5"},
        }
    ]


def test_what_has_ended_leaves_no_attribute(aws: Aws, table: CircuitTable) -> None:
    """A write is the whole circuit."""
    table.save(EVERYTHING)
    table.save(replace(EVERYTHING, version=2, outage=None, mode_expires_at=None, next_probe_at=None))
    [row] = aws.rows("CircuitTable")
    assert not {"OutageId", "OutageStartedAt", "OutageClosedAt", "RecoverFrom", "Cycles"} & row.keys()
    assert not {"ModeExpiresAt", "NextProbeAt"} & row.keys()


@pytest.mark.parametrize("version", [1, 2, 4])
def test_a_circuit_that_somebody_else_wrote_first_is_not_written(table: CircuitTable, version: int) -> None:
    """Whether it was there before or not."""
    table.save(OPEN)
    table.save(replace(OPEN, version=2, failures=6))
    with pytest.raises(ConflictError):
        table.save(replace(EVERYTHING, version=version))
    assert table.load(NAME) == replace(OPEN, version=2, failures=6)


def test_a_circuit_that_is_not_there_has_no_later_version(table: CircuitTable) -> None:
    """It was deleted by hand: what was decided from it is not written."""
    with pytest.raises(ConflictError):
        table.save(replace(OPEN, version=2))


def test_an_attempt_that_was_carried_out_but_not_answered_is_no_conflict(table: CircuitTable) -> None:
    """The client makes it again, and finds its own item."""
    table.save(OPEN)
    table.save(OPEN)
    assert table.load(NAME) == OPEN


def test_only_a_glance_is_at_half_the_price(aws: Aws, table: CircuitTable) -> None:
    """What is decided from must be what is there."""
    asked: list[bool] = []
    aws.client("dynamodb").meta.events.register(
        "provide-client-params.dynamodb.GetItem", lambda params, **_: asked.append(params["ConsistentRead"])
    )
    table.glance(NAME)
    table.load(NAME)
    table.held(NAME)
    assert asked == [False, True, True]


def test_what_is_held_is_kept_beside_its_circuit(table: CircuitTable) -> None:
    """How much, since when, and when it was counted."""
    assert table.held(NAME) is None
    table.save(OPEN)
    table.keep_held(NAME, Held(3, NOON, NOON + timedelta(seconds=1)))
    assert table.held(NAME) == Held(3, NOON, NOON + timedelta(seconds=1))
    table.keep_held(NAME, Held(0, None, NOON + timedelta(seconds=2)))
    assert table.held(NAME) == Held(0, None, NOON + timedelta(seconds=2))
    assert table.load(NAME) == OPEN


def test_a_count_that_comes_late_is_not_kept(table: CircuitTable) -> None:
    """A later one is."""
    later = Held(0, None, NOON + timedelta(seconds=2))
    table.keep_held(NAME, later)
    table.keep_held(NAME, Held(3, NOON, NOON + timedelta(seconds=1)))
    assert table.held(NAME) == later


def test_transitions_are_on_record_the_newest_first(table: CircuitTable) -> None:
    """As many as are asked for, of one circuit."""
    table.save(OPEN)
    table.keep_held(NAME, Held(0, None, NOON))
    for version in (2, 9, 10, 11):
        table.record(transition(version))
    table.record(transition(12, "another"))
    assert table.transitions(NAME, 3) == [transition(11), transition(10), transition(9)]
    assert len(table.transitions(NAME, 100)) == 4


def test_the_same_transition_is_one_record(table: CircuitTable) -> None:
    """However often a stream tells of it."""
    table.record(transition(1))
    table.record(transition(1))
    assert table.transitions(NAME, 100) == [transition(1)]


def test_only_transitions_are_ever_forgotten(aws: Aws, table: CircuitTable) -> None:
    """After 400 days; a circuit that nobody calls stays as it is."""
    table.save(OPEN)
    table.keep_held(NAME, Held(0, None, NOON))
    table.record(transition(0))
    forgotten = {row["Item"]["S"]: row["ForgottenAt"]["N"] for row in aws.rows("CircuitTable") if "ForgottenAt" in row}
    assert forgotten == {"TRANSITION#0000000000": str(int((NOON + timedelta(days=400)).timestamp()))}


CALLS: dict[str, Callable[[CircuitTable], Any]] = {
    "load": lambda table: table.load(NAME),
    "glance": lambda table: table.glance(NAME),
    "save": lambda table: table.save(OPEN),
    "held": lambda table: table.held(NAME),
    "keep_held": lambda table: table.keep_held(NAME, Held(0, None, NOON)),
    "transitions": lambda table: table.transitions(NAME, 10),
    "record": lambda table: table.record(transition(1)),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_table_that_does_not_answer_is_unavailable(aws: Aws, table: CircuitTable, name: str) -> None:
    """Nothing counts as done."""
    with unreachable(aws.client("dynamodb")), pytest.raises(UnavailableError, match="DynamoDB did not"):
        CALLS[name](table)


def test_a_table_that_is_not_there_is_unavailable(aws: Aws) -> None:
    """It answers, but does not do it."""
    with pytest.raises(UnavailableError):
        CircuitTable(aws.client("dynamodb"), "CircuitTable").save(OPEN)


def test_a_change_goes_through_the_table(table: CircuitTable) -> None:
    """As it does through any place that keeps circuits."""
    assert change(table, NAME, lambda circuit: circuit.trip(NOON, "breaker", "5 calls in a row failed.", 5)) == OPEN
    assert change(table, NAME, lambda circuit: circuit.trip(NOON, "breaker", "again")) is None
