"""Amazon DynamoDB: tables that show what events say, one row a thing."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from eventfork.attribute_values import encoded
from eventfork.errors import UnavailableError

__all__ = ["ProjectionTable"]

_UNLESS_NEWER = (
    "attribute_not_exists(#EventId) OR #EventId = :EventId OR #EventTime < :EventTime"
    " OR (#EventTime = :EventTime AND #EventId < :EventId)"
)
"""The bus tells the time by the second: of two events in one second the same one wins, in whatever order they come."""


class ProjectionTable:
    """A table that a projection writes: each row as the newest event reports it.

    Parameters
    ----------
    client : botocore client of DynamoDB
    name : str
    keys : sequence of str
        Attributes of the primary key.
    """

    def __init__(self, client: Any, name: str, keys: Sequence[str]) -> None:
        self._client = client
        self._name = name
        self._keys = keys

    def project(self, row: Mapping[str, str | int | Decimal]) -> bool:
        """Write a row with `EventId` and `EventTime`, unless a newer event wrote it; tell whether it was written.

        The same event may write again: that is how a replay repairs a row a bug has spoilt. Attributes that others
        own stay as they are.

        Raises
        ------
        UnavailableError
            If DynamoDB did not do it.
        """
        owned = [name for name in row if name not in self._keys]
        try:
            self._client.update_item(
                TableName=self._name,
                Key={key: encoded(row[key]) for key in self._keys},
                UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in owned),
                ConditionExpression=_UNLESS_NEWER,
                ExpressionAttributeNames={f"#{name}": name for name in owned},
                ExpressionAttributeValues={f":{name}": encoded(row[name]) for name in owned},
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        except (ClientError, BotoCoreError) as error:
            raise UnavailableError("DynamoDB did not take the row") from error
        return True
