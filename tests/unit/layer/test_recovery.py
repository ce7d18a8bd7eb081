"""With breakers, managers and replays together, no order is lost, no circuit is stuck, and no outage replayed twice.

Several of each work between one another's calls, with caches that are stale and clocks that differ; they die in the
middle, services fail them, and what one tells another comes late, twice, and in another order.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import groupby, pairwise

from eventfork.bus_events import CIRCUIT_CLOSED, PAYMENT_DEFERRED
from eventfork.circuits import EXPIRY, MODES, TRANSITIONS, Circuit, Mode, State, happened, recorded
from eventfork.errors import UnavailableError
from eventfork.json_text import parse
from eventfork.payments import DEFERRED, FINAL
from eventfork.provider_simulator import Mode as Behaves
from eventfork.replay_jobs import CIRCUIT as BY_CIRCUIT
from eventfork.replay_jobs import WORKING, ForbiddenError
from eventfork.replay_jobs import State as JobState
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.unit.outages import CIRCUIT, MAXIMUM_RECEIVES, RULES, Flow
from tests.unit.replaying import Connection, Killed

COMMANDS = ("force-open", "force-close", "metrics-only", "disable", "reset", "reset")
MEANWHILE = (
    *("order", "fall ill", "get well", "pay 0", "pay 1", "pay 2", "count", "report", "tick", "probe", "lose probes"),
    *("announce", "announce again", "recover", "recover again", "work", "stall", "open", "open", *COMMANDS[:-1]),
)
"""What can happen between two calls of somebody else."""
EXAMPLES = 60
"""Unless a campaign is asked for: see `tests/conftest.py`."""


@dataclass(frozen=True)
class Trouble:
    """What comes between the calls of whoever works, in which of them it dies, and which are not answered."""

    meanwhile: dict[int, str] = field(default_factory=dict)
    killed_at: int | None = None
    fails_at: Sequence[int] = ()
    takes_effect: bool = False


def troubles(calls: int) -> st.SearchStrategy[Trouble]:
    """Draw what troubles somebody in so many calls, or that nothing does."""
    call = st.integers(1, calls)
    return st.builds(
        Trouble,
        meanwhile=st.dictionaries(call, st.sampled_from(MEANWHILE), max_size=3),
        killed_at=st.none() | call,
        fails_at=st.just([]) | st.lists(call, max_size=2),
        takes_effect=st.booleans(),
    )


positions = st.integers(0, 5)


class Recovering(RuleBasedStateMachine):
    """Orders, a provider, and whoever has its payments made, guards it, watches it, and replays what was held."""

    def __init__(self) -> None:
        super().__init__()
        self.flow = Flow()
        self.checked = self.asked = 0

    @initialize(
        seed=st.integers(0, 9),
        settles=st.sampled_from([20.0, 600.0]),
        begins_after=st.sampled_from([0.0, 5.0]),
        behind=st.sampled_from([0, 0, 1, 3]),
    )
    def starts(self, seed: int, settles: float, begins_after: float, behind: int) -> None:
        """An archive takes its time, and what is glanced at lags behind."""
        self.flow = Flow(seed, settles, begins_after)
        self.flow.circuits.behind = behind
        # Clocks that are apart by less than a second may be apart by a second's number.
        self.flow.clock.sleep(0.5)

    # What happens to everybody

    @rule(count=st.integers(1, 4))
    def orders_are_placed(self, count: int) -> None:
        """Each is to be paid."""
        for _ in range(count):
            self.flow.place()

    @rule(mode=st.sampled_from([Behaves.HEALTHY, Behaves.ERRORS]))
    def the_provider_is(self, mode: Behaves) -> None:
        """Well, or not."""
        self.flow.behave(mode)

    @rule(seconds=st.sampled_from([1, 6, 31, 70, 200, 1000]))
    def time_passes(self, seconds: int) -> None:
        """Caches, leases, visibility time-outs and forced modes run out; windows end, and archives settle."""
        self.flow.clock.sleep(seconds)

    # Who does something

    @rule(trouble=troubles(8), number=st.integers(0, 2), times=st.integers(1, 4))
    def an_environment_pays(self, trouble: Trouble, number: int, times: int) -> None:
        """What is next on the queue."""
        for _ in range(times):
            self.does(lambda connection: self.flow.pay(connection, number), trouble)

    @rule(trouble=troubles(15))
    def a_manager_ticks(self, trouble: Trouble) -> None:
        """As once a minute."""
        self.does(self.flow.tick, trouble)

    @rule(trouble=troubles(8), again=st.booleans())
    def a_manager_probes(self, trouble: Trouble, *, again: bool) -> None:
        """If it is time to."""
        self.flow.clock.sleep(5)
        self.does(lambda connection: self.flow.probe(connection, again=again), trouble)

    @rule(trouble=troubles(8), position=positions, again=st.booleans())
    def a_manager_is_told(self, trouble: Trouble, position: int, *, again: bool) -> None:
        """Of whichever write the stream reports."""
        self.does(lambda connection: self.flow.announce(connection, position, again=again), trouble)

    @rule(position=positions)
    def a_record_comes_late(self, position: int) -> None:
        """What is then shown is what the table says."""
        before = self.flow.states.shown.get(CIRCUIT)
        self.calmly(lambda connection: self.flow.announce(connection, position, again=True))
        assert self.flow.states.shown.get(CIRCUIT) in {before, self.flow.circuit().state}

    @rule(trouble=troubles(2))
    def what_is_held_is_counted(self, trouble: Trouble) -> None:
        """As once a minute."""
        self.does(self.flow.count_held, trouble)

    @rule(trouble=troubles(3), again=st.booleans())
    def payments_are_reported(self, trouble: Trouble, *, again: bool) -> None:
        """On the bus, from where they are archived."""
        self.does(lambda connection: self.flow.report(connection, again=again), trouble)

    @rule(trouble=troubles(8), position=positions, again=st.booleans())
    def a_closing_is_delivered(self, trouble: Trouble, position: int, *, again: bool) -> None:
        """Whichever comes."""
        self.does(lambda connection: self.flow.recover(connection, position, again=again), trouble)

    @rule(trouble=troubles(40), after=st.sampled_from([0, 5, 31]))
    def a_worker_replays(self, trouble: Trouble, after: int) -> None:
        """For a slice."""
        self.flow.clock.sleep(after)
        self.does(self.flow.work, trouble)

    @rule(trouble=troubles(4), command=st.sampled_from(COMMANDS), expires_in=st.sampled_from([10.0, 120.0, None]))
    def an_operator_says(self, trouble: Trouble, command: str, expires_in: float | None) -> None:
        """And is told whether it was done."""
        self.does(lambda connection: self.command(connection, command, expires_in), trouble)

    # What is rarely come by

    @rule(first=st.integers(0, 1), count=st.integers(1, 6), later=st.sampled_from([0, 6]))
    def the_circuit_trips(self, first: int, count: int, later: int) -> None:
        """The provider fails, and another environment holds what it then learns not to try."""
        self.flow.behave(Behaves.ERRORS)
        self.orders_are_placed(3 + count)
        self.pays(first, times=3)
        self.flow.clock.sleep(later)
        self.pays(2, times=count)
        self.calmly(self.flow.report)

    @rule()
    def a_payment_is_given_up(self) -> None:
        """Though the circuit may well be closed."""
        self.flow.behave(Behaves.ERRORS)
        self.flow.place()
        for number in range(MAXIMUM_RECEIVES):
            self.pays(number, times=2)
            self.flow.clock.sleep(181)
        self.flow.behave(Behaves.HEALTHY)

    @rule()
    def the_circuit_closes(self) -> None:
        """The provider is well, which probes find out; all of that is told."""
        self.flow.behave(Behaves.HEALTHY)
        for _ in range(5):
            self.flow.clock.sleep(31)
            self.everything_is_told()
            self.calmly(self.flow.tick)
            self.calmly(self.flow.probe)

    @rule(trouble=troubles(60), opens_at=st.none() | st.integers(5, 60), count=st.integers(0, 4))
    def what_was_held_is_replayed(self, trouble: Trouble, opens_at: int | None, count: int) -> None:
        """Or begins to be: the circuit may open meanwhile, and more be held."""
        self.the_circuit_closes()
        self.flow.clock.sleep(self.flow.settles.total_seconds() + 60)
        opening = {} if opens_at is None else {opens_at: "open"}
        self.does(self.flow.work, replace(trouble, meanwhile=trouble.meanwhile | opening))
        self.orders_are_placed(count)
        self.pays(2, times=4 + count)
        self.calmly(self.flow.report)
        self.calmly(self.flow.work)

    @rule(command=st.sampled_from(COMMANDS), other=st.sampled_from(COMMANDS), call=st.integers(1, 4))
    def operators_differ(self, command: str, other: str, call: int) -> None:
        """Whoever comes second is told so."""
        self.does(lambda connection: self.command(connection, command, None), Trouble({call: other}))

    @rule(killed_at=st.integers(3, 5))
    def an_environment_dies_as_it_pays(self, killed_at: int) -> None:
        """Before or after the provider's answer; another goes on."""
        self.flow.behave(Behaves.HEALTHY)
        self.flow.place()
        self.does(lambda connection: self.flow.pay(connection, 1), Trouble(killed_at=killed_at))
        self.flow.clock.sleep(181)
        self.pays(0, times=2)

    @rule()
    def everything_calms_down(self) -> None:
        """An outage ends; what comes after is another one."""
        self.flow.behave(Behaves.HEALTHY)
        self.settles(50)

    @rule()
    def probes_are_lost(self) -> None:
        """And nothing that is told begins them again."""
        self.everything_is_told()
        self.flow.probes.clear()

    # How they do it

    def pays(self, number: int, times: int) -> None:
        """Have an environment pay what is next, in no trouble."""
        for _ in range(times):
            self.calmly(lambda connection: self.flow.pay(connection, number))

    def opens(self) -> None:
        """Have an operator open the circuit for two minutes, and that shown."""
        self.calmly(lambda connection: self.command(connection, "force-open", 120.0))
        self.calmly(self.flow.tick)

    def does(self, act: Callable[[Connection], object], trouble: Trouble) -> None:
        """Have something done in some trouble."""
        connection = Connection(
            meanwhile={number: lambda what=what: self.happens(what) for number, what in trouble.meanwhile.items()},  # type: ignore[misc]
            killed_at=trouble.killed_at,
            fails_at=trouble.fails_at,
            takes_effect=trouble.takes_effect,
        )
        self.attempt(act, connection)

    def calmly(self, act: Callable[[Connection], object]) -> None:
        """Have something done in no trouble."""
        self.attempt(act, Connection())

    @staticmethod
    def attempt(act: Callable[[Connection], object], connection: Connection) -> None:
        """Have something tried; what does not work is tried again by whoever comes next."""
        try:
            act(connection)
        except (ForbiddenError, UnavailableError, Killed):
            return

    def happens(self, what: str) -> None:
        """Have something happen between two calls of somebody else."""
        flow = self.flow
        doings: dict[str, Callable[[Connection], object]] = {
            "order": lambda _: flow.place(),
            "fall ill": lambda _: flow.behave(Behaves.ERRORS),
            "get well": lambda _: flow.behave(Behaves.HEALTHY),
            "open": lambda _: self.opens(),
            "lose probes": lambda _: flow.probes.clear(),
            "stall": lambda _: flow.clock.sleep(40),
            "pay 0": lambda connection: flow.pay(connection, 0),
            "pay 1": lambda connection: flow.pay(connection, 1),
            "pay 2": lambda connection: flow.pay(connection, 2),
            "count": flow.count_held,
            "report": flow.report,
            "tick": flow.tick,
            "probe": flow.probe,
            "announce": flow.announce,
            "announce again": lambda connection: flow.announce(connection, 3, again=True),
            "recover": flow.recover,
            "recover again": lambda connection: flow.recover(connection, 3, again=True),
            "work": flow.work,
        }
        self.calmly(doings.get(what) or (lambda connection: self.command(connection, what, 120.0)))

    def command(self, connection: Connection, command: str, expires_in: float | None) -> None:
        """Give a command: it is on record if it is answered, and was not carried out if it is refused."""
        self.asked += 1
        reason = f"reason {self.asked}"
        answer = self.flow.command(connection, command, reason, expires_in)
        had_effect = any(new.mode_reason == reason for _, new in self.flow.circuits.stream)
        match answer.get("status"):
            case None:
                assert had_effect or command == "reset"
            case 400 | 409:
                # What it was to end at may be over when it is carried out.
                assert not had_effect
            case status:
                assert status == 503

    def everything_is_told(self) -> None:
        """Have everything delivered that was told."""
        flow = self.flow
        self.calmly(flow.report)
        self.calmly(flow.announce)
        for _ in range(len(flow.untold)):
            self.calmly(flow.announce)
        for _ in range(len(flow.bus.closings)):
            self.calmly(flow.recover)

    # What holds at each moment

    @invariant()
    def every_write_of_the_circuit_goes_on_from_the_one_before(self) -> None:
        """No version is written twice, no state lost, and nothing taken away from an outage."""
        stream = self.flow.circuits.stream
        for old, new in stream[self.checked :]:
            self.checked += 1
            assert (old.version, new.version) == (self.checked - 1, self.checked)
            follows_the_table_of_states(old, new)
            goes_on_with_the_outage(old, new)
            keeps_what_is_forced(old, new)
            keeps_the_pause_between_probes(old, new)
        if stream:
            assert self.flow.circuits.load(CIRCUIT) == stream[-1][1]
        for (_, written), (read, _) in pairwise(stream[-4:]):
            assert read == written

    @invariant()
    def callers_do_what_the_state_says(self) -> None:
        """What is forced is, and whatever is not closed has an outage, and is probed unless it is forced."""
        circuit = self.flow.circuit()
        is_closed = circuit.state is State.CLOSED
        assert MODES[circuit.mode].state in {None, circuit.state}
        assert is_closed is (circuit.outage is None or circuit.outage.closed_at is not None)
        assert (circuit.next_probe_at is not None) is (not is_closed and circuit.mode is Mode.AUTOMATIC)
        assert not (is_closed and circuit.probes)

    @invariant()
    def each_outage_has_one_record(self) -> None:
        """It never comes back once it has ended, and no two have the same id."""
        begun: dict[str, datetime] = {}
        ids = (new.outage.id if new.outage else None for _, new in self.flow.circuits.stream)
        runs = [one for one, _ in groupby(ids) if one is not None]
        assert len(runs) == len(set(runs))
        for _, new in self.flow.circuits.stream:
            if new.outage:
                assert begun.setdefault(new.outage.id, new.outage.started_at) == new.outage.started_at
                assert new.outage.recover_from <= new.outage.started_at

    @invariant()
    def each_write_is_one_event_at_most(self) -> None:
        """However often it was told, and by how many."""
        told = Counter(kind for _, kind in self.flow.bus.told)
        due = Counter(happened(*pair) for pair in self.flow.circuits.stream)
        assert all(number <= due[kind] for kind, number in told.items() if kind.startswith("Circuit"))

    @invariant()
    def no_payment_is_lost(self) -> None:
        """It is final, or asked for by a message, or deferred: then it is counted, and can be replayed, or will be."""
        flow = self.flow
        queued, archived = flow.queued(), self.archived()
        for order in flow.orders:
            row = flow.payments.rows.get(order, {})
            if row.get("Status") == DEFERRED:
                assert row["Circuit"] == CIRCUIT
                unreported = [new for _, new in flow.payments.stream[flow.unreported :] if key(new) == order]
                deferral = (order, row["Deferrals"])
                assert unreported or deferral in archived
            else:
                assert row.get("Status") in FINAL or order in queued

    @invariant()
    def a_replay_covers_whatever_its_outage_has_deferred(self) -> None:
        """From the first on; and what is complete has sent all of its window."""
        sent = Counter(name for name, _ in self.passed_on())
        for job in self.flow.jobs():
            whole = job.request.window
            for event in self.flow.replays.events:
                at = datetime.fromisoformat(event["time"])
                if event["detail"]["data"].get("outageId") == job.id:
                    assert whole.start <= at
                if job.state is JobState.COMPLETED and whole.start <= at < whole.end:
                    assert event["id"] in sent

    @invariant()
    def an_outage_is_replayed_by_one_job(self) -> None:
        """Which was started once, by the circuit, and has the outage's id; and one job at a time reads the buffer."""
        outages = {new.outage.id for _, new in self.flow.circuits.stream if new.outage}
        for job in self.flow.jobs():
            assert job.id in outages
            assert [one.actor for one in job.history if one.action == "start"] == [BY_CIRCUIT]
        assert len(self.flow.ledger.active().jobs) <= 1

    @invariant()
    def no_order_is_charged_twice(self) -> None:
        """And none that was answered is asked for again, unless an attempt was cut short, or went on beside another."""
        outcomes = Counter((one.charge.customer_id, one.charge.order_id) for one in self.flow.provided.outcomes())
        assert set(outcomes.values()) <= {1}
        repeats = Counter((one.customer_id, one.order_id) for one in self.flow.provided.received() if one.is_repeat)
        for order, number in repeats.items():
            assert number <= self.flow.excused[order]
        for order, status in ((order, self.flow.status(order)) for order in self.flow.orders):
            assert status not in FINAL or outcomes[order] == 1
        assert not any(before.get("Status") in FINAL for before, _ in self.flow.payments.stream)

    def archived(self) -> set[tuple[tuple[str, str], int]]:
        """Give the deferrals that the archive has: whose, and which of them."""
        found = set()
        for event in self.flow.replays.events:
            assert event["detail-type"] == PAYMENT_DEFERRED
            data = event["detail"]["data"]
            found.add(((data["customerId"], data["orderId"]), int(data["deferrals"])))
        return found

    def passed_on(self) -> list[tuple[str, str]]:
        """Give the events that replays have sent, and the replay of each."""
        return [(one["id"], one["replay-name"]) for one in map(parse, self.flow.queue.sent)]

    # What comes in the end

    def teardown(self) -> None:
        """With a provider that is well, and nobody in trouble, circuits close, jobs complete, payments are final."""
        flow = self.flow
        flow.behave(Behaves.HEALTHY)
        flow.circuits.behind = 0
        if flow.circuit().mode is Mode.FORCED_OPEN and flow.circuit().mode_expires_at is None:
            self.calmly(lambda connection: self.command(connection, "reset", None))
        self.settles(200)
        self.everything_is_told()
        self.everything_holds_in_the_end()

    def settles(self, rounds: int) -> None:
        """Let everybody do their work, in no trouble, until there is nothing left to do."""
        flow = self.flow
        for _ in range(rounds):
            flow.clock.sleep(31)
            flow.queue.redrive()
            self.calmly(flow.count_held)
            self.calmly(flow.tick)
            self.calmly(flow.probe)
            for _ in range(len(flow.queue.visible())):
                self.calmly(flow.pay)
            self.everything_is_told()
            self.a_replay_covers_whatever_its_outage_has_deferred()
            self.calmly(flow.work)
            if self.is_over():
                break

    def is_over(self) -> bool:
        """Whether there is nothing left to do."""
        flow = self.flow
        is_at_work = any(job.state in WORKING for job in flow.jobs())
        is_told = not flow.untold and not flow.bus.closings and flow.unreported == len(flow.payments.stream)
        return is_told and not is_at_work and not flow.queue.bodies() and flow.circuit().outage is None

    def everything_holds_in_the_end(self) -> None:
        """Nothing is left, and all that happened was told and is on record."""
        flow, circuit, stream = self.flow, self.flow.circuit(), self.flow.circuits.stream
        assert {flow.status(order) for order in flow.orders} <= FINAL
        assert (circuit.state, circuit.outage) == (State.CLOSED, None)
        # One that was paused when it had nothing left to send, just as its outage ended, is told of by nobody.
        assert all(job.state is JobState.COMPLETED or job.is_held_by_circuit for job in flow.jobs())
        assert self.is_over()
        assert flow.states.shown.get(CIRCUIT, State.CLOSED) == circuit.state
        told = Counter(kind for _, kind in flow.bus.told if not kind.startswith("Payment"))
        assert told == Counter(filter(None, (happened(*pair) for pair in stream)))
        closed = [new for old, new in stream if old.state is not State.CLOSED and new.state is State.CLOSED]
        assert told[CIRCUIT_CLOSED] == len(closed)
        kept = {one.version for one in flow.circuits.transitions(CIRCUIT, len(stream) + 1)}
        assert kept == {new.version for old, new in stream if recorded(old, new)}


def key(row: Mapping[str, str]) -> tuple[str, str]:
    """Give the order that a row of the payments table is about."""
    return row["CustomerId"], row["OrderId"]


def follows_the_table_of_states(old: Circuit, new: Circuit) -> None:
    """And from open to closed only an operator's command leads."""
    assert new.state is old.state or new.state in TRANSITIONS[old.state]
    if (old.state, new.state) == (State.OPEN, State.CLOSED):
        assert MODES[new.mode].state is State.CLOSED


def goes_on_with_the_outage(old: Circuit, new: Circuit) -> None:
    """None begins before another has ended, and none begins at another time than it did."""
    if old.outage and new.outage:
        assert (old.outage.id, old.outage.started_at) == (new.outage.id, new.outage.started_at)
        assert new.outage.recover_from <= old.outage.recover_from
        assert new.outage.cycles >= old.outage.cycles
    if old.outage and not new.outage:
        assert (old.state, new.state) == (State.CLOSED, State.CLOSED)


def keeps_what_is_forced(old: Circuit, new: Circuit) -> None:
    """Until its time is up, or an operator says otherwise."""
    if old.mode_version == new.mode_version:
        assert (old.mode, old.mode_expires_at) == (new.mode, new.mode_expires_at)
    elif new.mode_actor == EXPIRY:
        assert old.mode_expires_at is not None
        assert new.changed_at is not None
        # By the clock of whoever tripped it, which may be ahead.
        assert old.mode_expires_at <= new.changed_at
        assert new.mode is Mode.AUTOMATIC
    else:
        assert new.mode_actor == "ann"


def keeps_the_pause_between_probes(old: Circuit, new: Circuit) -> None:
    """However many managers there are, unless probing begins anew."""
    before, after = old.next_probe_at, new.next_probe_at
    if before is not None and after is not None and old.mode_version == new.mode_version:
        assert after == before or after - before >= timedelta(seconds=RULES.probe_seconds)


TestRecovering = Recovering.TestCase
TestRecovering.settings = settings(
    max_examples=settings().max_examples if settings.get_current_profile_name() == "campaign" else EXAMPLES,
    stateful_step_count=30,
)
