"""Amazon DynamoDB: the payments table, and what the rows of the orders table say of payments."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from eventfork.adapters.service_failures import CONDITION_FAILED, translated
from eventfork.attribute_values import encoded
from eventfork.order_payments import OrderPayment
from eventfork.payments import DEFERRED, FINAL, KEYS, OF_ONE_STATUS

__all__ = ["OrderRows", "PaymentsTable"]

_FINAL: Final = {f":final{number}": encoded(status) for number, status in enumerate(sorted(FINAL))}
_NOT_FINAL: Final = f"(NOT #Status IN ({', '.join(_FINAL)}))"


class PaymentsTable:
    """The table with a row for each payment; it implements `eventfork.payments.Payments`.

    Parameters
    ----------
    client : botocore client of DynamoDB
    name : str
    """

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

    def status(self, customer_id: str, order_id: str) -> str | None:
        """Give the status of an order's payment as it is now; None if it has none.

        Raises
        ------
        UnavailableError
            If DynamoDB did not answer.
        """
        with translated("DynamoDB", "give the payment"):
            answer = self._client.get_item(
                TableName=self._name,
                Key=dict(zip(KEYS, (encoded(customer_id), encoded(order_id)), strict=True)),
                ConsistentRead=True,
                ProjectionExpression="#Status",
                ExpressionAttributeNames={"#Status": "Status"},
            )
        status: str | None = answer["Item"]["Status"]["S"] if answer.get("Item") else None
        return status

    def write(self, row: Mapping[str, Any]) -> bool:
        """Write a row, unless it has a final status; tell whether it was written.

        What a former status has left is removed, and deferrals are counted.

        Raises
        ------
        UnavailableError
            If DynamoDB did not do it, or it cannot be known whether it did.
        """
        owned = [name for name in row if name not in KEYS]
        left = [name for name in OF_ONE_STATUS if name not in row]
        counted = " ADD Deferrals :one" if row["Status"] == DEFERRED else ""
        try:
            with translated("DynamoDB", "take the payment", answers=CONDITION_FAILED):
                self._client.update_item(
                    TableName=self._name,
                    Key={key: encoded(row[key]) for key in KEYS},
                    UpdateExpression="SET "
                    + ", ".join(f"#{name} = :{name}" for name in owned)
                    + " REMOVE "
                    + ", ".join(f"#{name}" for name in left)
                    + counted,
                    ConditionExpression=f"attribute_not_exists(#Status) OR {_NOT_FINAL}",
                    ExpressionAttributeNames={f"#{name}": name for name in (*owned, *left)},
                    ExpressionAttributeValues={
                        **_FINAL,
                        **{f":{name}": encoded(row[name]) for name in owned},
                        **({":one": encoded(1)} if counted else {}),
                    },
                )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def held(self, index: str, circuit: str) -> tuple[int, datetime | None]:
        """Count the payments that are deferred behind a circuit, and give since when the oldest of them is.

        Raises
        ------
        UnavailableError
            If DynamoDB did not answer.
        """
        asked = {
            "TableName": self._name,
            "IndexName": index,
            "KeyConditionExpression": "#circuit = :circuit",
            "ExpressionAttributeNames": {"#circuit": "Circuit"},
            "ExpressionAttributeValues": {":circuit": encoded(circuit)},
        }
        with translated("DynamoDB", "count the payments"):
            first = self._client.query(**asked, Limit=1)["Items"]
            pages = self._client.get_paginator("query").paginate(**asked, Select="COUNT")
            count = sum(page["Count"] for page in pages)
        return count, datetime.fromisoformat(first[0]["DeferredAt"]["S"]) if first else None


class OrderRows:
    """The rows of the orders table, as far as they say how the order's payment stands.

    Parameters
    ----------
    client : botocore client of DynamoDB
    name : str
    """

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

    def exists(self, customer_id: str, date_order_id: str) -> bool:
        """Tell whether there is a row with this key.

        Raises
        ------
        UnavailableError
            If DynamoDB did not answer.
        """
        with translated("DynamoDB", "give the order"):
            answer = self._client.get_item(
                TableName=self._name,
                Key=_order_key(customer_id, date_order_id),
                ConsistentRead=True,
                ProjectionExpression="CustomerId",
            )
        return "Item" in answer

    def write(self, payment: OrderPayment) -> bool:
        """Write how an order's payment stands into its row, unless that knows better; tell whether it was written.

        A final status stays for good, and a deferral never replaces a later one.

        Raises
        ------
        UnavailableError
            If DynamoDB did not do it, or it cannot be known whether it did.
        """
        known = f"{_NOT_FINAL} AND #at <= :at" if payment.status == DEFERRED else f"{_NOT_FINAL} OR #Status = :status"
        try:
            with translated("DynamoDB", "take the payment's status", answers=CONDITION_FAILED):
                self._client.update_item(
                    TableName=self._name,
                    Key=_order_key(payment.customer_id, payment.date_order_id),
                    UpdateExpression="SET #Status = :status, #at = :at",
                    # Never a row of nothing but this: an order that is gone stays gone.
                    ConditionExpression=f"attribute_exists(CustomerId) AND (attribute_not_exists(#Status) OR {known})",
                    ExpressionAttributeNames={"#Status": "PaymentStatus", "#at": "PaymentStatusAt"},
                    ExpressionAttributeValues={
                        **_FINAL,
                        ":status": encoded(payment.status),
                        ":at": encoded(payment.at),
                    },
                )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True


def _order_key(customer_id: str, date_order_id: str) -> dict[str, dict[str, str]]:
    return {"CustomerId": encoded(customer_id), "DateOrderId": encoded(date_order_id)}
