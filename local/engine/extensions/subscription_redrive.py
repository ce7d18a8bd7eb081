"""Dead-letter queues of SNS subscriptions.

The engine keeps a subscription's `RedrivePolicy` and does nothing with it: what cannot be delivered is gone. On AWS a
message that the subscribed queue cannot take, because it is gone or its policy refuses, goes to the dead-letter queue
of the subscription ("Amazon SNS dead-letter queues", SNS developer guide).

Not needed once `sns._fanout` follows `RedrivePolicy`. Queues only, the one protocol the application subscribes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ministack.core.arn import parse_arn
from ministack.services import sns, sqs

from local.engine.replacement import engine_attribute, replace

__all__ = ["apply"]


def apply() -> None:
    """Deliver to the dead-letter queue what a subscribed queue cannot take."""
    find_topic = engine_attribute(sns, "_topic_by_arn_any_scope")
    matches = engine_attribute(sns, "_matches_filter_policy")
    message_for = engine_attribute(sns, "_resolve_message_for_protocol")
    envelope_for = engine_attribute(sns, "_build_envelope")
    deliver = engine_attribute(sns, "_deliver_to_sqs")
    find_queue = engine_attribute(sqs, "_queue_by_arn")
    policy_allows = engine_attribute(sqs, "queue_policy_allows")

    def deliverable(queue_arn: str, topic_arn: str) -> bool:
        account = parse_arn(topic_arn).account_id
        return bool(find_queue(queue_arn) and policy_allows(queue_arn, "sns.amazonaws.com", topic_arn, account))

    def build(fan_out: Callable[..., None]) -> Callable[..., None]:
        def fan_out_and_redrive(
            topic_arn: str,
            message_id: str,
            message: str,
            subject: str,
            message_structure: str = "",
            message_attributes: dict[str, Any] | None = None,
            **options: Any,
        ) -> None:
            attributes = message_attributes or {}
            for subscription in (find_topic(topic_arn) or {}).get("subscriptions", []):
                settings = subscription.get("attributes") or {}
                if (
                    subscription.get("protocol") != "sqs"
                    or not subscription.get("confirmed")
                    or not settings.get("RedrivePolicy")
                    or deliverable(subscription["endpoint"], topic_arn)
                ):
                    continue
                text = message_for(message, message_structure, "sqs")
                if not matches(subscription, attributes, text):
                    continue
                raw = settings.get("RawMessageDelivery", "false") == "true"
                deliver(
                    json.loads(settings["RedrivePolicy"])["deadLetterTargetArn"],
                    envelope_for(topic_arn, message_id, text, subject, attributes, raw),
                    raw,
                    text,
                    message_attributes=attributes,
                    topic_arn=topic_arn,
                )
            fan_out(topic_arn, message_id, message, subject, message_structure, message_attributes, **options)

        return fan_out_and_redrive

    replace(sns, "_fanout", build)
