"""The limits of the services, each with the page it comes from."""

from dataclasses import dataclass
from typing import Final

__all__ = [
    "DYNAMODB_DIGITS",
    "DYNAMODB_KEY_BYTES",
    "DYNAMODB_PARTITION_KEY_BYTES",
    "DYNAMODB_SMALLEST_EXPONENT",
    "EVENTBRIDGE_ACTIVE_REPLAYS",
    "FIREHOSE_CALL",
    "FIREHOSE_RECORD_BYTES",
    "OPENSEARCH_ID_BYTES",
    "PUT_EVENTS_CALL",
    "SNS_FILTER_DECIMALS",
    "SNS_MESSAGE_BYTES",
    "SQS_ATTRIBUTES",
    "SQS_CALL",
    "SQS_DELAY_SECONDS",
    "SQS_RETENTION_DAYS",
    "Limits",
]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one batch may hold: a number of entries, and their bytes together."""

    entries: int
    size: int


SNS_MESSAGE_BYTES: Final = 256 * 1024
"""A message's body and attributes together. SNS API reference, "Publish"."""

SNS_FILTER_DECIMALS: Final = 5
"""Decimals that a filter policy compares. SNS developer guide, "Numeric value matching"."""

SQS_CALL: Final = Limits(entries=10, size=256 * 1024)
"""One SendMessageBatch. SQS API reference; since August 2025 the bytes may be 1 MiB, but what SNS delivers weighs at
most 256 KiB, so there is little to gain from it."""

SQS_ATTRIBUTES: Final = 10
"""Attributes of one message. SQS developer guide, "Message quotas"."""

SQS_DELAY_SECONDS: Final = 900
"""The longest that a message can be delayed; same page."""

SQS_RETENTION_DAYS: Final = 14
"""The longest that a queue keeps a message; same page."""

FIREHOSE_CALL: Final = Limits(entries=500, size=4 * 1024 * 1024)
"""One PutRecordBatch. Firehose API reference, "PutRecordBatch"."""

FIREHOSE_RECORD_BYTES: Final = 1000 * 1024
"""One record, before base64; same page."""

PUT_EVENTS_CALL: Final = Limits(entries=10, size=256 * 1024)
"""One PutEvents. EventBridge API reference, "PutEvents"; user guide, "Calculating PutEvents event entry size"."""

DYNAMODB_DIGITS: Final = 38
"""Significant digits of a number. DynamoDB developer guide, "Constraints", data types."""

DYNAMODB_KEY_BYTES: Final = 1024
"""A sort key, the shorter of the two kinds; same page, "Partition key and sort key"."""

DYNAMODB_PARTITION_KEY_BYTES: Final = 2048
"""A partition key; same page."""

DYNAMODB_SMALLEST_EXPONENT: Final = -130
"""A number is 0, or at least 1E-130 away from it; same page."""

EVENTBRIDGE_ACTIVE_REPLAYS: Final = 10
"""Replays at a time, of one account in one Region. EventBridge user guide, "Quotas"."""

OPENSEARCH_ID_BYTES: Final = 512
"""A document's `_id`. OpenSearch refuses a longer one: IndexRequest, "id is too long, must be no longer than"."""
