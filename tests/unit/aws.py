"""What the simulated account of a test holds, made as the templates make it."""

import gzip
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import EndpointConnectionError
from eventfork.settings import client

from tests.templates import read

ACCOUNT = "123456789012"
REGION = "eu-central-1"


class Aws:
    """An account to make resources in, and to look into them."""

    def client(self, service: str) -> Any:
        """Give the client that a function would have."""
        return client(service)

    def queue(self, name: str) -> str:
        """Make a queue, and give its URL."""
        url: str = client("sqs").create_queue(QueueName=name)["QueueUrl"]
        return url

    def received(self, queue_url: str) -> list[dict[str, Any]]:
        """Take everything that is on a queue."""
        received: list[dict[str, Any]] = []
        while (
            messages := client("sqs")
            .receive_message(
                QueueUrl=queue_url,
                MaxNumberOfMessages=10,
                MessageAttributeNames=["All"],
                # Longer than any test takes, on any machine: what is taken does not come back.
                VisibilityTimeout=43_200,
            )
            .get("Messages")
        ):
            received += messages
        return received

    def topic_with_queue(self) -> tuple[str, str]:
        """Make a topic that delivers raw to a queue; give its ARN and the queue's URL."""
        arn: str = client("sns").create_topic(Name="CheckoutEventsTopic")["TopicArn"]
        client("sns").subscribe(
            TopicArn=arn,
            Protocol="sqs",
            Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:TopicReader",
            Attributes={"RawMessageDelivery": "true"},
        )
        return arn, self.queue("TopicReader")

    def orders_table(self) -> str:
        """Make the orders table with the keys and the index that its template gives it; give its name."""
        properties = read("pipelines/checkout/template.yaml").resources()["CheckoutTable"]
        keys = ("AttributeDefinitions", "KeySchema", "LocalSecondaryIndexes", "BillingMode")
        client("dynamodb").create_table(TableName="CheckoutTable", **{key: properties[key] for key in keys})
        return "CheckoutTable"

    def replay_table(self) -> str:
        """Make the ledger of replays with the keys and the index that its template gives it; give its name."""
        properties = read("applications/replay-control/template.yaml").resources()["ReplayTable"]
        keys = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
        client("dynamodb").create_table(TableName="ReplayTable", **{key: properties[key] for key in keys})
        return "ReplayTable"

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Give every row of a table."""
        items: list[dict[str, Any]] = client("dynamodb").scan(TableName=table, ConsistentRead=True)["Items"]
        return items

    def delivery_stream(self) -> tuple[str, str]:
        """Make a delivery stream to a bucket; give their names."""
        client("s3").create_bucket(Bucket="backup", CreateBucketConfiguration={"LocationConstraint": REGION})
        client("firehose").create_delivery_stream(
            DeliveryStreamName="BackupStream",
            ExtendedS3DestinationConfiguration={
                "BucketARN": "arn:aws:s3:::backup",
                "RoleARN": f"arn:aws:iam::{ACCOUNT}:role/BackupStream",
                "CompressionFormat": "GZIP",
            },
        )
        return "BackupStream", "backup"

    def lines(self, bucket: str) -> list[str]:
        """Give the lines of all objects in a bucket."""
        objects = client("s3").list_objects_v2(Bucket=bucket).get("Contents", [])
        contents = [client("s3").get_object(Bucket=bucket, Key=one["Key"])["Body"].read() for one in objects]
        plain = [gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content for content in contents]
        return b"".join(plain).decode().splitlines()


@contextmanager
def unreachable(aws_client: Any) -> Iterator[None]:
    """Make every call of a client fail as it does when its service cannot be reached."""

    def fail(**_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://example.invalid")

    with _before_each_call(aws_client, fail):
        yield


@contextmanager
def _before_each_call(aws_client: Any, handler: Callable[..., Any]) -> Iterator[None]:
    event = f"before-call.{aws_client.meta.service_model.service_id.hyphenize()}"
    aws_client.meta.events.register_first(event, handler)
    try:
        yield
    finally:
        aws_client.meta.events.unregister(event, handler)
