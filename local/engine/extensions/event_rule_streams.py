"""Delivery streams as targets of rules.

The engine takes a Firehose stream as a target, and delivers nothing to it. On AWS each event becomes one record, its
JSON, or what the target's input transformer makes of it ("Amazon EventBridge targets", EventBridge user guide).

Not needed once `eventbridge._invoke_target` knows Firehose.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from ministack.core.arn import parse_arn
from ministack.services import eventbridge, firehose

from local.engine.replacement import engine_attribute, replace

__all__ = ["apply"]

Record = dict[str, Any]


def apply() -> None:
    """Put an event on the delivery stream that is its target."""
    put_record = engine_attribute(firehose, "_put_record")
    view_of = engine_attribute(eventbridge, "_pattern_event_view")
    transform = engine_attribute(eventbridge, "_apply_input_transformer")

    def build(invoke: Callable[..., None]) -> Callable[..., None]:
        def invoke_target(
            target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], view: Any = None
        ) -> None:
            arn = parse_arn(target["Arn"])
            if arn.service != "firehose":
                invoke(target, event, rule, view)
                return
            view = view or view_of(event)
            if target.get("InputTransformer"):
                text = transform(target["InputTransformer"], rule, view)
            else:
                text = target.get("Input") or json.dumps(view.event_with_detail())
            data = base64.b64encode(text.encode()).decode()
            put_record({"DeliveryStreamName": arn.resource.partition("/")[2], "Record": {"Data": data}})

        return invoke_target

    replace(eventbridge, "_invoke_target", build)
