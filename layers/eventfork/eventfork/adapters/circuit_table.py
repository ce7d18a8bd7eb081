"""Amazon DynamoDB: circuits, what is held behind them, and their transitions, all in one table."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from eventfork import circuit_records
from eventfork.adapters.service_failures import CONDITION_FAILED, translated
from eventfork.attribute_values import decoded, encoded
from eventfork.circuits import Circuit, ConflictError, Held, Transition

__all__ = ["CircuitTable"]


class CircuitTable:
    """The table that keeps circuits; it implements `eventfork.circuits.Circuits`.

    Parameters
    ----------
    client : botocore client of DynamoDB
        Before a guarded call one that gives up soon: `eventfork.settings.quick_client`.
    name : str
    """

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

    def load(self, name: str) -> Circuit:
        """Give a circuit as it is now; one that was never written is closed, and has the version 0.

        Raises
        ------
        UnavailableError
            If DynamoDB did not answer.
        """
        return self._circuit(name, consistent=True)

    def glance(self, name: str) -> Circuit:
        """Give a circuit as it was a moment ago: an eventually consistent read, at half the price.

        Raises
        ------
        UnavailableError
            If DynamoDB did not answer.
        """
        return self._circuit(name, consistent=False)

    def save(self, circuit: Circuit) -> None:
        """Write a circuit, if its version is the one after that which is kept.

        Raises
        ------
        ConflictError
            If it is not: nothing was written.
        UnavailableError
            If it cannot be known whether it was written.
        """
        item = _item(circuit_records.circuit_row(circuit))
        try:
            with translated("DynamoDB", "take the circuit", answers=CONDITION_FAILED):
                self._client.put_item(TableName=self._name, Item=item, **_condition(circuit.version - 1))
        except self._client.exceptions.ConditionalCheckFailedException as error:
            # An attempt that DynamoDB carried out, but could not answer, was made again by the client and found its
            # own item. Whoever else writes this version at this moment decided the same.
            if self._read(circuit.name, circuit_records.STATE, consistent=True) != item:
                raise ConflictError from error

    def held(self, name: str) -> Held | None:
        """Give how much work was held when it was last counted; None if it never was.

        Raises
        ------
        UnavailableError
            If DynamoDB did not answer.
        """
        item = self._read(name, circuit_records.HELD, consistent=True)
        return None if item is None else circuit_records.held(_row(item))

    def keep_held(self, name: str, held: Held) -> None:
        """Keep how much work is held, unless a later count is kept already.

        Raises
        ------
        UnavailableError
            If DynamoDB did not take it.
        """
        item = _item(circuit_records.held_row(name, held))
        try:
            with translated("DynamoDB", "take the count", answers=CONDITION_FAILED):
                self._client.put_item(
                    TableName=self._name,
                    Item=item,
                    ConditionExpression="attribute_not_exists(CheckedAt) OR CheckedAt <= :checked",
                    ExpressionAttributeValues={":checked": item["CheckedAt"]},
                )
        except self._client.exceptions.ConditionalCheckFailedException:
            return

    def transitions(self, name: str, limit: int) -> list[Transition]:
        """Give what is on record of a circuit's last changes, the newest first.

        Raises
        ------
        UnavailableError
            If DynamoDB did not answer.
        """
        with translated("DynamoDB", "give the transitions"):
            answer = self._client.query(
                TableName=self._name,
                # "Item" is a word of DynamoDB's own.
                KeyConditionExpression="Circuit = :circuit AND begins_with(#Item, :transition)",
                ExpressionAttributeNames={"#Item": "Item"},
                ExpressionAttributeValues={
                    ":circuit": encoded(name),
                    ":transition": encoded(circuit_records.TRANSITION),
                },
                ScanIndexForward=False,
                ConsistentRead=True,
                Limit=limit,
            )
        return [circuit_records.transition(_row(item)) for item in answer["Items"]]

    def record(self, transition: Transition) -> None:
        """Put a change on record; the same change again is the same record.

        Raises
        ------
        UnavailableError
            If DynamoDB did not take it.
        """
        with translated("DynamoDB", "take the transition"):
            self._client.put_item(TableName=self._name, Item=_item(circuit_records.transition_row(transition)))

    def _circuit(self, name: str, *, consistent: bool) -> Circuit:
        item = self._read(name, circuit_records.STATE, consistent=consistent)
        return Circuit(name) if item is None else circuit_records.circuit(_row(item))

    def _read(self, name: str, sort_key: str, *, consistent: bool) -> Mapping[str, Any] | None:
        with translated("DynamoDB", "give the circuit"):
            answer = self._client.get_item(
                TableName=self._name,
                Key={"Circuit": encoded(name), "Item": encoded(sort_key)},
                ConsistentRead=consistent,
            )
        item: Mapping[str, Any] | None = answer.get("Item")
        return item


def _condition(version: int) -> dict[str, Any]:
    """Give what holds of the item if it has this version, 0 being that of none."""
    if not version:
        return {"ConditionExpression": "attribute_not_exists(Circuit)"}
    return {
        "ConditionExpression": "#Version = :before",
        "ExpressionAttributeNames": {"#Version": "Version"},
        "ExpressionAttributeValues": {":before": encoded(version)},
    }


def _item(row: Mapping[str, str | int | Decimal]) -> dict[str, dict[str, str]]:
    return {name: encoded(value) for name, value in row.items()}


def _row(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: decoded(attribute) for name, attribute in item.items()}
