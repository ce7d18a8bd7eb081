"""Forward what the queue brings to Firehose and the table."""

import json
import os
from typing import Any

import boto3
from parcel_labels import label  # type: ignore[import-not-found]

firehose = boto3.client("firehose")
table = boto3.resource("dynamodb").Table(os.environ["TABLE_NAME"])


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Write every message to the stream and the table."""
    records = [{"Data": (record["body"] + "\n").encode()} for record in event["Records"]]
    firehose.put_record_batch(DeliveryStreamName=os.environ["STREAM_NAME"], Records=records)
    for record in event["Records"]:
        order = json.loads(record["body"])
        item = {"CustomerId": order["customer"], "OrderId": order["order"], "Label": label(order["order"])}
        table.put_item(Item=item)
    return {"batchItemFailures": []}
