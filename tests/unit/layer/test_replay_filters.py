"""A filter takes what it names, by type, customer, order and expression, of a CloudEvent and of an event on the bus."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from eventfork.json_text import parse
from eventfork.replay_filters import EventFilter, FilterError, happened_at, kind
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.replaying import NOON, bus_event, order_event
from tests.unit.samples import documents

PLACED = order_event("1", NOON, "shop.OrderPlaced")
CHANGED = bus_event("2", NOON, "OrderChanged")
PLAIN = {"detail-type": "CustomerMoved", "detail": {"customerId": 7, "orderId": None}}


def test_an_empty_filter_takes_everything() -> None:
    """It says so."""
    assert not EventFilter()
    assert all(EventFilter().matches(event) for event in (PLACED, CHANGED, PLAIN, {}))
    assert EventFilter().document() == {}


@pytest.mark.parametrize(
    ("wanted", "taken"),
    [
        (EventFilter(types=("shop.OrderPlaced",)), [PLACED]),
        (EventFilter(types=("OrderChanged", "CustomerMoved")), [CHANGED, PLAIN]),
        (EventFilter(customers=("customer-1", "7")), [PLACED, PLAIN]),
        (EventFilter(customers=("customer-2",)), [CHANGED]),
        (EventFilter(orders=("order-1",)), [PLACED]),
        (EventFilter(orders=("order-2", "order-1")), [PLACED, CHANGED]),
        (EventFilter(orders=("None",)), []),
        (EventFilter(types=("shop.OrderPlaced",), orders=("order-2",)), []),
        (EventFilter(expression="data.id == 'order-1' || detail.customerId"), [PLACED, PLAIN]),
        (EventFilter(types=("OrderChanged",), expression="detail.data.orderId"), [CHANGED]),
    ],
)
def test_an_event_is_taken_if_it_is_all_that_the_filter_names(wanted: EventFilter, taken: list[dict[str, Any]]) -> None:
    """Of each list, one is enough."""
    assert wanted
    assert [event for event in (PLACED, CHANGED, PLAIN) if wanted.matches(event)] == taken


@pytest.mark.parametrize(
    ("found", "holds"),
    [
        *(("true", True), ("false", False), ("null", False), ("0", True), ("0.0", True), ("1", True)),
        *(('""', False), ('"x"', True), ("[]", False), ("[0]", True), ("{}", False), ('{"a":null}', True)),
    ],
)
def test_an_expression_holds_in_the_sense_of_jmespath(found: str, holds: bool) -> None:
    """Zero is true; what is empty, false or null is not."""
    assert EventFilter(expression="data").matches({"data": parse(found)}) is holds


@pytest.mark.parametrize(
    "expression",
    ["amount == `128.4`", "amount > `128.3`", "sum(parts) > `1`", "abs(amount) < `129`", "type(amount) == 'number'"],
)
def test_an_expression_compares_and_adds_fractions(expression: str) -> None:
    """As they are written, wherever in the event they stand."""
    assert EventFilter(expression=expression).matches(parse('{"amount": 128.40, "parts": [0.5, 0.75]}'))


@pytest.mark.parametrize("expression", ["data.", "[", "foo(", "`{", "!" * 990])
def test_an_expression_that_cannot_be_read_is_refused(expression: str) -> None:
    """In one line, whatever is wrong with it."""
    with pytest.raises(FilterError, match="is no JMESPath expression") as refusal:
        EventFilter(expression=expression).check()
    assert "\n" not in str(refusal.value)


def test_an_expression_that_can_be_read_is_not_refused() -> None:
    """Nor is none."""
    EventFilter(expression="data.items[?price > `10`] | [0]").check()
    EventFilter().check()


@pytest.mark.filterwarnings("ignore:deprecated string literal syntax:PendingDeprecationWarning")
def test_a_literal_may_be_written_as_users_of_the_aws_cli_write_it() -> None:
    """Their documentation leaves out the quotes within the backticks."""
    expression = EventFilter(expression="type == `shop.OrderPlaced`")
    expression.check()
    assert [event for event in (PLACED, CHANGED) if expression.matches(event)] == [PLACED]


@pytest.mark.filterwarnings("ignore:deprecated string literal syntax:PendingDeprecationWarning")
@given(st.text(min_size=1, max_size=30) | st.text(alphabet="ab.[]()*?|&!`'\"@{}:,01-<>=", min_size=1, max_size=30))
def test_any_text_is_an_expression_or_refused(text: str) -> None:
    """It is one of the two."""
    try:
        EventFilter(expression=text).check()
    except FilterError:
        return
    with suppress(FilterError):
        EventFilter(expression=text).matches(PLACED)


def test_an_expression_that_cannot_be_applied_is_an_error() -> None:
    """Nobody can tell then whether the event is meant."""
    with pytest.raises(FilterError, match="cannot be applied to an event: JMESPathTypeError"):
        EventFilter(expression="length(data.amount)").matches({"data": {"amount": 1}})


def test_a_filter_is_written_as_it_was_said() -> None:
    """Only what it says."""
    wanted = EventFilter(types=("a", "b"), orders=("1",), expression="data")
    assert wanted.document() == {"types": ["a", "b"], "orders": ["1"], "expression": "data"}
    assert EventFilter(customers=("7",)).document() == {"customers": ["7"]}


def test_the_type_of_an_event_is_a_text() -> None:
    """Of a CloudEvent `type`, on the bus `detail-type`."""
    assert kind(PLACED) == "shop.OrderPlaced"
    assert kind(CHANGED) == "OrderChanged"
    assert kind({"specversion": "1.0", "detail-type": "x"}) is None
    assert kind({"detail-type": 1}) is None


def test_the_time_of_an_event_is_its_own() -> None:
    """In UTC."""
    assert happened_at(PLACED) == NOON
    assert happened_at({"time": "2026-11-26T13:00:00+01:00"}) == NOON
    moment = happened_at({"time": "2026-11-26T12:00:00Z"})
    assert moment is not None
    assert moment.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "time",
    [None, 1, "", "now", "2026-11-26", "2026-11-26T12:00:00", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"],
)
def test_an_event_may_tell_no_time(time: Any) -> None:
    """Or none that can be placed."""
    assert happened_at({"time": time}) is None
    assert happened_at({}) is None


@given(documents, st.sampled_from(["data", "detail", "time", "type"]))
def test_any_event_can_be_looked_at(document: Any, name: str) -> None:
    """Whatever stands where something else is looked for."""
    event = {"specversion": "1.0", name: document} if name != "detail" else {name: document}
    assert EventFilter(customers=("nobody",), orders=("none",)).matches(event) in {True, False}
    assert happened_at(event) is None or happened_at(event) <= datetime.max.replace(tzinfo=UTC)  # type: ignore[operator]
