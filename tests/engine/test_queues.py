"""How queues bring messages to functions, and topics to queues."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from tests.engine.workbench import Workbench

REPORTING = """
import json, boto3
sqs = boto3.client("sqs")
def handler(event, context):
    orders = [json.loads(record["body"]) for record in event["Records"]]
    report = json.dumps([order["text"] for order in orders])
    sqs.send_message(QueueUrl=orders[0]["reports"], MessageBody=report)
    if orders[0]["answer"] == "first":
        return {"batchItemFailures": [{"itemIdentifier": event["Records"][0]["messageId"]}]}
    return orders[0]["answer"]
"""

MALFORMED: dict[str, object] = {
    "empty id": {"batchItemFailures": [{"itemIdentifier": ""}]},
    "null id": {"batchItemFailures": [{"itemIdentifier": None}]},
    "misspelt key": {"batchItemFailures": [{"messageId": "misspelt"}]},
    "foreign id": {"batchItemFailures": [{"itemIdentifier": "of another batch"}]},
    "no object": "no object",
}
EMPTY: tuple[object, ...] = (None, {}, {"batchItemFailures": None}, {"batchItemFailures": []})
PARTIAL: dict[str, Any] = {"BatchSize": 10, "FunctionResponseTypes": ["ReportBatchItemFailures"]}


class Consumer:
    """A queue whose messages a function takes; it reports every batch and answers what the messages say."""

    def __init__(
        self, workbench: Workbench, function: str, answer: object = None, *, visibility: int = 300, **mapping: Any
    ) -> None:
        self._workbench = workbench
        self._answer = answer
        self._url, arn = workbench.queue(VisibilityTimeout=str(visibility))
        self._reports, _arn = workbench.queue()
        self._mapping = {"EventSourceArn": arn, "FunctionName": function, **mapping}

    def send(self, *texts: str, padding: int = 0) -> None:
        """Send a message per text, each made longer by the padding."""
        for text in texts:
            body = {"text": text, "reports": self._reports, "answer": self._answer, "padding": "x" * padding}
            self._workbench.client("sqs").send_message(QueueUrl=self._url, MessageBody=json.dumps(body))

    def start(self) -> None:
        """Let the function take messages."""
        self._workbench.client("lambda").create_event_source_mapping(**self._mapping)

    def batches(self, count: int) -> list[list[str]]:
        """Return the texts of the next batches the function was given."""
        return [json.loads(report["Body"]) for report in self._workbench.messages(self._reports, count)]

    def left(self) -> int:
        """Return how many messages are still in the queue, taken or not."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self._workbench.client("sqs").get_queue_attributes(QueueUrl=self._url, AttributeNames=names)
        return sum(int(answer["Attributes"][name]) for name in names)


@pytest.fixture(scope="module")
def function(workbench: Workbench) -> str:
    """Return the function that takes the messages of every test."""
    return workbench.function(REPORTING)


def test_a_batch_holds_more_than_ten_messages(workbench: Workbench, function: str) -> None:
    """With a batch size of 100, thirty waiting messages come as one batch."""
    consumer = Consumer(workbench, function, BatchSize=100, MaximumBatchingWindowInSeconds=1)
    orders = [f"order {n}" for n in range(30)]
    consumer.send(*orders)
    consumer.start()
    assert sorted(consumer.batches(1)[0]) == sorted(orders)
    workbench.wait_for(lambda: consumer.left() == 0)


def test_a_window_gathers_messages_sent_one_after_the_other(workbench: Workbench, function: str) -> None:
    """Messages that arrive within the batching window come together."""
    consumer = Consumer(workbench, function, BatchSize=50, MaximumBatchingWindowInSeconds=5)
    consumer.start()
    consumer.send(*"12345")
    assert len(consumer.batches(1)[0]) == 5


def test_a_batch_stays_below_six_megabytes(workbench: Workbench, function: str) -> None:
    """Forty messages of 250 KB, ten megabytes, come as more than one batch, and all of them come."""
    consumer = Consumer(workbench, function, BatchSize=100, MaximumBatchingWindowInSeconds=1)
    consumer.send(*map(str, range(40)), padding=250_000)
    consumer.start()
    batches = consumer.batches(2)
    assert sum(map(len, batches)) == 40
    assert all(len(batch) * 250_000 < 6 * 1024 * 1024 for batch in batches)


def test_a_malformed_list_of_failures_keeps_the_whole_batch(workbench: Workbench, function: str) -> None:
    """No message is deleted when the function's answer does not say which ones failed: they come again."""
    consumers = {
        name: Consumer(workbench, function, answer, visibility=1, **PARTIAL) for name, answer in MALFORMED.items()
    }
    for consumer in consumers.values():
        consumer.send("one", "two")
        consumer.start()
    for name, consumer in consumers.items():
        deliveries: Counter[str] = Counter()
        while deliveries["one"] < 2 or deliveries["two"] < 2:
            for batch in consumer.batches(1):
                deliveries.update(batch)
            assert deliveries.total() < 100, name


def test_an_empty_list_of_failures_means_success(workbench: Workbench, function: str) -> None:
    """An absent, null or empty list deletes the whole batch."""
    consumers = [Consumer(workbench, function, answer, **PARTIAL) for answer in EMPTY]
    for consumer in consumers:
        consumer.send("one", "two")
        consumer.start()
    workbench.wait_for(lambda: [consumer.left() for consumer in consumers] == [0] * len(consumers))


def test_only_the_reported_message_stays(workbench: Workbench, function: str) -> None:
    """A well-formed list keeps the message it names and deletes the others."""
    consumer = Consumer(workbench, function, "first", **PARTIAL)
    consumer.send("one", "two", "three")
    consumer.start()
    workbench.wait_for(lambda: consumer.left() == 1)


def test_what_a_subscribed_queue_cannot_take_goes_to_the_dead_letter_queue(workbench: Workbench) -> None:
    """A matching message for a queue that is gone arrives in the subscription's dead-letter queue, as it was."""
    sns, sqs = workbench.client("sns"), workbench.client("sqs")
    gone_url, gone_arn = workbench.queue()
    dead_url, dead_arn = workbench.queue()
    topic = sns.create_topic(Name=workbench.name("topic"))["TopicArn"]
    sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=gone_arn,
        Attributes={
            "RawMessageDelivery": "true",
            "FilterPolicy": json.dumps({"amount": [{"numeric": [">=", 100]}]}),
            "RedrivePolicy": json.dumps({"deadLetterTargetArn": dead_arn}),
        },
    )
    sqs.delete_queue(QueueUrl=gone_url)
    for amount in ("99", "100"):
        attributes = {"amount": {"DataType": "Number", "StringValue": amount}}
        sns.publish(TopicArn=topic, Message=f"costs {amount}", MessageAttributes=attributes)
    [message] = workbench.messages(dead_url, 1)
    assert message["Body"] == "costs 100"
    assert message["MessageAttributes"]["amount"]["StringValue"] == "100"


def test_a_batch_published_to_a_topic_keeps_binary_attributes(workbench: Workbench) -> None:
    """Byte for byte, beside attributes of the other types."""
    sns = workbench.client("sns")
    url, arn = workbench.queue()
    topic = sns.create_topic(Name=workbench.name("topic"))["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    attributes = {
        "text": {"DataType": "String", "StringValue": "é"},
        "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff\n"},
    }
    entry = {"Id": "only", "Message": "one", "MessageAttributes": attributes}
    sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=[entry])
    [message] = workbench.messages(url, 1)
    assert message["MessageAttributes"] == attributes
