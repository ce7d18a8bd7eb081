"""Dead-letter queues of rule targets.

The engine keeps a target's `DeadLetterConfig` and does nothing with it: what cannot be delivered is gone. It delivers
into a queue whose policy does not let it, too. On AWS an event for a queue or a delivery stream that is gone, or for a
queue that refuses it, is not retried: it goes at once to the target's dead-letter queue, with attributes that say which
rule, which target and why ("Using dead-letter queues to process undelivered events", EventBridge user guide).

Not needed once `eventbridge._invoke_target` follows `DeadLetterConfig`. Queues and delivery streams only, the targets
that the application has; nothing here fails for a while, so that there is nothing to do for a `RetryPolicy`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

from ministack.core import responses
from ministack.core.arn import parse_arn
from ministack.services import eventbridge, firehose, sqs

from local.engine.replacement import engine_attribute, replace

__all__ = ["apply"]

SERVICE = "events.amazonaws.com"

logger = logging.getLogger(__name__)

Record = dict[str, Any]


def apply() -> None:
    """Deliver to a target's dead-letter queue what the target cannot take."""
    find_queue = engine_attribute(sqs, "_queue_by_arn")
    policy_allows = engine_attribute(sqs, "queue_policy_allows")
    streams = engine_attribute(firehose, "_streams")
    view_of = engine_attribute(eventbridge, "_pattern_event_view")
    send = engine_attribute(eventbridge, "_dispatch_to_sqs")

    def failure(target_arn: str, rule_arn: str) -> str | None:
        arn = parse_arn(target_arn)
        if arn.service == "firehose":
            return None if arn.resource.partition("/")[2] in streams else "NO_RESOURCE"
        if arn.service != "sqs":
            return None
        if not find_queue(target_arn):
            return "NO_RESOURCE"
        allowed = policy_allows(target_arn, SERVICE, rule_arn, responses.get_account_id())
        return None if allowed else "NO_PERMISSIONS"

    def build(invoke: Callable[..., None]) -> Callable[..., None]:
        def invoke_or_redrive(
            target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], view: Any = None
        ) -> None:
            code = failure(target["Arn"], rule["Arn"])
            if code is None:
                invoke(target, event, rule, view)
                return
            queue_arn = (target.get("DeadLetterConfig") or {}).get("Arn")
            if not queue_arn or failure(queue_arn, rule["Arn"]):
                logger.warning("An event for %s is lost (%s): no dead-letter queue takes it", target["Arn"], code)
                return
            messages = find_queue(queue_arn)["messages"]
            before = len(messages)
            send(parse_arn(queue_arn), json.dumps((view or view_of(event)).event_with_detail()))
            reasons = {"RULE_ARN": rule["Arn"], "TARGET_ARN": target["Arn"], "ERROR_CODE": code}
            attributes = {name: {"DataType": "String", "StringValue": text} for name, text in reasons.items()}
            for message in messages[before:]:
                message["message_attributes"] = attributes

        return invoke_or_redrive

    replace(eventbridge, "_invoke_target", build)
