"""The sample orders are varied, repeatable, and carry card data that is found nowhere else."""

import json
from decimal import Decimal

from eventfork import orders
from eventfork.card_data import is_card_number
from eventfork.json_text import parse

from local.sample_orders import canaries, render, sample_orders


def test_every_sample_order_is_valid() -> None:
    """Each sample order, once it is written as JSON, passes the check that the API makes."""
    for order in sample_orders(16):
        orders.check(parse(render(order).decode()))


def test_the_same_arguments_give_the_same_orders() -> None:
    """A second run sends the same orders, byte for byte."""
    assert list(map(render, sample_orders(20, 3))) == list(map(render, sample_orders(20, 3)))


def test_orders_share_no_id() -> None:
    """Any number of orders, of any seeds, are distinct orders of distinct customers."""
    asked_for = [*sample_orders(50), *sample_orders(50, 1), *sample_orders(50, 9_998)]
    assert len({str(order["id"]) for order in asked_for}) == 150
    assert len({str(order["customer"]["id"]) for order in asked_for}) == 150


def test_sample_orders_are_varied() -> None:
    """The eight samples differ in everything that has ever mattered to a consumer."""
    samples = sample_orders()
    amounts = [order["payment"]["amount"] for order in samples]
    assert len(samples) == 8
    assert {type(order["id"]) for order in samples} == {int, str}
    assert {order["payment"]["method"] for order in samples} == {"credit", "paypal"}
    assert min(amounts) < 100 < max(amounts)
    assert min(amount.as_tuple().exponent for amount in amounts) < -17
    assert len({order["payment"]["currency"] for order in samples}) >= 5
    assert len({order["date"][-6:] for order in samples}) >= 6
    assert {len(order["items"]) for order in samples} >= {1, 2, 12}
    assert not all(order["customer"]["name"].isascii() for order in samples)


def test_an_amount_is_the_sum_of_its_items() -> None:
    """What is paid is what the items cost."""
    for order in sample_orders():
        assert order["payment"]["amount"] == sum(item["subtotal"] for item in order["items"])


def test_rendering_keeps_every_digit() -> None:
    """An amount with more digits than a float holds arrives as it was written."""
    [order] = [order for order in sample_orders() if order["payment"]["currency"] == "usd"]
    read = json.loads(render(order), parse_float=Decimal)
    assert read == order
    assert str(read["payment"]["amount"]) == "99.99999999999999999999999"


def test_canaries_are_the_card_data_of_orders_paid_by_card() -> None:
    """Number (as sent and as digits), expiry, owner and CVV are canaries; without a card there are none."""
    for order in sample_orders():
        payment = order["payment"]
        sent = {payment[field] for field in payment if field.startswith("card-") and field != "card-network"}
        digits = canaries(order) - sent
        assert (payment["method"] == "credit") == bool(canaries(order))
        assert sent <= canaries(order)
        assert all(is_card_number(number) for number in digits)
        assert len(digits) == bool(sent)


def test_a_canary_occurs_nowhere_else() -> None:
    """No canary of an order is part of anything but the card data of that very order."""
    asked_for = [*sample_orders(24), *sample_orders(24, 1)]
    for order in asked_for:
        for canary in canaries(order):
            assert sum(render(other).decode().count(canary) for other in asked_for) <= 1
        without = {**order, "payment": {k: v for k, v in order["payment"].items() if not k.startswith("card-")}}
        assert not any(canary in render(without).decode() for canary in canaries(order))
