"""Binary message attributes of a batch published to a topic.

The engine reads only the text of an attribute in `PublishBatch`, so that a binary one arrives empty. On AWS it arrives
as it was sent, as with `Publish` ("PublishBatch", SNS API reference).

Not needed once `sns._parse_batch_entries` reads `BinaryValue`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.services import sns

from local.engine.replacement import engine_attribute, replace

__all__ = ["apply"]


def apply() -> None:
    """Read the binary value where there is one."""
    parameter = engine_attribute(sns, "_p")

    def build(parse: Callable[..., list[dict[str, Any]]]) -> Callable[..., list[dict[str, Any]]]:
        def parse_entries(parameters: Any) -> list[dict[str, Any]]:
            entries = parse(parameters)
            for position, entry in enumerate(entries, start=1):
                prefix = f"PublishBatchRequestEntries.member.{position}.MessageAttributes.entry"
                for number, attribute in enumerate(entry["message_attributes"].values(), start=1):
                    if value := parameter(parameters, f"{prefix}.{number}.Value.BinaryValue"):
                        attribute.pop("StringValue", None)
                        attribute["BinaryValue"] = value
            return entries

        return parse_entries

    replace(sns, "_parse_batch_entries", build)
