"""Powertools' circuit breaker, with circuits as this application keeps them: callers trip them, and nothing more.

Powertools counts failures in a row, caches the state, and keeps calls from being made while a circuit is open. What it
would do besides is left to the manager of circuits, whose probes alone close a circuit: recovery is no customer's luck.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, ParamSpec, TypeVar, cast

from aws_lambda_powertools.utilities.circuit_breaker import (
    CircuitBreakerConfig,
    CircuitBreakerOpenError,
    CircuitState,
    circuit_breaker,
)
from aws_lambda_powertools.utilities.circuit_breaker.persistence.base import CircuitBreakerPersistenceLayer
from aws_lambda_powertools.utilities.circuit_breaker.persistence.record import CircuitStateRecord

from eventfork.circuits import Circuit, CircuitOpenError, Circuits, State, change
from eventfork.errors import UnavailableError

__all__ = ["BREAKER", "Guard"]

BREAKER: Final = "breaker"
"""Who changed a circuit, where failures in a row tripped it."""

_NEVER_SECONDS: Final = 10 * 366 * 24 * 60 * 60
"""How long Powertools leaves a circuit open before a caller may try; then it asks the store, which still refuses."""

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Guard:
    """Makes calls while a circuit is closed, and trips it when they fail too often in a row.

    A healthy call writes nothing, and reads nothing while the cached state is fresh.

    Parameters
    ----------
    name : str
        The circuit's.
    circuits : Circuits
        Best through a client that gives up soon.
    cache_seconds : int
        How long the circuit's state is taken to be as it was read.
    failure_threshold : int
        Failures in a row, of this execution environment, that trip the circuit.
    counted : tuple of exception types
        What counts as a failure of the other side; anything else says nothing about it.
    unreadable : callable
        Told when the state cannot be read, so that the call is made: a guard must not be the outage that it is to
        prevent.
    would_open : callable
        Told when a circuit that only measures would have been tripped.
    now : callable
        Gives the time, in UTC.
    """

    def __init__(
        self,
        name: str,
        circuits: Circuits,
        *,
        cache_seconds: int = 5,
        failure_threshold: int = 5,
        counted: tuple[type[Exception], ...],
        unreadable: Callable[[], object],
        would_open: Callable[[], object] = lambda: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._name = name
        self._now = now
        self._store = _Store(circuits, unreadable, would_open, now)
        config = CircuitBreakerConfig(
            failure_threshold=failure_threshold,
            recovery_timeout=_NEVER_SECONDS,
            handled_exceptions=counted,
            local_cache_max_age=cache_seconds,
        )
        self._guarded = circuit_breaker(name=name, persistence_store=self._store, config=config)(_made)

    def call(
        self, function: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Result:
        """Make a call, and give its result.

        Raises
        ------
        CircuitOpenError
            If the circuit is open: the call was not made.
        Exception
            What the call raised.
        """
        try:
            return cast("Result", self._guarded(lambda: function(*args, **kwargs)))
        except CircuitBreakerOpenError as error:
            circuit = self._store.last_read(self._name)
            outage_id = circuit.outage.id if circuit.outage else None
            raise CircuitOpenError(self._name, outage_id, circuit.retry_after(self._now())) from error


def _made(call: Callable[[], Any]) -> Any:
    return call()


class _Store(CircuitBreakerPersistenceLayer):
    """Circuits as Powertools wants to see them.

    Powertools knows no item that others write, too: all that it writes goes through `save_open`, and its hooks for
    writing are never reached, as no caller is ever chosen to try whether the other side is healthy again.
    """

    def __init__(
        self,
        circuits: Circuits,
        unreadable: Callable[[], object],
        would_open: Callable[[], object],
        now: Callable[[], datetime],
    ) -> None:
        super().__init__()
        self._circuits = circuits
        self._unreadable = unreadable
        self._would_open = would_open
        self._now = now
        self._read: dict[str, Circuit] = {}

    def last_read(self, name: str) -> Circuit:
        """Give a circuit as it was last read."""
        return self._read.get(name) or Circuit(name)

    def save_open(self, name: str, failure_count: int, opened_at: int) -> None:  # noqa: ARG002
        """Trip a circuit, unless it is open by now or may not be moved, and go on with it as it stands."""
        now = self._now()

        def trip(circuit: Circuit) -> Circuit | None:
            self._read[name] = circuit
            return circuit.trip(now, BREAKER, f"{failure_count} calls in a row failed.", failure_count)

        tripped = change(self._circuits, name, trip)
        if tripped is None and self._read[name].would_trip(now):
            self._would_open()
        self._read[name] = tripped or self._read[name]
        self._save_to_cache(_record(self._read[name]))

    def try_acquire_half_open(self, name: str, owner: str, opened_at: int) -> bool:  # noqa: ARG002
        """Choose no caller to try: probes decide, however long ago the circuit opened."""
        return False

    def _get_record(self, name: str) -> CircuitStateRecord | None:
        try:
            self._read[name] = self._circuits.glance(name)
        except UnavailableError:
            self._unreadable()
            # As if it were closed, and that is cached: a table that does not answer is not waited for in each call.
            return None
        return _record(self._read[name])

    def _put_record(
        self, record: CircuitStateRecord, condition: str | None = None, expected_opened_at: int | None = None
    ) -> None:
        """Write nothing: `save_open` and `try_acquire_half_open`, which would call it, do not."""

    def _update_record(self, record: CircuitStateRecord) -> None:
        """Write nothing: only who tried whether the other side is healthy again would call it."""


def _record(circuit: Circuit) -> CircuitStateRecord:
    """Give a circuit as Powertools wants to see it: one that is half open is as good as open to callers."""
    is_closed = circuit.state is State.CLOSED
    opened_at = None if circuit.changed_at is None else int(circuit.changed_at.timestamp())
    return CircuitStateRecord(
        name=circuit.name,
        state=CircuitState.CLOSED if is_closed else CircuitState.OPEN,
        failure_count=circuit.failures,
        opened_at=None if is_closed else opened_at,
    )
