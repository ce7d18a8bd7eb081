"""`eventfork events put-back`: failed batches of the order stream get on the bus, and go when all of them did."""

import json
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from eventfork.settings import client

from tests.unit.aws import REGION, Aws
from tests.unit.cli.conftest import Operator
from tests.unit.functions.conftest import sample
from tests.unit.layer.test_put_back import spoilt

PREFIX = "aws/lambda/mapping/shard/2026/11/20/2026-11-20T08.15.0"


class Failures:
    """The bucket of failed batches, and the quarantine."""

    def __init__(self, aws: Aws) -> None:
        client("s3").create_bucket(Bucket="failures", CreateBucketConfiguration={"LocationConstraint": REGION})
        self._aws = aws
        self._queue = aws.queue("Quarantine")

    def store(self, *batches: list[dict[str, Any]]) -> None:
        """Store batches as Lambda does."""
        for number, records in enumerate(batches):
            self.put(f"{PREFIX}{number}-x", json.dumps({"payload": json.dumps({"Records": records})}).encode())

    def put(self, key: str, content: bytes) -> None:
        """Make an object."""
        client("s3").put_object(Bucket="failures", Key=key, Body=content)

    def keys(self) -> list[str]:
        """Give the keys of the objects that are there."""
        return [one["Key"] for one in client("s3").list_objects_v2(Bucket="failures").get("Contents", [])]

    def quarantined(self) -> int:
        """Take what is in the quarantine; give how much it was."""
        return len(self._aws.received(self._queue))


@pytest.fixture
def failures(aws: Aws) -> Failures:
    """Give an empty bucket and an empty quarantine."""
    return Failures(aws)


def records() -> list[dict[str, Any]]:
    """Give a change that is an order placed, and one that is an order changed."""
    found: list[dict[str, Any]] = sample("order-stream")["Records"]
    return found


def test_everything_is_put_back(operator: Operator, failures: Failures) -> None:
    """As the stream's function would have; the bucket is empty then."""
    failures.store(records(), [spoilt()])
    result = operator.run("events", "put-back")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "2 events put on the bus, 1 change quarantined.\n"
    assert [(source, detail_type) for source, detail_type, _ in operator.bus.put] == [
        ("eventfork.orders", "OrderPlaced"),
        ("eventfork.orders", "OrderChanged"),
    ]
    assert failures.quarantined() == 1
    assert failures.keys() == []


def test_an_empty_bucket_is_no_error(operator: Operator, failures: Failures) -> None:
    """What is no batch of Lambda's is none."""
    failures.put("notes.txt", b"not Lambda's")
    result = operator.run("events", "put-back")
    assert (result.exit_code, result.stdout) == (0, "There is nothing to put back in s3://failures.\n")
    assert failures.keys() == ["notes.txt"]


def test_a_dry_run_only_counts(operator: Operator, failures: Failures) -> None:
    """Nothing is put, set aside or deleted; it needs neither bus nor quarantine."""
    del operator.outputs["eventfork"]["OrderStreamQuarantineQueueUrl"]
    failures.store(records(), [spoilt()])
    result = operator.run("events", "put-back", "--dry-run")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "2 batches of s3://failures can be put back:",
        "2 events for the bus, 1 change for the quarantine.",
    ]
    assert len(failures.keys()) == 2
    assert (operator.bus.calls, failures.quarantined()) == (0, 0)


def test_a_batch_that_the_bus_does_not_take_stays(operator: Operator, failures: Failures) -> None:
    """The others go; the exit status says that something is left."""
    placed, changed = records()
    failures.store([placed], [changed])
    operator.bus.refusals = [0, None]
    result = operator.run("events", "put-back")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0] == "1 event put on the bus, 0 changes quarantined."
    assert lines[1].startswith("1 change not taken: check that the bus is there and that you may put events on it")
    assert lines[2] == "1 batch left in s3://failures."
    assert failures.keys() == [f"{PREFIX}1-x"]


@pytest.mark.parametrize(
    "content", [b"harm", b"{}", b"[]", b'{"payload": 3}', b'{"payload": {"Records": [{"dynamodb": {}}]}}', b"\xff"]
)
@pytest.mark.parametrize("dry_run", [True, False], ids=["dry run", "for good"])
def test_what_is_no_batch_is_named_and_stays(
    operator: Operator, failures: Failures, content: bytes, dry_run: bool
) -> None:
    """Those beside it are put back all the same."""
    failures.put(f"{PREFIX}0-a", content)
    failures.store([], records())
    result = operator.run("events", "put-back", *(["--dry-run"] if dry_run else []))
    assert result.exit_code == 1
    assert f"s3://failures/{PREFIX}0-a is no batch that can be read: look at it, and delete it." in result.stdout
    assert len(failures.keys()) == (3 if dry_run else 1)
    assert len(operator.bus.put) == (0 if dry_run else 2)


def test_scripts_get_one_document(operator: Operator, failures: Failures) -> None:
    """With the same keys whatever happened."""
    failures.put(f"{PREFIX}9-z", b"harm")
    failures.store(records(), [spoilt()])
    told = {
        "bucket": "failures",
        "dry_run": True,
        "batches": 3,
        "put": 2,
        "quarantined": 1,
        "failed": 0,
        "batches_removed": 0,
        "batches_left": 3,
        "damaged": [f"{PREFIX}9-z"],
    }
    assert json.loads(operator.run("events", "put-back", "--dry-run", "--json").stdout) == told
    assert json.loads(operator.run("events", "put-back", "--json").stdout) == {
        **told,
        "dry_run": False,
        "batches_removed": 2,
        "batches_left": 1,
    }


def failing(monkeypatch: pytest.MonkeyPatch, name: str, error: BaseException, key: str = "") -> None:
    """Make a call to AWS fail, or only the one about an object."""
    call = BaseClient._make_api_call

    def fail(self: Any, operation: str, parameters: dict[str, Any]) -> Any:
        if operation == name and parameters.get("Key", "").endswith(key):
            raise error
        return call(self, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", fail)


def denied(operation: str) -> ClientError:
    """Give S3's refusal."""
    return ClientError({"Error": {"Code": "AccessDenied"}, "ResponseMetadata": {"HTTPStatusCode": 403}}, operation)


def test_a_bucket_that_cannot_be_listed_is_told(
    operator: Operator, failures: Failures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With S3's reason and what to do about it, and nothing is said to have been done."""
    failures.store(records())
    failing(monkeypatch, "ListObjectsV2", denied("ListObjectsV2"))
    result = operator.run("events", "put-back")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "S3 did not list the batches (bucket failures: An error occurred (AccessDenied)" in result.stderr
    assert "s3:ListBucket on it" in result.stderr


def test_broken_off_it_tells_what_was_done(
    operator: Operator, failures: Failures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was put until then is on the bus."""
    placed, changed = records()
    failures.store([placed], [changed])
    failing(monkeypatch, "GetObject", denied("GetObject"), "1-x")
    result = operator.run("events", "put-back", "--json")
    assert result.exit_code == 3
    told = json.loads(result.stdout)
    assert (told["put"], told["batches_removed"], told["batches_left"]) == (1, 1, 1)
    failing(monkeypatch, "GetObject", KeyboardInterrupt())
    assert operator.run("events", "put-back").exit_code == 1
    assert failures.keys() == [f"{PREFIX}1-x"]
