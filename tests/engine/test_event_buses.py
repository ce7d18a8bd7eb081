"""How an event bus archives its events, replays them, and delivers them to what its rules name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local.engine.process import REGION, Engine
from tests.engine.workbench import ROLE, Workbench

HOUR = timedelta(hours=1)
LIVE: dict[str, Any] = {"replay-name": [{"exists": False}]}
REPLAYED: dict[str, Any] = {"replay-name": [{"exists": True}]}
OPEN_TO_RULES = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": "*",
        },
    }
)
ARCHIVE = """
AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  Days: {Type: String}
  Caller: {Type: String}
Resources:
  Bus:
    Type: AWS::Events::EventBus
    Properties: {Name: !Ref AWS::StackName}
  Policy:
    Type: AWS::Events::EventBusPolicy
    Properties:
      EventBusName: !Ref Bus
      StatementId: OnlyOne
      Statement:
        Effect: Allow
        Principal: {AWS: !Ref Caller}
        Action: events:PutEvents
        Resource: !GetAtt Bus.Arn
        Condition: {StringEquals: {"events:source": shop}}
  Archive:
    Type: AWS::Events::Archive
    Properties:
      SourceArn: !GetAtt Bus.Arn
      RetentionDays: !Ref Days
      EventPattern: {source: [shop], "replay-name": [{exists: false}]}
Outputs:
  Name: {Value: !Ref Archive}
  Arn: {Value: !GetAtt Archive.Arn}
"""


class Bus:
    """An event bus with an archive of everything, and rules that lead to queues."""

    def __init__(self, workbench: Workbench) -> None:
        self.workbench = workbench
        self.name = workbench.name("bus")
        self.events = workbench.client("events")
        self.arn = self.events.create_event_bus(Name=self.name)["EventBusArn"]
        self.archive = self.events.create_archive(ArchiveName=self.name, EventSourceArn=self.arn)["ArchiveArn"]

    def rule(self, pattern: dict[str, Any], target_arn: str, **target: Any) -> str:
        """Add a rule with one target and return its ARN."""
        name = self.workbench.name("rule")
        rule = {"Name": name, "EventBusName": self.name}
        arn: str = self.events.put_rule(**rule, EventPattern=json.dumps(pattern))["RuleArn"]
        targets = [{"Id": "only", "Arn": target_arn, **target}]
        self.events.put_targets(Rule=name, EventBusName=self.name, Targets=targets)
        return arn

    def queue(self, pattern: dict[str, Any]) -> tuple[str, str]:
        """Add a queue with a rule that leads to it; return its URL and the rule's ARN."""
        url, arn = self.workbench.queue(Policy=OPEN_TO_RULES)
        return url, self.rule(pattern, arn)

    def put(self, *numbers: int, at: datetime | None = None) -> None:
        """Put an event for each number."""
        entry = {"Source": "shop", "DetailType": "Counted", "EventBusName": self.name, **({"Time": at} if at else {})}
        answer = self.events.put_events(Entries=[{**entry, "Detail": json.dumps({"number": n})} for n in numbers])
        assert answer["FailedEntryCount"] == 0

    def replay(self, start: datetime, end: datetime, **destination: Any) -> str:
        """Start a replay and return its name."""
        name = self.workbench.name("replay")
        self.events.start_replay(
            ReplayName=name,
            EventSourceArn=self.archive,
            EventStartTime=start,
            EventEndTime=end,
            Destination={"Arn": self.arn, **destination},
        )
        return name

    def ended(self, replay: str) -> dict[str, Any]:
        """Wait until a replay is over, and describe it."""

        def over() -> dict[str, Any] | None:
            found: dict[str, Any] = self.events.describe_replay(ReplayName=replay)
            return found if found["State"] in {"COMPLETED", "CANCELLED"} else None

        return self.workbench.wait_for(over)

    def waiting(self, url: str) -> int:
        """Return how many messages wait in a queue."""
        names = ["ApproximateNumberOfMessages"]
        answer = self.workbench.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)
        return int(answer["Attributes"][names[0]])


def numbers(messages: list[Any]) -> list[int]:
    """Return the numbers of events in messages."""
    return sorted(json.loads(message["Body"])["detail"]["number"] for message in messages)


@pytest.fixture
def bus(workbench: Workbench) -> Bus:
    """Return a new bus."""
    return Bus(workbench)


def test_a_replay_reaches_only_the_rules_it_names(bus: Bus) -> None:
    """Two rules take replayed events; the one that is named receives them, with the replay's name."""
    live, _rule = bus.queue(LIVE)
    one, rule = bus.queue(REPLAYED)
    other, _rule = bus.queue(REPLAYED)
    bus.put(1, 2)
    start = datetime.now(UTC) - HOUR
    replay = bus.replay(start, start + 2 * HOUR, FilterArns=[rule])
    assert bus.ended(replay)["State"] == "COMPLETED"
    messages = bus.workbench.messages(one, 2)
    assert numbers(messages) == [1, 2]
    assert {json.loads(message["Body"])["replay-name"] for message in messages} == {replay}
    assert (bus.waiting(live), bus.waiting(other)) == (2, 0)


def test_a_replay_that_names_no_rule_reaches_every_rule(bus: Bus) -> None:
    """As on AWS without `FilterArns`."""
    one, _rule = bus.queue(REPLAYED)
    other, _rule = bus.queue(REPLAYED)
    bus.put(1)
    now = datetime.now(UTC)
    bus.ended(bus.replay(now - HOUR, now + HOUR))
    assert (bus.waiting(one), bus.waiting(other)) == (1, 1)


def test_what_is_replayed_is_not_archived_again(bus: Bus) -> None:
    """A second replay of the same hours brings as much as the first."""
    url, _rule = bus.queue(REPLAYED)
    bus.put(1, 2)
    now = datetime.now(UTC)
    for _time in range(2):
        bus.ended(bus.replay(now - HOUR, now + HOUR))
        assert numbers(bus.workbench.messages(url, 2)) == [1, 2]
    assert bus.waiting(url) == 0


def test_a_replay_takes_events_by_the_time_their_publisher_gave_them(bus: Bus) -> None:
    """Events of two hours ago are in the window of that hour, and the last one's time is the replay's progress."""
    url, _rule = bus.queue(REPLAYED)
    past = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - 2 * HOUR
    bus.put(1, at=past + HOUR / 4)
    bus.put(2, at=past + HOUR / 2)
    bus.put(3)
    found = bus.ended(bus.replay(past, past + HOUR))
    assert found["EventLastReplayedTime"] == past + HOUR / 2
    messages = bus.workbench.messages(url, 2)
    assert numbers(messages) == [1, 2]
    assert {json.loads(message["Body"])["time"][:13] for message in messages} == {past.strftime("%Y-%m-%dT%H")}


def test_an_entry_that_fails_is_told_apart_from_those_with_a_time(bus: Bus) -> None:
    """Every entry has its own result, in order."""
    good = {"Source": "shop", "DetailType": "Counted", "Detail": "{}", "EventBusName": bus.name}
    entries = [{**good, "Time": datetime.now(UTC)}, {**good, "Source": "aws.shop"}, good]
    answer = bus.events.put_events(Entries=entries)
    assert answer["FailedEntryCount"] == 1
    assert ["ErrorCode" in entry for entry in answer["Entries"]] == [False, True, False]


def test_a_window_that_ends_before_it_starts_is_refused(bus: Bus) -> None:
    """With AWS's words."""
    now = datetime.now(UTC)
    with pytest.raises(ClientError, match="EventStartTime must be before EventEndTime"):
        bus.replay(now, now - HOUR)


def test_a_replay_that_is_over_cannot_be_cancelled(bus: Bus) -> None:
    """Whether it was completed or cancelled."""
    now = datetime.now(UTC)
    replay = bus.replay(now - HOUR, now)
    bus.ended(replay)
    with pytest.raises(bus.events.exceptions.IllegalStatusException):
        bus.events.cancel_replay(ReplayName=replay)
    with pytest.raises(bus.events.exceptions.ResourceNotFoundException):
        bus.events.cancel_replay(ReplayName="of another time")


def test_a_stack_has_archives_and_bus_policies(workbench: Workbench) -> None:
    """Made, changed and deleted with it."""
    events, stack = workbench.client("events"), workbench.name("stack")
    caller = "arn:aws:iam::123456789012:role/"
    outputs = workbench.deploy(stack, ARCHIVE, Days="7", Caller=f"{caller}one")
    found = events.describe_archive(ArchiveName=outputs["Name"])
    assert (found["ArchiveArn"], found["RetentionDays"]) == (outputs["Arn"], 7)
    assert json.loads(found["EventPattern"]) == {"source": ["shop"], "replay-name": [{"exists": False}]}
    assert workbench.deploy(stack, ARCHIVE, update=True, Days="0", Caller=f"{caller}two") == outputs
    assert events.describe_archive(ArchiveName=outputs["Name"])["RetentionDays"] == 0
    [statement] = json.loads(events.describe_event_bus(Name=stack)["Policy"])["Statement"]
    assert statement == {
        "Sid": "OnlyOne",
        "Effect": "Allow",
        "Principal": {"AWS": f"{caller}two"},
        "Action": "events:PutEvents",
        "Resource": f"arn:aws:events:us-east-1:000000000000:event-bus/{stack}",
        "Condition": {"StringEquals": {"events:source": "shop"}},
    }
    workbench.delete(stack)
    assert not events.list_archives(NamePrefix=outputs["Name"])["Archives"]


def test_an_event_for_a_queue_that_is_gone_is_in_the_dead_letter_queue(bus: Bus) -> None:
    """As it was put, with the rule, the target and the reason."""
    gone_url, gone_arn = bus.workbench.queue()
    dead_url, dead_arn = bus.workbench.queue()
    rule = bus.rule(LIVE, gone_arn, DeadLetterConfig={"Arn": dead_arn})
    bus.workbench.client("sqs").delete_queue(QueueUrl=gone_url)
    bus.put(1)
    [message] = bus.workbench.messages(dead_url, 1)
    assert numbers([message]) == [1]
    reasons = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert reasons == {"RULE_ARN": rule, "TARGET_ARN": gone_arn, "ERROR_CODE": "NO_RESOURCE"}


def test_a_replay_sends_nothing_to_the_dead_letter_queue_of_a_rule_it_leaves_out(bus: Bus) -> None:
    """The rule is not tried at all."""
    gone_url, gone_arn = bus.workbench.queue()
    dead_url, dead_arn = bus.workbench.queue()
    bus.rule(REPLAYED, gone_arn, DeadLetterConfig={"Arn": dead_arn})
    url, rule = bus.queue(REPLAYED)
    bus.workbench.client("sqs").delete_queue(QueueUrl=gone_url)
    bus.put(1)
    now = datetime.now(UTC)
    bus.ended(bus.replay(now - HOUR, now + HOUR, FilterArns=[rule]))
    assert (bus.waiting(url), bus.waiting(dead_url)) == (1, 0)


def test_an_event_is_a_record_on_a_delivery_stream(bus: Bus) -> None:
    """Whole, or as the rule's transformer writes it."""
    bucket, stream = bus.workbench.name("bucket"), bus.workbench.name("stream")
    s3 = bus.workbench.client("s3")
    s3.create_bucket(Bucket=bucket)
    arn = bus.workbench.client("firehose").create_delivery_stream(
        DeliveryStreamName=stream,
        ExtendedS3DestinationConfiguration={
            "BucketARN": f"arn:aws:s3:::{bucket}",
            "RoleARN": ROLE,
            "BufferingHints": {"IntervalInSeconds": 100, "SizeInMBs": 1},
        },
    )["DeliveryStreamARN"]
    bus.rule({"detail": {"number": [1]}}, arn, RoleArn=ROLE)
    transformer = {"InputPathsMap": {"it": "$.detail.number"}, "InputTemplate": '"number <it>"'}
    bus.rule({"detail": {"number": [2]}}, arn, RoleArn=ROLE, InputTransformer=transformer)
    bus.put(1, 2)
    [found] = bus.workbench.wait_for(lambda: s3.list_objects_v2(Bucket=bucket).get("Contents"))
    body = s3.get_object(Bucket=bucket, Key=found["Key"])["Body"].read().decode()
    event, end = json.JSONDecoder().raw_decode(body)
    assert event["detail"] == {"number": 1}
    assert body[end:] == '"number 2"'


@pytest.fixture(scope="module")
def slow() -> Iterator[Workbench]:
    """Return a workbench with IAM enforced, archives that take three seconds, and replays of five events per second."""
    settings = {"AUTH": "true", "EVENTFORK_ARCHIVE_DELAY_SECONDS": "3", "EVENTFORK_REPLAY_EVENTS_PER_SECOND": "5"}
    with Engine(environment=settings) as engine:
        yield Workbench(engine)


def test_a_cancelled_replay_stops(slow: Workbench) -> None:
    """It says where: the events that came are those up to its last one."""
    bus = Bus(slow)
    url, _rule = bus.queue(REPLAYED)
    start = datetime.now(UTC).replace(microsecond=0) - HOUR
    moments = [start + timedelta(seconds=second) for second in range(40)]
    for number, moment in enumerate(moments):
        bus.put(number, at=moment)
    slow.wait_for(lambda: bus.events.describe_archive(ArchiveName=bus.name)["EventCount"] == 40)
    replay = bus.replay(start, start + HOUR)
    first = slow.messages(url, 1)
    assert bus.events.cancel_replay(ReplayName=replay)["State"] == "CANCELLING"
    found = bus.ended(replay)
    assert found["State"] == "CANCELLED"
    last = moments.index(found["EventLastReplayedTime"])
    assert last < 39
    rest = slow.messages(url, last + 1 - len(first)) if last + 1 > len(first) else []
    assert numbers(first + rest) == list(range(last + 1))
    assert bus.waiting(url) == 0


def test_an_event_is_replayed_only_after_it_was_archived(slow: Workbench) -> None:
    """A replay right after the event misses it; a later one has it."""
    bus = Bus(slow)
    url, _rule = bus.queue(REPLAYED)
    bus.put(1)
    now = datetime.now(UTC)
    bus.ended(bus.replay(now - HOUR, now + HOUR))
    assert bus.waiting(url) == 0
    slow.wait_for(lambda: bus.events.describe_archive(ArchiveName=bus.name)["EventCount"] == 1)
    bus.ended(bus.replay(now - HOUR, now + HOUR))
    assert numbers(slow.messages(url, 1)) == [1]


def test_an_event_that_a_queue_refuses_is_in_the_dead_letter_queue(slow: Workbench) -> None:
    """A rule delivers only where the queue's policy lets it."""
    bus = Bus(slow)
    url, arn = slow.queue()
    dead_url, dead_arn = slow.queue(Policy=OPEN_TO_RULES)
    bus.rule(LIVE, arn, DeadLetterConfig={"Arn": dead_arn})
    bus.put(1)
    [message] = slow.messages(dead_url, 1)
    assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS"
    assert bus.waiting(url) == 0


def test_what_another_account_puts_on_a_bus_is_refused(engine: Engine, workbench: Workbench) -> None:
    """By the bus's ARN; its own bus takes it."""
    bus = Bus(workbench)
    entry = {"Source": "shop", "DetailType": "sold", "Detail": "{}"}
    other = boto3.Session("210987654321", "any", region_name=REGION).client("events", endpoint_url=engine.url)
    with pytest.raises(ClientError, match="AccessDenied"):
        other.put_events(Entries=[{**entry, "EventBusName": bus.arn}])
    assert other.put_events(Entries=[entry])["FailedEntryCount"] == 0
    assert workbench.client("events").put_events(Entries=[{**entry, "EventBusName": bus.arn}])["FailedEntryCount"] == 0
