"""`eventfork search kpis`: tables as wide as the terminal, plain lines elsewhere, one document for scripts."""

import json

import pytest
from eventfork.kpis import KPIS
from eventfork_cli.kpi_tables import TABLES

from tests.unit.cli.conftest import AGGREGATIONS, ENDPOINT, Operator


def test_every_kpi_has_its_table() -> None:
    """In the layer's order."""
    assert list(TABLES) == [kpi.name for kpi in KPIS] == list(AGGREGATIONS)


def test_all_kpis_are_printed(asking: Operator) -> None:
    """With title, question and every figure; where no terminal is, without bars, colours or broken lines."""
    result = asking.run("search", "kpis")
    assert result.exit_code == 0
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    for kpi in KPIS:
        assert lines[lines.index(kpi.title) + 1] == kpi.question
    for line in (
        "3 d 2 h 3",
        "3301 Espresso cups, set of 4, with saucers and spoons 1,200",
        "7 0",
        "credit 2 66.7%",
        "(none given) 1 33.3%",
        "2026-11-21 EUR 1 614.2005",
        "2026-11-22 EUR 2 1,228.40",
        "2026-11-22 JPY 1 900,000.00",
        "9027 2 128.40 EUR",
        "900,000.00 JPY",
        "Note: Only the first 1 customers.",
    ):
        assert line in lines
    assert not set("█▌─\x1b") & set(result.stdout)
    assert [url for _, url, _ in asking.asked] == [
        f"{ENDPOINT}/orders,orders-*/_search?ignore_unavailable=true&allow_partial_search_results=false"
    ] * len(KPIS)


def test_one_kpi_is_asked_for_alone(asking: Operator) -> None:
    """The others cost nothing then."""
    result = asking.run("search", "kpis", "most-popular-products")
    assert result.stdout.startswith("Most popular products\n")
    assert len(asking.asked) == 1


def test_scripts_get_every_digit(asking: Operator) -> None:
    """In one document of the same form for one KPI and for all."""
    everything = json.loads(asking.run("search", "kpis", "--json").stdout, parse_float=str)
    assert list(everything) == [kpi.name for kpi in KPIS]
    assert everything["revenue-over-time"]["rows"][0] == {
        "day": "2026-11-21",
        "currency": "EUR",
        "orders": 1,
        "amount": "614.2005",
    }
    assert everything["preferred-payment-methods"]["rows"][1]["method"] is None
    assert everything["orders-by-customer"] == {
        "title": "Orders of 100 and more by customer",
        "rows": [{"customer": "9027", "orders": 2, "amounts": {"EUR": "128.4000", "JPY": "900000.0000"}}],
        "notes": ["Only the first 1 customers."],
    }
    one = json.loads(asking.run("search", "kpis", "revenue-over-time", "--json").stdout, parse_float=str)
    assert one == {"revenue-over-time": everything["revenue-over-time"]}


@pytest.mark.parametrize("width", [60, 140])
def test_a_terminal_is_filled_and_never_overrun(asking: Operator, width: int) -> None:
    """In a narrow one names are broken and bars are short; figures are whole in both."""
    shown = asking.run_in_terminal(width, "search", "kpis", "most-popular-products").splitlines()
    table = shown[2:]
    assert max(map(len, table)) <= width
    (row,) = (line for line in table if "1,200" in line)
    assert ("spoons" in row) == (width == 140)
    assert "spoons" in "".join(table)


def test_bars_compare_what_is_of_one_unit(asking: Operator) -> None:
    """A yen's bar says nothing about a euro's; the longest is forty wide, half as much is half as long."""
    shown = asking.run_in_terminal(140, "search", "kpis", "revenue-over-time").splitlines()
    lengths = [line.count("█") for line in shown if line.startswith("2026")]
    assert lengths == [20, 40, 40]


def test_a_row_of_nothing_has_no_bar(asking: Operator) -> None:
    """Beside one that has."""
    shown = asking.run_in_terminal(140, "search", "kpis", "most-popular-products").splitlines()
    (none,) = (line for line in shown if line.startswith("7 "))
    assert "█" not in none


def test_nothing_that_a_terminal_obeys_is_printed(asking: Operator) -> None:
    """The names of products are whatever somebody sent."""
    result = asking.run("search", "kpis", "most-popular-products")
    assert "Hand\ufffd]0;harm\ufffd grinder" in result.stdout


def test_where_no_order_is_the_table_is_left_out(operator: Operator) -> None:
    """An index of other events has no revenue."""
    answer = {"_shards": {"total": 1}, "hits": {"total": {"value": 0}}, "aggregations": {"days": {"buckets": []}}}
    operator.answer = lambda _: (200, answer)
    result = operator.run("search", "kpis", "revenue-over-time")
    assert result.stdout.splitlines()[2:] == ["No orders yet.", ""]


def test_an_unknown_kpi_is_wrong_use(operator: Operator) -> None:
    """Those that there are are named, there and in the help."""
    result = operator.run("search", "kpis", "profit")
    assert result.exit_code == 2
    shown = " ".join(operator.run("search", "kpis", "--help").stdout.replace("-\n  ", "-").split())
    for kpi in KPIS:
        assert kpi.name in result.stderr
        assert kpi.name in shown
