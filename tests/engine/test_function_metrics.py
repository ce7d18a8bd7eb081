"""What functions count in their logs becomes metrics."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.engine.workbench import Workbench

COUNTING = """
import json
def handler(event, context):
    for line in event["lines"]:
        print(line if isinstance(line, str) else json.dumps(line))
"""

MINUTE = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=10)
"""Of late: metrics are kept for two weeks."""


def counted(name: str, value: object, *, at: datetime = MINUTE, **dimensions: str) -> dict[str, Any]:
    """Give a line in the embedded metric format, of a metric with these dimensions."""
    directive = {
        "Namespace": "eventfork",
        "Dimensions": [list(dimensions)],
        "Metrics": [{"Name": name, "Unit": "Count"}],
    }
    described = {"Timestamp": round(at.timestamp() * 1000), "CloudWatchMetrics": [directive]}
    return {"_aws": described, name: value, **dimensions}


def log(workbench: Workbench, *invocations: list[Any]) -> None:
    function = workbench.function(COUNTING)
    for lines in invocations:
        answer = workbench.client("lambda").invoke(FunctionName=function, Payload=json.dumps({"lines": lines}))
        assert "FunctionError" not in answer


def sums(workbench: Workbench, name: str, **dimensions: str) -> dict[datetime, float]:
    """Give the sum of a metric in each minute of the quarter of an hour around that one."""
    metric = {
        "Namespace": "eventfork",
        "MetricName": name,
        "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
    }
    answer = workbench.client("cloudwatch").get_metric_data(
        MetricDataQueries=[{"Id": "sum", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}],
        StartTime=MINUTE - timedelta(minutes=7),
        EndTime=MINUTE + timedelta(minutes=8),
    )
    [result] = answer["MetricDataResults"]
    return dict(zip(result["Timestamps"], result["Values"], strict=True))


def test_what_a_function_counts_in_its_log_is_summed_by_the_minute(workbench: Workbench) -> None:
    """Over all its invocations, several values in a line too, each in the minute that its line names."""
    name = workbench.name("Calls")
    later = MINUTE + timedelta(minutes=2, seconds=59)
    log(
        workbench,
        [counted(name, 3, circuit="payments"), counted(name, [1, 2.5], circuit="payments")],
        [counted(name, 4, circuit="payments"), counted(name, 7, at=later, circuit="payments")],
    )
    assert sums(workbench, name, circuit="payments") == {MINUTE: 10.5, MINUTE + timedelta(minutes=2): 7.0}


def test_each_set_of_dimensions_is_a_metric_of_its_own(workbench: Workbench) -> None:
    """A line may name several sets, and then counts in each."""
    name = workbench.name("Calls")
    both = counted(name, 5, circuit="payments", service="checkout")
    both["_aws"]["CloudWatchMetrics"][0]["Dimensions"] = [["circuit"], ["service", "circuit"]]
    log(workbench, [both, counted(name, 2, circuit="stock"), counted(name, 1, circuit="payments")])
    assert sums(workbench, name, circuit="payments") == {MINUTE: 6.0}
    assert sums(workbench, name, circuit="stock") == {MINUTE: 2.0}
    assert sums(workbench, name, circuit="payments", service="checkout") == {MINUTE: 5.0}


def test_a_line_that_breaks_the_format_is_a_log_line_and_no_metric(workbench: Workbench) -> None:
    """Whole or not at all, and the lines around it count."""
    name = workbench.name("Calls")
    without_value = counted(name, 1, circuit="payments")
    del without_value[name]
    half = counted(name, [1, "many"], circuit="payments")
    broken = [
        without_value,
        half,
        counted(name, "many", circuit="payments"),
        '{"_aws": {"CloudWatchMetrics": [',
        '["CloudWatchMetrics"]',
        'no JSON, though it says "CloudWatchMetrics"',
        {"_aws": {"CloudWatchMetrics": 1}},
    ]
    log(workbench, [counted(name, 1, circuit="payments"), *broken, counted(name, 1, circuit="payments")])
    assert sums(workbench, name, circuit="payments") == {MINUTE: 2.0}
