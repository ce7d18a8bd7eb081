"""What every queue consumer does: take a batch, prepare each message, send what can be sent, report what was not.

CannotCarryError   a message that can never be sent on; it is parked with this reason
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from eventfork.errors import UnavailableError
from eventfork.timestamps import timestamp

__all__ = [
    "CannotCarryError",
    "Forwarder",
    "Message",
    "Outcome",
    "Prepared",
    "messages",
    "one_by_one",
    "partial_failure",
]

Entry = TypeVar("Entry")


class CannotCarryError(ValueError):
    """No retry can carry this message; its text says why, and quotes nothing of the message."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message off a queue.

    Attributes
    ----------
    id : str
        SQS's id of this message, by which its failure is reported.
    body : str
        As it was published.
    attributes : mapping
        Message attributes as Lambda passes them: `{name: {"dataType", "stringValue" | "binaryValue"}}`.
    sent_at : str
        When it was sent to the queue, RFC 3339 in UTC.
    receive_count : int
        About how often it has been received, this time included.
    """

    id: str
    body: str
    attributes: Mapping[str, Any]
    sent_at: str
    receive_count: int = 1


@dataclass(frozen=True, slots=True)
class Prepared(Generic[Entry]):
    """A message together with what will be sent for it."""

    message: Message
    entry: Entry


@dataclass(slots=True)
class Outcome:
    """What became of a batch: counts, and the ids of the messages that must be received again."""

    received: int
    sent: int = 0
    parked: int = 0
    failed: set[str] = field(default_factory=set)

    def counts(self) -> dict[str, int]:
        """Give the numbers for a log line: never more than numbers."""
        return {"received": self.received, "sent": self.sent, "parked": self.parked, "failed": len(self.failed)}


def messages(event: Mapping[str, Any]) -> list[Message]:
    """Read the messages from the event that Lambda passes for a batch off an SQS queue."""
    return [
        Message(
            id=record["messageId"],
            body=record["body"],
            attributes=record["messageAttributes"],
            sent_at=timestamp(datetime.fromtimestamp(int(record["attributes"]["SentTimestamp"]) / 1000, UTC)),
            receive_count=int(record["attributes"].get("ApproximateReceiveCount", 1)),
        )
        for record in event["Records"]
    ]


def partial_failure(outcome: Outcome) -> dict[str, Any]:
    """Give the answer that makes Lambda delete what succeeded and only that (`ReportBatchItemFailures`)."""
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in sorted(outcome.failed)]}


def one_by_one(send: Callable[[Entry], object]) -> Callable[[Sequence[Prepared[Entry]]], set[str]]:
    """Make a sender of many out of a sender of one, which raises `UnavailableError` if it was not taken."""

    def send_each(prepared: Sequence[Prepared[Entry]]) -> set[str]:
        refused = set()
        for one in prepared:
            try:
                send(one.entry)
            except UnavailableError:
                refused.add(one.message.id)
        return refused

    return send_each


class Forwarder(Generic[Entry]):
    """Prepares each message, sends what it can, parks what it never can.

    Parameters
    ----------
    prepare : callable
        Gives what to send for a message; raises `CannotCarryError` if there can be no such thing, `UnavailableError` if
        something that it looks up cannot be had now.
    send : callable
        Sends everything prepared, gives the ids of the messages that were not taken.
    park : callable
        Puts a message and the reason where an operator finds them; raises `UnavailableError` if that failed.
    """

    def __init__(
        self,
        prepare: Callable[[Message], Entry],
        send: Callable[[Sequence[Prepared[Entry]]], Collection[str]],
        park: Callable[[Message, str], None],
    ) -> None:
        self._prepare = prepare
        self._send = send
        self._park = park

    def forward(self, batch: Sequence[Message]) -> Outcome:
        """Forward a batch; whatever neither was sent nor parked is in the outcome's `failed`."""
        outcome = Outcome(received=len(batch))
        prepared = []
        for message in batch:
            try:
                prepared.append(Prepared(message, self._prepare(message)))
            except CannotCarryError as reason:
                self._set_aside(message, str(reason), outcome)
            except UnavailableError:
                outcome.failed.add(message.id)
        refused = set(self._send(prepared))
        outcome.failed |= refused
        outcome.sent = len(prepared) - len(refused)
        return outcome

    def _set_aside(self, message: Message, reason: str, outcome: Outcome) -> None:
        try:
            self._park(message, reason)
        except UnavailableError:
            outcome.failed.add(message.id)
        else:
            outcome.parked += 1
