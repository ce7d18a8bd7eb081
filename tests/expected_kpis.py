"""The KPIs as Python computes them from the orders themselves, with none of the code under test."""

from collections import Counter, defaultdict
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from eventfork.kpis import CustomerOrders, DeliveryTime, PaymentMethod, Product, Revenue

__all__ = ["expected_kpis"]

Event = dict[str, Any]
_SECONDS: Final = {"minute": 60, "hour": 3600, "day": 86400, "week": 604800}


def _delivery_seconds(event: Event) -> Decimal | None:
    shipping = event["data"].get("shipping", {})
    seconds = _SECONDS.get(shipping.get("unit", "").lower().rstrip("s"))
    return None if seconds is None else (shipping["time"] * Decimal(seconds)).quantize(Decimal(1), ROUND_HALF_UP)


def _delivery_time(orders: list[Event]) -> list[DeliveryTime]:
    said = [seconds for event in orders if (seconds := _delivery_seconds(event)) is not None]
    return [DeliveryTime(len(said), sum(said, Decimal(0)) / len(said))]


def _products(orders: list[Event]) -> list[Product]:
    pieces: Counter[str] = Counter()
    names: dict[str, Counter[str]] = defaultdict(Counter)
    for item in (item for event in orders for item in event["data"]["items"]):
        pieces[str(item["product"])] += item["quantity"]
        names[str(item["product"])].update([item["name"]] if "name" in item else [])
    most = sorted(pieces, key=lambda product: (-pieces[product], product))[:10]
    usual = {one: min(names[one], key=lambda name: (-names[one][name], name), default=None) for one in most}
    return [Product(one, usual[one], pieces[one]) for one in most]


def _payment_methods(orders: list[Event]) -> list[PaymentMethod]:
    counts = Counter(event["data"]["payment"].get("method") for event in orders)
    ranked = sorted(counts, key=lambda method: (method is None, -counts[method], method))
    return [PaymentMethod(method, counts[method], Decimal(counts[method]) / len(orders)) for method in ranked]


def _revenue(orders: list[Event]) -> list[Revenue]:
    amounts = defaultdict(list)
    for event in orders:
        payment = event["data"]["payment"]
        day = datetime.fromisoformat(event["time"]).date()
        amounts[day, payment["currency"].upper()].append(Decimal(payment["amount"]))
    return [Revenue(*key, len(amounts[key]), sum(amounts[key], Decimal(0))) for key in sorted(amounts)]


def _customers(orders: list[Event]) -> list[CustomerOrders]:
    totals: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    counts: Counter[str] = Counter()
    for order in (event["data"] for event in orders if event["data"]["payment"]["amount"] >= 100):
        customer = str(order["customer"]["id"])
        counts[customer] += 1
        totals[customer][order["payment"]["currency"].upper()] += order["payment"]["amount"]
    most = sorted(counts, key=lambda customer: (-counts[customer], customer))[:10]
    return [CustomerOrders(customer, counts[customer], totals[customer]) for customer in most]


def expected_kpis(orders: list[Event]) -> dict[str, list[Any]]:
    """Give the rows of every KPI over events of orders, by its name."""
    return {
        "average-delivery-time": _delivery_time(orders),
        "most-popular-products": _products(orders),
        "preferred-payment-methods": _payment_methods(orders),
        "revenue-over-time": _revenue(orders),
        "orders-by-customer": _customers(orders),
    }
