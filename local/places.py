"""Looking at each place where orders arrive: what is read is the evidence itself, never a count or a log line."""

from __future__ import annotations

import contextlib
import gzip
import json
import uuid
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from types import TracebackType
from typing import Any, Final, Self

from local.arrivals import Place, Sighting, Watch
from local.deployment import DeploymentTarget
from local.search_index import SearchIndex

__all__ = ["BackupWatch", "ReplayQueueWatch", "SearchWatch", "TableWatch", "TopicWatch", "watches"]

API_SOURCE: Final = "eventfork.checkout"
AMOUNT: Final = "amount"
TOPIC_WAIT_SECONDS: Final = 1
HOLD_SECONDS: Final = 30
MESSAGES_AT_ONCE: Final = 10
RECEIVES_LEFT_ALONE: Final = 2


class TopicWatch:
    """Sees what the topic delivers, by a queue of its own that is subscribed to it as long as the watch is open.

    An event of the checkout API is evidence for the API too: only the API publishes under that source, and it answers
    202 once the topic has the event. What an order comes to is taken from the attribute that subscriptions filter by.

    Parameters
    ----------
    sns, sqs
        Clients.
    topic_arn
        The topic.
    """

    place = Place.TOPIC

    def __init__(self, sns: Any, sqs: Any, topic_arn: str) -> None:
        self._sns = sns
        self._sqs = sqs
        self._topic_arn = topic_arn
        self._queue_url = ""
        self._subscription_arn = ""

    def __enter__(self) -> Self:
        name = f"eventfork-watch-{uuid.uuid4().hex[:12]}"
        self._queue_url = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        attributes = self._sqs.get_queue_attributes(QueueUrl=self._queue_url, AttributeNames=["QueueArn"])
        queue_arn = attributes["Attributes"]["QueueArn"]
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue_arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": self._topic_arn}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self._sqs.set_queue_attributes(QueueUrl=self._queue_url, Attributes={"Policy": policy})
        self._subscription_arn = self._sns.subscribe(
            TopicArn=self._topic_arn,
            Protocol="sqs",
            Endpoint=queue_arn,
            Attributes={"RawMessageDelivery": "true"},
            ReturnSubscriptionArn=True,
        )["SubscriptionArn"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._sns.unsubscribe(SubscriptionArn=self._subscription_arn)
        self._sqs.delete_queue(QueueUrl=self._queue_url)

    def look(self, pending: Collection[str]) -> Iterator[Sighting]:  # noqa: ARG002
        """Return what the topic delivered since the last look; waits up to a second for the first event."""
        wait = TOPIC_WAIT_SECONDS
        options = {"MessageAttributeNames": [AMOUNT]}
        while messages := _received(self._sqs, self._queue_url, WaitTimeSeconds=wait, **options):
            for message in messages:
                event = _event(message["Body"])
                if event is not None:
                    if event.get("source") == API_SOURCE:
                        yield _sighting(Place.API, event)
                    yield _sighting(Place.TOPIC, event, message.get("MessageAttributes", {}).get(AMOUNT))
            entries = [{"Id": str(number), "ReceiptHandle": m["ReceiptHandle"]} for number, m in enumerate(messages)]
            self._sqs.delete_message_batch(QueueUrl=self._queue_url, Entries=entries)
            wait = 0


class TableWatch:
    """Sees the rows of the orders table.

    Parameters
    ----------
    dynamodb
        Client.
    table_name
        The table.
    """

    place = Place.TABLE

    def __init__(self, dynamodb: Any, table_name: str) -> None:
        self._scan = dynamodb.get_paginator("scan")
        self._table_name = table_name

    def look(self, pending: Collection[str]) -> Iterator[Sighting]:
        """Return the pending events that a row was written from."""
        if not pending:
            return
        for page in self._scan.paginate(TableName=self._table_name, ProjectionExpression="EventId, OrderId"):
            for row in page["Items"]:
                event_id = row.get("EventId", {}).get("S")
                if event_id in pending:
                    yield Sighting(Place.TABLE, event_id, row["OrderId"]["S"])


class BackupWatch:
    """Sees the lines of the backup's objects; each object is read once.

    Parameters
    ----------
    s3
        Client.
    bucket
        The backup's bucket.
    """

    place = Place.BACKUP

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._read: set[str] = set()

    def look(self, pending: Collection[str]) -> Iterator[Sighting]:
        """Return the events of objects written since the last look, if any are pending."""
        if not pending:
            return
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket):
            for entry in page.get("Contents", []):
                key = entry["Key"]
                if key.endswith(".gz") and key not in self._read:
                    content = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
                    for line in gzip.decompress(content).decode().split("\n"):
                        event = _event(line)
                        if event is not None:
                            yield _sighting(Place.BACKUP, event)
                    self._read.add(key)


class ReplayQueueWatch:
    """Sees the messages of the replay queue without taking any away.

    A look is a receive all the same, and counts towards the receives after which a message goes to the dead-letter
    queue. So it looks only when as many messages have come as are pending, or some have and no more follow, gives
    every one back at once, and stops looking altogether a little before that number.

    Parameters
    ----------
    sqs
        Client.
    queue_url
        The replay queue.
    """

    place = Place.REPLAY_QUEUE

    def __init__(self, sqs: Any, queue_url: str) -> None:
        self._sqs = sqs
        self._queue_url = queue_url
        self._known = 0
        self._counted = 0
        self._exhausted = False

    def look(self, pending: Collection[str]) -> Iterator[Sighting]:
        """Return the events on the queue, if it is time to look."""
        if not pending or self._exhausted:
            return
        attributes = self._attributes()
        counted, self._counted = self._counted, int(attributes["ApproximateNumberOfMessages"])
        # Fewer than known: somebody took some away.
        self._known = min(self._known, self._counted)
        arrived = self._counted - self._known
        if not arrived or (arrived < len(pending) and self._counted != counted):
            return
        limit = json.loads(attributes.get("RedrivePolicy", "{}")).get("maxReceiveCount")
        messages = self._every_message()
        self._known = len(messages)
        received = max((int(message["Attributes"]["ApproximateReceiveCount"]) for message in messages), default=0)
        self._exhausted = limit is not None and received + RECEIVES_LEFT_ALONE >= int(limit)
        for message in messages:
            event = _event(message["Body"])
            if event is not None:
                yield _sighting(Place.REPLAY_QUEUE, event)

    def _attributes(self) -> Mapping[str, str]:
        names = ["ApproximateNumberOfMessages", "RedrivePolicy"]
        answer = self._sqs.get_queue_attributes(QueueUrl=self._queue_url, AttributeNames=names)
        attributes: Mapping[str, str] = answer["Attributes"]
        return attributes

    def _every_message(self) -> list[dict[str, Any]]:
        # Held for a while, so that the next receive gives the next ones.
        held: list[dict[str, Any]] = []
        try:
            while messages := _received(
                self._sqs,
                self._queue_url,
                VisibilityTimeout=HOLD_SECONDS,
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            ):
                held += messages
        finally:
            for start in range(0, len(held), MESSAGES_AT_ONCE):
                entries = [
                    {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 0}
                    for number, message in enumerate(held[start : start + MESSAGES_AT_ONCE])
                ]
                self._sqs.change_message_visibility_batch(QueueUrl=self._queue_url, Entries=entries)
        return held


class SearchWatch:
    """Sees the documents of the search index.

    Parameters
    ----------
    index
        The index.
    """

    place = Place.SEARCH_INDEX

    def __init__(self, index: SearchIndex) -> None:
        self._index = index

    def look(self, pending: Collection[str]) -> Iterator[Sighting]:
        """Return the pending events that a document was written from."""
        for document in self._index.documents(sorted(pending)):
            yield _sighting(Place.SEARCH_INDEX, document)


@contextlib.contextmanager
def watches(
    engine: DeploymentTarget, outputs: Mapping[str, str], index: SearchIndex | None = None
) -> Iterator[list[Watch]]:
    """Watch every place of a deployed stack for as long as the context lasts.

    Parameters
    ----------
    engine
        The engine it is deployed to.
    outputs
        The stack's outputs.
    index
        The search index, if there is one.
    """
    sqs = engine.client("sqs")
    with TopicWatch(engine.client("sns"), sqs, outputs["CheckoutEventsTopicArn"]) as topic:
        yield [
            topic,
            TableWatch(engine.client("dynamodb"), outputs["CheckoutTableName"]),
            BackupWatch(engine.client("s3"), outputs["BackupBucketName"]),
            ReplayQueueWatch(sqs, outputs["ReplayQueueUrl"]),
            *([] if index is None else [SearchWatch(index)]),
        ]


def _received(sqs: Any, queue_url: str, **options: Any) -> list[dict[str, Any]]:
    answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=MESSAGES_AT_ONCE, **options)
    messages: list[dict[str, Any]] = answer.get("Messages", [])
    return messages


def _event(text: str) -> dict[str, Any] | None:
    # Anyone may publish anything to the topic: what is no CloudEvent is none of ours.
    try:
        event = json.loads(text)
    except ValueError:
        return None
    return event if isinstance(event, dict) and isinstance(event.get("id"), str) else None


def _sighting(place: Place, event: Mapping[str, Any], amount: Mapping[str, str] | None = None) -> Sighting:
    # The topic takes nothing but a number as the value of an attribute of that type.
    number = Decimal(amount["StringValue"]) if amount and amount["DataType"] == "Number" else None
    return Sighting(place, event["id"], str(event.get("subject", "")), number)
