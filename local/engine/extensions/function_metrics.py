"""Metrics that functions write into their logs.

The engine keeps a function's log lines as text. On AWS CloudWatch makes metrics of those in the embedded metric format,
under the time that stands in the line ("Specification: Embedded metric format", CloudWatch user guide); one that breaks
the format stays a log line.

The engine also drops old points of a metric by putting a new list in the place of the one that others are adding to, so
that what is added meanwhile is lost; AWS loses none.

Not needed once `lambda_svc._emit_lambda_logs` records such metrics, and `cloudwatch._evict_old_metrics` leaves lists in
place. Alarms do not look at these metrics when they come, but when the next one is put by PutMetricData.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Lock
from typing import Any

from ministack.services import cloudwatch, lambda_svc

from local.engine.replacement import engine_attribute, replace

__all__ = ["apply"]

MARK = '"CloudWatchMetrics"'


@dataclass(frozen=True, slots=True)
class _Metric:
    namespace: str
    name: str
    dimensions: dict[str, str]
    seconds: float
    unit: str
    values: list[float]


def apply() -> None:
    """Record the metrics in a function's log before it is kept, and let nobody drop old ones meanwhile."""
    store = engine_attribute(cloudwatch, "_store_datum")
    recording = Lock()

    def build(emit: Callable[..., None]) -> Callable[..., None]:
        def record_and_emit(
            function: dict[str, Any], request_id: str, log_text: str, *others: Any, **named: Any
        ) -> None:
            for metric in _logged(log_text or ""):
                with recording:
                    store(
                        metric.namespace,
                        metric.name,
                        metric.dimensions,
                        metric.seconds,
                        metric.unit,
                        None,
                        metric.values,
                        None,
                        None,
                    )
            emit(function, request_id, log_text, *others, **named)

        return record_and_emit

    def build_eviction(evict: Callable[[], None]) -> Callable[[], None]:
        def evict_alone() -> None:
            with recording:
                evict()

        return evict_alone

    replace(lambda_svc, "_emit_lambda_logs", build)
    replace(cloudwatch, "_evict_old_metrics", build_eviction)


def _logged(text: str) -> Iterator[_Metric]:
    for line in text.split("\n"):
        # Most lines are none: only what could be one is read.
        if MARK in line:
            try:
                metrics = list(_metrics(json.loads(line)))
            except (AttributeError, KeyError, TypeError, ValueError):
                continue
            yield from metrics


def _metrics(document: dict[str, Any]) -> Iterator[_Metric]:
    described = document["_aws"]
    for directive in described["CloudWatchMetrics"]:
        for names in directive.get("Dimensions") or [[]]:
            for metric in directive["Metrics"]:
                found = document[metric["Name"]]
                yield _Metric(
                    namespace=directive["Namespace"],
                    name=metric["Name"],
                    dimensions={name: str(document[name]) for name in names},
                    seconds=described["Timestamp"] / 1000,
                    unit=metric.get("Unit", "None"),
                    values=[float(value) for value in (found if isinstance(found, list) else [found])],
                )
