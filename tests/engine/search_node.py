"""A stand-in for a search node, of which only `_bulk` is there."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.faults.endpoint import Answer, Endpoint, Request

__all__ = ["Indexed", "SearchNode"]

Document = dict[str, Any]


class Indexed(NamedTuple):
    """What the node was told to index."""

    action: dict[str, Any]
    document: Document


class SearchNode(Endpoint):
    """A node that takes every document, unless it is told otherwise.

    Attributes
    ----------
    status : int or None
        Answers every request with it, and takes nothing; None to close the connection without an answer.
    status_of
        Answers one document with it, and takes it if it is below 300.
    taken : list
        What is in the index.
    offered : list
        What every document was that came, taken or not.
    sizes : list of int
        Bytes of each request.
    """

    def __init__(self) -> None:
        super().__init__()
        self.status: int | None = 200
        self.status_of: Callable[[Document], int] = lambda _document: 200
        self.taken: list[Indexed] = []
        self.offered: list[Document] = []
        self.sizes: list[int] = []

    def answer(self, request: Request) -> Answer | None:
        """Answer a `_bulk` request."""
        assert (request.method, request.path) == ("POST", "/_bulk")
        assert request.headers["content-type"] == "application/x-ndjson"
        lines = [json.loads(line) for line in request.body.splitlines()]
        documents = lines[1::2]
        self.sizes.append(len(request.body))
        self.offered += documents
        if self.status is None:
            return None
        if self.status >= 300:
            return Answer(self.status, b'{"error": "not now"}')
        items, taken = [], []
        for action, document in zip(lines[::2], documents, strict=True):
            status = self.status_of(document)
            if status < 300:
                taken.append(Indexed(action["index"], document))
            error = {} if status < 300 else {"error": {"type": "some_exception", "reason": "some reason"}}
            items.append({"index": {**action["index"], "status": status, **error}})
        self.taken += taken
        return Answer(200, json.dumps({"errors": True, "items": items}).encode())
