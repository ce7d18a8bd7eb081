"""Amazon DynamoDB Streams: the changes of a table, as Lambda passes them on and as it stores those that failed."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from eventfork.attribute_values import decoded
from eventfork.order_stream import Change

__all__ = ["changes", "failed_changes"]


def changes(event: Mapping[str, Any]) -> list[Change]:
    """Read the changes from the event that Lambda passes for a batch off a table's stream (old and new images)."""
    return [_change(record) for record in event["Records"]]


def failed_changes(stored: str | bytes) -> list[Change]:
    """Read the changes from what Lambda stores in S3 once a batch has failed too often.

    Source: Lambda developer guide, "Retain discarded records for a DynamoDB event source".
    """
    payload = json.loads(stored)["payload"]
    return changes(json.loads(payload) if isinstance(payload, str) else payload)


def _change(record: Mapping[str, Any]) -> Change:
    written = record["dynamodb"]
    return Change(
        id=record["eventID"],
        position=written["SequenceNumber"],
        changed_at=datetime.fromtimestamp(written["ApproximateCreationDateTime"], UTC),
        old=_row(written.get("OldImage", {})),
        new=_row(written.get("NewImage", {})),
    )


def _row(image: Mapping[str, Any]) -> dict[str, Any]:
    return {name: decoded(attribute) for name, attribute in image.items()}
