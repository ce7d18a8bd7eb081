"""The metric that says how many messages wait in a queue, and the alarms on it.

The engine publishes no metrics of queues, so that no alarm on one ever changes its state. On AWS each queue in use has
`ApproximateNumberOfMessagesVisible` every minute ("Available CloudWatch metrics for Amazon SQS", SQS developer guide).

Here it is measured, and the alarms on it are evaluated, whenever somebody asks for alarms, and only of the queues that
an alarm names; until then no alarm acts. Other metrics of queues are still missing.

Not needed once the engine publishes the metric, and evaluates alarms by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.services import cloudwatch, sqs

from local.engine.replacement import engine_attribute, replace

__all__ = ["apply"]

NAMESPACE = "AWS/SQS"
METRIC = "ApproximateNumberOfMessagesVisible"

Alarm = dict[str, Any]


def apply() -> None:
    """Measure queues, and evaluate the alarms on them, before alarms are described."""
    alarms = engine_attribute(cloudwatch, "_alarms")
    read_dimensions = engine_attribute(cloudwatch, "_dims_from_list")
    record = engine_attribute(cloudwatch, "record_metric")
    evaluate = engine_attribute(cloudwatch, "_evaluate_alarm")
    lock = engine_attribute(sqs, "_queues_lock")
    queues = engine_attribute(sqs, "_queues")
    urls = engine_attribute(sqs, "_queue_name_to_url")
    refresh = engine_attribute(sqs, "_refresh_counts")

    def waiting(queue_name: str) -> int | None:
        with lock:
            queue = queues.get(urls.get(queue_name))
            if queue is None:
                return None
            refresh(queue)
            return int(queue["attributes"]["ApproximateNumberOfMessages"])

    def measure() -> None:
        concerned: list[Alarm] = [
            alarm
            for alarm in alarms.values()
            if (alarm.get("Namespace"), alarm.get("MetricName")) == (NAMESPACE, METRIC)
        ]
        for name in {read_dimensions(alarm.get("Dimensions") or []).get("QueueName") for alarm in concerned} - {None}:
            count = waiting(name)
            if count is not None:
                record(NAMESPACE, METRIC, count, "Count", {"QueueName": name})
        for alarm in concerned:
            evaluate(alarm)

    def build(describe: Callable[..., Any]) -> Callable[..., Any]:
        def measure_and_describe(*request: Any, **named: Any) -> Any:
            measure()
            return describe(*request, **named)

        return measure_and_describe

    for name in ("_describe_alarms", "_describe_alarms_for_metric", "_describe_alarm_history"):
        replace(cloudwatch, name, build)
