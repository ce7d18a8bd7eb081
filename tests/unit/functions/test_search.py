"""SearchFunction: every message becomes a document of its own, is set aside, or is received again."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.stub import Stubber
from eventfork import batches
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
    return load("search", DELIVERY_STREAM_NAME=stream, QUARANTINE_QUEUE_URL=quarantine, **rules), bucket, quarantine


def records(aws: Aws, bucket: str) -> list[dict[str, Any]]:
    """Give what was put on the stream: its records, which end nowhere but in each other."""
    decoder, text, found = json.JSONDecoder(), "".join(aws.lines(bucket)), []
    while text:
        record, end = decoder.raw_decode(text)
        found.append(record)
        text = text[end:]
    return found


def test_the_sample_messages_become_documents(aws: Aws, load: Load) -> None:
    """An order with the seconds of its delivery; a text as text, its card number masked."""
    handler, bucket, quarantine = function(aws, load)
    event, text = sample("search-queue")["Records"]
    assert handler(sample("search-queue")) == {"batchItemFailures": []}
    order_document, text_document = records(aws, bucket)
    seconds = {"delivery_seconds": 3 * 86_400}
    assert order_document == {**json.loads(event["body"]), **seconds, "unplaced": {"document": True}}
    assert text_document["text"] == text["body"].replace("4111 1111 1111 1111", "[card ending 1111]")
    assert aws.received(quarantine) == []


def test_what_cannot_be_carried_is_set_aside(aws: Aws, load: Load, batch: Batch) -> None:
    """With the reason; its neighbours become documents."""
    handler, bucket, quarantine = function(aws, load)
    event = {"specversion": "1.0", "id": "e", "source": "s", "type": "t"}
    bad = [json.dumps({**event, "time": "soon"}), json.dumps({**event, "id": "x" * 513}), "cvv=737", "x" * 1_030_000]
    received = batch([message(body, str(position)) for position, body in enumerate(["fine", *bad])])
    assert handler(received) == {"batchItemFailures": []}
    assert [one["text"] for one in records(aws, bucket)] == ["fine"]
    parked = {
        one["Body"]: one["MessageAttributes"]["quarantine-reason"]["StringValue"] for one in aws.received(quarantine)
    }
    assert parked.keys() == {*bad, WITHHELD} - {"cvv=737"}
    assert "737" not in parked[WITHHELD]


def test_while_the_stream_is_away_messages_are_received_again(aws: Aws, load: Load, batch: Batch) -> None:
    """All that were to be sent."""
    handler, bucket, quarantine = function(aws, load)
    with unreachable(aws.client("firehose")):
        answer = handler(batch([message("a", "1"), message("b", "2"), message('{"a": 1, "a": 2}', "3")]))
    assert [failure["itemIdentifier"] for failure in answer["batchItemFailures"]] == ["1", "2"]
    assert records(aws, bucket) == []
    assert len(aws.received(quarantine)) == 1


def test_only_the_messages_of_refused_records_are_received_again(aws: Aws, load: Load, batch: Batch) -> None:
    """Once sending them again has not helped either."""
    handler, _, _ = function(aws, load)
    taken, refused = {"RecordId": "r"}, {"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "slow down"}
    with Stubber(aws.client("firehose")) as stub:
        stub.add_response("put_record_batch", {"FailedPutCount": 1, "RequestResponses": [taken, refused]})
        for _ in batches.PAUSES:
            stub.add_response("put_record_batch", {"FailedPutCount": 1, "RequestResponses": [refused]})
        answer = handler(batch([message("a", "1"), message("b", "2")]))
        stub.assert_no_pending_responses()
    assert answer == {"batchItemFailures": [{"itemIdentifier": "2"}]}


def test_no_card_data_is_sent_or_logged(aws: Aws, load: Load, batch: Batch, logs: Callable[[], str]) -> None:
    """At any level, at DEBUG too."""
    handler, bucket, _ = function(aws, load)
    handler(batch([message(order_with_canaries(), "1")]))
    assert not any(canary in json.dumps(records(aws, bucket)) for canary in CANARIES)
    printed = logs()
    assert "messages sent to the index" in printed
    assert not any(canary in printed for canary in CANARIES)


def test_which_fields_are_taken_out_is_a_parameter(aws: Aws, load: Load, batch: Batch) -> None:
    """More of them, or none at all."""
    event = {"specversion": "1.0", "id": "e", "source": "s", "type": "t", "data": {"iban": "DE1", "card-cvv": "737"}}
    handler, bucket, _ = function(aws, load, patterns="iban")
    handler(batch([message(event, "1")]))
    assert [one["data"] for one in records(aws, bucket)] == [{}]


def test_redaction_can_be_switched_off(aws: Aws, load: Load, batch: Batch) -> None:
    """For topics whose publishers send no card data."""
    handler, bucket, _ = function(aws, load, redact="false")
    handler(batch([message("4111 1111 1111 1111", "1")]))
    assert [one["text"] for one in records(aws, bucket)] == ["4111 1111 1111 1111"]
