"""Whatever the search node does, no document is lost: it is indexed later, or waits where a command puts it back."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from local.engine.process import Engine
from local.search.process import SearchNode
from tests.faults.endpoint import Health
from tests.faults.search_endpoint import FaultySearchNode
from tests.integration.application import eventually
from tests.integration.searching import Search, publish
from tests.integration.standalone import make_topic
from tests.varied_orders import events

pytestmark = pytest.mark.search_node

DOWN_SECONDS = 60
PER_STATE = 100
GIVES_UP_SOON = {"RetryDurationSeconds": "5"}
EVERYTHING = {"SubscriptionFilterPolicy": "", "BatchWindowSeconds": "1"}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """Start an engine; Firehose's minute takes a second, its retry duration what it says."""
    with Engine(firehose_interval_scale=1 / 60) as engine:
        yield engine


@pytest.fixture(scope="module")
def node() -> Iterator[SearchNode]:
    """Start a node of its own."""
    with SearchNode() as node:
        yield node


@pytest.fixture(scope="module")
def orders() -> Iterator[dict[str, Any]]:
    """Give events of ever new orders."""
    return events(3 * PER_STATE + 1)


def _some(orders: Iterator[dict[str, Any]], count: int = PER_STATE) -> list[dict[str, Any]]:
    return [next(orders) for _ in range(count)]


def _indexed(search: Search, published: list[dict[str, Any]]) -> bool:
    return search.versions().keys() == {event["id"] for event in published}


def test_a_document_that_breaks_the_mapping_waits_alone_until_the_cause_is_mended(
    engine: Engine, node: SearchNode, orders: Iterator[dict[str, Any]]
) -> None:
    topic = make_topic(engine, "breaking")
    search = Search(engine, topic, node.url, "breaking", **GIVES_UP_SOON, **EVERYTHING)
    good, [broken] = _some(orders), _some(orders, 1)
    broken["data"]["date"] = "the day before yesterday"
    publish(engine, topic, [*good[:50], broken, *good[50:]])
    [line] = eventually(search.dead_letters, "the document in the dead-letter bucket")
    eventually(lambda: _indexed(search, good), "all other documents")
    failed = json.loads(line)
    assert failed["errorCode"] == "400"
    assert "mapper_parsing_exception" in failed["errorMessage"]

    search.map_field(["data", "date"], {"type": "date", "ignore_malformed": True})
    assert search.put_back()["put_back"] == 1
    eventually(lambda: _indexed(search, [*good, broken]), "the document in the index")
    assert not search.dead_letters()
    search.pipeline.remove()


def test_a_node_that_is_down_for_a_minute_loses_no_document(
    engine: Engine, node: SearchNode, orders: Iterator[dict[str, Any]]
) -> None:
    """One pipeline goes on trying; the other has given up by then, and its documents are put back."""
    topic = make_topic(engine, "down")
    patient = Search(engine, topic, node.url, "patient", RetryDurationSeconds="3600", **EVERYTHING)
    given_up = Search(engine, topic, node.url, "given-up", **GIVES_UP_SOON, **EVERYTHING)
    published = _some(orders)
    node.stop()
    stopped = time.monotonic()
    publish(engine, topic, published)
    eventually(lambda: len(given_up.dead_letters()) == len(published), "every document in the dead-letter bucket")
    eventually(lambda: time.monotonic() - stopped >= DOWN_SECONDS, "the end of the minute")
    assert not patient.dead_letters()
    node.start()

    eventually(
        lambda: len(patient.versions()) + len(patient.dead_letters()) == len(published),
        "every document, delivered later or, where the node did not know its pipeline yet, refused",
    )
    refused = patient.put_back()["put_back"]
    eventually(lambda: _indexed(patient, published), "every document, delivered later")
    assert given_up.put_back()["put_back"] == len(published)
    eventually(lambda: _indexed(given_up, published), "every document, put back")
    assert not given_up.dead_letters()
    print(
        f"published {PER_STATE} while it was down; one pipeline: {PER_STATE - refused} delivered later, "
        f"{refused} put back; the other: {PER_STATE} put back; lost 0"
    )
    for search in (patient, given_up):
        search.pipeline.remove()


def test_a_node_that_answers_429_gets_every_document_in_the_end(
    engine: Engine, node: SearchNode, orders: Iterator[dict[str, Any]]
) -> None:
    """Whether it refuses whole requests or every other document; what comes after the retry is put back."""
    topic = make_topic(engine, "throttled")
    with FaultySearchNode() as endpoint:
        endpoint.forward_to(node.url)
        search = Search(engine, topic, endpoint.url, "throttled", **GIVES_UP_SOON, **EVERYTHING)
        published = _some(orders)
        endpoint.health = Health.HALF
        publish(engine, topic, published[:50])
        eventually(lambda: len(search.versions()) + len(search.dead_letters()) >= 50, "documents, half by half")
        endpoint.health = Health.THROTTLED
        publish(engine, topic, published[50:])
        eventually(lambda: len(search.dead_letters()) >= 50, "documents in the dead-letter bucket")
        assert {json.loads(line)["errorCode"] for line in search.dead_letters()} == {"429"}
        endpoint.health = Health.HEALTHY
        waited = len(search.dead_letters())
        assert search.put_back()["put_back"] == waited
        eventually(lambda: _indexed(search, published), "every document")
        assert not search.dead_letters()
        print(f"published {len(published)}, put back {waited}, lost 0")
        search.pipeline.remove()
