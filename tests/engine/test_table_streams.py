"""What becomes of a batch off a table's stream that a function fails."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.engine.workbench import Workbench

REPORTING = """
import json, os, boto3
sqs = boto3.client("sqs")
def handler(event, context):
    names = [record["dynamodb"]["Keys"]["Name"]["S"] for record in event["Records"]]
    sqs.send_message(QueueUrl=os.environ["REPORTS"], MessageBody=json.dumps(names))
    failed = [
        record["dynamodb"]["SequenceNumber"]
        for record, name in zip(event["Records"], names) if name.startswith("bad")
    ]
    if failed and os.environ["ANSWER"] == "raise":
        raise ValueError(names)
    if failed and os.environ["ANSWER"] == "foreign":
        failed = ["of another batch"]
    return {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}
"""

MOST_BATCHES = 20
"""More than any test here expects: a stream that goes on for ever is seen."""


class Stream:
    """A table whose changes a function gets; it fails those whose name starts with `bad`."""

    def __init__(self, workbench: Workbench, answer: str, *, reports_failures: bool, **mapping: Any) -> None:
        self._workbench = workbench
        self._reports, _arn = workbench.queue()
        function = workbench.function(
            REPORTING, Environment={"Variables": {"REPORTS": self._reports, "ANSWER": answer}}
        )
        self._bucket = workbench.name("failures")
        workbench.client("s3").create_bucket(Bucket=self._bucket)
        self._table = workbench.name("table")
        description = workbench.client("dynamodb").create_table(
            TableName=self._table,
            AttributeDefinitions=[{"AttributeName": "Name", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "Name", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )["TableDescription"]
        self._mapping = {
            "EventSourceArn": description["LatestStreamArn"],
            "FunctionName": function,
            "StartingPosition": "TRIM_HORIZON",
            "DestinationConfig": {"OnFailure": {"Destination": f"arn:aws:s3:::{self._bucket}"}},
            "FunctionResponseTypes": ["ReportBatchItemFailures"] if reports_failures else [],
            **mapping,
        }

    def write(self, *names: str) -> None:
        """Write a row per name."""
        for name in names:
            self._workbench.client("dynamodb").put_item(TableName=self._table, Item={"Name": {"S": name}})

    def start(self) -> None:
        """Let the function have the changes."""
        self._workbench.client("lambda").create_event_source_mapping(**self._mapping)

    def batches(self, count: int) -> list[list[str]]:
        """Return the names in the next batches the function was given."""
        return [json.loads(report["Body"]) for report in self._workbench.messages(self._reports, count)]

    def until(self, name: str) -> list[list[str]]:
        """Return the names in the batches up to the one that brings a name."""
        batches: list[list[str]] = []
        while not batches or name not in batches[-1]:
            batches += self.batches(1)
            assert len(batches) < MOST_BATCHES, batches
        return batches

    def discarded(self, count: int) -> dict[str, Any]:
        """Wait for objects in the bucket of what failed, and return them by key."""
        s3 = self._workbench.client("s3")

        def found() -> dict[str, Any] | None:
            keys = [each["Key"] for each in s3.list_objects_v2(Bucket=self._bucket).get("Contents", [])]
            return {key: json.load(s3.get_object(Bucket=self._bucket, Key=key)["Body"]) for key in keys} or None

        objects = self._workbench.wait_for(found)
        assert len(objects) == count
        return objects


def names_in(stored: dict[str, Any]) -> list[str]:
    """Return the names of the changes in what is stored of a failed batch."""
    return [record["dynamodb"]["Keys"]["Name"]["S"] for record in json.loads(stored["payload"])["Records"]]


def test_a_batch_that_failed_too_often_goes_to_the_bucket_and_the_stream_goes_on(workbench: Workbench) -> None:
    """As a whole, under a key that names mapping, shard and day."""
    stream = Stream(workbench, "raise", reports_failures=False, BatchSize=2, MaximumRetryAttempts=1)
    stream.write("bad 1", "good 2", "good 3")
    stream.start()
    assert stream.until("good 3") == [["bad 1", "good 2"], ["bad 1", "good 2"], ["good 3"]]
    [(key, stored)] = stream.discarded(1).items()
    assert key.startswith("aws/lambda/")
    assert names_in(stored) == ["bad 1", "good 2"]
    assert stored["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert stored["DDBStreamBatchInfo"]["batchSize"] == 2


def test_a_batch_that_is_cut_in_two_loses_only_what_is_bad(workbench: Workbench) -> None:
    """Cutting costs no attempt."""
    stream = Stream(
        workbench,
        "raise",
        reports_failures=False,
        BatchSize=8,
        MaximumRetryAttempts=0,
        BisectBatchOnFunctionError=True,
    )
    stream.write("good 1", "good 2", "bad 3", "good 4", "good 5")
    stream.start()
    [stored] = stream.discarded(1).values()
    assert names_in(stored) == ["bad 3"]
    # Cut: five, two (good), three, one (bad), two.
    batches = stream.batches(5)
    taken = [name for batch in batches if "bad 3" not in batch for name in batch]
    assert taken == ["good 1", "good 2", "good 4", "good 5"]


def test_after_a_partial_failure_the_stream_is_read_again_from_there(workbench: Workbench) -> None:
    """What stands before the first failure is not given again."""
    stream = Stream(workbench, "report", reports_failures=True, BatchSize=4, MaximumRetryAttempts=0)
    stream.write("good 1", "bad 2", "good 3", "bad 4")
    stream.start()
    assert stream.batches(2) == [["good 1", "bad 2", "good 3", "bad 4"], ["bad 2", "good 3", "bad 4"]]
    [stored] = stream.discarded(1).values()
    assert names_in(stored) == ["bad 2", "good 3", "bad 4"]


@pytest.mark.parametrize("reports_failures", [True, False])
def test_a_failure_that_names_no_change_fails_the_batch_where_failures_are_reported(
    workbench: Workbench, reports_failures: bool
) -> None:
    """Elsewhere the answer means nothing."""
    stream = Stream(workbench, "foreign", reports_failures=reports_failures, BatchSize=1, MaximumRetryAttempts=1)
    stream.write("bad 1", "good 2")
    stream.start()
    again = [["bad 1"]] if reports_failures else []
    assert stream.until("good 2") == [["bad 1"], *again, ["good 2"]]
