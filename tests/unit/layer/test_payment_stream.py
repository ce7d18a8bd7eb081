"""A change of the payments table is told on the bus if the payment stands otherwise, and always as the same event."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from eventfork import payment_stream
from eventfork.adapters.table_streams import changes
from eventfork.bus_events import PAYMENT_CAPTURED, PAYMENT_DECLINED, PAYMENT_DEFERRED, PAYMENTS, Entry
from eventfork.forwarding import CannotCarryError
from eventfork.json_text import parse
from eventfork.order_stream import Change

from tests.unit.bus import event
from tests.unit.functions.conftest import sample

DECLINED, DEFERRED, CAPTURED = changes(sample("payments-stream"))
SAMPLES = {"payment-declined": DECLINED, "payment-deferred": DEFERRED, "payment-captured": CAPTURED}
HELD = dict(DEFERRED.new)
HELD_AGAIN = {
    **HELD,
    "DeferredAt": "2026-11-20T08:43:00.000000Z",
    "UpdatedAt": "2026-11-20T08:43:00.000000Z",
    "Deferrals": Decimal(2),
}
PAID = dict(CAPTURED.new)


def change(old: dict[str, Any], new: dict[str, Any], change_id: str = "change-1") -> Change:
    return Change(change_id, "1", datetime(2026, 11, 20, 8, 15, 46, tzinfo=UTC), old, new)


def told(one: Change) -> Entry | None:
    """Give the event that a change gives, if it gives one."""
    found = [payment_stream.prepare(message) for message in payment_stream.messages([one])]
    assert len(found) <= 1
    return found[0] if found else None


def must(one: Change) -> Entry:
    entry = told(one)
    assert entry is not None
    return entry


@pytest.mark.parametrize("name", SAMPLES)
def test_the_sample_changes_give_the_sample_events(name: str) -> None:
    """With all that each tells."""
    entry, expected = must(SAMPLES[name]), event(name)
    assert (entry.source, entry.detail_type) == (PAYMENTS, expected["detail-type"])
    assert parse(entry.detail) == expected["detail"]


def test_an_amount_keeps_every_digit() -> None:
    """Down to the notation."""
    entry = must(change({}, {**PAID, "Amount": Decimal("0.12345678901234567890123456789012345670")}))
    assert '"amount":0.12345678901234567890123456789012345670,' in entry.detail


@pytest.mark.parametrize(
    ("old", "new", "detail_type"),
    [
        ({}, PAID, PAYMENT_CAPTURED),
        ({}, dict(DECLINED.new), PAYMENT_DECLINED),
        ({}, HELD, PAYMENT_DEFERRED),
        (HELD, PAID, PAYMENT_CAPTURED),
        (HELD, {**dict(DECLINED.new), "Deferrals": Decimal(1)}, PAYMENT_DECLINED),
        (HELD, HELD_AGAIN, PAYMENT_DEFERRED),
    ],
    ids=["captured", "declined", "deferred", "captured at last", "declined at last", "deferred again"],
)
def test_whatever_becomes_of_a_payment_is_told(old: dict[str, Any], new: dict[str, Any], detail_type: str) -> None:
    """By the status that it has now; one that is deferred again, too."""
    assert must(change(old, new)).detail_type == detail_type


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (PAID, PAID),
        (PAID, {**PAID, "UpdatedAt": "2026-11-21T00:00:00.000000Z"}),
        (HELD, HELD),
        (HELD, {**HELD, "Note": "an operator's"}),
        (HELD, {}),
        ({}, {"CustomerId": "9027", "OrderId": "48213"}),
    ],
    ids=["nothing", "another time", "held as before", "an attribute of others", "deleted", "no status"],
)
def test_what_leaves_a_payment_as_it_stands_is_not_told(old: dict[str, Any], new: dict[str, Any]) -> None:
    """Others may write into the row."""
    assert told(change(old, new)) is None


def test_a_payment_deferred_twice_is_two_events() -> None:
    """Each says how often it has been deferred, and when last."""
    first, second = must(change({}, HELD, "change-1")), must(change(HELD, HELD_AGAIN, "change-2"))
    details = [parse(one.detail) for one in (first, second)]
    assert [one["data"]["deferrals"] for one in details] == [1, 2]
    assert [one["data"]["deferredAt"][11:16] for one in details] == ["08:15", "08:43"]
    assert len({one["metadata"]["id"] for one in details}) == 2


@pytest.mark.parametrize("hops", [0, 2])
def test_a_deferral_raises_no_hops_and_what_ends_a_payment_does(hops: int) -> None:
    """Else a payment could be deferred only so often before it would be quarantined."""
    for row, expected in ((HELD, hops), (HELD_AGAIN, hops), (PAID, hops + 1), (dict(DECLINED.new), hops + 1)):
        entry = must(change({}, {**row, "Hops": Decimal(hops)}))
        assert parse(entry.detail)["metadata"]["hops"] == expected


def test_an_outage_is_told_where_there_is_one() -> None:
    """A payment that failed too often before the circuit opened belongs to none."""
    row = {name: value for name, value in HELD.items() if name != "OutageId"}
    assert "outageId" not in parse(must(change({}, row)).detail)["data"]


def test_the_same_change_is_the_same_event() -> None:
    """However often the stream is read."""
    assert told(DEFERRED) == told(DEFERRED)
    assert told(DEFERRED) != told(replace(DEFERRED, id="another"))


def test_a_message_is_the_change_at_its_place_in_the_stream() -> None:
    """So that the stream is read again from there."""
    [message] = payment_stream.messages([replace(DEFERRED, new={**HELD, "Note": "x" * 300_000})])
    assert (message.id, message.sent_at) == (DEFERRED.position, "2026-11-20T08:15:46.000000Z")
    assert len(message.body) < 1_000


@pytest.mark.parametrize(
    ("row", "name", "value"),
    [
        *((PAID, name, value) for name in ("OrderId", "ChargeId", "EventId") for value in (None, "", Decimal(7))),
        *((PAID, "Amount", value) for value in (None, "128.40", {"BOOL": True})),
        *((PAID, "Hops", value) for value in (None, "1", Decimal("0.5"), Decimal(-1))),
        (PAID, "Status", "REFUNDED"),
        (PAID, "CorrelationId", None),
        (dict(DECLINED.new), "DeclineReason", None),
        *((HELD, name, None) for name in ("StatusCode", "Circuit", "DeferredAt", "Deferrals")),
        (HELD, "OutageId", ""),
    ],
)
def test_a_spoilt_row_gives_no_event_but_a_reason(row: dict[str, Any], name: str, value: Any) -> None:
    """Naming the attribute; the change is set aside."""
    [message] = payment_stream.messages([change({}, {**row, name: value})])
    with pytest.raises(CannotCarryError, match=name):
        payment_stream.prepare(message)
