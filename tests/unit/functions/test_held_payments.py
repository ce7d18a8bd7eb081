"""HeldPaymentsFunction: the circuits' table says how many payments are deferred, and since when."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from eventfork import payments
from eventfork.adapters.circuit_table import CircuitTable
from eventfork.adapters.payments_table import PaymentsTable
from eventfork.circuits import Held
from eventfork.errors import UnavailableError
from eventfork.payments import Captured, Deferred, Result

from tests.unit.aws import Aws, unreachable
from tests.unit.bus import table
from tests.unit.functions.conftest import Handler, Load, sample
from tests.unit.payments import payment, payments_table

NOW = datetime(2026, 11, 20, 8, 15, 46, 204000, tzinfo=UTC)
HELD = Deferred(503, "payments", "payments-20261120T081201Z-7")


def function(aws: Aws, load: Load) -> Handler:
    return load(
        "held_payments",
        TABLE_NAME=payments_table(aws),
        INDEX_NAME="HeldIndex",
        CIRCUIT_TABLE=table(aws, "applications/circuit-breaker/template.yaml", "CircuitTable"),
        CIRCUIT_NAME="payments",
    )


def keep(aws: Aws, order_id: str, result: Result, minute: int = 0) -> None:
    row = payments.row(payment(orderId=order_id), result, NOW + timedelta(minutes=minute))
    assert PaymentsTable(aws.client("dynamodb"), "PaymentsTable").write(row)


def held(aws: Aws) -> Held:
    found = CircuitTable(aws.client("dynamodb"), "CircuitTable").held("payments")
    assert found is not None
    return found


def test_what_is_held_is_counted_beside_the_circuit(aws: Aws, load: Load, logs: Callable[[], str]) -> None:
    """With the oldest of it; what was paid meanwhile counts no more."""
    handler = function(aws, load)
    logs()
    for number in range(3):
        keep(aws, str(number), HELD, minute=number)
    keep(aws, "0", Captured("ch_1"))
    begun = datetime.now(UTC)
    handler(sample("held-payments"))
    found = held(aws)
    assert (found.count, found.oldest) == (2, NOW + timedelta(minutes=1))
    assert begun - timedelta(seconds=1) <= found.checked_at <= datetime.now(UTC)
    assert '"held":2' in logs()


def test_that_nothing_is_held_is_kept_too(aws: Aws, load: Load) -> None:
    """It is how an outage ends."""
    handler = function(aws, load)
    keep(aws, "1", HELD)
    handler(sample("held-payments"))
    assert held(aws).count == 1
    keep(aws, "1", Captured("ch_1"))
    handler(sample("held-payments"))
    assert (held(aws).count, held(aws).oldest) == (0, None)


def test_a_table_that_cannot_be_reached_is_no_table_of_nothing(aws: Aws, load: Load) -> None:
    """The invocation fails, and what was counted before stays."""
    handler = function(aws, load)
    keep(aws, "1", HELD)
    handler(sample("held-payments"))
    before = held(aws)
    with unreachable(aws.client("dynamodb")), pytest.raises(UnavailableError):
        handler(sample("held-payments"))
    assert held(aws) == before
