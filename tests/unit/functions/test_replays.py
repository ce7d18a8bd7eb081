"""ReplayControlFunction and ReplayWorkerFunction: what is commanded is replayed, from each source, and on record."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from eventfork.errors import UnavailableError
from eventfork.json_text import render
from eventfork.replay import MARKER
from eventfork.replay_jobs import FieldError, ForbiddenError

from tests.templates import read
from tests.unit.aws import ACCOUNT, REGION, Aws, unreachable
from tests.unit.bus import BUS, with_data
from tests.unit.functions.conftest import Handler, Load, sample

CREATED = "customerCreated"
REPLAYED = {"detail-type": [CREATED], "replay-name": [{"exists": True}]}


def arn(url: str) -> str:
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{url.rpartition('/')[2]}"


class Replays:
    """Both functions, over an account with everything that they know."""

    def __init__(self, aws: Aws, load: Load) -> None:
        self.aws = aws
        names = (
            "Checkout",
            "CheckoutDeadLetters",
            "Customers",
            "CustomersDeadLetters",
            "Buffer",
            "Kept",
            "Work",
            "Odd",
        )
        self.queues = {name: aws.queue(name) for name in names}
        properties = read("applications/replay-control/template.yaml").resources()["ReplayTable"]
        keys = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
        aws.client("dynamodb").create_table(TableName="ReplayTable", **{key: properties[key] for key in keys})
        for bucket in ("backup", "history"):
            place = {"LocationConstraint": REGION}
            aws.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration=place)
        events = aws.client("events")
        bus = events.create_event_bus(Name=BUS)["EventBusArn"]
        events.create_archive(ArchiveName="everything", EventSourceArn=bus)
        rule = events.put_rule(Name="replay", EventBusName=BUS, EventPattern=json.dumps(REPLAYED))["RuleArn"]
        live = {"detail-type": [CREATED], "replay-name": [{"exists": False}]}
        events.put_rule(Name="live", EventBusName=BUS, EventPattern=json.dumps(live))
        targets = {
            "checkout": self._target("Checkout"),
            "customers": {
                **self._target("Customers"),
                "ruleArn": rule,
                "bufferQueueArn": arn(self.queues["Buffer"]),
                "circuit": "crm",
            },
        }
        variables = {
            "TABLE_NAME": "ReplayTable",
            "WORK_QUEUE_URL": self.queues["Work"],
            "QUARANTINE_QUEUE_URL": self.queues["Odd"],
            "EVENT_BUS_ARN": bus,
            "ARCHIVE_NAME": "everything",
            "REPLAY_QUEUE_ARN": arn(self.queues["Kept"]),
            "BACKUP_BUCKET": "backup",
            "BACKUP_PREFIX": "events/",
            "HISTORY_BUCKET": "history",
            "HISTORY_PREFIX": "bus/",
            "TARGETS": json.dumps(targets),
            "CIRCUIT_PARAMETER_PREFIX": "/circuits/",
            "ARCHIVE_SETTLE_SECONDS": "0",
            "BACKUP_SETTLE_SECONDS": "0",
            "BACKUP_LAG_SECONDS": "3600",
            "SLICE_SECONDS": "20",
            "QUIET_SECONDS": "0",
            "CANARY_SECONDS": "0",
            "MAXIMUM_HOPS": "3",
            "RECOVERY_GRACE_SECONDS": "0",
            "RECOVERY_EVENTS_PER_SECOND": "10",
            "RECOVERY_CANARY": "5",
            "POWERTOOLS_METRICS_NAMESPACE": "eventfork",
        }
        self.control: Handler = load("replay_control", **variables)
        self.worker: Handler = load("replay_worker", **variables)

    def _target(self, name: str) -> dict[str, str]:
        return {
            "queueArn": arn(self.queues[name]),
            "deadLetterQueueArn": arn(self.queues[f"{name}DeadLetters"]),
        }

    def keep(self, queue: str, *bodies: Any) -> None:
        """Put messages on a queue."""
        for body in bodies:
            self.aws.client("sqs").send_message(QueueUrl=self.queues[queue], MessageBody=render(body))

    def store(self, bucket: str, prefix: str, at: datetime, *lines: Any) -> None:
        """Put an object of events into a bucket, as Firehose does."""
        self.aws.client("s3").put_object(
            Bucket=bucket,
            Key=f"{prefix}{at:%Y/%m/%d/%H}/object",
            Body=gzip.compress("".join(f"{render(line)}\n" for line in lines).encode()),
        )

    def command(self, command: str, **said: Any) -> dict[str, Any]:
        """Carry out a command by direct invocation."""
        return self.control({"command": command, **said})

    def work(self) -> None:
        """Have all the work done that is queued, until none is left."""
        while messages := self.aws.received(self.queues["Work"]):
            self.worker({"Records": [{"body": one["Body"]} for one in messages]})

    def told(self, closed: datetime, **data: Any) -> dict[str, Any]:
        """Tell that the circuit crm closed, after it had been open for a minute."""
        event = sample("replay-control-recovery")
        opened = (closed - timedelta(minutes=1)).isoformat()
        said = {"circuit": "crm", "outageId": "crm-1", "recoverFrom": opened, "closedAt": closed.isoformat(), **data}
        event["detail"]["data"].update(said)
        return self.control(event)

    def circuit(self, state: str) -> None:
        """Write the state of the circuit crm into its parameter."""
        self.aws.client("ssm").put_parameter(Name="/circuits/crm", Value=state, Type="String", Overwrite=True)

    def replay(self, source: str, target: str, **said: Any) -> dict[str, Any]:
        """Start a replay, and work on it to its end; give it."""
        answer = self.command("start", source=source, targets=[target], reason="a test", **said)
        assert "job" in answer, answer
        self.work()
        job: dict[str, Any] = self.command("show", jobId=answer["job"]["id"])["job"]
        return job


@pytest.fixture
def replays(aws: Aws, load: Load) -> Replays:
    return Replays(aws, load)


def order_event(number: int, at: datetime) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"event-{number}",
        "source": "eventfork.checkout",
        "type": "eventfork.checkout.OrderSubmitted",
        "time": at.isoformat(),
        "data": {"id": str(number), "customer": {"id": "ada"}},
    }


def ago(minutes: int) -> datetime:
    return datetime.now(UTC) - timedelta(minutes=minutes)


def last_hour() -> dict[str, str]:
    return {"from": ago(60).isoformat(), "to": ago(1).isoformat()}


def test_what_the_replay_queue_keeps_goes_to_the_queue_that_it_names_marked(replays: Replays) -> None:
    replays.keep("Kept", order_event(1, ago(5)), order_event(2, ago(5)), order_event(3, ago(120)))
    job = replays.replay("queue", "checkout", **last_hour())
    assert (job["state"], job["counts"]["sent"], job["outcome"]) == ("COMPLETED", 2, "All of it: 2 events were sent.")
    received = replays.aws.received(replays.queues["Checkout"])
    assert sorted(json.loads(one["Body"])["id"] for one in received) == ["event-1", "event-2"]
    marks = [json.loads(one["MessageAttributes"][MARKER]["StringValue"]) for one in received]
    assert marks == [{"job": job["id"], "hop": 1}] * 2
    [left] = replays.aws.received(replays.queues["Kept"])
    assert json.loads(left["Body"])["id"] == "event-3"


def test_what_the_bucket_holds_of_the_topic_goes_to_the_queue_unwrapped(replays: Replays) -> None:
    wrapped = {
        **order_event(3, ago(5)),
        "source": "eventfork.envelope",
        "type": "eventfork.envelope.MessageReceived",
        "data": "a plain text",
    }
    replays.store("backup", "events/", ago(5), order_event(1, ago(5)), order_event(2, ago(500)), wrapped)
    plan = replays.command("plan", source="backup", targets=["checkout"], **last_hour())["plan"]
    assert (plan["events"], plan["exact"], plan["seconds"]) == (2, True, None)
    job = replays.replay("backup", "checkout", **last_hour())
    assert (job["state"], job["counts"]) == (
        "COMPLETED",
        {"planned": 2, "read": 3, "sent": 2, "skipped": 1, "parked": 0},
    )
    bodies = [one["Body"] for one in replays.aws.received(replays.queues["Checkout"])]
    assert "a plain text" in bodies


def test_what_the_bucket_holds_of_the_bus_goes_only_to_who_takes_it(replays: Replays) -> None:
    created = with_data("customer-created", time=ago(5).isoformat(), customerId="ada")
    placed = with_data("order-placed", time=ago(5).isoformat())
    replays.store("history", "bus/", ago(5), created, placed)
    job = replays.replay("backup", "customers", **last_hour())
    assert (job["state"], job["counts"]["sent"]) == ("COMPLETED", 1)
    [received] = replays.aws.received(replays.queues["Customers"])
    assert json.loads(received["Body"])["detail-type"] == CREATED


def test_dead_letters_go_back_to_their_queue_but_not_while_its_circuit_is_open(replays: Replays) -> None:
    replays.keep("CustomersDeadLetters", with_data("customer-created", time=ago(5).isoformat()))
    replays.circuit("OPEN")
    refused = replays.command("start", source="dlq", targets=["customers"], reason="a test")
    assert (refused["status"], "The circuit crm is open" in refused["detail"]) == (409, True)
    forced = replays.replay("dlq", "customers", force=True)
    assert (forced["state"], forced["counts"]["sent"]) == ("COMPLETED", 1)


@pytest.mark.parametrize("state", ["OPEN", "HALF_OPEN"])
def test_a_replay_is_paused_while_the_circuit_of_its_target_is_open(replays: Replays, state: str) -> None:
    replays.circuit(state)
    job = replays.replay("backup", "customers", **last_hour())
    assert (job["state"], job["outcome"]) == ("PAUSED", "The circuit crm is open.")
    assert (job["history"][-1]["actor"], job["history"][-1]["action"]) == ("circuit", "pause")
    assert not replays.aws.received(replays.queues["Customers"])


def test_a_circuit_that_has_closed_starts_one_replay_however_often_that_is_told(replays: Replays) -> None:
    closed = ago(5).replace(microsecond=0)
    assert replays.told(closed) == {"jobId": "crm-1", "done": "started"}
    assert replays.told(closed) == {"jobId": "crm-1", "done": "left as it was"}
    [job] = replays.command("list")["jobs"]
    assert (job["id"], job["state"], job["source"], job["archive"]) == ("crm-1", "WAITING", "archive", "everything")
    assert (job["targets"], job["pace"], job["canary"], job["actor"]) == (["customers"], 10.0, 5, "circuit")
    assert "crm-1" in job["reason"]
    start, end = (datetime.fromisoformat(job["window"][name]) for name in ("from", "to"))
    assert (start, end) == (closed - timedelta(seconds=61), closed)
    [message] = replays.aws.received(replays.queues["Work"])
    assert json.loads(message["Body"]) == {"jobId": "crm-1"}


def test_a_recovery_that_the_circuit_pauses_goes_on_when_it_has_closed_again(replays: Replays) -> None:
    replays.told(ago(5))
    replays.circuit("OPEN")
    replays.work()
    assert replays.command("show", jobId="crm-1")["job"]["state"] == "PAUSED"
    replays.circuit("CLOSED")
    assert replays.told(ago(1))["done"] == "extended"
    job = replays.command("show", jobId="crm-1")["job"]
    assert [(one["actor"], one["action"]) for one in job["history"]] == [
        ("circuit", "start"),
        ("circuit", "pause"),
        ("circuit", "extend"),
    ]
    assert (job["state"], job["run"], len(replays.command("list")["jobs"])) == ("WAITING", 1, 1)


def test_a_closing_that_cannot_be_followed_raises_so_that_it_is_delivered_again(replays: Replays) -> None:
    said = {"source": "archive", "targets": ["customers"], **last_hour(), "reason": "a test", "jobId": "another"}
    replays.command("start", **said)
    with pytest.raises(ForbiddenError, match="The job another reads from the replay buffer of customers"):
        replays.told(ago(5))
    with unreachable(replays.aws.client("dynamodb")), pytest.raises(UnavailableError):
        replays.told(ago(5))
    with pytest.raises(FieldError, match="/detail/data/outageId"):
        replays.told(ago(5), outageId=None)
    assert [job["id"] for job in replays.command("list")["jobs"]] == ["another"]


def test_a_circuit_that_guards_no_consumer_starts_nothing(replays: Replays) -> None:
    assert replays.control(sample("replay-control-recovery"))["done"] == "left as it was"
    assert replays.command("list")["jobs"] == []


def test_what_was_replayed_too_often_is_quarantined(replays: Replays) -> None:
    mark = {"DataType": "String", "StringValue": json.dumps({"job": "earlier", "hop": 3})}
    replays.aws.client("sqs").send_message(
        QueueUrl=replays.queues["CheckoutDeadLetters"], MessageBody="{}", MessageAttributes={MARKER: mark}
    )
    job = replays.replay("dlq", "checkout")
    assert (job["state"], job["counts"]["parked"], job["counts"]["sent"]) == ("COMPLETED", 1, 0)
    [parked] = replays.aws.received(replays.queues["Odd"])
    assert "was replayed 3 times" in parked["MessageAttributes"]["quarantine-reason"]["StringValue"]


def test_an_archive_is_planned_by_the_history_of_the_bus(replays: Replays) -> None:
    replays.store("history", "bus/", ago(5), with_data("customer-created", time=ago(5).isoformat()))
    said = {"source": "archive", "targets": ["replay"], **last_hour(), "pace": 2}
    plan = replays.command("plan", **said)["plan"]
    assert (plan["archive"], plan["targets"][0]["name"], plan["events"], plan["seconds"]) == (
        "everything",
        "customers",
        1,
        0.5,
    )
    refused = replays.command("plan", **{**said, "targets": ["live"]})
    assert (refused["status"], "takes live events" in refused["detail"]) == (409, True)
    unknown = replays.command("plan", **{**said, "archive": "another"})
    assert unknown["status"] == 404


def test_a_kept_plan_is_started_paused_resumed_stopped_and_listed(replays: Replays) -> None:
    said = {"source": "backup", "targets": ["checkout"], **last_hour(), "reason": "a test"}
    kept = replays.command("plan", **said, dryRun=False, jobId="kept", actor="ada")["job"]
    assert (kept["state"], kept["actor"], kept["history"][0]["action"]) == ("PLANNED", "ada", "plan")
    who = {"jobId": "kept", "reason": "a test", "actor": "grace"}
    assert replays.command("pause", **who)["status"] == 409
    assert replays.command("start", **who)["job"]["state"] == "WAITING"
    assert replays.command("start", **who)["status"] == 409
    assert replays.command("pause", **who)["job"]["state"] == "PAUSED"
    assert replays.command("resume", **who)["job"]["state"] == "WAITING"
    assert replays.command("stop", **who)["job"]["state"] == "CANCELLED"
    assert replays.command("resume", **who)["job"]["run"] == 2
    replays.work()
    [listed] = replays.command("list", limit=5)["jobs"]
    assert (listed["id"], listed["state"]) == ("kept", "COMPLETED")


def test_a_start_that_is_repeated_is_one_replay(replays: Replays) -> None:
    said = {"source": "backup", "targets": ["checkout"], **last_hour(), "reason": "a test", "jobId": "one"}
    first = replays.command("start", **said)["job"]
    replays.work()
    again = replays.command("start", **said)["job"]
    assert (again["id"], again["requestedAt"], again["state"]) == ("one", first["requestedAt"], "COMPLETED")
    assert len(replays.command("list")["jobs"]) == 1


def test_the_api_answers_with_a_status_and_knows_its_caller(replays: Replays) -> None:
    listed = replays.control(sample("replay-control-api"))
    assert (listed["statusCode"], json.loads(listed["body"])) == (200, {"jobs": []})
    event = sample("replay-control-api")
    event["pathParameters"] = {"command": "start"}
    event["body"] = json.dumps(
        {"source": "queue", "targets": ["checkout"], "reason": "a test", "actor": "somebody else"}
    )
    started = replays.control(event)
    assert started["statusCode"] == 202
    assert json.loads(started["body"])["job"]["actor"] == event["requestContext"]["identity"]["userArn"]
    for body, status in (("[1]", 400), ("{", 400), ('{"source": "archive"}', 400)):
        answer = replays.control({**event, "body": body})
        assert (answer["statusCode"], answer["headers"]["content-type"]) == (status, "application/problem+json")
    with unreachable(replays.aws.client("dynamodb")):
        answer = replays.control(sample("replay-control-api"))
    assert (answer["statusCode"], answer["headers"].get("retry-after")) == (503, "5"), answer


def test_a_sweep_has_a_job_worked_on_that_nobody_works_on(replays: Replays) -> None:
    said = {"source": "queue", "targets": ["checkout"], "reason": "a test", "jobId": "stranded"}
    replays.command("start", **said)
    replays.aws.received(replays.queues["Work"])
    assert replays.worker(sample("replay-sweep")) is None
    [message] = replays.aws.received(replays.queues["Work"])
    assert json.loads(message["Body"]) == {"jobId": "stranded"}


def test_the_samples_are_commands_that_are_understood(replays: Replays) -> None:
    for name in ("pause", "resume", "stop", "show"):
        answer = replays.control(sample(f"replay-control-{name}"))
        assert (answer["status"], "sample-job" in answer["detail"]) == (404, True)
    assert "plan" in replays.control(sample("replay-control-plan"))
    assert "job" in replays.control(sample("replay-control-start"))
    assert "jobs" in replays.control(sample("replay-control-list"))
    replays.worker(sample("replay-work-queue"))
