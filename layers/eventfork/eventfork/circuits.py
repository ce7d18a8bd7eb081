"""Circuits: whether callers may call what a circuit guards, since when they may not, and what has been held meanwhile.

A circuit is one item: its state, the mode an operator has set, and the outage, so that every transition is one write on
the condition that nobody wrote before. A state always equals what callers do; modes only bar transitions.

FieldError          what an operator asks is wrong; names the field
ConflictError       somebody else wrote the circuit first; read again, decide again
CircuitOpenError    the call was not made
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from math import ceil
from typing import Any, Final, Protocol

from eventfork.bus_events import CIRCUIT_CLOSED, CIRCUIT_HALF_OPENED, CIRCUIT_OPENED, HELD_WORK_FOUND

__all__ = [
    "EXPIRY",
    "MODES",
    "PROBE",
    "RECOVERY",
    "TRANSITIONS",
    "Circuit",
    "CircuitOpenError",
    "Circuits",
    "ConflictError",
    "Effect",
    "FieldError",
    "Held",
    "Mode",
    "Outage",
    "Rules",
    "State",
    "Transition",
    "change",
    "happened",
    "recorded",
]


class FieldError(ValueError):
    """What an operator asks is wrong.

    Attributes
    ----------
    pointer : str
        JSON pointer (RFC 6901) to it.
    detail : str
        What is wrong.
    """

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__(f"{pointer} {detail}")
        self.pointer = pointer
        self.detail = detail


class ConflictError(Exception):
    """Somebody else wrote the circuit first: nothing was written."""


class CircuitOpenError(Exception):
    """The circuit is open: the call was not made.

    Attributes
    ----------
    circuit : str
        Its name.
    outage_id : str or None
        The outage that holds it open.
    retry_after : int
        Seconds after which a call may get through, at the earliest.
    """

    def __init__(self, circuit: str, outage_id: str | None, retry_after: int) -> None:
        super().__init__(f"the circuit {circuit} is open")
        self.circuit = circuit
        self.outage_id = outage_id
        self.retry_after = retry_after


class State(StrEnum):
    """What callers do: call (CLOSED), or not (OPEN, and HALF_OPEN while probes decide)."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"


class Mode(StrEnum):
    """Who moves the circuit: trips and probes (AUTOMATIC), or nobody but operators."""

    AUTOMATIC = "AUTOMATIC"
    FORCED_OPEN = "FORCED_OPEN"
    FORCED_CLOSED = "FORCED_CLOSED"
    METRICS_ONLY = "METRICS_ONLY"
    DISABLED = "DISABLED"


@dataclass(frozen=True, slots=True)
class Effect:
    """What a mode does.

    Attributes
    ----------
    state : State or None
        The state that it sets, and that stays while it lasts; None where it leaves that as it is.
    moves : bool
        Whether trips and probes change the state.
    measures : bool
        Whether calls are measured, and what would have tripped the circuit is told.
    """

    state: State | None
    moves: bool
    measures: bool


TRANSITIONS: Final[Mapping[State, frozenset[State]]] = {
    State.CLOSED: frozenset({State.OPEN}),
    State.OPEN: frozenset({State.HALF_OPEN, State.CLOSED}),
    State.HALF_OPEN: frozenset({State.OPEN, State.CLOSED}),
}
"""From each state, those that may follow. From OPEN to CLOSED only an operator goes."""
MODES: Final[Mapping[Mode, Effect]] = {
    Mode.AUTOMATIC: Effect(state=None, moves=True, measures=True),
    Mode.FORCED_OPEN: Effect(state=State.OPEN, moves=False, measures=True),
    Mode.FORCED_CLOSED: Effect(state=State.CLOSED, moves=False, measures=True),
    Mode.METRICS_ONLY: Effect(state=State.CLOSED, moves=False, measures=True),
    Mode.DISABLED: Effect(state=State.CLOSED, moves=False, measures=False),
}
PROBE: Final = "probe"
"""Who changed a circuit, where probes did."""
EXPIRY: Final = "expiry"
"""Who changed a circuit, where the time of what was forced was up."""
RECOVERY: Final = "recovery"
"""Who changed a circuit, where the count of what is held did."""

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,16}")
"""With a second and a number it makes an outage's id, and that a replay's, which may have 40 characters."""
_NUMBERS: Final = 1_000_000
"""Outage ids count as far as six digits go: a second apart they differ anyway."""
_SHORTEST_RETRY: Final = 5
_LONGEST_RETRY: Final = 60
"""Seconds that a caller is asked to wait: nobody knows when a probe will find the other side healthy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """When a circuit trips, and what it takes to recover.

    Attributes
    ----------
    probes_needed, probes_looked_at : int
        A circuit that is half open closes when so many of its last probes found the other side healthy.
    probe_seconds : int
        Between two probes.
    recovery_check_seconds : int
        After so long what is still held though the circuit has closed is replayed once more.
    hold_seconds : int
        What has been held for longer though the circuit never opened is replayed.
    grace_seconds : int
        An outage ends when nothing is held any more so long after the circuit closed: callers learn of that late.
    failure_share, slow_share : Decimal
        Shares of all calls from which on the circuit trips.
    minimum_volume : int
        Calls below which shares say nothing.

    Raises
    ------
    ValueError
        If no circuit could ever close by these rules.
    """

    probes_needed: int = 3
    probes_looked_at: int = 5
    probe_seconds: int = 5
    recovery_check_seconds: int = 900
    hold_seconds: int = 60
    grace_seconds: int = 60
    failure_share: Decimal = Decimal("0.5")
    slow_share: Decimal = Decimal("0.8")
    minimum_volume: int = 20

    def __post_init__(self) -> None:
        if not 1 <= self.probes_needed <= self.probes_looked_at:
            raise ValueError(f"{self.probes_needed} of {self.probes_looked_at} probes can never be healthy")


_RULES: Final = Rules()


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which work was held, from the first opening until nothing of it is held any more.

    Attributes
    ----------
    id : str
        Up to 40 letters, digits, hyphens and underscores. The replay that makes up for the outage has the same.
    started_at : datetime
        When the circuit first opened, or the first work was held; it never moves.
    recover_from : datetime
        From when on work may be held.
    closed_at : datetime or None
        When the circuit closed, or work was last found that is still held; None while the circuit is not closed.
    cycles : int
        How often the circuit has opened in this outage.
    """

    id: str
    started_at: datetime
    recover_from: datetime
    closed_at: datetime | None = None
    cycles: int = 0


@dataclass(frozen=True, slots=True)
class Held:
    """How much work was held when it was last counted, and since when the oldest of it."""

    count: int
    oldest: datetime | None
    checked_at: datetime


@dataclass(frozen=True, slots=True)
class Circuit:
    """A circuit.

    Attributes
    ----------
    name : str
        Up to 16 letters, digits, hyphens and underscores.
    state : State
    mode : Mode
    version : int
        How often it was written; 0 for a circuit that never was.
    changed_at : datetime or None
        When the state, the mode or the outage was last changed; None if never.
    changed_by, reason : str
        By whom, and why.
    mode_version : int
        How often the mode was set.
    mode_actor, mode_reason : str
        Who set it last, and why.
    mode_expires_at : datetime or None
        When what is forced ends by itself.
    outage : Outage or None
        The one that has not ended.
    probes : tuple of bool
        Whether the last probes since the circuit opened found the other side healthy, the newest last.
    next_probe_at : datetime or None
    failures : int
        How many calls in a row had failed when the circuit was tripped; 0 where shares tripped it.
    """

    name: str
    state: State = State.CLOSED
    mode: Mode = Mode.AUTOMATIC
    version: int = 0
    changed_at: datetime | None = None
    changed_by: str = ""
    reason: str = ""
    mode_version: int = 0
    mode_actor: str = ""
    mode_reason: str = ""
    mode_expires_at: datetime | None = None
    outage: Outage | None = None
    probes: tuple[bool, ...] = ()
    next_probe_at: datetime | None = None
    failures: int = 0

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is no name of up to 16 letters, digits, hyphens and underscores")

    def trip(self, now: datetime, by: str, reason: str, failures: int = 0, rules: Rules = _RULES) -> "Circuit | None":
        """Open it; None if it is not closed, or may not be moved."""
        found = _unforced(self, now)
        if not MODES[found.mode].moves or found.state is not State.CLOSED:
            return None
        next_probe_at = now + timedelta(seconds=rules.probe_seconds)
        return _changed(_opened(found, now), now, by, reason, failures=failures, next_probe_at=next_probe_at)

    def would_trip(self, now: datetime) -> bool:
        """Whether only its mode, which is to measure, keeps it from being tripped."""
        found = _unforced(self, now)
        return found.mode is Mode.METRICS_ONLY and found.state is State.CLOSED

    def measures(self, now: datetime) -> bool:
        """Whether calls are to be measured, and told of."""
        return MODES[_unforced(self, now).mode].measures

    def probing(self, now: datetime, rules: Rules = _RULES) -> "Circuit | None":
        """Claim the probe that is due; None if none is. Who writes this probes, and nobody else."""
        found = _unforced(self, now)
        if not _is_probed(found) or (found.next_probe_at is not None and now < found.next_probe_at):
            return None
        return _written(found, next_probe_at=now + timedelta(seconds=rules.probe_seconds))

    def probed(self, healthy: bool, now: datetime, rules: Rules = _RULES) -> "Circuit | None":
        """Take in what a probe found; None if the circuit is no longer probed."""
        found = _unforced(self, now)
        if not _is_probed(found):
            return None
        probes = (*found.probes, healthy)[-rules.probes_looked_at :]
        match found.state, healthy:
            case State.OPEN, True:
                moved = _moved(found, State.HALF_OPEN, probes=probes)
                return _changed(moved, now, PROBE, "A probe found the other side healthy.")
            case State.HALF_OPEN, False:
                moved = _moved(found, State.OPEN, probes=())
                return _changed(moved, now, PROBE, "A probe found the other side unhealthy.")
            case State.HALF_OPEN, True if sum(probes) >= rules.probes_needed:
                reason = f"{sum(probes)} of the last {len(probes)} probes found the other side healthy."
                return _changed(_closed(found, now), now, PROBE, reason)
            case _:
                return _written(found, probes=probes)

    def forced(self, mode: Mode, now: datetime, actor: str, reason: str, expires_at: datetime | None) -> "Circuit":
        """Set the mode, and the state that goes with it.

        Raises
        ------
        FieldError
            If the mode forces nothing, no reason is given, or it would have expired already.
        """
        given, state = _given(reason), MODES[mode].state
        if state is None:
            raise FieldError("/mode", "forces nothing: reset the circuit instead")
        if expires_at is not None and expires_at <= now:
            raise FieldError("/expiresAt", "is not in the future")
        if self.state is state:
            moved = self
        elif state is State.CLOSED:
            moved = _closed(self, now)
        else:
            moved = _opened(self, now) if self.state is State.CLOSED else _moved(self, State.OPEN)
        return _moded(moved, mode, now, actor, given, expires_at=expires_at)

    def reset(self, now: datetime, actor: str, reason: str) -> "Circuit | None":
        """Leave it to trips and probes again; it stays as it is until they decide. None if it is left to them already.

        Raises
        ------
        FieldError
            If no reason is given.
        """
        given = _given(reason)
        return None if self.mode is Mode.AUTOMATIC else _moded(self, Mode.AUTOMATIC, now, actor, given)

    def expired(self, now: datetime) -> "Circuit | None":
        """End what is forced when its time is up; None if it is not."""
        found = _unforced(self, now)
        return None if found is self else _written(found)

    def held_seen(self, held: Held, now: datetime, rules: Rules = _RULES) -> "Circuit | None":
        """Take in how much work is held while the circuit is closed.

        Work that is held without any outage begins one; what is still held long after the circuit closed is to be
        replayed again; and the outage ends when nothing is held any more. None if nothing changes.
        """
        if self.outage is None:
            return _held_without_outage(self, held, now, rules)
        closed_at = self.outage.closed_at
        if closed_at is None:
            return None
        if held.count:
            # A count from before the circuit closed says nothing of what has been replayed since.
            if held.checked_at <= closed_at or now <= closed_at + timedelta(seconds=rules.recovery_check_seconds):
                return None
            recover_from = min(self.outage.recover_from, held.oldest or self.outage.recover_from)
            again = replace(self.outage, closed_at=now, recover_from=recover_from)
            return _changed(self, now, RECOVERY, "Work is still held though the circuit has closed.", outage=again)
        if held.checked_at <= closed_at + timedelta(seconds=rules.grace_seconds):
            return None
        return _changed(self, now, RECOVERY, "Nothing is held any more: the outage has ended.", outage=None)

    def retry_after(self, now: datetime) -> int:
        """Give the seconds that a caller is best asked to wait while the circuit is not closed."""
        until = self.next_probe_at if MODES[self.mode].moves else self.mode_expires_at
        seconds = _LONGEST_RETRY if until is None else ceil((until - now).total_seconds())
        return max(_SHORTEST_RETRY, min(_LONGEST_RETRY, seconds))


def _is_probed(circuit: Circuit) -> bool:
    return MODES[circuit.mode].moves and circuit.state is not State.CLOSED


def _held_without_outage(circuit: Circuit, held: Held, now: datetime, rules: Rules) -> Circuit | None:
    if not held.count or held.oldest is None or now - held.oldest <= timedelta(seconds=rules.hold_seconds):
        return None
    found = Outage(_outage_id(circuit, now), held.oldest, held.oldest, closed_at=now)
    return _changed(circuit, now, RECOVERY, "Work is held though the circuit never opened.", outage=found)


def _unforced(circuit: Circuit, now: datetime) -> Circuit:
    """Give a circuit as it is without what is forced, if the time of that is up; its version stays."""
    if circuit.mode is Mode.AUTOMATIC or circuit.mode_expires_at is None or now < circuit.mode_expires_at:
        return circuit
    reason = f"The time of {circuit.mode} was up."
    return replace(_moded(circuit, Mode.AUTOMATIC, now, EXPIRY, reason), version=circuit.version)


def _moded(
    circuit: Circuit, mode: Mode, now: datetime, actor: str, reason: str, *, expires_at: datetime | None = None
) -> Circuit:
    # Nobody knows how the other side is by now: the first probe is due at once, and those before count no more.
    next_probe_at = now if MODES[mode].moves and circuit.state is not State.CLOSED else None
    return _changed(
        circuit,
        now,
        actor,
        reason,
        mode=mode,
        mode_version=circuit.mode_version + 1,
        mode_actor=actor,
        mode_reason=reason,
        mode_expires_at=expires_at,
        probes=(),
        next_probe_at=next_probe_at,
    )


def _opened(circuit: Circuit, now: datetime) -> Circuit:
    outage = _outage(circuit, now)
    return _moved(circuit, State.OPEN, outage=replace(outage, closed_at=None, cycles=outage.cycles + 1))


def _closed(circuit: Circuit, now: datetime) -> Circuit:
    outage = replace(_outage(circuit, now), closed_at=now)
    return _moved(circuit, State.CLOSED, outage=outage, probes=(), next_probe_at=None, failures=0)


def _outage(circuit: Circuit, now: datetime) -> Outage:
    return circuit.outage or Outage(_outage_id(circuit, now), started_at=now, recover_from=now)


def _outage_id(circuit: Circuit, now: datetime) -> str:
    return f"{circuit.name}-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{(circuit.version + 1) % _NUMBERS}"


def _moved(circuit: Circuit, state: State, **changes: Any) -> Circuit:
    if state not in TRANSITIONS[circuit.state]:
        raise ValueError(f"a circuit that is {circuit.state} cannot become {state}")
    return replace(circuit, state=state, **changes)


def _changed(circuit: Circuit, now: datetime, by: str, reason: str, **changes: Any) -> Circuit:
    return _written(circuit, changed_at=now, changed_by=by, reason=reason, **changes)


def _written(circuit: Circuit, **changes: Any) -> Circuit:
    return replace(circuit, version=circuit.version + 1, **changes)


def _given(reason: str) -> str:
    if not reason.strip():
        raise FieldError("/reason", "is missing: the circuit's history keeps why something was done")
    return reason.strip()


@dataclass(frozen=True, slots=True)
class Transition:
    """What is on record of a change of a circuit's state, mode or outage.

    Attributes
    ----------
    name : str
        The circuit's.
    version : int
        Which the change gave the circuit.
    at : datetime
    state, previous_state : State
    mode : Mode
    by, reason : str
    outage_id : str or None
    """

    name: str
    version: int
    at: datetime
    state: State
    previous_state: State
    mode: Mode
    by: str
    reason: str
    outage_id: str | None


def recorded(old: Circuit, new: Circuit) -> Transition | None:
    """Give what goes on record of a write; None if it changed nothing but probes."""
    if new.changed_at is None or (old.state, old.mode_version, old.outage) == (
        new.state,
        new.mode_version,
        new.outage,
    ):
        return None
    # The write that ends an outage is the last one to tell of it.
    outage = new.outage or old.outage
    return Transition(
        name=new.name,
        version=new.version,
        at=new.changed_at,
        state=new.state,
        previous_state=old.state,
        mode=new.mode,
        by=new.changed_by,
        reason=new.reason,
        outage_id=outage.id if outage else None,
    )


_OPENINGS: Final = {
    State.CLOSED: CIRCUIT_CLOSED,
    State.OPEN: CIRCUIT_OPENED,
    State.HALF_OPEN: CIRCUIT_HALF_OPENED,
}


def happened(old: Circuit, new: Circuit) -> str | None:
    """Give the type of the event that a write is, None if it is none."""
    if old.state is not new.state:
        return _OPENINGS[new.state]
    if new.state is not State.CLOSED or new.outage is None or new.outage.closed_at is None:
        return None
    return None if old.outage and old.outage.closed_at == new.outage.closed_at else HELD_WORK_FOUND


class Circuits(Protocol):
    """Where circuits are kept.

    Each method raises `eventfork.errors.UnavailableError` if the service behind it did not do it.
    """

    def load(self, name: str) -> Circuit:
        """Give a circuit as it is now; one that was never written is closed, and has the version 0."""

    def glance(self, name: str) -> Circuit:
        """Give a circuit as it was a moment ago, at half the price of `load`."""

    def save(self, circuit: Circuit) -> None:
        """Write a circuit, if its version is the one after that which is kept.

        Raises
        ------
        ConflictError
            If it is not: nothing was written.
        """

    def held(self, name: str) -> Held | None:
        """Give how much work was held when it was last counted; None if it never was."""

    def keep_held(self, name: str, held: Held) -> None:
        """Keep how much work is held."""

    def transitions(self, name: str, limit: int) -> Sequence[Transition]:
        """Give what is on record of a circuit's last changes, the newest first."""

    def record(self, transition: Transition) -> None:
        """Put a change on record; the same change again is the same record."""


def change(
    circuits: Circuits, name: str, decide: Callable[[Circuit], Circuit | None], attempts: int = 5
) -> Circuit | None:
    """Change a circuit as is decided from how it is now; decide again whenever somebody else has written it first.

    Parameters
    ----------
    circuits : Circuits
    name : str
    decide : callable
        Gives the circuit as it is to be; None if there is nothing to do.
    attempts : int

    Returns
    -------
    Circuit or None
        As it was written; None if there was nothing to do.

    Raises
    ------
    ConflictError
        If others wrote first in every attempt.
    eventfork.errors.UnavailableError
        If it cannot be known whether it was written.
    """
    for _ in range(attempts):
        decided = decide(circuits.load(name))
        if decided is None:
            return None
        try:
            circuits.save(decided)
        except ConflictError:
            continue
        return decided
    raise ConflictError(f"the circuit {name} was written by others {attempts} times in a row")
