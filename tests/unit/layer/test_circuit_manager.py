"""Whatever is due for circuits is done, once, however many managers do it, and however often they are told."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from eventfork import circuit_records
from eventfork.bus_events import Entry
from eventfork.circuit_manager import CircuitManager, Sums
from eventfork.circuits import Circuit, Held, Mode, Rules, State, recorded
from eventfork.errors import UnavailableError
from eventfork.forwarding import Message
from eventfork.order_stream import Change
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.circuits import CircuitsInMemory, reported
from tests.unit.samples import message

NOON = datetime(2026, 11, 20, 12, 0, 20, tzinfo=UTC)
NAME = "payments"
RULES = Rules()
QUIET = Sums(calls=0, failures=0, slow=0)
FAILING = Sums(calls=20, failures=10, slow=0)
OF_EVERY_LINE = {*logging.makeLogRecord({}).__dict__, "message", "asctime"}
"""What no fact of a line may be called."""


@dataclass
class Lines:
    """What was logged."""

    done: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    failed: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def info(self, said: str, **facts: Any) -> None:
        """Keep what was done."""
        assert not facts.keys() & OF_EVERY_LINE
        self.done.append((said, facts))

    def exception(self, said: str, **facts: Any) -> None:
        """Keep what was not done."""
        assert not facts.keys() & OF_EVERY_LINE
        self.failed.append((said, facts))


class World:
    """Everything around managers, and a clock that goes when it is told to.

    Attributes
    ----------
    complaint : str or None or Exception
        What there is to be complained of the other side; an error if it cannot be asked.
    away : set of str
        The services that do not answer: cloudwatch, ssm, events, sqs, sns.
    shown : dict
        The states that are shown.
    asked : list of (str, int)
        Which probes were asked for, and after how many seconds.
    """

    def __init__(self, *circuits: Circuit, sums: Sums = QUIET, rules: Rules = RULES) -> None:
        self.now = NOON
        self.circuits = CircuitsInMemory(*circuits)
        self.sums = sums
        self.rules = rules
        self.complaint: str | Exception | None = None
        self.away: set[str] = set()
        self.shown: dict[str, str] = {}
        self.shows = 0
        self.asked: list[tuple[str, int]] = []
        self.probed: list[datetime] = []
        self.summed: list[tuple[str, datetime, datetime]] = []
        self.events: list[Entry] = []
        self.refused = 0
        self.notices: list[tuple[str, str, str]] = []
        self.measures: list[tuple[str, dict[str, int]]] = []
        self.lines = Lines()
        self.during_probe: Callable[[], object] = lambda: None
        self.during_put: list[Callable[[], object]] = []

    def manager(self, *names: str) -> CircuitManager:
        """Give a manager, such as another environment of the function has."""
        return CircuitManager(
            self.circuits,
            names or (NAME,),
            self.rules,
            rate_window=timedelta(seconds=180),
            complaint=self._complain,
            sums=self._sum,
            states=self,
            put=self._put,
            ask=self._ask,
            notify=self._notify,
            measured=lambda circuit, measures: self.measures.append((circuit, dict(measures))),
            read=lambda row: circuit_records.circuit(row) if row["Item"] == "STATE" else None,
            log=self.lines,
            now=lambda: self.now,
            sleep=lambda _: None,
        )

    def circuit(self, name: str = NAME) -> Circuit:
        """Give a circuit as it is, unnoticed."""
        return self.circuits._circuit(name)

    def write(self, decide: Callable[[Circuit], Circuit | None], name: str = NAME) -> Circuit:
        """Write a circuit as somebody else does."""
        decided = decide(self.circuit(name))
        assert decided is not None
        self.circuits.save(decided)
        return decided

    def pass_seconds(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)

    def changes(self, begin: int = 0) -> list[Change]:
        """Give what the table's stream reports from its `begin`th record on."""
        return [reported(position, *pair) for position, pair in enumerate(self.circuits.stream)][begin:]

    def measure(self, name: str) -> list[int]:
        """Give every value that a metric was given, in order."""
        return [measures[name] for _, measures in self.measures if name in measures]

    def state(self, circuit: str) -> str | None:
        """Give the state that is shown."""
        self._answer("ssm")
        return self.shown.get(circuit)

    def put(self, circuit: str, state: str) -> None:
        """Show a state."""
        self._answer("ssm")
        if self.during_put:
            self.during_put.pop(0)()
        self.shown[circuit] = state
        self.shows += 1

    def _complain(self, circuit: str) -> str | None:
        assert circuit == NAME
        self.probed.append(self.now)
        self.during_probe()
        if isinstance(self.complaint, Exception):
            raise self.complaint
        return self.complaint

    def _sum(self, circuit: str, start: datetime, end: datetime) -> Sums:
        self._answer("cloudwatch")
        self.summed.append((circuit, start, end))
        return self.sums

    def _put(self, entries: Sequence[Entry]) -> Sequence[int]:
        self._answer("events")
        if self.refused:
            self.refused -= 1
            return range(len(entries))
        self.events += entries
        return []

    def _ask(self, circuit: str, delay_seconds: int) -> None:
        self._answer("sqs")
        self.asked.append((circuit, delay_seconds))

    def _notify(self, circuit: str, event_type: str, text: str) -> None:
        self._answer("sns")
        self.notices.append((circuit, event_type, text))

    def _answer(self, service: str) -> None:
        if service in self.away:
            raise UnavailableError(f"{service} does not answer")


def sure(circuit: Circuit | None) -> Circuit:
    assert circuit is not None
    return circuit


def opened(at: datetime = NOON) -> Circuit:
    return sure(Circuit(NAME).trip(at, "breaker", "5 calls in a row failed.", 5))


def half_opened() -> Circuit:
    return sure(opened().probed(True, NOON))


def in_mode(mode: Mode, circuit: Circuit | None = None, expires_at: datetime | None = None) -> Circuit:
    return (circuit or Circuit(NAME)).forced(mode, NOON, "operator", "Trying out", expires_at)


# The clock: rates


@pytest.mark.parametrize(
    ("sums", "reason"),
    [
        (Sums(20, 10, 0), "10 of 20 calls failed."),
        (Sums(20, 20, 20), "20 of 20 calls failed."),
        (Sums(20, 0, 16), "16 of 20 calls were slow."),
        (Sums(1000, 499, 800), "800 of 1000 calls were slow."),
        (Sums(20, 9, 15), None),
        (Sums(19, 19, 19), None),
        (Sums(0, 0, 0), None),
    ],
)
def test_shares_of_enough_calls_trip_a_circuit(sums: Sums, reason: str | None) -> None:
    """Half of them failed, or four fifths were slow; of fewer than twenty nothing can be said."""
    world = World(sums=sums)
    world.manager().tick(NAME)
    circuit = world.circuit()
    assert (circuit.state is State.OPEN) == (reason is not None)
    if reason:
        assert (circuit.changed_by, circuit.reason, circuit.failures) == ("rate", reason, 0)
        assert circuit.outage
        assert circuit.next_probe_at == NOON + timedelta(seconds=5)


def test_without_any_calls_no_share_is_reached_whatever_the_rules_are() -> None:
    """Nothing of nothing is no half."""
    assert Sums(0, 0, 0).breach(Rules(minimum_volume=0, failure_share=Decimal(0))) is None


def test_calls_are_summed_over_whole_minutes_of_the_window() -> None:
    """The one that the window begins in is one of them, and so is the one that is not over."""
    world = World()
    world.manager().tick(NAME)
    assert world.summed == [(NAME, NOON.replace(minute=57, hour=11, second=0), NOON.replace(minute=1, second=0))]


def test_what_failed_before_a_circuit_closed_does_not_open_it_again() -> None:
    """Not even in the minute of its closing: those calls cannot be told from the ones before it."""
    closed = in_mode(Mode.FORCED_CLOSED, opened(NOON - timedelta(seconds=50)))
    world = World(sure(closed.reset(NOON, "operator", "It works")), sums=FAILING)
    world.manager().tick(NAME)
    assert world.summed == []
    world.pass_seconds(70)
    world.manager().tick(NAME)
    assert world.summed == [(NAME, NOON.replace(minute=1, second=0), NOON.replace(minute=2, second=0))]
    assert world.circuit().state is State.OPEN


def test_a_change_on_the_minute_counts_from_that_minute() -> None:
    """It takes nothing away."""
    sharp = NOON.replace(second=0)
    closed = sure(opened(sharp).forced(Mode.FORCED_CLOSED, sharp, "operator", "Works", None).reset(sharp, "a", "b"))
    world = World(closed)
    world.manager().tick(NAME)
    assert world.summed == [(NAME, sharp, sharp + timedelta(minutes=1))]


@pytest.mark.parametrize("circuit", [opened(), half_opened(), in_mode(Mode.FORCED_OPEN)])
def test_the_calls_of_a_circuit_that_is_not_closed_are_not_summed(circuit: Circuit) -> None:
    """There are none, and it cannot be tripped."""
    world = World(circuit)
    world.pass_seconds(300)
    world.manager().tick(NAME)
    assert world.summed == []


def test_a_circuit_that_only_measures_is_not_tripped_and_what_would_have_done_so_is_told() -> None:
    """So that rates can be tried out."""
    world = World(in_mode(Mode.METRICS_ONLY))
    world.pass_seconds(300)
    world.manager().tick(NAME)
    world.sums = FAILING
    world.manager().tick(NAME)
    assert world.circuit().state is State.CLOSED
    assert world.measure("CircuitWouldOpen") == [0, 1]


def test_a_disabled_circuit_is_not_even_measured() -> None:
    """And one that is forced closed stays so."""
    for mode, summed in ((Mode.DISABLED, 0), (Mode.FORCED_CLOSED, 1)):
        world = World(in_mode(mode), sums=FAILING)
        world.pass_seconds(300)
        world.manager().tick(NAME)
        assert world.circuit().state is State.CLOSED
        assert len(world.summed) == summed
        assert world.measure("CircuitWouldOpen") == []


def test_sums_that_are_older_than_the_circuits_last_change_trip_nothing() -> None:
    """Another manager tripped it, and probes closed it, while they were summed."""
    world = World(sums=FAILING)
    rules = Rules(probes_needed=1)

    def open_and_close() -> None:
        world.write(lambda circuit: circuit.trip(world.now, "breaker", "Failed"))
        world.write(lambda circuit: circuit.probed(True, world.now, rules))
        world.write(lambda circuit: circuit.probed(True, world.now, rules))

    # After the first load that is for the rates: before it one is for forces.
    world.circuits.meanwhile = [lambda: None, open_and_close]
    world.manager().tick(NAME)
    assert len(world.summed) == 1
    assert world.circuit().state is State.CLOSED
    assert [new.changed_by for _, new in world.circuits.stream] == ["breaker", "probe", "probe"]


def test_several_managers_that_trip_at_once_trip_it_once() -> None:
    """The second finds it open."""
    world = World(sums=FAILING)
    world.circuits.meanwhile = [lambda: None, lambda: world.manager().tick(NAME)]
    world.manager().tick(NAME)
    assert [new.state for _, new in world.circuits.stream] == [State.OPEN]


# The clock: what is forced, what is held, what is shown


def test_a_force_whose_time_is_up_ends_and_probes_decide() -> None:
    """Who ended it goes on record; until then it holds."""
    expires_at = NOON + timedelta(minutes=10)
    world = World(in_mode(Mode.FORCED_OPEN, expires_at=expires_at))
    world.manager().tick(NAME)
    assert world.circuit().mode is Mode.FORCED_OPEN
    world.now = expires_at
    world.manager().tick(NAME)
    circuit = world.circuit()
    assert (circuit.mode, circuit.state, circuit.changed_by) == (Mode.AUTOMATIC, State.OPEN, "expiry")
    world.manager().announce(world.changes())
    assert world.asked == [(NAME, 0)]


def test_work_that_is_held_behind_a_closed_circuit_begins_an_outage_and_its_absence_ends_it() -> None:
    """Payments are deferred for other reasons than an open circuit, too."""
    world = World()
    world.circuits.keep_held(NAME, Held(3, NOON - timedelta(seconds=90), NOON))
    for _ in range(2):
        world.manager().tick(NAME)
    outage = world.circuit().outage
    assert outage
    assert (outage.recover_from, outage.closed_at) == (NOON - timedelta(seconds=90), NOON)
    assert len(world.circuits.stream) == 1
    world.pass_seconds(120)
    world.circuits.keep_held(NAME, Held(0, None, world.now))
    world.manager().tick(NAME)
    assert world.circuit().outage is None


def test_held_work_is_measured_and_its_age_with_it() -> None:
    """Where it was never counted, there is no such measure, which is not the same as nothing."""
    world = World()
    world.manager().tick(NAME)
    assert world.measure("HeldPayments") == []
    for held in (Held(3, NOON - timedelta(seconds=90), NOON), Held(0, None, NOON), Held(1, NOON + timedelta(1), NOON)):
        world.circuits.keep_held(NAME, held)
        world.manager().tick(NAME)
    assert world.measure("HeldPayments") == [3, 0, 1]
    assert world.measure("OldestHeldSeconds") == [90, 0, 0]


def test_the_state_that_is_shown_is_made_that_of_the_table() -> None:
    """Also where none was ever shown; what is right is not written again."""
    world = World()
    for circuit, shown in ((Circuit(NAME), "CLOSED"), (opened(), "OPEN"), (half_opened(), "HALF_OPEN")):
        world.circuits = CircuitsInMemory(circuit)
        for _ in range(2):
            world.manager().tick(NAME)
        assert world.shown == {NAME: shown}
    assert world.shows == 3
    assert world.measure("CircuitOpen") == [0, 0, 1, 1, 1, 1]


# The clock: probes that nobody makes


def test_probes_that_nobody_makes_any_more_are_begun_again() -> None:
    """Three pauses after the one that is due: until then somebody may only be slow."""
    world = World(opened())
    for seconds, asked in ((0, 0), (5, 0), (14, 0), (1, 1), (60, 2)):
        world.pass_seconds(seconds)
        world.manager().tick(NAME)
        assert len(world.asked) == asked
    assert set(world.asked) == {(NAME, 0)}


def test_nobody_probes_a_circuit_that_is_closed_or_forced() -> None:
    """However long ago a probe would have been due."""
    for circuit in (Circuit(NAME), in_mode(Mode.FORCED_OPEN, opened()), in_mode(Mode.DISABLED, opened())):
        world = World(circuit)
        world.pass_seconds(3600)
        world.manager().tick(NAME)
        world.manager().probe(NAME)
        assert (world.asked, world.probed) == ([], [])


# The clock: what fails


def test_a_part_that_fails_keeps_no_other_from_being_done_and_is_told() -> None:
    """The next tick does it."""
    world = World(opened(), sums=FAILING)
    world.circuits.keep_held(NAME, Held(2, NOON, NOON))
    world.pass_seconds(60)
    world.away = {"sqs"}
    with pytest.raises(UnavailableError, match="keep_probing"):
        world.manager().tick(NAME)
    assert world.shown == {NAME: "OPEN"}
    assert world.measures == [(NAME, {"HeldPayments": 2, "OldestHeldSeconds": 60, "CircuitOpen": 1})]
    assert world.lines.failed == [("part of a tick failed", {"circuit": NAME, "part": "keep_probing"})]
    world.away = set()
    world.manager().tick(NAME)
    assert world.asked == [(NAME, 0)]


def test_sums_that_are_not_told_trip_nothing() -> None:
    """Nor does a table that cannot be read."""
    world = World(sums=FAILING)
    world.away = {"cloudwatch"}
    with pytest.raises(UnavailableError, match="watch_calls"):
        world.manager().tick(NAME)
    assert world.circuit().state is State.CLOSED
    world.circuits.is_down = True
    with pytest.raises(UnavailableError, match="expire, watch_calls, look_at_held, keep_probing, reconcile"):
        world.manager().tick(NAME)


def test_others_that_keep_writing_a_circuit_put_off_one_part_of_a_tick() -> None:
    """It is no reason to fail as if something were broken."""
    world = World(in_mode(Mode.METRICS_ONLY, expires_at=NOON + timedelta(seconds=1)))
    world.pass_seconds(10)

    def set_again() -> None:
        expires_at = world.now + timedelta(seconds=1)
        world.write(lambda circuit: circuit.forced(Mode.METRICS_ONLY, world.now, "other", "Mine", expires_at))
        world.pass_seconds(2)

    world.circuits.meanwhile = [set_again] * 5
    with pytest.raises(UnavailableError, match="expire"):
        world.manager().tick(NAME)
    assert world.shown == {NAME: "CLOSED"}


def test_one_circuit_that_fails_leaves_no_other_undone() -> None:
    """Each is watched for itself."""
    world = World(Circuit(NAME), Circuit("fraud"))
    world.shown = {"fraud": "OPEN"}
    real = world.put

    def put(circuit: str, state: str) -> None:
        if circuit == NAME:
            raise UnavailableError("no")
        real(circuit, state)

    world.put = put  # type: ignore[method-assign]
    with pytest.raises(UnavailableError, match="for the circuits payments:"):
        world.manager(NAME, "fraud").tick_all()
    assert world.shown == {"fraud": "CLOSED"}


# Probes


def test_a_probe_is_made_when_it_is_due_and_has_the_next_one_made() -> None:
    """What it found is in the table before that."""
    world = World(opened())
    world.pass_seconds(5)
    world.manager().probe(NAME)
    circuit = world.circuit()
    assert (circuit.state, circuit.probes) == (State.HALF_OPEN, (True,))
    assert circuit.next_probe_at == NOON + timedelta(seconds=10)
    assert world.asked == [(NAME, 5)]
    assert world.lines.done == [("probed", {"circuit": NAME, "complaint": None, "state": "HALF_OPEN"})]


def test_an_unhealthy_other_side_is_probed_again_and_what_is_wrong_is_logged() -> None:
    """An operator sees why a circuit stays open."""
    world = World(opened())
    world.complaint = "it answers with the status 500"
    for _ in range(3):
        world.pass_seconds(5)
        world.manager().probe(NAME)
    assert world.circuit().state is State.OPEN
    assert world.circuit().probes == (False, False, False)
    assert world.asked == [(NAME, 5)] * 3
    assert {facts["complaint"] for _, facts in world.lines.done} == {"it answers with the status 500"}


def test_enough_healthy_probes_close_a_circuit_and_the_chain_ends() -> None:
    """Three of the last five."""
    world = World(opened())
    while world.circuit().state is not State.CLOSED:
        world.pass_seconds(5)
        world.manager().probe(NAME)
    assert len(world.probed) == 3
    assert len(world.asked) == 2
    outage = world.circuit().outage
    assert outage
    assert outage.closed_at == world.now


def test_of_several_messages_at_once_one_probes_and_only_its_chain_goes_on() -> None:
    """A chain that is begun twice is one again at its first probe."""
    world = World(opened())
    world.complaint = "it does not answer"
    world.pass_seconds(5)
    for _ in range(4):
        world.manager().probe(NAME)
    assert len(world.probed) == 1
    assert world.asked == [(NAME, 5)]


def test_of_two_managers_that_read_the_same_one_probes() -> None:
    """The other's claim is refused, and then too early."""
    world = World(opened())
    world.pass_seconds(5)
    world.circuits.meanwhile = [lambda: world.manager().probe(NAME)]
    world.manager().probe(NAME)
    assert len(world.probed) == 1
    assert world.asked == [(NAME, 5)]


def test_a_message_that_comes_a_little_early_waits_for_its_probe() -> None:
    """Clocks differ; one that is much too early belongs to no chain that goes on."""
    world = World(opened())
    world.pass_seconds(4.2)
    world.manager().probe(NAME)
    assert (world.probed, world.asked) == ([], [(NAME, 1)])
    world.pass_seconds(1)
    world.manager().probe(NAME)
    assert len(world.probed) == 1
    world.pass_seconds(3)
    world.asked.clear()
    world.manager().probe(NAME)
    assert (len(world.probed), world.asked) == (1, [])


def test_a_probe_says_nothing_of_what_has_changed_while_it_was_made() -> None:
    """An operator has set it, or it has closed and opened again."""
    closed_by = Rules(probes_needed=1)

    def reopen(world: World) -> None:
        world.write(lambda circuit: circuit.probed(True, world.now, closed_by))
        world.write(lambda circuit: circuit.probed(True, world.now, closed_by))
        world.write(lambda circuit: circuit.trip(world.now, "breaker", "Failed again"))

    def force(world: World) -> None:
        world.write(lambda circuit: circuit.forced(Mode.FORCED_OPEN, world.now, "operator", "Stay", None))

    def reset(world: World) -> None:
        force(world)
        world.write(lambda circuit: circuit.reset(world.now, "operator", "Go on"))

    for meanwhile in (reopen, force, reset):
        world = World(opened())
        world.pass_seconds(5)
        world.during_probe = lambda world=world, meanwhile=meanwhile: meanwhile(world)  # type: ignore[misc]
        world.manager().probe(NAME)
        assert (world.circuit().state, world.circuit().probes) == (State.OPEN, ())
        assert world.asked == []


def test_other_writes_while_a_probe_is_made_take_nothing_from_it() -> None:
    """A probe is decided anew on the circuit as it is by then."""
    world = World(half_opened())
    world.pass_seconds(5)
    world.during_probe = lambda: world.write(lambda circuit: circuit.probed(True, world.now))
    world.manager().probe(NAME)
    assert world.circuit().state is State.CLOSED


def test_a_probe_that_cannot_be_made_says_nothing_and_comes_again() -> None:
    """That the address cannot be read is not the other side's fault."""
    world = World(opened())
    world.complaint = UnavailableError("Systems Manager did not tell")
    world.pass_seconds(5)
    with pytest.raises(UnavailableError):
        world.manager().probe(NAME)
    assert world.circuit().probes == ()
    world.complaint = None
    world.pass_seconds(5)
    world.manager().probe(NAME)
    assert world.circuit().state is State.HALF_OPEN


def probe_message(body: str, message_id: str = "1") -> Message:
    return message(body, message_id)


def test_messages_that_ask_for_no_circuit_are_received_until_they_are_set_aside() -> None:
    """Their neighbours are not."""
    world = World(opened())
    world.pass_seconds(5)
    bodies = ['{"circuit":"payments"}', "{}", "[]", "payments", '{"circuit":"other"}', '{"circuit":["payments"]}']
    outcome = world.manager().probe_all([probe_message(body, str(at)) for at, body in enumerate(bodies)])
    assert outcome.failed == {"1", "2", "3", "4", "5"}
    assert (outcome.received, outcome.sent) == (6, 1)
    assert len(world.probed) == 1


def test_a_probe_whose_next_could_not_be_asked_for_is_received_again() -> None:
    """Otherwise its chain would end there, until a tick."""
    world = World(opened())
    world.away = {"sqs"}
    world.pass_seconds(5)
    assert world.manager().probe_all([probe_message('{"circuit":"payments"}')]).failed == {"1"}
    world.away = set()
    world.pass_seconds(360)
    assert world.manager().probe_all([probe_message('{"circuit":"payments"}')]).failed == set()
    assert world.asked == [(NAME, 5)]


# The table's stream


def test_an_opening_is_shown_then_put_then_recorded_and_then_probed() -> None:
    """What fails leaves the rest to the next reading."""
    world = World()
    world.write(lambda circuit: circuit.trip(NOON, "breaker", "5 calls in a row failed.", 5))
    steps: list[str] = []
    manager = world.manager()
    for name in ("ssm", "events", "sqs"):
        world.away = {name}
        outcome = manager.announce(world.changes())
        assert outcome.failed == {f"{0:021}"}
        steps.append(f"{len(world.shown)}{len(world.events)}{len(world.circuits.transitions(NAME, 9))}")
    assert steps == ["000", "100", "111"]
    assert (world.asked, world.notices, world.measures) == ([], [], [])
    world.away = set()
    assert manager.announce(world.changes()).failed == set()
    assert world.shown == {NAME: "OPEN"}
    assert [event.detail_type for event in world.events] == ["CircuitOpened"] * 2
    assert len({event.detail for event in world.events}) == 1
    [transition] = world.circuits.transitions(NAME, 9)
    assert (transition.version, transition.state, transition.previous_state) == (1, State.OPEN, State.CLOSED)
    assert world.asked == [(NAME, 5)]
    assert world.measures == [(NAME, {"CircuitOpened": 1, "CircuitOpen": 1})]
    assert [(circuit, kind) for circuit, kind, _ in world.notices] == [(NAME, "CircuitOpened")]


def test_everything_that_happens_in_an_outage_is_told_once_each() -> None:
    """From the opening to the end."""
    world = World()
    world.write(lambda circuit: circuit.trip(NOON, "breaker", "Failed"))
    while world.circuit().state is not State.CLOSED:
        world.pass_seconds(5)
        world.manager().probe(NAME)
    world.pass_seconds(100)
    world.circuits.keep_held(NAME, Held(0, None, world.now))
    world.manager().tick(NAME)
    world.shown = {}
    world.manager().announce(world.changes())
    assert [event.detail_type for event in world.events] == ["CircuitOpened", "CircuitHalfOpened", "CircuitClosed"]
    assert world.shown == {NAME: "CLOSED"}
    states = [(one.previous_state.value, one.state.value) for one in reversed(world.circuits.transitions(NAME, 9))]
    assert states == [("CLOSED", "OPEN"), ("OPEN", "HALF_OPEN"), ("HALF_OPEN", "CLOSED"), ("CLOSED", "CLOSED")]
    assert world.measure("CircuitOpen")[-3:] == [1, 1, 0]


def test_a_record_that_comes_late_shows_what_the_table_says_now() -> None:
    """And begins no probes of what has closed since."""
    world = World()
    world.write(lambda circuit: circuit.trip(NOON, "breaker", "Failed"))
    world.write(lambda circuit: circuit.forced(Mode.FORCED_CLOSED, NOON, "operator", "It works", None))
    opening, closing = world.changes()
    world.manager().announce([closing])
    world.manager().announce([opening])
    assert world.shown == {NAME: "CLOSED"}
    assert world.asked == []


def test_of_managers_that_show_a_state_at_once_the_last_shows_the_tables() -> None:
    """Between reading and writing another may have read and written what is newer."""
    world = World()
    world.write(lambda circuit: circuit.trip(NOON, "breaker", "Failed"))

    def close_elsewhere() -> None:
        world.write(lambda circuit: circuit.forced(Mode.FORCED_CLOSED, NOON, "operator", "It works", None))
        world.manager().announce(world.changes(1))

    world.during_put = [close_elsewhere]
    world.manager().announce(world.changes()[:1])
    assert world.shown == {NAME: "CLOSED"}


def test_a_state_that_never_rests_is_left_to_the_next_tick() -> None:
    """A manager does not chase it for ever."""
    world = World()
    world.write(lambda circuit: circuit.trip(NOON, "breaker", "Failed"))

    def flap() -> None:
        mode = Mode.FORCED_CLOSED if world.circuit().state is State.OPEN else Mode.FORCED_OPEN
        world.write(lambda circuit: circuit.forced(mode, world.now, "operator", "Undecided", None))

    world.during_put = [flap] * 100
    assert world.manager().announce(world.changes()[:1]).failed == set()
    assert world.shows == 5


def test_a_chain_of_probes_begins_where_probing_begins_and_only_there() -> None:
    """A circuit that opens again while it is probed has its chain already."""
    begun: Mapping[str, tuple[Circuit, Circuit]] = {
        "opened": (Circuit(NAME), opened()),
        "reset": (forced := in_mode(Mode.FORCED_OPEN, opened()), sure(forced.reset(NOON, "operator", "Go on"))),
    }
    for case, (old, new) in begun.items():
        world = World(new)
        world.manager().announce([reported(1, old, new)])
        assert len(world.asked) == 1, case
    not_begun = {
        "half opened": (opened(), half_opened()),
        "opened again": (half_opened(), sure(half_opened().probed(False, NOON))),
        "claimed": (opened(), sure(opened().probing(NOON + timedelta(seconds=5)))),
        "forced open": (Circuit(NAME), in_mode(Mode.FORCED_OPEN)),
        "closed": (half_opened(), sure(half_opened().probed(True, NOON, Rules(probes_needed=2)))),
    }
    for case, (old, new) in not_begun.items():
        world = World(new)
        world.manager().announce([reported(1, old, new)])
        assert world.asked == [], case


def test_the_first_probe_comes_when_it_is_due() -> None:
    """At once, if the record took longer; within what SQS can delay, in any case."""
    for seconds, rules, delay in ((0, RULES, 5), (2.5, RULES, 3), (60, RULES, 0), (0, Rules(probe_seconds=4000), 900)):
        world = World(rules=rules)
        world.write(lambda circuit, rules=rules: circuit.trip(NOON, "breaker", "Failed", rules=rules))  # type: ignore[misc]
        world.pass_seconds(seconds)
        world.manager().announce(world.changes())
        assert world.asked == [(NAME, delay)]


def test_a_circuit_that_is_no_longer_watched_is_told_of_but_not_probed() -> None:
    """Nobody knows where what it guards is reached."""
    world = World()
    world.write(lambda circuit: circuit.trip(NOON, "breaker", "Failed"))
    world.manager("fraud").announce(world.changes())
    assert [event.detail_type for event in world.events] == ["CircuitOpened"]
    assert (world.shown, world.asked) == ({NAME: "OPEN"}, [])


def test_a_mode_goes_on_record_and_is_no_event() -> None:
    """Nobody else need know of it."""
    world = World()
    world.write(lambda circuit: circuit.forced(Mode.METRICS_ONLY, NOON, "operator", "Trying out", None))
    world.manager().announce(world.changes())
    [transition] = world.circuits.transitions(NAME, 9)
    assert (transition.mode, transition.by, transition.reason) == (Mode.METRICS_ONLY, "operator", "Trying out")
    assert (world.events, world.notices, world.measures) == ([], [], [])


def test_a_circuit_that_somebody_deletes_is_shown_closed() -> None:
    """As callers take it to be from then on."""
    world = World()
    world.shown = {NAME: "OPEN"}
    deleted = Change("change-1", "1", NOON, circuit_records.circuit_row(opened()), {})
    assert world.manager().announce([deleted]).failed == set()
    assert world.shown == {NAME: "CLOSED"}
    assert world.events == []


def test_rows_that_are_no_circuit_are_passed_over() -> None:
    """What is held, and what is on record of changes, stand in the same table."""
    world = World()
    held = circuit_records.held_row(NAME, Held(1, NOON, NOON))
    record = circuit_records.transition_row(sure_record(Circuit(NAME), opened()))
    changes = [Change(str(at), str(at), NOON, {}, row) for at, row in enumerate((held, record))]
    changes.append(Change("3", "3", NOON, record, {}))
    outcome = world.manager().announce(changes)
    assert (outcome.received, outcome.sent, outcome.failed) == (3, 3, set())
    assert (world.shows, world.events) == (0, [])


def sure_record(old: Circuit, new: Circuit) -> Any:
    transition = recorded(old, new)
    assert transition is not None
    return transition


def test_a_row_that_is_spoilt_ends_the_batch_there() -> None:
    """What came before it is done, and not done again."""
    world = World()
    world.write(lambda circuit: circuit.trip(NOON, "breaker", "Failed"))
    [first] = world.changes()
    spoilt = {**first.new, "State": "AJAR"}
    rest = [Change("change-8", "8", NOON, first.new, spoilt), Change("change-9", "9", NOON, {}, {"Item": "STATE"})]
    outcome = world.manager().announce([first, *rest])
    assert (outcome.sent, outcome.failed) == (1, {"8"})
    assert world.manager().announce(rest[1:]).failed == {"9"}
    assert len(world.events) == 1


def test_a_bus_that_refuses_an_event_is_asked_again_before_the_record_is() -> None:
    """And the record is read again if the bus keeps refusing."""
    world = World()
    world.write(lambda circuit: circuit.trip(NOON, "breaker", "Failed"))
    world.refused = 2
    assert world.manager().announce(world.changes()).failed == set()
    world.refused = 3
    assert world.manager().announce(world.changes()).failed == {f"{0:021}"}


def test_people_who_cannot_be_told_hold_nothing_up() -> None:
    """An alarm tells them, too; that they were not told is logged."""
    world = World()
    world.write(lambda circuit: circuit.trip(NOON, "breaker", "Failed"))
    world.away = {"sns"}
    assert world.manager().announce(world.changes()).failed == set()
    assert world.lines.failed == [("people not told", {"circuit": NAME, "event": "CircuitOpened"})]


@given(calls=st.integers(0, 200), failures=st.integers(0, 200), slow=st.integers(0, 200))
def test_more_failures_never_close_what_fewer_would_have_opened(calls: int, failures: int, slow: int) -> None:
    """Nor do more slow calls."""
    breach = Sums(calls, failures, slow).breach(RULES)
    if breach is not None:
        assert Sums(calls, failures + 1, slow).breach(RULES) is not None
        assert Sums(calls, failures, slow + 1).breach(RULES) is not None
