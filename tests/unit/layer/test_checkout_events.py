"""The event on the topic reports an order completely, can be filtered by, and is read back as strictly as an order."""

import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Context, Decimal
from fractions import Fraction
from typing import Any

import pytest
from eventfork import checkout_events, orders
from eventfork.card_data import Redactor
from eventfork.checkout_events import Attribute, NotAnOrderError
from eventfork.json_text import parse, render
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.unit.samples import CANARIES, documents, order, order_with, order_with_canaries, order_without

redactor = Redactor()
ACCEPTED_AT = datetime(2026, 11, 20, 9, 15, 43, 120000, timezone(timedelta(hours=1)))


def event(document: dict[str, Any] | None = None) -> dict[str, Any]:
    return checkout_events.order_submitted(orders.without_card_data(document or order(), redactor), ACCEPTED_AT)


def test_the_event_of_the_sample_order() -> None:
    """A CloudEvent whose data is the order without card data; its time is when the order was accepted."""
    assert render(event()) == (
        '{"specversion":"1.0","id":"184d89bb-ba27-5028-9fd8-3b5bd06841ee","source":"eventfork.checkout",'
        '"type":"eventfork.checkout.OrderSubmitted","time":"2026-11-20T08:15:43.120000Z","subject":"48213",'
        '"datacontenttype":"application/json","data":{"id":48213,"date":"2026-11-20T09:15:42+01:00",'
        '"status":"confirmed","customer":{"id":9027,"name":"Ada Example","email":"ada@example.com"},'
        '"payment":{"id":77310,"amount":128.40,"currency":"eur","method":"credit","card-network":"visa",'
        '"card-last-four":"1111"},"shipping":{"id":5512,"time":3,"unit":"days","method":"courier"},'
        '"items":[{"id":90211,"product":3301,"name":"Espresso cups, set of 4","quantity":2,"price":24.20,'
        '"subtotal":48.40},{"id":90212,"product":1188,"name":"Hand grinder","quantity":1,"price":80.00,'
        '"subtotal":80.00}]}}'
    )


def test_the_attributes_of_the_sample_order() -> None:
    """Subscriptions filter by type, currency and amount; the amount is a number."""
    assert checkout_events.attributes(event()) == {
        "type": Attribute("String", "eventfork.checkout.OrderSubmitted"),
        "currency": Attribute("String", "eur"),
        "amount": Attribute("Number", "128.4"),
    }


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("99.999999", "99.99999"),
        ("99.99999999999999999999999999", "99.99999"),
        ("100", "100"),
        ("100.00", "100"),
        ("1e2", "100"),
        ("1E-120", "0"),
        ("0.00001", "0.00001"),
        ("999999999.999999", "999999999.99999"),
        ("123456789.12345678901234567890123456789", "123456789.12345"),
    ],
)
def test_the_amount_to_filter_by_is_cut_to_five_decimals(amount: str, text: str) -> None:
    """Cut, not rounded, so that less than a hundred never passes for a hundred; never in scientific notation."""
    submitted = event(order_with("/payment/amount", parse(amount)))
    assert checkout_events.attributes(submitted)["amount"] == Attribute("Number", text)


@given(st.integers(min_value=1, max_value=10**38 - 1), st.integers(min_value=0, max_value=120))
def test_the_amount_to_filter_by_is_never_more_than_the_amount(digits: int, decimals: int) -> None:
    """It is a plain number, less than a hundred-thousandth below the amount."""
    amount = Decimal(digits).scaleb(-decimals, Context(prec=38))
    assume(amount < 10**9)
    text = checkout_events.attributes(event(order_with("/payment/amount", amount)))["amount"].value
    assert re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,5})?", text)
    assert 0 <= Fraction(amount) - Fraction(text) < Fraction(1, 10**5)


def test_a_message_weighs_its_bytes_and_those_of_its_attributes() -> None:
    """Names, types and values count, in UTF-8."""
    assert checkout_events.weight("ü", {"né": Attribute("String", "€")}) == 2 + 3 + 6 + 3
    assert checkout_events.weight("", {}) == 0


def read(document: Any) -> dict[str, Any]:
    return checkout_events.read_order_submitted(render(document), redactor)


def test_an_event_is_read_back_as_it_was_published() -> None:
    """Nothing is lost or changed on the way."""
    assert read(event()) == event()


def test_an_event_of_another_publisher_loses_its_card_data() -> None:
    """The topic may have publishers that know nothing of card data."""
    foreign = {**event(), "data": order_with_canaries()}
    stored = read(foreign)
    assert stored == {**event(), "data": orders.without_card_data(order_with_canaries(), redactor)}
    assert not any(canary in render(stored) for canary in CANARIES)


def test_the_time_of_an_event_is_read_into_one_notation() -> None:
    """In UTC and of one width, so that times compare as texts."""
    assert read({**event(), "time": "2026-11-20T09:15:43+01:00"})["time"] == "2026-11-20T08:15:43.000000Z"
    assert read({**event(), "time": "2026-11-20T08:15:43Z"})["time"] == "2026-11-20T08:15:43.000000Z"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"type": "customerCreated"}, "not a CloudEvent of the type"),
        ({"type": None}, "not a CloudEvent of the type"),
        ({"id": ""}, "/id is missing or no text"),
        ({"id": 7}, "/id is missing or no text"),
        ({"id": "order 4111111111111111"}, "/id has the form of a card number"),
        ({"time": None}, "/time is missing or no text"),
        ({"time": 1795162543}, "/time is missing or no text"),
        ({"time": "yesterday"}, "/time is no day and time"),
        ({"time": "2026-02-31T00:00:00Z"}, "/time is no day and time"),
        ({"time": "2026-11-20T08:15:43"}, "/time has no offset"),
        ({"time": "0001-01-01T00:00:00+01:00"}, "/time is no day and time"),
        ({"time": "9999-12-31T23:59:59-01:00"}, "/time is no day and time"),
        ({"data": None}, "/data must be object"),
        ({"data": order_without("/payment/amount")}, "/data/payment/amount is missing"),
        ({"data": order_with("/id", 4111111111111111)}, "/data/id has the form of a card number"),
        ({"data": {**order(), "4111111111111111": 1, "4111-111111111111": 2}}, "two keys are the same"),
    ],
)
def test_a_message_that_reports_no_storable_order_says_why(change: dict[str, Any], reason: str) -> None:
    """The reason names the field and quotes no value."""
    with pytest.raises(NotAnOrderError, match=re.escape(reason)) as refusal:
        read({**event(), **change})
    assert "4111" not in str(refusal.value)


@pytest.mark.parametrize("field", ["id", "time", "type", "data"])
def test_an_event_without_a_field_is_refused(field: str) -> None:
    """Each that is needed is missed."""
    with pytest.raises(NotAnOrderError):
        read({key: value for key, value in event().items() if key != field})


@pytest.mark.parametrize("body", ["", "no JSON", "[]", "null", '"event"', "1", '{"a":1,"a":2}', "NaN", "[" * 5_000])
def test_a_message_that_is_no_event_is_refused(body: str) -> None:
    """Text, other documents and JSON that can be read in two ways."""
    with pytest.raises(NotAnOrderError):
        checkout_events.read_order_submitted(body, redactor)


@given(documents, st.sampled_from(["id", "time", "data", "type", "specversion", "note"]))
def test_whatever_an_event_holds_it_is_read_or_refused(value: Any, field: str) -> None:
    """No event of any publisher can stop a batch with another error."""
    try:
        stored = read({**event(), field: value})
    except NotAnOrderError:
        return
    assert datetime.fromisoformat(stored["time"]).tzinfo == UTC
