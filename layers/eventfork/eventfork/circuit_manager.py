"""Watches circuits: trips them by their rates, probes those that are open, and tells of all that happens to them.

Everything here may run many times over, and in several places at once: what changes a circuit is one conditional write,
what is told of it has an id that the write gives, and what depends on its state is made to agree with the table.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any, Final, Protocol

from eventfork import circuit_events
from eventfork.batches import send_all
from eventfork.bus_events import Entry
from eventfork.circuits import MODES, Circuit, Circuits, ConflictError, Rules, State, change, recorded
from eventfork.errors import ServiceError, UnavailableError
from eventfork.forwarding import CannotCarryError, Message, Outcome
from eventfork.json_text import JsonTextError, parse
from eventfork.limits import SQS_DELAY_SECONDS
from eventfork.order_stream import Change

__all__ = [
    "CIRCUIT_OPEN",
    "CIRCUIT_WOULD_OPEN",
    "HELD",
    "OLDEST_HELD_SECONDS",
    "RATE",
    "CircuitManager",
    "Log",
    "States",
    "Sums",
]

CIRCUIT_OPEN: Final = "CircuitOpen"
"""The metric that is 1 while a circuit is not closed, and 0 while it is."""
CIRCUIT_WOULD_OPEN: Final = "CircuitWouldOpen"
"""The metric that is 1 where only the mode METRICS_ONLY keeps a circuit closed."""
HELD: Final = "HeldPayments"
"""The metric of how much work is held."""
OLDEST_HELD_SECONDS: Final = "OldestHeldSeconds"
"""The metric of how long the oldest of it has been held."""
RATE: Final = "rate"
"""Who changed a circuit, where the shares of failed or slow calls did."""

_TEMPORARY: Final = (ServiceError, ConflictError)
"""What passes: whatever failed with it is done by the next tick, or when its message or record comes again."""
_OVERDUE: Final = 3
"""After so many times the pause between probes, nobody is going to make the one that is due."""
_EARLY: Final = timedelta(seconds=1)
"""How much too early a message may come for its probe to be waited for: clocks differ."""
_ROUNDS: Final = 5
"""How often the state is written until the table still says the same afterwards; a tick sees to the rest."""
_MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Sums:
    """How calls through a circuit went: how many there were, failed, and were slow."""

    calls: int
    failures: int
    slow: int

    def breach(self, rules: Rules) -> str | None:
        """Tell why the circuit is to trip, for people; None if it is not, or if there are too few calls to say."""
        if self.calls < max(1, rules.minimum_volume):
            return None
        if self.failures >= rules.failure_share * self.calls:
            return f"{self.failures} of {self.calls} calls failed."
        if self.slow >= rules.slow_share * self.calls:
            return f"{self.slow} of {self.calls} calls were slow."
        return None


class States(Protocol):
    """Where the states of circuits are shown to everybody who does not read the table.

    Each method raises `eventfork.errors.UnavailableError` if the service behind it did not do it.
    """

    def state(self, circuit: str) -> str | None:
        """Give the state that is shown of a circuit; None if none is."""

    def put(self, circuit: str, state: str) -> None:
        """Show a state."""


class Log(Protocol):
    """Where lines are logged: what is said, and facts by their names."""

    @property
    def info(self) -> Callable[..., object]:
        """Logs what was done."""

    @property
    def exception(self) -> Callable[..., object]:
        """Logs what was not done, and the error that is being handled."""


class CircuitManager:
    """Does what is due for circuits.

    Parameters
    ----------
    circuits : Circuits
    names : collection of str
        The circuits that are watched.
    rules : Rules
    rate_window : timedelta
        The time over which calls are summed; the sums are of whole minutes.
    complaint : callable
        Asks what a circuit guards how it is: tells what is wrong with it, or gives None. Raises `ServiceError` if it
        cannot be asked, which says nothing of its health.
    sums : callable
        Gives the `Sums` of a circuit's calls from one whole minute to another; the last may not be over.
    states : States
    put : callable
        Puts events on the bus, gives the positions of those refused: `EventBus.put`.
    ask : callable
        Has a circuit probed after so many seconds.
    notify : callable
        Sends people a text about a circuit, and the type of the event that it is about; does nothing where nobody
        wants to know.
    measured : callable
        Takes the measures of a circuit, by the metric's name.
    read : callable
        Reads a circuit from a row of its table; gives None for a row of another kind.
    log : Log
    now : callable
        Gives the time, in UTC.
    sleep : callable
        Waits so many seconds, before a refused event is put again.
    """

    def __init__(
        self,
        circuits: Circuits,
        names: Collection[str],
        rules: Rules,
        *,
        rate_window: timedelta,
        complaint: Callable[[str], str | None],
        sums: Callable[[str, datetime, datetime], Sums],
        states: States,
        put: Callable[[Sequence[Entry]], Sequence[int]],
        ask: Callable[[str, int], object],
        notify: Callable[[str, str, str], object],
        measured: Callable[[str, Mapping[str, int]], object],
        read: Callable[[Mapping[str, Any]], Circuit | None],
        log: Log,
        now: Callable[[], datetime],
        sleep: Callable[[float], object],
    ) -> None:
        self._circuits = circuits
        self._names = names
        self._rules = rules
        self._rate_window = rate_window
        self._complaint = complaint
        self._sums = sums
        self._states = states
        self._put = put
        self._ask = ask
        self._notify = notify
        self._measured = measured
        self._read = read
        self._log = log
        self._now = now
        self._sleep = sleep
        self._probe_pause = timedelta(seconds=rules.probe_seconds)

    # What the clock asks for

    def tick_all(self) -> None:
        """Do for every circuit what is due by the clock; what fails for one is no reason to leave another.

        Raises
        ------
        UnavailableError
            If a service did not do its part for one of them.
        """
        failed = [name for name in self._names if not self._ticked(name)]
        if failed:
            raise UnavailableError(f"not everything was done for the circuits {', '.join(failed)}: see the log")

    def _ticked(self, name: str) -> bool:
        try:
            self.tick(name)
        except UnavailableError:
            return False
        return True

    def tick(self, name: str) -> None:
        """Do for a circuit what is due by the clock: each part of it, even if another part fails.

        What is forced ends when its time is up; the circuit trips if too many calls failed or were slow; what is held
        begins, prolongs or ends an outage; probes that nobody makes any more are begun again; the state that is shown
        is made that of the table; and its measures are taken.

        Raises
        ------
        UnavailableError
            If a part failed. The next tick does it.
        """
        measures: dict[str, int] = {}
        failed = []
        for part in (self._expire, self._watch_calls, self._look_at_held, self._keep_probing, self._reconcile):
            try:
                measures |= part(name)
            except _TEMPORARY:
                failed.append(part.__name__.strip("_"))
                self._log.exception("part of a tick failed", circuit=name, part=failed[-1])
        if measures:
            self._measured(name, measures)
        if failed:
            raise UnavailableError(f"the tick of the circuit {name} is incomplete: {', '.join(failed)}")

    def _expire(self, name: str) -> dict[str, int]:
        change(self._circuits, name, lambda circuit: circuit.expired(self._now()))
        return {}

    def _watch_calls(self, name: str) -> dict[str, int]:
        now, seen = self._now(), self._circuits.load(name)
        start = self._measured_from(seen, now)
        if not seen.measures(now) or seen.state is not State.CLOSED or start >= now:
            return {}
        breach = self._sums(name, start, _minute(now) + _MINUTE).breach(self._rules)
        if seen.would_trip(now):
            return {CIRCUIT_WOULD_OPEN: int(breach is not None)}
        if breach is not None:
            # Sums of calls from before a change say nothing of the circuit after it.
            change(
                self._circuits,
                name,
                lambda circuit: (
                    circuit.trip(self._now(), RATE, breach, rules=self._rules)
                    if circuit.changed_at == seen.changed_at
                    else None
                ),
            )
        return {}

    def _measured_from(self, circuit: Circuit, now: datetime) -> datetime:
        """Give the whole minute from which calls count: what failed before the circuit closed is not held against it.

        Source: CloudWatch keeps a metric of standard resolution by the minute.
        """
        start = _minute(now - self._rate_window)
        if circuit.changed_at is None:
            return start
        return max(start, _minute(circuit.changed_at + _MINUTE - timedelta(microseconds=1)))

    def _look_at_held(self, name: str) -> dict[str, int]:
        held = self._circuits.held(name)
        if held is None:
            return {}
        change(self._circuits, name, lambda circuit: circuit.held_seen(held, self._now(), self._rules))
        waits = self._now() - held.oldest if held.count and held.oldest else timedelta()
        return {HELD: held.count, OLDEST_HELD_SECONDS: max(0, int(waits.total_seconds()))}

    def _keep_probing(self, name: str) -> dict[str, int]:
        circuit = self._circuits.load(name)
        due = circuit.next_probe_at
        if _is_probed(circuit) and (due is None or self._now() - due >= _OVERDUE * self._probe_pause):
            self._ask(name, 0)
            self._log.info("probes begun again", circuit=name)
        return {}

    def _reconcile(self, name: str) -> dict[str, int]:
        circuit = self._circuits.load(name)
        if self._states.state(name) != circuit.state:
            circuit = self._show(name)
        return {CIRCUIT_OPEN: _is_open(circuit)}

    def _show(self, name: str) -> Circuit:
        """Show the state that the table says, not the one that a record tells: records come late, and twice.

        Whoever else does the same at this time may write what it read before, and after this did: so the table is read
        again after each write, by whoever wrote last, too.
        """
        circuit = self._circuits.load(name)
        for _ in range(_ROUNDS):
            shown = circuit.state
            self._states.put(name, shown.value)
            circuit = self._circuits.load(name)
            if circuit.state is shown:
                break
        return circuit

    # Probes

    def probe_all(self, messages: Iterable[Message]) -> Outcome:
        """Probe the circuits that messages name; a message whose probe failed is in the outcome's `failed`."""
        outcome = Outcome(received=0)
        for message in messages:
            outcome.received += 1
            try:
                self.probe(self._named(message))
            except (*_TEMPORARY, CannotCarryError):
                self._log.exception("probe failed", message_id=message.id)
                outcome.failed.add(message.id)
            else:
                outcome.sent += 1
        return outcome

    def _named(self, message: Message) -> str:
        try:
            name = parse(message.body)["circuit"]
        except (JsonTextError, TypeError, KeyError) as error:
            raise CannotCarryError("it names no circuit") from error
        if not isinstance(name, str) or name not in self._names:
            raise CannotCarryError("it names no circuit that is watched")
        return name

    def probe(self, name: str) -> None:
        """Make the probe of a circuit that is due, take in what it finds, and have the next one made if need be.

        Of several that come at once, one makes it. The others end there, so that each circuit has one chain of probes,
        however often one was begun.

        Raises
        ------
        ServiceError
            If it cannot be known how the other side is, or a service did not do its part.
        eventfork.circuits.ConflictError
            If others kept writing the circuit.
        """
        claimed = change(self._circuits, name, lambda circuit: circuit.probing(self._now(), self._rules))
        if claimed is None:
            self._wait(name)
            return
        complaint = self._complaint(name)
        probed = change(
            self._circuits,
            name,
            # Of an outage, or an opening, that is over by now this probe says nothing.
            lambda circuit: (
                circuit.probed(complaint is None, self._now(), self._rules)
                if (circuit.outage, circuit.mode_version) == (claimed.outage, claimed.mode_version)
                else None
            ),
        )
        self._log.info("probed", circuit=name, complaint=complaint, state=probed.state.value if probed else None)
        if probed is not None and _is_probed(probed):
            self._ask(name, self._rules.probe_seconds)

    def _wait(self, name: str) -> None:
        circuit, now = self._circuits.load(name), self._now()
        if not _is_probed(circuit) or circuit.next_probe_at is None:
            return
        # Whoever claimed the last probe sends the message for the next one. This may be that message, come too early.
        if timedelta() < circuit.next_probe_at - now <= min(_EARLY, self._probe_pause / 5):
            self._ask(name, 1)

    # What the table's stream reports

    def announce(self, changes: Sequence[Change]) -> Outcome:
        """Tell of changes, in their order; the first that failed is in the outcome's `failed`, and ends it.

        For each: the state is shown, then the event is put, then the change goes on record, then probes begin, and at
        last people are told.
        """
        outcome = Outcome(received=len(changes))
        for one in changes:
            try:
                self._announce(one)
            except (*_TEMPORARY, CannotCarryError):
                self._log.exception("change not told", change_id=one.id)
                outcome.failed.add(one.position)
                break
            outcome.sent += 1
        return outcome

    def _announce(self, reported: Change) -> None:
        old, new = self._circuit(reported.old), self._circuit(reported.new)
        if new is None:
            if old is not None:
                # Somebody deleted it: there is nothing to tell but that it is closed now.
                self._show(old.name)
            return
        before = old or Circuit(new.name)
        if old is None or old.state is not new.state:
            self._show(new.name)
        event = circuit_events.entry(reported.id, before, new)
        if event is not None and send_all([[event]], self._put, self._sleep):
            raise UnavailableError(f"EventBridge did not take the event of the circuit {new.name}")
        transition = recorded(before, new)
        if transition is not None:
            self._circuits.record(transition)
        if _is_probed(new) and not _is_probed(before):
            self._begin_probing(new.name)
        if event is not None:
            self._measured(new.name, {event.detail_type: 1, CIRCUIT_OPEN: _is_open(new)})
            self._tell(event, before, new)

    def _circuit(self, row: Mapping[str, Any]) -> Circuit | None:
        try:
            return self._read(row) if row else None
        except (KeyError, TypeError, ValueError) as error:
            raise CannotCarryError("a row of the circuits' table is no circuit") from error

    def _begin_probing(self, name: str) -> None:
        circuit = self._circuits.load(name)
        if not _is_probed(circuit) or name not in self._names:
            return
        wait = circuit.next_probe_at - self._now() if circuit.next_probe_at else timedelta()
        self._ask(name, min(SQS_DELAY_SECONDS, max(0, ceil(wait.total_seconds()))))

    def _tell(self, event: Entry, old: Circuit, new: Circuit) -> None:
        self._log.info(
            "circuit changed",
            circuit=new.name,
            event=event.detail_type,
            state=new.state.value,
            mode=new.mode.value,
            by=new.changed_by,
            outage=new.outage.id if new.outage else None,
        )
        try:
            self._notify(new.name, event.detail_type, circuit_events.notice(event, old, new))
        except ServiceError:
            # An alarm tells people, too: what comes after this must not wait for it.
            self._log.exception("people not told", circuit=new.name, event=event.detail_type)


def _is_probed(circuit: Circuit) -> bool:
    return MODES[circuit.mode].moves and circuit.state is not State.CLOSED


def _is_open(circuit: Circuit) -> int:
    return int(circuit.state is not State.CLOSED)


def _minute(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(second=0, microsecond=0)
