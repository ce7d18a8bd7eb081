"""Calls are summed by circuit over whole minutes; what CloudWatch does not tell is not taken for nothing."""

from datetime import UTC, datetime, timedelta

import pytest
from botocore.stub import Stubber
from eventfork.adapters.metrics import CallMetrics
from eventfork.circuit_manager import Sums
from eventfork.errors import UnavailableError

from tests.unit.aws import Aws, unreachable

START = datetime(2026, 11, 20, 8, 15, tzinfo=UTC)
END = START + timedelta(minutes=3)


def count(aws: Aws, name: str, at: datetime, *values: float, circuit: str = "payments", **dimensions: str) -> None:
    """Count calls as a caller does, each invocation for itself."""
    aws.client("cloudwatch").put_metric_data(
        Namespace="eventfork",
        MetricData=[
            {
                "MetricName": name,
                "Timestamp": at,
                "Value": value,
                "Dimensions": [
                    {"Name": key, "Value": text} for key, text in {"circuit": circuit, **dimensions}.items()
                ],
            }
            for value in values
        ],
    )


def test_calls_failures_and_slow_calls_are_summed_over_the_window(aws: Aws) -> None:
    """The minute it begins in counts, and the one it ends before does not."""
    count(aws, "ProviderCalls", START - timedelta(seconds=30), 100)
    count(aws, "ProviderCalls", START, 5, 3)
    count(aws, "ProviderCalls", START + timedelta(minutes=2, seconds=20), 4)
    count(aws, "ProviderCalls", END, 100)
    count(aws, "ProviderFailures", START + timedelta(minutes=1), 2, 4)
    count(aws, "ProviderSlowCalls", START + timedelta(minutes=1), 1)
    sums = CallMetrics(aws.client("cloudwatch"), "eventfork").sums("payments", START, END)
    assert sums == Sums(calls=12, failures=6, slow=1)


def test_where_nothing_was_counted_there_were_no_calls(aws: Aws) -> None:
    """Nobody called, or it takes a minute to be seen."""
    assert CallMetrics(aws.client("cloudwatch"), "eventfork").sums("payments", START, END) == Sums(0, 0, 0)


def test_another_circuits_calls_are_not_this_ones(aws: Aws) -> None:
    """Nor what is counted under other dimensions, which is the same calls once more."""
    count(aws, "ProviderCalls", START, 7, circuit="fraud")
    count(aws, "ProviderCalls", START, 7, service="eventfork-payments")
    assert CallMetrics(aws.client("cloudwatch"), "other").sums("payments", START, END) == Sums(0, 0, 0)
    metrics = CallMetrics(aws.client("cloudwatch"), "eventfork")
    assert metrics.sums("fraud", START, END) == Sums(7, 0, 0)


def test_a_sum_that_comes_in_parts_is_added_up(aws: Aws) -> None:
    """A page ends where CloudWatch wants."""
    client = aws.client("cloudwatch")
    ids = ("providerCalls", "providerFailures", "providerSlowCalls")
    with Stubber(client) as stub:
        for token, status, values in (("more", "PartialData", [1.0, 2.0]), (None, "Complete", [4.0])):
            results = [
                {"Id": one, "Label": one, "Timestamps": [], "Values": values, "StatusCode": status} for one in ids
            ]
            stub.add_response(
                "get_metric_data", {"MetricDataResults": results, **({"NextToken": token} if token else {})}
            )
        assert CallMetrics(client, "eventfork").sums("payments", START, END) == Sums(7, 7, 7)


def test_sums_that_are_not_told_are_unavailable(aws: Aws) -> None:
    """They must not be taken for a circuit without calls."""
    client = aws.client("cloudwatch")
    metrics = CallMetrics(client, "eventfork")
    with Stubber(client) as stub:
        stub.add_client_error("get_metric_data", "Throttling", http_status_code=400)
        with pytest.raises(UnavailableError, match="payments"):
            metrics.sums("payments", START, END)
        result = {"Id": "providerCalls", "Label": "", "Timestamps": [], "Values": [], "StatusCode": "InternalError"}
        stub.add_response("get_metric_data", {"MetricDataResults": [result]})
        with pytest.raises(UnavailableError, match="payments"):
            metrics.sums("payments", START, END)
    with unreachable(client), pytest.raises(UnavailableError):
        metrics.sums("payments", START, END)
