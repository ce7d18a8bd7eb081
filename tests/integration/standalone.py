"""Pipelines and applications deployed alone, onto what was made by hand."""

import gzip
import json
from typing import Any

from local import deployment
from local.engine.process import Engine
from tests.templates import PROJECT_ROOT

__all__ = ["Pipeline", "Standalone", "backed_up", "event", "looked_at", "make_topic"]


def make_topic(engine: Engine, name: str) -> str:
    """Make a topic as anybody would, and give its ARN."""
    return str(engine.client("sns").create_topic(Name=name)["TopicArn"])


class Standalone:
    """One pipeline or application, deployed alone.

    Parameters
    ----------
    engine : Engine
    folder : str
        Where its template is, relative to the project's root.
    stack : str
        Name of its stack.
    parameters : str
        Its parameters.
    """

    def __init__(self, engine: Engine, folder: str, stack: str, **parameters: str) -> None:
        self._engine = engine
        self._stack = stack
        built = deployment.build(PROJECT_ROOT / folder / "template.yaml")
        self.outputs = deployment.deploy(engine, stack, parameters, built.template)

    def remove(self) -> None:
        """Delete the stack; a bucket that holds anything has to be emptied first, as on AWS."""
        for name, value in self.outputs.items():
            if name.endswith("BucketName"):
                _empty(self._engine, value)
        deployment.delete(self._engine, self._stack)


class Pipeline(Standalone):
    """One pipeline, deployed alone.

    Parameters
    ----------
    engine : Engine
    name : str
        Which pipeline: its folder's name.
    topic_arn : str
        What it subscribes to.
    stack : str
        Name of its stack.
    parameters : str
        Further parameters.
    """

    def __init__(self, engine: Engine, name: str, topic_arn: str, stack: str, **parameters: str) -> None:
        super().__init__(engine, f"pipelines/{name}", stack, TopicArn=topic_arn, **parameters)


def _empty(engine: Engine, bucket: str) -> None:
    s3 = engine.client("s3")
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for version in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])


def backed_up(engine: Engine, bucket: str, prefix: str = "events/") -> list[str]:
    """Read every line that is in a backup bucket, or under another prefix in another."""
    s3 = engine.client("s3")
    lines: list[str] = []
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", []):
            content = gzip.decompress(s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read())
            lines += content.decode().splitlines()
    return lines


def looked_at(engine: Engine, url: str) -> list[dict[str, Any]]:
    """Receive everything that is on a queue, and leave it invisible."""
    sqs = engine.client("sqs")
    messages: list[dict[str, Any]] = []
    while batch := sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], VisibilityTimeout=3600
    ).get("Messages", []):
        messages += batch
    return messages


def event(number: int, kind: str) -> str:
    """Give a small CloudEvent of a foreign publisher."""
    document = {"specversion": "1.0", "id": f"event-{number}", "source": "shop", "type": kind, "data": {"n": number}}
    return json.dumps(document)
