"""A bucket's objects are listed, read as they come, and deleted; errors say whether it may help to try again."""

import gzip
import io

import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber
from eventfork.adapters.s3 import Bucket
from eventfork.errors import DeniedError, NotFoundError, UnavailableError
from eventfork.failed_documents import FailedDocument, read

from tests.unit.aws import REGION, Aws, unreachable
from tests.unit.layer.test_failed_documents import failed_line


@pytest.fixture
def bucket(aws: Aws) -> Bucket:
    """Give an empty bucket."""
    aws.client("s3").create_bucket(Bucket="dead-letters", CreateBucketConfiguration={"LocationConstraint": REGION})
    return Bucket(aws.client("s3"), "dead-letters")


def test_objects_are_listed_read_and_deleted(aws: Aws, bucket: Bucket) -> None:
    """In the order of their keys, more than one page of them."""
    assert list(bucket.objects()) == []
    for number in range(1_003):
        aws.client("s3").put_object(Bucket="dead-letters", Key=f"{number:04}", Body=b"x" * (number % 3))
    listed = list(bucket.objects())
    assert [one.key for one in listed] == [f"{number:04}" for number in range(1_003)]
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
