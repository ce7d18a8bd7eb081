"""Events of orders as varied as they come, the same on every run: what the index answers is held to what they say."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from eventfork.checkout_events import order_submitted

__all__ = ["FIRST_DAY", "events"]

FIRST_DAY: Final = datetime(2026, 12, 14, tzinfo=UTC)
_DAYS: Final = 35
"""Over the end of a year, and of a year of weeks."""
_NAMES: Final = (
    "Ada Example",
    "Søren Ångström",
    "山田 花子",
    "Ольга Пример",
    "João D'Ávila-Nuñez",
    "अदिति",
    "Zoë 🙂",
    "",
)
_CURRENCIES: Final = {"EUR": 2, "eur": 2, "USD": 2, "JPY": 0, "BHD": 3, "CLF": 4, "XXX": 4}
_METHODS: Final = ("credit", "paypal", "Überweisung", "コンビニ払い", "invoice", "gift card")
_UNITS: Final = ("minutes", "hours", "days", "weeks", "Day", "HOUR", "business days", "")


def events(count: int) -> Iterator[dict[str, Any]]:
    """Give events of distinct orders, `CloudEvents` as they are on the topic, not sorted by time."""
    chance = random.Random(20261214)
    for number in range(count):
        accepted_at = FIRST_DAY + timedelta(microseconds=chance.randrange(_DAYS * 86_400 * 10**6))
        yield order_submitted(_order(chance, number, accepted_at), accepted_at)


def _order(chance: random.Random, number: int, accepted_at: datetime) -> dict[str, Any]:
    currency = chance.choice(list(_CURRENCIES))
    # A few customers order often, and several equally often.
    customer = min(int(chance.expovariate(1 / 60)), 399)
    order: dict[str, Any] = {
        "id": number if number % 2 else f"ORDER-{number:05}",
        "date": accepted_at.isoformat(),
        "customer": {
            "id": customer if customer % 3 else f"customer {customer}",
            "name": chance.choice(_NAMES),
            "email": f"customer{customer}@example.com",
        },
        "payment": {"id": f"payment-{number}", "amount": _amount(chance, _CURRENCIES[currency]), "currency": currency},
        "items": [_item(chance) for _ in range(chance.randint(1, 6))],
    }
    if chance.random() < 0.95:
        order["payment"] |= {"method": chance.choice(_METHODS)}
    if chance.random() < 0.9:
        time: int | Decimal = chance.randint(0, 30)
        if chance.random() < 0.3:
            time += Decimal(chance.randrange(10**6)).scaleb(-6)
        order["shipping"] = {"id": number, "time": time, "unit": chance.choice(_UNITS)}
    return order


def _amount(chance: random.Random, decimals: int) -> int | Decimal:
    """Give an amount up to 10^9, as often below 100 as of each greater magnitude, and now and then exactly 100."""
    if chance.random() < 0.02:
        return 100
    magnitude = chance.randint(2, 9)
    units = chance.randrange(1, 10 ** (magnitude + decimals))
    return Decimal(units).scaleb(-decimals) if decimals else units


def _item(chance: random.Random) -> dict[str, Any]:
    product = chance.randrange(60)
    item: dict[str, Any] = {
        "id": chance.randrange(10**6),
        "product": product if product % 2 else f"product {product}",
        # Even quantities of few products: some are ordered equally often.
        "quantity": chance.choice((1, 2, 2, 5, 1_000_000) if product == 7 else (1, 2, 2, 5)),
        "price": Decimal(chance.randrange(10**7)).scaleb(-chance.randint(0, 4)),
    }
    if product % 5:
        item["name"] = f"{chance.choice(('Kaffeemühle', 'Grinder', '急須'))} {product}"
    return item
