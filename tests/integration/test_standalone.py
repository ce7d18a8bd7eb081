"""Pipelines and applications deploy alone onto what we never saw, carry what comes, and leave when they are told to."""

import json
import os
import random
from collections import Counter
from datetime import UTC, datetime
from typing import Any, NamedTuple

from eventfork import checkout_events
from eventfork.card_data import Redactor
from eventfork.envelopes import MESSAGE_RECEIVED
from eventfork.json_text import parse, render
from eventfork.replay import MARKER

from local.engine.process import Engine
from tests.integration.application import eventually
from tests.integration.standalone import Pipeline, Standalone, backed_up, event, looked_at, make_topic
from tests.templates import PROJECT_ROOT

MESSAGES = int(os.environ.get("EVENTFORK_MESSAGES", "600"))
"""How many messages of all kinds are sent; `make mixed-messages` sends 10,000."""
LARGE_EVERY = 200
MOST_ATTRIBUTES = 10
CARDS = ("4111 1111 1111 1111", "5555-5555-5555-4444", "378282246310005")
NO_CARDS = ("4111111111111112", "1795162543188123")


class Sent(NamedTuple):
    """A message as it was published."""

    body: str
    attributes: dict[str, dict[str, Any]]


def _attributes(number: int, count: int) -> dict[str, dict[str, Any]]:
    kinds: tuple[dict[str, Any], ...] = (
        {"DataType": "String", "StringValue": f"ünïcode {number}"},
        {"DataType": "Number", "StringValue": f"{number}.50"},
        {"DataType": "Binary", "BinaryValue": bytes([0, 255, number % 256])},
        {"DataType": "String.Array", "StringValue": f'["ünïcode", {number}, true, null]'},
    )
    return {f"attribute-{place}": kinds[place % len(kinds)] for place in range(count)}


def _message(number: int, generator: random.Random) -> Sent:
    if number % LARGE_EVERY == 7:
        body = json.dumps({"n": number, "filling": "".join(generator.choices("abc é", k=190_000))}, ensure_ascii=False)
        return Sent(body[:200_000], {})
    match number % 4:
        case 0:
            body = event(number, "shop.Sold")
        case 1:
            body = f'{{"n": {number}, "price": 10.{number:05d}000,\n "list": [1e2, null, true], "text": "é \\u00e9"}}'
        case 2:
            body = f"text {number}, on two\nlines\twith {NO_CARDS[number // 4 % 2]} and „quotes“"
        case _:
            body = f"call {number}: my card is {CARDS[number % 3]}, thanks"
    return Sent(body, _attributes(number, number % 11))


def _publish(engine: Engine, topic: str, messages: list[Sent]) -> None:
    sns = engine.client("sns")
    batch: list[dict[str, Any]] = []
    for sent in [*messages, None]:
        if batch and (
            sent is None or len(batch) == 10 or len(sent.body) > 10_000 or len(batch[-1]["Message"]) > 10_000
        ):
            answer = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=batch)
            assert not answer.get("Failed")
            batch = []
        if sent is not None:
            batch.append({"Id": str(len(batch)), "Message": sent.body, "MessageAttributes": sent.attributes})


def _unwrapped(line: str) -> str:
    document: dict[str, str] = json.loads(line)
    return document["data"] if document["type"] == MESSAGE_RECEIVED else line


def _comparable(body: str, attributes: dict[str, dict[str, Any]]) -> tuple[str, ...]:
    return body, *(f"{name} {sorted(value.items())}" for name, value in sorted(attributes.items()))


def test_everything_on_a_foreign_topic_is_backed_up_and_replayed_as_it_was(engine: Engine) -> None:
    topic = make_topic(engine, "made-by-hand")
    destination = str(engine.client("sqs").create_queue(QueueName="destination-of-replay")["QueueUrl"])
    backup = Pipeline(engine, "backup", topic, "backup-alone")
    replay = Pipeline(
        engine, "replay", topic, "replay-alone", DestinationQueueName="destination-of-replay", ReplayEnabled="true"
    )
    generator = random.Random(42)
    sent = [_message(number, generator) for number in range(MESSAGES)]
    _publish(engine, topic, sent)

    bucket = backup.outputs["BackupBucketName"]
    lines = eventually(lambda: found if len(found := backed_up(engine, bucket)) >= len(sent) else None, "every line")
    redact = Redactor().text
    assert Counter(map(_unwrapped, lines)) == Counter(
        redact(one.body) if one.body.startswith("call") else one.body for one in sent
    )
    assert not [card for card in CARDS for line in lines if card in line]
    assert [number for number in NO_CARDS if any(number in line for line in lines)] == list(NO_CARDS)

    carried = [one for one in sent if len(one.attributes) < MOST_ATTRIBUTES]
    replayed = eventually(_Collected(engine, destination, len(carried)), "every message at the destination")
    marks = [json.loads(message["MessageAttributes"].pop(MARKER)["StringValue"]) for message in replayed]
    assert marks == [{"job": "operator", "hop": 1}] * len(carried)
    assert Counter(_comparable(one["Body"], one["MessageAttributes"]) for one in replayed) == Counter(
        _comparable(*one) for one in carried
    )
    quarantine = replay.outputs["ReplayQuarantineQueueUrl"]
    parked = eventually(_Collected(engine, quarantine, len(sent) - len(carried)), "every message that cannot be marked")
    assert len(carried) + len(parked) == len(sent)
    assert "would be one too many" in parked[0]["MessageAttributes"]["quarantine-reason"]["StringValue"]
    print(f"sent {len(sent)}, backed up {len(lines)}, replayed {len(replayed)}, parked {len(parked)}, lost 0")
    backup.remove()
    replay.remove()


class _Collected:
    """Collects what arrives on a queue until it is as much as wanted."""

    def __init__(self, engine: Engine, url: str, wanted: int) -> None:
        self._engine, self._url, self._wanted = engine, url, wanted
        self._messages: list[dict[str, Any]] = []

    def __call__(self) -> list[dict[str, Any]] | None:
        self._messages += looked_at(self._engine, self._url)
        return self._messages if len(self._messages) >= self._wanted else None


def _typed(number: int, kind: str) -> Sent:
    return Sent(event(number, kind), {"type": {"DataType": "String", "StringValue": kind}})


def test_two_backups_side_by_side_each_take_their_events_into_their_bucket(engine: Engine) -> None:
    topic = make_topic(engine, "of-three-kinds")
    sold = Pipeline(engine, "backup", topic, "backup-sold", SubscriptionFilterPolicy='{"type": ["shop.Sold"]}')
    rest = Pipeline(
        engine, "backup", topic, "backup-rest", SubscriptionFilterPolicy='{"type": ["shop.Seen", "shop.Left"]}'
    )
    kinds = ("shop.Sold", "shop.Seen", "shop.Left")
    _publish(engine, topic, [_typed(number, kinds[number % 3]) for number in range(30)])

    def stored(pipeline: Pipeline, wanted: int) -> Counter[str]:
        bucket = pipeline.outputs["BackupBucketName"]
        lines = eventually(lambda: found if len(found := backed_up(engine, bucket)) >= wanted else None, "every line")
        return Counter(json.loads(line)["type"] for line in lines)

    assert stored(sold, 10) == {"shop.Sold": 10}
    assert stored(rest, 20) == {"shop.Seen": 10, "shop.Left": 10}
    assert sold.outputs["BackupBucketName"] != rest.outputs["BackupBucketName"]
    sold.remove()
    rest.remove()


def test_a_pipeline_removed_while_orders_flow_disturbs_no_other(engine: Engine) -> None:
    topic = make_topic(engine, "that-flows")
    checkout = Pipeline(engine, "checkout", topic, "checkout-alone")
    backup = Pipeline(engine, "backup", topic, "backup-stays")
    leaving = Pipeline(engine, "replay", topic, "replay-leaves")
    sample = parse((PROJECT_ROOT / "events" / "checkout-topic.json").read_text(encoding="utf-8"))["data"]
    events = [
        checkout_events.order_submitted({**sample, "id": f"flow-{number}"}, datetime.now(UTC)) for number in range(40)
    ]
    messages = [Sent(render(one), {}) for one in events]
    _publish(engine, topic, messages[:20])
    leaving.remove()
    _publish(engine, topic, messages[20:])

    wanted = {one["id"] for one in events}
    table, bucket = checkout.outputs["CheckoutTableName"], backup.outputs["BackupBucketName"]
    scan = engine.client("dynamodb").scan
    eventually(lambda: wanted <= {item["EventId"]["S"] for item in scan(TableName=table)["Items"]}, "every row")
    eventually(lambda: wanted <= {json.loads(line)["id"] for line in backed_up(engine, bucket)}, "every line")
    checkout.remove()
    backup.remove()


def test_consumers_take_their_events_off_a_bus_that_was_made_by_hand(engine: Engine) -> None:
    events = engine.client("events")
    bus = events.create_event_bus(Name="made-by-hand")["EventBusArn"]
    customers = Standalone(engine, "applications/customers", "customers-alone", EventBusName="made-by-hand")
    screening = Standalone(engine, "applications/fraud-screening", "screening-alone", EventBusName=bus)
    samples = [
        json.loads((PROJECT_ROOT / "events" / f"{name}-event.json").read_text(encoding="utf-8"))
        for name in ("customer-created", "order-placed", "order-changed")
    ]
    entries = [
        {
            "EventBusName": "made-by-hand",
            "Source": sample["source"],
            "DetailType": sample["detail-type"],
            "Detail": json.dumps(sample["detail"]),
        }
        for sample in samples
    ]
    assert events.put_events(Entries=entries)["FailedEntryCount"] == 0

    def rows(table: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = engine.client("dynamodb").scan(TableName=table)["Items"]
        return found

    [customer] = eventually(lambda: rows(customers.outputs["CustomerTableName"]), "the customer")
    assert customer["EventId"] == {"S": samples[0]["detail"]["metadata"]["id"]}
    [verdict] = eventually(lambda: rows(screening.outputs["FraudScreeningTableName"]), "the verdict")
    assert verdict["EventId"] == {"S": samples[1]["detail"]["metadata"]["id"]}
    customers.remove()
    screening.remove()


def test_a_bus_is_fed_by_the_stream_of_an_orders_table_of_another_stack(engine: Engine) -> None:
    topic = make_topic(engine, "of-told-orders")
    checkout = Pipeline(engine, "checkout", topic, "checkout-told")
    stream = checkout.outputs["CheckoutTableStreamArn"]
    bus = Standalone(engine, "applications/bus", "bus-alone", OrdersStreamArn=stream)
    sample = parse((PROJECT_ROOT / "events" / "checkout-topic.json").read_text(encoding="utf-8"))["data"]
    orders = [
        checkout_events.order_submitted({**sample, "id": f"told-{number}"}, datetime.now(UTC)) for number in range(30)
    ]
    _publish(engine, topic, [Sent(render(one), {}) for one in orders])

    bucket = bus.outputs["HistoryBucketName"]
    lines = eventually(
        lambda: found if len(found := backed_up(engine, bucket, "bus/")) >= len(orders) else None, "every event"
    )
    told = [json.loads(line) for line in lines]
    assert {event["detail-type"] for event in told} == {"OrderPlaced"}
    assert Counter(event["detail"]["metadata"]["causationId"] for event in told) == Counter(one["id"] for one in orders)
    assert not looked_at(engine, bus.outputs["OrderStreamQuarantineQueueUrl"])
    bus.remove()
    checkout.remove()
