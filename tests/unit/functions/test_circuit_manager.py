"""CircuitManagerFunction: what the clock, a message or the table's stream asks for is done, or asked for again."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import urllib3
from eventfork.adapters.circuit_table import CircuitTable
from eventfork.circuits import Circuit, Held, Mode, State
from eventfork.errors import UnavailableError

from tests.unit.aws import REGION, Aws, unreachable
from tests.unit.bus import BUS, event_bus, table
from tests.unit.functions.conftest import Handler, Load, sample

TEMPLATE = "applications/circuit-breaker/template.yaml"
ENDPOINT = "provider-endpoint"
SHOWN = "/eventfork/circuits/payments"
ADDRESS = "https://provider.example/v1"


class Provider:
    """Stands for urllib3's PoolManager, and for whatever it reaches: healthy, unless it is told otherwise."""

    def __init__(self) -> None:
        self.status = 200
        self.asked: list[str] = []
        self._left = b""

    def request(self, method: str, url: str, **_: Any) -> "Provider":
        """Answer a request."""
        assert method == "GET"
        self.asked.append(url)
        self._left = b'{"status":"healthy"}'
        return self

    def read(self, most: int) -> bytes:
        """Give the next part of the answer."""
        part, self._left = self._left[:most], self._left[most:]
        return part

    def close(self) -> None:
        """End the answer."""


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Provider:
    """Give what circuits guard."""
    provider = Provider()
    monkeypatch.setattr(urllib3, "PoolManager", lambda: provider)
    return provider


class Deployed:
    """The function, and everything that its template gives it."""

    def __init__(self, aws: Aws, load: Load, **settings: str) -> None:
        self.aws = aws
        self.on_bus = event_bus(aws)
        self.circuits = CircuitTable(aws.client("dynamodb"), table(aws, TEMPLATE, "CircuitTable"))
        self.queue = aws.queue("CircuitProbeQueue")
        aws.client("ssm").put_parameter(Name=ENDPOINT, Value=ADDRESS, Type="String")
        self.handler: Handler = load(
            "circuit_manager",
            **{
                "TABLE_NAME": "CircuitTable",
                "CIRCUITS": json.dumps({"payments": {"healthEndpointParameter": ENDPOINT}}),
                "EVENT_BUS_NAME": BUS,
                "PARAMETER_PREFIX": "/eventfork/circuits/",
                "PROBE_QUEUE_URL": self.queue,
                "NOTICE_TOPIC_ARN": "",
                "PROBE_SECONDS": "5",
                "PROBES_NEEDED": "3",
                "PROBES_LOOKED_AT": "5",
                "GRACE_SECONDS": "60",
                "HOLD_SECONDS": "60",
                "RECOVERY_CHECK_SECONDS": "900",
                "FAILURE_SHARE": "50",
                "SLOW_SHARE": "80",
                "MINIMUM_VOLUME": "20",
                "RATE_WINDOW_SECONDS": "180",
                "POWERTOOLS_METRICS_NAMESPACE": "eventfork",
                **settings,
            },
        )

    @property
    def circuit(self) -> Circuit:
        """The circuit as it is."""
        return self.circuits.load("payments")

    @property
    def shown(self) -> str:
        """The state that is shown of it."""
        value: str = self.aws.client("ssm").get_parameter(Name=SHOWN)["Parameter"]["Value"]
        return value

    def open(self, at: datetime | None = None) -> Circuit:
        """Open it, a minute ago unless another time is given."""
        opened = Circuit("payments").trip(at or now() - timedelta(minutes=1), "breaker", "5 calls in a row failed.", 5)
        assert opened
        self.circuits.save(opened)
        return opened

    def count(self, name: str, calls: int) -> None:
        """Count calls as the callers do."""
        self.aws.client("cloudwatch").put_metric_data(
            Namespace="eventfork",
            MetricData=[
                {"MetricName": name, "Value": calls, "Dimensions": [{"Name": "circuit", "Value": "payments"}]},
            ],
        )


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def deployed(aws: Aws, load: Load, provider: Provider) -> Deployed:
    """Give the function as the template deploys it, and a healthy provider."""
    assert provider.status == 200
    return Deployed(aws, load)


def test_the_sample_tick_shows_the_state_and_takes_measures(logs: Callable[[], str], deployed: Deployed) -> None:
    """Under the service, which alarms are on, and under the circuit, which graphs are of."""
    deployed.circuits.keep_held("payments", Held(2, now() - timedelta(seconds=30), now()))
    logs()
    assert deployed.handler(sample("circuit-tick")) is None
    assert deployed.shown == "CLOSED"
    [measured] = [json.loads(line) for line in logs().splitlines() if line.startswith('{"_aws"')]
    [directive] = measured["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "eventfork"
    assert directive["Dimensions"] == [["service"], ["circuit"]]
    units = {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]}
    assert units == {"HeldPayments": "Count", "OldestHeldSeconds": "Seconds", "CircuitOpen": "Count"}
    assert (measured["circuit"], measured["HeldPayments"], measured["CircuitOpen"]) == ("payments", [2.0], [0.0])
    assert 30 <= measured["OldestHeldSeconds"][0] <= 60


def test_a_tick_trips_a_circuit_whose_calls_fail(deployed: Deployed) -> None:
    """As callers count them."""
    deployed.count("ProviderCalls", 40)
    deployed.count("ProviderFailures", 19)
    deployed.handler(sample("circuit-tick"))
    assert deployed.circuit.state is State.CLOSED
    deployed.count("ProviderFailures", 1)
    deployed.handler(sample("circuit-tick"))
    circuit = deployed.circuit
    assert (circuit.state, circuit.reason) == (State.OPEN, "20 of 40 calls failed.")
    assert deployed.shown == "OPEN"


def test_a_tick_that_fails_is_tried_again(deployed: Deployed) -> None:
    """Whatever could be done of it is done."""
    deployed.open()
    with unreachable(deployed.aws.client("sqs")), pytest.raises(UnavailableError, match="payments"):
        deployed.handler(sample("circuit-tick"))
    assert deployed.shown == "OPEN"
    deployed.handler(sample("circuit-tick"))
    [message] = deployed.aws.received(deployed.queue)
    assert json.loads(message["Body"]) == {"circuit": "payments"}


def test_the_sample_probe_asks_for_health_and_has_the_next_one_made(aws: Aws, load: Load, provider: Provider) -> None:
    """Where the parameter says, which may change at any time."""
    deployed = Deployed(aws, load, PROBE_SECONDS="1")
    deployed.open()
    assert deployed.handler(sample("circuit-probe-queue")) == {"batchItemFailures": []}
    assert provider.asked == [f"{ADDRESS}/health"]
    assert (deployed.circuit.state, deployed.circuit.probes) == (State.HALF_OPEN, (True,))
    attributes = aws.client("sqs").get_queue_attributes(
        QueueUrl=deployed.queue, AttributeNames=["ApproximateNumberOfMessagesDelayed"]
    )["Attributes"]
    assert attributes["ApproximateNumberOfMessagesDelayed"] == "1"


def test_another_path_is_asked_where_the_circuit_names_one(aws: Aws, load: Load, provider: Provider) -> None:
    """Not every provider has the same."""
    said = {"payments": {"healthEndpointParameter": ENDPOINT, "healthPath": "/status?brief"}}
    deployed = Deployed(aws, load, CIRCUITS=json.dumps(said))
    aws.client("ssm").put_parameter(Name=ENDPOINT, Value=f"{ADDRESS}/", Type="String", Overwrite=True)
    deployed.open()
    deployed.handler(sample("circuit-probe-queue"))
    assert provider.asked == [f"{ADDRESS}/status?brief"]


def test_an_unhealthy_provider_leaves_the_circuit_open(
    aws: Aws, load: Load, provider: Provider, logs: Callable[[], str]
) -> None:
    """The log says what is wrong."""
    deployed = Deployed(aws, load)
    provider.status = 503
    deployed.open()
    logs()
    deployed.handler(sample("circuit-probe-queue"))
    assert (deployed.circuit.state, deployed.circuit.probes) == (State.OPEN, (False,))
    assert '"complaint":"it answers with the status 503"' in logs()


def test_a_probe_that_cannot_be_made_is_received_again(deployed: Deployed, provider: Provider) -> None:
    """It says nothing of the provider."""
    deployed.open()
    deployed.aws.client("ssm").delete_parameter(Name=ENDPOINT)
    message_id = sample("circuit-probe-queue")["Records"][0]["messageId"]
    assert deployed.handler(sample("circuit-probe-queue")) == {"batchItemFailures": [{"itemIdentifier": message_id}]}
    assert (provider.asked, deployed.circuit.probes) == ([], ())


def test_the_sample_changes_are_events_a_state_that_is_shown_and_a_record(deployed: Deployed) -> None:
    """Read twice, they are the same events."""
    deployed.open(datetime(2026, 11, 20, 8, 15, 44, 120000, tzinfo=UTC))
    for _ in range(2):
        assert deployed.handler(sample("circuit-stream")) == {"batchItemFailures": []}
    assert {one["source"] for one in deployed.on_bus} == {"eventfork.circuits"}
    assert [one["detail-type"] for one in deployed.on_bus] == ["CircuitOpened", "CircuitHalfOpened"] * 2
    assert deployed.on_bus[:2] == deployed.on_bus[2:]
    data = deployed.on_bus[0]["detail"]["data"]
    assert (data["outageId"], data["by"]) == ("payments-20261120T081544Z-3", "breaker")
    assert deployed.shown == "OPEN"
    transitions = deployed.circuits.transitions("payments", 10)
    assert [(one.version, one.state) for one in transitions] == [(5, State.HALF_OPEN), (3, State.OPEN)]
    assert deployed.aws.received(deployed.queue)


def test_while_the_bus_is_away_the_stream_is_read_again(deployed: Deployed) -> None:
    """From the first change that was not told."""
    with unreachable(deployed.aws.client("events")):
        answer = deployed.handler(sample("circuit-stream"))
    position = sample("circuit-stream")["Records"][0]["dynamodb"]["SequenceNumber"]
    assert answer == {"batchItemFailures": [{"itemIdentifier": position}]}
    assert deployed.on_bus == []


def test_people_are_told_where_there_is_a_topic(aws: Aws, load: Load) -> None:
    """With what they can filter by."""
    arn = aws.client("sns").create_topic(Name="Notices")["TopicArn"]
    reader = aws.queue("Notices")
    aws.client("sns").subscribe(
        TopicArn=arn,
        Protocol="sqs",
        Endpoint=f"arn:aws:sqs:{REGION}:123456789012:Notices",
        Attributes={"RawMessageDelivery": "true"},
    )
    deployed = Deployed(aws, load, NOTICE_TOPIC_ARN=arn)
    deployed.handler(sample("circuit-stream"))
    notices = aws.received(reader)
    assert [one["Body"].splitlines()[0] for one in notices] == [
        "CircuitOpened: the circuit payments is OPEN, and was CLOSED.",
        "CircuitHalfOpened: the circuit payments is HALF_OPEN, and was OPEN.",
    ]
    attributes = {name: one["StringValue"] for name, one in notices[0]["MessageAttributes"].items()}
    assert attributes == {"circuit": "payments", "type": "CircuitOpened"}


def test_what_else_the_table_holds_is_no_news(deployed: Deployed) -> None:
    """Counts of what is held, and what is on record."""
    record = sample("circuit-stream")["Records"][0]
    image = {"Circuit": {"S": "payments"}, "Item": {"S": "HELD"}, "Count": {"N": "3"}}
    written = {**record["dynamodb"], "NewImage": image, "OldImage": image}
    assert deployed.handler({"Records": [{**record, "dynamodb": written}]}) == {"batchItemFailures": []}
    assert deployed.on_bus == []


def test_a_whole_outage_runs_from_ticks_probes_and_the_stream_alone(deployed: Deployed, provider: Provider) -> None:
    """Forced open and left to itself again, it closes after three healthy probes."""
    forced = Circuit("payments").forced(Mode.FORCED_OPEN, now(), "operator", "Drill", now() + timedelta(hours=1))
    reset = forced.reset(now() - timedelta(minutes=5), "operator", "Over")
    assert reset
    for circuit in (forced, reset):
        deployed.circuits.save(circuit)
    for _ in range(3):
        deployed.handler(sample("circuit-probe-queue"))
        circuit = deployed.circuit
        if circuit.state is not State.CLOSED:
            # As if the pause until the next one were over.
            due = replace(circuit, version=circuit.version + 1, next_probe_at=now() - timedelta(seconds=1))
            deployed.circuits.save(due)
    assert deployed.circuit.state is State.CLOSED
    assert len(provider.asked) == 3
    deployed.handler(sample("circuit-tick"))
    assert deployed.shown == "CLOSED"


def test_counts_are_logged(aws: Aws, load: Load, logs: Callable[[], str]) -> None:
    """For each batch."""
    deployed = Deployed(aws, load)
    logs()
    deployed.handler(sample("circuit-stream"))
    written = logs()
    assert '"message":"circuits looked after"' in written
    assert '"received":2,"failed":0' in written
