"""What the engine's tests make on it: functions, queues and stacks."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from local.engine.process import Engine

__all__ = ["Workbench"]

HERE = Path(__file__).parent
ROLE = "arn:aws:iam::000000000000:role/any"
DEADLINE_SECONDS = 90.0

Found = TypeVar("Found")


class Workbench:
    """Makes things on a running engine and waits for what they do."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._clients: dict[str, Any] = {}
        self._made = 0

    def client(self, service: str) -> Any:
        """Return the one client of a service."""
        if service not in self._clients:
            self._clients[service] = self.engine.client(service)
        return self._clients[service]

    def name(self, kind: str) -> str:
        """Return a name nothing else has."""
        self._made += 1
        return f"{kind}-{self._made}"

    def wait_for(self, condition: Callable[[], Found | None]) -> Found:
        """Return what the condition finds, once it finds something."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            if found := condition():
                return found
            time.sleep(0.05)
        raise AssertionError(f"Not within {DEADLINE_SECONDS:.0f} seconds: {condition}")

    def function(self, source: str, **settings: Any) -> str:
        """Create a function whose handler is `handler` of the source, and return its name."""
        name = self.name("function")
        settings = {"Timeout": 60, "Environment": {"Variables": {}}, "Role": ROLE, **settings}
        self.client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.13",
            Handler="app.handler",
            Code={"ZipFile": packed([("app.py", source)])},
            **settings,
        )
        return name

    def queue(self, **attributes: str) -> tuple[str, str]:
        """Create a queue and return its URL and ARN."""
        sqs = self.client("sqs")
        url = sqs.create_queue(QueueName=self.name("queue"), Attributes=attributes)["QueueUrl"]
        return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    def messages(self, url: str, count: int) -> list[Any]:
        """Wait for messages in a queue, take them out and return them."""
        sqs = self.client("sqs")
        taken: list[Any] = []

        def enough() -> bool:
            answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
            for message in answer.get("Messages", []):
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                taken.append(message)
            return len(taken) >= count

        self.wait_for(enough)
        return taken

    def upload_code(self) -> str:
        """Put the sample application's code and nested template into a bucket and return the bucket's name."""
        s3 = self.client("s3")
        bucket = self.name("code")
        s3.create_bucket(Bucket=bucket)
        for name in ("api", "pipeline"):
            source = (HERE / "functions" / f"{name}.py").read_text()
            s3.put_object(Bucket=bucket, Key=f"{name}.zip", Body=packed([(f"{name}.py", source)]))
        module = HERE / "layer" / "python" / "parcel_labels.py"
        layer = packed([("python/parcel_labels.py", module.read_text())])
        s3.put_object(Bucket=bucket, Key="layer.zip", Body=layer)
        s3.put_object(Bucket=bucket, Key="pipeline.yaml", Body=(HERE / "templates" / "pipeline.yaml").read_bytes())
        return bucket

    def deploy(self, stack: str, template: str, *, update: bool = False, **parameters: str) -> dict[str, str]:
        """Create or update a stack from a template's text and return its outputs."""
        cloudformation = self.client("cloudformation")
        operation = cloudformation.update_stack if update else cloudformation.create_stack
        operation(
            StackName=stack,
            TemplateBody=template,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        return self.settled(stack, "UPDATE_COMPLETE" if update else "CREATE_COMPLETE")

    def deploy_application(self, stack: str, *, update: bool = False, **parameters: str) -> dict[str, str]:
        """Create or update the sample application and return its outputs."""
        bucket = parameters.pop("CodeBucket", None) or self.upload_code()
        template = (HERE / "templates" / "application.yaml").read_text()
        # What packaging does with a local nested template.
        packaged = template.replace(
            "Location: pipeline.yaml", f"Location: https://s3.amazonaws.com/{bucket}/pipeline.yaml"
        )
        return self.deploy(stack, packaged, update=update, CodeBucket=bucket, **parameters)

    def empty(self, bucket: str) -> None:
        """Delete all objects of a bucket, all versions."""
        s3 = self.client("s3")
        answer = s3.list_object_versions(Bucket=bucket)
        for version in [*answer.get("Versions", []), *answer.get("DeleteMarkers", [])]:
            s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])

    def delete(self, stack: str, wanted: str = "DELETE_COMPLETE") -> None:
        """Delete a stack and wait until its deletion has ended as wanted."""
        cloudformation = self.client("cloudformation")
        stack_id = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackId"]
        cloudformation.delete_stack(StackName=stack)
        self.settled(stack_id, wanted)

    def settled(self, stack: str, wanted: str) -> dict[str, str]:
        """Wait until a stack's operation is over, and return its outputs; it must have ended as wanted."""

        def done() -> Any:
            found = self.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
            return None if found["StackStatus"].endswith("IN_PROGRESS") else found

        found = self.wait_for(done)
        assert found["StackStatus"] == wanted, self.failures(stack)
        return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}

    def failures(self, stack: str) -> list[str]:
        """Return why resources of a stack failed."""
        events = self.client("cloudformation").describe_stack_events(StackName=stack)["StackEvents"]
        return [f"{each['LogicalResourceId']}: {each.get('ResourceStatusReason')}" for each in events]


def packed(files: Iterable[tuple[str, str]]) -> bytes:
    """Return a zip archive of files."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        for name, text in files:
            writer.writestr(name, text)
    return archive.getvalue()
