"""BackupFunction: every message becomes a line in the bucket, is set aside, or is received again."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.stub import Stubber
from eventfork import batches
from eventfork.card_data import FieldPatternError
from eventfork.quarantine import WITHHELD

from tests.unit.aws import Aws, unreachable
from tests.unit.functions.conftest import Handler, Load, sample
from tests.unit.samples import CANARIES, message, order_with_canaries

Batch = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send refused records again at once."""
    monkeypatch.setattr("time.sleep", lambda _: None)


def function(aws: Aws, load: Load, redact: str = "true", patterns: str = "") -> tuple[Handler, str, str]:
    stream, bucket = aws.delivery_stream()
    quarantine = aws.queue("Quarantine")
    rules = {"REDACT_CARD_DATA": redact, "CARD_FIELD_PATTERNS": patterns}
    return load("backup", DELIVERY_STREAM_NAME=stream, QUARANTINE_QUEUE_URL=quarantine, **rules), bucket, quarantine


def test_the_sample_messages_are_backed_up(aws: Aws, load: Load) -> None:
    """The text of an event is its line; a text that is none is wrapped, its card number masked."""
    handler, bucket, quarantine = function(aws, load)
    event, text = sample("backup-queue")["Records"]
    assert handler(sample("backup-queue")) == {"batchItemFailures": []}
    event_line, text_line = aws.lines(bucket)
    assert event_line == event["body"]
    assert json.loads(text_line)["data"] == text["body"].replace("4111 1111 1111 1111", "[card ending 1111]")
    assert aws.received(quarantine) == []


def test_every_message_of_a_batch_is_a_line(aws: Aws, load: Load, batch: Batch) -> None:
    """In the order in which they came, whatever they are."""
    handler, bucket, _ = function(aws, load)
    bodies = ["hello", '{"a": 1.50}', "two\nlines"]
    assert handler(batch([message(body, body) for body in bodies])) == {"batchItemFailures": []}
    assert [json.loads(line)["data"] for line in aws.lines(bucket)] == bodies


def test_what_cannot_be_carried_is_set_aside(aws: Aws, load: Load, batch: Batch) -> None:
    """With the reason, and without what may be card data; its neighbours are backed up."""
    handler, bucket, quarantine = function(aws, load)
    bad = ['{"a": 1, "a": 2}', "cvv=737", "x" * 1_030_000]
    received = batch([message(body, str(position)) for position, body in enumerate(["fine", *bad])])
    assert handler(received) == {"batchItemFailures": []}
    assert len(aws.lines(bucket)) == 1
    parked = {
        one["Body"]: one["MessageAttributes"]["quarantine-reason"]["StringValue"] for one in aws.received(quarantine)
    }
    assert parked.keys() == {bad[0], WITHHELD, bad[2]}
    assert "737" not in str(parked)


@pytest.mark.parametrize(("redact", "patterns"), [("false", ""), ("true", ".*iban")])
def test_what_is_set_aside_is_redacted_as_what_is_backed_up(
    aws: Aws, load: Load, batch: Batch, redact: str, patterns: str
) -> None:
    """By the same names of fields, or not at all."""
    handler, _, quarantine = function(aws, load, redact, patterns)
    handler(batch([message("\x00" * 200_000 + " IBAN: DE02", "1")]))
    [parked] = aws.received(quarantine)
    assert (parked["Body"] == WITHHELD) == (redact == "true")


def test_while_the_stream_is_away_messages_are_received_again(aws: Aws, load: Load, batch: Batch) -> None:
    """All that were to be sent."""
    handler, bucket, quarantine = function(aws, load)
    with unreachable(aws.client("firehose")):
        answer = handler(
            batch([message("a", "1"), message("b", "2"), message("[NaN", "3"), message("[" * 99 + "]" * 99, "4")])
        )
    assert [failure["itemIdentifier"] for failure in answer["batchItemFailures"]] == ["1", "2", "3"]
    assert aws.lines(bucket) == []
    assert len(aws.received(quarantine)) == 1


def test_only_the_messages_of_refused_records_are_received_again(aws: Aws, load: Load, batch: Batch) -> None:
    """After as many attempts as one invocation makes."""
    handler, _, _ = function(aws, load)
    large = "x" * 700_000
    refused = {"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "slow down"}
    with Stubber(aws.client("firehose")) as stub:
        answer = {"FailedPutCount": 1, "RequestResponses": [{"RecordId": "r"}, refused]}
        stub.add_response("put_record_batch", answer)
        for _ in batches.PAUSES:
            stub.add_response("put_record_batch", {"FailedPutCount": 1, "RequestResponses": [refused]})
        result = handler(batch([message(large, "1"), message(large, "2"), message("small", "3")]))
        stub.assert_no_pending_responses()
    assert [failure["itemIdentifier"] for failure in result["batchItemFailures"]] == ["2", "3"]


def test_further_fields_are_taken_out_as_the_template_says(aws: Aws, load: Load, batch: Batch) -> None:
    """Besides those that always are."""
    handler, bucket, _ = function(aws, load, patterns=".*iban,taxid")
    handler(batch([message('{"IBAN": "DE02", "tax-id": 7, "cvv": 737, "id": 1}', "1")]))
    assert [json.loads(json.loads(line)["data"]) for line in aws.lines(bucket)] == [{"id": 1}]


def test_a_field_pattern_that_cannot_be_read_stops_the_function(aws: Aws, load: Load, batch: Batch) -> None:
    """Nothing is stored that should have been redacted, and the error names the pattern."""
    handler, bucket, _ = function(aws, load, patterns="tax(")
    with pytest.raises(FieldPatternError, match=r"tax\("):
        handler(batch([message("hello", "1")]))
    assert aws.lines(bucket) == []


def test_redaction_can_be_turned_off(aws: Aws, load: Load, batch: Batch) -> None:
    """Then a line is the message, whatever it holds."""
    handler, bucket, _ = function(aws, load, redact="false")
    handler(batch([message("card 4111 1111 1111 1111", "1")]))
    assert [json.loads(line)["data"] for line in aws.lines(bucket)] == ["card 4111 1111 1111 1111"]


def test_card_data_reaches_neither_bucket_nor_log(aws: Aws, load: Load, batch: Batch, logs: Callable[[], str]) -> None:
    """Whether a message is backed up, set aside or received again."""
    handler, bucket, _ = function(aws, load)
    leaking: list[Any] = [
        order_with_canaries(),
        json.dumps(order_with_canaries_as_text()) + " {}",
        f"card {CANARIES[0]}",
    ]
    received = batch([message(body, str(position)) for position, body in enumerate(leaking)])
    logs()
    handler(received)
    with unreachable(aws.client("firehose")), unreachable(aws.client("sqs")):
        handler(received)
    written = logs() + str(aws.lines(bucket))
    assert '"received":3,"sent":2,"parked":1,"failed":0' in written
    assert '"received":3,"sent":0,"parked":0,"failed":3' in written
    assert not [canary for canary in CANARIES if canary in written]


def order_with_canaries_as_text() -> dict[str, Any]:
    return {"payment": order_with_canaries()["payment"] | {"amount": "128.40"}}
