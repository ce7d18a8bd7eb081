"""A circuit moves as its table of states says, and whoever writes it, no state, no outage and no mode is lost."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from eventfork import circuits
from eventfork.circuits import (
    EXPIRY,
    MODES,
    PROBE,
    RECOVERY,
    TRANSITIONS,
    Circuit,
    ConflictError,
    FieldError,
    Held,
    Mode,
    Outage,
    Rules,
    State,
    change,
    happened,
    recorded,
)

from tests.unit.circuits import CircuitsInMemory

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
NAME = "payments"
RULES = Rules()
FORCED = [mode for mode in Mode if mode is not Mode.AUTOMATIC]


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def must(circuit: Circuit | None) -> Circuit:
    assert circuit is not None
    return circuit


def tripped(circuit: Circuit | None = None, at: datetime = NOON) -> Circuit:
    return must((circuit or Circuit(NAME)).trip(at, "breaker", "5 calls in a row failed.", 5))


def probed(circuit: Circuit, *found: bool, at: datetime = NOON, rules: Rules = RULES) -> Circuit:
    for healthy in found:
        circuit = must(circuit.probed(healthy, at, rules))
    return circuit


def closed_again(at: datetime = NOON) -> Circuit:
    return probed(tripped(), True, True, True, at=at)


def forced(mode: Mode, circuit: Circuit | None = None, seconds: float | None = None) -> Circuit:
    expires_at = None if seconds is None else after(seconds)
    return (circuit or Circuit(NAME)).forced(mode, NOON, "ann", "maintenance", expires_at)


def held(count: int, at: float, oldest: float | None = None) -> Held:
    return Held(count, None if oldest is None else after(oldest), after(at))


# Trips


def test_a_circuit_that_was_never_written_is_closed() -> None:
    """And left to trips and probes."""
    circuit = Circuit(NAME)
    assert (circuit.state, circuit.mode, circuit.version, circuit.outage) == (State.CLOSED, Mode.AUTOMATIC, 0, None)


@pytest.mark.parametrize("name", ["", "a" * 17, "a b", "zahlung\u00e4"])
def test_a_circuit_has_a_name_that_an_outage_can_begin_with(name: str) -> None:
    """An outage's id is a replay's, too."""
    with pytest.raises(ValueError, match="no name"):
        Circuit(name)


def test_a_trip_opens_the_circuit_and_begins_an_outage() -> None:
    """In one write, which says who, why, and since when."""
    assert tripped() == Circuit(
        NAME,
        state=State.OPEN,
        version=1,
        changed_at=NOON,
        changed_by="breaker",
        reason="5 calls in a row failed.",
        outage=Outage("payments-20261126T120000Z-1", NOON, NOON, closed_at=None, cycles=1),
        next_probe_at=after(5),
        failures=5,
    )


def test_an_id_of_an_outage_is_told_in_utc_and_fits_a_replay() -> None:
    """Whatever the name and the number of writes."""
    written_often = Circuit("a-circuit-of-16-", version=123_456_789)
    opened = tripped(written_often, NOON.astimezone(timezone(timedelta(hours=5))))
    assert opened.outage is not None
    assert opened.outage.id == "a-circuit-of-16--20261126T120000Z-456790"
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,40}", opened.outage.id)


def test_a_circuit_that_is_open_is_not_tripped_again() -> None:
    """Nor one that is half open: its outage goes on as it is."""
    assert tripped().trip(after(1), "breaker", "again") is None
    assert probed(tripped(), True).trip(after(1), "breaker", "again") is None


def test_a_trip_before_an_outage_has_ended_goes_on_with_it() -> None:
    """One outage, one replay: what was held before is held still."""
    first = closed_again(after(20))
    again = tripped(first, after(30))
    assert first.outage is not None
    assert again.outage == replace(first.outage, closed_at=None, cycles=2)
    assert again.outage.started_at == NOON


# Probes


def test_a_probe_is_claimed_once() -> None:
    """Whoever writes the claim probes; the next probe is due after some seconds."""
    opened = tripped()
    assert opened.probing(after(4)) is None
    claimed = must(opened.probing(after(5), Rules(probe_seconds=7)))
    assert (claimed.next_probe_at, claimed.version) == (after(12), 2)
    assert claimed.probing(after(11)) is None
    assert must(claimed.probing(after(12))).next_probe_at == after(17)


def test_a_closed_circuit_is_not_probed() -> None:
    """Nor does what a late probe found move it."""
    for circuit in (Circuit(NAME), closed_again()):
        assert circuit.probing(after(100)) is None
        assert circuit.probed(healthy=False, now=after(100)) is None


def test_a_circuit_opens_half_with_the_first_healthy_probe() -> None:
    """However many found the other side unhealthy before."""
    still_open = probed(tripped(), *[False] * 9)
    assert still_open.state is State.OPEN
    assert still_open.probes == (False,) * 5
    half_open = probed(still_open, True)
    assert (half_open.state, half_open.changed_by) == (State.HALF_OPEN, PROBE)
    assert half_open.outage == still_open.outage


def test_a_circuit_closes_when_enough_of_the_last_probes_are_healthy() -> None:
    """Its outage has not ended by that: what was held is still to be replayed."""
    half_open = probed(tripped(), False, False, True, True)
    assert half_open.state is State.HALF_OPEN
    closed = probed(half_open, True, at=after(30))
    assert (closed.state, closed.changed_at, closed.changed_by) == (State.CLOSED, after(30), PROBE)
    assert (closed.probes, closed.next_probe_at, closed.failures) == ((), None, 0)
    assert closed.outage == Outage("payments-20261126T120000Z-1", NOON, NOON, closed_at=after(30), cycles=1)


def test_a_circuit_that_is_half_open_opens_with_an_unhealthy_probe() -> None:
    """And begins to count anew; the same outage goes on."""
    half_open = probed(tripped(), True, True)
    reopened = probed(half_open, False)
    assert (reopened.state, reopened.probes) == (State.OPEN, ())
    assert reopened.outage == half_open.outage
    assert probed(reopened, True, True).state is State.HALF_OPEN
    assert probed(reopened, True, True, True).state is State.CLOSED


def test_rules_by_which_no_circuit_could_close_are_refused() -> None:
    """Rather than leaving it half open for ever."""
    for needed, looked_at in ((6, 5), (0, 5)):
        with pytest.raises(ValueError, match="never"):
            Rules(probes_needed=needed, probes_looked_at=looked_at)


# Modes


def test_every_mode_has_its_effect() -> None:
    """Only one leaves the circuit to trips and probes."""
    assert MODES.keys() == set(Mode)
    assert [mode for mode in Mode if MODES[mode].moves] == [Mode.AUTOMATIC]
    assert [mode for mode in Mode if not MODES[mode].measures] == [Mode.DISABLED]
    assert [mode for mode in Mode if MODES[mode].state is State.OPEN] == [Mode.FORCED_OPEN]


def test_a_circuit_is_forced_open() -> None:
    """It holds work from now on, so that this begins an outage."""
    circuit = forced(Mode.FORCED_OPEN, seconds=3600)
    assert circuit == Circuit(
        NAME,
        state=State.OPEN,
        mode=Mode.FORCED_OPEN,
        version=1,
        changed_at=NOON,
        changed_by="ann",
        reason="maintenance",
        mode_version=1,
        mode_actor="ann",
        mode_reason="maintenance",
        mode_expires_at=after(3600),
        outage=Outage("payments-20261126T120000Z-1", NOON, NOON, closed_at=None, cycles=1),
    )


def test_a_circuit_that_is_half_open_can_be_forced_open() -> None:
    """Its outage goes on, and is no cycle more."""
    half_open = probed(tripped(), True)
    circuit = forced(Mode.FORCED_OPEN, half_open)
    assert (circuit.state, circuit.outage, circuit.probes) == (State.OPEN, half_open.outage, ())


@pytest.mark.parametrize("mode", [Mode.FORCED_CLOSED, Mode.METRICS_ONLY, Mode.DISABLED])
@pytest.mark.parametrize("before", [tripped(), probed(tripped(), True), forced(Mode.FORCED_OPEN)])
def test_a_circuit_is_forced_closed(mode: Mode, before: Circuit) -> None:
    """In each mode in which calls are made; what was held can be replayed from then on."""
    circuit = before.forced(mode, after(9), "ann", "the provider is well", None)
    assert before.outage is not None
    assert (circuit.state, circuit.mode) == (State.CLOSED, mode)
    assert circuit.outage == replace(before.outage, closed_at=after(9))
    assert (circuit.probes, circuit.next_probe_at) == ((), None)
    assert circuit.mode_version == before.mode_version + 1


def test_forcing_a_closed_circuit_closed_moves_no_outage() -> None:
    """Nothing is replayed again."""
    before = closed_again()
    circuit = before.forced(Mode.DISABLED, after(60), "ann", "tests", None)
    assert (circuit.state, circuit.outage) == (State.CLOSED, before.outage)
    assert happened(before, circuit) is None


@pytest.mark.parametrize("mode", FORCED)
def test_what_is_forced_is_moved_by_nobody(mode: Mode) -> None:
    """No trip, no probe, no time that passes."""
    circuit = forced(mode)
    later = after(10_000_000)
    assert circuit.trip(later, "breaker", "failures") is None
    assert circuit.probing(later) is None
    assert circuit.probed(healthy=True, now=later) is None
    assert circuit.probed(healthy=False, now=later) is None
    assert circuit.expired(later) is None


@pytest.mark.parametrize("mode", FORCED)
def test_what_is_forced_ends_when_its_time_is_up(mode: Mode) -> None:
    """The circuit stays as it is until probes or trips decide."""
    circuit = forced(mode, seconds=60)
    assert circuit.expired(after(59)) is None
    ended = must(circuit.expired(after(60)))
    assert (ended.mode, ended.state, ended.outage) == (Mode.AUTOMATIC, circuit.state, circuit.outage)
    assert (ended.changed_by, ended.mode_actor, ended.mode_expires_at) == (EXPIRY, EXPIRY, None)
    assert (ended.version, ended.mode_version) == (2, 2)
    assert ended.next_probe_at == (after(60) if mode is Mode.FORCED_OPEN else None)


def test_a_force_whose_time_is_up_bars_nothing() -> None:
    """Even before somebody has written that it has ended."""
    opened = tripped(forced(Mode.FORCED_CLOSED, seconds=60), after(61))
    assert (opened.state, opened.mode, opened.version, opened.changed_by) == (State.OPEN, Mode.AUTOMATIC, 2, "breaker")
    assert (opened.mode_version, opened.mode_actor) == (2, EXPIRY)
    claimed = must(forced(Mode.FORCED_OPEN, seconds=60).probing(after(61)))
    assert (claimed.mode, claimed.version, claimed.next_probe_at) == (Mode.AUTOMATIC, 2, after(66))
    assert must(forced(Mode.FORCED_OPEN, seconds=60).probed(healthy=True, now=after(61))).state is State.HALF_OPEN


def test_a_circuit_that_measures_only_tells_what_would_have_tripped_it() -> None:
    """Others do not, and it does not once its time is up."""
    circuit = forced(Mode.METRICS_ONLY, seconds=60)
    assert circuit.would_trip(after(1))
    assert not circuit.would_trip(after(60))
    assert not any(forced(mode).would_trip(after(1)) for mode in FORCED if mode is not Mode.METRICS_ONLY)
    assert not Circuit(NAME).would_trip(NOON)


def test_nothing_is_measured_while_a_circuit_is_disabled() -> None:
    """In every other mode it is, and once its time is up."""
    disabled = forced(Mode.DISABLED, seconds=60)
    assert not disabled.measures(after(59))
    assert disabled.measures(after(60))
    assert all(forced(mode).measures(after(1)) for mode in FORCED if mode is not Mode.DISABLED)


def test_a_circuit_is_reset() -> None:
    """It stays as it is; if it is open, a probe is due at once."""
    reset = must(forced(Mode.FORCED_OPEN).reset(after(9), "bob", "the provider is well"))
    assert (reset.mode, reset.state, reset.next_probe_at) == (Mode.AUTOMATIC, State.OPEN, after(9))
    assert (reset.mode_actor, reset.mode_reason, reset.mode_version) == ("bob", "the provider is well", 2)
    assert must(forced(Mode.DISABLED).reset(after(9), "bob", "done")).next_probe_at is None


def test_a_circuit_that_is_left_to_itself_is_not_reset() -> None:
    """There is nothing to do."""
    assert tripped().reset(after(1), "bob", "why not") is None


def test_nothing_is_forced_without_a_reason() -> None:
    """Nor reset: the history keeps it."""
    with pytest.raises(FieldError, match="is missing") as error:
        Circuit(NAME).forced(Mode.DISABLED, NOON, "ann", "  ", None)
    assert error.value.pointer == "/reason"
    with pytest.raises(FieldError, match="is missing"):
        forced(Mode.DISABLED).reset(NOON, "ann", "")


def test_what_would_have_expired_already_is_not_forced() -> None:
    """Nor is a mode that forces nothing."""
    with pytest.raises(FieldError) as error:
        forced(Mode.DISABLED, seconds=0)
    assert error.value.pointer == "/expiresAt"
    with pytest.raises(FieldError) as error:
        forced(Mode.AUTOMATIC)
    assert error.value.pointer == "/mode"


def test_no_circuit_goes_where_its_table_of_states_does_not_lead() -> None:
    """From closed it cannot open half: there is no probe that could do that."""
    assert State.HALF_OPEN not in TRANSITIONS[State.CLOSED]
    with pytest.raises(ValueError, match="cannot become"):
        circuits._moved(Circuit(NAME), State.HALF_OPEN)


# What is held


def test_work_that_is_held_without_an_outage_begins_one() -> None:
    """It is closed from the beginning, so that the work is replayed."""
    circuit = Circuit(NAME)
    assert circuit.held_seen(held(3, at=60, oldest=0), after(60)) is None
    found = must(circuit.held_seen(held(3, at=61, oldest=0), after(61)))
    assert found.outage == Outage("payments-20261126T120101Z-1", NOON, NOON, closed_at=after(61), cycles=0)
    assert (found.state, found.changed_by, happened(circuit, found)) == (State.CLOSED, RECOVERY, "HeldWorkFound")


def test_no_outage_begins_where_nothing_is_held() -> None:
    """Nor where it is not known since when."""
    assert Circuit(NAME).held_seen(held(0, at=100), after(100)) is None
    assert Circuit(NAME).held_seen(held(1, at=100), after(100)) is None


def test_an_outage_ends_when_nothing_is_held_any_more() -> None:
    """As counted late enough that nobody can have held anything since: callers learn late that a circuit is closed."""
    circuit = closed_again(after(30))
    assert circuit.held_seen(held(0, at=90), after(200)) is None
    ended = must(circuit.held_seen(held(0, at=91), after(91)))
    assert (ended.outage, happened(circuit, ended)) == (None, None)


def test_what_is_still_held_long_after_is_replayed_again() -> None:
    """From where the oldest of it is; the outage's beginning stays."""
    circuit = closed_again(after(30))
    still = held(2, at=931, oldest=-10)
    assert circuit.held_seen(still, after(930)) is None
    again = must(circuit.held_seen(still, after(931)))
    assert circuit.outage is not None
    assert again.outage == replace(circuit.outage, closed_at=after(931), recover_from=after(-10))
    assert again.outage.started_at == NOON
    assert happened(circuit, again) == "HeldWorkFound"


def test_a_replay_does_not_begin_later_than_it_did() -> None:
    """Whatever the oldest of what is still held."""
    again = must(closed_again(after(30)).held_seen(held(2, at=931, oldest=500), after(931)))
    assert again.outage is not None
    assert again.outage.recover_from == NOON


def test_an_old_count_does_not_have_anything_replayed() -> None:
    """It was taken before the circuit closed, and says nothing of what was replayed since."""
    assert closed_again(after(30)).held_seen(held(2, at=30, oldest=0), after(2000)) is None


def test_what_is_held_while_a_circuit_is_not_closed_changes_nothing() -> None:
    """It is to be held."""
    for circuit in (tripped(), probed(tripped(), True)):
        assert circuit.held_seen(held(9, at=2000, oldest=0), after(2000)) is None


# What callers and others are told


@pytest.mark.parametrize(
    ("circuit", "seconds"),
    [
        (replace(tripped(), next_probe_at=after(19.2)), 20),
        (tripped(at=after(-100)), 5),
        (replace(tripped(), next_probe_at=after(600)), 60),
        (forced(Mode.FORCED_OPEN, seconds=30), 30),
        (forced(Mode.FORCED_OPEN, seconds=7200), 60),
        (forced(Mode.FORCED_OPEN), 60),
    ],
)
def test_callers_are_told_when_to_try_again(circuit: Circuit, seconds: int) -> None:
    """When a probe, or the end of what is forced, may let them through: after 5 seconds at least, a minute at most."""
    assert circuit.retry_after(NOON) == seconds


def test_each_change_of_state_is_an_event() -> None:
    """And each time that work is to be replayed again; nothing else is."""
    first, opened, half_open, closed = Circuit(NAME), tripped(), probed(tripped(), True), closed_again()
    assert happened(first, opened) == "CircuitOpened"
    assert happened(opened, half_open) == "CircuitHalfOpened"
    assert happened(half_open, opened) == "CircuitOpened"
    assert happened(half_open, closed) == "CircuitClosed"
    assert happened(opened, must(opened.probing(after(5)))) is None
    assert happened(first, forced(Mode.DISABLED)) is None
    assert happened(closed, closed) is None


def test_a_transition_goes_on_record() -> None:
    """With what it was before, and the outage that it belongs to."""
    before, after_it = Circuit(NAME), tripped()
    found = recorded(before, after_it)
    assert found is not None
    assert (found.name, found.version, found.at) == (NAME, 1, NOON)
    assert (found.previous_state, found.state, found.mode) == (State.CLOSED, State.OPEN, Mode.AUTOMATIC)
    assert (found.by, found.reason) == ("breaker", "5 calls in a row failed.")
    assert found.outage_id == "payments-20261126T120000Z-1"


def test_a_change_of_mode_and_the_end_of_an_outage_go_on_record() -> None:
    """Probes do not: there is one every few seconds."""
    circuit = closed_again(after(30))
    ended = must(circuit.held_seen(held(0, at=100), after(100)))
    record = recorded(circuit, ended)
    assert record is not None
    assert record.outage_id == "payments-20261126T120000Z-1"
    assert recorded(circuit, forced(Mode.DISABLED, circuit)) is not None
    assert recorded(tripped(), must(tripped().probing(after(5)))) is None
    assert recorded(tripped(), probed(tripped(), False)) is None


# Changes


def test_a_change_is_decided_again_when_others_wrote_first() -> None:
    """From how the circuit is by then."""
    store = CircuitsInMemory()
    store.meanwhile.append(lambda: store.save(forced(Mode.DISABLED)))
    assert change(store, NAME, lambda circuit: circuit.trip(NOON, "breaker", "failures")) is None
    assert store.load(NAME).mode is Mode.DISABLED


def test_of_two_trips_at_once_one_opens_the_circuit() -> None:
    """The other finds it open."""
    store = CircuitsInMemory()

    def trip(seconds: float) -> Circuit | None:
        return change(store, NAME, lambda circuit: circuit.trip(after(seconds), "breaker", "failures"))

    store.meanwhile.append(lambda: trip(1))
    assert trip(2) is None
    [(_, opened)] = store.stream
    assert opened.outage is not None
    assert opened.outage.started_at == after(1)


def test_a_change_that_others_always_forestall_is_given_up() -> None:
    """After some attempts; nothing was written."""
    store = CircuitsInMemory()

    def forestall() -> None:
        store.save(store._circuit(NAME).forced(Mode.DISABLED, NOON, "ann", "again", None))

    store.meanwhile = [forestall] * 3
    with pytest.raises(ConflictError, match="3 times in a row"):
        change(store, NAME, lambda circuit: circuit.forced(Mode.FORCED_OPEN, NOON, "bob", "no", None), attempts=3)
    assert {new.mode for _, new in store.stream} == {Mode.DISABLED}
