"""A delivery stream takes records, and the positions of those that it did not take are given."""

from typing import Any

import pytest
from botocore.stub import Stubber
from eventfork.adapters.firehose import DeliveryStream
from eventfork.errors import UnavailableError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.aws import Aws, unreachable


def test_records_are_put_as_they_are(aws: Aws) -> None:
    """Bytes in, bytes in the bucket."""
    name, bucket = aws.delivery_stream()
    assert DeliveryStream(aws.client("firehose"), name).put([b"a\nb\n", "ü\n".encode()]) == []
    assert aws.lines(bucket) == ["a", "b", "ü"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.lists(st.booleans(), min_size=1, max_size=500))
def test_refused_records_are_named_by_position(aws: Aws, taken: list[bool]) -> None:
    """A call that succeeded says for each record whether it was taken."""
    client = aws.client("firehose")
    answers: list[dict[str, Any]] = [
        {"RecordId": "r"} if one else {"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "slow down"}
        for one in taken
    ]
    with Stubber(client) as stub:
        stub.add_response(
            "put_record_batch",
            {"FailedPutCount": taken.count(False), "RequestResponses": answers},
            {"DeliveryStreamName": "stream", "Records": [{"Data": b"x\n"}] * len(taken)},
        )
        refused = DeliveryStream(client, "stream").put([b"x\n"] * len(taken))
    assert refused == [position for position, one in enumerate(taken) if not one]


def test_a_stream_that_throttles_or_cannot_be_reached_is_unavailable(aws: Aws) -> None:
    """So is one that is not there."""
    client = aws.client("firehose")
    with pytest.raises(UnavailableError):
        DeliveryStream(client, "not-there").put([b"x"])
    with Stubber(client) as stub:
        stub.add_client_error("put_record_batch", "ServiceUnavailableException", http_status_code=503)
        with pytest.raises(UnavailableError):
            DeliveryStream(client, "stream").put([b"x"])
    with unreachable(client), pytest.raises(UnavailableError):
        DeliveryStream(client, "stream").put([b"x"])
