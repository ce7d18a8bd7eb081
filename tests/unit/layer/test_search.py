"""A message becomes one document, and one document one record; what was not taken is reported."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from eventfork import search
from eventfork.batches import PAUSES
from eventfork.card_data import Redactor
from eventfork.errors import UnavailableError
from eventfork.forwarding import CannotCarryError, Prepared
from eventfork.json_text import parse, render
from hypothesis import given

from tests.unit.samples import CANARIES, SENT_AT, documents, message, order, order_with, order_with_canaries

KIB = 1024
EVENT = {"specversion": "1.0", "id": "e-1", "source": "shop", "type": "shop.Sold", "time": "2026-11-20T08:15:43Z"}


def document(body: str | dict[str, Any]) -> Any:
    """Give what the ingest pipeline makes of a message's document: it takes the mark away."""
    placed = parse(search.document(message(body), Redactor()))
    assert placed.pop("unplaced") == {"document": True}
    return placed


def refusal(body: str | dict[str, Any]) -> str:
    with pytest.raises(CannotCarryError) as refused:
        search.document(message(body), Redactor())
    return str(refused.value)


def test_an_order_is_indexed_with_every_digit() -> None:
    """Beside it stand the event's own attributes, and how long the delivery takes, in seconds."""
    attributes = {**EVENT, "subject": "48213", "datacontenttype": "application/json", "traceparent": "00-1"}
    text = search.document(
        message({**attributes, "data": order_with("/payment/amount", Decimal("128.40"))}), Redactor()
    )
    assert b"128.40" in text
    assert b"\n" not in text
    read = parse(text)
    assert read.pop("delivery_seconds") == 3 * 86_400
    assert read.pop("time") == "2026-11-20T08:15:43.000000Z"
    data = read.pop("data")
    assert data.pop("items") == order()["items"]
    assert read.pop("unplaced")
    assert read == {key: value for key, value in attributes.items() if key != "time"}


def test_card_data_is_not_indexed() -> None:
    """Wherever it stands."""
    text = search.document(message({**EVENT, "data": order_with_canaries()}), Redactor()).decode()
    assert not any(canary in text for canary in CANARIES)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("a text", "a text"),
        ([1, Decimal("1.50")], "[1,1.50]"),
        (Decimal("7.10"), "7.10"),
        (True, "true"),
        ('{"a": 1}', '{"a": 1}'),
    ],
)
def test_data_that_is_no_object_is_text(data: Any, text: str) -> None:
    """A string as it is, anything else as its JSON text."""
    assert document({**EVENT, "data": data}) == {**EVENT, "time": "2026-11-20T08:15:43.000000Z", "text": text}


@pytest.mark.parametrize("event", [EVENT, {**EVENT, "data": None}])
def test_an_event_without_data_is_indexed(event: dict[str, Any]) -> None:
    """By its attributes."""
    assert document(event) == {**EVENT, "time": "2026-11-20T08:15:43.000000Z"}


@pytest.mark.parametrize("body", ["hello", '{"customerId": 7}', "null"])
def test_what_is_no_event_is_text(body: str) -> None:
    """At the time at which it was sent."""
    read = document(body)
    assert (read["text"], read["time"]) == (body, SENT_AT)
    assert "data" not in read


@given(documents)
def test_whatever_is_published_becomes_a_document_or_is_set_aside(published: Any) -> None:
    """With an id, a type, and a time in UTC."""
    body = render({**EVENT, "data": published})
    try:
        read = parse(search.document(message(body), Redactor()))
    except CannotCarryError:
        return
    assert read.keys() >= {"id", "source", "type", "time"}
    assert isinstance(read.get("data", {}), dict)
    assert isinstance(read.get("text", ""), str)


@pytest.mark.parametrize(
    ("time", "unit", "seconds"),
    [
        (30, "minutes", 1_800),
        (1, "minute", 60),
        (2, "Hours", 7_200),
        (3, "DAY", 259_200),
        (1, " weeks ", 604_800),
        (0, "days", 0),
        (Decimal("1.5"), "hour", 5_400),
        (Decimal("0.008333333"), "minutes", 0),
        (Decimal("0.00833333333333333333333333333334"), "minutes", 1),
        (Decimal("0.025"), "minutes", 2),
        (10**9, "weeks", 604_800 * 10**9),
    ],
)
def test_a_delivery_is_given_in_whole_seconds(time: Any, unit: str, seconds: int) -> None:
    """Half a second up; the unit in singular or plural, in capitals or not."""
    read = document({**EVENT, "data": {"shipping": {"time": time, "unit": unit}}})
    assert read["delivery_seconds"] == seconds
    assert read["data"] == {"shipping": {"time": time, "unit": unit}}


@pytest.mark.parametrize(
    "shipping",
    [
        {"time": 3},
        {"unit": "days"},
        {"time": "3", "unit": "days"},
        {"time": True, "unit": "days"},
        {"time": None, "unit": "days"},
        {"time": 3, "unit": "business days"},
        {"time": 3, "unit": "s"},
        {"time": 3, "unit": 1},
        {"time": -1, "unit": "days"},
        {"time": 10**9 + 1, "unit": "days"},
        {"time": Decimal("1e999999"), "unit": "days"},
        {"time": Decimal("-1e999999"), "unit": "days"},
        "3 days",
        None,
    ],
)
def test_a_delivery_that_cannot_be_told_is_left_out(shipping: Any) -> None:
    """The order is indexed all the same."""
    read = document({**EVENT, "data": {"shipping": shipping}})
    assert "delivery_seconds" not in read
    assert read["data"] == {"shipping": shipping}


@pytest.mark.parametrize(
    ("time", "indexed"),
    [
        ("2026-11-20T09:15:43.5+01:00", "2026-11-20T08:15:43.500000Z"),
        ("2026-11-20t08:15:43z", "2026-11-20T08:15:43.000000Z"),
        ("2026-11-20T08:15:43.1234567Z", "2026-11-20T08:15:43.123456Z"),
    ],
)
def test_the_time_is_given_in_utc(time: str, indexed: str) -> None:
    """The form in which the index is chosen by it."""
    assert document({**EVENT, "time": time})["time"] == indexed


@pytest.mark.parametrize("time", ["", "yesterday", "2026-11-20T08:15:43", "2026-02-30T08:15:43Z", 1795162543, None])
def test_an_event_whose_time_is_no_moment_is_set_aside(time: Any) -> None:
    """There is no telling which index it belongs to."""
    assert refusal({**EVENT, "time": time}).startswith("/time is no day and time")


def test_a_time_before_the_first_year_is_set_aside() -> None:
    """In UTC it is of the year 0."""
    assert refusal({**EVENT, "time": "0001-01-01T00:00:00+01:00"}).startswith("/time is no day and time")


def test_an_event_without_a_time_has_that_of_its_message() -> None:
    """CloudEvents may leave it out."""
    assert document({key: value for key, value in EVENT.items() if key != "time"})["time"] == SENT_AT


@pytest.mark.parametrize(
    ("date", "indexed"),
    [
        ("2026-11-20T09:15:42+01:00", "2026-11-20T09:15:42+01:00"),
        ("2026-11-20T09:15:42.123456789Z", "2026-11-20T09:15:42.123456789Z"),
        ("2026-11-20t09:15:42z", "2026-11-20T09:15:42.000000Z"),
        ("2026-11-20T09:15:42.1234567891Z", "2026-11-20T09:15:42.123456Z"),
        ("2026-11-20T09:15:42+23:30", "2026-11-19T09:45:42.000000Z"),
        ("yesterday", "yesterday"),
        (20261120, 20261120),
        (None, None),
    ],
)
def test_an_order_keeps_its_date_unless_the_engine_cannot_read_it(date: Any, indexed: Any) -> None:
    """Then the same moment stands there in UTC; what is no moment is left for the engine to refuse."""
    assert document({**EVENT, "data": {"date": date}})["data"] == {"date": indexed}


def test_names_that_the_engine_keeps_for_itself_are_left_out() -> None:
    """Else the event could say which shard it goes to."""
    assert document({**EVENT, "_routing": "a", "_id": "b"}) == document(EVENT)


def test_an_id_longer_than_the_engine_takes_is_set_aside() -> None:
    """In bytes, to the byte."""
    assert document({**EVENT, "id": "ü" * 256})["id"] == "ü" * 256
    assert refusal({**EVENT, "id": "ü" * 256 + "x"}) == "/id weighs 513 bytes; OpenSearch takes 512"


def test_a_document_longer_than_a_record_is_set_aside() -> None:
    """To the byte."""
    empty = len(search.document(message({**EVENT, "data": ""}), Redactor()))
    longest = "x" * (1000 * KIB - empty)
    assert len(search.document(message({**EVENT, "data": longest}), Redactor())) == 1000 * KIB
    assert refusal({**EVENT, "data": longest + "x"}).startswith("as a document it weighs 1024001 bytes")


def test_what_cannot_be_freed_of_card_data_is_set_aside() -> None:
    """As in every fork."""
    assert "card data" in refusal("cvv=737")


class Stream:
    """A delivery stream that refuses certain records, or fails.

    Parameters
    ----------
    poison : bytes
        A record that is this is refused each time.
    failures : int
        So many calls fail as a whole first.
    """

    def __init__(self, poison: bytes | None = None, failures: int = 0) -> None:
        self.calls: list[list[bytes]] = []
        self._poison = poison
        self._failures = failures

    def put(self, records: Sequence[bytes]) -> list[int]:
        """Take records but for some, or fail."""
        self.calls.append(list(records))
        if len(self.calls) <= self._failures:
            raise UnavailableError("Firehose did not take the records")
        return [position for position, record in enumerate(records) if record == self._poison]


def send(records: Sequence[bytes], stream: Stream) -> set[str]:
    prepared = [Prepared(message("", str(position)), record) for position, record in enumerate(records)]
    return search.send(prepared, stream.put, lambda _: None)


def test_every_document_is_a_record() -> None:
    """Five hundred of them a call, the most that Firehose takes."""
    records = [b"%d" % number for number in range(1200)]
    stream = Stream()
    assert send(records, stream) == set()
    assert [len(call) for call in stream.calls] == [500, 500, 200]
    assert [record for call in stream.calls for record in call] == records


def test_a_call_is_no_larger_than_it_may_be() -> None:
    """At most 4 MiB together: five documents of 1,000 KiB take two calls."""
    stream = Stream()
    assert send([b"x" * (1000 * KIB)] * 5, stream) == set()
    assert [len(call) for call in stream.calls] == [4, 1]


def test_only_what_was_refused_is_sent_again() -> None:
    """And only its message is reported in the end."""
    stream = Stream(poison=b"bad")
    assert send([b"good", b"bad", b"fine"], stream) == {"1"}
    assert stream.calls == [[b"good", b"bad", b"fine"]] + [[b"bad"]] * len(PAUSES)


def test_a_stream_that_stays_away_has_taken_nothing() -> None:
    """Every message is reported."""
    assert send([b"a", b"b"], Stream(failures=99)) == {"0", "1"}
