"""The operator's command in a simulated account: a stack, buckets, streams, a bus, a function, and a search domain."""

import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import botocore.session
import pytest
from click.testing import CliRunner, Result
from eventfork.adapters import opensearch
from eventfork.json_text import parse, render
from eventfork.kpis import KPIS
from eventfork.search_index import kpi_query
from eventfork.settings import client
from eventfork_cli.__main__ import command
from eventfork_cli.clock import Clock

from tests.unit.aws import ACCOUNT, REGION, Aws
from tests.unit.conftest import session_with_models

ENDPOINT = "https://search.example"
OUTPUTS = {
    "SearchEndpoint": ENDPOINT,
    "SearchIndexName": "orders",
    "SearchStreamName": "SearchStream",
    "SearchDeadLetterBucketName": "dead-letters",
    "ReplayControlFunctionName": "ReplayControl",
    "CircuitControlFunctionName": "CircuitControl",
    "EventBusName": "commerce",
    "OrderStreamFailureBucketName": "failures",
    "OrderStreamQuarantineQueueUrl": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/Quarantine",
}
NOW = datetime(2026, 11, 26, 12, 0, 0, tzinfo=UTC)

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
class FakeClock(Clock):
    """A clock that goes only while somebody waits.

    Attributes
    ----------
    slept : list
        Each wait, in seconds.
    interrupted_after : int or None
        The wait that the operator breaks off.
    """

    slept: list[float] = field(default_factory=list)
    interrupted_after: int | None = None

    def now(self) -> datetime:
        """Give the time."""
        return NOW + timedelta(seconds=sum(self.slept))

    def sleep(self, seconds: float) -> None:
        """Let the time go by."""
        if len(self.slept) == self.interrupted_after:
            raise KeyboardInterrupt
        self.slept.append(seconds)


@dataclass
class ControlFunction:
    """A control function, as far as Lambda shows it: it gives scripted answers.

    Attributes
    ----------
    answers : list
        What it answers, one after the other, and then the last one for ever. An int is what Lambda answers instead; a
        text is the error that the function fails with; a function gives the answer to the command.
    asked : list
        The commands that it was given.
    """

    answers: list[Any] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)

    def invoke(self, params: Any, **_: Any) -> tuple[Any, dict[str, Any]]:
        """Answer in Lambda's place."""
        self.asked.append(parse(params["body"]))
        answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
        answer = answer(self.asked[-1]) if callable(answer) else answer
        status = answer if isinstance(answer, int) else 200
        told: dict[str, Any] = {"ResponseMetadata": {"HTTPStatusCode": status}}
        if status != 200:
            return SimpleNamespace(status_code=status), {**told, "Error": {"Code": f"Code{status}", "Message": ""}}
        if isinstance(answer, str):
            told["FunctionError"] = "Unhandled"
            answer = {"errorType": answer}
        return SimpleNamespace(status_code=200), {**told, "Payload": io.BytesIO(render(answer).encode())}


@dataclass
class Bus:
    """A bus, as far as EventBridge shows it.

    Attributes
    ----------
    put : list
        The events that it took: source, type, and detail as text.
    refusals : list
        How many of the first events of each call are refused, for the calls to come; None refuses the call itself.
    calls : int
        How often it was called.
    """

    put: list[tuple[str, str, str]] = field(default_factory=list)
    refusals: list[int | None] = field(default_factory=list)
    calls: int = 0

    def put_events(self, params: Any, **_: Any) -> tuple[Any, dict[str, Any]]:
        """Answer in EventBridge's place."""
        self.calls += 1
        entries = json.loads(params["body"])["Entries"]
        refused = self.refusals.pop(0) if self.refusals else 0
        if refused is None:
            error = {"Code": "AccessDeniedException", "Message": "not allowed"}
            return SimpleNamespace(status_code=400), {"ResponseMetadata": {"HTTPStatusCode": 400}, "Error": error}
        for entry in entries[refused:]:
            assert entry["EventBusName"] == "commerce"
            self.put.append((entry["Source"], entry["DetailType"], entry["Detail"]))
        told = [{"ErrorCode": "ThrottlingException"}] * refused + [{"EventId": "e"}] * (len(entries) - refused)
        metadata = {"HTTPStatusCode": 200}
        return SimpleNamespace(status_code=200), {
            "ResponseMetadata": metadata,
            "FailedEntryCount": refused,
            "Entries": told,
        }


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
    clock : FakeClock
    control : ControlFunction
        Replay control.
    circuit_control : ControlFunction
    bus : Bus
    """

    outputs: dict[str, dict[str, str]] = field(default_factory=lambda: {"eventfork": dict(OUTPUTS)})
    stack_error: tuple[int, str] | None = None
    answer: Callable[[Any], Answer] = lambda _: (404, {})
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    environment: dict[str, str | None] = field(default_factory=dict)
    clock: FakeClock = field(default_factory=FakeClock)
    control: ControlFunction = field(default_factory=ControlFunction)
    circuit_control: ControlFunction = field(default_factory=ControlFunction)
    bus: Bus = field(default_factory=Bus)

    def run(self, *arguments: str, given: str | bytes = "") -> Result:
        """Run the command to its end, its output no terminal; `given` is its standard input."""
        return self._runner().invoke(command, arguments, input=given, prog_name="eventfork", obj=self.clock)

    def run_in_terminal(self, width: int, *arguments: str, status: int = 0) -> str:
        """Run the command in a terminal so wide; give what it shows, without colours."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.run_in_colour(width, *arguments, status=status))

    def run_in_colour(self, width: int, *arguments: str, status: int = 0) -> str:
        """Run the command in a terminal so wide; give all that it writes there."""
        terminal = {"FORCE_COLOR": "1", "TERM": "xterm-256color", "COLUMNS": str(width), "NO_COLOR": None}
        result = self._runner(**terminal).invoke(command, arguments, prog_name="eventfork", obj=self.clock)
        assert result.exit_code == status, result.output
        return result.stdout

    def _runner(self, **terminal: str | None) -> CliRunner:
        return CliRunner(env={**self.environment, **terminal})

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

    def invoke(self, params: Any, **_: Any) -> tuple[Any, dict[str, Any]]:
        """Answer in Lambda's place."""
        functions = {"ReplayControl": self.control, "CircuitControl": self.circuit_control}
        *_, name, _ = params["url_path"].split("/")
        return functions[name].invoke(params)

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
        made.register("before-call.lambda.Invoke", one.invoke)
        made.register("before-call.eventbridge.PutEvents", one.bus.put_events)
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
