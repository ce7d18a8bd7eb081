"""What a request asks IAM for.

With IAM enforced, the engine asks whether a caller may `sqs:SendMessageBatch`, an action that no policy can name: on
AWS a batch is the action of its entries ("Actions, resources, and condition keys for Amazon SQS", Service Authorization
Reference). Of requests about archives and replays it does not know the resource, so that only `*` allows them; a list
of rules it takes for a request about their bus, where IAM is asked for the rules; and of events that are put it does
not tell the source, so that no policy allows any whose condition names it.

Not needed once `iam_actions.extract_iam_action`, `extract_resource_arn` and `request_tag_context` know these.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ministack.core import iam_actions

from local.engine.replacement import replace

__all__ = ["apply"]

BATCHES = {
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
}
PUTTING = "events:PutEvents"
LISTING_RULES = "AWSEvents.ListRules"


def apply() -> None:
    """Ask for what policies can name."""

    def build_action(action: Callable[..., Any]) -> Callable[..., Any]:
        def action_of_entries(*arguments: Any, **options: Any) -> Any:
            found = action(*arguments, **options)
            return BATCHES.get(found, found)

        return action_of_entries

    def build_resource(resource: Callable[..., str]) -> Callable[..., str]:
        def resource_of_replays(
            service: str, method: str, path: str, headers: Any, body: bytes, query: Any, region: str, account: str
        ) -> str:
            if headers.get("x-amz-target") == LISTING_RULES:
                return f"arn:aws:events:{region}:{account}:rule/*"
            found = resource(service, method, path, headers, body, query, region, account)
            return _replayed(body, region, account) if service == "events" and found == "*" else found

        return resource_of_replays

    def build_context(context: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
        def context_with_sources(service: str, action: str, body: bytes, query: Any) -> dict[str, Any]:
            found = context(service, action, body, query)
            return {**found, **_sources(body)} if action == PUTTING else found

        return context_with_sources

    replace(iam_actions, "request_tag_context", build_context)
    replace(iam_actions, "extract_iam_action", build_action)
    replace(iam_actions, "extract_resource_arn", build_resource)


def _sources(body: bytes) -> dict[str, Any]:
    sources = {entry.get("Source", "") for entry in json.loads(body or b"{}").get("Entries", [])}
    # Of several, each must be allowed; a condition on one value refuses a list.
    return {"events:source": sorted(sources) if len(sources) > 1 else "".join(sources)}


def _replayed(body: bytes, region: str, account: str) -> str:
    request = json.loads(body or b"{}")
    if "EventSourceArn" in request:
        return str(request["EventSourceArn"])
    for name, kind in (("ArchiveName", "archive"), ("ReplayName", "replay")):
        if name in request:
            return f"arn:aws:events:{region}:{account}:{kind}/{request[name]}"
    return "*"
