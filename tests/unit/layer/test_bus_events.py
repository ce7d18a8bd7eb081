"""An event on the bus says what led to it; reading one accepts its forms and refuses what can never be understood."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from eventfork import bus_events
from eventfork.bus_events import CUSTOMER_CREATED, Entry
from eventfork.errors import UnavailableError
from eventfork.forwarding import CannotCarryError, Prepared
from eventfork.json_text import parse, render
from eventfork.limits import PUT_EVENTS_CALL
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.bus import delivered, event
from tests.unit.samples import documents, message

MAXIMUM_HOPS = 3


def created(**fields: Any) -> dict[str, Any]:
    """Give the sample event with other fields at its top."""
    return {**event("customer-created"), **fields}


def with_metadata(**fields: Any) -> dict[str, Any]:
    """Give the sample event with other metadata."""
    detail = event("customer-created")["detail"]
    return created(detail={**detail, "metadata": {**detail["metadata"], **fields}})


def read(document: dict[str, Any]) -> bus_events.BusEvent:
    return bus_events.read(delivered(document), CUSTOMER_CREATED, MAXIMUM_HOPS)


def refusal(document: dict[str, Any]) -> str:
    with pytest.raises(CannotCarryError) as refused:
        read(document)
    return str(refused.value)


def prepared(*details: str) -> list[Prepared[Entry]]:
    return [
        Prepared(message(str(number), str(number)), Entry("s", "t", detail)) for number, detail in enumerate(details)
    ]


def test_an_event_carries_its_metadata_and_every_digit_of_its_data() -> None:
    """In the form that all of them share."""
    entry = bus_events.entry("a", "B", "id", "cause", {"amount": parse("0.10")}, hops=2)
    assert (entry.source, entry.detail_type) == ("a", "B")
    assert entry.detail == (
        '{"metadata":{"id":"id","correlationId":"cause","causationId":"cause","schemaVersion":1,"hops":2},'
        '"data":{"amount":0.10}}'
    )


def test_an_event_is_read_from_its_envelope() -> None:
    """By its own id, which outlives that of a delivery."""
    assert read(event("customer-created")) == bus_events.BusEvent(
        id="Lm5kVH4yliAEPQw=",
        time="2026-11-20T08:14:02.000000Z",
        hops=0,
        data=event("customer-created")["detail"]["data"],
        type=CUSTOMER_CREATED,
        correlation_id="Lm5kVH4yliAEPQw=",
        cause_id="Lm5kVH4yliAEPQw=",
    )


def test_an_event_without_envelope_is_read_as_data() -> None:
    """By EventBridge's id."""
    found = read(created(detail={"customerId": 1, "data": "of another"}))
    assert (found.id, found.hops) == ("c52e1a7b-7f0a-4dbe-8b39-5c7f9f1d2e60", 0)
    assert found.data == {"customerId": 1, "data": "of another"}


def test_an_event_names_its_chain_and_its_cause() -> None:
    """Where it does not, as with other publishers, it stands for itself."""
    found = read(with_metadata(correlationId="head", causationId="before"))
    assert (found.correlation_id, found.cause_id) == ("head", "before")
    for document in (created(detail={"customerId": 1}), with_metadata(correlationId=7, causationId="")):
        alone = read(document)
        assert alone.correlation_id == alone.cause_id == alone.id


def test_an_event_goes_on_with_the_chain_of_its_cause() -> None:
    """Where its cause does not stand at the head of it."""
    entry = bus_events.entry("a", "B", "id", "cause", {}, correlation_id="head")
    metadata = parse(entry.detail)["metadata"]
    assert (metadata["correlationId"], metadata["causationId"]) == ("head", "cause")


def test_one_queue_may_carry_several_types() -> None:
    """Each event says which it is; what is none of them is refused, naming all."""
    wanted = ("OrderPlaced", CUSTOMER_CREATED)
    read_types = {
        bus_events.read(delivered(event(name)), wanted, MAXIMUM_HOPS).type
        for name in ("order-placed", "customer-created")
    }
    assert read_types == set(wanted)
    with pytest.raises(CannotCarryError, match="OrderPlaced or customerCreated"):
        bus_events.read(delivered(event("order-changed")), wanted, MAXIMUM_HOPS)


def test_a_replayed_event_is_the_same_event() -> None:
    """The name of the replay changes nothing of it."""
    assert read(created(**{"replay-name": "job-1"})) == read(event("customer-created"))


@pytest.mark.parametrize("hops", [0, MAXIMUM_HOPS])
def test_as_many_hops_as_are_let_through_pass(hops: int) -> None:
    """Up to and with the limit."""
    assert read(with_metadata(hops=hops)).hops == hops


def test_an_event_that_came_too_far_is_refused() -> None:
    """Events that lead to each other would go on for ever."""
    assert refusal(with_metadata(hops=MAXIMUM_HOPS + 1)) == "4 events led to it, more than the 3 that are let through"


STRANGE = {
    "another type": created(**{"detail-type": "OrderPlaced"}),
    "part of the type": created(**{"detail-type": "customer"}),
    "types": created(**{"detail-type": ["customerCreated"]}),
    "a list": created(detail=[]),
    "a text": created(detail="metadata and data"),
    "a number": created(detail=7),
    "metadata is a list": created(detail={"metadata": [], "data": {}}),
    "metadata without id": created(detail={"metadata": {}, "data": {}}),
    "data is a list": created(detail={"metadata": {"id": "x"}, "data": []}),
    "no offset": created(time="2026-11-20T08:14:02"),
    "no such month": created(time="2026-13-20T08:14:02Z"),
    "before the first year": created(time="0001-01-01T00:00:00+14:00"),
    "time is a number": created(time=7),
    "empty id": created(detail={}, id=""),
    "id is a number": with_metadata(id=7),
    "hops as text": with_metadata(hops="1"),
    "hops below 0": with_metadata(hops=-1),
    "hops as truth value": with_metadata(hops=True),
}


@pytest.mark.parametrize("document", STRANGE.values(), ids=STRANGE)
def test_what_is_no_such_event_is_refused_with_a_reason(document: dict[str, Any]) -> None:
    """It can never be understood, so it is set aside."""
    assert len(refusal(document)) > 10


@pytest.mark.parametrize("name", ["id", "time", "detail"])
def test_an_event_that_lacks_a_part_is_refused(name: str) -> None:
    """Of those that are read."""
    document = created(detail={"customerId": 1})
    del document[name]
    assert "missing" in refusal(document)


@given(documents | st.text())
def test_nothing_else_is_ever_raised(document: Any) -> None:
    """Whatever lies on the queue, at its top and as a detail."""
    for body in (render(document), str(document), render(created(detail=document))):
        with suppress(CannotCarryError):
            bus_events.read(message(body), CUSTOMER_CREATED, MAXIMUM_HOPS)


def test_events_are_sent_ten_at_a_time_and_only_the_refused_ones_again() -> None:
    """What was taken is not put twice."""
    calls: list[list[str]] = []
    pauses: list[float] = []

    def put(entries: Sequence[Entry]) -> list[int]:
        calls.append([entry.detail for entry in entries])
        return [0, 2] if len(calls) == 1 else []

    assert bus_events.send(prepared(*"abcdefghijkl"), put, pauses.append) == set()
    assert calls == [list("abcdefghij"), ["a", "c"], ["k", "l"]]
    assert len(pauses) == 1


def test_a_call_stays_below_its_size() -> None:
    """By bytes, not by characters, source and type included."""
    sizes: list[int] = []

    def put(entries: Sequence[Entry]) -> list[int]:
        sizes.append(sum(len((entry.source + entry.detail_type + entry.detail).encode()) for entry in entries))
        return []

    bus_events.send(prepared(*(["ü" * 50_000] * 5)), put, lambda _: None)
    assert len(sizes) == 3
    assert max(sizes) <= PUT_EVENTS_CALL.size
    bus_events.send(prepared(*(["x" * (PUT_EVENTS_CALL.size // 2 - 1)] * 2)), put, lambda _: None)
    assert len(sizes) == 5


def test_what_is_never_taken_is_named() -> None:
    """Refused again and again, or behind a call that failed."""
    assert bus_events.send(prepared("a", "b"), lambda entries: range(len(entries)), lambda _: None) == {"0", "1"}

    def fail(_: Sequence[Entry]) -> list[int]:
        raise UnavailableError("away")

    assert bus_events.send(prepared(*"abcdefghijkl"), fail, lambda _: None) == {str(number) for number in range(12)}
