"""CircuitManagerFunction: watches circuits by the clock, probes those that are open, and tells of their changes."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from eventfork import forwarding
from eventfork.adapters.table_streams import changes
from eventfork.circuit_manager import OLDEST_HELD_SECONDS, CircuitManager
from eventfork.circuit_wiring import manager

logger = Logger()
metrics = Metrics()


@cache
def _manager() -> CircuitManager:
    return manager(_measure, logger)


def _measure(circuit: str, measures: Mapping[str, int]) -> None:
    # Under each dimension for itself: an alarm is on all circuits, a graph on one.
    metrics.add_dimensions(circuit=circuit)
    for name, value in measures.items():
        unit = MetricUnit.Seconds if name == OLDEST_HELD_SECONDS else MetricUnit.Count
        metrics.add_metric(name=name, unit=unit, value=value)
    metrics.flush_metrics()


@logger.inject_lambda_context(log_event=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any] | None:
    """Do what is due by the clock, make the probes that messages ask for, or tell of what a table's stream reports."""
    if event.get("tick"):
        _manager().tick_all()
        return None
    if event["Records"][0]["eventSource"] == "aws:sqs":
        outcome = _manager().probe_all(forwarding.messages(event))
    else:
        outcome = _manager().announce(changes(event))
    logger.info("circuits looked after", received=outcome.received, failed=len(outcome.failed))
    return forwarding.partial_failure(outcome)
