"""An order is taken when it is valid, refused by the field that is not, and kept without card data."""

from decimal import Decimal
from typing import Any

import pytest
from eventfork import orders
from eventfork.card_data import CardDataError, Redactor
from eventfork.json_text import parse, render
from eventfork.orders import OrderError
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.samples import (
    CANARIES,
    ORDER_TEXT,
    documents,
    order,
    order_with,
    order_with_canaries,
    order_without,
    resolve,
)

redactor = Redactor()
IDENTIFIERS = ("/id", "/customer/id", "/payment/id", "/shipping/id", "/items/0/id", "/items/1/product")


def refusal(document: Any) -> OrderError:
    with pytest.raises(OrderError) as caught:
        orders.check(document)
    return caught.value


def test_the_sample_order_is_valid() -> None:
    """The order that the documentation shows is taken as it is."""
    orders.check(order())


def test_only_what_is_needed_is_required() -> None:
    """An order of nothing but the required fields is taken."""
    minimal = '{"id":1,"date":"2026-11-20T09:15:42Z","customer":{"id":2},"payment":{"id":3,"amount":4,"currency":"EUR"}'
    orders.check(parse(minimal + ',"items":[{"product":5,"quantity":6}]}'))


@pytest.mark.parametrize(
    "pointer",
    [
        *("/id", "/date", "/customer", "/customer/id", "/payment", "/payment/id", "/payment/amount"),
        *("/payment/currency", "/items", "/items/1/product", "/items/0/quantity"),
    ],
)
def test_a_missing_field_is_named(pointer: str) -> None:
    """The pointer leads to where the field would be."""
    error = refusal(order_without(pointer))
    assert (error.pointer, error.detail) == (pointer, "is missing")


@pytest.mark.parametrize("document", [[], None, "order", 1, True, Decimal("1.5")])
def test_only_an_object_is_an_order(document: Any) -> None:
    """Anything else is wrong as a whole."""
    assert refusal(document).pointer == ""


def test_an_empty_object_is_refused() -> None:
    """It names a field that is missing."""
    assert refusal({}).pointer == "/id"


@pytest.mark.parametrize("amount", ["0.01", "999999999.99999", "1E-120", "1", "128.40", "1e8", "1.28400e2"])
def test_an_amount_above_zero_and_below_a_thousand_million_is_taken(amount: str) -> None:
    """Any number of decimals, however it is spelt."""
    orders.check(parse(ORDER_TEXT.replace("128.40", amount)))


@pytest.mark.parametrize(
    "amount",
    [
        "-1",
        "0",
        "0.00",
        "-0.0",
        "1e9",
        "1000000000",
        "1000000000.01",
        "1e300",
        "1e-121",
        '"12"',
        "true",
        "null",
        "[]",
        "{}",
    ],
)
def test_any_other_amount_is_refused(amount: str) -> None:
    """The answer names the amount, and does not repeat it."""
    error = refusal(parse(ORDER_TEXT.replace("128.40", amount)))
    assert error.pointer == "/payment/amount"
    assert error.detail


def test_an_amount_of_38_digits_is_taken() -> None:
    """As many as DynamoDB keeps exactly; zeros around them do not count."""
    digits = "123456789.12345678901234567890123456789"
    assert sum(map(str.isdigit, digits)) == 38
    for amount in (digits, f"{digits}000", f"0.{'0' * 60}{'7' * 38}"):
        orders.check(parse(ORDER_TEXT.replace("128.40", amount)))


@pytest.mark.parametrize("amount", ["123456789.123456789012345678901234567891", "0." + "7" * 39])
def test_an_amount_of_39_digits_is_refused(amount: str) -> None:
    """It could not be stored exactly, so it is not taken."""
    assert refusal(parse(ORDER_TEXT.replace("128.40", amount))).pointer == "/payment/amount"


@pytest.mark.parametrize(
    "date",
    [
        "2026-11-20T09:15:42Z",
        "2026-11-20t09:15:42z",
        "2026-11-20T09:15:42.123456789-11:30",
        "2028-02-29T00:00:00+14:00",
        "1000-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
    ],
)
def test_a_moment_with_its_offset_is_a_date(date: str) -> None:
    """RFC 3339 in capitals or not, with fractions or not."""
    orders.check(order_with("/date", date))


@pytest.mark.parametrize(
    "date",
    [
        "2026-02-31T09:15:42Z",
        "2027-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-10T00:00:00Z",
        "2026-11-20T25:00:00Z",
        "2026-11-20T09:60:00Z",
        "2026-12-31T23:59:60Z",
        "2026-11-20T09:15:42+29:00",
        "2026-11-20T09:15:42",
        "2026-11-20T09:15:42+0100",
        "2026-11-20 09:15:42Z",
        "2026-11-20T09:15:42Z\n",
        "2026-11-20",
        "20261120T091542Z",
        "2026-W47-5T09:15:42Z",
        "\uff12\uff10\uff12\uff16-11-20T09:15:42Z",
        "2026-11-20T09:15:4\u0662Z",
        "0001-01-01T00:00:00+23:59",
        "0000-01-01T00:00:00Z",
        "0999-12-31T00:00:00Z",
        "9999-12-31T23:59:59-01:00",
        "10000-01-01T00:00:00Z",
        "now",
        "",
        1795162543,
        None,
        [],
    ],
)
def test_any_other_date_is_refused(date: Any) -> None:
    """Days that do not exist, missing offsets, leap seconds, other notations and years that cannot be sorted."""
    assert refusal(order_with("/date", date)).pointer == "/date"


def test_the_moment_of_an_order_is_given_in_utc() -> None:
    """An offset is a way to write a moment, not another moment."""
    assert orders.placed_at(order()).isoformat() == "2026-11-20T08:15:42+00:00"


def test_an_order_without_items_is_refused() -> None:
    """There must be something to deliver."""
    assert refusal(order_with("/items", [])).pointer == "/items"
    assert refusal(order_with("/items", {})).pointer == "/items"
    assert refusal(order_with("/items/1", "hand grinder")).pointer == "/items/1"


@pytest.mark.parametrize("quantity", [0, -1, Decimal("1.5"), Decimal("2.0"), "2", True, None, 10**9 + 1])
def test_a_quantity_is_a_whole_number_above_zero(quantity: Any) -> None:
    """Nothing else is, not even a fraction that is whole by value: it is written as none."""
    assert refusal(order_with("/items/1/quantity", quantity)).pointer == "/items/1/quantity"


@pytest.mark.parametrize("pointer", IDENTIFIERS)
@pytest.mark.parametrize("identifier", [0, 7, 2**63 - 1, "7", " ", "A-7/b", "ü", "…", "x" * 128, "\u2028"], ids=repr)
def test_an_identifier_is_a_whole_number_or_a_short_text(pointer: str, identifier: Any) -> None:
    """Every identifier of an order takes the same."""
    orders.check(order_with(pointer, identifier))


@pytest.mark.parametrize("pointer", IDENTIFIERS)
@pytest.mark.parametrize(
    "identifier",
    [
        -1,
        2**63,
        True,
        Decimal("1.5"),
        Decimal("1.0"),
        None,
        [],
        {},
        "",
        "x" * 129,
        "a\nb",
        "\x00",
        "a\x7f",
        "b\n",
        ".",
        "..",
    ],
)
def test_any_other_identifier_is_refused(pointer: str, identifier: Any) -> None:
    """Control characters, and what a URL would resolve instead of naming an order, included."""
    error = refusal(order_with(pointer, identifier))
    assert error.pointer == pointer
    assert error.detail.startswith("must be a whole number from 0 to 2^63 - 1, or a text")


@pytest.mark.parametrize("currency", ["eur", "EUR", "jPy"])
def test_a_currency_is_three_letters(currency: str) -> None:
    """Capitals or not."""
    orders.check(order_with("/payment/currency", currency))


@pytest.mark.parametrize("currency", ["", "eu", "euro", "e1r", "€uo", "EUR\n", "\u0435ur", 978, None])
def test_any_other_currency_is_refused(currency: Any) -> None:
    """Only ASCII letters, and exactly three."""
    assert refusal(order_with("/payment/currency", currency)).pointer == "/payment/currency"


@pytest.mark.parametrize("field", ["card-number", "card-expiry", "card-cvv"])
@pytest.mark.parametrize("value", [None, True, [], {}, Decimal("1.5")])
def test_card_fields_are_texts_or_whole_numbers(field: str, value: Any) -> None:
    """Of another type they are refused, by name."""
    error = refusal(order_with(f"/payment/{field}", value))
    assert (error.pointer, error.detail) == (f"/payment/{field}", "must be a whole number or a text")


def test_fields_that_are_not_known_are_kept() -> None:
    """Publishers add fields, and a consumer may want them: at every level, of any type."""
    more = order()
    for parent in ("", "/customer", "/payment", "/shipping", "/items/0"):
        resolve(more, parent)["loyalty"] = {"points": Decimal("1.50"), "since": [None, True]}
    orders.check(more)
    kept = orders.without_card_data(more, redactor)
    assert all(resolve(kept, f"{parent}/loyalty/since/1") for parent in ("", "/customer", "/payment", "/items/0"))


@given(st.data(), documents)
def test_a_refusal_names_a_field_and_quotes_nothing(data: Any, value: Any) -> None:
    """Whatever stands anywhere in an order: it is valid, or the pointer leads to a field or to where one is missing."""
    pointers = ["/date", "/status", "/customer", "/payment", "/payment/amount", "/payment/card-number", "/shipping"]
    changed = order_with(
        data.draw(st.sampled_from([*pointers, *IDENTIFIERS, "/items", "/items/0", "/items/1/quantity"])), value
    )
    try:
        orders.check(changed)
    except OrderError as error:
        if error.detail == "is missing":
            parent, _, name = error.pointer.rpartition("/")
            assert name not in resolve(changed, parent)
        else:
            resolve(changed, error.pointer)


def test_of_the_card_only_network_and_last_four_digits_stay() -> None:
    """Everything else is as it was."""
    kept = orders.without_card_data(order_with_canaries(), redactor)
    assert kept["payment"] == {
        "id": 77310,
        "amount": Decimal("128.40"),
        "currency": "eur",
        "method": "credit",
        "card-network": "visa",
        "card-last-four": "5559",
    }
    assert {**kept, "payment": None} == {**order(), "payment": None}
    assert not any(canary in render(kept) for canary in CANARIES)


@pytest.mark.parametrize("number", ["", "4111", 12, "no number", "1" * 20])
def test_a_card_number_that_is_none_leaves_no_digits(number: Any) -> None:
    """Of fewer than thirteen digits, four would be too many."""
    kept = orders.without_card_data(order_with("/payment/card-number", number), redactor)
    assert not kept["payment"].keys() & {"card-number", "card-last-four"}


def test_an_order_without_card_data_is_kept_as_it_is() -> None:
    """It is the same document, so that nothing about it can have changed."""
    clean = orders.without_card_data(order(), redactor)
    assert orders.without_card_data(clean, redactor) is clean


@pytest.mark.parametrize("pointer", ["/id", "/customer/id", "/payment/id"])
@pytest.mark.parametrize("number", [4111111111111111, "4111 1111 1111 1111", "no. 4111111111111111"])
def test_an_identifier_of_the_form_of_a_card_number_is_refused(pointer: str, number: Any) -> None:
    """Masked, it would make different orders the same; kept, it might be a card number."""
    with pytest.raises(OrderError, match="form of a card number") as caught:
        orders.without_card_data(order_with(pointer, number), redactor)
    assert caught.value.pointer == pointer
    assert "4111" not in str(caught.value)


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("/items/0/product", "4222222222222 " + "x" * 114),
        ("/items/0/id", "4222222222222 " + "x" * 114),
    ],
)
def test_a_field_that_no_mask_may_stand_in_is_refused(pointer: str, value: Any) -> None:
    """Accepted means stored: an order that a mask would make invalid is refused while its sender still listens."""
    orders.check(order_with(pointer, value))
    with pytest.raises(OrderError, match="form of a card number") as caught:
        orders.without_card_data(order_with(pointer, value), redactor)
    assert caught.value.pointer == pointer


@pytest.mark.parametrize("pointer", ["/items/1/price", "/items/0/subtotal", "/shipping/time"])
def test_a_number_as_long_as_a_card_number_is_refused_where_a_number_must_stand(pointer: str) -> None:
    """So that no mask, which is a text, ever takes the place of a number."""
    with pytest.raises(OrderError) as caught:
        orders.check(order_with(pointer, Decimal("4111111111111111.0")))
    assert caught.value.pointer == pointer


def test_a_card_number_in_any_other_text_is_masked() -> None:
    """A name or a note is kept, without the number in it."""
    kept = orders.without_card_data(order_with("/customer/name", "Ada, 4111-1111-1111-1111"), redactor)
    assert kept["customer"]["name"] == "Ada, [card ending 1111]"


def test_keys_that_are_card_numbers_must_not_collide() -> None:
    """An order that cannot be masked without losing a field is refused."""
    with pytest.raises(CardDataError):
        orders.without_card_data({**order(), "4111111111111111": 1, "4111 1111 1111 1111": 2}, redactor)


def event_id(document: dict[str, Any]) -> str:
    return orders.event_id(orders.without_card_data(document, redactor))


def test_the_same_order_gives_the_same_event_id() -> None:
    """Whatever the order of its fields, and however its numbers are spelt."""
    spelt = parse(ORDER_TEXT.replace("128.40", "1284e-1").replace("24.20", "24.2"))
    assert event_id(dict(reversed(spelt.items()))) == event_id(order()) == "184d89bb-ba27-5028-9fd8-3b5bd06841ee"


def test_card_data_is_no_part_of_the_event_id() -> None:
    """Nobody can find out a card number by trying: of it, only the last four digits count."""
    same = order()
    same["payment"] |= {"card-number": "5105105105101111", "card-cvv": "1", "card-expiry": "x", "card-owner": "y"}
    assert event_id(same) == event_id(order())
    assert event_id(order_with("/payment/card-number", "4111111111111112")) != event_id(order())


@given(
    st.sampled_from([*IDENTIFIERS, "/shipping/time", "/payment/amount", "/items/1/quantity"]),
    st.integers(min_value=4, max_value=99),
)
def test_another_order_gives_another_event_id(pointer: str, value: int) -> None:
    """Every field counts."""
    assert event_id(order_with(pointer, value)) != event_id(order())
