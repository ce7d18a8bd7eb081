"""Delivery of a Firehose stream to OpenSearch.

The engine keeps the records of such a stream and delivers none. AWS gathers them and puts them into the index by
`_bulk` requests, one document per record. What OpenSearch cannot take now, because it is unreachable, throttles or
fails, is tried again for `RetryOptions.DurationInSeconds` (real seconds here too); a document that it refuses is not.
Either way the documents that are left go to the S3 bucket, under `AmazonOpenSearchService_failed/`, a line of JSON
each; when S3 does not take them either, both are tried again ("Understand data delivery in Amazon Data Firehose",
"Handle data delivery failures", Firehose developer guide; "AmazonopensearchserviceDestinationConfiguration", Firehose
API reference).

Requests are not signed. Neither a domain named by `DomainARN` nor records to be transformed are delivered: their way
ends in the bucket, with the reason. `S3BackupMode` is taken for `FailedDocumentsOnly`.

Not needed once `firehose._put_record_batch` delivers to destinations of the type `AmazonOpenSearch`.
"""

from __future__ import annotations

import base64
import http.client
import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ministack.services import firehose

from local.engine.firehose.buffers import RETRY_SECONDS, Buffers, Record, Stream
from local.engine.firehose.objects import write_object
from local.engine.replacement import engine_attribute

__all__ = ["apply"]

DESTINATION_TYPE = "AmazonOpenSearch"
DEFAULT_RETRY_SECONDS = 300
REQUEST_BYTES = 5 * 1024 * 1024
"""Most that a request holds: the smallest domains take 10 MiB ("Amazon OpenSearch Service quotas")."""
ANSWER_SECONDS = 60.0
FAILED_FOLDER = "AmazonOpenSearchService_failed/"
FAILED_OUTPUT_TYPE = "AmazonOpenSearchService-failed"
ROTATION = {
    "NoRotation": "",
    "OneHour": "-%Y-%m-%d-%H",
    "OneDay": "-%Y-%m-%d",
    "OneWeek": "-%G-w%V",
    "OneMonth": "-%Y-%m",
}

logger = logging.getLogger(__name__)


class _Failure(NamedTuple):
    """Why a document is not in the index: `reason` repeats nothing of the document, `message` may."""

    code: str
    reason: str
    message: str
    lasting: bool = False


@dataclass
class _Document:
    """A record on its way into the index; `failure` is why it is not there."""

    record: Record
    index: str
    document_id: str | None
    failure: _Failure | None = None

    def lines(self) -> bytes:
        """Return the two lines of a `_bulk` request that index it."""
        identity = {} if self.document_id is None else {"_id": self.document_id}
        action = json.dumps({"index": {"_index": self.index, **identity}})
        return action.encode() + b"\n" + self.record.data.strip() + b"\n"

    def description(self, type_name: str) -> dict[str, Any]:
        """Return what Firehose writes of a document that is not in the index."""
        return {
            "attemptsMade": self.record.attempts,
            "arrivalTimestamp": round(self.record.arrived * 1000),
            "errorCode": self.failure and self.failure.code,
            "errorMessage": self.failure and self.failure.message,
            "attemptEndingTimestamp": round(time.time() * 1000),
            "rawData": base64.b64encode(self.record.data).decode(),
            "subsequenceNumber": 0,
            "esDocumentId": self.document_id,
            "esIndexName": self.index,
            "esTypeName": type_name,
        }


def apply() -> None:
    """Take what is put on a stream to OpenSearch from where the engine keeps it."""
    buffers = Buffers(_deliver)
    streams, lock = engine_attribute(firehose, "_streams"), engine_attribute(firehose, "_lock")
    handlers = engine_attribute(firehose, "_HANDLERS")

    def gathering(put: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
        def put_and_gather(call: dict[str, Any]) -> Any:
            answer = put(call)
            name = call.get("DeliveryStreamName", "")
            kept: list[dict[str, Any]] = []
            with lock:
                for destination in (streams.get(name) or {"destinations": []})["destinations"]:
                    if destination["type"] == DESTINATION_TYPE:
                        kept, destination["records"] = destination["records"], []
            if kept:
                buffers.gather(
                    Stream.of_request(name),
                    (Record(each["id"], base64.b64decode(each["data"]), each["ts"]) for each in kept),
                )
            return answer

        return put_and_gather

    for operation in ("PutRecord", "PutRecordBatch"):
        handlers[operation] = gathering(handlers[operation])
    buffers.start()


def _deliver(stream: Stream, records: list[Record]) -> None:
    documents = list(_documents(stream.destination["config"], records))
    refused = [document for document in documents if document.failure]
    pending = [document for document in documents if not document.failure]
    started = time.monotonic()
    while pending:
        configuration = stream.destination["config"]
        _attempt(configuration, pending)
        refused += [document for document in pending if document.failure and document.failure.lasting]
        pending = [document for document in pending if document.failure and not document.failure.lasting]
        # What is in the index must not be sent again when writing the others to S3 fails.
        records[:] = [document.record for document in refused + pending]
        duration = float((configuration.get("RetryOptions") or {}).get("DurationInSeconds", DEFAULT_RETRY_SECONDS))
        remaining = started + duration - time.monotonic()
        if not pending or remaining <= 0:
            break
        time.sleep(min(RETRY_SECONDS, remaining))
    if records:
        _write_failed(stream, refused + pending)
        records.clear()


def _documents(configuration: dict[str, Any], records: Iterable[Record]) -> Iterator[_Document]:
    rotation = ROTATION[configuration.get("IndexRotationPeriod", "OneDay")]
    given_id = (configuration.get("DocumentIdOptions") or {}).get("DefaultDocumentIdFormat") != "NO_DOCUMENT_ID"
    for record in records:
        document = _Document(
            record,
            configuration["IndexName"] + time.strftime(rotation, time.gmtime(record.arrived)),
            record.record_id if given_id else None,
        )
        if len(record.data.strip().splitlines()) != 1:
            reason = "The record is not one line of JSON"
            document.failure = _Failure("400", reason, reason, lasting=True)
        yield document


def _attempt(configuration: dict[str, Any], documents: list[_Document]) -> None:
    """Send the documents, and note with each why it is not in the index, if it is not."""
    requests = list(_requests(documents))
    for number, sent in enumerate(requests):
        for document in sent:
            document.record.attempts += 1
        try:
            failures = _answer(_endpoint(configuration), sent)
        except (OSError, http.client.HTTPException, ValueError) as error:
            # The next request would wait as long for an answer.
            reason = f"OpenSearch was not reached: {error}"
            for document in (each for unsent in requests[number:] for each in unsent):
                document.failure = _Failure("503", reason, reason)
            return
        for document, failure in zip(sent, failures, strict=True):
            document.failure = failure


def _requests(documents: list[_Document]) -> Iterator[list[_Document]]:
    request: list[_Document] = []
    size = 0
    for document in documents:
        length = len(document.lines())
        if request and size + length > REQUEST_BYTES:
            yield request
            request, size = [], 0
        request.append(document)
        size += length
    yield request


def _endpoint(configuration: dict[str, Any]) -> str:
    if "ClusterEndpoint" not in configuration:
        raise ValueError("the destination has no ClusterEndpoint, and DomainARN is not followed here")
    if (configuration.get("ProcessingConfiguration") or {}).get("Enabled"):
        raise ValueError("the destination has a ProcessingConfiguration, and records are not transformed here")
    endpoint: str = configuration["ClusterEndpoint"]
    return endpoint


def _answer(endpoint: str, documents: list[_Document]) -> list[_Failure | None]:
    """Send one request and return, for each document, why OpenSearch did not take it, if it did not."""
    address = urlsplit(endpoint)
    kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    connection = kind(address.netloc, timeout=ANSWER_SECONDS)
    try:
        body = b"".join(document.lines() for document in documents)
        connection.request("POST", "/_bulk", body, {"content-type": "application/x-ndjson"})
        response = connection.getresponse()
        content = response.read()
    finally:
        connection.close()
    if response.status >= 300:
        failure = _Failure(str(response.status), response.reason, content.decode(errors="replace"))
        return [failure] * len(documents)
    return [_failure(*item.values()) for item in json.loads(content)["items"]]


def _failure(item: dict[str, Any]) -> _Failure | None:
    status, error = int(item["status"]), item.get("error") or {}
    if status < 300:
        return None
    lasting = status < 500 and status != http.HTTPStatus.TOO_MANY_REQUESTS
    return _Failure(str(status), error.get("type", ""), json.dumps(error), lasting)


def _write_failed(stream: Stream, documents: list[_Document]) -> None:
    configuration = stream.destination["config"]
    reasons = {f"{document.failure.code} {document.failure.reason}" for document in documents if document.failure}
    logger.warning("%d documents of %s go to S3: %s", len(documents), stream.name, "; ".join(sorted(reasons)))
    place = configuration["S3Configuration"]
    type_name = configuration.get("TypeName", "")
    lines = [json.dumps(document.description(type_name)) + "\n" for document in documents]
    write_object(
        stream,
        place,
        place.get("ErrorOutputPrefix") or place.get("Prefix", "") + FAILED_FOLDER,
        moment=time.gmtime(min(document.record.arrived for document in documents)),
        body="".join(lines).encode(),
        error_type=FAILED_OUTPUT_TYPE,
    )
