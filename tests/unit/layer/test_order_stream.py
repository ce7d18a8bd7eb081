"""A change of the orders table is told on the bus if it is news of an order, and always as the same event."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from eventfork import order_rows, order_stream
from eventfork.adapters.table_streams import changes
from eventfork.bus_events import ORDER_CHANGED, ORDER_PLACED, ORDERS, Entry
from eventfork.forwarding import CannotCarryError
from eventfork.json_text import parse
from eventfork.order_stream import Change

from tests.unit.functions.conftest import sample

PLACED, CHANGED = changes(sample("order-stream"))
ROW = dict(PLACED.new)


def change(old: dict[str, Any], new: dict[str, Any]) -> Change:
    return Change("change-1", "1", datetime(2026, 11, 20, 8, 15, 44, tzinfo=UTC), old, new)


def told(one: Change) -> Entry | None:
    """Give the event that a change gives, if it gives one."""
    found = [order_stream.prepare(message) for message in order_stream.messages([one])]
    assert len(found) <= 1
    return found[0] if found else None


def test_a_new_order_is_told() -> None:
    """With what others need of it, and where it came from."""
    event = told(PLACED)
    assert event is not None
    assert (event.source, event.detail_type) == (ORDERS, ORDER_PLACED)
    detail = parse(event.detail)
    assert detail["metadata"].pop("id")
    assert detail == {
        "metadata": {
            "correlationId": ROW["EventId"],
            "causationId": ROW["EventId"],
            "schemaVersion": 1,
            "hops": 0,
        },
        "data": {
            "orderId": "48213",
            "customerId": "9027",
            "dateOrderId": "2026-11-20T08:15:42Z#48213",
            "paymentId": "77310",
            "currency": "eur",
            "amount": Decimal("128.40"),
            "totalQuantity": 3,
        },
    }


def test_an_amount_keeps_every_digit() -> None:
    """Down to the notation."""
    event = told(change({}, {**ROW, "PaymentAmount": Decimal("0.12345678901234567890123456789012345670")}))
    assert event is not None
    assert '"amount":0.12345678901234567890123456789012345670,' in event.detail


def test_an_order_that_is_another_than_before_is_told_as_changed() -> None:
    """With what it is now."""
    event = told(CHANGED)
    assert event is not None
    assert event.detail_type == ORDER_CHANGED
    assert parse(event.detail)["data"]["amount"] == Decimal("208.40")


@pytest.mark.parametrize("name", sorted({*order_rows.OWNED} - {"EventTime"}))
def test_a_change_of_anything_that_the_projection_owns_is_news(name: str) -> None:
    """A repaired row, too, is told to those who got the spoilt one."""
    event = told(change({**ROW, name: "spoilt"}, ROW))
    assert event is not None
    assert event.detail_type == ORDER_CHANGED


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (ROW, ROW),
        (ROW, {**ROW, "PaymentStatus": "captured"}),
        (ROW, {**ROW, "EventTime": "2026-11-21T00:00:00.000000Z"}),
        (ROW, {}),
        ({}, {"CustomerId": "9027", "DateOrderId": "x", "PaymentStatus": "captured"}),
    ],
    ids=["nothing", "an attribute of others", "the same order sent again", "deleted", "begun by others"],
)
def test_what_is_no_news_of_an_order_is_not_told(old: dict[str, Any], new: dict[str, Any]) -> None:
    """Others write into the row, and clients send the same order again."""
    assert told(change(old, new)) is None


def test_an_order_that_completes_a_row_of_others_is_new() -> None:
    """Whoever wrote first."""
    event = told(change({"CustomerId": "9027", "PaymentStatus": "captured"}, {**ROW, "PaymentStatus": "captured"}))
    assert event is not None
    assert event.detail_type == ORDER_PLACED


def test_the_same_change_is_the_same_event_and_another_change_another() -> None:
    """However often the stream is read."""
    assert told(PLACED) == told(PLACED)
    again, other = told(PLACED), told(replace(PLACED, id="another"))
    assert again is not None
    assert other is not None
    assert parse(again.detail)["metadata"]["id"] != parse(other.detail)["metadata"]["id"]


def test_hops_are_passed_on() -> None:
    """So that a chain of events that leads back to itself is seen."""
    event = told(change({}, {**ROW, "Hops": Decimal(2)}))
    assert event is not None
    assert parse(event.detail)["metadata"]["hops"] == 2


def test_a_message_is_small_and_says_where_it_stands_in_the_stream() -> None:
    """The order's text, which can be longer than a queue takes, stays out."""
    [message] = order_stream.messages([replace(CHANGED, new={**CHANGED.new, "Order": "x" * 300_000})])
    assert (message.id, message.sent_at) == (CHANGED.position, "2026-11-20T08:21:08.000000Z")
    assert len(message.body) < 1_000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in ("OrderId", "PaymentId", "EventId") for value in (None, "", Decimal(7))),
        *(("PaymentAmount", value) for value in (None, "128.40", {"BOOL": True})),
        *(("TotalQuantity", value) for value in (None, "3", Decimal("0.5"), Decimal(-1))),
        *(("Hops", value) for value in ("1", Decimal("0.5"), Decimal(-1))),
    ],
)
def test_a_spoilt_row_gives_no_event_but_a_reason(name: str, value: Any) -> None:
    """Naming the attribute; the change is set aside."""
    [message] = order_stream.messages([change({}, {**ROW, name: value})])
    with pytest.raises(CannotCarryError, match=name):
        order_stream.prepare(message)


def test_a_row_that_lacks_an_attribute_gives_no_event_but_a_reason() -> None:
    """As if it were spoilt."""
    [message] = order_stream.messages([change({}, {name: ROW[name] for name in ROW if name != "PaymentAmount"})])
    with pytest.raises(CannotCarryError, match="PaymentAmount"):
        order_stream.prepare(message)
