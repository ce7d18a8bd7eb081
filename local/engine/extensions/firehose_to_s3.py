"""Delivery of a Firehose stream to S3.

The engine writes one object per record at once, uncompressed, and a record whose object cannot be written is lost. AWS
writes one object of all records it gathered, and tries again when S3 does not take it ("Understand data delivery in
Amazon Data Firehose", "Handle data delivery failures", Firehose developer guide).

Streams that transform, convert or partition records are left to the engine.

Not needed once `firehose._deliver_records_to_s3` buffers, compresses and tries again.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import time
import zoneinfo
from collections.abc import Callable
from typing import Any

from ministack.services import firehose

from local.engine.firehose.buffers import Buffers, Destination, Record, Stream
from local.engine.firehose.objects import write_object
from local.engine.replacement import replace

__all__ = ["apply"]

LEFT_TO_ENGINE = (
    "ProcessingConfiguration",
    "DataFormatConversionConfiguration",
    "DynamicPartitioningConfiguration",
)


def apply() -> None:
    """Gather the records of a stream instead of writing them."""
    buffers = Buffers(_deliver)

    def build(deliver: Callable[..., None]) -> Callable[..., None]:
        def gather(stream: dict[str, Any], destination: Destination, records: list[tuple[str, bytes]]) -> None:
            if any((destination["config"].get(name) or {}).get("Enabled", False) for name in LEFT_TO_ENGINE):
                deliver(stream, destination, records)
                return
            buffers.gather(Stream.of_request(stream["name"]), (Record(*record) for record in records))
            destination["records"].clear()

        return gather

    replace(firehose, "_deliver_records_to_s3", build)
    buffers.start()


def _deliver(stream: Stream, records: list[Record]) -> None:
    configuration = stream.destination["config"]
    moment = _local_time(records[0].arrived, configuration.get("CustomTimeZone"))
    body = b"".join(record.data for record in records)
    write_object(stream, configuration, configuration.get("Prefix", ""), moment=moment, body=body)
    records.clear()


def _local_time(seconds: float, zone: str | None) -> time.struct_time:
    with contextlib.suppress(zoneinfo.ZoneInfoNotFoundError):
        if zone:
            return dt.datetime.fromtimestamp(seconds, zoneinfo.ZoneInfo(zone)).timetuple()
    return time.gmtime(seconds)
