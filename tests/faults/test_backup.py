"""While Firehose fails, the backup loses nothing, and acknowledges nothing that it has not stored."""

import json
from collections import Counter
from collections.abc import Iterator

import pytest

from local.engine.process import Engine
from tests.faults.endpoint import FaultyFirehose, Health
from tests.integration.application import eventually
from tests.integration.standalone import Pipeline, backed_up, event, looked_at, make_topic

MESSAGES_PER_STATE = 100
VISIBILITY_SECONDS = "20"
STATES = (Health.HALF, Health.THROTTLED, Health.HALF, Health.SILENT, Health.HEALTHY)
CALLS_PER_STATE = 3


@pytest.fixture(scope="module")
def firehose() -> Iterator[FaultyFirehose]:
    with FaultyFirehose() as firehose:
        yield firehose


@pytest.fixture(scope="module")
def engine(firehose: FaultyFirehose) -> Iterator[Engine]:
    """Start an engine whose functions reach Firehose through the faulty endpoint only."""
    environment = {"AWS_ENDPOINT_URL_FIREHOSE": firehose.url}
    with Engine(firehose_interval_scale=1 / 60, environment=environment) as engine:
        firehose.forward_to(engine.url)
        yield engine


def test_nothing_is_lost_while_firehose_fails_in_every_way(engine: Engine, firehose: FaultyFirehose) -> None:
    topic = make_topic(engine, "topic")
    backup = Pipeline(engine, "backup", topic, "backup", BatchSize="25", BatchWindowSeconds="1")
    bucket, outputs = backup.outputs["BackupBucketName"], backup.outputs
    # Eleven minutes on AWS; here as long as a function tries at the most, so that no message is received while it does.
    engine.client("sqs").set_queue_attributes(
        QueueUrl=outputs["BackupQueueUrl"], Attributes={"VisibilityTimeout": VISIBILITY_SECONDS}
    )
    sent: list[str] = []
    for state in STATES:
        firehose.health = state
        before = firehose.calls[state]
        for _ in range(MESSAGES_PER_STATE // 10):
            bodies = [event(number, "shop.Sold") for number in range(len(sent), len(sent) + 10)]
            entries = [{"Id": str(place), "Message": body} for place, body in enumerate(bodies)]
            engine.client("sns").publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
            sent += bodies
        eventually(lambda: firehose.calls[state] >= before + CALLS_PER_STATE, f"calls while it {state.value}")  # noqa: B023

    parked: list[str] = []

    def accounted_for() -> bool:
        parked.extend(message["Body"] for message in looked_at(engine, outputs["BackupDeadLetterQueueUrl"]))
        return {*backed_up(engine, bucket), *parked} >= set(sent)

    assert eventually(accounted_for, "every message, stored or in the dead-letter queue")
    assert not looked_at(engine, outputs["BackupQuarantineQueueUrl"])
    stored = Counter(backed_up(engine, bucket))
    assert not set(stored) & set(parked)
    assert stored.total() == len(stored)
    print(json.dumps({state.value: calls for state, calls in firehose.calls.items()}))
    print(f"sent {len(sent)}, stored {len(stored)}, dead letters {len(parked)}, lost 0, stored twice 0")
    backup.remove()
