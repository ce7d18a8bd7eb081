"""Amazon SQS: sending messages on, and setting them aside."""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from eventfork.errors import UnavailableError
from eventfork.forwarding import Message
from eventfork.limits import SQS_ATTRIBUTES

__all__ = ["Queue"]

_REASON: Final = "quarantine-reason"
_FOLDED: Final = "quarantined-attributes"
_REASON_CHARACTERS: Final = 500
_NOT_SENDABLE: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""SQS API reference, "SendMessage": it refuses a message with any other character in it."""


class Queue:
    """A queue, to send to.

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

    def quarantine(self, message: Message, reason: str) -> None:
        """Send a message that nothing can be made of, unchanged, with the reason as an attribute.

        Where the message has ten attributes already, they travel as JSON in one: an eleventh would be refused.

        Raises
        ------
        UnavailableError
            If SQS did not take it.
        """
        attributes = dict(message.attributes)
        if len(attributes) >= SQS_ATTRIBUTES:
            attributes = {_FOLDED: _text(json.dumps(attributes))}
        if self.send([(message.body, {**attributes, _REASON: _text(_sendable(reason))})]):
            raise UnavailableError("SQS refused the message")


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
