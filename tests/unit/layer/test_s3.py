"""A bucket's objects are listed, read as they come, and deleted; errors say whether it may help to try again."""

import gzip
import io
import tracemalloc
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber
from eventfork.adapters.s3 import Bucket, EventStore
from eventfork.errors import DeniedError, NotFoundError, UnavailableError
from eventfork.failed_documents import FailedDocument, read
from urllib3 import HTTPConnectionPool
from urllib3.exceptions import ProtocolError, ReadTimeoutError

from tests.unit.aws import REGION, Aws, unreachable
from tests.unit.layer.test_failed_documents import failed_line

HOUR = datetime(2026, 11, 26, 9, tzinfo=UTC)


class Cut(io.RawIOBase):
    """What comes over a connection that fails after so many bytes."""

    def __init__(self, content: bytes, error: Exception) -> None:
        self._content = io.BytesIO(content)
        self._error = error

    def readable(self) -> bool:
        """It is there to be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Give what is left, or fail."""
        size = self._content.readinto(buffer)
        if not size:
            raise self._error
        return size


@pytest.fixture(autouse=True)
def _short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a listing tell ten objects a page: thousands would take their time."""
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "10")


@pytest.fixture
def bucket(aws: Aws) -> Bucket:
    """Give an empty bucket."""
    aws.client("s3").create_bucket(Bucket="dead-letters", CreateBucketConfiguration={"LocationConstraint": REGION})
    return Bucket(aws.client("s3"), "dead-letters")


def test_objects_are_listed_read_and_deleted(aws: Aws, bucket: Bucket) -> None:
    """In the order of their keys, more than one page of them."""
    assert list(bucket.objects()) == []
    for number in range(13):
        aws.client("s3").put_object(Bucket="dead-letters", Key=f"{number:04}", Body=b"x" * (number % 3))
    listed = list(bucket.objects())
    assert [one.key for one in listed] == [f"{number:04}" for number in range(13)]
    assert [one.size for one in listed[:4]] == [0, 1, 2, 0]
    assert listed[0].modified <= listed[-1].modified
    with bucket.opened("0002") as stream:
        assert stream.read() == b"xx"
    bucket.delete("0002")
    with pytest.raises(NotFoundError), bucket.opened("0002"):
        pass
    bucket.delete("0002")


@pytest.mark.parametrize("compressed", [True, False])
def test_failed_documents_are_read_off_an_object(aws: Aws, bucket: Bucket, compressed: bool) -> None:
    """As Firehose left them."""
    content = failed_line(b"1") * 2_000
    body = gzip.compress(content) if compressed else content
    aws.client("s3").put_object(Bucket="dead-letters", Key="failed", Body=body)
    with bucket.opened("failed") as stream:
        assert list(read(stream)) == [FailedDocument("400", b"1")] * 2_000


def test_an_object_that_ends_too_early_is_unavailable(aws: Aws) -> None:
    """What was read so far must not be taken for all of it."""
    client = aws.client("s3")
    with Stubber(client) as stub:
        stub.add_response("get_object", {"Body": StreamingBody(io.BytesIO(failed_line(b"1")), 10_000)})
        with pytest.raises(UnavailableError), Bucket(client, "dead-letters").opened("failed") as stream:
            list(read(stream))


def test_who_may_not_is_told_so(aws: Aws) -> None:
    """For each of the three things to do."""
    client = aws.client("s3")
    bucket = Bucket(client, "dead-letters")
    with Stubber(client) as stub:
        for call in ("list_objects_v2", "get_object", "delete_object"):
            stub.add_client_error(call, "AccessDenied", http_status_code=403)
        with pytest.raises(DeniedError, match="AccessDenied"):
            list(bucket.objects())
        with pytest.raises(DeniedError), bucket.opened("failed"):
            pass
        with pytest.raises(DeniedError):
            bucket.delete("failed")


def test_a_bucket_that_fails_cannot_be_reached_or_is_not_there(aws: Aws) -> None:
    """The first two may pass."""
    client = aws.client("s3")
    with Stubber(client) as stub:
        stub.add_client_error("list_objects_v2", "SlowDown", http_status_code=503)
        with pytest.raises(UnavailableError):
            list(Bucket(client, "dead-letters").objects())
    with unreachable(client), pytest.raises(UnavailableError):
        list(Bucket(client, "dead-letters").objects())
    with pytest.raises(NotFoundError):
        list(Bucket(client, "dead-letters").objects())


def test_the_events_of_an_hour_are_listed_in_the_order_of_their_keys(aws: Aws, bucket: Bucket) -> None:
    """More than one page of them, none of another hour or prefix; and those behind a key."""
    keys = [f"events/2026/11/26/09/backup-{number:04}" for number in range(13)]
    for key in (*keys, "events/2026/11/26/10/backup-0000", "events/2026/11/25/09/backup", "errors/2026/11/26/09/one"):
        aws.client("s3").put_object(Bucket="dead-letters", Key=key, Body=b"x")
    store = EventStore(bucket, "events/")
    assert [one.key for one in store.objects(HOUR, "")] == keys
    assert [one.key for one in store.objects(HOUR, keys[9])] == keys[10:]
    assert list(store.objects(HOUR, keys[-1])) == []
    assert [(one.key, one.size) for one in store.objects(HOUR.replace(hour=10), "")] == [
        ("events/2026/11/26/10/backup-0000", 1)
    ]


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("lines", [[], ["{}\n"], ["1\n", "\n", "a\u2028b\rc\n", "no end"]], ids=len)
def test_the_lines_of_an_object_are_read(aws: Aws, bucket: Bucket, lines: list[str], compressed: bool) -> None:
    """A line ends at a line feed, and at nothing else that Unicode takes for an end."""
    content = "".join(lines).encode()
    aws.client("s3").put_object(
        Bucket="dead-letters", Key="one", Body=gzip.compress(content) if compressed else content
    )
    with EventStore(bucket, "").lines("one") as read_lines:
        assert list(read_lines) == lines


def test_what_firehose_compressed_in_several_goes_is_read_to_the_end(aws: Aws, bucket: Bucket) -> None:
    """GZIP files that follow one another are one."""
    body = gzip.compress(b"1\n2") + gzip.compress(b"3\n4\n")
    aws.client("s3").put_object(Bucket="dead-letters", Key="one", Body=body)
    with EventStore(bucket, "").lines("one") as lines:
        assert list(lines) == ["1\n", "23\n", "4\n"]


def test_memory_stays_flat_however_large_an_object_is(aws: Aws) -> None:
    """Lines are read as they come, packed as they are."""
    body = gzip.compress((b"x" * 999 + b"\n") * 20_000)
    client = aws.client("s3")
    with Stubber(client) as stub:
        stub.add_response("get_object", {"Body": StreamingBody(io.BytesIO(body), len(body))})
        tracemalloc.start()
        try:
            with EventStore(Bucket(client, "dead-letters"), "").lines("one") as lines:
                assert sum(map(len, lines)) == 20_000_000
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert most < 5_000_000


def test_an_object_may_be_left_before_its_end(aws: Aws) -> None:
    """Its connection is closed."""
    client, body = aws.client("s3"), io.BytesIO(b"1\n" * 100_000)
    with Stubber(client) as stub:
        stub.add_response("get_object", {"Body": StreamingBody(body, 200_000)})
        with EventStore(Bucket(client, "dead-letters"), "").lines("one") as lines:
            assert next(lines) == "1\n"
    assert body.closed


PACKED = gzip.compress(b"0123456789\n" * 5_000, 0)


@pytest.mark.parametrize(
    "damaged",
    [PACKED[:-20], PACKED[:-8] + b"\0" * 8, PACKED[:10] + b"\xff" * 99, PACKED + b"garbage", b"\xff\n"],
    ids=["cut off", "another checksum", "overwritten", "followed by something", "not UTF-8"],
)
def test_a_damaged_object_is_told_from_a_service_that_fails(aws: Aws, bucket: Bucket, damaged: bytes) -> None:
    """However it is damaged: to read it again would help nothing."""
    aws.client("s3").put_object(Bucket="dead-letters", Key="one", Body=damaged)
    with EventStore(bucket, "").lines("one") as lines, pytest.raises((EOFError, OSError, ValueError)):
        list(lines)


@pytest.mark.parametrize("content", [b"0123456789\n" * 5_000, PACKED], ids=["plain", "packed"])
@pytest.mark.parametrize(
    "error",
    [ReadTimeoutError(HTTPConnectionPool("s3"), "/", "timed out"), ProtocolError("broken"), None],
    ids=["time-out", "broken", "ended"],
)
def test_a_connection_that_fails_half_way_is_no_damage(aws: Aws, content: bytes, error: Exception | None) -> None:
    """Though a time-out is an OSError, it is the service that is unavailable, and says so while lines are read."""
    client = aws.client("s3")
    raw = io.BytesIO(content[:40_000]) if error is None else Cut(content[:40_000], error)
    with Stubber(client) as stub:
        stub.add_response("get_object", {"Body": StreamingBody(raw, len(content))})
        with EventStore(Bucket(client, "dead-letters"), "").lines("one") as lines, pytest.raises(UnavailableError):
            list(lines)


def test_events_that_cannot_be_read_are_not_there_denied_or_unavailable(aws: Aws, bucket: Bucket) -> None:
    """As S3 says."""
    client = aws.client("s3")
    store = EventStore(bucket, "")
    with pytest.raises(NotFoundError), store.lines("not-there"):
        pass
    with pytest.raises(NotFoundError):
        list(EventStore(Bucket(client, "no-bucket"), "").objects(HOUR, ""))
    with Stubber(client) as stub:
        stub.add_client_error("get_object", "AccessDenied", http_status_code=403)
        with pytest.raises(DeniedError), store.lines("one"):
            pass
        stub.add_client_error("get_object", "SlowDown", http_status_code=503)
        with pytest.raises(UnavailableError), store.lines("one"):
            pass
        stub.add_client_error("list_objects_v2", "InternalError", http_status_code=500)
        with pytest.raises(UnavailableError):
            list(store.objects(HOUR, ""))
    with unreachable(client), pytest.raises(UnavailableError), store.lines("one"):
        pass
