"""The operator's command in a simulated account: a stack with its outputs, a bucket, a stream, and a search domain."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import botocore.session
import pytest
from click.testing import CliRunner, Result
from eventfork.adapters import opensearch
from eventfork.kpis import KPIS
from eventfork.search_index import kpi_query
from eventfork.settings import client
from eventfork_cli.__main__ import command

from tests.unit.aws import ACCOUNT, REGION, Aws
from tests.unit.conftest import session_with_models

ENDPOINT = "https://search.example"
OUTPUTS = {
    "SearchEndpoint": ENDPOINT,
    "SearchIndexName": "orders",
    "SearchStreamName": "SearchStream",
    "SearchDeadLetterBucketName": "dead-letters",
}

Answer = tuple[int, Mapping[str, Any]]


def buckets(*entries: dict[str, Any]) -> dict[str, Any]:
    """Give a terms aggregation in which nothing is missing."""
    return {"doc_count_error_upper_bound": 0, "sum_other_doc_count": 0, "buckets": list(entries)}


AGGREGATIONS = {
    "average-delivery-time": {"orders": {"value": 3}, "seconds": {"value": 800_000.0}},
    "most-popular-products": {
        "items": {
            "products": buckets(
                {
                    "key": "3301",
                    "quantity": {"value": 1200.0},
                    "name": buckets({"key": "Espresso cups, set of 4, with saucers and spoons"}),
                },
                {"key": "1188", "quantity": {"value": 300.0}, "name": buckets({"key": "Hand\x1b]0;harm\x07 grinder"})},
                {"key": "7", "quantity": {"value": 0.0}, "name": buckets()},
            )
        }
    },
    "preferred-payment-methods": {
        "methods": buckets({"key": "credit", "doc_count": 2}),
        "without": {"doc_count": 1},
    },
    "revenue-over-time": {
        "days": {
            "buckets": [
                {"key": {"day": "2026-11-22", "currency": "EUR"}, "doc_count": 2, "amount": {"value": 1228.4}},
                {"key": {"day": "2026-11-22", "currency": "JPY"}, "doc_count": 1, "amount": {"value": 900000.0}},
                {"key": {"day": "2026-11-21", "currency": "EUR"}, "doc_count": 1, "amount": {"value": 614.2005}},
            ]
        }
    },
    "orders-by-customer": {
        "customers": {
            **buckets(
                {
                    "key": "9027",
                    "doc_count": 2,
                    "currencies": buckets(
                        {"key": "EUR", "amount": {"value": 128.4}}, {"key": "JPY", "amount": {"value": 900000.0}}
                    ),
                }
            ),
            "sum_other_doc_count": 5,
        }
    },
}
"""What the domain answers to the query of each KPI."""


@dataclass
class Operator:
    """Someone at a terminal, and what their commands meet.

    Attributes
    ----------
    outputs : dict
        Of each stack by its name.
    stack_error : tuple or None
        What CloudFormation answers instead: a status and a code.
    answer : callable
        Gives the domain's answer to a query: a status and a document.
    asked : list
        What the domain was asked: method, URL and query.
    """

    outputs: dict[str, dict[str, str]] = field(default_factory=lambda: {"eventfork": dict(OUTPUTS)})
    stack_error: tuple[int, str] | None = None
    answer: Callable[[Any], Answer] = lambda _: (404, {})
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    environment: dict[str, str | None] = field(default_factory=dict)

    def run(self, *arguments: str) -> Result:
        """Run the command to its end, its output no terminal."""
        return CliRunner(env=self.environment).invoke(command, arguments, prog_name="eventfork")

    def run_in_terminal(self, width: int, *arguments: str) -> str:
        """Run the command in a terminal so wide; give what it shows, without colours."""
        terminal = {"FORCE_COLOR": "1", "TERM": "xterm-256color", "COLUMNS": str(width), "NO_COLOR": None}
        result = CliRunner(env={**self.environment, **terminal}).invoke(command, arguments, prog_name="eventfork")
        assert result.exit_code == 0, result.output
        return re.sub(r"\x1b\[[0-9;]*m", "", result.stdout)

    def describe_stacks(self, params: Any, **_: Any) -> tuple[Any, dict[str, Any]]:
        """Answer in CloudFormation's place."""
        name = params["body"]["StackName"]
        status, code = self.stack_error or (200, "")
        if not code and name not in self.outputs:
            status, code = 400, "ValidationError"
        told: dict[str, Any] = {"ResponseMetadata": {"HTTPStatusCode": status}}
        if code:
            return SimpleNamespace(status_code=status), {**told, "Error": {"Code": code, "Message": ""}}
        outputs = [{"OutputKey": key, "OutputValue": value} for key, value in self.outputs[name].items()]
        return SimpleNamespace(status_code=status), {**told, "Stacks": [{"StackName": name, "Outputs": outputs}]}

    def send(self, request: Any) -> Any:
        """Answer in the domain's place."""
        query = json.loads(request.body)
        self.asked.append((request.method, request.url, query))
        assert "AWS4-HMAC-SHA256" in str(request.headers["Authorization"])
        status, document = self.answer(query)
        return SimpleNamespace(status_code=status, content=json.dumps(document).encode())


@pytest.fixture
def operator(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Operator:  # noqa: ARG001 - the account must be simulated
    """Give an operator with credentials, a Region and a stack called eventfork."""
    for name in ("AWS_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL", "EVENTFORK_STACK_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    one = Operator()

    def session() -> botocore.session.Session:
        made = session_with_models()
        made.register("before-call.cloudformation.DescribeStacks", one.describe_stacks)
        return made

    monkeypatch.setattr(botocore.session, "get_session", session)
    monkeypatch.setattr(opensearch, "URLLib3Session", lambda **_: one)
    return one


@pytest.fixture
def asking(operator: Operator) -> Operator:
    """Give an operator whose domain answers each KPI's query."""
    names = {json.dumps(kpi_query(kpi.name), sort_keys=True): kpi.name for kpi in KPIS}

    def answer(query: Any) -> Answer:
        name = names[json.dumps(query, sort_keys=True)]
        return 200, {"_shards": {"total": 1}, "hits": {"total": {"value": 3}}, "aggregations": AGGREGATIONS[name]}

    operator.answer = answer
    return operator


class DeadLetters:
    """A dead-letter bucket, and a stream whose records end up in another bucket."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        for bucket in ("dead-letters", "indexed"):
            client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        client("firehose").create_delivery_stream(
            DeliveryStreamName="SearchStream",
            ExtendedS3DestinationConfiguration={
                "BucketARN": "arn:aws:s3:::indexed",
                "RoleARN": f"arn:aws:iam::{ACCOUNT}:role/SearchStream",
            },
        )

    def put(self, key: str, *lines: bytes) -> None:
        """Make an object."""
        client("s3").put_object(Bucket="dead-letters", Key=key, Body=b"".join(lines))

    def keys(self) -> list[str]:
        """Give the keys of the objects that are there."""
        return [one["Key"] for one in client("s3").list_objects_v2(Bucket="dead-letters").get("Contents", [])]

    def put_back(self) -> Sequence[str]:
        """Give what is on the stream again."""
        return self._aws.lines("indexed")


@pytest.fixture
def dead_letters(aws: Aws) -> DeadLetters:
    """Give an empty dead-letter bucket and a stream."""
    return DeadLetters(aws)
