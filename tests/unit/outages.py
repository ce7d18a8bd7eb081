"""Payments behind a circuit, from an order to its replay after an outage: everything real but services and time."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from types import SimpleNamespace
from typing import Any

from eventfork import bus_events, circuit_records, payment_stream, payments, replay_recovery
from eventfork.adapters.circuit_breaker import Guard
from eventfork.adapters.payment_provider import PaymentProvider
from eventfork.bus_events import CIRCUIT_CLOSED, HELD_WORK_FOUND, PAYMENT_DEFERRED, Entry
from eventfork.card_data import Redactor
from eventfork.circuit_control import CircuitControl, answered
from eventfork.circuit_manager import CircuitManager, Sums
from eventfork.circuits import Circuit, Held, Rules
from eventfork.errors import UnavailableError
from eventfork.forwarding import Forwarder, Message, one_by_one
from eventfork.json_text import parse, render
from eventfork.order_stream import Change
from eventfork.payments import Captured, Cashier, Declined, Payment, ProviderUnavailableError, Tally
from eventfork.provider_simulator import Behaviour, Mode, Provider, Request
from eventfork.replay_jobs import ForbiddenError, Job
from eventfork.replay_places import Places, Timing
from eventfork.replay_recovery import Ramp, Recovery
from eventfork.replay_targets import Target
from eventfork.replay_work import Worker
from eventfork.timestamps import timestamp

from tests.unit.circuits import CircuitsInMemory, Process, reported
from tests.unit.payments import CREDENTIAL, PaymentsInMemory, placed
from tests.unit.provider import Kept, ProviderWithoutNetwork
from tests.unit.replaying import RULE, SLICE_SECONDS, Clock, Connection, FakeQueue, FakeStore, Killed, World

__all__ = ["CIRCUIT", "MAXIMUM_RECEIVES", "RULES", "Flow"]

CIRCUIT = "payments"
RULES = Rules(minimum_volume=6)
GRACE = timedelta(seconds=RULES.grace_seconds)
MAXIMUM_RECEIVES = 3
VISIBILITY_SECONDS = 180
TARGET = Target(CIRCUIT, "queue", "dead letters", RULE, "buffer", CIRCUIT)

Order = tuple[str, str]


class PaymentsQueue(FakeQueue):
    """The queue of payments, and the one behind it, for what has been received too often.

    Attributes
    ----------
    dead : list of str
        The bodies of those.
    sent : list of str
        The bodies of what was replayed.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.receives: Counter[str] = Counter()
        self.dead: list[str] = []
        self.sent: list[str] = []

    def send(self, messages: Sequence[tuple[str, Mapping[str, Any]]]) -> Sequence[int]:
        """Take messages that are replayed."""
        for body, _ in messages:
            self.sent.append(body)
            self.put(body)
        return ()

    def next(self) -> tuple[Message, str] | None:
        """Receive a message; give it and its receipt."""
        while received := self.receive(1, VISIBILITY_SECONDS, 0):
            [one] = received
            self.receives[one.message.id] += 1
            if self.receives[one.message.id] <= MAXIMUM_RECEIVES:
                return replace(one.message, receive_count=self.receives[one.message.id]), one.receipt
            self.dead.append(one.message.body)
            self.delete([one.receipt])
        return None

    def redrive(self) -> None:
        """Put back what had been received too often, as an operator does."""
        while self.dead:
            self.put(self.dead.pop())


class Bus:
    """The bus: deferred payments are archived, closings are delivered."""

    def __init__(self, clock: Clock, archive: list[dict[str, Any]]) -> None:
        self._clock = clock
        self._archive = archive
        self.closings: list[dict[str, Any]] = []
        self.told: set[tuple[str, str]] = set()

    def put(self, entries: Sequence[Entry]) -> Sequence[int]:
        """Take events; EventBridge tells their time to the second."""
        at = self._clock.moment().replace(microsecond=0)
        for entry in entries:
            detail = parse(entry.detail)
            event_id = detail["metadata"]["id"]
            self.told.add((event_id, entry.detail_type))
            event = {
                "id": event_id,
                "source": entry.source,
                "detail-type": entry.detail_type,
                "time": timestamp(at),
                "detail": detail,
            }
            if entry.detail_type == PAYMENT_DEFERRED:
                self._archive.append(event)
            elif entry.detail_type in {CIRCUIT_CLOSED, HELD_WORK_FOUND}:
                self.closings.append(event)
        return ()


class States:
    """The states of circuits as they are shown."""

    def __init__(self) -> None:
        self.shown: dict[str, str] = {}

    def state(self, circuit: str) -> str | None:
        """Give the state that is shown."""
        return self.shown.get(circuit)

    def put(self, circuit: str, state: str) -> None:
        """Show a state."""
        self.shown[circuit] = state


class Environment:
    """An execution environment of the function that has payments made: its cache is its own, and so is its clock."""

    def __init__(self, flow: "Flow", ahead: float) -> None:
        self._flow = flow
        self._connection = Connection()
        self._process = Process(self._now)
        self._ahead = timedelta(seconds=ahead)
        self._was_final = False
        self.is_busy = False
        access = SimpleNamespace(endpoint=lambda: "https://provider.example", credential=lambda: CREDENTIAL)
        http = ProviderWithoutNetwork(flow.provider)
        provider = PaymentProvider(
            access,  # type: ignore[arg-type]
            lambda _: True,
            SimpleNamespace(request=lambda *said, **named: self._connection.to(http).request(*said, **named)),
            connect_seconds=1,
            read_seconds=3,
            clock=flow.clock.now,
        )
        tally = Tally()
        guard = Guard(
            CIRCUIT,
            _Over(self, flow.circuits),
            failure_threshold=3,
            counted=(ProviderUnavailableError,),
            unreadable=lambda: None,
            now=self._now,
        )
        cashier = Cashier(
            _Over(self, flow.payments),
            payments.measured(provider.charge, provider.ready, tally, 2.0, flow.clock.now),
            self._guarded(guard),
            circuit=CIRCUIT,
            maximum_receives=MAXIMUM_RECEIVES,
            now=self._now,
            tally=tally,
            tell=lambda _: None,
            redactor=Redactor(),
        )
        self._forwarder = Forwarder(
            prepare=lambda message: payments.prepare(message, 3), send=one_by_one(cashier.pay), park=_never_parked
        )

    def _now(self) -> datetime:
        return self._flow.clock.moment() + self._ahead

    def _guarded(self, guard: Guard) -> Any:
        def call(function: Callable[[Payment], Captured | Declined], payment: Payment) -> Captured | Declined:
            def asked(payment: Payment) -> Captured | Declined:
                assert not self._was_final, "a payment that is final is attempted again"
                return function(payment)

            return guard.call(asked, payment)

        return call

    def through(self, service: object) -> Any:
        """Give a service as it is reached in this invocation."""
        return self._connection.to(service)

    def pay(self, connection: Connection) -> None:
        """Have the next payment on the queue made."""
        queue = self._flow.queue
        received = None if self.is_busy else queue.next()
        if received is None:
            return
        message, receipt = received
        order = ordered(message.body)
        self._was_final = self._flow.status(order) in payments.FINAL
        self._connection, self.is_busy = connection, True
        is_excused = True
        try:
            with self._flow.in_hand(order), self._process.inside():
                outcome = self._forwarder.forward([message])
                is_excused = bool(outcome.failed)
                if not outcome.failed:
                    connection.to(queue).delete([receipt])
        except Killed:
            self._flow.replace(self)
            raise
        finally:
            self.is_busy = False
            self._flow.excused[order] += is_excused


class _Over:
    """A service as an environment reaches it, in each invocation anew."""

    def __init__(self, environment: Environment, service: object) -> None:
        self._environment = environment
        self._service = service

    def __getattr__(self, name: str) -> Any:
        return getattr(self._environment.through(self._service), name)


def _never_parked(message: Message, reason: str) -> None:
    raise AssertionError((message, reason))


def ordered(body: str) -> Order:
    """Give the order that a message on the queue of payments is about."""
    data = parse(body)["detail"]["data"]
    return data["customerId"], data["orderId"]


class Flow:
    """Everything, and what each of its functions does when it is invoked.

    Parameters
    ----------
    seed : int
        Of the order in which an archive is replayed.
    settles : float
        Seconds until the archive has what was put on the bus.
    begins_after : float
        Seconds until a replay begins.
    """

    def __init__(self, seed: int = 0, settles: float = 20.0, begins_after: float = 0.0) -> None:
        self.world = World(seed=seed)
        self.clock, self.ledger, self.replays = self.world.clock, self.world.ledger, self.world.replays
        self.replays.begins_after = begins_after
        self.settles = timedelta(seconds=settles)
        ids = count(1)
        self.provided = Kept()
        self.provider = Provider(self.provided, lambda: CREDENTIAL, self.clock.moment, lambda: f"id-{next(ids)}")
        self.circuits, self.payments = CircuitsInMemory(), PaymentsInMemory()
        self.queue = PaymentsQueue(self.clock)
        self.bus, self.states = Bus(self.clock, self.replays.events), States()
        self.orders: list[Order] = []
        self.excused: Counter[Order] = Counter()
        """How many attempts at an order's payment were cut short, or went on beside another."""
        self._in_hand: Counter[Order] = Counter()
        self.environments = [Environment(self, ahead) for ahead in (0.0, 0.9, -0.9)]
        self.untold: list[int] = []
        """Which writes of circuits the stream has still to report; those of payments it reports in order."""
        self._seen = self.unreported = 0
        self.probes: list[float] = []
        """When probes are due that were asked for."""
        self.woken: list[str] = []
        self._workers = count(1)

    # What is asked of it

    def place(self) -> None:
        """Place an order; every fourth is to be declined."""
        number = len(self.orders) + 1
        data = {
            "customerId": f"c-{number % 3}",
            "orderId": f"o-{number}",
            "paymentId": f"{'decline' if number % 4 == 0 else 'pay'}-{number}",
        }
        self.orders.append((data["customerId"], data["orderId"]))
        self.queue.put(render(placed(**data)))

    def behave(self, mode: Mode) -> None:
        """Have the provider behave in some way."""
        self.provided.behave(Behaviour(mode, self.clock.moment()))

    def command(self, connection: Connection, command: str, reason: str, expires_in: float | None) -> dict[str, Any]:
        """Give an operator's command."""
        said = {"command": command, "circuit": CIRCUIT, "reason": reason, "actor": "ann"}
        if command != "reset" and expires_in is not None:
            said["expiresAt"] = timestamp(self.clock.moment() + timedelta(seconds=expires_in))
        control = CircuitControl(connection.to(self.circuits), [CIRCUIT], self.clock.moment)
        return answered(said, control.command)

    # What functions do

    def pay(self, connection: Connection, number: int = 0) -> None:
        """An environment has the next payment made."""
        self.environments[number].pay(connection)

    def manager(self, connection: Connection) -> CircuitManager:
        """Give a manager of circuits, such as another environment has."""
        services = connection.to(self)
        return CircuitManager(
            connection.to(self.circuits),
            [CIRCUIT],
            RULES,
            rate_window=timedelta(seconds=180),
            complaint=services.complaint,
            sums=services.sums,
            states=connection.to(self.states),
            put=connection.to(self.bus).put,
            ask=services.ask,
            notify=lambda *_: None,
            measured=lambda *_: None,
            read=lambda row: circuit_records.circuit(row) if row["Item"] == circuit_records.STATE else None,
            log=SimpleNamespace(info=lambda *_, **__: None, exception=lambda *_, **__: None),
            now=self.clock.moment,
            sleep=self.clock.sleep,
        )

    def complaint(self, name: str) -> str | None:
        """Ask the provider how it is."""
        assert name == CIRCUIT
        answer = self.provider.answer(Request("GET", "/health"))
        return None if answer.status == 200 else "it is not well"

    def sums(self, name: str, start: datetime, end: datetime) -> Sums:
        """Sum up the calls of the provider."""
        assert name == CIRCUIT
        calls = [one for one in self.provided.received() if start <= one.at < end]
        return Sums(len(calls), sum(one.status >= 500 for one in calls), 0)

    def ask(self, name: str, delay_seconds: int) -> None:
        """Have a probe made."""
        assert name == CIRCUIT
        self.probes.append(self.clock.now() + delay_seconds)

    def tick(self, connection: Connection) -> None:
        """A manager does what is due by the clock."""
        self.manager(connection).tick_all()

    def probe(self, connection: Connection, *, again: bool = False) -> None:
        """A manager makes the probe that a message asks for; what fails comes again."""
        due = [at for at in self.probes if at <= self.clock.now()]
        if not due:
            return
        message = Message("probe", render({"circuit": CIRCUIT}), {}, timestamp(self.clock.moment()))
        self.probes.remove(due[0])
        try:
            again = bool(self.manager(connection).probe_all([message]).failed) or again
        except Killed:
            again = True
            raise
        finally:
            if again:
                self.probes.append(self.clock.now() + 30)

    def announce(self, connection: Connection, position: int = 0, *, again: bool = False) -> None:
        """A manager is told of a write, of whichever comes; what fails comes again."""
        stream = self.circuits.stream
        self.untold += range(self._seen, len(stream))
        self._seen = len(stream)
        if not self.untold:
            return
        number = self.untold.pop(position % len(self.untold))
        try:
            outcome = self.manager(connection).announce([reported(number, *stream[number])])
            again = bool(outcome.failed) or again
        except Killed:
            again = True
            raise
        finally:
            if again:
                self.untold.append(number)

    def count_held(self, connection: Connection) -> None:
        """What is deferred is counted, as the manager will see it."""
        checked_at = self.clock.moment()
        number, oldest = connection.to(self.payments).held(CIRCUIT)
        connection.to(self.circuits).keep_held(CIRCUIT, Held(number, oldest, checked_at))

    def report(self, connection: Connection, *, again: bool = False) -> None:
        """What has become of payments is put on the bus, in order; what fails comes again."""
        changes = [
            Change(f"payment-{position}", f"{position:021}", self.clock.moment(), *pair)
            for position, pair in enumerate(self.payments.stream)
        ][self.unreported :]
        bus = connection.to(self.bus)
        forwarder = Forwarder(
            prepare=payment_stream.prepare,
            send=lambda prepared: bus_events.send(prepared, bus.put, self.clock.sleep),
            park=_never_parked,
        )
        outcome = forwarder.forward(payment_stream.messages(changes))
        if not outcome.failed and not again and changes:
            self.unreported = max(self.unreported, int(changes[-1].position) + 1)

    def recover(self, connection: Connection, position: int = 0, *, again: bool = False) -> None:
        """A closing is delivered, whichever comes; what fails comes again."""
        if not self.bus.closings:
            return
        event = self.bus.closings.pop(position % len(self.bus.closings))
        ramp = Ramp(GRACE, pace=10, canary=2)
        recovery = Recovery(
            connection.to(self.ledger), self.places(connection), self.woken.append, self.clock.moment, ramp
        )
        try:
            recovery.recover(replay_recovery.read(event))
        except (ForbiddenError, UnavailableError, Killed):
            again = True
            raise
        finally:
            if again:
                self.bus.closings.append(event)

    def work(self, connection: Connection) -> None:
        """A worker works for a slice on the job that it was woken for, or on one that nobody works on."""
        worker = Worker(
            connection.to(self.ledger),
            self.places(connection),
            owner=f"worker {next(self._workers)}",
            now=self.clock.now,
            sleep=self.clock.sleep,
            ended=lambda _: None,
            slice_seconds=SLICE_SECONDS,
            canary_seconds=2.0,
        )
        for job_id in (self.woken or worker.stranded())[:1]:
            self.woken = [one for one in self.woken if one != job_id]
            if worker.work(job_id) is not None:
                self.woken.append(job_id)

    def places(self, connection: Connection) -> Places:
        """Give what can be replayed from and to."""
        queues = {"queue": self.queue, "buffer": self.world.buffer}
        store = FakeStore()
        return Places(
            known={TARGET.name: TARGET},
            rules_of_bus=lambda: (),
            default_archive="everything",
            archive_arn=lambda name: name,
            replays=lambda _: connection.to(self.replays),
            queue=lambda arn: connection.to(queues[arn]),
            replay_queue_arn="",
            topic_events=store,
            bus_events=store,
            circuit_state=connection.to(self.states).state,
            park=_never_parked,
            timing=Timing(self.settles, timedelta(), timedelta(), SLICE_SECONDS, 3.0),
            maximum_hops=3,
            now=self.clock.now,
            sleep=self.clock.sleep,
        )

    # What there is

    def circuit(self) -> Circuit:
        """Give the circuit as it is, unnoticed."""
        return self.circuits._circuit(CIRCUIT)

    def jobs(self) -> list[Job]:
        """Give all jobs."""
        return list(self.ledger.newest(100))

    def status(self, order: Order) -> str | None:
        """Give the status of an order's payment."""
        status: str | None = self.payments.rows.get(order, {}).get("Status")
        return status

    def queued(self) -> set[Order]:
        """Give the orders whose payment is asked for by a message, even if it has been received too often."""
        return {ordered(body) for body in (*self.queue.bodies(), *self.queue.dead)}

    def replace(self, environment: Environment) -> None:
        """Have another environment started in the place of one that is dead."""
        number = self.environments.index(environment)
        self.environments[number] = Environment(self, (0.0, 0.9, -0.9)[number])

    def in_hand(self, order: Order) -> "_InHand":
        """Have an order's payment in hand."""
        return _InHand(self._in_hand, self.excused, order)


class _InHand:
    def __init__(self, in_hand: Counter[Order], excused: Counter[Order], order: Order) -> None:
        self._in_hand = in_hand
        self._excused = excused
        self._order = order

    def __enter__(self) -> None:
        self._excused[self._order] += self._in_hand[self._order] > 0
        self._in_hand[self._order] += 1

    def __exit__(self, *_: object) -> None:
        self._in_hand[self._order] -= 1
