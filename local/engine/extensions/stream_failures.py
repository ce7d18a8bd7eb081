"""What becomes of a batch off a table's stream that a function fails.

The engine tries a failed batch again for ever, takes a partial failure for success, and knows no bucket as the
destination of what failed. On AWS a function that reports partial failures is given the stream again from the first
change that failed. A batch that fails as a whole is cut in two if the mapping says so, which costs no attempt; after
`MaximumRetryAttempts` it goes to the destination, and the stream goes on. A bucket gets an object with the whole batch
in it ("Retain discarded records for a DynamoDB event source", "Configuring partial batch response with DynamoDB",
Lambda developer guide).

Not needed once `lambda_svc._poll_dynamodb_streams` does all that. One attempt follows the other after a second; a
stream has one shard, so that `ParallelizationFactor` changes nothing.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any

from ministack.core import responses
from ministack.services import dynamodb, lambda_svc, s3

from local.engine.replacement import engine_attribute, replace

__all__ = ["apply"]

Mapping = dict[str, Any]
Records = list[dict[str, Any]]

DEFAULT_BATCH_SIZE = 100
SHARD = "shardId-00000000000000000000-00000000"


@dataclass
class _Attempts:
    """How often the batch at the head of the stream was tried, how small it was cut, and when it is tried next."""

    made: int = 0
    size: int | None = None
    next_at: float = 0.0


def apply() -> None:
    """Poll the streams of tables with retries, partial failures and destinations."""
    streams = _Streams()
    replace(lambda_svc, "_poll_dynamodb_streams", lambda _: streams.poll)


class _Streams:
    """Every event source mapping on a table's stream, and how far each has read."""

    def __init__(self) -> None:
        self._attempts: dict[str, _Attempts] = {}
        self._mappings = engine_attribute(lambda_svc, "_iter_all_esms")
        self._find_function = engine_attribute(lambda_svc, "_get_func_record_for_qualifier")
        self._start_at = engine_attribute(lambda_svc, "_init_stream_position")
        self._positions = engine_attribute(lambda_svc, "_dynamodb_stream_positions")
        self._positions_lock = engine_attribute(lambda_svc, "_dynamodb_stream_positions_lock")
        self._filter = engine_attribute(lambda_svc, "_apply_filter_criteria")
        self._pause_seconds = engine_attribute(lambda_svc, "_ESM_BACKOFF_SECONDS")
        self._send_pointers = engine_attribute(lambda_svc, "_send_ddb_stream_failure_record")
        self._tables = engine_attribute(dynamodb, "_tables")
        self._records_since = engine_attribute(dynamodb, "stream_records_since")
        self._horizon = engine_attribute(dynamodb, "stream_start_position")
        self._put_object = engine_attribute(s3, "handle_request")

    def poll(self) -> bool:
        """Give every function the next batch; tell whether any stream was read further."""
        read_further = False
        for account, region, mapping in self._mappings():
            with responses.request_scope(account, region):
                read_further = self._poll(mapping) or read_further
        return read_further

    def _poll(self, mapping: Mapping) -> bool:
        arn = mapping.get("EventSourceArn", "")
        table = arn.partition(":table/")[2].partition("/stream/")[0]
        if ":dynamodb:" not in arn or not mapping.get("Enabled", True) or table not in self._tables:
            return False
        function, _configuration = self._find_function(mapping["FunctionName"], mapping.get("Qualifier"))
        attempts = self._attempts.setdefault(mapping["UUID"], _Attempts())
        if function is None or self._tables[table].get("LatestStreamArn") != arn or attempts.next_at > time.time():
            return False
        position = self._position(mapping, table)
        size = attempts.size or int(mapping.get("BatchSize") or DEFAULT_BATCH_SIZE)
        batch = self._records_since(table, position, size)
        if not batch:
            return False
        wanted = self._filter(batch, mapping)
        # Looked up here, not before: other extensions replace it.
        result = lambda_svc._execute_function(function, {"Records": wanted}) if wanted else {}
        done = _done(result, batch, mapping)
        if done == 0 and not self._give_up(mapping, function, batch, result, attempts):
            return False
        self._attempts[mapping["UUID"]] = _Attempts()
        with self._positions_lock:
            self._positions[mapping["UUID"]] = position + (done or len(batch))
        mapping["LastProcessingResult"] = f"OK - {done} records" if done else "FAILED"
        return True

    def _position(self, mapping: Mapping, table: str) -> int:
        self._start_at(mapping["UUID"], mapping["EventSourceArn"], mapping.get("StartingPosition", "LATEST"))
        return max(int(self._positions[mapping["UUID"]]), int(self._horizon(table)))

    def _give_up(self, mapping: Mapping, function: Any, batch: Records, result: Any, attempts: _Attempts) -> bool:
        """Decide what to do with a batch of which nothing was done; true if the stream goes on without it."""
        mapping["LastProcessingResult"] = "FAILED"
        condition = "RetryAttemptsExhausted"
        if self._too_old(mapping, batch):
            condition = "MaxRecordAgeExceeded"
        elif len(batch) > 1 and str(mapping.get("BisectBatchOnFunctionError")).lower() == "true":
            attempts.size = len(batch) // 2
            return False
        else:
            attempts.made += 1
            most = int(mapping.get("MaximumRetryAttempts", -1))
            if most < 0 or attempts.made <= most:
                attempts.next_at = time.time() + self._pause_seconds
                return False
        self._discard(mapping, function, batch, result, condition, attempts.made)
        return True

    def _too_old(self, mapping: Mapping, batch: Records) -> bool:
        most = int(mapping.get("MaximumRecordAgeInSeconds", -1))
        return most > 0 and time.time() - float(batch[0]["dynamodb"]["ApproximateCreationDateTime"]) > most

    def _discard(
        self, mapping: Mapping, function: Any, batch: Records, result: Any, condition: str, invocations: int
    ) -> None:
        destination = ((mapping.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination", "")
        if ":s3:::" not in destination:
            self._send_pointers(mapping, function, batch, mapping["EventSourceArn"], result, condition)
            return
        first, last = (record["dynamodb"] for record in (batch[0], batch[-1]))
        now = time.gmtime()
        document = {
            "requestContext": {
                "requestId": responses.new_uuid(),
                "functionArn": mapping["FunctionArn"],
                "condition": condition,
                "approximateInvokeCount": invocations,
            },
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
            "version": "1.0",
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", now),
            "DDBStreamBatchInfo": {
                "shardId": SHARD,
                "startSequenceNumber": first["SequenceNumber"],
                "endSequenceNumber": last["SequenceNumber"],
                "batchSize": len(batch),
                "streamArn": mapping["EventSourceArn"],
            },
            "payload": json.dumps({"Records": batch}),
        }
        name = f"{time.strftime('%Y-%m-%dT%H.%M.%S', now)}-{responses.new_uuid()}"
        key = f"aws/lambda/{mapping['UUID']}/{SHARD}/{time.strftime('%Y/%m/%d', now)}/{name}"
        body = json.dumps(document).encode()
        headers = {"content-type": "application/json", "content-length": str(len(body)), "host": "s3.localhost"}
        path = f"/{destination.rpartition(':')[2]}/{key}"
        asyncio.run(self._put_object("PUT", path, headers, body, {}, internal=True))


def _done(result: Any, batch: Records, mapping: Mapping) -> int:
    """Say how many changes at the head of the batch need not be read again."""
    if result.get("error"):
        return 0
    answer = result.get("body")
    if "ReportBatchItemFailures" not in (mapping.get("FunctionResponseTypes") or []) or answer is None:
        return len(batch)
    if not isinstance(answer, dict):
        return 0
    failures = answer.get("batchItemFailures") or []
    positions = [record["dynamodb"]["SequenceNumber"] for record in batch]
    failed = [failure.get("itemIdentifier") for failure in failures]
    if any(each not in positions for each in failed):
        return 0
    return min((positions.index(each) for each in failed), default=len(batch))
