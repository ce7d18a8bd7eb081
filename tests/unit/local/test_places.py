"""Each place shows the events that are really there, and is left as it was."""

import gzip
import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import boto3
import moto
import pytest

from local.arrivals import Place, Sighting
from local.places import BackupWatch, ReplayQueueWatch, SearchWatch, TableWatch, TopicWatch
from local.search_index import SearchIndex


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An AWS in memory."""
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    with moto.mock_aws():
        yield


def client(service: str) -> Any:
    """Return a client of the AWS in memory."""
    return boto3.client(service, "us-east-1", aws_access_key_id="test", aws_secret_access_key="test")


def event(number: int, source: str = "eventfork.checkout") -> str:
    """Write the event of an order."""
    return json.dumps({"specversion": "1.0", "id": f"event-{number}", "source": source, "subject": f"order-{number}"})


def sighting(place: Place, number: int) -> Sighting:
    """Return what is seen of that event."""
    return Sighting(place, f"event-{number}", f"order-{number}")


class TestTopicWatch:
    """What the topic delivers."""

    def test_every_event_is_seen_once(self) -> None:
        """Each event is seen as delivered by the topic and as accepted by the API, in one look and no more."""
        sns, sqs = client("sns"), client("sqs")
        topic = sns.create_topic(Name="checkout")["TopicArn"]
        with TopicWatch(sns, sqs, topic) as watch:
            for number in range(23):
                sns.publish(TopicArn=topic, Message=event(number))
            seen = list(watch.look(()))
            assert list(watch.look(())) == []
        assert len(seen) == 46
        assert set(seen) == {sighting(place, n) for place in (Place.API, Place.TOPIC) for n in range(23)}

    def test_other_publishers_are_no_evidence_for_the_api(self) -> None:
        """An event under another source has not come by the API, and what is no event at all is passed over."""
        sns, sqs = client("sns"), client("sqs")
        topic = sns.create_topic(Name="checkout")["TopicArn"]
        with TopicWatch(sns, sqs, topic) as watch:
            for message in ("no JSON", "[1]", '{"id": 7}', event(1, source="somebody.else")):
                sns.publish(TopicArn=topic, Message=message)
            assert list(watch.look(())) == [sighting(Place.TOPIC, 1)]

    def test_the_amount_is_the_one_that_subscriptions_filter_by(self) -> None:
        """It is told with the event as delivered by the topic, if it is a number."""
        sns, sqs = client("sns"), client("sqs")
        topic = sns.create_topic(Name="checkout")["TopicArn"]
        with TopicWatch(sns, sqs, topic) as watch:
            for number, kind in enumerate(("Number", "String")):
                attribute = {"DataType": kind, "StringValue": "128.4"}
                sns.publish(TopicArn=topic, Message=event(number), MessageAttributes={"amount": attribute})
            seen = {sighting.event_id: sighting.amount for sighting in watch.look(()) if sighting.place is Place.TOPIC}
        assert seen == {"event-0": Decimal("128.4"), "event-1": None}

    def test_nothing_is_left_behind(self) -> None:
        """The watch's queue and subscription go with it."""
        sns, sqs = client("sns"), client("sqs")
        topic = sns.create_topic(Name="checkout")["TopicArn"]
        with TopicWatch(sns, sqs, topic):
            assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []
        assert "QueueUrls" not in sqs.list_queues()


class TestTableWatch:
    """What the orders table holds."""

    def test_rows_of_pending_events_are_seen(self) -> None:
        """A pending event is seen once a row names it; rows of other events, or of none, are not."""
        dynamodb = client("dynamodb")
        dynamodb.create_table(
            TableName="orders",
            KeySchema=[{"AttributeName": "CustomerId", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "CustomerId", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        dynamodb.put_item(TableName="orders", Item={"CustomerId": {"S": "without an event"}})
        for number in (1, 2):
            row = {"CustomerId": f"customer-{number}", "EventId": f"event-{number}", "OrderId": f"order-{number}"}
            dynamodb.put_item(TableName="orders", Item={name: {"S": value} for name, value in row.items()})
        watch = TableWatch(dynamodb, "orders")
        assert list(watch.look({"event-2", "event-3"})) == [sighting(Place.TABLE, 2)]
        assert list(watch.look(set())) == []


class TestBackupWatch:
    """What the backup's objects hold."""

    def test_each_object_is_read_once(self) -> None:
        """The lines of new compressed objects are seen, other objects are not read, and none is read twice."""
        s3 = client("s3")
        s3.create_bucket(Bucket="backup")
        watch = BackupWatch(s3, "backup")
        lines = f"{event(1)}\n{event(2)}\nno event\n"
        s3.put_object(Bucket="backup", Key="events/1.gz", Body=gzip.compress(lines.encode()))
        s3.put_object(Bucket="backup", Key="errors/1.txt", Body=event(9).encode())
        assert list(watch.look(set())) == []
        assert list(watch.look({"event-1"})) == [sighting(Place.BACKUP, 1), sighting(Place.BACKUP, 2)]
        s3.put_object(Bucket="backup", Key="events/2.gz", Body=gzip.compress(f"{event(3)}\n".encode()))
        assert list(watch.look({"event-3"})) == [sighting(Place.BACKUP, 3)]


class TestReplayQueueWatch:
    """What the replay queue keeps."""

    def queue(self, maximum_receives: int) -> tuple[Any, str]:
        """Create a queue with a dead-letter queue."""
        sqs = client("sqs")
        dead_letters = sqs.create_queue(QueueName="dead-letters")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=dead_letters, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": maximum_receives})
        return sqs, sqs.create_queue(QueueName="replay", Attributes={"RedrivePolicy": redrive})["QueueUrl"]

    def send(self, sqs: Any, queue_url: str, *numbers: int) -> None:
        """Put events on the queue."""
        for number in numbers:
            sqs.send_message(QueueUrl=queue_url, MessageBody=event(number))

    def visible(self, sqs: Any, queue_url: str) -> int:
        """Count the messages that anybody could receive now."""
        names = ["ApproximateNumberOfMessages"]
        return int(sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)["Attributes"][names[0]])

    def test_messages_are_seen_and_stay(self) -> None:
        """All messages are seen, more than one receive gives, and can be received by others right after."""
        sqs, url = self.queue(1000)
        self.send(sqs, url, *range(23))
        seen = list(ReplayQueueWatch(sqs, url).look({f"event-{number}" for number in range(23)}))
        assert set(seen) == {sighting(Place.REPLAY_QUEUE, number) for number in range(23)}
        assert self.visible(sqs, url) == 23

    def test_it_looks_only_when_there_is_something_to_see(self) -> None:
        """Without pending events, or with no more messages than are known, no message is received."""
        sqs, url = self.queue(1000)
        self.send(sqs, url, 1)
        watch = ReplayQueueWatch(sqs, url)
        assert list(watch.look(set())) == []
        assert list(watch.look({"event-1"})) == [sighting(Place.REPLAY_QUEUE, 1)]
        assert list(watch.look({"event-2"})) == []
        [message] = sqs.receive_message(QueueUrl=url, AttributeNames=["ApproximateReceiveCount"])["Messages"]
        assert message["Attributes"]["ApproximateReceiveCount"] == "2"

    def test_it_does_not_wait_for_a_message_that_never_comes(self) -> None:
        """When some of the pending events have come and no more follow, those are seen."""
        sqs, url = self.queue(1000)
        self.send(sqs, url, 1)
        watch = ReplayQueueWatch(sqs, url)
        assert list(watch.look({"event-1", "lost"})) == []
        assert list(watch.look({"event-1", "lost"})) == [sighting(Place.REPLAY_QUEUE, 1)]

    def test_it_goes_on_after_somebody_emptied_the_queue(self) -> None:
        """Messages that come after a replay has taken the earlier ones are seen as well."""
        sqs, url = self.queue(1000)
        watch = ReplayQueueWatch(sqs, url)
        self.send(sqs, url, 1, 2)
        assert len(list(watch.look({"event-1", "event-2"}))) == 2
        sqs.purge_queue(QueueUrl=url)
        assert list(watch.look({"event-3"})) == []
        self.send(sqs, url, 3)
        assert list(watch.look({"event-3"})) == [sighting(Place.REPLAY_QUEUE, 3)]

    def test_it_drives_no_message_to_the_dead_letter_queue(self) -> None:
        """However many orders come, looking never uses up a message's receives."""
        sqs, url = self.queue(4)
        watch = ReplayQueueWatch(sqs, url)
        for number in range(6):
            self.send(sqs, url, number)
            list(watch.look({f"event-{number}"}))
        assert self.visible(sqs, url) == 6


class TestSearchWatch:
    """What the search index holds."""

    def test_documents_of_pending_events_are_seen(self) -> None:
        """A pending event is seen once a document was written from it."""

        class Index(SearchIndex):
            def documents(self, event_ids: Sequence[str]) -> Iterator[dict[str, Any]]:
                """Return the one document there is, if it is asked for."""
                yield from (json.loads(event(2)) for event_id in event_ids if event_id == "event-2")

        watch = SearchWatch(Index("http://127.0.0.1:9200", "orders"))
        assert list(watch.look({"event-1", "event-2"})) == [sighting(Place.SEARCH_INDEX, 2)]
        assert list(watch.look({"event-1"})) == []
