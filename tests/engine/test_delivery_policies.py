"""What topics and rules may deliver into queues where the engine enforces IAM."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from local.engine.process import Engine
from tests.engine.workbench import Workbench


@pytest.fixture(scope="module")
def guarded() -> Iterator[Workbench]:
    """Return a workbench on an engine that enforces IAM."""
    with Engine(environment={"AUTH": "true"}) as engine:
        yield Workbench(engine)


def only_over_tls(action: str, *resources: str, allow: Sequence[dict[str, Any]] = ()) -> str:
    """Write a policy that refuses whatever is not made over TLS, and allows what these statements do."""
    denial = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": action,
        "Resource": list(resources),
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [*allow, denial]})


def delivery(service: str, queue: str, source: str, account: str) -> dict[str, Any]:
    """Write the statement that lets a service deliver from one source of one account."""
    return {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sqs:SendMessage",
        "Resource": queue,
        "Condition": {"ArnEquals": {"aws:SourceArn": source}, "StringEquals": {"aws:SourceAccount": account}},
    }


def test_a_topic_and_a_rule_deliver_where_the_queue_names_them_and_their_account(guarded: Workbench) -> None:
    """Into a queue that is reached over TLS only; from another topic, rule or account, nothing comes."""
    account = guarded.client("sts").get_caller_identity()["Account"]
    topics = [guarded.client("sns").create_topic(Name=guarded.name("topic"))["TopicArn"] for _ in range(2)]
    bus = guarded.name("bus")
    guarded.client("events").create_event_bus(Name=bus)
    pattern = json.dumps({"source": ["shop"]})
    rules = [
        guarded.client("events").put_rule(Name=guarded.name("rule"), EventBusName=bus, EventPattern=pattern)["RuleArn"]
        for _ in range(2)
    ]
    queues = {}
    for name, (topic, rule, owner) in {
        "named": (topics[0], rules[0], account),
        "others": (topics[1], rules[1], account),
        "of_another_account": (topics[0], rules[0], "111111111111"),
    }.items():
        queues[name], arn = guarded.queue()
        allow = [delivery("sns.amazonaws.com", arn, topic, owner), delivery("events.amazonaws.com", arn, rule, owner)]
        policy = only_over_tls("sqs:*", arn, allow=allow)
        guarded.client("sqs").set_queue_attributes(QueueUrl=queues[name], Attributes={"Policy": policy})
        guarded.client("sns").subscribe(TopicArn=topics[0], Protocol="sqs", Endpoint=arn)
        guarded.client("events").put_targets(
            Rule=rules[0].rpartition("/")[2], EventBusName=bus, Targets=[{"Id": name, "Arn": arn}]
        )
    guarded.client("sns").publish(TopicArn=topics[0], Message="published")
    event = {"EventBusName": bus, "Source": "shop", "DetailType": "sold", "Detail": "{}"}
    guarded.client("events").put_events(Entries=[event])
    bodies = [json.loads(message["Body"]) for message in guarded.messages(queues.pop("named"), 2)]
    assert {body.get("Message", body.get("detail-type")) for body in bodies} == {"published", "sold"}
    for name, url in queues.items():
        assert "Messages" not in guarded.client("sqs").receive_message(QueueUrl=url), name
