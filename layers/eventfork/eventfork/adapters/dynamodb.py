"""Amazon DynamoDB: the orders table."""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from eventfork.attribute_values import encoded
from eventfork.errors import NotFoundError, UnavailableError
from eventfork.limits import DYNAMODB_KEY_BYTES
from eventfork.order_rows import OWNED

__all__ = ["ORDER_INDEX", "OrdersTable"]

ORDER_INDEX = "OrderIdIndex"
"""The local secondary index that finds a customer's order by its id."""


class OrdersTable:
    """The table with a row for each order.

    Parameters
    ----------
    client : botocore client of DynamoDB
    name : str
    """

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

    def project(self, row: Mapping[str, Any]) -> bool:
        """Write what the projection owns of a row, unless the row reports a newer event; tell whether it was written.

        The same event may write again: that is how a replay repairs a row a bug has spoilt. Attributes that others
        own stay as they are.

        Raises
        ------
        UnavailableError
            If DynamoDB did not do it.
        """
        try:
            self._client.update_item(
                TableName=self._name,
                Key={key: encoded(row[key]) for key in ("CustomerId", "DateOrderId")},
                UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in OWNED),
                ConditionExpression="attribute_not_exists(#EventId) OR #EventId = :EventId OR #EventTime < :EventTime",
                ExpressionAttributeNames={f"#{name}": name for name in OWNED},
                ExpressionAttributeValues={f":{name}": encoded(row[name]) for name in OWNED},
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        except (ClientError, BotoCoreError) as error:
            raise UnavailableError("DynamoDB did not take the row") from error
        return True

    def order(self, customer_id: str, order_id: str) -> str:
        """Read an order's JSON text; of several rows with this id (the date was changed), the newest event's.

        Raises
        ------
        NotFoundError
            If there is no such row (yet).
        UnavailableError
            If DynamoDB did not answer.
        """
        if any(len(key.encode()) > DYNAMODB_KEY_BYTES for key in (customer_id, order_id)):
            raise NotFoundError("no row has so long a key")
        try:
            answer = self._client.query(
                TableName=self._name,
                IndexName=ORDER_INDEX,
                KeyConditionExpression="CustomerId = :customer AND OrderId = :order",
                ExpressionAttributeValues={":customer": encoded(customer_id), ":order": encoded(order_id)},
                ConsistentRead=True,
            )
        except (ClientError, BotoCoreError) as error:
            raise UnavailableError("DynamoDB did not answer") from error
        if not answer["Items"]:
            raise NotFoundError("no such order")
        newest = max(answer["Items"], key=lambda item: item["EventTime"]["S"])
        text: str = newest["Order"]["S"]
        return text
