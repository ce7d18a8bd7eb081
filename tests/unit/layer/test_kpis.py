"""An answer of the engine reads as rows, and says what about them is not exact."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from eventfork.kpis import KPIS, CustomerOrders, DeliveryTime, Kpi, PaymentMethod, Product, Reading, Revenue
from eventfork.search_index import kpi_query

from tests.unit.samples import PROJECT_ROOT

KPI = {kpi.name: kpi for kpi in KPIS}
QUERIES = PROJECT_ROOT / "layers" / "eventfork" / "eventfork" / "search_index" / "kpis"


def read(name: str, aggregations: Any, hits: int = 0) -> Reading[Any]:
    return KPI[name].read({"hits": {"total": {"value": hits}}, "aggregations": aggregations})


def ranking(buckets: list[Any], others: int = 0, error: int = 0) -> dict[str, Any]:
    return {"doc_count_error_upper_bound": error, "sum_other_doc_count": others, "buckets": buckets}


def test_every_kpi_has_a_query_and_every_query_a_kpi() -> None:
    """Of one name."""
    assert sorted(KPI) == sorted(path.stem for path in QUERIES.iterdir())
    assert len(KPI) == len(KPIS) == 5


@pytest.mark.parametrize("kpi", KPIS, ids=lambda kpi: kpi.name)
def test_a_kpi_looks_at_orders_only(kpi: Kpi) -> None:
    """It answers with aggregations, and gives no documents."""
    query = kpi_query(kpi.name)
    assert {"term": {"type": "eventfork.checkout.OrderSubmitted"}} in query["query"]["bool"]["filter"]
    assert query["size"] == 0


@pytest.mark.parametrize("kpi", KPIS, ids=lambda kpi: kpi.name)
def test_a_kpi_is_named_for_people(kpi: Kpi) -> None:
    """By a title and a question."""
    assert kpi.title
    assert kpi.question.endswith("?")


@pytest.mark.parametrize("kpi", KPIS, ids=lambda kpi: kpi.name)
def test_before_there_is_an_index_a_kpi_has_no_rows(kpi: Kpi) -> None:
    """The engine then gives no aggregations."""
    assert kpi.read({"hits": {"total": {"value": 0}, "hits": []}}) == Reading(())


def test_the_average_is_as_exact_as_its_parts() -> None:
    """It is divided here, not by the engine in binary."""
    reading = read("average-delivery-time", {"orders": {"value": 3}, "seconds": {"value": Decimal("1.0E6")}})
    assert reading == Reading((DeliveryTime(3, Decimal(1_000_000) / 3),))


def test_no_order_that_says_how_long_it_takes_has_no_average() -> None:
    """Nor is it 0."""
    reading = read("average-delivery-time", {"orders": {"value": 0}, "seconds": {"value": Decimal("0.0")}})
    assert reading == Reading(())


@pytest.mark.parametrize(("seconds", "notes"), [(2**53 - 1, 0), (2**53, 1)])
def test_an_average_of_too_many_seconds_says_so(seconds: int, notes: int) -> None:
    """From there on the engine skips whole numbers."""
    reading = read("average-delivery-time", {"orders": {"value": 1}, "seconds": {"value": Decimal(seconds)}})
    assert reading.rows == (DeliveryTime(1, Decimal(seconds)),)
    assert len(reading.notes) == notes


def test_products_are_given_as_the_engine_ranks_them() -> None:
    """With their most frequent name, if they have one."""
    buckets = [
        {"key": "7", "quantity": {"value": Decimal("12.0")}, "name": {"buckets": [{"key": "Cup"}]}},
        {"key": "8", "quantity": {"value": Decimal("1.2E1")}, "name": {"buckets": []}},
    ]
    reading = read("most-popular-products", {"items": {"products": ranking(buckets)}})
    assert reading == Reading((Product("7", "Cup", 12), Product("8", None, 12)))


@pytest.mark.parametrize(
    ("others", "error", "notes"),
    [
        (0, 0, ()),
        (9, 0, ("Only the first 1 payment methods.",)),
        (0, -1, ("There are more than 10,000 payment methods, so that the ranking may not be exact.",)),
        (0, 3, ("There are more than 10,000 payment methods, so that the ranking may not be exact.",)),
    ],
)
def test_a_ranking_says_what_it_leaves_out(others: int, error: int, notes: tuple[str, ...]) -> None:
    """And when the engine itself does not vouch for it."""
    methods = ranking([{"key": "credit", "doc_count": 1}], others, error)
    assert read("preferred-payment-methods", {"methods": methods, "without": {"doc_count": 0}}, 1).notes == notes


def test_payment_methods_have_their_share_of_all_orders() -> None:
    """Those that name none come last, and count."""
    methods = ranking([{"key": "credit", "doc_count": 4}, {"key": "paypal", "doc_count": 1}])
    reading = read("preferred-payment-methods", {"methods": methods, "without": {"doc_count": 3}}, hits=8)
    assert reading == Reading(
        (
            PaymentMethod("credit", 4, Decimal("0.5")),
            PaymentMethod("paypal", 1, Decimal("0.125")),
            PaymentMethod(None, 3, Decimal("0.375")),
        )
    )


def day(name: str, currency: str, amount: str) -> dict[str, Any]:
    return {"key": {"day": name, "currency": currency}, "doc_count": 2, "amount": {"value": Decimal(amount)}}


def test_revenue_runs_forward_in_time() -> None:
    """The engine gives the newest day first; its binary sums are rounded to what money has."""
    days = [day("2026-11-21", "EUR", "30.000000000000004"), day("2026-11-20", "USD", "1.0E-4")]
    days.append(day("2026-11-20", "BHD", "0.00014999999999999"))
    assert read("revenue-over-time", {"days": {"buckets": days}}) == Reading(
        (
            Revenue(date(2026, 11, 20), "BHD", 2, Decimal("0.0001")),
            Revenue(date(2026, 11, 20), "USD", 2, Decimal("0.0001")),
            Revenue(date(2026, 11, 21), "EUR", 2, Decimal("30.0000")),
        )
    )


def test_revenue_of_very_many_days_says_that_older_ones_are_left_out() -> None:
    """One row less, and there are no others."""
    days = [day("2026-11-20", "EUR", "1.0")] * 10_000
    assert read("revenue-over-time", {"days": {"buckets": days[1:]}}).notes == ()
    (note,) = read("revenue-over-time", {"days": {"buckets": days}}).notes
    assert note.startswith("Only the newest 10,000 rows")


@pytest.mark.parametrize(("amount", "notes"), [("89999999999.9999", 0), ("90000000000", 1)])
def test_amounts_too_great_for_the_engine_say_so(amount: str, notes: int) -> None:
    """Wherever there are amounts."""
    assert len(read("revenue-over-time", {"days": {"buckets": [day("2026-11-20", "EUR", amount)]}}).notes) == notes
    customer = {"key": "7", "doc_count": 1, "currencies": {"buckets": [{"key": "EUR", "amount": {"value": amount}}]}}
    assert len(read("orders-by-customer", {"customers": ranking([customer])}).notes) == notes


def test_customers_have_an_amount_for_each_currency() -> None:
    """What they ordered in euros and in yen is not one sum."""
    currencies = [{"key": "EUR", "amount": {"value": Decimal("0.30000000000000004")}}]
    currencies.append({"key": "JPY", "amount": {"value": Decimal("1000.0")}})
    customer = {"key": "7", "doc_count": 5, "currencies": {"buckets": currencies}}
    reading = read("orders-by-customer", {"customers": ranking([customer], others=2)})
    assert reading.rows == (CustomerOrders("7", 5, {"EUR": Decimal("0.3"), "JPY": Decimal(1000)}),)
    assert reading.notes == ("Only the first 1 customers.",)
