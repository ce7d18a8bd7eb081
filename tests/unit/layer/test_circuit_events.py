"""A write of a circuit is one event, always the same, or none."""

from datetime import UTC, datetime, timedelta
from typing import Any

from eventfork import bus_events, circuit_events
from eventfork.circuits import Circuit, Held, Mode, Rules
from eventfork.json_text import parse

NOW = datetime(2026, 11, 20, 8, 15, 44, 120000, tzinfo=UTC)
LATER = NOW + timedelta(seconds=30)
CLOSED = Circuit("payments")


def given(circuit: Circuit | None) -> Circuit:
    assert circuit is not None
    return circuit


OPEN = given(CLOSED.trip(NOW, "breaker", "5 calls in a row failed.", 5))
HALF_OPEN = given(OPEN.probed(True, LATER))


def told(old: Circuit, new: Circuit, change_id: str = "change-1") -> dict[str, Any]:
    """Give the event for a write: its type, and its detail."""
    event = circuit_events.entry(change_id, old, new)
    assert event is not None
    assert event.source == bus_events.CIRCUITS
    return {"type": event.detail_type, **parse(event.detail)}


def test_an_opening_tells_who_opened_it_and_why_and_of_which_outage() -> None:
    """Whoever hears of it need not look into the table."""
    assert told(CLOSED, OPEN)["data"] == {
        "circuit": "payments",
        "state": "OPEN",
        "previousState": "CLOSED",
        "mode": "AUTOMATIC",
        "by": "breaker",
        "reason": "5 calls in a row failed.",
        "at": "2026-11-20T08:15:44.120000Z",
        "version": 1,
        "outageId": "payments-20261120T081544Z-1",
        "startedAt": "2026-11-20T08:15:44.120000Z",
        "recoverFrom": "2026-11-20T08:15:44.120000Z",
        "cycles": 1,
    }


def test_each_change_of_the_state_is_an_event_of_its_own_type() -> None:
    """And so is held work that is found while the circuit is closed."""
    closed = given(HALF_OPEN.probed(True, LATER, Rules(probes_needed=2)))
    found = given(CLOSED.held_seen(Held(3, NOW - timedelta(minutes=5), NOW), NOW))
    again = given(found.held_seen(Held(1, NOW, LATER + timedelta(hours=1)), LATER + timedelta(hours=1)))
    types = {
        "CircuitOpened": [(CLOSED, OPEN), (HALF_OPEN, given(HALF_OPEN.probed(False, LATER)))],
        "CircuitHalfOpened": [(OPEN, HALF_OPEN)],
        "CircuitClosed": [
            (HALF_OPEN, closed),
            (OPEN, OPEN.forced(Mode.FORCED_CLOSED, LATER, "operator", "It works", None)),
        ],
        "HeldWorkFound": [(CLOSED, found), (found, again)],
    }
    for detail_type, writes in types.items():
        for old, new in writes:
            assert told(old, new)["type"] == detail_type
    assert told(HALF_OPEN, closed)["data"]["closedAt"] == "2026-11-20T08:16:14.120000Z"
    assert told(found, again)["data"]["recoverFrom"] == "2026-11-20T08:10:44.120000Z"
    assert told(found, again)["data"]["at"] == told(found, again)["data"]["closedAt"]


def test_what_changes_no_state_is_no_event() -> None:
    """A probe more, its claim, a mode that leaves the state, the end of an outage."""
    closed = OPEN.forced(Mode.FORCED_CLOSED, LATER, "operator", "It works", None)
    much_later = LATER + timedelta(hours=1)
    silent = [
        (OPEN, OPEN.probing(LATER)),
        (OPEN, OPEN.probed(False, LATER)),
        (HALF_OPEN, HALF_OPEN.probed(True, LATER)),
        (CLOSED, CLOSED.forced(Mode.METRICS_ONLY, NOW, "operator", "Trying out", None)),
        (OPEN, OPEN.forced(Mode.FORCED_OPEN, NOW, "operator", "Stay", None)),
        (closed, closed.reset(LATER, "operator", "Done")),
        (closed, closed.held_seen(Held(0, None, much_later), much_later)),
        (CLOSED, CLOSED),
    ]
    for old, new in silent:
        assert circuit_events.entry("change-1", old, given(new)) is None


def test_the_same_write_is_the_same_event_however_often_it_is_read() -> None:
    """Another write is another, even if it says the same."""
    assert told(CLOSED, OPEN) == told(CLOSED, OPEN)
    first, second = (told(CLOSED, OPEN, change_id)["metadata"]["id"] for change_id in ("change-1", "change-2"))
    assert first != second


def test_what_happens_in_one_outage_belongs_together() -> None:
    """With the replay that makes up for it, whose id is the outage's."""
    for old, new in ((CLOSED, OPEN), (OPEN, HALF_OPEN)):
        metadata = told(old, new)["metadata"]
        assert metadata["correlationId"] == metadata["causationId"] == "payments-20261120T081544Z-1"
        assert (metadata["schemaVersion"], metadata["hops"]) == (1, 0)


def test_people_are_told_what_happened_who_did_it_and_why() -> None:
    """In a few lines, and of the outage, by which everything else is found."""
    event = circuit_events.entry("change-1", CLOSED, OPEN)
    assert event is not None
    assert circuit_events.notice(event, CLOSED, OPEN).splitlines() == [
        "CircuitOpened: the circuit payments is OPEN, and was CLOSED.",
        "Why: 5 calls in a row failed.",
        "By: breaker, at 2026-11-20T08:15:44.120000Z, in the mode AUTOMATIC.",
        "Outage payments-20261120T081544Z-1: work may be held since 2026-11-20T08:15:44.120000Z, opened 1 times.",
    ]


def test_a_circuit_whose_row_somebody_wrote_by_hand_is_told_of_without_an_outage() -> None:
    """Such an event is a chain of its own."""
    by_hand = Circuit("payments", state=OPEN.state, version=1, changed_at=NOW, changed_by="hand", reason="Console")
    event = told(CLOSED, by_hand)
    assert event["metadata"]["correlationId"] == event["metadata"]["id"]
    assert not event["data"].keys() & {"outageId", "startedAt", "recoverFrom", "closedAt", "cycles"}
    entry = circuit_events.entry("change-1", CLOSED, by_hand)
    assert entry is not None
    assert "Outage" not in circuit_events.notice(entry, CLOSED, by_hand)
