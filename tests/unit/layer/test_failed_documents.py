"""Documents that could not be indexed are read line by line, and an object goes only once all of it was taken."""

import base64
import gzip
import io
import json
import tracemalloc
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO

import pytest
from eventfork.errors import NotFoundError, UnavailableError
from eventfork.failed_documents import (
    DAMAGED_LINES_KEPT,
    DamagedLine,
    FailedDocument,
    StoredObject,
    examine,
    extent,
    put_back,
    read,
    within,
)
from eventfork.limits import FIREHOSE_CALL, FIREHOSE_RECORD_BYTES
from hypothesis import given
from hypothesis import strategies as st

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def failed_line(document: bytes, code: Any = "400") -> bytes:
    """Give a line as Firehose writes it."""
    return (
        json.dumps(
            {
                "attemptsMade": 4,
                "arrivalTimestamp": 1763800000000,
                "errorCode": code,
                "errorMessage": '{"type":"mapper_parsing_exception"}',
                "attemptEndingTimestamp": 1763800030000,
                "rawData": base64.b64encode(document).decode(),
                "subsequenceNumber": 0,
                "esDocumentId": None,
                "esIndexName": "orders",
                "esTypeName": None,
            }
        ).encode()
        + b"\n"
    )


class Objects:
    """A store in memory, each object a minute younger than the one before."""

    def __init__(self, *contents: bytes) -> None:
        self.contents = {f"failed/{number:02}": content for number, content in enumerate(contents)}

    def objects(self) -> list[StoredObject]:
        """List what is there."""
        return [
            StoredObject(key, len(content), NOON + timedelta(minutes=int(key[-2:])))
            for key, content in self.contents.items()
        ]

    @contextmanager
    def opened(self, key: str) -> Iterator[BinaryIO]:
        """Open one."""
        if key not in self.contents:
            raise NotFoundError(key)
        yield io.BytesIO(self.contents[key])

    def delete(self, key: str) -> None:
        """Delete one."""
        del self.contents[key]


class Stream:
    """A stream that takes at most so many records of a call, and so many calls."""

    def __init__(self, at_once: int = FIREHOSE_CALL.entries, calls: int = 10**6) -> None:
        self.records: list[bytes] = []
        self.waited = 0.0
        self._at_once = at_once
        self._calls = calls

    def put(self, records: Sequence[bytes]) -> list[int]:
        """Take the first of the records, and refuse the others."""
        assert 0 < len(records) <= FIREHOSE_CALL.entries
        assert sum(map(len, records)) <= FIREHOSE_CALL.size
        self._calls -= 1
        if self._calls < 0:
            raise UnavailableError("away")
        self.records += records[: self._at_once]
        return list(range(len(records)))[self._at_once :]

    def sleep(self, seconds: float) -> None:
        """Wait for no time."""
        self.waited += seconds


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=20), st.booleans())
def test_every_document_is_read_as_it_was_put(documents: list[bytes], compressed: bool) -> None:
    """Byte for byte, from a plain object or one in GZIP."""
    content = b"".join(map(failed_line, documents))
    stream = io.BytesIO(gzip.compress(content) if compressed else content)
    assert list(read(stream)) == [FailedDocument("400", document) for document in documents]


@pytest.mark.parametrize(("code", "shown"), [("400", "400"), (403, "403"), (None, "none given"), ([1], "none given")])
def test_the_code_of_the_error_is_a_text(code: Any, shown: str) -> None:
    """Whatever form it has."""
    assert list(read(io.BytesIO(failed_line(b"x", code)))) == [FailedDocument(shown, b"x")]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        (b'"\xff"', "is no JSON"),
        (b"[]", "has no rawData"),
        (b"{}", "has no rawData"),
        (b'{"rawData": 1}', "has no rawData"),
        (b'{"rawData": "e30*="}', "has a rawData that is no base64"),
        ('{"rawData": "ü"}'.encode(), "has a rawData that is no base64"),
        (b'{"rawData": ""}', "has a rawData of 0 bytes; a record takes 1 to 1024000"),
        (
            failed_line(bytes(FIREHOSE_RECORD_BYTES + 1)).strip(),
            "has a rawData of 1024001 bytes; a record takes 1 to 1024000",
        ),
    ],
    ids=range(10),
)
def test_a_damaged_line_is_named_and_the_others_are_read(line: bytes, reason: str) -> None:
    """By its number, empty lines counted, and without a word of what is in it."""
    content = failed_line(b"before") + b"\n" + line + b"\n" + failed_line(b"after")
    before, damaged, after = read(io.BytesIO(content))
    assert (before, after) == (FailedDocument("400", b"before"), FailedDocument("400", b"after"))
    assert damaged == DamagedLine(3, reason)


def test_the_largest_document_is_read() -> None:
    """As large as a record may be, its line is still a line."""
    document = bytes(FIREHOSE_RECORD_BYTES)
    assert list(read(io.BytesIO(failed_line(document)))) == [FailedDocument("400", document)]


def test_an_object_of_one_endless_line_is_damaged_and_fills_no_memory() -> None:
    """No more of it is read than a document can take."""
    stream = io.BytesIO(b"x" * 50_000_000)
    tracemalloc.start()
    try:
        (damaged,) = read(stream)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()
    assert isinstance(damaged, DamagedLine)
    assert damaged.reason.startswith("is longer than a document can be")


@pytest.mark.parametrize(
    "harm",
    [lambda content: content[:-20], lambda content: content[:40] + b"harm" + content[44:]],
    ids=["cut", "changed"],
)
def test_what_cannot_be_decompressed_is_damaged(harm: Any) -> None:
    """The objects' lines up to there are read."""
    content = gzip.compress(b"".join(failed_line(b"%d" % number) for number in range(100)))
    *_, last = read(io.BytesIO(harm(content)))
    assert isinstance(last, DamagedLine)
    assert last.reason == "cannot be decompressed"


def test_everything_is_put_back_and_the_objects_go() -> None:
    """In calls that are within the limits; what became of each object is told."""
    store, stream = Objects(failed_line(b"1") * 1_200, failed_line(b"2", "503") + failed_line(b"3")), Stream()
    first, second = put_back(store, store.objects(), stream.put, stream.sleep)
    assert Counter(stream.records) == {b"1": 1_200, b"2": 1, b"3": 1}
    assert (first.taken, first.removed, first.errors) == (1_200, True, {"400": 1_200})
    assert (second.taken, second.removed, second.errors) == (2, True, {"400": 1, "503": 1})
    assert not store.contents


def test_a_large_object_is_put_back_without_being_in_memory() -> None:
    """Not more than a call's worth of it at a time."""

    class Forgetful(Stream):
        def put(self, records: Sequence[bytes]) -> list[int]:
            super().put(records)
            self.records.clear()
            return []

    store, stream = Objects(failed_line(bytes(100_000)) * 300), Forgetful()
    tracemalloc.start()
    try:
        (outcome,) = put_back(store, store.objects(), stream.put, stream.sleep)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
    assert outcome.taken == 300


def test_a_stream_that_throttles_is_waited_for() -> None:
    """As long as it takes any of what is put, nothing is left, and nothing is put twice."""
    store, stream = Objects(b"".join(failed_line(b"%d" % number) for number in range(500))), Stream(at_once=7)
    (outcome,) = put_back(store, store.objects(), stream.put, stream.sleep)
    assert (outcome.taken, outcome.removed) == (500, True)
    assert stream.records == [b"%d" % number for number in range(500)]
    assert stream.waited > 0


def test_when_the_stream_takes_nothing_more_the_objects_stay() -> None:
    """The one at hand, though a part of it was taken, and those after it, which are not even read."""
    store, stream = Objects(failed_line(b"1"), failed_line(b"2") * 600, failed_line(b"3")), Stream(calls=2)
    first, second = put_back(store, store.objects(), stream.put, stream.sleep)
    assert (first.removed, first.stream_away) == (True, False)
    assert (second.taken, second.removed, second.stream_away) == (500, False, True)
    assert list(store.contents) == ["failed/01", "failed/02"]


def test_an_object_with_a_damaged_line_stays() -> None:
    """Its documents are put back all the same, and the next object's too."""
    store, stream = Objects(failed_line(b"1") + b"harm\n" + failed_line(b"2"), failed_line(b"3")), Stream()
    first, second = put_back(store, store.objects(), stream.put, stream.sleep)
    assert stream.records == [b"1", b"2", b"3"]
    assert (first.taken, first.removed, first.examples) == (2, False, [DamagedLine(2, "is no JSON")])
    assert second.removed
    assert list(store.contents) == ["failed/00"]


def test_of_many_damaged_lines_the_first_are_kept() -> None:
    """All of them are counted."""
    store = Objects(b"harm\n" * 1_000)
    (outcome,) = examine(store, store.objects())
    assert outcome.damaged == 1_000
    assert [one.number for one in outcome.examples] == list(range(1, DAMAGED_LINES_KEPT + 1))


def test_what_has_gone_meanwhile_is_passed_over() -> None:
    """Someone else put it back."""
    store, stream = Objects(failed_line(b"1"), failed_line(b"2")), Stream()
    listed = store.objects()
    store.delete("failed/00")
    (counted,) = examine(store, listed)
    (outcome,) = put_back(store, listed, stream.put, stream.sleep)
    assert counted.stored.key == outcome.stored.key == "failed/01"


def test_to_examine_changes_nothing() -> None:
    """It only counts."""
    store = Objects(failed_line(b"1") + failed_line(b"2", 503))
    (outcome,) = examine(store, store.objects())
    assert (outcome.errors, outcome.taken, outcome.removed) == ({"400": 1, "503": 1}, 0, False)
    assert len(store.contents) == 1


def test_what_is_written_later_is_left_for_later() -> None:
    """A document that fails once more comes back as a new object: it must not go round for ever."""
    store = Objects(b"1", b"22", b"333")
    earlier, later = store.objects()[:2], store.objects()
    there = extent(earlier)
    assert (there.objects, there.size, there.newest) == (2, 3, earlier[1].modified)
    assert list(within(later, there)) == earlier


def test_where_nothing_is_nothing_comes() -> None:
    """Not even what is written a moment later."""
    there = extent([])
    assert (there.objects, there.size, there.newest) == (0, 0, None)
    assert list(within(Objects(b"1").objects(), there)) == []
