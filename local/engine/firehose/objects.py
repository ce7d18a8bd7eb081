"""The objects that Firehose writes to S3.

The engine writes every record as an object of its own, uncompressed, and drops a record whose object cannot be written.
AWS compresses an object with GZIP if told to, adds `.gz` to its name, and names it by prefix, stream, version and time
("Configure Amazon S3 object name format", Firehose developer guide).
"""

from __future__ import annotations

import asyncio
import gzip
import time
from typing import Any

from ministack.core import responses
from ministack.services import firehose, s3

from local.engine.firehose.buffers import Stream
from local.engine.replacement import engine_attribute

__all__ = ["write_object"]


def write_object(
    stream: Stream,
    configuration: dict[str, Any],
    prefix: str,
    *,
    moment: time.struct_time,
    body: bytes,
    error_type: str | None = None,
) -> None:
    """Write an object for a stream.

    Parameters
    ----------
    stream
    configuration
        Settings of the place in S3: `BucketARN`, `CompressionFormat`.
    prefix
        What the object's name starts with, expressions and all.
    moment
        When its oldest record arrived.
    body
        What it holds, to be compressed.
    error_type
        What `!{firehose:error-output-type}` in the prefix stands for.

    Raises
    ------
    OSError
        S3 does not take it.
    """
    evaluate_prefix = engine_attribute(firehose, "_evaluate_prefix")
    format_time = engine_attribute(firehose, "_java_time")
    bucket_name = engine_attribute(firehose, "_s3_bucket_from_arn")
    put_object = engine_attribute(s3, "handle_request")
    extension = ""
    if configuration.get("CompressionFormat", "").upper() == "GZIP":
        body, extension = gzip.compress(body), ".gz"
    version = stream.description.get("version", 1)
    stamp = format_time("yyyy-MM-dd-HH-mm-ss", moment)
    key = (
        evaluate_prefix(prefix, moment, error_type=error_type)
        + f"{stream.name}-{version}-{stamp}-{responses.new_uuid()}"
        + (configuration.get("FileExtension") or extension)
    )
    headers = {
        "content-type": "application/octet-stream",
        "content-length": str(len(body)),
        "host": "s3.localhost",
    }
    path = f"/{bucket_name(configuration['BucketARN'])}/{key}"
    with responses.request_scope(stream.account, stream.region):
        status, _headers, answer = asyncio.run(put_object("PUT", path, headers, body, {}, internal=True))
    if status >= 300:
        raise OSError(f"S3 answered {status}: {answer!r}")
