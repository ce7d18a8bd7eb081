"""Documents that could not be indexed, as Firehose leaves them in a bucket: counted, and put on the stream again.

An object holds lines of JSON, plain or in GZIP; each has the `errorCode` and, as base64 in `rawData`, the document
itself (Firehose developer guide, "Handle data delivery failures"). An object goes only once every document of it was
taken, and documents carry their id: to stop half-way and to begin again does no harm.
"""

import base64
import gzip
import io
import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import BinaryIO, Final, Protocol

from eventfork.batches import fill, send_all
from eventfork.errors import NotFoundError
from eventfork.limits import FIREHOSE_CALL, FIREHOSE_RECORD_BYTES

__all__ = [
    "DamagedLine",
    "Extent",
    "FailedDocument",
    "Outcome",
    "Store",
    "StoredObject",
    "examine",
    "extent",
    "put_back",
    "read",
    "within",
]

DAMAGED_LINES_KEPT: Final = 10
"""Of one object: enough to see what is wrong with it, and an object of nothing else fills no memory."""
_LINE_BYTES: Final = 2 * FIREHOSE_RECORD_BYTES
"""A record grows by a third as base64; the rest is room for the error's message."""
_GZIP_MAGIC: Final = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class FailedDocument:
    """A document as it was put on the stream, and the code of the error that kept it out of the index."""

    error_code: str
    data: bytes


@dataclass(frozen=True, slots=True)
class DamagedLine:
    """A line that no document can be read from; its reason quotes nothing of it."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object in the bucket: its key, its bytes, and when it was written."""

    key: str
    size: int
    modified: datetime


@dataclass(frozen=True, slots=True)
class Extent:
    """How much there is: objects, their bytes, and when the newest was written (None: there is none)."""

    objects: int
    size: int
    newest: datetime | None


@dataclass(slots=True)
class Outcome:
    """What became of one object.

    Attributes
    ----------
    stored : StoredObject
    errors : Counter
        Documents read, by the code of the error that kept them out of the index.
    taken : int
        Documents that are on the stream again.
    damaged : int
        Lines that no document could be read from.
    examples : list of DamagedLine
        The first `DAMAGED_LINES_KEPT` of them.
    stream_away : bool
        The stream took nothing any more, so that this object was not read to its end.
    removed : bool
        The object is gone: all of it was taken.
    """

    stored: StoredObject
    errors: Counter[str] = field(default_factory=Counter)
    taken: int = 0
    damaged: int = 0
    examples: list[DamagedLine] = field(default_factory=list)
    stream_away: bool = False
    removed: bool = False


class Store(Protocol):
    """Where the objects are: `eventfork.adapters.s3.Bucket`. Each raises `NotFoundError` for an object that is gone."""

    def opened(self, key: str) -> AbstractContextManager[BinaryIO]:
        """Open an object to be read."""

    def delete(self, key: str) -> None:
        """Delete an object."""


def extent(objects: Iterable[StoredObject]) -> Extent:
    """Measure what there is."""
    count, size, newest = 0, 0, None
    for one in objects:
        count += 1
        size += one.size
        newest = one.modified if newest is None else max(newest, one.modified)
    return Extent(count, size, newest)


def within(objects: Iterable[StoredObject], there: Extent) -> Iterator[StoredObject]:
    """Leave out what was written later: a document that fails once more comes back, and would go round for ever."""
    return (one for one in objects if there.newest is not None and one.modified <= there.newest)


def read(stream: BinaryIO) -> Iterator[FailedDocument | DamagedLine]:
    """Read an object line by line; never more than a line of it is in memory."""
    number = 0
    try:
        for number, line in enumerate(iter(partial(_plain(stream).readline, _LINE_BYTES), b""), start=1):
            if len(line) == _LINE_BYTES:
                yield DamagedLine(number, "is longer than a document can be; what follows it was not read")
                return
            if line.strip():
                yield _document(number, line)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        yield DamagedLine(number + 1, "cannot be decompressed")


def _plain(stream: BinaryIO) -> io.BufferedIOBase:
    buffered = io.BufferedReader(stream)  # type: ignore[type-var]  # it needs readinto() only
    return gzip.GzipFile(fileobj=buffered) if buffered.peek(2)[:2] == _GZIP_MAGIC else buffered


def _document(number: int, line: bytes) -> FailedDocument | DamagedLine:
    try:
        failed = json.loads(line)
    except (ValueError, RecursionError):
        return DamagedLine(number, "is no JSON")
    raw = failed.get("rawData") if isinstance(failed, dict) else None
    if not isinstance(raw, str):
        return DamagedLine(number, "has no rawData")
    try:
        data = base64.b64decode(raw, validate=True)
    except ValueError:
        return DamagedLine(number, "has a rawData that is no base64")
    if not 0 < len(data) <= FIREHOSE_RECORD_BYTES:
        return DamagedLine(number, f"has a rawData of {len(data)} bytes; a record takes 1 to {FIREHOSE_RECORD_BYTES}")
    code = failed.get("errorCode")
    return FailedDocument(str(code) if isinstance(code, str | int) else "none given", data)


def examine(store: Store, objects: Iterable[StoredObject]) -> Iterator[Outcome]:
    """Read every object and change nothing; what has gone since it was listed is passed over.

    Raises
    ------
    ServiceError
        If the store fails.
    """
    for stored in objects:
        outcome = Outcome(stored)
        try:
            with store.opened(stored.key) as stream:
                for _ in _documents(stream, outcome):
                    pass
        except NotFoundError:
            continue
        yield outcome


def put_back(
    store: Store,
    objects: Iterable[StoredObject],
    put: Callable[[Sequence[bytes]], Sequence[int]],
    sleep: Callable[[float], object],
) -> Iterator[Outcome]:
    """Put the documents of every object on the stream, and delete an object once all of it was taken.

    Ends early, with an outcome that says so, when the stream takes nothing any more. What has gone since it was listed
    is passed over: someone else put it back.

    Parameters
    ----------
    store : Store
        Where the objects are.
    objects : iterable of StoredObject
        Those to put back.
    put : callable
        Puts records, gives the positions of those refused: `DeliveryStream.put`.
    sleep : callable
        Waits so many seconds, before a refused record is put again.

    Raises
    ------
    ServiceError
        If the store fails.
    """
    for stored in objects:
        outcome = Outcome(stored)
        try:
            with store.opened(stored.key) as stream:
                _put(_documents(stream, outcome), put, sleep, outcome)
            if not outcome.damaged and not outcome.stream_away:
                store.delete(stored.key)
                outcome.removed = True
        except NotFoundError:
            continue
        yield outcome
        if outcome.stream_away:
            return


def _documents(stream: BinaryIO, outcome: Outcome) -> Iterator[bytes]:
    for one in read(stream):
        if isinstance(one, FailedDocument):
            outcome.errors[one.error_code] += 1
            yield one.data
            continue
        outcome.damaged += 1
        if len(outcome.examples) < DAMAGED_LINES_KEPT:
            outcome.examples.append(one)


def _put(
    documents: Iterable[bytes],
    put: Callable[[Sequence[bytes]], Sequence[int]],
    sleep: Callable[[float], object],
    outcome: Outcome,
) -> None:
    for batch in fill(documents, FIREHOSE_CALL, len):
        left = batch
        # A stream that throttles takes a part each time: go on as long as it takes any.
        while left:
            refused = send_all([left], put, sleep)
            outcome.taken += len(left) - len(refused)
            if len(refused) == len(left):
                outcome.stream_away = True
                return
            left = refused
