"""`eventfork search put-back`: documents get on the stream again, objects go, and what is left is told."""

import json
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from eventfork.settings import client

from tests.unit.cli.conftest import DeadLetters, Operator
from tests.unit.layer.test_failed_documents import failed_line


def test_everything_is_put_back(operator: Operator, dead_letters: DeadLetters) -> None:
    """The bucket is empty then, and the counts are told by the code of the error."""
    dead_letters.put("failed/1", failed_line(b"one\n"), failed_line(b"two\n"))
    dead_letters.put("failed/2", failed_line(b"three\n", "503"))
    result = operator.run("search", "put-back")
    assert (result.exit_code, result.stderr) == (0, "")
    assert sorted(dead_letters.put_back()) == ["one", "three", "two"]
    assert dead_letters.keys() == []
    assert [line.split() for line in result.stdout.splitlines()[:3]] == [
        ["error", "documents"],
        ["400", "2"],
        ["503", "1"],
    ]
    assert result.stdout.splitlines()[3:] == ["3 documents are on the stream SearchStream again; 2 objects are gone."]


def test_an_empty_bucket_is_no_error(operator: Operator, dead_letters: DeadLetters) -> None:
    """There is nothing to put back, also the second time."""
    for _ in range(2):
        result = operator.run("search", "put-back")
        assert (result.exit_code, result.stdout) == (0, "There is nothing to put back in s3://dead-letters.\n")
    assert dead_letters.keys() == []


def test_a_dry_run_only_counts(operator: Operator, dead_letters: DeadLetters) -> None:
    """By the code of the error; nothing moves."""
    dead_letters.put("failed/1", failed_line(b"one\n"), failed_line(b"two\n", "503"), failed_line(b"three\n", "503"))
    result = operator.run("search", "put-back", "--dry-run")
    assert result.exit_code == 0
    assert [line.split() for line in result.stdout.splitlines()[1:3]] == [["503", "2"], ["400", "1"]]
    assert "3 documents in 1 object of s3://dead-letters can be put back." in result.stdout
    assert dead_letters.keys() == ["failed/1"]
    assert dead_letters.put_back() == []


def test_damaged_lines_are_named_and_keep_their_object(operator: Operator, dead_letters: DeadLetters) -> None:
    """With object and line; the exit status says that something is left."""
    dead_letters.put("failed/1", failed_line(b"one\n"), b"harm\n" * 12)
    dead_letters.put("failed/2", failed_line(b"two\n"))
    result = operator.run("search", "put-back")
    assert result.exit_code == 1
    told = result.stderr.splitlines()
    assert told[0] == "failed/1, line 2: is no JSON"
    assert told[-1] == "failed/1: 2 more damaged lines"
    assert result.stdout.splitlines()[2:] == [
        "2 documents are on the stream SearchStream again; 1 object is gone.",
        "12 lines are damaged: mend what is damaged, or delete the objects that hold it.",
        "1 object is left in s3://dead-letters.",
    ]
    assert dead_letters.keys() == ["failed/1"]


@pytest.mark.parametrize("dry_run", [True, False], ids=["dry run", "for good"])
def test_scripts_get_one_document(operator: Operator, dead_letters: DeadLetters, dry_run: bool) -> None:
    """With the same keys whatever happened."""
    dead_letters.put("failed/1", failed_line(b"one\n"), b"harm\n")
    result = operator.run("search", "put-back", "--json", *(["--dry-run"] if dry_run else []))
    assert result.exit_code == (0 if dry_run else 1)
    assert json.loads(result.stdout) == {
        "bucket": "dead-letters",
        "stream": "SearchStream",
        "dry_run": dry_run,
        "objects": 1,
        "documents": 1,
        "errors": {"400": 1},
        "put_back": 0 if dry_run else 1,
        "objects_removed": 0,
        "objects_left": 1,
        "damaged_lines": 1,
        "damaged": [{"object": "failed/1", "line": 2, "reason": "is no JSON"}],
        "stream_away": False,
    }


def test_a_stream_that_takes_nothing_leaves_all(operator: Operator, dead_letters: DeadLetters) -> None:
    """And it is said what to check."""
    client("firehose").delete_delivery_stream(DeliveryStreamName="SearchStream")
    dead_letters.put("failed/1", failed_line(b"one\n"))
    dead_letters.put("failed/2", failed_line(b"two\n"))
    result = operator.run("search", "put-back")
    assert result.exit_code == 1
    assert "The stream SearchStream takes nothing: check that it is there" in result.stdout
    assert "2 objects are left in s3://dead-letters." in result.stdout
    assert dead_letters.keys() == ["failed/1", "failed/2"]


def test_what_fails_once_more_during_the_run_waits_for_the_next(
    operator: Operator, dead_letters: DeadLetters, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a cause that is not mended would keep the command busy for ever."""
    dead_letters.put("failed/1", failed_line(b"one\n"))
    call = BaseClient._make_api_call
    calls = []

    def fail_again(self: Any, name: str, parameters: dict[str, Any]) -> Any:
        if name == "ListObjectsV2":
            answer = call(self, name, parameters)
            for one in answer.get("Contents", []):
                # S3 tells seconds: what is written within one second must not look as old as what was there before.
                one["LastModified"] = one["LastModified"].replace(microsecond=0, second=int(one["Key"][-1]))
            return answer
        if name == "PutRecordBatch":
            calls.append(name)
            dead_letters.put(f"failed/{1 + len(calls)}", failed_line(b"one\n"))
        return call(self, name, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", fail_again)
    result = operator.run("search", "put-back")
    assert result.exit_code == 0
    assert len(calls) == 1
    assert dead_letters.keys() == ["failed/2"]


def test_broken_off_it_tells_what_was_done(
    operator: Operator, dead_letters: DeadLetters, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was taken until then is on the stream, and how much is left is not known."""
    dead_letters.put("failed/1", failed_line(b"one\n"))
    dead_letters.put("failed/2", failed_line(b"two\n"))
    call = BaseClient._make_api_call

    def interrupted(self: Any, name: str, parameters: dict[str, Any]) -> Any:
        if name == "GetObject" and parameters["Key"] == "failed/2":
            raise KeyboardInterrupt
        return call(self, name, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", interrupted)
    result = operator.run("search", "put-back", "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert (told["put_back"], told["objects_removed"], told["objects_left"]) == (1, 1, None)
    assert dead_letters.keys() == ["failed/2"]


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [
        (403, "AccessDenied", "s3:GetObject and s3:DeleteObject"),
        (503, "SlowDown", "check the network and that the bucket is there"),
    ],
)
def test_a_bucket_that_cannot_be_read_is_told(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, status: int, code: str, told: str
) -> None:
    """With what to do about it."""
    call = BaseClient._make_api_call

    def refuse(self: Any, name: str, parameters: dict[str, Any]) -> Any:
        if name == "ListObjectsV2":
            answer: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
            raise ClientError(answer, name)
        return call(self, name, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", refuse)
    result = operator.run("search", "put-back")
    assert result.exit_code == 3
    assert told in result.stderr
    assert result.stdout == ""


def test_in_a_terminal_there_is_a_bar_while_it_runs(operator: Operator, dead_letters: DeadLetters) -> None:
    """It goes away, and what came of it stays."""
    dead_letters.put("failed/1", failed_line(b"one\n"))
    shown = operator.run_in_terminal(60, "search", "put-back")
    assert "Reading" not in shown
    assert "1 document is on the stream SearchStream again; 1 object is gone." in shown
