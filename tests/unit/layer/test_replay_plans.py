"""A plan tells what a replay would be, and what it cannot know."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from eventfork.replay_jobs import Request, Source
from eventfork.replay_plans import Sighting, cost, make
from eventfork.replay_targets import Rule, Target
from eventfork.replay_windows import window

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
WINDOW = window(NOON.replace(hour=11), NOON)
TARGET = Target("customers", "arn:queue", "arn:dead-letters", "arn:rule", "arn:buffer")


def request(source: Source = Source.ARCHIVE, **more: Any) -> Request:
    return Request(source=source, window=WINDOW, targets=("customers",), **more)


def rule(**pattern: Any) -> Rule:
    return Rule("replay", "arn:rule", {"replay-name": [{"exists": True}], **pattern})


def test_a_paced_replay_takes_as_long_as_its_pace_says() -> None:
    plan = make(request(pace=50.0), (TARGET,), [], Sighting(2000, exact=True), NOON).document()
    assert (plan["seconds"], plan["events"], plan["exact"], plan["notes"]) == (40.0, 2000, True, [])
    assert plan["targets"] == [{"name": "customers", "queueArn": "arn:queue", "ruleArn": "arn:rule"}]


@pytest.mark.parametrize(
    ("pattern", "noted"),
    [
        ({"detail-type": ["A"], "source": ["b"]}, False),
        ({"detail-type": [{"prefix": "A"}]}, True),
        ({"detail": {"data": {"amount": [1]}}}, True),
    ],
)
def test_a_rule_that_asks_for_more_than_is_counted_by_is_noted(pattern: dict[str, Any], noted: bool) -> None:
    plan = make(request(), (TARGET,), [rule(**pattern)], Sighting(1, exact=True), NOON)
    assert ["asks for more" in note for note in plan.document()["notes"]] == ([True] if noted else [])


@pytest.mark.parametrize(("events", "recommended"), [(100_000, False), (100_001, True)])
def test_a_bucket_is_recommended_where_a_queue_holds_too_much(events: int, recommended: bool) -> None:
    plan = make(request(Source.QUEUE), (TARGET,), [], Sighting(events, exact=False), NOON).document()
    assert any("replay from backup" in note for note in plan["notes"]) is recommended


def test_an_archive_costs_more_than_a_queue_and_a_slow_replay_more_than_a_quick_one() -> None:
    assert round(cost(request(), 10**6) - cost(request(Source.QUEUE), 10**6), 6) == Decimal(1)
    assert cost(request(pace=1.0), 10**6) > cost(request(pace=100.0), 10**6)
