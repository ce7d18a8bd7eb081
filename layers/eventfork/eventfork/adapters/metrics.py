"""Amazon CloudWatch: how calls through circuits went, as their callers count them."""

from datetime import datetime
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from eventfork.circuit_manager import Sums
from eventfork.errors import UnavailableError

__all__ = ["CALLS", "FAILURES", "SLOW_CALLS", "CallMetrics"]

CALLS: Final = "ProviderCalls"
FAILURES: Final = "ProviderFailures"
SLOW_CALLS: Final = "ProviderSlowCalls"
_DIMENSION: Final = "circuit"
_PERIOD_SECONDS: Final = 60
"""What CloudWatch keeps of a metric of standard resolution."""


class CallMetrics:
    """The metrics of calls, one dimension each: the circuit.

    Parameters
    ----------
    client : botocore client of CloudWatch
    namespace : str
    """

    def __init__(self, client: Any, namespace: str) -> None:
        self._client = client
        self._namespace = namespace

    def sums(self, circuit: str, start: datetime, end: datetime) -> Sums:
        """Give how many calls there were from whole minute to whole minute, how many failed, and how many were slow.

        Raises
        ------
        UnavailableError
            If CloudWatch did not tell.
        """
        queries = [self._query(name, circuit) for name in (CALLS, FAILURES, SLOW_CALLS)]
        pages = self._client.get_paginator("get_metric_data").paginate(
            MetricDataQueries=queries, StartTime=start, EndTime=end
        )
        found = dict.fromkeys((CALLS, FAILURES, SLOW_CALLS), 0.0)
        try:
            for page in pages:
                for result in page["MetricDataResults"]:
                    if result["StatusCode"] not in {"Complete", "PartialData"}:
                        raise UnavailableError(f"CloudWatch did not sum the calls of the circuit {circuit}")
                    found[_metric(result["Id"])] += sum(result["Values"])
        except (ClientError, BotoCoreError) as error:
            raise UnavailableError(f"CloudWatch did not sum the calls of the circuit {circuit}") from error
        return Sums(calls=round(found[CALLS]), failures=round(found[FAILURES]), slow=round(found[SLOW_CALLS]))

    def _query(self, name: str, circuit: str) -> dict[str, Any]:
        return {
            "Id": _id(name),
            "MetricStat": {
                "Metric": {
                    "Namespace": self._namespace,
                    "MetricName": name,
                    "Dimensions": [{"Name": _DIMENSION, "Value": circuit}],
                },
                "Period": _PERIOD_SECONDS,
                "Stat": "Sum",
            },
        }


def _id(name: str) -> str:
    """Give the id of a query, which begins in lower case."""
    return name[0].lower() + name[1:]


def _metric(query_id: str) -> str:
    return query_id[0].upper() + query_id[1:]
