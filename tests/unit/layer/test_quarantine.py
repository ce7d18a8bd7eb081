"""What is set aside is as it came, but without card data."""

from typing import Any

import pytest
from eventfork.card_data import Redactor, redactor
from eventfork.json_text import parse, render
from eventfork.quarantine import WITHHELD, without_card_data
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.samples import documents, message, string

REDACTOR = Redactor()


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        ("not an order: 4111-1111-1111-1111, call back", "not an order: [card ending 1111], call back"),
        ('{"a": {"card-cvv": "737", "b": 1.50}}', '{"a":{"b":1.50}}'),
        ('{"n": [4111111111111111], "n": 1}', '{"n": [[card ending 1111]], "n": 1}'),
        (
            '{"Message": "{\\"card\\": {\\"expiry\\": \\"08/29\\", \\"id\\": 7}}"}',
            '{"Message":"{\\"card\\":{\\"id\\":7}}"}',
        ),
    ],
)
def test_card_data_is_taken_out_of_a_body(body: str, kept: str) -> None:
    """Numbers are masked wherever they stand, fields of JSON are dropped, in a document within a text as well."""
    assert without_card_data(message(body), REDACTOR).body == kept


@pytest.mark.parametrize(
    "body",
    [
        "cvv=737&amount=1",
        '{"card-cvv": "737", "card-cvv": "738"}',
        '{"card": {"expiry": "08/29"}, "x": NaN}',
        '{"c\\u0076v": "737", "x": NaN}',
        '{"note": "\\u0034111111111111111", "x": NaN}',
        "c%76v=737",
        "<note>&#52;111111111111111</note>",
        '{"4111111111111111": 1, "4111-1111-1111-1111": 2}',
        "[" * 99 + '{"card-owner": "Ada"}' + "]" * 99,
    ],
)
def test_a_body_that_card_data_cannot_be_taken_out_of_is_withheld(body: str) -> None:
    """What names fields of a card in a text that cannot be read, has a number behind escapes, or would lose a key."""
    assert without_card_data(message(body), REDACTOR).body == WITHHELD


@pytest.mark.parametrize("body", ["hello", '{"a": 1, "a": 2}', "[NaN]", "50 %zz &#9999999; \\u12", ' {"a":\n1.50} '])
def test_what_holds_no_card_data_is_kept_byte_for_byte(body: str) -> None:
    """However little can be made of it, an operator may need it as it came."""
    kept = message(body, attributes={"a": string("b"), "bytes": {"dataType": "Binary", "binaryValue": "AP8="}})
    assert without_card_data(kept, REDACTOR) == kept


def test_an_attribute_that_holds_card_data_is_left_out() -> None:
    """By its name or by its value."""
    attributes = {"cvv": string("737"), "note": string("4111 1111 1111 1111"), "type": string("a")}
    kept = without_card_data(message("x", attributes=attributes), REDACTOR)
    assert kept.attributes == {"type": string("a")}


def test_where_nothing_is_redacted_nothing_is_left_out() -> None:
    """A pipeline that is told so keeps its messages whole in its quarantine as well."""
    raw = message("cvv=737", attributes={"cvv": string("737")})
    assert without_card_data(raw, redactor(False, "")) == raw


@given(documents, st.sampled_from([{"card-cvv": "canary"}, {"a": '{"cvv":"canary"}'}, {"card": {"expiry": "canary"}}]))
def test_no_field_of_a_card_survives_in_any_document(document: Any, hidden: Any) -> None:
    """At any depth."""
    body = render([document, {"within": [hidden, document]}])
    kept = without_card_data(message(body), REDACTOR).body
    assert "canary" not in kept
    assert kept == WITHHELD or parse(kept)
