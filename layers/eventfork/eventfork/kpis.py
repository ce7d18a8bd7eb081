"""What can be asked of the index of orders: which KPIs there are, and what the engine's answer to each says.

The queries lie in `eventfork.search_index`. All of them look at events of the type `eventfork.checkout.OrderSubmitted`
only. Where two rows are equal in what they are ranked by, the one whose key comes first is first.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final, Generic, TypeVar

from eventfork.search_index import kpi_query

__all__ = [
    "KPIS",
    "CustomerOrders",
    "DeliveryTime",
    "Kpi",
    "PaymentMethod",
    "Product",
    "Reading",
    "Revenue",
]

Row_co = TypeVar("Row_co", covariant=True)

_MONEY: Final = Decimal("0.0001")
"""The scaling factor of the mapping: no currency of ISO 4217 has more than four decimals."""
_MONEY_EXACT_BELOW: Final = 9 * 10**10
"""The engine adds in binary floating point (IEEE 754, 53 bits). Rounding what it reads, what each shard sums up and the
sum itself takes at most 5 units of 2^-53 of it, which up to here is less than half of the fourth decimal."""
_WHOLE_EXACT_BELOW: Final = 2**53


@dataclass(frozen=True, slots=True)
class Reading(Generic[Row_co]):
    """What an answer says.

    Attributes
    ----------
    rows : tuple
        In the order of their rank, or of time.
    notes : tuple of str
        What is not exact or not complete about them, a sentence each; empty, if nothing is.
    """

    rows: tuple[Row_co, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Kpi:
    """A question that the index answers.

    Attributes
    ----------
    name : str
        Of the KPI, of its query and of its visualization.
    title : str
        For people.
    question : str
        What it answers, a sentence.
    read : callable
        Gives the `Reading` of the engine's answer to `kpi_query(name)`, as `json_text.parse` gives it.
    """

    name: str
    title: str
    question: str
    read: Callable[[Mapping[str, Any]], Reading[Any]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class DeliveryTime:
    """How long a delivery takes on average, in seconds, over the orders that say how long theirs takes."""

    orders: int
    seconds: Decimal


@dataclass(frozen=True, slots=True)
class Product:
    """How many pieces of a product were ordered; its name is the one it has most often, if it has any."""

    product: str
    name: str | None
    quantity: int


@dataclass(frozen=True, slots=True)
class PaymentMethod:
    """How many orders are paid in a way, and their share of all, from 0 to 1; None stands for those that name none."""

    method: str | None
    orders: int
    share: Decimal


@dataclass(frozen=True, slots=True)
class Revenue:
    """What was ordered on a day (in UTC) in a currency: the number of orders and their amounts together."""

    day: date
    currency: str
    orders: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class CustomerOrders:
    """How many orders of 100 and more a customer placed, and their amounts together by currency."""

    customer: str
    orders: int
    amounts: Mapping[str, Decimal]


def _average_delivery_time(answer: Mapping[str, Any]) -> Reading[DeliveryTime]:
    found = _aggregations(answer)
    if not found or not found["orders"]["value"]:
        return Reading(())
    orders = int(found["orders"]["value"])
    total = int(found["seconds"]["value"])
    notes = [] if total < _WHOLE_EXACT_BELOW else ["The seconds together are too many to be summed exactly."]
    return Reading((DeliveryTime(orders=orders, seconds=Decimal(total) / orders),), tuple(notes))


def _most_popular_products(answer: Mapping[str, Any]) -> Reading[Product]:
    if not (found := _aggregations(answer)):
        return Reading(())
    products = found["items"]["products"]
    rows = tuple(
        Product(
            product=bucket["key"],
            name=next((one["key"] for one in bucket["name"]["buckets"]), None),
            quantity=int(bucket["quantity"]["value"]),
        )
        for bucket in products["buckets"]
    )
    return Reading(rows, tuple(_ranking_notes(products, "products")))


def _preferred_payment_methods(answer: Mapping[str, Any]) -> Reading[PaymentMethod]:
    if not (found := _aggregations(answer)):
        return Reading(())
    total = answer["hits"]["total"]["value"]
    counts = [(bucket["key"], bucket["doc_count"]) for bucket in found["methods"]["buckets"]]
    if without := found["without"]["doc_count"]:
        counts.append((None, without))
    rows = tuple(PaymentMethod(method, orders, Decimal(orders) / total) for method, orders in counts)
    return Reading(rows, tuple(_ranking_notes(found["methods"], "payment methods")))


def _revenue_over_time(answer: Mapping[str, Any]) -> Reading[Revenue]:
    if not (found := _aggregations(answer)):
        return Reading(())
    buckets = found["days"]["buckets"]
    rows = sorted(
        (
            Revenue(
                day=date.fromisoformat(bucket["key"]["day"]),
                currency=bucket["key"]["currency"],
                orders=bucket["doc_count"],
                amount=_money(bucket["amount"]),
            )
            for bucket in buckets
        ),
        key=lambda row: (row.day, row.currency),
    )
    notes = list(_money_notes(row.amount for row in rows))
    most = kpi_query("revenue-over-time")["aggs"]["days"]["composite"]["size"]
    if len(buckets) == most:
        notes.append(f"Only the newest {most:,} rows: earlier days are left out, and the first may lack currencies.")
    return Reading(tuple(rows), tuple(notes))


def _orders_by_customer(answer: Mapping[str, Any]) -> Reading[CustomerOrders]:
    if not (found := _aggregations(answer)):
        return Reading(())
    rows = tuple(
        CustomerOrders(
            customer=bucket["key"],
            orders=bucket["doc_count"],
            amounts={one["key"]: _money(one["amount"]) for one in bucket["currencies"]["buckets"]},
        )
        for bucket in found["customers"]["buckets"]
    )
    amounts = (amount for row in rows for amount in row.amounts.values())
    return Reading(rows, (*_ranking_notes(found["customers"], "customers"), *_money_notes(amounts)))


def _aggregations(answer: Mapping[str, Any]) -> Any:
    # While there is no index at all, there are none.
    return answer.get("aggregations")


def _money(total: Mapping[str, Any]) -> Decimal:
    return Decimal(total["value"]).quantize(_MONEY, ROUND_HALF_EVEN)


def _money_notes(amounts: Iterable[Decimal]) -> Iterable[str]:
    if any(amount >= _MONEY_EXACT_BELOW for amount in amounts):
        yield f"Amounts of {_MONEY_EXACT_BELOW:,} and more may be off in the last decimal."


def _ranking_notes(ranking: Mapping[str, Any], what: str) -> Iterable[str]:
    if ranking["doc_count_error_upper_bound"]:
        yield f"There are more than 10,000 {what}, so that the ranking may not be exact."
    if ranking["sum_other_doc_count"]:
        yield f"Only the first {len(ranking['buckets'])} {what}."


KPIS: Final = (
    Kpi(
        "average-delivery-time",
        "Average delivery time",
        "How long does a delivery take, over the orders that say so?",
        _average_delivery_time,
    ),
    Kpi(
        "most-popular-products",
        "Most popular products",
        "Which ten products are ordered most, by pieces?",
        _most_popular_products,
    ),
    Kpi(
        "preferred-payment-methods",
        "Preferred payment methods",
        "How many orders are paid in which way, and what is its share of all?",
        _preferred_payment_methods,
    ),
    Kpi(
        "revenue-over-time",
        "Revenue over time",
        "What is ordered per day (in UTC) and currency?",
        _revenue_over_time,
    ),
    Kpi(
        "orders-by-customer",
        "Orders of 100 and more by customer",
        "Which ten customers place most orders of 100 and more, and what do these amount to?",
        _orders_by_customer,
    ),
)
"""Every KPI. The operator's command, the documents and the dashboards hold to this list."""
