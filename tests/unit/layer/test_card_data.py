"""Card data is found and taken out wherever it stands, and nothing else is touched."""

from decimal import Decimal
from typing import Any

import pytest
from eventfork import card_data
from eventfork.card_data import CardDataError, FieldPatternError, Redactor, is_card_number, last_four
from eventfork.json_text import parse, render
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.samples import documents

# Published test numbers of the schemes.
CARD_NUMBERS = {
    "Visa": "4111111111111111",
    "Visa of 13 digits": "4222222222222",
    "Mastercard": "5555555555554444",
    "Mastercard of the 2 series": "2223003122003222",
    "American Express": "378282246310005",
    "Diners Club": "30569309025904",
    "Discover": "6011111111111117",
    "UnionPay of 19 digits": "6205500000000000004",
    "Maestro of 18 digits": "675941110000000008",
}
redactor = Redactor()


def check_digit(digits: str) -> str:
    """Complete digits to a number that passes the Luhn check, the way ISO/IEC 7812-1 describes it."""
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if position % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return digits + str(-total % 10)


card_numbers = st.from_regex(r"\A[2-6][0-9]{11,17}\Z").map(check_digit)


@pytest.mark.parametrize("scheme", CARD_NUMBERS)
def test_the_numbers_of_every_scheme_are_card_numbers(scheme: str) -> None:
    """Thirteen to nineteen digits, each scheme's first digit."""
    assert is_card_number(CARD_NUMBERS[scheme])


@given(card_numbers)
def test_every_number_of_the_form_of_a_card_is_masked_but_for_its_last_four_digits(number: str) -> None:
    """The mask says which card it was, and no more."""
    assert redactor.text(number) == f"[card ending {number[-4:]}]"


@given(card_numbers, st.integers(min_value=0, max_value=18), st.integers(min_value=1, max_value=9))
def test_one_wrong_digit_makes_it_none(number: str, position: int, step: int) -> None:
    """The Luhn check catches every single error, so what differs in one digit survives."""
    position %= len(number)
    wrong = number[:position] + str((int(number[position]) + step) % 10) + number[position + 1 :]
    assert not is_card_number(wrong)
    assert redactor.text(wrong) == wrong


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4111.1111.1111.1111",
        "4111\u00a01111\u00a01111\u00a01111",
        "4111\u20111111\u20131111\u20141111",
        "4111- 1111 -1111--1111",
        "4111\n1111\t1111\r\n1111",
        "41 11 11 11 11 11 11 11",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
        "4111 - 1111 - 1111 - 1111",
        "411111 1111111111",
    ],
)
def test_a_number_is_found_as_people_write_it(text: str) -> None:
    """Spaces of every kind, dashes, dots and up to three of them between groups of any length do not hide it."""
    assert redactor.text(text) == "[card ending 1111]"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Paid with 4111 1111 1111 1111, thank you", "Paid with [card ending 1111], thank you"),
        ("card:378282246310005.", "card:[card ending 0005]."),
        ("a4111111111111111b", "a[card ending 1111]b"),
        ("4222 2222 2222 2", "[card ending 2222]"),
        ("4111111111111111 or 5555-5555-5555-4444", "[card ending 1111] or [card ending 4444]"),
        ("4111111111111111 5555555555554444", "[card ending 1111] [card ending 4444]"),
        ("on 2026-11-20 4111111111111111", "on 2026-11-20 [card ending 1111]"),
        ("4111111111111111 2026-11-20", "[card ending 1111] 2026-11-20"),
        ("2026-11-20T09:15:42Z 4111111111111111", "2026-11-20T09:15:42Z [card ending 1111]"),
        ("12 4111111111111111 7", "12 [card ending 1111] 7"),
        (
            "00000000-0000-4000-8000-000000000000 4111111111111111",
            "00000000-0000-4000-8000-000000000000 [card ending 1111]",
        ),
        ("6205500000000000004", "[card ending 0004]"),
        ("4111 1111 1111 1111 003", "[card ending 1003]"),
    ],
)
def test_a_number_is_masked_where_it_stands(text: str, masked: str) -> None:
    """What is before, between and after card numbers stays, dates and other numbers beside them included."""
    assert redactor.text(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111112",
        "1795162543188",
        "1795162543188123",
        "1795162543188123456",
        "2026-11-20T09:15:42.123456+01:00",
        "41111111-1111-4111-8111-111111111111",
        "41111111-1111-1111-1111-111111111111",
        "0.4111111111111112",
        "9" * 5_000,
        "4111 1111 1111",
        "+49 30 1234567",
        "no digits",
        "",
    ],
)
def test_numbers_that_are_no_card_numbers_survive(text: str) -> None:
    """Clocks, UUIDs (even all of digits), dates, telephone numbers and what fails the Luhn check are left alone."""
    assert redactor.text(text) == text


@given(st.text(), card_numbers, st.text())
def test_redacting_twice_changes_nothing_more(before: str, number: str, after: str) -> None:
    """A mask is no card number, and makes none with what stands around it."""
    once = redactor.text(f"{before} {number} {after}")
    assert redactor.text(once) == once


@pytest.mark.parametrize(
    "unit", ["1 ", "4 ", "4", "4111-", "4-4.", "41111111-1111-", "4111111111111111 ", "a-", "a ", " "]
)
def test_long_hostile_text_is_read_to_its_end(unit: str) -> None:
    """A card number behind as much as a topic takes is found: no pattern costs more than the length of the text."""
    text = unit * (250_000 // len(unit))
    assert redactor.text(f"{text}x 5555555555554444").endswith("x [card ending 4444]")
    assert not redactor.hides_card_data(text)


@pytest.mark.parametrize(
    "name",
    [
        "pan",
        "PAN",
        "primaryAccountNumber",
        "card-number",
        "cardNumber",
        "card_number",
        "CARD NUMBER",
        "credit-card-no",
        "debitCardPan",
        "cvv",
        "CVV2",
        "card-cvv",
        "cvc",
        "cardCvc2",
        "security-code",
        "cardSecurityCode",
        "card-verification-value",
        "cardVerificationCode",
        "card-expiry",
        "cardExpiration",
        "card_exp",
        "cardExpiryDate",
        "card-exp-month",
        "cardExpiresYear",
        "card-owner",
        "cardHolder",
        "card_holder_name",
        "cardholder",
        "name-on-card",
        "track1Data",
        "track-2-data",
        "trackData",
        "pin-block",
    ],
)
def test_fields_of_card_data_are_dropped(name: str) -> None:
    """Whatever they hold and however their name is spelt: text, number, nothing or an object."""
    for value in ("secret", 737, Decimal("1.5"), None, True, {"a": 1}, ["x"]):
        assert redactor.document({name: value, "kept": 1}) == {"kept": 1}
        assert redactor.document([{"a": {name: value}}]) == [{"a": {}}]


@pytest.mark.parametrize(
    "name",
    [
        "card-network",
        "card-last-four",
        "company",
        "panel",
        "span",
        "expiry",
        "owner",
        "discount-code",
        "code",
        "card",
        "postcard",
        "number",
        "method",
        "track",
        "pinboard",
        "card-type",
    ],
)
def test_other_fields_stay(name: str) -> None:
    """A name that only resembles one of card data is kept."""
    document = {name: "kept"}
    assert redactor.document(document) is document


def test_fields_of_a_card_are_dropped_when_they_stand_in_an_object_of_its_own() -> None:
    """`card: {expiry}` says what `card-expiry` says."""
    card = {"network": "visa", "number": "12", "expiry": "08/29", "holder": "Ada", "exp_month": 8, "id": 7}
    assert redactor.document({"payment": {"card": card}}) == {"payment": {"card": {"network": "visa", "id": 7}}}
    elsewhere = {"parcel": {"number": "12", "expiry": "08/29", "holder": "Ada"}}
    assert redactor.document(elsewhere) is elsewhere


def test_a_document_within_a_text_is_freed_as_one() -> None:
    """As other systems pass JSON on; what cannot be read and names a card field goes as a whole."""
    text = '{"card": {"expiry": "08/29", "id": 7}, "note": "4111 1111 1111 1111"}'
    assert redactor.document({"a": text}) == {"a": '{"card":{"id":7},"note":"[card ending 1111]"}'}
    assert redactor.document(["[{'cvv': 737}]", "[x] 4111111111111111", '{"a": 1.50}']) == [
        "[card data]",
        "[x] [card ending 1111]",
        '{"a": 1.50}',
    ]


def test_the_patterns_of_field_names_can_be_others() -> None:
    """A pipeline beside another publisher is told that publisher's names."""
    assert Redactor(["iban"]).document({"I-B-A-N": "x", "card-cvv": "y"}) == {"card-cvv": "y"}


@pytest.mark.parametrize(
    "number",
    [
        4111111111111111,
        -4111111111111111,
        6205500000000000004,
        Decimal("4111111111111111.0"),
        Decimal("4.111111111111111E+15"),
    ],
)
def test_card_numbers_among_numbers_are_masked(number: Any) -> None:
    """A whole number of that form is a card number, however it is written."""
    assert redactor.document({"note": [number]}) == {"note": [f"[card ending {str(int(number))[-4:]}]"]}


@pytest.mark.parametrize(
    "number",
    [
        0,
        -1,
        4111111111111112,
        10**19,
        10**4000,
        -(10**4000),
        Decimal("0.4111111111111111"),
        Decimal("4111111111111111.5"),
        Decimal("1e999999999999999999"),
        Decimal("1e-999999999999999999"),
        Decimal("-0.0"),
        True,
    ],
)
def test_other_numbers_are_left_alone(number: Any) -> None:
    """Fractions, clocks and numbers of any size stay as they are."""
    document = {"note": number}
    assert redactor.document(document) is document


def test_card_numbers_in_keys_are_masked() -> None:
    """A key is a text like any other."""
    assert redactor.document({"a": {"4111 1111 1111 1111": 1, "b": 2}}) == {"a": {"[card ending 1111]": 1, "b": 2}}


def test_keys_that_would_become_the_same_are_refused() -> None:
    """Masking must lose nothing else; the error points to the object and quotes none of its keys."""
    with pytest.raises(CardDataError) as refusal:
        redactor.document({"a": [{}, {"4111111111111111": 1, "4111-1111-1111-1111": 2}]})
    assert refusal.value.pointer == "/a/1"
    assert "4111" not in str(refusal.value)
    with pytest.raises(CardDataError, match="the document"):
        redactor.document({"4111111111111111": 1, "[card ending 1111]": 2})


@given(documents)
def test_a_document_without_card_data_is_returned_itself(document: Any) -> None:
    """It is not even copied, so that its text can go on byte for byte."""
    redacted = redactor.document(document)
    if redacted == document:
        assert redacted is document


@given(documents)
def test_redacting_a_document_twice_changes_nothing_more(document: Any) -> None:
    """What has passed one fork passes the next unchanged."""
    once = redactor.document(document)
    assert redactor.document(once) is once


@given(documents, card_numbers, st.sampled_from(["", " ", "-", ".", "\u00a0"]), st.data())
def test_no_card_number_survives_anywhere_in_a_document(document: Any, number: str, separator: str, data: Any) -> None:
    """As value, in a sentence, as key or as number, at any place of any document."""
    written = separator.join(number[start : start + 4] for start in range(0, len(number), 4))
    hidden = data.draw(
        st.sampled_from([written, f"the card is {written}, really", {written: 1}, int(number), Decimal(number + ".00")])
    )

    def planted(value: Any) -> Any:
        if isinstance(value, list):
            return [planted(child) for child in value] + [hidden]
        if isinstance(value, dict):
            return {**{key: planted(child) for key, child in value.items()}, "note": hidden}
        return [value, hidden]

    text = render(redactor.document(planted(document)))
    assert written not in text
    assert number not in text
    assert parse(text) is not None


@pytest.mark.parametrize(
    ("written", "digits"),
    [
        ("4111 1111 1111 1234", "1234"),
        ("4111-1111-1111-123-4", "1234"),
        (4111111111111234, "1234"),
        ("1234567890123", "0123"),
        ("1234", None),
        ("", None),
        (None, None),
        ("9" * 20, None),
        ("no number", None),
    ],
)
def test_the_last_four_digits_of_a_card_number(written: Any, digits: str | None) -> None:
    """They are kept of whatever has the length of a card number, as it was written; of nothing shorter."""
    assert last_four(written) == digits


@pytest.mark.parametrize(
    "text",
    [
        '{"card-cvv": "737", "x": NaN}',
        "card_cvv=737&a=1",
        "<cvv>737</cvv>",
        "a: 1\nCard-Owner : Ada",
        '\ufeff{"pan":"x"}',
        "'cvc':1",
        '{"c\\u0076v": "737"',
        "card%2Dcvv=737",
        "card: {expiry: 08/29}",
        '"\\u0034111111111111111',
        "note=%34111111111111111",
        "&#x34;111111111111111",
    ],
)
def test_a_text_that_names_a_card_field_is_told_from_others(text: str) -> None:
    """JSON that is none, forms, XML and plain lines name their fields before a colon, an equals sign or a bracket."""
    assert redactor.hides_card_data(text)


@pytest.mark.parametrize(
    "text", ["", "the cvv was wrong", "a frying pan, 24 cm", "company: x", '{"card-network": "visa"', "cvv"]
)
def test_a_text_that_merely_mentions_card_data_names_no_field(text: str) -> None:
    """Words in a sentence are no fields."""
    assert not redactor.hides_card_data(text)


def test_further_fields_are_taken_out_by_the_patterns_given() -> None:
    """Over the whole name, whatever its case and its hyphens; the patterns there always are stay in force."""
    further = card_data.redactor(True, r".*iban,tax(id|number),")
    document = {"customer-IBAN": "DE02", "Tax_Id": 7, "taxidentity": 8, "cvv": 737, "id": 1}
    assert further.document(document) == {"taxidentity": 8, "id": 1}
    assert further.hides_card_data("IBAN: DE02")
    assert card_data.redactor(True, "").document(document) == {key: document[key] for key in document if key != "cvv"}


@pytest.mark.parametrize("pattern", ["iban,tax(", ".*", "iban|", "(iban)?"])
def test_a_pattern_that_cannot_be_meant_is_refused_by_name(pattern: str) -> None:
    """Before anything is redacted with it: no regular expression, or one that fits names of no letters and digits."""
    with pytest.raises(FieldPatternError) as error:
        card_data.redactor(True, pattern)
    assert repr(pattern.rpartition(",")[2]) in str(error.value)


def test_redaction_can_be_turned_off() -> None:
    """Then everything stays as it is."""
    off = card_data.redactor(False, "")
    document = {"cvv": 737, "text": "4111 1111 1111 1111"}
    assert off.document(document) is document
    assert off.text("4111 1111 1111 1111") == "4111 1111 1111 1111"
    assert not off.hides_card_data("cvv=737")


@given(documents, st.sampled_from(["a", "pan", "c-ard", "expiry", ":cvv"]), st.one_of(st.integers(), card_numbers))
def test_what_the_quick_look_lets_through_holds_no_card_data(document: Any, key: str, value: Any) -> None:
    """Whatever it calls clean, the thorough look leaves as it is, object for object."""
    text = render({"c-ard": {key: value}, "document": document, key: [value]})
    parsed = parse(text)
    if redactor.finds_nothing(text, parsed):
        assert redactor.document(parsed) is parsed


@pytest.mark.parametrize(
    "text",
    [
        '{"a":"b",":cvv":737}',
        '{"c-ard":{"expiry":"08/29"}}',
        '{"note":"\\u0034111111111111111"}',
        '{"n":4.111111111111111e15}',
        "4.111111111111111e15",
        '{"n":"4111- 1111- 1111- 1111"}',
        '[{"track2data":""}]',
    ],
)
def test_the_quick_look_lets_nothing_through_that_may_be_card_data(text: str) -> None:
    """In a value, a key, behind an escape, or with an exponent."""
    assert not redactor.finds_nothing(text, parse(text))


def test_the_quick_look_knows_an_event_of_ours() -> None:
    """Otherwise it would save no time."""
    text = '{"id":"07301226-5a77-5b5f-af04-0b8cda83476a","card-network":"visa","card-last-four":"5178","n":[1.5,90211]}'
    assert redactor.finds_nothing(text, parse(text))


@given(st.text(st.characters(exclude_categories=[])) | st.text(alphabet='4 1-.\\u%&#x;:="{[cvadr'))
def test_any_text_is_freed_of_card_numbers_and_told_to_hide_some_or_not(text: str) -> None:
    """Whatever characters it holds; what is freed stays as it is."""
    freed = redactor.text(text)
    assert redactor.text(freed) == freed
    assert redactor.hides_card_data(text) in {True, False}
    once = redactor.document([text])
    assert redactor.document(once) is once
