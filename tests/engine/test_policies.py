"""What callers may do where the engine enforces IAM."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local.engine.process import REGION, Engine
from tests.engine.workbench import Workbench

ANYBODY = {"Statement": {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}}


@pytest.fixture(scope="module")
def guarded() -> Iterator[Workbench]:
    """Return a workbench on an engine that enforces IAM."""
    with Engine(enforce_iam=True) as engine:
        yield Workbench(engine)


class Caller:
    """Somebody who may do what one statement allows."""

    def __init__(
        self, workbench: Workbench, actions: list[str], resource: str, condition: dict[str, Any] | None = None
    ) -> None:
        self._workbench = workbench
        iam, name = workbench.client("iam"), workbench.name("caller")
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(ANYBODY))["Role"]["Arn"]
        statement = {"Effect": "Allow", "Action": actions, "Resource": resource, "Condition": condition or {}}
        policy = {"Statement": statement}
        iam.put_role_policy(RoleName=name, PolicyName="only", PolicyDocument=json.dumps(policy))
        assumed = workbench.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
        self._session = boto3.Session(
            assumed["AccessKeyId"], assumed["SecretAccessKey"], assumed["SessionToken"], region_name=REGION
        )

    def client(self, service: Any) -> Any:
        """Return a client of a service that calls in this caller's name."""
        return self._session.client(service, endpoint_url=self._workbench.engine.url)


def test_who_may_send_delete_and_hide_messages_may_do_so_in_batches(guarded: Workbench) -> None:
    """On the queue named, and on no other."""
    url, arn = guarded.queue()
    other, _arn = guarded.queue()
    actions = ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"]
    sqs = Caller(guarded, actions, arn).client("sqs")
    entries = [{"Id": "only", "MessageBody": "one"}]
    assert sqs.send_message_batch(QueueUrl=url, Entries=entries)["Successful"]
    [message] = sqs.receive_message(QueueUrl=url)["Messages"]
    receipt = {"Id": "only", "ReceiptHandle": message["ReceiptHandle"]}
    hidden = [{**receipt, "VisibilityTimeout": 60}]
    assert sqs.change_message_visibility_batch(QueueUrl=url, Entries=hidden)["Successful"]
    assert sqs.delete_message_batch(QueueUrl=url, Entries=[receipt])["Successful"]
    with pytest.raises(ClientError, match="AccessDenied"):
        sqs.send_message_batch(QueueUrl=other, Entries=entries)


def test_who_may_replay_one_archive_may_replay_no_other(guarded: Workbench) -> None:
    """And follow the replays that are named."""
    events = guarded.client("events")
    bus = events.create_event_bus(Name=guarded.name("bus"))["EventBusArn"]
    mine, other = (guarded.name("archive") for _ in range(2))
    arns = {name: events.create_archive(ArchiveName=name, EventSourceArn=bus)["ArchiveArn"] for name in (mine, other)}
    now = datetime.now(UTC)
    window = {"EventStartTime": now - timedelta(hours=1), "EventEndTime": now, "Destination": {"Arn": bus}}
    caller = Caller(guarded, ["events:DescribeArchive", "events:StartReplay"], arns[mine]).client("events")
    assert caller.describe_archive(ArchiveName=mine)["ArchiveArn"] == arns[mine]
    caller.start_replay(ReplayName=mine, EventSourceArn=arns[mine], **window)
    with pytest.raises(ClientError, match="AccessDenied"):
        caller.start_replay(ReplayName=other, EventSourceArn=arns[other], **window)
    replay = f"{bus.partition(':event-bus/')[0]}:replay/{mine}"
    follower = Caller(guarded, ["events:DescribeReplay"], replay).client("events")
    assert follower.describe_replay(ReplayName=mine)["EventSourceArn"] == arns[mine]
    with pytest.raises(ClientError, match="AccessDenied"):
        follower.describe_replay(ReplayName=other)


def test_who_may_put_events_of_one_source_may_put_none_of_another(guarded: Workbench) -> None:
    """Nor both together."""
    arn = guarded.client("events").create_event_bus(Name=guarded.name("bus"))["EventBusArn"]
    condition = {"StringEquals": {"events:source": "shop"}}
    events = Caller(guarded, ["events:PutEvents"], arn, condition).client("events")

    def put(*sources: str) -> int:
        entries = [{"EventBusName": arn, "Source": one, "DetailType": "sold", "Detail": "{}"} for one in sources]
        return int(events.put_events(Entries=entries)["FailedEntryCount"])

    assert put("shop", "shop") == 0
    for sources in (("elsewhere",), ("shop", "elsewhere")):
        with pytest.raises(ClientError, match="AccessDenied"):
            put(*sources)


def test_who_may_list_rules_may_list_those_of_any_bus(guarded: Workbench) -> None:
    """IAM is asked for the rules, and not for their bus."""
    bus = guarded.client("events").create_event_bus(Name=guarded.name("bus"))["EventBusArn"]
    rules = f"{bus.partition(':event-bus/')[0]}:rule/*"
    assert Caller(guarded, ["events:ListRules"], rules).client("events").list_rules(EventBusName=bus)["Rules"] == []
    with pytest.raises(ClientError, match="AccessDenied"):
        Caller(guarded, ["events:ListRules"], bus).client("events").list_rules(EventBusName=bus)


def test_requests_of_this_machine_and_what_follows_from_them_count_as_secure(guarded: Workbench) -> None:
    url, arn = guarded.queue()
    topic = guarded.client("sns").create_topic(Name=guarded.name("topic"))["TopicArn"]
    secure = {"Effect": "Deny", "Principal": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    let_in = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
    for_queue = {"Statement": [{**secure, "Action": "sqs:*", "Resource": arn}, {**let_in, "Resource": arn}]}
    for_topic = {"Statement": {**secure, "Action": "sns:Publish", "Resource": topic}}
    guarded.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(for_queue)})
    sns = Caller(guarded, ["sns:Publish", "sns:SetTopicAttributes"], topic).client("sns")
    guarded.client("sns").set_topic_attributes(
        TopicArn=topic, AttributeName="Policy", AttributeValue=json.dumps(for_topic)
    )
    guarded.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    sns.publish(TopicArn=topic, Message="over TLS")
    assert "over TLS" in guarded.messages(url, 1)[0]["Body"]


WRITES = """
import boto3

def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=event["url"], MessageBody="written")
"""


def test_a_function_may_do_what_its_role_allows_and_what_is_decided_is_recorded(guarded: Workbench) -> None:
    """A role whose policy is taken away may do nothing, from that moment on."""
    iam, name = guarded.client("iam"), guarded.name("role")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(ANYBODY))["Role"]["Arn"]
    url, arn = guarded.queue()
    policy = {"Statement": {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": arn}}
    function = guarded.function(WRITES, Role=role)

    def failed() -> bool:
        answer = guarded.client("lambda").invoke(FunctionName=function, Payload=json.dumps({"url": url}))
        return "AccessDenied" in answer["Payload"].read().decode()

    def decided() -> list[Any]:
        lines = guarded.engine.decisions_file.read_text(encoding="utf-8").splitlines()
        decisions = [json.loads(line) for line in lines]
        return [(one["action"], one["resource"], one["allowed"]) for one in decisions if one["role"] == name]

    assert failed()
    iam.put_role_policy(RoleName=name, PolicyName="only", PolicyDocument=json.dumps(policy))
    assert not failed()
    iam.delete_role_policy(RoleName=name, PolicyName="only")
    assert failed()
    assert decided() == [("sqs:SendMessage", arn, allowed) for allowed in (False, True, False)]
