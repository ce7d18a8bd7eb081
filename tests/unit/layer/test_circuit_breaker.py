"""A guard keeps calls from being made while a circuit is open, trips it, and is never in the way of a healthy call."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import pytest
from aws_lambda_powertools.utilities.circuit_breaker import CircuitState
from aws_lambda_powertools.utilities.circuit_breaker.persistence.record import CircuitStateRecord
from eventfork.adapters.circuit_breaker import BREAKER, Guard
from eventfork.adapters.circuit_table import CircuitTable
from eventfork.circuits import Circuit, CircuitOpenError, Circuits, Mode, State, change
from eventfork.errors import UnavailableError

from tests.unit.aws import Aws, unreachable
from tests.unit.bus import table
from tests.unit.circuits import CircuitsInMemory, Process

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
TEMPLATE = "applications/circuit-breaker/template.yaml"
NAME = "payments"


class ProviderError(Exception):
    """What counts as a failure of the other side."""


class Environments:
    """A clock, and execution environments that go by it."""

    def __init__(self) -> None:
        self.now = NOON
        self.unreadable = 0
        self.would_open = 0

    def passes(self, **time: float) -> None:
        """Let time pass."""
        self.now += timedelta(**time)

    def environment(self, circuits: Circuits, failure_threshold: int = 5) -> "Environment":
        """Give an environment that has just started."""
        guard = Guard(
            NAME,
            circuits,
            cache_seconds=5,
            failure_threshold=failure_threshold,
            counted=(ProviderError,),
            unreadable=self._tell_unreadable,
            would_open=self._tell_would_open,
            now=lambda: self.now,
        )
        return Environment(guard, Process(lambda: self.now))

    def _tell_unreadable(self) -> None:
        self.unreadable += 1

    def _tell_would_open(self) -> None:
        self.would_open += 1


class Environment:
    """An execution environment with a guard."""

    def __init__(self, guard: Guard, process: Process) -> None:
        self._guard = guard
        self._process = process

    def call(self, function: Callable[..., Any] = lambda: "charged", *args: Any, **kwargs: Any) -> Any:
        """Make a call; it succeeds unless it is told otherwise."""
        with self._process.inside():
            return self._guard.call(function, *args, **kwargs)

    def fail(self, times: int = 1) -> None:
        """Make calls that fail, each of which is made."""
        for _ in range(times):
            with pytest.raises(ProviderError):
                self.call(fails)

    def is_refused(self) -> CircuitOpenError:
        """Make a call that is refused, and give what is raised."""
        with pytest.raises(CircuitOpenError) as error:
            self.call(never)
        return error.value


@pytest.fixture
def environments() -> Environments:
    """Give a clock, and environments that go by it."""
    return Environments()


def fails() -> NoReturn:
    raise ProviderError("the provider does not answer")


def never() -> NoReturn:
    raise AssertionError("a call was made though the circuit is open")


def forced(mode: Mode) -> Circuit:
    return Circuit(NAME).forced(mode, NOON, "ann", "maintenance", None)


def test_a_call_is_made_as_if_there_were_no_guard() -> None:
    """With its arguments, and its result."""
    guard = Guard(NAME, CircuitsInMemory(), counted=(ProviderError,), unreadable=lambda: None)
    assert guard.call(divmod, 7, 2) == (3, 1)
    assert guard.call(int, "11", base=2) == 3


def test_healthy_calls_write_nothing_and_read_once_in_a_while(environments: Environments) -> None:
    """At half the price, and only when what was read is no longer fresh."""
    circuits = CircuitsInMemory()
    environment = environments.environment(circuits)
    for _ in range(100):
        environment.call()
        environments.passes(milliseconds=49)
    assert (circuits.glances, circuits.reads, circuits.writes) == (1, 0, 0)
    for _ in range(100):
        environment.call()
        environments.passes(milliseconds=100)
    assert (circuits.glances, circuits.reads, circuits.writes) == (3, 0, 0)


def test_failures_in_a_row_trip_the_circuit(environments: Environments) -> None:
    """In one write that begins an outage; from then on no call is made, and whoever makes one learns why."""
    circuits = CircuitsInMemory()
    environment = environments.environment(circuits)
    environment.fail(5)
    refused = environment.is_refused()
    circuit = circuits.load(NAME)
    assert (circuit.state, circuit.changed_by, circuit.failures) == (State.OPEN, BREAKER, 5)
    assert circuit.reason == "5 calls in a row failed."
    assert circuit.outage is not None
    assert (refused.circuit, refused.outage_id, refused.retry_after) == (NAME, circuit.outage.id, 5)
    assert circuits.writes == 1


def test_a_call_that_succeeds_ends_the_row(environments: Environments) -> None:
    """One provider in two answers: that is no outage."""
    circuits = CircuitsInMemory()
    environment = environments.environment(circuits)
    for _ in range(5):
        environment.fail(4)
        environment.call()
    assert circuits.writes == 0


def test_what_says_nothing_of_the_other_side_is_not_counted(environments: Environments) -> None:
    """It is raised as it was."""
    circuits = CircuitsInMemory()
    environment = environments.environment(circuits)
    for _ in range(20):
        with pytest.raises(ZeroDivisionError):
            environment.call(divmod, 1, 0)
    assert circuits.writes == 0


def test_two_breakers_with_stale_caches_make_one_outage(environments: Environments) -> None:
    """The second finds the circuit open, moves nothing, and makes no call any more."""
    circuits = CircuitsInMemory()
    first, second = environments.environment(circuits), environments.environment(circuits)
    first.call()
    second.call()
    environments.passes(seconds=1)
    first.fail(5)
    opened = circuits.load(NAME)
    environments.passes(seconds=2)
    second.fail(5)
    assert circuits.load(NAME) == opened
    assert opened.outage is not None
    assert (opened.outage.started_at, opened.outage.cycles) == (NOON + timedelta(seconds=1), 1)
    assert second.is_refused().outage_id == first.is_refused().outage_id == opened.outage.id


def test_two_breakers_that_trip_at_the_same_moment_make_one_outage(environments: Environments) -> None:
    """One of them wrote while the other was about to."""
    circuits = CircuitsInMemory()
    first, second = environments.environment(circuits), environments.environment(circuits)
    first.fail(4)
    second.fail(4)
    circuits.meanwhile.append(second.fail)
    first.fail()
    assert len(circuits.stream) == 1
    assert first.is_refused().outage_id == second.is_refused().outage_id


def test_a_breaker_that_lags_far_behind_does_not_open_what_has_closed(environments: Environments) -> None:
    """Its failures from before count no more once it has seen the circuit open."""
    circuits = CircuitsInMemory()
    first, second = environments.environment(circuits), environments.environment(circuits)
    second.fail(4)
    first.fail(5)
    environments.passes(seconds=5)
    second.is_refused()
    for _ in range(3):
        change(circuits, NAME, lambda circuit: circuit.probed(healthy=True, now=environments.now))
    environments.passes(seconds=5)
    second.fail(4)
    second.call()
    assert circuits.load(NAME).state is State.CLOSED


def test_callers_call_again_when_probes_have_closed_the_circuit(environments: Environments) -> None:
    """Not while it is half open: that is left to probes."""
    circuits = CircuitsInMemory()
    environment = environments.environment(circuits)
    environment.fail(5)
    for state in (State.HALF_OPEN, State.HALF_OPEN, State.CLOSED):
        environments.passes(seconds=5)
        environment.is_refused()
        found = change(circuits, NAME, lambda circuit: circuit.probed(healthy=True, now=environments.now))
        assert found is not None
        assert found.state is state
    environments.passes(seconds=5)
    assert environment.call() == "charged"
    assert circuits.writes == 4


@pytest.mark.parametrize("days", [3, 3_700])
def test_a_circuit_left_open_without_traffic_is_still_open(environments: Environments, days: int) -> None:
    """No caller is let through to try, however long ago it opened, and nothing forgets it."""
    circuits = CircuitsInMemory()
    environments.environment(circuits).fail(5)
    opened = circuits.load(NAME)
    environments.passes(days=days)
    for _ in range(3):
        assert opened.outage is not None
        assert environments.environment(circuits).is_refused().outage_id == opened.outage.id
    assert circuits.load(NAME) == opened


def test_no_call_is_made_while_a_circuit_is_forced_open(environments: Environments) -> None:
    """However healthy the other side is."""
    circuits = CircuitsInMemory(forced(Mode.FORCED_OPEN))
    refused = environments.environment(circuits).is_refused()
    assert refused.outage_id == "payments-20261126T120000Z-1"
    assert refused.retry_after == 60


@pytest.mark.parametrize("mode", [Mode.FORCED_CLOSED, Mode.DISABLED, Mode.METRICS_ONLY])
def test_calls_are_made_whatever_comes_while_a_circuit_is_forced_closed(environments: Environments, mode: Mode) -> None:
    """Only the mode that measures tells what would have opened it."""
    circuits = CircuitsInMemory(forced(mode))
    environment = environments.environment(circuits)
    environment.fail(12)
    assert circuits.writes == 0
    assert circuits.load(NAME) == forced(mode)
    assert environments.would_open == (2 if mode is Mode.METRICS_ONLY else 0)


def test_what_is_forced_meanwhile_is_not_tripped(environments: Environments) -> None:
    """By a breaker that has cached what was before."""
    circuits = CircuitsInMemory()
    environment = environments.environment(circuits)
    environment.fail(4)
    circuits.save(forced(Mode.FORCED_CLOSED))
    environment.fail(20)
    assert circuits.load(NAME) == forced(Mode.FORCED_CLOSED)


def test_a_state_that_cannot_be_read_lets_calls_through(environments: Environments) -> None:
    """It is told, and not read again for each call: a table that does not answer costs seconds."""
    circuits = CircuitsInMemory(forced(Mode.FORCED_OPEN))
    environment = environments.environment(circuits)
    circuits.is_down = True
    assert [environment.call() for _ in range(10)] == ["charged"] * 10
    assert environments.unreadable == 1
    environments.passes(seconds=5)
    environment.call()
    assert environments.unreadable == 2
    circuits.is_down = False
    environments.passes(seconds=5)
    environment.is_refused()


def test_a_bug_in_reading_lets_calls_through_too(
    environments: Environments, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """But shows as one in the log."""
    circuits = CircuitsInMemory()
    monkeypatch.setattr(circuits, "glance", divmod)
    with caplog.at_level(logging.WARNING):
        assert environments.environment(circuits).call() == "charged"
    assert "TypeError" in caplog.text


def test_a_trip_that_cannot_be_written_hides_no_error(
    environments: Environments, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever called learns what the other side said; the circuit is tripped by the next row of failures."""
    circuits = CircuitsInMemory()
    environment = environments.environment(circuits)
    environment.fail(4)
    circuits.is_down = True
    with caplog.at_level(logging.WARNING):
        environment.fail()
    assert "save_open" in caplog.text
    circuits.is_down = False
    assert circuits.load(NAME).state is State.CLOSED
    environment.fail(5)
    assert circuits.load(NAME).state is State.OPEN


def test_one_failure_can_be_enough(environments: Environments) -> None:
    """The threshold is its user's."""
    circuits = CircuitsInMemory()
    environment = environments.environment(circuits, failure_threshold=1)
    environment.fail()
    assert environment.is_refused().retry_after == 5


def test_powertools_writes_nothing_itself(environments: Environments) -> None:
    """What it would write if it chose a caller to try whether the other side is healthy again."""
    circuits = CircuitsInMemory()
    environment = environments.environment(circuits)
    environment.fail(5)
    store = environment._guard._store
    opened = circuits.load(NAME)
    assert store.try_acquire_half_open(NAME, "owner", 0) is False
    store.save_closed(NAME)
    store.save_reopen(NAME, 0)
    store._put_record(CircuitStateRecord(NAME, CircuitState.CLOSED))
    assert circuits.load(NAME) == opened


def test_a_guard_works_on_the_table_of_circuits(aws: Aws, environments: Environments) -> None:
    """As its function makes it."""
    circuits = CircuitTable(aws.client("dynamodb"), table(aws, TEMPLATE, "CircuitTable"))
    environment = environments.environment(circuits)
    environment.call()
    environment.fail(5)
    circuit = circuits.load(NAME)
    assert circuit.outage is not None
    assert environment.is_refused().outage_id == circuit.outage.id
    environments.passes(seconds=5)
    with unreachable(aws.client("dynamodb")):
        assert environment.call() == "charged"
        with pytest.raises(UnavailableError):
            circuits.load(NAME)
    assert environments.unreadable == 1
