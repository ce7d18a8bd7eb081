"""The deployed application, as its users and operators reach it."""

import gzip
import json
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urljoin

import urllib3

from local import deployment
from local.engine.process import Engine
from tests.integration.decisions import assert_nothing_denied

Value = TypeVar("Value")

DEADLINE_SECONDS = 180
"""Longer than anything takes: a machine may be starved of CPU for long, and a test must not fail for it."""
ANSWER_SECONDS = 120
_POLL_SECONDS = 0.2


def eventually(look: Callable[[], Value | None], what: str, deadline_seconds: float = DEADLINE_SECONDS) -> Value:
    """Give what `look` finds as soon as it finds something.

    Raises
    ------
    AssertionError
        If it has found nothing after so many seconds, or a function was denied something meanwhile.
    """
    deadline = time.monotonic() + deadline_seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        assert_nothing_denied()
        time.sleep(_POLL_SECONDS)
    raise AssertionError(f"not seen within {deadline_seconds} s: {what}")


class Answer(NamedTuple):
    """An answer of the API."""

    status: int
    headers: dict[str, str]
    body: Any


class Api:
    """The API, wherever it is served.

    Parameters
    ----------
    checkout_url : str
        Where orders are posted.
    """

    def __init__(self, checkout_url: str) -> None:
        self.checkout_url = checkout_url
        self._http = urllib3.PoolManager(maxsize=8, retries=False, timeout=ANSWER_SECONDS)

    def request(
        self,
        method: str,
        url: str,
        body: bytes | None = None,
        content_type: str | None = None,
        authorization: str | None = None,
    ) -> Answer:
        """Send a request, and read the answer as JSON where it says it is."""
        given = {"content-type": content_type, "authorization": authorization}
        headers = {name: value for name, value in given.items() if value}
        response = self._http.request(method, urljoin(self.checkout_url, url), body=body, headers=headers)
        names = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, names, json.loads(response.data) if "json" in names["content-type"] else None)

    def post(self, body: bytes, content_type: str = "application/json") -> Answer:
        """Post a body to the checkout API."""
        return self.request("POST", self.checkout_url, body, content_type)


class Application(Api):
    """The deployed application.

    Parameters
    ----------
    engine : Engine
    stack : str
    parameters : dict
        What it was deployed with.
    outputs : dict
        Outputs of the root stack.
    """

    def __init__(self, engine: Engine, stack: str, parameters: dict[str, str], outputs: dict[str, str]) -> None:
        super().__init__(f"{deployment.api_url(engine, outputs)}/checkout")
        self.engine = engine
        self.outputs = outputs
        self.stack = stack
        self._parameters = parameters

    def update(self, **parameters: str) -> dict[str, str]:
        """Deploy once more, with other values of these parameters; give the outputs."""
        return deployment.deploy(self.engine, self.stack, {**self._parameters, **parameters})

    def rows(self, customer_id: str) -> list[dict[str, Any]]:
        """Read the customer's rows of the orders table, in DynamoDB's typed form."""
        items: list[dict[str, Any]] = self.engine.client("dynamodb").query(
            TableName=self.outputs["CheckoutTableName"],
            KeyConditionExpression="CustomerId = :customer",
            ExpressionAttributeValues={":customer": {"S": customer_id}},
            ConsistentRead=True,
        )["Items"]
        return items

    def backup_objects(self) -> Iterator[tuple[str, bytes]]:
        """Read every object of the backup: its name, and what it holds once unpacked."""
        s3 = self.engine.client("s3")
        bucket = self.outputs["BackupBucketName"]
        # Results of queries lie in the bucket too.
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="events/"):
            for entry in page.get("Contents", []):
                yield (
                    entry["Key"],
                    gzip.decompress(s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()),
                )

    def backup_events(self) -> list[dict[str, Any]]:
        """Read every line of the backup."""
        return [json.loads(line) for _, content in self.backup_objects() for line in content.splitlines()]

    def table(self, output: str) -> list[dict[str, Any]]:
        """Read every row of the table behind an output, in DynamoDB's typed form."""
        pages = self.engine.client("dynamodb").get_paginator("scan").paginate(TableName=self.outputs[output])
        return [row for page in pages for row in page["Items"]]

    def bus_events(self) -> list[dict[str, Any]]:
        """Read every event of the bus's history, in the order in which they were put on the bus."""
        s3, bucket = self.engine.client("s3"), self.outputs["HistoryBucketName"]
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="bus/")
        entries = [entry for page in pages for entry in page.get("Contents", [])]
        # Their names give the time by the second, and an object takes at least one to fill: listed is in order.
        contents = [s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read() for entry in entries]
        return [json.loads(line) for content in contents for line in gzip.decompress(content).splitlines()]

    def put_event(self, source: str, detail_type: str, detail: dict[str, Any]) -> str:
        """Put an event on the bus as any publisher may, and give the id that EventBridge knows it by."""
        entry = {"Source": source, "DetailType": detail_type, "Detail": json.dumps(detail)}
        answer = self.engine.client("events").put_events(
            Entries=[{"EventBusName": self.outputs["EventBusName"], **entry}]
        )
        assert answer["FailedEntryCount"] == 0
        return str(answer["Entries"][0]["EventId"])

    def messages(self, output: str) -> list[dict[str, Any]]:
        """Look at every message that the queue behind an output holds, and give all of them back."""
        sqs, url = self.engine.client("sqs"), self.outputs[output]
        held: list[dict[str, Any]] = []
        while batch := sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], VisibilityTimeout=60
        ).get("Messages", []):
            held += batch
        for message in held:
            sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
        return held

    def logs(self) -> str:
        """Read everything that every function has logged."""
        logs = self.engine.client("logs")
        lines = []
        for page in logs.get_paginator("describe_log_groups").paginate():
            for group in page["logGroups"]:
                events = logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
                lines += [event["message"] for found in events for event in found["events"]]
        return "\n".join(lines)
