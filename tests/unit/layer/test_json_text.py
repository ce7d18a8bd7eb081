"""JSON text is read and written exactly, and what two readers could read differently is refused."""

import json
from decimal import Decimal
from typing import Any

import pytest
from eventfork.json_text import (
    MAXIMUM_DEPTH,
    AmbiguousJsonError,
    JsonSyntaxError,
    JsonTextError,
    canonical,
    parse,
    pointer,
    render,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.samples import documents, resolve


@given(documents)
def test_what_is_rendered_is_parsed_to_the_same_values(document: Any) -> None:
    """Every document survives writing and reading, numbers by their exact value."""
    assert parse(render(document)) == document


@given(documents)
def test_any_reader_takes_what_is_rendered(document: Any) -> None:
    """What is written is JSON on one line to the standard library too."""
    text = render(document)
    assert "\n" not in text
    assert json.loads(text, parse_float=Decimal) == document


def test_characters_that_a_queue_refuses_are_written_as_escapes() -> None:
    """An order that holds one is carried from the topic to every queue, and read there as it was sent."""
    document = {"\uffff": ["a\ufffe", "\ufffd\U0010ffff\x7f\x00"]}
    assert render(document) == '{"\\uffff":["a\\ufffe","\ufffd\U0010ffff\x7f\\u0000"]}'
    assert parse(render(document)) == document


@pytest.mark.parametrize(
    "text", ["128.40", "0.1000000000000000055511151231257827", "99.999999999999999999999999", "1E-7", "-0.0", "7"]
)
def test_a_number_keeps_every_digit(text: str) -> None:
    """A number is written as it was read, trailing zeros included."""
    assert render(parse(text)) == text


def test_fractions_are_decimal_and_whole_numbers_int() -> None:
    """Money never passes through a binary fraction."""
    assert [type(number) for number in parse("[1, 1.0, 1e2]")] == [int, Decimal, Decimal]


@pytest.mark.parametrize("same", ["128.4", "128.40", "1284e-1", "1.284E+2", "0.12840e3"])
def test_numbers_are_canonical_by_value(same: str) -> None:
    """However a number is spelt, its canonical text is one."""
    assert canonical(parse(f'{{"amount": {same}}}')) == '{"amount":1284e-1}'


@pytest.mark.parametrize("zero", ["0", "-0", "0.00", "-0.0", "0e5"])
def test_zero_has_one_canonical_text(zero: str) -> None:
    """Zero is zero, whatever its sign and exponent."""
    assert canonical(parse(zero)) == "0"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("-50", "-5e1"),
        ("1e30", "1e30"),
        ("12345678901234567890123456789012345.5", "123456789012345678901234567890123455e-1"),
    ],
)
def test_canonical_numbers_are_not_rounded(number: str, text: str) -> None:
    """Sign and all digits stay, beyond the 28 of the decimal context."""
    assert canonical(parse(number)) == text


@given(documents, st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_count(document: Any, random: Any) -> None:
    """Documents that differ in the order of their keys only have the same canonical text."""

    def shuffled(value: Any) -> Any:
        if isinstance(value, list):
            return [shuffled(child) for child in value]
        if isinstance(value, dict):
            fields = [(key, shuffled(child)) for key, child in value.items()]
            random.shuffle(fields)
            return dict(fields)
        return value

    assert canonical(shuffled(document)) == canonical(document)


@pytest.mark.parametrize(
    ("one", "other"),
    [("[1,2]", "[2,1]"), ("1", '"1"'), ("1", "true"), ("null", '"null"'), ("1.0", "1.01"), ("[]", "{}")],
)
def test_documents_that_differ_have_different_canonical_texts(one: str, other: str) -> None:
    """Order in a list, type and value all count."""
    assert canonical(parse(one)) != canonical(parse(other))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   \n\t ",
        "no JSON",
        "{",
        '{"a": 1,}',
        "{'a': 1}",
        "{} {}",
        '{"a": 1}\n{"a": 1}',
        "NaN",
        '{"a": [NaN]}',
        "Infinity",
        '{"a": -Infinity}',
        "01",
        "1e9999999999999999999",
        "[1e-9999999999999999999]",
        "\ufeff{}",
        '"a\nb"',
        '"tab\tin a string"',
    ],
)
def test_what_is_not_exactly_one_json_document_is_refused(text: str) -> None:
    """The refusal points to the whole document, and does not quote it."""
    for body in (text, text.encode()):
        with pytest.raises(JsonSyntaxError) as refusal:
            parse(body)
        assert refusal.value.pointer == ""
        assert refusal.value.detail


@pytest.mark.parametrize("digits", [5_000, 250_000])
@pytest.mark.parametrize("form", ["{}", "[1, -{}]", '{{"amount": {}}}'])
def test_a_whole_number_of_thousands_of_digits_is_refused(digits: int, form: str) -> None:
    """Such a number would cost quadratic time to read; the refusal says what is wrong."""
    with pytest.raises(JsonSyntaxError, match="more digits than can be read"):
        parse(form.format("9" * digits))


@pytest.mark.parametrize(
    "body", [b"\xff", b'{"a": "\xe4"}', b'"\xed\xa0\x80"', '{"a": 1}'.encode("utf-16"), b"\xef\xbb\xbf{}"]
)
def test_bytes_that_are_not_utf_8_are_refused(body: bytes) -> None:
    """Latin-1, UTF-16, encoded surrogates and a byte order mark are no JSON."""
    with pytest.raises(JsonSyntaxError):
        parse(body)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('{"id": 1, "id": 2}', "/id"),
        ('{"id": 1, "id": 1}', "/id"),
        ('{"a": [0, {"b/c": {"x~": 1, "y": 2, "x~": 3}}]}', "/a/1/b~1c/x~0"),
        ('[[{"a": 1, "\\u0061": 2}]]', "/0/0/a"),
        ('{"": 1, "": 2}', "/"),
    ],
)
def test_a_repeated_key_is_refused(text: str, where: str) -> None:
    """The pointer leads to the key that stands twice, at any depth."""
    with pytest.raises(AmbiguousJsonError) as refusal:
        parse(text)
    assert refusal.value.pointer == where


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('"\\ud800"', ""),
        ('{"customer": {"name": "x\\udfffy"}}', "/customer/name"),
        ('[0, ["\\ud83d", 1]]', "/1/0"),
        ('{"a": {"\\udc00": 1}}', "/a"),
        ('{"a": {"\\ud800": 1, "\\ud800": 2}}', "/a"),
    ],
)
def test_a_lone_surrogate_is_refused(text: str, where: str) -> None:
    """In a value the pointer leads to it, in a key to its object: what cannot be encoded is never named."""
    with pytest.raises(AmbiguousJsonError) as refusal:
        parse(text)
    assert refusal.value.pointer == where
    str(refusal.value).encode()


def test_a_surrogate_pair_is_one_character() -> None:
    """Only a half is refused."""
    assert parse('"\\ud83d\\ude00 é"') == "😀 é"


@pytest.mark.parametrize("depth", [MAXIMUM_DEPTH + 1, 500, 5_000, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_nesting_beyond_the_maximum_is_refused(depth: int, opening: str, closing: str) -> None:
    """Whatever the interpreter itself would take, too many levels are a refusal and never a crash."""
    with pytest.raises(AmbiguousJsonError, match=f"deeper than {MAXIMUM_DEPTH}"):
        parse(opening * depth + "1" + closing * depth)


@pytest.mark.parametrize("depth", [5_000, 100_000])
def test_brackets_that_never_close_are_refused(depth: int) -> None:
    """Unfinished nesting is a refusal, not a crash."""
    with pytest.raises(JsonTextError):
        parse("[" * depth)


def test_nesting_up_to_the_maximum_is_taken() -> None:
    """The limit is a limit on containers, and the last level is inside it."""
    text = "[" * MAXIMUM_DEPTH + "1" + "]" * MAXIMUM_DEPTH
    assert render(parse(text)) == text


@given(documents)
def test_a_pointer_leads_to_its_value(document: Any) -> None:
    """Following the pointer made for a path gives the value at the path, whatever the keys are."""
    pending: list[tuple[tuple[str | int, ...], Any]] = [((), document)]
    while pending:
        path, value = pending.pop()
        assert resolve(document, pointer(path)) is value
        if isinstance(value, dict):
            pending += [((*path, key), child) for key, child in value.items()]
        elif isinstance(value, list):
            pending += [((*path, index), child) for index, child in enumerate(value)]


@pytest.mark.parametrize("value", [1.5, b"bytes", {"a": object()}, [{1, 2}]])
def test_only_json_values_are_rendered(value: Any) -> None:
    """A binary fraction, above all, is a mistake of ours and must show."""
    with pytest.raises(TypeError, match="no JSON value"):
        render(value)


@given(st.text(st.characters(exclude_categories=[])) | st.binary() | st.text(alphabet='{}[]",:\\u0d8e1.-+tfnN\ud800'))
def test_any_text_is_a_document_or_refused(text: str | bytes) -> None:
    """With where and why, quoting no value; what is a document is written so that it is read again."""
    try:
        document = parse(text)
    except JsonTextError as error:
        place, detail = error.pointer, error.detail
    else:
        place, detail = "", "is a document"
        assert parse(render(document)) == document
    assert detail
    assert not place or place.startswith("/")
