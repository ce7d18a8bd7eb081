"""What the functions that pay are made of: the settings of their template, and the adapters."""

from collections.abc import Mapping
from typing import Final

import urllib3
from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit

from eventfork.adapters.circuit_breaker import Guard
from eventfork.adapters.circuit_table import CircuitTable
from eventfork.adapters.health import is_reachable
from eventfork.adapters.metrics import CALLS, FAILURES, SLOW_CALLS
from eventfork.adapters.payment_provider import Access, PaymentProvider
from eventfork.circuit_manager import CIRCUIT_WOULD_OPEN
from eventfork.payments import ProviderUnavailableError, Tally
from eventfork.settings import client, quick_client, setting

__all__ = ["CIRCUIT_STATE_UNREADABLE", "OF_CALLS", "OF_CIRCUIT", "flushed", "guard", "provider"]

CIRCUIT_STATE_UNREADABLE: Final = "CircuitStateUnreadable"
"""The metric of how often a call was made without knowing whether the circuit lets it."""
OF_CALLS: Final = {CALLS: "calls", FAILURES: "failures", SLOW_CALLS: "slow_calls"}
"""Metrics by which the manager of circuits trips one, and the numbers of a tally that they are."""
OF_CIRCUIT: Final = {CIRCUIT_STATE_UNREADABLE: "unreadable", CIRCUIT_WOULD_OPEN: "would_open"}
"""Metrics of a circuit's own, likewise."""


def provider() -> PaymentProvider:
    """Give the payment provider."""
    return PaymentProvider(
        Access(
            client("ssm"),
            setting("ENDPOINT_PARAMETER"),
            client("secretsmanager"),
            setting("CREDENTIAL_SECRET_ARN"),
        ),
        is_reachable,
        urllib3.PoolManager(),
        connect_seconds=float(setting("CONNECT_TIMEOUT_SECONDS")),
        read_seconds=float(setting("READ_TIMEOUT_SECONDS")),
    )


def guard(tally: Tally) -> Guard:
    """Give what makes calls while the circuit lets them."""
    return Guard(
        setting("CIRCUIT_NAME"),
        CircuitTable(quick_client("dynamodb"), setting("CIRCUIT_TABLE")),
        cache_seconds=int(setting("STATE_CACHE_SECONDS")),
        failure_threshold=int(setting("FAILURE_THRESHOLD")),
        counted=(ProviderUnavailableError,),
        unreadable=lambda: tally.count("unreadable"),
        would_open=lambda: tally.count("would_open"),
    )


def flushed(metrics: Metrics, tally: Tally, named: Mapping[str, str]) -> dict[str, int]:
    """Take a tally, write those metrics of it into the log, once for all that happened, and give its numbers."""
    numbers = tally.taken()
    metrics.add_dimensions(circuit=setting("CIRCUIT_NAME"))
    for name, number in named.items():
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=numbers[number])
    metrics.flush_metrics()
    return numbers
