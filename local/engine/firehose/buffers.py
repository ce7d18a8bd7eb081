"""The buffers of Firehose's streams.

The engine hands on every record by itself, as it comes. AWS gathers records for `IntervalInSeconds` or up to
`SizeInMBs`, whichever comes first, and keeps what a destination does not take while other streams go on ("Understand
data delivery in Amazon Data Firehose", "Handle data delivery failures", Firehose developer guide).
`EVENTFORK_FIREHOSE_INTERVAL_SCALE` is a factor on the interval, and on nothing else: retries last as long as on AWS.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ministack.core import responses
from ministack.services import firehose

from local.engine.replacement import engine_attribute

__all__ = ["RETRY_SECONDS", "Buffers", "Destination", "Record", "Stream", "StreamGoneError"]

RETRY_SECONDS = 1.0
DEFAULT_INTERVAL_SECONDS = 300
DEFAULT_SIZE_MEBIBYTES = 5
MEBIBYTE = 1024 * 1024

logger = logging.getLogger(__name__)

Destination = dict[str, Any]
"""A destination as the engine keeps it: its `type` and its `config`."""


class StreamGoneError(Exception):
    """The stream has been deleted."""


@dataclass
class Record:
    """What was put on a stream.

    Attributes
    ----------
    record_id : str
    data : bytes
    arrived : float
        When, in seconds since 1970.
    attempts : int
        How often its delivery was tried.
    """

    record_id: str
    data: bytes
    arrived: float = field(default_factory=time.time)
    attempts: int = 0


class Stream(NamedTuple):
    """A stream's identity, by which its present settings are found."""

    account: str
    region: str
    name: str

    @classmethod
    def of_request(cls, name: str) -> Stream:
        """Return the stream of a name in the request's account and Region."""
        return cls(responses.get_account_id(), responses.get_region(), name)

    @property
    def description(self) -> dict[str, Any]:
        """The stream as the engine keeps it.

        Raises
        ------
        StreamGoneError
            There is no such stream any more.
        """
        found: dict[str, Any] | None = engine_attribute(firehose, "_streams").get_scoped(*self)
        if not found or not found["destinations"]:
            raise StreamGoneError
        return found

    @property
    def destination(self) -> Destination:
        """The stream's one destination; raises what `description` does."""
        destination: Destination = self.description["destinations"][0]
        return destination


@dataclass
class _Buffer:
    records: list[Record] = field(default_factory=list)
    size: int = 0

    def add(self, records: Iterable[Record]) -> None:
        for record in records:
            self.records.append(record)
            self.size += len(record.data)


class Buffers:
    """Gathers the records of streams, and has them delivered when they are due.

    Each stream has one delivery at a time, and waits for no other.

    Parameters
    ----------
    deliver
        Delivers records of a stream, and takes out of the list those that are delivered. It is called again, after a
        pause, with those it leaves.
    """

    def __init__(self, deliver: Callable[[Stream, list[Record]], None]) -> None:
        self._deliver = deliver
        self._interval_scale = float(os.environ.get("EVENTFORK_FIREHOSE_INTERVAL_SCALE", "1"))
        self._buffers: dict[Stream, _Buffer] = {}
        self._in_delivery: set[Stream] = set()
        self._changed = threading.Condition()

    def start(self) -> None:
        """Begin to deliver what is due."""
        threading.Thread(target=self._run, daemon=True, name="firehose-buffers").start()

    def gather(self, stream: Stream, records: Iterable[Record]) -> None:
        """Add records to the buffer of a stream."""
        with self._changed:
            self._buffers.setdefault(stream, _Buffer()).add(records)
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait(self._seconds_to_next())
                for stream in [each for each, due_at in self._due_times().items() if due_at <= time.time()]:
                    self._in_delivery.add(stream)
                    records = self._buffers.pop(stream).records
                    threading.Thread(
                        target=self._deliver_all, args=(stream, records), daemon=True, name=f"firehose-{stream.name}"
                    ).start()

    def _seconds_to_next(self) -> float | None:
        times = self._due_times().values()
        return max(0.0, min(times) - time.time()) if times else None

    def _due_times(self) -> dict[Stream, float]:
        return {
            stream: self._due_at(stream, buffer)
            for stream, buffer in self._buffers.items()
            if stream not in self._in_delivery
        }

    def _due_at(self, stream: Stream, buffer: _Buffer) -> float:
        since = buffer.records[0].arrived
        try:
            hints = stream.destination["config"].get("BufferingHints") or {}
        except StreamGoneError:
            return since
        if buffer.size >= float(hints.get("SizeInMBs", DEFAULT_SIZE_MEBIBYTES)) * MEBIBYTE:
            return since
        return since + float(hints.get("IntervalInSeconds", DEFAULT_INTERVAL_SECONDS)) * self._interval_scale

    def _deliver_all(self, stream: Stream, records: list[Record]) -> None:
        while records:
            try:
                self._deliver(stream, records)
            except StreamGoneError:
                logger.info("Stream %s is gone; %d of its records are dropped", stream.name, len(records))
                records.clear()
            except Exception as error:  # noqa: BLE001 - whatever went wrong, what is not delivered must be tried again
                logger.warning(
                    "Delivery of %d records of %s failed, to be tried again: %s", len(records), stream.name, error
                )
                time.sleep(RETRY_SECONDS)
        with self._changed:
            self._in_delivery.discard(stream)
            self._changed.notify()
