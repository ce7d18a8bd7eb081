"""How a Firehose stream delivers to OpenSearch."""

from __future__ import annotations

import base64
import gzip
import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.engine.search_node import SearchNode
from tests.engine.workbench import ROLE, Workbench

STACK = """
AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  Endpoint: {Type: String}
  IndexName: {Type: String}
Resources:
  Bucket: {Type: AWS::S3::Bucket}
  Stream:
    Type: AWS::KinesisFirehose::DeliveryStream
    Properties:
      DeliveryStreamType: DirectPut
      AmazonopensearchserviceDestinationConfiguration:
        ClusterEndpoint: !Ref Endpoint
        IndexName: !Ref IndexName
        IndexRotationPeriod: NoRotation
        DocumentIdOptions: {DefaultDocumentIdFormat: NO_DOCUMENT_ID}
        RoleARN: arn:aws:iam::000000000000:role/any
        BufferingHints: {IntervalInSeconds: 0, SizeInMBs: 1}
        RetryOptions: {DurationInSeconds: 0}
        S3BackupMode: FailedDocumentsOnly
        S3Configuration:
          BucketARN: !GetAtt Bucket.Arn
          RoleARN: arn:aws:iam::000000000000:role/any
Outputs:
  Stream: {Value: !Ref Stream}
"""


class Stream:
    """A stream to the node's index `orders`, and its bucket for what fails."""

    def __init__(self, workbench: Workbench, node: SearchNode, **settings: Any) -> None:
        self.workbench = workbench
        self.name = workbench.name("stream")
        self.bucket = workbench.name("failures")
        place = {"BucketARN": f"arn:aws:s3:::{self.bucket}", "RoleARN": ROLE, "Prefix": "failed/"}
        place |= settings.pop("S3Configuration", {})
        configuration = {
            "ClusterEndpoint": node.url,
            "IndexName": "orders",
            "IndexRotationPeriod": "NoRotation",
            "DocumentIdOptions": {"DefaultDocumentIdFormat": "NO_DOCUMENT_ID"},
            "RoleARN": ROLE,
            "BufferingHints": {"IntervalInSeconds": 0, "SizeInMBs": 100},
            "RetryOptions": {"DurationInSeconds": 7200},
            "S3Configuration": place,
            **settings,
        }
        workbench.client("firehose").create_delivery_stream(
            DeliveryStreamName=self.name,
            AmazonopensearchserviceDestinationConfiguration={
                name: value for name, value in configuration.items() if value is not None
            },
        )

    def create_bucket(self) -> None:
        """Create the bucket for what fails."""
        self.workbench.client("s3").create_bucket(Bucket=self.bucket)

    def put(self, *documents: Any) -> None:
        """Put documents in one call; bytes as they are."""
        data = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in documents]
        answer = self.workbench.client("firehose").put_record_batch(
            DeliveryStreamName=self.name, Records=[{"Data": each} for each in data]
        )
        assert answer["FailedPutCount"] == 0

    def objects(self) -> dict[str, bytes]:
        """Return the objects in the bucket."""
        s3 = self.workbench.client("s3")
        keys = [each["Key"] for each in s3.list_objects_v2(Bucket=self.bucket).get("Contents", [])]
        return {key: s3.get_object(Bucket=self.bucket, Key=key)["Body"].read() for key in keys}

    def failures(self) -> list[Any]:
        """Return what the bucket says of documents that failed."""
        return [json.loads(line) for body in self.objects().values() for line in body.splitlines()]


@pytest.fixture
def node() -> Iterator[SearchNode]:
    """Return a node that is healthy until it is told otherwise."""
    with SearchNode() as node:
        yield node


def documents(node: SearchNode) -> list[Any]:
    """Return the documents in the node's index."""
    return [each.document for each in node.taken]


def numbered(*numbers: int) -> list[dict[str, int]]:
    """Return documents."""
    return [{"number": number} for number in numbers]


def waiter(workbench: Workbench, node: SearchNode, *wanted: Any) -> None:
    """Wait until these documents are in the index, in whatever order, and no others."""

    def there() -> bool:
        return sorted(map(json.dumps, documents(node))) == sorted(map(json.dumps, wanted))

    workbench.wait_for(there)


def test_records_are_gathered_into_one_request(workbench: Workbench, node: SearchNode) -> None:
    """Records are indexed together once they fill the buffer, in order, each a document without an id of its own."""
    stream = Stream(workbench, node, BufferingHints={"IntervalInSeconds": 900, "SizeInMBs": 1})
    wanted = [{"number": number, "text": "x" * 100_000} for number in range(11)]
    stream.put(*wanted[:10])
    last = json.dumps(wanted[10]).encode() + b"\n"
    workbench.client("firehose").put_record(DeliveryStreamName=stream.name, Record={"Data": last})
    workbench.wait_for(lambda: node.taken)
    assert documents(node) == wanted
    assert [each.action for each in node.taken] == [{"_index": "orders"}] * 11
    assert len(node.sizes) == 1


def test_a_large_buffer_is_sent_in_several_requests(workbench: Workbench, node: SearchNode) -> None:
    """In order, and none of them larger than the smallest domain takes."""
    stream = Stream(workbench, node, BufferingHints={"IntervalInSeconds": 900, "SizeInMBs": 12})
    for number in range(14):
        stream.put({"number": number, "text": "x" * 900_000})
    workbench.wait_for(lambda: len(node.taken) == 14)
    assert [each["number"] for each in documents(node)] == list(range(14))
    assert max(node.sizes) <= 5 * 1024 * 1024


def test_thousands_of_documents_arrive(workbench: Workbench, node: SearchNode) -> None:
    """Each once, whatever the number of calls that brought them."""
    stream = Stream(workbench, node, BufferingHints={"IntervalInSeconds": 60, "SizeInMBs": 1})
    for start in range(0, 5000, 500):
        stream.put(*({"number": number, "text": "x" * 1000} for number in range(start, start + 500)))
    workbench.wait_for(lambda: len(node.taken) >= 5000)
    assert sorted(each["number"] for each in documents(node)) == list(range(5000))


@pytest.mark.parametrize(
    ("settings", "index"),
    [
        ({"IndexRotationPeriod": None}, "orders-%Y-%m-%d"),
        ({"IndexRotationPeriod": "OneHour"}, "orders-%Y-%m-%d-%H"),
        ({"IndexRotationPeriod": "OneWeek"}, "orders-%G-w%V"),
        ({"IndexRotationPeriod": "OneMonth"}, "orders-%Y-%m"),
    ],
)
def test_the_index_is_named_by_time_of_arrival(
    workbench: Workbench, node: SearchNode, settings: dict[str, Any], index: str
) -> None:
    """As the rotation period says, which is a day when left alone."""
    stream = Stream(workbench, node, **settings)
    before = time.gmtime()
    stream.put({"number": 1})
    [taken] = workbench.wait_for(lambda: node.taken)
    assert taken.action["_index"] in {time.strftime(index, moment) for moment in (before, time.gmtime())}


def test_a_document_gets_an_id_of_its_own_when_left_alone(workbench: Workbench, node: SearchNode) -> None:
    """Another one for each, and the same one when it is sent again."""
    node.status_of = lambda document: 429 if node.offered.count(document) < 2 else 200
    stream = Stream(workbench, node, DocumentIdOptions=None)
    stream.put(*numbered(1, 1))
    workbench.wait_for(lambda: len(node.taken) == 2)
    assert len({each.action["_id"] for each in node.taken}) == 2


def test_a_refused_document_goes_to_the_bucket_at_once(workbench: Workbench, node: SearchNode) -> None:
    """It is not sent again, the others are in the index, and the bucket says what, when and why, a line each."""
    node.status_of = lambda document: 400 if document["number"] in {1, 3} else 200
    stream = Stream(workbench, node)
    stream.create_bucket()
    before = time.time()
    stream.put(*numbered(*range(5)))
    failures = workbench.wait_for(stream.failures)
    assert documents(node) == numbered(0, 2, 4)
    assert node.offered == numbered(*range(5))
    assert [json.loads(base64.b64decode(each.pop("rawData"))) for each in failures] == numbered(1, 3)
    for failure in failures:
        arrived, ended = failure.pop("arrivalTimestamp"), failure.pop("attemptEndingTimestamp")
        assert before * 1000 - 1 <= arrived <= ended <= time.time() * 1000 + 1
        assert json.loads(failure.pop("errorMessage")) == {"type": "some_exception", "reason": "some reason"}
        assert failure == {
            "attemptsMade": 1,
            "errorCode": "400",
            "subsequenceNumber": 0,
            "esDocumentId": None,
            "esIndexName": "orders",
            "esTypeName": "",
        }
    [key] = stream.objects()
    hour = time.strftime("%Y/%m/%d/%H", time.gmtime(before))
    assert re.fullmatch(
        rf"failed/AmazonOpenSearchService_failed/{hour}/{stream.name}-1-\d{{4}}(-\d\d){{5}}-[0-9a-f-]{{36}}", key
    )


def test_the_objects_of_failures_follow_their_settings(workbench: Workbench, node: SearchNode) -> None:
    """They are compressed, and a prefix for errors is used instead of the folder."""
    node.status_of = lambda _document: 400
    settings = {"CompressionFormat": "GZIP", "ErrorOutputPrefix": "!{firehose:error-output-type}/!{timestamp:yyyy}/"}
    stream = Stream(workbench, node, S3Configuration=settings)
    stream.create_bucket()
    stream.put({"number": 1})
    [(key, body)] = workbench.wait_for(stream.objects).items()
    assert json.loads(gzip.decompress(body))["errorCode"] == "400"
    assert re.fullmatch(rf"AmazonOpenSearchService-failed/\d{{4}}/{stream.name}-.*\.gz", key)


@pytest.mark.parametrize("record", [b'{"number":\n1}', b"", b'{"number": 1}\n{"number": 2}'])
def test_a_record_that_is_not_one_line_goes_to_the_bucket(
    workbench: Workbench, node: SearchNode, record: bytes
) -> None:
    """It would break the request, and the documents beside it with it."""
    stream = Stream(workbench, node)
    stream.create_bucket()
    stream.put({"number": 0}, record, {"number": 9})
    [failure] = workbench.wait_for(stream.failures)
    assert base64.b64decode(failure["rawData"]) == record
    assert (failure["errorCode"], failure["attemptsMade"]) == ("400", 0)
    assert documents(node) == numbered(0, 9)


@pytest.mark.parametrize("status", [429, 503, 403, None])
def test_a_request_that_fails_is_sent_again(workbench: Workbench, node: SearchNode, status: int | None) -> None:
    """Whatever the node answers, or if it does not, the documents are in the index once it takes them."""
    node.status = status
    stream = Stream(workbench, node)
    stream.create_bucket()
    stream.put(*numbered(1, 2))
    workbench.wait_for(lambda: len(node.sizes) > 1)
    node.status = 200
    waiter(workbench, node, *numbered(1, 2))
    assert stream.objects() == {}


@pytest.mark.parametrize("status", [429, 500, 503])
def test_only_the_documents_not_taken_now_are_sent_again(workbench: Workbench, node: SearchNode, status: int) -> None:
    """What the node has taken of a request is not sent twice."""
    node.status_of = lambda document: status if document["number"] == 2 and node.offered.count(document) < 3 else 200
    stream = Stream(workbench, node)
    stream.create_bucket()
    stream.put(*numbered(1, 2, 3))
    waiter(workbench, node, *numbered(1, 2, 3))
    assert node.offered == numbered(1, 2, 3, 2, 2)
    assert stream.objects() == {}


def test_what_cannot_be_delivered_in_time_goes_to_the_bucket(workbench: Workbench, node: SearchNode) -> None:
    """After the retry duration, in seconds of the clock, with the number of attempts and the last error."""
    node.status = 503
    stream = Stream(workbench, node, RetryOptions={"DurationInSeconds": 3})
    stream.create_bucket()
    started = time.monotonic()
    stream.put(*numbered(1, 2))
    failures = workbench.wait_for(stream.failures)
    assert time.monotonic() - started >= 3
    assert [json.loads(base64.b64decode(each["rawData"])) for each in failures] == numbered(1, 2)
    assert {each["errorCode"] for each in failures} == {"503"}
    assert {each["attemptsMade"] for each in failures} == {len(node.sizes)}
    assert len(node.sizes) > 1


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"ClusterEndpoint": "http://127.0.0.1:1"}, "refused"),
        ({"ClusterEndpoint": None, "DomainARN": "arn:aws:es:us-east-1:000000000000:domain/orders"}, "ClusterEndpoint"),
        ({"ProcessingConfiguration": {"Enabled": True}}, "transformed"),
    ],
)
def test_a_stream_that_reaches_no_node_says_why(
    workbench: Workbench, node: SearchNode, settings: dict[str, Any], reason: str
) -> None:
    """Where nothing listens, and where the engine cannot do what is asked; a duration of 0 means one attempt."""
    stream = Stream(workbench, node, RetryOptions={"DurationInSeconds": 0}, **settings)
    stream.create_bucket()
    stream.put({"number": 1})
    [failure] = workbench.wait_for(stream.failures)
    assert failure["attemptsMade"] == 1
    assert reason in failure["errorMessage"]
    logged = [line for line in workbench.engine.log_file.read_text().splitlines() if stream.name in line]
    assert any(reason in line for line in logged)


def test_nothing_is_lost_while_the_bucket_fails_too(workbench: Workbench, node: SearchNode) -> None:
    """What neither takes is tried again with both, until one does; what the index has is not sent again."""
    node.status_of = lambda document: {1: 200, 2: 400, 3: 503}[document["number"]]
    stream = Stream(workbench, node, RetryOptions={"DurationInSeconds": 0})
    stream.put(*numbered(1, 2, 3))
    workbench.wait_for(lambda: node.offered.count({"number": 3}) > 1)
    node.status_of = lambda document: 400 if document["number"] == 2 else 200
    waiter(workbench, node, *numbered(1, 3))
    stream.create_bucket()
    [failure] = workbench.wait_for(stream.failures)
    assert json.loads(base64.b64decode(failure["rawData"])) == {"number": 2}
    assert node.offered.count({"number": 1}) == 1


def test_a_stream_that_retries_holds_up_no_other(workbench: Workbench, node: SearchNode) -> None:
    """Nor does what is put on it in the meantime get lost."""
    with SearchNode() as ill:
        ill.status = 503
        waiting = Stream(workbench, ill)
        waiting.put({"number": 1})
        workbench.wait_for(lambda: ill.sizes)
        Stream(workbench, node).put({"number": 2})
        waiter(workbench, node, {"number": 2})
        waiting.put({"number": 3})
        ill.status = 200
        waiter(workbench, ill, *numbered(1, 3))


def test_a_deleted_stream_is_not_delivered_any_more(workbench: Workbench, node: SearchNode) -> None:
    """Its records end with it, and so does the trying."""
    node.status = 503
    stream = Stream(workbench, node)
    stream.put({"number": 1})
    workbench.wait_for(lambda: node.sizes)
    workbench.client("firehose").delete_delivery_stream(DeliveryStreamName=stream.name)
    dropped = f"Stream {stream.name} is gone; 1 of its records are dropped"
    workbench.wait_for(lambda: dropped in workbench.engine.log_file.read_text())


def test_a_stack_makes_the_stream_and_changes_where_it_delivers(workbench: Workbench, node: SearchNode) -> None:
    """Its destination is changed in place: name, and what is still on its way, stay."""
    firehose = workbench.client("firehose")

    def put(stream: str, number: int) -> None:
        data = json.dumps({"number": number}).encode()
        firehose.put_record_batch(DeliveryStreamName=stream, Records=[{"Data": data}])

    def there(number: int) -> Callable[[], bool]:
        return lambda: {"number": number} in documents(node)

    first = workbench.deploy("searching", STACK, Endpoint=node.url, IndexName="first")["Stream"]
    put(first, 1)
    workbench.wait_for(there(1))
    second = workbench.deploy("searching", STACK, update=True, Endpoint=node.url, IndexName="second")["Stream"]
    put(second, 2)
    workbench.wait_for(there(2))
    assert second == first
    assert [each.action["_index"] for each in node.taken] == ["first", "second"]
    workbench.delete("searching")
    assert first not in firehose.list_delivery_streams(Limit=10000)["DeliveryStreamNames"]
