"""How queues bring messages to functions, and topics to queues."""

from __future__ import annotations

import json
from typing import Any

from tests.engine.workbench import Workbench

REPORTING = """
import json, os, boto3
sqs = boto3.client("sqs")
def handler(event, context):
    bodies = [record["body"] for record in event["Records"]]
    sqs.send_message(QueueUrl=os.environ["REPORTS"], MessageBody=json.dumps([body[:40] for body in bodies]))
    answer = json.loads(os.environ["ANSWER"])
    if answer == "first":
        return {"batchItemFailures": [{"itemIdentifier": event["Records"][0]["messageId"]}]}
    return answer
"""

MALFORMED = {
    "empty id": {"batchItemFailures": [{"itemIdentifier": ""}]},
    "null id": {"batchItemFailures": [{"itemIdentifier": None}]},
    "misspelt key": {"batchItemFailures": [{"messageId": "misspelt"}]},
    "foreign id": {"batchItemFailures": [{"itemIdentifier": "of another batch"}]},
    "no object": "no object",
}


class Consumer:
    """A queue whose messages a function takes, which reports every batch it is given."""

    def __init__(self, workbench: Workbench, answer: object, visibility: int = 300, **mapping: Any) -> None:
        self.workbench = workbench
        self.url, arn = workbench.queue(VisibilityTimeout=str(visibility))
        self.reports, _arn = workbench.queue()
        function = workbench.function(
            REPORTING, Environment={"Variables": {"REPORTS": self.reports, "ANSWER": json.dumps(answer)}}
        )
        self._mapping = {"EventSourceArn": arn, "FunctionName": function, **mapping}

    def send(self, bodies: list[str]) -> None:
        """Send messages, ten at a time."""
        for start in range(0, len(bodies), 10):
            entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies[start : start + 10])]
            self.workbench.client("sqs").send_message_batch(QueueUrl=self.url, Entries=entries)

    def start(self) -> None:
        """Let the function take messages."""
        self.workbench.client("lambda").create_event_source_mapping(**self._mapping)

    def batches(self, count: int) -> list[list[str]]:
        """Return the first batches the function was given."""
        return [json.loads(report["Body"]) for report in self.workbench.messages(self.reports, count)]

    def left(self) -> int:
        """Return how many messages are still in the queue, taken or not."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.workbench.client("sqs").get_queue_attributes(QueueUrl=self.url, AttributeNames=names)
        return sum(int(answer["Attributes"][name]) for name in names)


def test_a_batch_holds_more_than_ten_messages(workbench: Workbench) -> None:
    """With a batch size of 100, thirty waiting messages come as one batch."""
    consumer = Consumer(workbench, None, BatchSize=100, MaximumBatchingWindowInSeconds=1)
    consumer.send([f"order {n}" for n in range(30)])
    consumer.start()
    assert sorted(consumer.batches(1)[0]) == sorted(f"order {n}" for n in range(30))
    workbench.wait_for(lambda: consumer.left() == 0)


def test_a_window_gathers_messages_sent_one_after_the_other(workbench: Workbench) -> None:
    """Messages that arrive within the batching window come together."""
    consumer = Consumer(workbench, None, BatchSize=50, MaximumBatchingWindowInSeconds=3)
    consumer.start()
    for n in range(5):
        consumer.send([f"order {n}"])
    assert len(consumer.batches(1)[0]) == 5


def test_a_batch_stays_below_six_megabytes(workbench: Workbench) -> None:
    """Forty messages of 250 KB, ten megabytes, come as more than one batch, and all of them come."""
    consumer = Consumer(workbench, None, BatchSize=100, MaximumBatchingWindowInSeconds=1)
    for n in range(40):
        consumer.send([f"{n}".ljust(250_000, "x")])
    consumer.start()
    batches = consumer.batches(2)
    assert sum(map(len, batches)) == 40
    assert all(len(batch) * 250_000 < 6 * 1024 * 1024 for batch in batches)


def test_a_malformed_list_of_failures_keeps_the_whole_batch(workbench: Workbench) -> None:
    """No message is deleted when the function's answer does not say which ones failed: they come again."""
    consumers = {
        name: Consumer(workbench, answer, visibility=1, BatchSize=10, FunctionResponseTypes=["ReportBatchItemFailures"])
        for name, answer in MALFORMED.items()
    }
    for consumer in consumers.values():
        consumer.send(["one", "two"])
        consumer.start()
    for name, consumer in consumers.items():
        deliveries = [body for batch in consumer.batches(4) for body in batch]
        assert min(deliveries.count("one"), deliveries.count("two")) > 1, name


def test_an_empty_list_of_failures_means_success(workbench: Workbench) -> None:
    """An absent, null or empty list deletes the whole batch."""
    answers = (None, {}, {"batchItemFailures": None}, {"batchItemFailures": []})
    settings: dict[str, Any] = {"BatchSize": 10, "FunctionResponseTypes": ["ReportBatchItemFailures"]}
    consumers = [Consumer(workbench, answer, **settings) for answer in answers]
    for consumer in consumers:
        consumer.send(["one", "two"])
        consumer.start()
    workbench.wait_for(lambda: [consumer.left() for consumer in consumers] == [0] * len(consumers))


def test_only_the_reported_message_stays(workbench: Workbench) -> None:
    """A well-formed list keeps the messages it names and deletes the others."""
    consumer = Consumer(workbench, "first", BatchSize=10, FunctionResponseTypes=["ReportBatchItemFailures"])
    consumer.send(["one", "two", "three"])
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
