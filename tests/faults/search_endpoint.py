"""An endpoint in front of a search node."""

import json
from typing import Any

from tests.faults.endpoint import Answer, FaultyEndpoint, Request

__all__ = ["FaultySearchNode"]

REFUSAL = {"type": "rejected_execution_exception", "reason": "too many requests"}


class FaultySearchNode(FaultyEndpoint):
    """A search node, as healthy as it is told to be; `_bulk` is the one call whose records can be refused in part."""

    def throttled(self) -> Answer:
        """Answer as OpenSearch does when its queues are full."""
        return Answer(429, json.dumps({"error": REFUSAL, "status": 429}).encode())

    def half(self, request: Request, first: int) -> Answer:
        """Refuse every other document of a `_bulk` request that only indexes."""
        if not request.path.partition("?")[0].endswith("/_bulk"):
            return self.forwarded(request)
        lines = request.body.splitlines(keepends=True)
        documents = [b"".join(lines[place : place + 2]) for place in range(0, len(lines), 2)]
        kept = documents[first::2]
        items: list[dict[str, Any]] = [{"index": {"status": 429, "error": REFUSAL}} for _ in documents]
        if kept:
            forwarded = self.forwarded(request._replace(body=b"".join(kept)))
            if forwarded.status >= 300:
                return forwarded
            items[first::2] = json.loads(forwarded.body)["items"]
        return Answer(200, json.dumps({"took": 1, "errors": True, "items": items}).encode())
