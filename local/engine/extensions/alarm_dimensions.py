"""Dimensions of alarms.

The engine evaluates an alarm on all metrics of its namespace and name together. On AWS a metric is identified by its
dimensions too, and an alarm looks at the one that has just the alarm's ("Metrics concepts", CloudWatch user guide).

Not needed once `cloudwatch._evaluate_alarm` compares dimensions. What else it lacks stays so: all evaluation periods
count as one, and missing data leave the state as it is.
"""

from __future__ import annotations

from types import FunctionType
from typing import Any

from ministack.services import cloudwatch

from local.engine.replacement import engine_attribute, replace

__all__ = ["apply"]

Alarm = dict[str, Any]


def apply() -> None:
    """Show the evaluation of an alarm no metrics but those with the alarm's dimensions."""
    metrics = engine_attribute(cloudwatch, "_metrics")
    read_dimensions = engine_attribute(cloudwatch, "_dims_from_list")
    key_of = engine_attribute(cloudwatch, "_dims_key")

    def build(evaluate: FunctionType) -> Any:
        def evaluate_own(alarm: Alarm) -> None:
            wanted = key_of(read_dimensions(alarm.get("Dimensions") or []))
            own = {key: points for key, points in metrics.items() if key[2] == wanted}
            # The engine's own evaluation, which finds the metrics in a global variable.
            FunctionType(evaluate.__code__, {**vars(cloudwatch), "_metrics": own})(alarm)

        return evaluate_own

    replace(cloudwatch, "_evaluate_alarm", build)
