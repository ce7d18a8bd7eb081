"""Sample orders: as varied as real ones, the same on every run, with card data that occurs nowhere else."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

__all__ = ["canaries", "render", "sample_orders"]

CARD_FIELDS: Final = ("card-number", "card-expiry", "card-owner", "card-cvv")
TEST_CARDS: Final = {"visa": "411111", "mastercard": "555555", "discover": "601111"}
MARK: Final = "\0"


class _Kind(NamedTuple):
    customer: str
    email: str
    text_ids: bool
    date: str
    currency: str
    method: str
    network: str | None
    items: Sequence[tuple[str, int, str]]
    shipping: str


_KINDS: Final = (
    _Kind(
        "Grace Example",
        "grace@example.com",
        False,
        "2026-11-20T09:15:42+01:00",
        "eur",
        "credit",
        "visa",
        [("Espresso cups, set of 4", 2, "24.20"), ("Hand grinder", 1, "80.00")],
        "courier",
    ),
    _Kind(
        "Søren Ångström",
        "søren@example.net",
        True,
        "2026-11-20T08:15:43Z",
        "dkk",
        "paypal",
        None,
        [("Kaffefilter nr. 4", 3, "8.33")],
        "post",
    ),
    _Kind(
        "山田 花子",
        "hanako@example.org",
        False,
        "2026-11-20T17:15:44+09:00",
        "JPY",
        "credit",
        "mastercard",
        [("急須", 1, "15800"), ("湯呑み", 5, "1200")],
        "courier",
    ),
    _Kind(
        "Ольга Пример",
        "olga@example.com",
        True,
        "2026-11-20T14:00:45.678+05:45",
        "usd",
        "paypal",
        None,
        [("Green coffee, by weight", 3, "33.33333333333333333333333")],
        "pickup",
    ),
    _Kind(
        "João D'Ávila-Nuñez",
        "joao@example.com",
        True,
        "2026-11-20T05:15:46-03:30",
        "BRL",
        "credit",
        "discover",
        [("Roasting machine, installed", 1, "749999.999"), ("Maintenance, 10 years", 10, "25000.0001")],
        "freight",
    ),
    _Kind(
        "अदिति उदाहरण",
        "aditi@example.in",
        False,
        "2026-11-20T13:45:47+05:30",
        "inr",
        "paypal",
        None,
        [("One bean", 1, "0.01")],
        "letter",
    ),
    _Kind(
        "Zoë O'Brien 🙂",
        "zoe@example.ie",
        False,
        "2026-11-20T08:15:48+00:00",
        "gbp",
        "credit",
        "visa",
        [("Gift card", 1, "100")],
        "e-mail",
    ),
    _Kind(
        "Łukasz Żółć",
        "lukasz@example.pl",
        True,
        "2026-11-19T22:15:49-10:00",
        "pln",
        "credit",
        "mastercard",
        [(f"Sampler, bag {number} of 12", number, f"{number}.{number:02}") for number in range(1, 13)],
        "courier",
    ),
)


def sample_orders(count: int = len(_KINDS), seed: int = 0) -> list[dict[str, Any]]:
    """Return distinct orders in the format the API takes; the same arguments give the same orders.

    Amounts are Decimal: write them with `render`, which keeps every digit.

    Parameters
    ----------
    count
        How many, up to 10,000. The first eight are all different in kind: ids, payment, currency, decimals, items,
        names, offsets.
    seed
        Orders of different seeds, from 0 to 9,998, share no id.
    """
    return [_order(_KINDS[index % len(_KINDS)], seed, index) for index in range(count)]


def canaries(order: dict[str, Any]) -> set[str]:
    """Return the card data of a sample order, each piece so peculiar that wherever it is found, it leaked.

    The card number is there as it was sent and as bare digits. An order paid without a card has none.
    """
    payment = order["payment"]
    pieces = {payment[field] for field in CARD_FIELDS if field in payment}
    return pieces | {re.sub(r"\D", "", payment[field]) for field in CARD_FIELDS[:1] if field in payment}


def render(order: dict[str, Any]) -> bytes:
    """Write an order as JSON, every digit of its numbers kept."""

    def marked(number: Decimal) -> str:
        return f"{MARK}{number}"

    # json writes no Decimal: it passes as a marked string, whose quotes are taken off again.
    text = json.dumps(order, ensure_ascii=False, indent=2, default=marked)
    return re.sub(r'"\\u0000([^"]*)"', r"\1", text).encode()


def _order(kind: _Kind, seed: int, index: int) -> dict[str, Any]:
    number = (seed + 1) * 10_000 + index

    def identifier(prefix: str, part: int) -> int | str:
        # Too few digits to be taken for a card number.
        return f"{prefix}-{number:08}-{part}" if kind.text_ids else part * 100_000_000 + number

    items = [
        {
            "id": identifier("ITEM", 50 + position),
            "product": identifier("PRODUCT", 90),
            "name": name,
            "quantity": quantity,
            "price": Decimal(price),
            "subtotal": quantity * Decimal(price),
        }
        for position, (name, quantity, price) in enumerate(kind.items)
    ]
    payment = {
        "id": identifier("PAYMENT", 3),
        "amount": sum((quantity * Decimal(price) for _, quantity, price in kind.items), Decimal(0)),
        "currency": kind.currency,
        "method": kind.method,
    }
    if kind.network is not None:
        payment |= {"card-network": kind.network, **_card(kind.network, number)}
    return {
        "id": identifier("ORDER", 1),
        "date": kind.date,
        "status": "confirmed",
        "customer": {"id": identifier("CUSTOMER", 2), "name": kind.customer, "email": kind.email},
        "payment": payment,
        "shipping": {"id": identifier("SHIPPING", 4), "time": 1 + index % 5, "unit": "days", "method": kind.shipping},
        "items": items,
    }


def _card(network: str, number: int) -> dict[str, str]:
    mark = hashlib.sha256(str(number).encode()).hexdigest()[:12]
    account = f"{TEST_CARDS[network]}{int(mark, 16) % 10**9:09}"
    return {
        "card-number": " ".join(re.findall("....", account + _check_digit(account))),
        "card-expiry": f"{1 + number % 12:02}/{2100 + number // 12 % 7900}",
        "card-owner": f"CANARY OWNER {mark}",
        "card-cvv": f"CANARY CVV {mark}",
    }


def _check_digit(account: str) -> str:
    # The Luhn check of ISO/IEC 7812-1, so that what looks for card numbers takes it for one.
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in account[::-2])
    return str(-(doubled + sum(map(int, account[-2::-2]))) % 10)
