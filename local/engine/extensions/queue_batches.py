"""Batches of an SQS event source.

The engine hands a function at most 10 messages and never waits for more. On AWS a batch holds up to `BatchSize`
messages, at most 10,000, or 6 MB, and is gathered for up to `MaximumBatchingWindowInSeconds` ("Using Lambda with Amazon
SQS", Lambda developer guide).

Not needed once `sqs._receive_messages_for_esm` knows the mapping's batch size and window.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ministack.services import lambda_svc, sqs

from local.engine.replacement import engine_attribute, replace

__all__ = ["apply"]

PAYLOAD_BYTES = 6 * 1024 * 1024
# What the event adds to a message's body and attributes, roughly.
RECORD_BYTES = 1024

Message = dict[str, Any]


def apply() -> None:
    """Receive as many messages as the mapping wants, and none before its window has passed."""
    mappings = engine_attribute(lambda_svc, "_iter_all_esms")
    lock = engine_attribute(sqs, "_queues_lock")
    find_queue = engine_attribute(sqs, "_get_q")
    expire = engine_attribute(sqs, "_expire_retained")
    sweep = engine_attribute(sqs, "_dlq_sweep")
    collect = engine_attribute(sqs, "_collect_msgs")
    gathering_since: dict[str, float] = {}

    def window(queue_arn: str) -> float:
        for _account, _region, mapping in mappings():
            if mapping["EventSourceArn"] == queue_arn and mapping.get("Enabled", True):
                return float(mapping.get("MaximumBatchingWindowInSeconds") or 0)
        return 0.0

    def receive(queue_url: str, batch_size: int) -> list[Message]:
        with lock:
            queue = find_queue(queue_url)
            expire(queue)
            sweep(queue)
            arn, now = queue["attributes"]["QueueArn"], time.time()
            visible = [message for message in queue["messages"] if message["visible_at"] <= now]
            count = _fitting(visible[: int(batch_size or 1)])
            if not count:
                gathering_since.pop(arn, None)
                return []
            full = count == int(batch_size or 1) or count < len(visible)
            if not full and now - gathering_since.setdefault(arn, now) < window(arn):
                return []
            gathering_since.pop(arn, None)
            received: list[Message] = collect(queue, count, int(queue["attributes"].get("VisibilityTimeout", "30")))
            return received

    def build(_original: Callable[..., list[Message]]) -> Callable[[str, int], list[Message]]:
        return receive

    replace(sqs, "_receive_messages_for_esm", build)


def _fitting(messages: list[Message]) -> int:
    """Return how many of the messages fit into one event, at least one of any."""
    used = 0
    for count, message in enumerate(messages):
        used += RECORD_BYTES + len(message["body"].encode()) + len(str(message.get("message_attributes") or ""))
        if used > PAYLOAD_BYTES:
            return max(count, 1)
    return len(messages)
