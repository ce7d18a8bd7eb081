"""The topic takes an event with its attributes, or says that it did not."""

import pytest
from botocore.stub import Stubber
from eventfork.adapters.sns import Topic
from eventfork.checkout_events import Attribute
from eventfork.errors import UnavailableError

from tests.unit.aws import Aws, unreachable

ATTRIBUTES = {"type": Attribute("String", "a.b"), "amount": Attribute("Number", "128.4")}


def test_an_event_is_published_with_its_attributes(aws: Aws) -> None:
    """Subscribers get body and attributes as they were given."""
    arn, reader = aws.topic_with_queue()
    Topic(aws.client("sns"), arn).publish('{"ü": 1}', ATTRIBUTES)
    [message] = aws.received(reader)
    assert message["Body"] == '{"ü": 1}'
    assert {
        name: (value["DataType"], value["StringValue"]) for name, value in message["MessageAttributes"].items()
    } == {
        "type": ("String", "a.b"),
        "amount": ("Number", "128.4"),
    }


def test_a_topic_that_is_not_there_is_unavailable(aws: Aws) -> None:
    """The cause is kept for whoever debugs it."""
    with pytest.raises(UnavailableError) as failure:
        Topic(aws.client("sns"), f"arn:aws:sns:eu-central-1:123456789012:{'x' * 9}").publish("x", ATTRIBUTES)
    assert failure.value.__cause__ is not None


def test_a_topic_that_throttles_or_cannot_be_reached_is_unavailable(aws: Aws) -> None:
    """Refusals of the service and failures of the network look the same to the caller."""
    client = aws.client("sns")
    with Stubber(client) as stub:
        stub.add_client_error("publish", "Throttling", http_status_code=400)
        with pytest.raises(UnavailableError):
            Topic(client, "arn:aws:sns:eu-central-1:123456789012:x").publish("x", ATTRIBUTES)
    with unreachable(client), pytest.raises(UnavailableError):
        Topic(client, "arn:aws:sns:eu-central-1:123456789012:x").publish("x", ATTRIBUTES)
