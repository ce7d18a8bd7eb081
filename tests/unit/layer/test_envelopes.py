"""Whatever is published becomes one line of JSON, a CloudEvent, without card data."""

import uuid
from contextlib import suppress
from typing import Any

import pytest
from eventfork import envelopes
from eventfork.card_data import Redactor
from eventfork.forwarding import CannotCarryError, Message
from eventfork.json_text import parse, render
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.samples import CANARIES, SENT_AT, documents, message, order_with_canaries

redactor = Redactor()
EVENT = (
    '{ "specversion":"1.0","id":"e-1", "source":"shop","type":"shop.Sold",\r\n'
    ' "data":{"price":1.50,"name":"\\u00fc"} }\n'
)


def line(body: str) -> str:
    return envelopes.line(message(body), redactor)


def test_a_cloud_event_keeps_its_text() -> None:
    """Digit for digit, on one line: line breaks between its tokens become spaces."""
    assert line(EVENT) == EVENT.replace("\r", " ").replace("\n", " ")


def test_a_cloud_event_loses_its_card_data() -> None:
    """All else keeps its value."""
    event = {**parse(EVENT), "data": order_with_canaries()}
    text = line(render(event))
    assert not any(canary in text for canary in CANARIES)
    assert parse(text)["data"]["payment"].keys() == {"id", "amount", "currency", "method", "card-network"}
    assert {**parse(text), "data": None} == {**event, "data": None}


def test_other_json_is_wrapped_as_it_is() -> None:
    """Its text is the data of an envelope, byte for byte."""
    body = '{"customerId": 7,\n "amount": 1.50}'
    envelope = parse(line(body))
    assert envelope.pop("data") == body
    assert uuid.UUID(envelope.pop("id")).version == 5
    assert envelope == {
        "specversion": "1.0",
        "source": "eventfork.envelope",
        "type": "eventfork.envelope.MessageReceived",
        "time": SENT_AT,
        "datacontenttype": "application/json",
    }


def test_a_text_is_wrapped_as_it_is() -> None:
    """Line breaks, quotes and other writing included."""
    body = 'Dear "team",\r\n\tan ordér came in\u2028'
    envelope = parse(line(body))
    assert envelope["data"] == body
    assert envelope["datacontenttype"] == "text/plain"


@pytest.mark.parametrize(
    "body",
    [
        '{"specversion":"0.3","id":"1","source":"a","type":"b"}',
        '{"specversion":1.0,"id":"1","source":"a","type":"b"}',
        '{"specversion":"1.0","id":1,"source":"a","type":"b"}',
        '{"specversion":"1.0","id":"","source":"a","type":"b"}',
        '{"specversion":"1.0","id":"1","source":"a"}',
        '[{"specversion":"1.0"}]',
        '"1.0"',
        "null",
    ],
)
def test_what_is_no_complete_cloud_event_is_wrapped(body: str) -> None:
    """A reader of the backup can rely on the attributes that every CloudEvent has."""
    envelope = parse(line(body))
    assert envelope["type"] == envelopes.MESSAGE_RECEIVED
    assert envelope["data"] == body


def test_a_wrapped_message_has_an_id_of_its_own() -> None:
    """The same message gives the same id, another body or another moment another one."""
    one = message("a")
    other_moment = Message(one.id, one.body, {}, "2026-11-20T08:15:44.000000Z")
    ids = [parse(envelopes.line(sent, redactor))["id"] for sent in (one, message("a", "2"), message("b"), other_moment)]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


def test_card_numbers_in_a_text_are_masked() -> None:
    """The rest of the text stays."""
    assert parse(line("paid with 4111 1111 1111 1111\n"))["data"] == "paid with [card ending 1111]\n"


def test_foreign_json_loses_its_card_data() -> None:
    """It is written anew then, by value."""
    wrapped = parse(line('{"amount": 1.50, "cvv": 737, "note": 4111111111111111}'))
    assert wrapped["data"] == '{"amount":1.50,"note":"[card ending 1111]"}'


@pytest.mark.parametrize(
    "body",
    ['{"a": 1, "a": 2}', '{"a": "\\ud800"}', "[" * 70 + "]" * 70, '{"4111111111111111": 1, "4111-1111-1111-1111": 2}'],
)
def test_json_whose_card_data_cannot_be_found_for_certain_is_not_carried(body: str) -> None:
    """It is for an operator to look at."""
    with pytest.raises(CannotCarryError):
        line(body)


@pytest.mark.parametrize(
    "body",
    [
        '{"card-cvv": "737", "amount": NaN}',
        '{"card-owner": "Ada"}\n{"card-owner": "Eve"}',
        '\ufeff{"card-expiry": "08/29"}',
        '{"cvv": "737"',
        "cvv=737&amount=1",
        "<CardHolder>Ada</CardHolder>",
    ],
)
def test_a_text_that_names_card_fields_is_not_carried(body: str) -> None:
    """What is not JSON cannot be taken apart, so its expiry, owner and code would go into the backup."""
    with pytest.raises(CannotCarryError, match="names fields of card data") as refusal:
        line(body)
    assert "737" not in str(refusal.value)


@given(st.text() | documents.map(render))
def test_every_line_is_one_cloud_event(body: str) -> None:
    """Whatever is sent, unwrapped it is what was sent."""
    try:
        text = line(body)
    except CannotCarryError:
        return
    assert not {"\n", "\r"} & set(text)
    event: dict[str, Any] = parse(text)
    assert event["specversion"] == "1.0"
    assert event["data"] == body or redactor.text(body) != body


@given(st.text() | documents.map(render))
def test_a_line_is_unwrapped_to_what_was_sent(body: str) -> None:
    """Byte for byte, but for its card data; a CloudEvent is its own line."""
    try:
        text = line(body)
    except CannotCarryError:
        return
    event = parse(text)
    assert envelopes.unwrapped(text, event) == event["data"]
    assert envelopes.unwrapped(text, event) == body or redactor.text(body) != body


def test_a_cloud_event_is_unwrapped_to_itself() -> None:
    """Digit for digit."""
    text = line(EVENT)
    assert envelopes.unwrapped(text, parse(text)) == text


@pytest.mark.parametrize(
    "other",
    [
        {"source": "another"},
        {"type": "shop.Sold"},
        {"specversion": "0.3"},
        {"id": ""},
        {"data": {"a": 1}},
        {"data": None},
    ],
)
def test_only_an_envelope_of_ours_is_taken_off(other: dict[str, Any]) -> None:
    """What looks like one, but is another, is given as it is."""
    event = {**parse(line("a text")), **other}
    text = render(event)
    assert envelopes.unwrapped(text, event) == text


@pytest.mark.parametrize("document", [None, [], "a text", 1, {}, {"data": "a text"}])
def test_what_is_no_cloud_event_is_no_envelope(document: Any) -> None:
    """It is given as it is."""
    assert envelopes.unwrapped(render(document), document) == render(document)


@given(st.text(st.characters(exclude_categories=["Cs"])) | st.text(alphabet='{}[]",:\\u0034cv-pan1.'))
def test_any_message_is_a_line_or_not_carried(body: str) -> None:
    """Nothing else is ever raised."""
    with suppress(CannotCarryError):
        assert parse(line(body))["specversion"] == "1.0"
