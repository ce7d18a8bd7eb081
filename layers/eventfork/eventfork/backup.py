"""The backup fork: each message one line, lines packed into records as large as Firehose takes.

Firehose bills each record rounded up to 5 KB, so that a record per event would cost about five times as much
(Firehose pricing page, "Direct PUT"). Lines end with a line feed, so that packed records unpack by themselves.
"""

from collections.abc import Callable, Sequence

from eventfork.batches import fill, send_all
from eventfork.card_data import Redactor
from eventfork.envelopes import line
from eventfork.forwarding import CannotCarryError, Message, Prepared
from eventfork.limits import FIREHOSE_CALL, FIREHOSE_RECORD_BYTES, Limits

__all__ = ["prepare", "send"]

_Packed = Sequence[Prepared[bytes]]


def prepare(message: Message, redactor: Redactor) -> bytes:
    """Give the line of the backup for a message: see `envelopes.line`.

    Raises
    ------
    CannotCarryError
        If there is none, or it is longer than a record may be.
    """
    text = line(message, redactor).encode() + b"\n"
    if len(text) > FIREHOSE_RECORD_BYTES:
        raise CannotCarryError(f"as a line it weighs {len(text)} bytes; a record takes {FIREHOSE_RECORD_BYTES}")
    return text


def send(
    prepared: Sequence[Prepared[bytes]],
    put: Callable[[Sequence[bytes]], Sequence[int]],
    sleep: Callable[[float], object],
) -> set[str]:
    """Send lines packed into records; give the ids of the messages in the records that were never taken.

    Parameters
    ----------
    prepared : sequence of Prepared
        Messages and their lines.
    put : callable
        Puts records, gives the positions of those refused: `DeliveryStream.put`.
    sleep : callable
        Waits so many seconds, before a refused record is put again.
    """
    one_record = Limits(entries=len(prepared), size=FIREHOSE_RECORD_BYTES)
    records = fill(prepared, one_record, lambda one: len(one.entry))
    calls = fill(records, FIREHOSE_CALL, lambda record: sum(len(one.entry) for one in record))
    refused = send_all(calls, lambda call: put([_joined(record) for record in call]), sleep)
    return {one.message.id for record in refused for one in record}


def _joined(record: _Packed) -> bytes:
    return b"".join(one.entry for one in record)
