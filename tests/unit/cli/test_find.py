"""`eventfork search find`: the newest events that hold every word."""

import json
from typing import Any

import pytest
from eventfork.search_index import find_query

from tests.unit.cli.conftest import Answer, Operator
from tests.unit.samples import ORDER_TEXT

ORDER = {
    "id": "e1",
    "time": "2026-11-20T08:15:43Z",
    "type": "eventfork.checkout.OrderSubmitted",
    "data": json.loads(ORDER_TEXT),
}
STRANGE = {"id": "e2", "time": "2026-11-19T00:00:00Z", "type": "parcel.sent", "text": "a parcel\x1b[31m for Ada"}
ODD = {"id": "e3", "type": "x", "data": {"id": 1, "customer": [], "payment": {"amount": "much"}, "items": [3, {}]}}


def holding(*documents: dict[str, Any], total: int | None = None) -> Any:
    """Give a domain's answer that holds documents."""

    def answer(_: Any) -> Answer:
        hits = {"total": {"value": len(documents) if total is None else total}}
        return 200, {"_shards": {"total": 1}, "hits": {**hits, "hits": [{"_source": one} for one in documents]}}

    return answer


def test_an_order_is_one_row(operator: Operator) -> None:
    """Its id, customer, date, amount, currency and status, and below each other its products."""
    operator.answer = holding(ORDER)
    result = operator.run("search", "find", "Ada", "grinder", "--limit", "5")
    assert result.exit_code == 0
    assert [" ".join(line.split()) for line in result.stdout.splitlines()] == [
        "order customer date amount currency status products",
        "48213 Ada Example 2026-11-20T09:15:42+01:00 128.40 EUR confirmed 2 x Espresso cups, set of 4",
        "9027 1 x Hand grinder",
        "1 found.",
    ]
    assert [query for _, _, query in operator.asked] == [find_query("Ada grinder", 5)]


def test_what_is_no_order_is_shown_too(operator: Operator) -> None:
    """With its type and text, or with what can be read of it; nothing in it does anything to the terminal."""
    operator.answer = holding(STRANGE, ODD)
    rows = operator.run("search", "find", "parcel").stdout.splitlines()
    assert rows[1].split() == ["e2", "2026-11-19T00:00:00Z", "parcel.sent", "a", "parcel\ufffd[31m", "for", "Ada"]
    assert rows[3].split() == ["1", "much", "x", "x"]


def test_when_there_are_more_it_is_said(operator: Operator) -> None:
    """And how to see them."""
    operator.answer = holding(ORDER, total=1_500)
    assert operator.run("search", "find", "Ada").stdout.splitlines()[-1] == (
        "1,500 found, the newest 1 of them above: see more with --limit."
    )


def test_when_nothing_is_found_it_is_said(operator: Operator) -> None:
    """Without a table."""
    operator.answer = holding()
    result = operator.run("search", "find", "nobody")
    assert (result.exit_code, result.stdout) == (0, "0 found.\n")


def test_scripts_get_the_documents_as_they_stand(operator: Operator) -> None:
    """Every digit of them."""
    operator.answer = holding(ORDER, STRANGE, total=3)
    assert json.loads(operator.run("search", "find", "Ada", "--json").stdout) == {
        "total": 3,
        "documents": [ORDER, STRANGE],
    }


def test_a_wide_terminal_has_a_table_and_a_narrow_one_a_block_for_each(operator: Operator) -> None:
    """Neither is overrun, and nothing is left out."""
    operator.answer = holding(ORDER)
    wide = operator.run_in_terminal(140, "search", "find", "Ada").splitlines()
    narrow = operator.run_in_terminal(60, "search", "find", "Ada").splitlines()
    assert max(map(len, wide)) <= 140
    assert wide[0].split()[0] == "order"
    assert max(map(len, narrow)) <= 60
    assert [line.split() for line in narrow[:3]] == [["order", "48213"], ["customer", "Ada", "Example"], ["9027"]]
    assert ["products", "2", "x", "Espresso", "cups,", "set", "of", "4"] in [line.split() for line in narrow]


@pytest.mark.parametrize("arguments", [[], [" "], ["Ada", "--limit", "0"], ["Ada", "--limit", "10001"]])
def test_wrong_use_is_refused(operator: Operator, arguments: list[str]) -> None:
    """Nothing to seek, or a number of events that the engine does not give."""
    assert operator.run("search", "find", *arguments).exit_code == 2
    assert operator.asked == []
