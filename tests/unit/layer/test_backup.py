"""The backup packs lines into as few records as Firehose takes, and reports exactly what it did not take."""

from collections.abc import Sequence

import pytest
from eventfork import backup
from eventfork.batches import PAUSES
from eventfork.card_data import Redactor
from eventfork.errors import UnavailableError
from eventfork.forwarding import CannotCarryError, Prepared
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.samples import message

KIB = 1024


class Stream:
    """A delivery stream that refuses the records that hold certain lines, or fails.

    Parameters
    ----------
    poison : bytes
        A record that holds this is refused each time.
    failures : int
        So many calls fail as a whole first.
    """

    def __init__(self, poison: bytes | None = None, failures: int = 0) -> None:
        self.calls: list[list[bytes]] = []
        self.taken: list[bytes] = []
        self._poison = poison
        self._failures = failures

    def put(self, records: Sequence[bytes]) -> list[int]:
        """Take records but for some, or fail."""
        self.calls.append(list(records))
        if len(self.calls) <= self._failures:
            raise UnavailableError("Firehose did not take the records")
        refused = [position for position, record in enumerate(records) if self._poison and self._poison in record]
        self.taken += [record for position, record in enumerate(records) if position not in refused]
        return refused


def prepared(lines: Sequence[bytes]) -> list[Prepared[bytes]]:
    return [Prepared(message("", str(position)), text) for position, text in enumerate(lines)]


def send(lines: Sequence[bytes], stream: Stream) -> set[str]:
    return backup.send(prepared(lines), stream.put, lambda _: None)


def test_a_message_becomes_a_line_that_ends() -> None:
    """So that packed lines unpack by themselves."""
    line = backup.prepare(message("hello"), Redactor())
    assert line.endswith(b'"data":"hello"}\n')
    assert line.count(b"\n") == 1


def test_a_line_longer_than_a_record_is_not_carried() -> None:
    """To the byte."""
    empty = len(backup.prepare(message(""), Redactor()))
    longest = "x" * (1000 * KIB - empty)
    assert len(backup.prepare(message(longest), Redactor())) == 1000 * KIB
    with pytest.raises(CannotCarryError, match="1024001 bytes; a record takes 1024000"):
        backup.prepare(message(longest + "x"), Redactor())


def test_small_lines_travel_in_one_record() -> None:
    """A thousand orders are one call and one record."""
    lines = [b"%d %s\n" % (number, b"x" * 900) for number in range(1000)]
    stream = Stream()
    assert send(lines, stream) == set()
    assert stream.calls == [[b"".join(lines)]]


def test_a_record_is_as_large_as_it_may_be() -> None:
    """One byte more, and there are two."""
    half = b"x" * (500 * KIB - 1) + b"\n"
    stream = Stream()
    send([half, half], stream)
    send([half, half, b"\n"], stream)
    assert [[len(record) for record in call] for call in stream.calls] == [[1000 * KIB], [1000 * KIB, 1]]


def test_a_call_is_within_its_limits() -> None:
    """At most 4 MiB together: five records of 1,000 KiB take two calls."""
    line = b"x" * (1000 * KIB - 1) + b"\n"
    stream = Stream()
    send([line] * 5, stream)
    assert [len(call) for call in stream.calls] == [4, 1]


@given(st.lists(st.integers(min_value=1, max_value=1000 * KIB), max_size=12))
def test_lines_are_never_split_lost_or_moved(lengths: list[int]) -> None:
    """What the stream took, in order, is the lines; every record is whole lines within the limits."""
    lines = [bytes([48 + position]) * (length - 1) + b"\n" for position, length in enumerate(lengths)]
    stream = Stream()
    assert send(lines, stream) == set()
    assert b"".join(stream.taken) == b"".join(lines)
    for call in stream.calls:
        assert len(call) <= 500
        assert sum(map(len, call)) <= 4 * KIB * KIB
        assert all(record.endswith(b"\n") and len(record) <= 1000 * KIB for record in call)


def test_a_refused_record_is_sent_again_alone() -> None:
    """And its messages, only they, are reported in the end."""
    big = b"x" * (600 * KIB) + b"\n"
    stream = Stream(poison=b"bad")
    refused = send([big, b"good\n", b"bad " + big, b"neighbour\n", big], stream)
    assert refused == {"2", "3"}
    assert [len(call) for call in stream.calls] == [3] + [1] * len(PAUSES)


def test_a_stream_that_recovers_takes_everything() -> None:
    """What a failed call left behind comes back with the next invocation, whole."""
    stream = Stream(failures=1)
    assert send([b"a\n", b"b\n"], stream) == {"0", "1"}
    assert send([b"a\n", b"b\n"], stream) == set()
    assert stream.taken == [b"a\nb\n"]


def test_a_stream_that_stays_away_has_taken_nothing() -> None:
    """Every message is reported."""
    assert send([b"a\n", b"b\n"], Stream(failures=99)) == {"0", "1"}


def test_nothing_to_send_makes_no_call() -> None:
    """A batch of parked messages only leaves nothing to put."""
    stream = Stream()
    assert send([], stream) == set()
    assert stream.calls == []
