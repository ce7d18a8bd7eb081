"""Replay control alone, on what was made by hand: an archive that is late and workers that die leave nothing out."""

import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from eventfork import bus_events
from eventfork.adapters.event_bus import EventBus
from eventfork.bus_events import CUSTOMER_CREATED

from local.engine.process import Engine
from tests.faults.workers import kill
from tests.integration.application import eventually
from tests.integration.replays import Replays, now
from tests.integration.standalone import Standalone, looked_at

pytestmark = pytest.mark.drill
EVENTS = 120
PACE = 20
KILLS = int(os.environ.get("EVENTFORK_REPLAY_KILLS", "1"))
"""How many workers die in one replay; each costs the half minute that its lease still runs."""
SEED = int(os.environ.get("EVENTFORK_SEED", "1"))
ARCHIVED_AFTER_SECONDS = 6
SETTLED_AFTER_SECONDS = 10
CIRCUIT = "crm"


class Alone:
    """Replay control, deployed onto a bus, an archive, a rule, queues and buckets that it did not make."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._sqs = engine.client("sqs")
        events, s3 = engine.client("events"), engine.client("s3")
        arns = {name: self._queue(name) for name in ("consumer", "consumer-dead", "consumer-buffer")}
        bus_arn = events.create_event_bus(Name="theirs")["EventBusArn"]
        events.create_archive(ArchiveName="all-of-theirs", EventSourceArn=bus_arn)
        pattern = {"detail-type": [CUSTOMER_CREATED], "replay-name": [{"exists": True}]}
        rule = events.put_rule(Name="consumer-replay", EventBusName="theirs", EventPattern=json.dumps(pattern))
        target = {"Id": "buffer", "Arn": arns["consumer-buffer"]}
        events.put_targets(Rule="consumer-replay", EventBusName="theirs", Targets=[target])
        for bucket in ("their-backup", "their-history"):
            s3.create_bucket(Bucket=bucket)
        consumer = {
            "queueArn": arns["consumer"],
            "deadLetterQueueArn": arns["consumer-dead"],
            "ruleArn": rule["RuleArn"],
            "bufferQueueArn": arns["consumer-buffer"],
            "circuit": CIRCUIT,
        }
        self.stack = Standalone(
            engine,
            "applications/replay-control",
            "replay-control-alone",
            EventBusName="theirs",
            ArchiveName="all-of-theirs",
            Targets=json.dumps({"consumer": consumer}),
            TargetQueueArns=arns["consumer"],
            DeadLetterQueueArns=arns["consumer-dead"],
            BufferQueueArns=arns["consumer-buffer"],
            BackupBucketName="their-backup",
            HistoryBucketName="their-history",
            ArchiveSettleSeconds=str(SETTLED_AFTER_SECONDS),
            SliceSeconds="10",
            QuietSeconds="2",
        )
        self.outputs = self.stack.outputs
        self.replays = Replays(engine, self.outputs)

    def _queue(self, name: str) -> str:
        url = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        answer = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return str(answer["Attributes"]["QueueArn"])

    def report(self, prefix: str, count: int) -> list[str]:
        """Report so many customers on the bus; give their ids."""
        bus = EventBus(self.engine.client("events"), "theirs")
        names = [f"{prefix}-{number}" for number in range(count)]
        entries = [
            bus_events.entry("crm", CUSTOMER_CREATED, name, name, {"customerId": name, "customerName": "Ada"})
            for name in names
        ]
        for start in range(0, count, 10):
            assert bus.put(entries[start : start + 10]) == []
        return names

    def arrived(self, count: int) -> Counter[str]:
        """Wait until so many different customers have arrived at the consumer; count how often each has."""
        found: Counter[str] = Counter()

        def complete() -> bool:
            url = self._sqs.get_queue_url(QueueName="consumer")["QueueUrl"]
            held = (json.loads(one["Body"]) for one in looked_at(self.engine, url))
            found.update(event["detail"]["data"]["customerId"] for event in held)
            return len(found) >= count

        eventually(complete, "every customer at the consumer")
        return found

    def fail(self, customer_id: str) -> None:
        """Put a customer's event among the consumer's dead letters."""
        event = {
            "detail-type": CUSTOMER_CREATED,
            "source": "crm",
            "time": now(),
            "detail": {"metadata": {}, "data": {"customerId": customer_id}},
        }
        url = self._sqs.get_queue_url(QueueName="consumer-dead")["QueueUrl"]
        self._sqs.send_message(QueueUrl=url, MessageBody=json.dumps(event))

    def circuit(self, state: str) -> None:
        """Say what state the consumer's circuit is in."""
        self.engine.client("ssm").put_parameter(
            Name=f"/eventfork/circuits/{CIRCUIT}", Value=state, Type="String", Overwrite=True
        )

    def sweep(self) -> None:
        """Have those jobs worked on that nobody works on, which else is done once a minute."""
        self.engine.client("lambda").invoke(
            FunctionName=self.outputs["ReplayWorkerFunctionName"],
            InvocationType="Event",
            Payload=json.dumps({"sweep": True}),
        )


@pytest.fixture(scope="module")
def alone() -> Iterator[Alone]:
    """Deploy it to an engine whose archives are late."""
    environment = {"EVENTFORK_ARCHIVE_DELAY_SECONDS": str(ARCHIVED_AFTER_SECONDS)}
    with Engine(environment=environment) as engine:
        yield Alone(engine)


def test_a_replay_waits_until_its_archive_has_settled_and_misses_nothing(alone: Alone) -> None:
    began = now()
    names = alone.report("late", 20)
    ended = now()
    job_id = alone.replays.start("archive", "consumer", **{"from": began, "to": ended})
    waiting = alone.replays.job(job_id)
    assert waiting["state"] == "WAITING"
    settled = datetime.fromisoformat(ended) + timedelta(seconds=SETTLED_AFTER_SECONDS)
    assert datetime.fromisoformat(waiting["startsAt"]) >= settled.replace(microsecond=0)
    job = alone.replays.completed(job_id)
    assert job["counts"]["sent"] == len(names)
    assert sorted(alone.arrived(len(names))) == sorted(names)


def test_a_worker_that_dies_leaves_nothing_out(alone: Alone) -> None:
    generator = random.Random(SEED)
    began = now()
    names = alone.report("killed", EVENTS)
    job_id = alone.replays.start("archive", "consumer", **{"from": began, "to": now(), "pace": PACE})
    for moment in sorted(generator.sample(range(1, EVENTS * 3 // 4), KILLS)):
        alone.replays.wait(job_id, lambda job: job["counts"]["sent"] >= moment, f"{moment} sent")  # noqa: B023
        eventually(lambda: kill(alone.engine, alone.outputs["ReplayWorkerFunctionName"]), "a worker to kill")
        left = alone.replays.job(job_id)
        eventually(lambda: _goes_on(alone, job_id, left), "a worker that goes on")  # noqa: B023
    job = alone.replays.completed(job_id)
    arrived = alone.arrived(EVENTS)
    twice = sum(count - 1 for count in arrived.values())
    print(f"\n{KILLS} killed: {len(arrived)} of {EVENTS} events arrived, {twice} of them twice, {job['counts']}")
    assert sorted(arrived) == sorted(names)
    assert [one["action"] for one in job["history"]][-1] == "complete"


def _goes_on(alone: Alone, job_id: str, left: dict[str, Any]) -> bool:
    alone.sweep()
    job = alone.replays.job(job_id)
    return bool(job["state"] == "COMPLETED" or job["counts"]["sent"] > left["counts"]["sent"])


def test_dead_letters_wait_for_their_circuit_unless_forced(alone: Alone) -> None:
    alone.fail("dead-letter")
    alone.circuit("OPEN")
    asked = {"source": "dlq", "targets": ["consumer"], "reason": "a test"}
    refused = alone.replays.command("start", **asked)
    assert refused["status"] == 409
    assert f"circuit {CIRCUIT}" in refused["detail"]
    job = alone.replays.completed(alone.replays.start("dlq", "consumer", force=True))
    assert (job["counts"]["sent"], job["forced"]) == (1, True)
    assert alone.arrived(1) == {"dead-letter": 1}
    alone.circuit("CLOSED")


def test_a_circuit_that_opens_pauses_a_replay_by_itself(alone: Alone) -> None:
    began = now()
    names = alone.report("circuit", 60)
    job_id = alone.replays.start("archive", "consumer", **{"from": began, "to": now(), "pace": PACE})
    alone.replays.wait(job_id, lambda job: job["counts"]["sent"] >= 5, "the first of them sent")
    alone.circuit("OPEN")
    paused = alone.replays.wait(job_id, lambda job: job["state"] == "PAUSED", "the pause")
    assert paused["counts"]["sent"] < len(names)
    assert CIRCUIT in paused["history"][-1]["reason"]
    alone.circuit("CLOSED")
    alone.replays.move("resume", job_id)
    alone.replays.completed(job_id)
    assert sorted(alone.arrived(len(names))) == sorted(names)
