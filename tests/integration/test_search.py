"""Orders on a topic are found in a real search node: those the filter lets through, once, without card data."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from eventfork.checkout_events import order_submitted
from eventfork.search_index import Index, index_template

from local.engine.process import Engine
from local.sample_orders import canaries, sample_orders
from local.search.process import SearchNode
from tests.expected_kpis import expected_kpis
from tests.integration.application import eventually
from tests.integration.searching import Search, publish
from tests.integration.standalone import looked_at, make_topic
from tests.varied_orders import events

pytestmark = pytest.mark.search_node

COUNT = 5000
LEAST_AMOUNT = 100
FULL_BATCHES = {"BatchSize": "1000", "BatchWindowSeconds": "1"}


@pytest.fixture(scope="module")
def node() -> Iterator[SearchNode]:
    """Start a node of its own."""
    with SearchNode() as node:
        yield node


@pytest.fixture(scope="module")
def orders() -> list[dict[str, Any]]:
    """Give events of orders on 35 days, none of them today."""
    return list(events(COUNT))


def test_orders_of_100_and_more_are_indexed_once_however_often_and_whenever_they_are_replayed(
    engine: Engine, node: SearchNode, orders: list[dict[str, Any]]
) -> None:
    """In one index and in one for each day of the events; and every KPI is exactly what the orders say."""
    topic = make_topic(engine, "to-search")
    searches = [
        Search(engine, topic, node.url, "whole", **FULL_BATCHES),
        Search(engine, topic, node.url, "daily", IndexRotation="OneDay", **FULL_BATCHES),
    ]
    wanted = [event for event in orders if event["data"]["payment"]["amount"] >= LEAST_AMOUNT]
    assert 0 < len(wanted) < COUNT
    ids = {event["id"] for event in wanted}

    publish(engine, topic, orders)
    for search in searches:
        assert eventually(lambda: search.versions().keys() >= ids, "every document")  # noqa: B023
        assert search.versions().keys() == ids
        assert {name: list(kpi.rows) for name, kpi in search.kpis().items()} == expected_kpis(wanted)

    publish(engine, topic, orders)
    for search in searches:
        assert eventually(lambda: min(search.versions().values()) > 1, "every document a second time")  # noqa: B023
        assert search.versions().keys() == ids
        assert search.domain.count(search.patterns) == len(wanted)
        assert not search.dead_letters()
        assert not looked_at(engine, search.pipeline.outputs["SearchDeadLetterQueueUrl"])
        assert not looked_at(engine, search.pipeline.outputs["SearchQuarantineQueueUrl"])
    days = {event["time"][:10] for event in wanted}
    assert searches[1].mappings().keys() == {f"daily-{day}" for day in days}
    print(f"published {COUNT} twice, indexed {len(wanted)} in one index and in {len(days)}, lost 0, doubled 0")
    for search in searches:
        search.pipeline.remove()


def test_no_card_data_is_in_the_index_the_queues_or_the_logs(engine: Engine, node: SearchNode) -> None:
    """Whoever publishes it: the pipeline takes it out by itself."""
    topic = make_topic(engine, "with-cards")
    search = Search(engine, topic, node.url, "cards", SubscriptionFilterPolicy="", LogLevel="DEBUG")
    orders = sample_orders(count=16, seed=7)
    marks = {mark for order in orders for mark in canaries(order)}
    assert len(marks) > len(orders)
    publish(engine, topic, [order_submitted(order, datetime.now(UTC)) for order in orders])
    engine.client("sns").publish(TopicArn=topic, Message="card " + max(marks, key=str.isdigit))
    eventually(lambda: len(search.documents()) > len(orders), "every document")
    outputs = search.pipeline.outputs
    logs = engine.client("logs").get_paginator("filter_log_events")
    groups = [f"/aws/lambda/{outputs[name]}" for name in ("SearchFunctionName", "SearchSetupFunctionName")]
    lines = [one["message"] for group in groups for page in logs.paginate(logGroupName=group) for one in page["events"]]
    assert lines
    places = {
        "index": str(search.documents()),
        "dead letters": str(search.dead_letters()),
        "logs": "\n".join(lines),
        **{name: str(looked_at(engine, url)) for name, url in outputs.items() if name.endswith("QueueUrl")},
    }
    assert {name: mark for name, text in places.items() for mark in marks if mark in text} == {}
    search.pipeline.remove()


def test_the_index_has_the_declared_mapping(engine: Engine, node: SearchNode) -> None:
    """And not one that the engine guessed, whatever the first order brings."""
    topic = make_topic(engine, "to-map")
    search = Search(engine, topic, node.url, "mapped")
    publish(engine, topic, list(events(20)))
    eventually(search.documents, "a document")
    found = search.mappings()
    assert found == {"mapped": index_template(Index("mapped"))["template"]["mappings"]}
    search.pipeline.remove()
