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
    with Engine(environment={"AUTH": "true"}) as engine:
        yield Workbench(engine)


class Caller:
    """Somebody who may do what one statement allows."""

    def __init__(self, workbench: Workbench, actions: list[str], resource: str) -> None:
        self._workbench = workbench
        iam, name = workbench.client("iam"), workbench.name("caller")
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(ANYBODY))["Role"]["Arn"]
        policy = {"Statement": {"Effect": "Allow", "Action": actions, "Resource": resource}}
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
