"""Amazon S3: the batches that Lambda stored because they failed too often."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from eventfork.errors import UnavailableError
from eventfork.order_stream import Change

__all__ = ["FailedBatches"]

_PREFIX: Final = "aws/lambda/"
"""Lambda developer guide, "Retain discarded records for a DynamoDB event source"."""


class FailedBatches:
    """The bucket that is the on-failure destination of a stream's event source mapping.

    Parameters
    ----------
    client : botocore client of S3
    bucket : str
    read : callable
        Reads the changes of what Lambda stores: `table_streams.failed_changes`.
    """

    def __init__(self, client: Any, bucket: str, read: Callable[[bytes], Sequence[Change]]) -> None:
        self._client = client
        self._bucket = bucket
        self._read = read

    def keys(self) -> Iterator[str]:
        """Give the key of every batch: by mapping and shard, the oldest first.

        Raises
        ------
        UnavailableError
            If S3 did not list them.
        """
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=_PREFIX)
        try:
            for page in pages:
                yield from (entry["Key"] for entry in page.get("Contents", []))
        except (ClientError, BotoCoreError) as error:
            raise UnavailableError("S3 did not list the batches") from error

    def changes(self, key: str) -> Sequence[Change]:
        """Read the changes of a batch.

        Raises
        ------
        UnavailableError
            If S3 did not give it.
        """
        try:
            stored: Mapping[str, Any] = self._client.get_object(Bucket=self._bucket, Key=key)
            return self._read(stored["Body"].read())
        except (ClientError, BotoCoreError) as error:
            raise UnavailableError("S3 did not give the batch") from error

    def delete(self, key: str) -> None:
        """Forget a batch.

        Raises
        ------
        UnavailableError
            If S3 did not delete it.
        """
        try:
            self._client.delete_object(Bucket=self._bucket, Key=key)
        except (ClientError, BotoCoreError) as error:
            raise UnavailableError("S3 did not delete the batch") from error
