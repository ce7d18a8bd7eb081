"""Buffering and compression of a Firehose stream to S3.

The engine writes one object per record at once, uncompressed, and a record whose object cannot be written is lost. AWS
gathers records for `IntervalInSeconds` or up to `SizeInMBs`, whichever comes first, compresses the object with GZIP if
told to and adds `.gz` to its name, and tries again when S3 does not take it ("Understand data delivery in Amazon Data
Firehose", Firehose developer guide). `EVENTFORK_FIREHOSE_INTERVAL_SCALE` is a factor on the interval.

Streams that transform, convert or partition records are left to the engine.

Not needed once `firehose._deliver_records_to_s3` buffers and compresses.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import gzip
import logging
import os
import threading
import time
import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ministack.core import responses
from ministack.services import firehose, s3

from local.engine.replacement import engine_attribute, replace

__all__ = ["apply"]

DEFAULT_INTERVAL_SECONDS = 300
DEFAULT_SIZE_MEBIBYTES = 5
MEBIBYTE = 1024 * 1024
RETRY_SECONDS = 1.0
LEFT_TO_ENGINE = (
    "ProcessingConfiguration",
    "DataFormatConversionConfiguration",
    "DynamicPartitioningConfiguration",
)

logger = logging.getLogger(__name__)

StreamKey = tuple[str, str, str]


@dataclass
class _Buffer:
    """Records of one stream since `since`, to be delivered not before `retry_at`."""

    since: float = field(default_factory=time.time)
    retry_at: float = 0.0
    size: int = 0
    records: list[bytes] = field(default_factory=list)

    def add(self, records: list[bytes]) -> None:
        self.records += records
        self.size += sum(map(len, records))


def apply() -> None:
    """Gather records per stream and deliver them from one thread."""
    deliveries = _Deliveries(float(os.environ.get("EVENTFORK_FIREHOSE_INTERVAL_SCALE", "1")))

    def build(deliver: Callable[..., None]) -> Callable[..., None]:
        def gather(stream: dict[str, Any], destination: dict[str, Any], records: list[tuple[str, bytes]]) -> None:
            configuration = destination["config"]
            if any((configuration.get(name) or {}).get("Enabled", False) for name in LEFT_TO_ENGINE):
                deliver(stream, destination, records)
                return
            deliveries.gather(stream["name"], [data for _record_id, data in records])
            destination["records"].clear()

        return gather

    replace(firehose, "_deliver_records_to_s3", build)
    threading.Thread(target=deliveries.run, daemon=True, name="firehose-delivery").start()


class _Deliveries:
    """The buffers of all streams, and their delivery."""

    def __init__(self, interval_scale: float) -> None:
        self._interval_scale = interval_scale
        self._buffers: dict[StreamKey, _Buffer] = {}
        self._changed = threading.Condition()
        self._streams = engine_attribute(firehose, "_streams")
        self._evaluate_prefix = engine_attribute(firehose, "_evaluate_prefix")
        self._format_time = engine_attribute(firehose, "_java_time")
        self._bucket_name = engine_attribute(firehose, "_s3_bucket_from_arn")
        self._put_object = engine_attribute(s3, "handle_request")

    def gather(self, stream_name: str, records: list[bytes]) -> None:
        """Add records to the buffer of a stream of the request's account and Region."""
        key = (responses.get_account_id(), responses.get_region(), stream_name)
        with self._changed:
            self._buffers.setdefault(key, _Buffer()).add(records)
            self._changed.notify()

    def run(self) -> None:
        """Deliver every buffer when it is due, for ever."""
        while True:
            with self._changed:
                self._changed.wait(self._seconds_to_next())
                due = [key for key, buffer in self._buffers.items() if self._due_at(key, buffer) <= time.time()]
                taken = {key: self._buffers.pop(key) for key in due}
            for key, buffer in taken.items():
                self._deliver_or_return(key, buffer)

    def _seconds_to_next(self) -> float | None:
        times = [self._due_at(key, buffer) for key, buffer in self._buffers.items()]
        return max(0.0, min(times) - time.time()) if times else None

    def _due_at(self, key: StreamKey, buffer: _Buffer) -> float:
        configuration = self._configuration(key)
        hints = (configuration or {}).get("BufferingHints") or {}
        full = buffer.size >= float(hints.get("SizeInMBs", DEFAULT_SIZE_MEBIBYTES)) * MEBIBYTE
        interval = float(hints.get("IntervalInSeconds", DEFAULT_INTERVAL_SECONDS)) * self._interval_scale
        gathered_at = buffer.since if full or configuration is None else buffer.since + interval
        return max(gathered_at, buffer.retry_at)

    def _deliver_or_return(self, key: StreamKey, buffer: _Buffer) -> None:
        try:
            self._deliver(key, buffer)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the records must come back into the buffer
            logger.warning("Delivery of %d records of %s failed, to be retried: %s", len(buffer.records), key[2], error)
            buffer.retry_at = time.time() + RETRY_SECONDS
            with self._changed:
                newer = self._buffers.get(key)
                if newer is not None:
                    buffer.add(newer.records)
                self._buffers[key] = buffer

    def _deliver(self, key: StreamKey, buffer: _Buffer) -> None:
        account, region, name = key
        configuration, stream = self._configuration(key), self._streams.get_scoped(account, region, name)
        if configuration is None:
            logger.info("Stream %s is gone; its %d buffered records are dropped", name, len(buffer.records))
            return
        moment = _local_time(buffer.since, configuration.get("CustomTimeZone"))
        body, extension = b"".join(buffer.records), ""
        if configuration.get("CompressionFormat", "").upper() == "GZIP":
            body, extension = gzip.compress(body), ".gz"
        prefix = self._evaluate_prefix(configuration.get("Prefix", ""), moment)
        stamp = self._format_time("yyyy-MM-dd-HH-mm-ss", moment)
        object_name = f"{name}-{stream.get('version', 1)}-{stamp}-{responses.new_uuid()}"
        path = f"/{self._bucket_name(configuration['BucketARN'])}/{prefix}{object_name}"
        headers = {
            "content-type": "application/octet-stream",
            "content-length": str(len(body)),
            "host": "s3.localhost",
        }
        with responses.request_scope(account, region):
            status, _headers, answer = asyncio.run(
                self._put_object(
                    "PUT", path + (configuration.get("FileExtension") or extension), headers, body, {}, internal=True
                )
            )
        if status >= 300:
            raise OSError(f"S3 answered {status}: {answer!r}")

    def _configuration(self, key: StreamKey) -> dict[str, Any] | None:
        stream = self._streams.get_scoped(*key)
        destinations = stream["destinations"] if stream else []
        return destinations[0]["config"] if destinations else None


def _local_time(seconds: float, zone: str | None) -> time.struct_time:
    with contextlib.suppress(zoneinfo.ZoneInfoNotFoundError):
        if zone:
            return dt.datetime.fromtimestamp(seconds, zoneinfo.ZoneInfo(zone)).timetuple()
    return time.gmtime(seconds)
