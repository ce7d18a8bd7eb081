"""A real search node, asked about 5,000 orders, answers exactly what Python computes from the orders themselves."""

import json
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

import botocore.session
import pytest
from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session
from eventfork import search
from eventfork.adapters.opensearch import SearchDomain
from eventfork.batches import fill
from eventfork.card_data import Redactor
from eventfork.forwarding import Message
from eventfork.json_text import parse, render
from eventfork.kpis import KPIS
from eventfork.limits import Limits
from eventfork.search_index import Index, Rotation, find_query, index_template, kpi_query
from eventfork.search_index.set_up import set_up

from local.search.process import SearchNode
from tests.expected_kpis import expected_kpis
from tests.varied_orders import events

pytestmark = pytest.mark.search_node
pytestmark = pytest.mark.search_node

COUNT: Final = 5000
Event = dict[str, Any]


class Filled(NamedTuple):
    """An index that holds all orders."""

    orders: Index
    domain: SearchDomain
    node: "Node"


class Node:
    """A node, asked without any of the code under test."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._http = URLLib3Session(timeout=(10, 120))

    def ask(self, method: str, path: str, body: str = "") -> Any:
        """Give the node's answer, whatever its status is."""
        headers = {"content-type": "application/x-ndjson"}
        request = AWSRequest(method, f"{self._url}/{path}", headers=headers, data=body.encode())
        return json.loads(self._http.send(request.prepare()).content)

    def deliver(self, index: Index, documents: Sequence[bytes]) -> list[dict[str, Any]]:
        """Index documents as Firehose does, under the plain name and without an id; give what became of each."""
        action = json.dumps({"index": {"_index": index.name}})
        items = []
        for some in fill(documents, Limits(entries=500, size=2**22), len):
            lines = "".join(f"{action}\n{document.decode()}\n" for document in some)
            items += [item["index"] for item in self.ask("POST", "_bulk?refresh=true", lines)["items"]]
        return items


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Start a node of its own."""
    with SearchNode() as node:
        yield node.url


@pytest.fixture(scope="module")
def domain(url: str) -> SearchDomain:
    """Give the node as the domain it stands for; it asks for no signature, but gets one."""
    session = botocore.session.Session()
    session.set_credentials("access", "secret")
    session.set_config_variable("region", "eu-central-1")
    return SearchDomain(url, session)


@pytest.fixture(scope="module")
def orders() -> list[Event]:
    """Give the events, as they are on the topic."""
    return list(events(COUNT))


@pytest.fixture(scope="module")
def make(url: str, domain: SearchDomain) -> Callable[[Index], Filled]:
    """Give what sets an index up."""

    def made(index: Index) -> Filled:
        properties = {
            "Endpoint": url,
            "IndexName": index.name,
            "IndexRotation": index.rotation,
            "ShardCount": str(index.shards),
            "ReplicaCount": str(index.replicas),
            "DeliveryRoleArn": "arn:aws:iam::123456789012:role/delivery",
            "OperatorRoleArn": "arn:aws:iam::123456789012:role/operator",
            "Audited": "true",
        }
        # A node without the security plugin and without Dashboards; the second time changes nothing.
        for _ in range(2):
            data = set_up(properties, domain, seconds_left=lambda: 600, sleep=lambda _: None)
            assert data == {"Security": "absent", "Dashboards": "absent"}
        return Filled(index, domain, Node(url))

    return made


@pytest.fixture(
    scope="module",
    params=[Index("orders"), Index("sharded", shards=3), Index("daily", "OneDay")],
    ids=lambda index: index.name,
)
def filled(request: pytest.FixtureRequest, make: Callable[[Index], Filled], orders: list[Event]) -> Filled:
    """Give an index that holds all orders: one, one of several shards, or one for each of many days."""
    filled = make(request.param)
    items = filled.node.deliver(filled.orders, [document(event) for event in orders])
    assert {item["status"] for item in items} == {201}
    return filled


def document(event: Event | str) -> bytes:
    body = event if isinstance(event, str) else render(event)
    return search.document(Message("1", body, {}, "2026-12-14T00:00:00.000000Z"), Redactor())


@pytest.mark.parametrize("kpi", KPIS, ids=lambda kpi: kpi.name)
def test_a_kpi_is_exactly_what_the_orders_say(kpi: Any, filled: Filled, orders: list[Event]) -> None:
    answer = filled.domain.search(filled.orders.patterns, kpi_query(kpi.name))
    reading = kpi.read(answer)
    assert list(reading.rows) == expected_kpis(orders)[kpi.name]
    cut = {
        "most-popular-products": ("Only the first 10 products.",),
        "orders-by-customer": ("Only the first 10 customers.",),
    }
    assert reading.notes == cut.get(kpi.name, ())


def test_the_orders_have_ties_to_break(orders: list[Event]) -> None:
    """Else no test here would show how ties are ordered."""
    expected = expected_kpis(orders)
    quantities = [row.quantity for row in expected["most-popular-products"]]
    counts = [row.orders for row in expected["orders-by-customer"]]
    assert any(len(set(rank)) < len(rank) for rank in (quantities, counts))


def test_the_index_has_the_declared_mapping(filled: Filled) -> None:
    """Each of its indices, whatever fields the orders have besides."""
    declared = index_template(filled.orders)["template"]["mappings"]
    names = ",".join(filled.orders.patterns)
    found = filled.node.ask("GET", f"{names}/_mapping?ignore_unavailable=true").values()
    assert found
    assert all(one == {"mappings": declared} for one in found)


def test_a_replay_doubles_no_document(filled: Filled, orders: list[Event]) -> None:
    """Whenever it is: the document goes to the index of its event's day, under the event's id."""
    before = filled.domain.count(filled.orders.patterns)
    items = filled.node.deliver(filled.orders, [document(event) for event in orders[:1000]])
    assert {(item["status"], item["result"]) for item in items} == {(200, "updated")}
    assert before == filled.domain.count(filled.orders.patterns) == COUNT


def test_an_order_is_found_by_any_of_its_words(filled: Filled, orders: list[Event]) -> None:
    """In every index, all words in the same order, whole ids and addresses only, the newest first."""

    def found(text: str, limit: int = 10_000) -> list[str]:
        hits = filled.domain.search(filled.orders.patterns, find_query(text, limit))["hits"]["hits"]
        return [hit["_id"] for hit in hits]

    def newest_first(matching: Callable[[dict[str, Any]], bool]) -> list[str]:
        matches = [event for event in orders if matching(event["data"])]
        assert matches
        return [event["id"] for event in sorted(matches, key=lambda event: event["time"], reverse=True)]

    assert found("ORDER-00042") == newest_first(lambda order: order["id"] == "ORDER-00042")
    assert found("payment-77") == newest_first(lambda order: order["payment"]["id"] == "payment-77")
    assert found(orders[5]["id"]) == [orders[5]["id"]]
    twelve = newest_first(lambda order: order["customer"]["email"] == "customer12@example.com")
    assert found("customer12@example.com") == twelve
    assert found("CUSTOMER12@example.com", 3) == twelve[:3]
    assert found("søREN  customer12@example.com") == newest_first(
        lambda order: (order["customer"]["id"], order["customer"]["name"]) == ("customer 12", "Søren Ångström")
    )
    assert found("花子") == newest_first(lambda order: order["customer"]["name"] == "山田 花子")
    assert found("João & Nuñez") == newest_first(lambda order: order["customer"]["name"].startswith("João"))
    assert found("&") == found("ORDER-99999") == found("Søren 花子") == []
    assert len(found("")) == COUNT


@pytest.mark.parametrize(
    ("rotation", "time", "name"),
    [
        ("NoRotation", "2026-11-22T13:05:00Z", "rotated"),
        ("OneHour", "2026-11-22T13:05:00Z", "rotated-2026-11-22-13"),
        ("OneHour", "2026-11-22T01:05:00+02:00", "rotated-2026-11-21-23"),
        ("OneDay", "2026-11-22T13:05:00.123456789Z", "rotated-2026-11-22"),
        ("OneWeek", "2026-11-22T13:05:00Z", "rotated-2026-w47"),
        ("OneWeek", "2027-01-03T23:59:59Z", "rotated-2026-w53"),
        ("OneWeek", "2027-01-04T00:00:00Z", "rotated-2027-w01"),
        ("OneMonth", "2026-11-30T23:05:00-01:00", "rotated-2026-12"),
    ],
)
def test_a_document_goes_to_the_index_of_its_own_time(
    rotation: Rotation, time: str, name: str, make: Callable[[Index], Filled], orders: list[Event]
) -> None:
    """In UTC, in Firehose's own names."""
    filled = make(Index("rotated", rotation))
    (item,) = filled.node.deliver(filled.orders, [document({**orders[0], "time": time})])
    assert (item["_index"], item["_id"]) == (name, orders[0]["id"])


def test_what_breaks_the_mapping_is_refused_alone(make: Callable[[Index], Filled], orders: list[Event]) -> None:
    """Its neighbours are indexed."""
    filled = make(Index("broken"))
    bad = {**orders[0], "data": {**orders[0]["data"], "date": "the day before yesterday"}}
    items = filled.node.deliver(filled.orders, [document(orders[1]), document(bad), document(orders[2])])
    assert [item["status"] for item in items] == [201, 400, 201]
    assert items[1]["error"]["type"] == "mapper_parsing_exception"
    assert filled.domain.count(filled.orders.patterns) == 2


def test_what_no_pipeline_has_placed_is_refused(make: Callable[[Index], Filled], orders: list[Event]) -> None:
    """As by a node that has just started and does not know its pipelines yet: it would double what it keeps."""
    filled = make(Index("unplaced"))
    action = json.dumps({"index": {"_index": "unplaced", "pipeline": "_none"}})
    lines = f"{action}\n{document(orders[0]).decode()}\n"
    (item,) = filled.node.ask("POST", "_bulk?refresh=true", lines)["items"]
    assert item["index"]["status"] == 400
    assert item["index"]["error"]["type"] == "strict_dynamic_mapping_exception"
    assert filled.domain.count(filled.orders.patterns) == 0


def test_every_order_that_the_api_takes_can_be_indexed(make: Callable[[Index], Filled], orders: list[Event]) -> None:
    """However odd, and whatever else is published."""
    filled = make(Index("odd"))
    order = orders[0]["data"]
    long = "ü" * 40_000
    odd = [
        {**order, "date": "2026-11-20t09:15:42.1234567890123z"},
        {**order, "date": "2026-11-20T09:15:42+23:30"},
        {**order, "status": long, "customer": {"id": 1, "name": long, "email": long}, "note": {"a": [{}, 1, "x"]}},
        {**order, "payment": {**order["payment"], "amount": Decimal("999999999.99999999999"), "method": long}},
        {**order, "payment": {**order["payment"], "amount": Decimal("1e-120")}},
        {**order, "shipping": {"time": 10**9, "unit": "weeks", "method": long}},
        {**order, "items": [{"product": "p", "quantity": 10**9, "price": 10**12, "subtotal": 10**12, "name": long}]},
    ]
    documents = [document({**orders[0], "id": str(number), "data": data}) for number, data in enumerate(odd)]
    documents += [document(text) for text in ("a text", '{"data": 1}', '{"specversion": "1.0"}')]
    documents.append(
        document(json.dumps({"specversion": "1.0", "id": "n", "source": "s", "type": "t", "data": [1, 2]}))
    )
    items = filled.node.deliver(filled.orders, documents)
    assert [item for item in items if item["status"] != 201] == []


def test_without_an_index_every_kpi_is_empty(domain: SearchDomain) -> None:
    """A fork that has carried nothing yet is no error."""
    patterns = Index("not-yet").patterns
    assert {kpi.read(domain.search(patterns, kpi_query(kpi.name))).rows for kpi in KPIS} == {()}
    assert domain.count(patterns) == 0


def test_events_of_other_types_count_for_nothing(make: Callable[[Index], Filled], orders: list[Event]) -> None:
    """Even if what they carry looks like an order."""
    filled = make(Index("foreign"))
    filled.node.deliver(filled.orders, [document({**orders[0], "type": "shop.OrderSeen"})])
    assert filled.domain.count(filled.orders.patterns) == 1
    for kpi in KPIS:
        assert kpi.read(filled.domain.search(filled.orders.patterns, kpi_query(kpi.name))).rows == ()


def test_the_sample_document_reads_as_the_event(filled: Filled, orders: list[Event]) -> None:
    """What is stored is the event itself."""
    (hit,) = filled.domain.search(filled.orders.patterns, find_query(orders[3]["id"], 10))["hits"]["hits"]
    kept = {key: value for key, value in hit["_source"].items() if key != "delivery_seconds"}
    assert kept == parse(render(orders[3]))
