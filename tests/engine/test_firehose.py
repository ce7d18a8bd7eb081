"""How a Firehose stream delivers to S3."""

from __future__ import annotations

import gzip
import re
import time
from typing import Any

from tests.engine.workbench import ROLE, Workbench

INTERVAL_SECONDS = 100


class Stream:
    """A stream to a bucket, and what it delivered."""

    def __init__(self, workbench: Workbench, **settings: Any) -> None:
        self.workbench = workbench
        self.name = workbench.name("stream")
        self.bucket = workbench.name("bucket")
        workbench.client("firehose").create_delivery_stream(
            DeliveryStreamName=self.name,
            ExtendedS3DestinationConfiguration={
                "BucketARN": f"arn:aws:s3:::{self.bucket}",
                "RoleARN": ROLE,
                "BufferingHints": {"IntervalInSeconds": INTERVAL_SECONDS, "SizeInMBs": 1},
                **settings,
            },
        )

    def create_bucket(self) -> None:
        """Create the bucket the stream delivers to."""
        self.workbench.client("s3").create_bucket(Bucket=self.bucket)

    def put(self, records: list[bytes]) -> None:
        """Put records in one call."""
        answer = self.workbench.client("firehose").put_record_batch(
            DeliveryStreamName=self.name, Records=[{"Data": record} for record in records]
        )
        assert answer["FailedPutCount"] == 0

    def objects(self) -> dict[str, bytes]:
        """Return the objects delivered so far."""
        s3 = self.workbench.client("s3")
        keys = [each["Key"] for each in s3.list_objects_v2(Bucket=self.bucket).get("Contents", [])]
        return {key: s3.get_object(Bucket=self.bucket, Key=key)["Body"].read() for key in keys}


def test_records_are_gathered_into_one_compressed_object(workbench: Workbench) -> None:
    """Records of one interval come in order, as one object named by prefix, stream, version, time and `.gz`."""
    stream = Stream(workbench, CompressionFormat="GZIP", Prefix="events/!{timestamp:yyyy/MM}/")
    stream.create_bucket()
    lines = [f"order {n}\n".encode() for n in range(20)]
    stream.put(lines[:10])
    stream.put(lines[10:])
    [(key, body)] = workbench.wait_for(stream.objects).items()
    assert gzip.decompress(body) == b"".join(lines)
    day = time.strftime("%Y/%m", time.gmtime())
    assert re.fullmatch(rf"events/{day}/{stream.name}-1-\d{{4}}(-\d\d){{5}}-[0-9a-f-]{{36}}\.gz", key)


def test_a_prefix_without_a_time_gets_the_hour(workbench: Workbench) -> None:
    """Firehose appends year, month, day and hour to a plain prefix."""
    stream = Stream(workbench, Prefix="events/")
    stream.create_bucket()
    stream.put([b"order\n"])
    [(key, body)] = workbench.wait_for(stream.objects).items()
    assert body == b"order\n"
    assert re.match(r"events/\d{4}/\d\d/\d\d/\d\d/", key)


def test_a_full_buffer_is_delivered_before_its_interval(workbench: Workbench) -> None:
    """A buffer that reaches its size does not wait: with an hour's interval, only that brings an object."""
    stream = Stream(workbench, BufferingHints={"IntervalInSeconds": 900, "SizeInMBs": 1})
    stream.create_bucket()
    started = time.monotonic()
    stream.put([b"x" * 600_000])
    stream.put([b"y" * 600_000])
    [body] = workbench.wait_for(stream.objects).values()
    assert time.monotonic() - started < 900 * 0.02, "the interval passed before the object came"
    assert len(body) == 1_200_000


def test_what_s3_does_not_take_at_once_is_delivered_later(workbench: Workbench) -> None:
    """Records outlive a delivery that fails: they arrive once the bucket is there."""
    stream = Stream(workbench, BufferingHints={"IntervalInSeconds": 0, "SizeInMBs": 1})
    stream.put([b"one\n"])
    refused = f"records of {stream.name} failed"
    workbench.wait_for(lambda: refused in workbench.engine.log_file.read_text() or None)
    stream.put([b"two\n"])
    stream.create_bucket()

    def all_there() -> bool:
        return sorted(b"".join(stream.objects().values()).splitlines()) == [b"one", b"two"]

    workbench.wait_for(all_there)
