"""Amazon SQS: sending messages on, setting them aside, and reading those that are kept."""

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from eventfork.card_data import Redactor
from eventfork.errors import UnavailableError
from eventfork.forwarding import Message
from eventfork.limits import SQS_ATTRIBUTES
from eventfork.quarantine import without_card_data
from eventfork.replay_feeds import Received
from eventfork.timestamps import timestamp

__all__ = ["Queue"]

_REASON: Final = "quarantine-reason"
_FOLDED: Final = "quarantined-attributes"
_REASON_CHARACTERS: Final = 500
_REDACTOR: Final = Redactor()
_COUNTS: Final = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
_NOT_SENDABLE: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""SQS API reference, "SendMessage": it refuses a message with any other character in it."""


class Queue:
    """A queue, to send to and to read from.

    Parameters
    ----------
    client : botocore client of SQS
    url : str
    """

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self._url = url

    @classmethod
    def at(cls, client: Any, arn: str) -> "Queue":
        """Find a queue by its ARN; SQS itself is addressed by URL.

        Raises
        ------
        UnavailableError
            If SQS did not answer, or there is no such queue.
        """
        _, _, _, _, account, name = arn.split(":")
        try:
            return cls(client, client.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"])
        except (ClientError, BotoCoreError) as error:
            raise UnavailableError(f"SQS did not find the queue {name}") from error

    def send(self, messages: Sequence[tuple[str, Mapping[str, Any]]]) -> list[int]:
        """Send messages within `SQS_CALL`; give the positions of those that were refused.

        Parameters
        ----------
        messages : sequence of (body, attributes)
            Attributes in the form Lambda passes them: `{name: {"dataType", "stringValue" | "binaryValue"}}`.

        Raises
        ------
        UnavailableError
            If the call failed.
        """
        entries = [
            {"Id": str(position), "MessageBody": body, "MessageAttributes": _attributes(attributes)}
            for position, (body, attributes) in enumerate(messages)
        ]
        try:
            answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
        except (ClientError, BotoCoreError) as error:
            raise UnavailableError("SQS did not take the messages") from error
        return [int(entry["Id"]) for entry in answer.get("Failed", [])]

    def send_later(self, body: str, delay_seconds: int) -> None:
        """Send a message that nobody receives for so many seconds (900 at the most).

        Raises
        ------
        UnavailableError
            If SQS did not take it.
        """
        try:
            self._client.send_message(QueueUrl=self._url, MessageBody=body, DelaySeconds=delay_seconds)
        except (ClientError, BotoCoreError) as error:
            raise UnavailableError("SQS did not take the message") from error

    def receive(self, most: int, visibility_seconds: int, wait_seconds: int) -> list[Received]:
        """Receive at most so many messages (10 at the most), which nobody else receives for so many seconds.

        Raises
        ------
        UnavailableError
            If the call failed.
        """
        with _translated("give messages"):
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=most,
                VisibilityTimeout=visibility_seconds,
                WaitTimeSeconds=wait_seconds,
                AttributeNames=["SentTimestamp"],
                MessageAttributeNames=["All"],
            )
        return [_received(one) for one in answer.get("Messages", [])]

    def delete(self, receipts: Sequence[str]) -> list[int]:
        """Delete messages, ten at the most; give the positions of those that were not deleted.

        Raises
        ------
        UnavailableError
            If the call failed.
        """
        entries = [{"Id": str(position), "ReceiptHandle": receipt} for position, receipt in enumerate(receipts)]
        with _translated("delete messages"):
            answer = self._client.delete_message_batch(QueueUrl=self._url, Entries=entries)
        return [int(entry["Id"]) for entry in answer.get("Failed", [])]

    def give_back(self, receipts: Sequence[str]) -> None:
        """Let messages, ten at the most, be received again at once; one that is gone by now is none to be given back.

        Raises
        ------
        UnavailableError
            If the call failed.
        """
        entries = [
            {"Id": str(position), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
            for position, receipt in enumerate(receipts)
        ]
        with _translated("take messages back"):
            self._client.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)

    def approximate_count(self) -> int:
        """Give about how many messages it holds, those included that somebody has received or that are delayed.

        Raises
        ------
        UnavailableError
            If the call failed.
        """
        with _translated("count messages"):
            counts = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=list(_COUNTS))["Attributes"]
        return sum(int(counts[name]) for name in _COUNTS)

    def quarantine(self, message: Message, reason: str, redactor: Redactor = _REDACTOR) -> None:
        """Send a message that nothing can be made of, unchanged but for card data, with the reason as an attribute.

        Where the message has ten attributes already, they travel as JSON in one: an eleventh would be refused.

        Raises
        ------
        UnavailableError
            If SQS did not take it.
        """
        kept = without_card_data(message, redactor)
        attributes = dict(kept.attributes)
        if len(attributes) >= SQS_ATTRIBUTES:
            attributes = {_FOLDED: _text(json.dumps(attributes))}
        if self.send([(kept.body, {**attributes, _REASON: _text(_sendable(redactor.text(reason)))})]):
            raise UnavailableError("SQS refused the message")


@contextmanager
def _translated(task: str) -> Iterator[None]:
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise UnavailableError(f"SQS did not {task}") from error


def _received(message: Mapping[str, Any]) -> Received:
    sent_at = datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC)
    attributes = {name: _as_passed(one) for name, one in message.get("MessageAttributes", {}).items()}
    return Received(
        Message(message["MessageId"], message["Body"], attributes, timestamp(sent_at)), message["ReceiptHandle"]
    )


def _as_passed(attribute: Mapping[str, Any]) -> dict[str, Any]:
    if "BinaryValue" in attribute:
        return {
            "dataType": attribute["DataType"],
            "binaryValue": base64.b64encode(attribute["BinaryValue"]).decode("ascii"),
        }
    return {"dataType": attribute["DataType"], "stringValue": attribute["StringValue"]}


def _sendable(reason: str) -> str:
    # A reason can name keys of the message, which are as long, and as odd, as their publisher made them.
    return _NOT_SENDABLE.sub("\ufffd", reason[:_REASON_CHARACTERS])


def _text(value: str) -> dict[str, str]:
    return {"dataType": "String", "stringValue": value}


def _attributes(received: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: _attribute(value) for name, value in received.items()}


def _attribute(received: Mapping[str, Any]) -> dict[str, Any]:
    if received.get("binaryValue") is not None:
        return {"DataType": received["dataType"], "BinaryValue": base64.b64decode(received["binaryValue"])}
    return {"DataType": received["dataType"], "StringValue": received["stringValue"]}
