"""The replay fork: kept messages go back to the queue of the pipeline that must reprocess them, and are marked.

Body and attributes stay exactly as they were published; one attribute more says that this is a replay, of which job,
and how often the message has been replayed.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from eventfork.batches import fill, send_all
from eventfork.forwarding import CannotCarryError, Message, Prepared
from eventfork.json_text import JsonTextError, parse
from eventfork.limits import SQS_ATTRIBUTES, SQS_CALL

__all__ = ["MARKER", "OPERATOR_JOB", "prepare", "send"]

MARKER: Final = "eventfork-replay"
"""The attribute that marks a replayed message: JSON, `{"job": text, "hop": number of replays}`."""
OPERATOR_JOB: Final = "operator"
"""The job of what is replayed because an operator switched the event source mapping on."""


def prepare(message: Message, job: str = OPERATOR_JOB, maximum_hops: int | None = None) -> Mapping[str, Any]:
    """Give the attributes to send a message on with, in the form Lambda passes them: its own, and the mark.

    Parameters
    ----------
    message : Message
    job : str
        What replays it.
    maximum_hops : int or None
        How often a message may be replayed; None for any number of times.

    Raises
    ------
    CannotCarryError
        If it has ten attributes already, so that SQS would refuse the mark, a mark that is not ours, or was replayed
        too often: what leads back to itself must end.
    """
    attributes = dict(message.attributes)
    hop = _hop(attributes.pop(MARKER, None)) + 1
    if maximum_hops is not None and hop > maximum_hops:
        raise CannotCarryError(f"was replayed {hop - 1} times already, and no more than {maximum_hops} are let through")
    marked = {"job": job, "hop": hop}
    if len(attributes) >= SQS_ATTRIBUTES:
        raise CannotCarryError(f"has {len(attributes)} attributes; the mark of a replay would be one too many")
    return {**attributes, MARKER: {"dataType": "String", "stringValue": json.dumps(marked)}}


def _hop(mark: Mapping[str, Any] | None) -> int:
    if mark is None:
        return 0
    try:
        hop = parse(mark.get("stringValue") or "")["hop"]
    except (KeyError, TypeError, JsonTextError):
        hop = None
    if type(hop) is not int or hop < 0:
        raise CannotCarryError(f"its attribute {MARKER} is none of ours")
    return hop


def send(
    prepared: Sequence[Prepared[Mapping[str, Any]]],
    send_batch: Callable[[Sequence[tuple[str, Mapping[str, Any]]]], Sequence[int]],
    sleep: Callable[[float], object],
) -> set[str]:
    """Send marked messages on; give the ids of those that were never taken.

    Parameters
    ----------
    prepared : sequence of Prepared
        Messages and their attributes, marked.
    send_batch : callable
        Sends pairs of body and attributes, gives the positions of those refused: `Queue.send`.
    sleep : callable
        Waits so many seconds, before a refused message is sent again.
    """
    calls = fill(prepared, SQS_CALL, _weight)
    refused = send_all(calls, lambda call: send_batch([(one.message.body, one.entry) for one in call]), sleep)
    return {one.message.id for one in refused}


def _weight(one: Prepared[Mapping[str, Any]]) -> int:
    attributes = sum(
        len(text.encode())
        for name, value in one.entry.items()
        for text in (name, value["dataType"], value.get("stringValue") or value.get("binaryValue") or "")
    )
    return len(one.message.body.encode()) + attributes
