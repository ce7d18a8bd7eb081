"""A replay goes to consumers that are known, by rules that take nothing but replays."""

from typing import Any

import pytest
from eventfork.json_text import render
from eventfork.replay_jobs import FieldError, ForbiddenError, Source, UnknownError
from eventfork.replay_targets import REPLAYED, Rule, Target, read_targets, resolve
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.replaying import NOON, RULE, bus_event, order_event

REPLAYS_ONLY = {REPLAYED: [{"exists": True}]}
CHECKOUT = Target("checkout", "arn:checkout", "arn:checkout-dead")
CUSTOMERS = Target("customers", "arn:customers", "arn:customers-dead", RULE, "arn:buffer", "crm")
SEARCH = Target("search", "arn:search", "arn:search-dead", "arn:rule/search-replay", "arn:search-buffer")
KNOWN = {one.name: one for one in (CHECKOUT, CUSTOMERS, SEARCH)}
RULES = (
    Rule("customers-replay", RULE, REPLAYS_ONLY),
    Rule("search-replay", SEARCH.rule_arn, REPLAYS_ONLY),
    Rule("customers-live", "arn:rule/customers-live", {REPLAYED: [{"exists": False}]}),
    Rule("stray-replay", "arn:rule/stray-replay", REPLAYS_ONLY),
)

kinds = st.sampled_from(["Placed", "Changed", "Moved"])
sources = st.sampled_from(["shop", "crm"])


def test_consumers_are_read_by_name() -> None:
    """What the template leaves out is empty."""
    written = {
        "checkout": {"queueArn": "arn:checkout", "deadLetterQueueArn": "arn:checkout-dead"},
        "customers": {
            "queueArn": "arn:customers",
            "deadLetterQueueArn": "arn:customers-dead",
            "ruleArn": RULE,
            "bufferQueueArn": "arn:buffer",
            "circuit": "crm",
        },
    }
    assert read_targets(render(written)) == {"checkout": CHECKOUT, "customers": CUSTOMERS}
    assert (CHECKOUT.is_on_the_bus, CUSTOMERS.is_on_the_bus) == (False, True)


@pytest.mark.parametrize(
    ("pattern", "takes_replays"),
    [
        (REPLAYS_ONLY, True),
        ({**REPLAYS_ONLY, "source": ["shop"], "detail": {"amount": [1]}}, True),
        ({REPLAYED: [{"exists": False}]}, False),
        ({REPLAYED: ["outage"]}, False),
        ({REPLAYED: [{"exists": True}, {"exists": False}]}, False),
        ({REPLAYED: []}, False),
        ({"source": ["shop"]}, False),
        ({}, False),
    ],
    ids=str,
)
def test_a_rule_takes_replays_if_it_asks_for_nothing_but_them(pattern: dict[str, Any], takes_replays: bool) -> None:
    """A rule that does not look takes live events too."""
    assert Rule("rule", "arn", pattern).takes_replays is takes_replays


@given(st.lists(kinds), st.lists(sources), kinds, sources)
def test_a_rule_takes_an_event_by_what_it_lists(
    listed_kinds: list[str], listed_sources: list[str], kind: str, source: str
) -> None:
    """By source and by type; a list that is empty, or not there, says nothing."""
    event = {**bus_event("1", NOON, kind), "source": source}
    expected = (not listed_kinds or kind in listed_kinds) and (not listed_sources or source in listed_sources)
    pattern = {"detail-type": listed_kinds, "source": listed_sources}
    assert Rule("rule", "arn", pattern).takes(event) is expected
    assert Rule("rule", "arn", {name: listed for name, listed in pattern.items() if listed}).takes(event) is expected


def test_a_rule_takes_an_event_of_the_topic_by_its_type() -> None:
    """What the bus calls its detail-type."""
    assert Rule("rule", "arn", {"detail-type": ["OrderPlaced"]}).takes(order_event("1"))
    assert not Rule("rule", "arn", {"detail-type": ["OrderChanged"]}).takes(order_event("1"))
    assert not Rule("rule", "arn", {"detail-type": ["OrderPlaced"]}).takes({"source": "shop"})


@pytest.mark.parametrize(
    ("pattern", "asks_for_more"),
    [
        ({}, False),
        ({"detail-type": ["Placed"], "source": ["shop"], **REPLAYS_ONLY}, False),
        ({"detail-type": [{"prefix": "Pl"}]}, True),
        ({"source": ["crm", {"anything-but": "shop"}]}, True),
        ({"detail": {"amount": [1]}}, True),
        ({"account": ["123456789012"]}, True),
    ],
    ids=str,
)
def test_a_rule_that_asks_for_more_says_so_and_is_not_counted_out(pattern: dict[str, Any], asks_for_more: bool) -> None:
    """What cannot be told from the outside is taken, rather than left out."""
    rule = Rule("rule", "arn", pattern)
    assert rule.asks_for_more() is asks_for_more
    assert not asks_for_more or rule.takes({**bus_event("1", NOON, "Other"), "source": "another"})


@pytest.mark.parametrize("name", ["customers", "customers-replay", RULE])
@pytest.mark.parametrize("source", [Source.ARCHIVE, Source.BACKUP, Source.DLQ])
def test_a_consumer_is_found_by_its_name_or_its_rule(name: str, source: Source) -> None:
    """By the rule's name or by its ARN."""
    assert resolve([name], source, KNOWN, RULES) == (CUSTOMERS,)


def test_a_consumer_that_is_named_twice_is_one_target() -> None:
    """In the order in which each was named first."""
    names = ["search-replay", "customers", RULE, "search"]
    assert resolve(names, Source.ARCHIVE, KNOWN, RULES) == (SEARCH, CUSTOMERS)
    assert resolve(["customers", RULE], Source.DLQ, KNOWN, RULES) == (CUSTOMERS,)


@pytest.mark.parametrize(
    ("names", "source", "error", "text"),
    [
        ([], Source.ARCHIVE, FieldError, "names no target: name at least one of checkout, customers, search"),
        (["customers", "search"], Source.BACKUP, FieldError, "names 2 targets; a replay from backup has one"),
        (["customers", "search"], Source.DLQ, FieldError, "names 2 targets; a replay from dlq has one"),
        (["checkout", "search"], Source.QUEUE, FieldError, "names 2 targets; a replay from queue has one"),
        (["orders"], Source.ARCHIVE, UnknownError, "no consumer and no rule orders: name checkout, customers, search"),
        (["customers", "orders"], Source.ARCHIVE, UnknownError, "no consumer and no rule orders"),
        (["customers-live"], Source.ARCHIVE, ForbiddenError, "customers-live takes live events: .* for replay-name"),
        (["arn:rule/customers-live"], Source.BACKUP, ForbiddenError, "customers-live takes live events"),
        (["stray-replay"], Source.ARCHIVE, UnknownError, "stray-replay feeds no consumer .* add it to Targets"),
        (["checkout"], Source.ARCHIVE, ForbiddenError, "checkout takes nothing off the bus.* queue or backup"),
        (["customers"], Source.QUEUE, ForbiddenError, "customers takes events off the bus.* archive or backup"),
    ],
    ids=str,
)
def test_a_target_that_cannot_be_is_refused_by_its_name(
    names: list[str], source: Source, error: type[Exception], text: str
) -> None:
    """With what would do instead."""
    with pytest.raises(error, match=text):
        resolve(names, source, KNOWN, RULES)


@pytest.mark.parametrize("source", [Source.QUEUE, Source.BACKUP, Source.DLQ])
def test_a_consumer_of_the_topic_is_replayed_from_everything_but_an_archive(source: Source) -> None:
    """An archive reaches the bus, and nothing else."""
    assert resolve(["checkout"], source, KNOWN, RULES) == (CHECKOUT,)
