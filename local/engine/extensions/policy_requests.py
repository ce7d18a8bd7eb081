"""What a request asks IAM for.

With IAM enforced, the engine asks whether a caller may `sqs:SendMessageBatch`, an action that no policy can name: on
AWS a batch is the action of its entries ("Actions, resources, and condition keys for Amazon SQS", Service Authorization
Reference). Of requests about archives and replays it does not know the resource, so that only `*` allows them.

Not needed once `iam_actions.extract_iam_action` and `extract_resource_arn` know both.
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
            found = resource(service, method, path, headers, body, query, region, account)
            return _replayed(body, region, account) if service == "events" and found == "*" else found

        return resource_of_replays

    replace(iam_actions, "extract_iam_action", build_action)
    replace(iam_actions, "extract_resource_arn", build_resource)


def _replayed(body: bytes, region: str, account: str) -> str:
    request = json.loads(body or b"{}")
    if "EventSourceArn" in request:
        return str(request["EventSourceArn"])
    for name, kind in (("ArchiveName", "archive"), ("ReplayName", "replay")):
        if name in request:
            return f"arn:aws:events:{region}:{account}:{kind}/{request[name]}"
    return "*"
