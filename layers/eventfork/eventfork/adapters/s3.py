"""Amazon S3: reading objects, and deleting them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from botocore.exceptions import BotoCoreError, ClientError

from eventfork.errors import DeniedError, NotFoundError, UnavailableError
from eventfork.failed_documents import StoredObject

__all__ = ["Bucket"]


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

    def objects(self) -> Iterator[StoredObject]:
        """List the objects in the order of their keys, a thousand at a time; they may be deleted meanwhile."""
        with _translated("list the objects"):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._name):
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
