"""Asking the search index, with answers as a node writes them; and when two mappings are the same."""

import io
import json
import urllib.error
import urllib.request
from email.message import Message
from typing import Any

import pytest

from local.errors import SearchIndexError
from local.search_index import SearchIndex, declared_mapping, mapping_differences


class Node:
    """A node that answers each question with the next of its answers."""

    def __init__(self, *answers: bytes | Exception) -> None:
        self._answers = list(answers)
        self.requests: list[urllib.request.Request] = []

    def __call__(self, request: urllib.request.Request, timeout: float) -> io.BytesIO:
        """Answer a request."""
        assert timeout > 0
        self.requests.append(request)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return io.BytesIO(answer)


def index(node: Node) -> SearchIndex:
    """Return the orders' index on a node."""
    return SearchIndex("http://127.0.0.1:9200", "orders", node)


def hits(*event_ids: str) -> bytes:
    """Write what a node answers to a search that finds these."""
    return json.dumps({"hits": {"hits": [{"_id": name, "_source": {"id": name}} for name in event_ids]}}).encode()


def test_documents_are_asked_for_by_the_ids_of_their_events() -> None:
    """All indices of the orders are asked, whether they are there or not, and each answer's documents are given."""
    node = Node(hits("event-1"), hits("event-1500"))
    wanted = [f"event-{number}" for number in range(1501)]
    assert list(index(node).documents(wanted)) == [{"id": "event-1"}, {"id": "event-1500"}]
    urls = {request.full_url for request in node.requests}
    assert urls == {
        "http://127.0.0.1:9200/orders,orders-*/_search?ignore_unavailable=true&allow_no_indices=true",
    }
    asked: list[str] = []
    for request in node.requests:
        assert isinstance(request.data, bytes)
        body = json.loads(request.data)
        asked += body["query"]["ids"]["values"]
        assert body["size"] >= len(body["query"]["ids"]["values"])
    assert asked == wanted
    assert list(index(Node()).documents([])) == []


def refusal(status: int) -> urllib.error.HTTPError:
    """Return the error that stands for an answer of this status."""
    return urllib.error.HTTPError("", status, "", Message(), io.BytesIO())


def test_an_index_that_is_only_being_made_has_no_documents_yet() -> None:
    """Between its first document and the moment it can be searched a node answers 503; any other refusal is told."""
    assert list(index(Node(refusal(503))).documents(["event-1"])) == []
    with pytest.raises(SearchIndexError, match="it answered 500 to _search"):
        list(index(Node(refusal(500))).documents(["event-1"]))


def test_the_count_takes_in_what_has_just_come() -> None:
    """The index is refreshed before it is counted."""
    node = Node(b"{}", b'{"count": 5}')
    assert index(node).count() == 5
    assert [request.selector.split("/")[-1].split("?")[0] for request in node.requests] == ["_refresh", "_count"]


def test_each_index_has_its_mapping() -> None:
    """Where orders are rotated there are several."""
    node = Node(b'{"orders-1": {"mappings": {"dynamic": "false"}}, "orders-2": {"mappings": {}}}')
    assert index(node).mappings() == {"orders-1": {"dynamic": "false"}, "orders-2": {}}


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "no answer to _mapping: .*Connection refused"),
        (refusal(503), "it answered 503 to _mapping"),
        (b"<html>", "no answer to _mapping"),
    ],
)
def test_a_node_that_does_not_answer_is_told(answer: Any, told: str) -> None:
    """A node that is gone, one that refuses and something that is no node become one sentence."""
    with pytest.raises(SearchIndexError, match=rf"does not serve its index \({told}.*\): run it again"):
        index(Node(answer)).mappings()


# What a node has made of the declared one.
FOUND = {
    "dynamic": "false",
    "properties": {
        "amount": {"type": "scaled_float", "scaling_factor": 10000.0},
        "name": {"type": "text", "copy_to": ["words"], "fields": {"keyword": {"type": "keyword"}}},
        "customer": {"properties": {"id": {"type": "keyword", "index": False}}},
    },
}
DECLARED: dict[str, Any] = {
    "dynamic": False,
    "properties": {
        "name": {"type": "text", "copy_to": "words", "fields": {"keyword": {"type": "keyword"}}},
        "customer": {"type": "object", "properties": {"id": {"type": "keyword", "index": False}}},
        "amount": {"type": "scaled_float", "scaling_factor": 10000},
    },
}


def test_a_mapping_is_the_same_however_it_is_written() -> None:
    """Order, and forms that mean the same, make no difference."""
    assert mapping_differences(DECLARED, FOUND) == []


@pytest.mark.parametrize(
    ("change", "pointers"),
    [
        ({"dynamic": True}, ["/dynamic"]),
        (
            {"properties": {}},
            [
                "/properties/" + rest
                for rest in (
                    "amount/scaling_factor",
                    "amount/type",
                    "customer/properties/id/index",
                    "customer/properties/id/type",
                    "name/copy_to",
                    "name/fields/keyword/type",
                    "name/type",
                )
            ],
        ),
        ({"properties": DECLARED["properties"] | {"more": {"type": "long"}}}, ["/properties/more/type"]),
        (
            {"properties": DECLARED["properties"] | {"amount": {"type": "scaled_float", "scaling_factor": 100}}},
            ["/properties/amount/scaling_factor"],
        ),
    ],
)
def test_every_difference_between_mappings_is_named(change: dict[str, Any], pointers: list[str]) -> None:
    """What is missing, more or other is named by its place."""
    assert mapping_differences(DECLARED, FOUND | change) == pointers


def test_the_declared_mapping_is_the_applications() -> None:
    """It is the one that the set-up puts into the search domain: explicit, nothing guessed."""
    assert str(declared_mapping()["dynamic"]).lower() == "false"
