"""Amazon S3: reading objects, and deleting them."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, BinaryIO, Final, cast

from botocore.exceptions import BotoCoreError, ClientError

from eventfork.errors import DeniedError, NotFoundError, UnavailableError
from eventfork.failed_documents import StoredObject

__all__ = ["Bucket", "EventStore"]

_GZIP_MAGIC: Final = b"\x1f\x8b"


class Bucket:
    """A bucket, to read and to empty.

    Every method raises `DeniedError` if the caller may not, `NotFoundError` if the bucket or the object is not there,
    and `UnavailableError` if S3 did not answer, or stopped answering half-way.

    Parameters
    ----------
    client : botocore client of S3
    name : str
    """

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

    def objects(self, prefix: str = "", after: str = "") -> Iterator[StoredObject]:
        """List the objects in the order of their keys, a thousand at a time; they may be deleted meanwhile.

        Parameters
        ----------
        prefix : str
            What their keys begin with.
        after : str
            The key behind which the list begins.
        """
        with _translated("list the objects"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._name, Prefix=prefix, StartAfter=after
            )
            for page in pages:
                for entry in page.get("Contents", []):
                    yield StoredObject(entry["Key"], entry["Size"], entry["LastModified"])

    @contextmanager
    def opened(self, key: str) -> Iterator[BinaryIO]:
        """Open an object to be read as it comes; what fails while it is read is translated too."""
        with _translated("give the object"):
            body = self._client.get_object(Bucket=self._name, Key=key)["Body"]
            try:
                yield body
            finally:
                body.close()

    def delete(self, key: str) -> None:
        """Delete an object; S3 does not mind if it is gone already."""
        with _translated("delete the object"):
            self._client.delete_object(Bucket=self._name, Key=key)


class EventStore:
    """A bucket that Firehose fills with events, one on each line, filed by the hour they arrived in.

    Parameters
    ----------
    bucket : Bucket
    prefix : str
        What the keys of the events begin with; year, month, day and hour follow.
    """

    def __init__(self, bucket: Bucket, prefix: str) -> None:
        self._bucket = bucket
        self._prefix = prefix

    def objects(self, hour: datetime, after: str) -> Iterator[StoredObject]:
        """Give the objects of an hour in the order of their keys, from behind the key `after` on.

        Raises as the methods of `Bucket` do.
        """
        yield from self._bucket.objects(f"{self._prefix}{hour:%Y/%m/%d/%H}/", after)

    @contextmanager
    def lines(self, key: str) -> Iterator[Iterator[str]]:
        """Open an object, to read its lines as they come, so that it is never held as a whole.

        Raises as the methods of `Bucket` do, and, while lines are read, EOFError, OSError or ValueError if it is
        damaged.
        """
        with self._bucket.opened(key) as body:
            reader = io.BufferedReader(cast("io.RawIOBase", body))
            packed = reader.peek(len(_GZIP_MAGIC)).startswith(_GZIP_MAGIC)
            plain = gzip.GzipFile(fileobj=reader) if packed else reader
            yield _lines(cast("BinaryIO", plain))


def _lines(plain: BinaryIO) -> Iterator[str]:
    # A time-out is an OSError as well, in botocore: it must reach the reader as what it is, not as damage.
    with _translated("give the object"):
        try:
            for line in plain:
                yield line.decode()
        except zlib.error as error:
            raise ValueError("it cannot be unpacked") from error


@contextmanager
def _translated(task: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        match error.response["ResponseMetadata"]["HTTPStatusCode"]:
            case 403:
                raise DeniedError(f"S3 does not {task}: {error.response['Error']['Code']}") from error
            case 404:
                raise NotFoundError(f"S3 does not {task}: {error.response['Error']['Code']}") from error
        raise UnavailableError(f"S3 did not {task}") from error
    except BotoCoreError as error:
        raise UnavailableError(f"S3 did not {task}") from error
