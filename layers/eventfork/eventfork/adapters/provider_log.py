"""Amazon DynamoDB: what the simulated payment provider is told, what it was asked, and what became of it."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final

from eventfork.adapters.service_failures import translated
from eventfork.attribute_values import decoded, encoded
from eventfork.provider_simulator import Behaviour, Charge, Mode, Outcome, Received
from eventfork.timestamps import timestamp

__all__ = ["ProviderLog"]

_BEHAVIOUR: Final = "behaviour"
_OUTCOME: Final = "outcome"
_REQUEST: Final = "request"
_SECOND: Final = "second"
_SECONDS_KEPT: Final = timedelta(minutes=1)

Row = dict[str, str | int | Decimal]


class ProviderLog:
    """The simulated provider's table; it implements `eventfork.provider_simulator.Log`.

    Parameters
    ----------
    client : botocore client of DynamoDB
    table_name : str
    kept : timedelta
        How long requests and outcomes are kept.
    """

    def __init__(self, client: Any, table_name: str, kept: timedelta) -> None:
        self._client = client
        self._name = table_name
        self._kept = kept

    def behaviour(self) -> Behaviour | None:
        """Give how the provider is to behave; None if it was never told.

        Raises
        ------
        UnavailableError
            If DynamoDB did not answer.
        """
        row = self._row(_BEHAVIOUR, _BEHAVIOUR)
        if row is None:
            return None
        return Behaviour(Mode(row["Mode"]), datetime.fromisoformat(row["Since"]), row.get("Figure"))

    def behave(self, behaviour: Behaviour) -> None:
        """Keep how the provider is to behave.

        Raises
        ------
        UnavailableError
            If DynamoDB did not do it.
        """
        row: Row = {"Mode": behaviour.mode.value, "Since": timestamp(behaviour.since)}
        if behaviour.figure is not None:
            row["Figure"] = behaviour.figure
        self._put(_BEHAVIOUR, _BEHAVIOUR, row)

    def admit(self, now: datetime, most: int) -> bool:
        """Count one request more in this second, unless there were so many; tell whether it was counted.

        Raises
        ------
        UnavailableError
            If DynamoDB did not do it.
        """
        with translated("DynamoDB", "count the request"):
            try:
                self._client.update_item(
                    TableName=self._name,
                    Key=_key(_SECOND, str(int(now.timestamp()))),
                    UpdateExpression="SET ForgottenAt = :forgotten ADD Admitted :one",
                    ConditionExpression="attribute_not_exists(Admitted) OR Admitted < :most",
                    ExpressionAttributeValues={
                        ":forgotten": encoded(int((now + _SECONDS_KEPT).timestamp())),
                        ":one": encoded(1),
                        ":most": encoded(most),
                    },
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                return False
        return True

    def settle(self, outcome: Outcome) -> Outcome | None:
        """Keep an outcome, unless its key has one already: then give that.

        Raises
        ------
        UnavailableError
            If it cannot be known whether it was kept.
        """
        # A key may be longer than a sort key.
        entry = sha256(outcome.key.encode()).hexdigest()
        try:
            self._put(_OUTCOME, entry, self._outcome_row(outcome), ConditionExpression="attribute_not_exists(Entry)")
        except _ThereAlreadyError:
            row = self._row(_OUTCOME, entry)
            earlier = None if row is None else _outcome(row)
            # The client's own second attempt finds what its first has written.
            return None if earlier == outcome else earlier
        return None

    def keep(self, received: Received) -> None:
        """Keep a request.

        Raises
        ------
        UnavailableError
            If DynamoDB did not do it.
        """
        row: Row = {
            "Id": received.id,
            "At": timestamp(received.at),
            "Mode": received.mode.value,
            "Status": received.status,
            "IdempotencyKey": received.key,
            "CustomerId": received.customer_id,
            "OrderId": received.order_id,
            "IsRepeat": int(received.is_repeat),
            "ForgottenAt": self._forgotten_at(received.at),
        }
        self._put(_REQUEST, f"{timestamp(received.at)}#{received.id}", row)

    def received(self) -> Iterator[Received]:
        """Give every request that is kept, the oldest first.

        Raises
        ------
        UnavailableError
            If DynamoDB did not answer.
        """
        return map(_received, self._rows(_REQUEST))

    def outcomes(self) -> Iterator[Outcome]:
        """Give every outcome that is kept.

        Raises
        ------
        UnavailableError
            If DynamoDB did not answer.
        """
        return map(_outcome, self._rows(_OUTCOME))

    def _outcome_row(self, outcome: Outcome) -> Row:
        row: Row = {
            "IdempotencyKey": outcome.key,
            "CustomerId": outcome.charge.customer_id,
            "OrderId": outcome.charge.order_id,
            "PaymentId": outcome.charge.payment_id,
            # As text: DynamoDB's numbers have fewer digits than an amount may.
            "Amount": str(outcome.charge.amount),
            "Currency": outcome.charge.currency,
            "At": timestamp(outcome.at),
            "ForgottenAt": self._forgotten_at(outcome.at),
        }
        if outcome.charge_id is not None:
            row["ChargeId"] = outcome.charge_id
        if outcome.reason is not None:
            row["DeclineReason"] = outcome.reason
        return row

    def _forgotten_at(self, at: datetime) -> int:
        return int((at + self._kept).timestamp())

    def _put(self, record: str, entry: str, row: Row, **condition: str) -> None:
        item = {**_key(record, entry), **{name: encoded(value) for name, value in row.items()}}
        with translated("DynamoDB", "keep it"):
            try:
                self._client.put_item(TableName=self._name, Item=item, **condition)
            except self._client.exceptions.ConditionalCheckFailedException as error:
                raise _ThereAlreadyError from error

    def _row(self, record: str, entry: str) -> dict[str, Any] | None:
        with translated("DynamoDB", "give it"):
            answer = self._client.get_item(TableName=self._name, Key=_key(record, entry), ConsistentRead=True)
        return _decoded(answer["Item"]) if "Item" in answer else None

    def _rows(self, record: str) -> Iterator[dict[str, Any]]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._name,
            KeyConditionExpression="#Record = :record",
            ExpressionAttributeNames={"#Record": "Record"},
            ExpressionAttributeValues={":record": encoded(record)},
            ConsistentRead=True,
        )
        with translated("DynamoDB", "list what there is"):
            for page in pages:
                yield from map(_decoded, page["Items"])


class _ThereAlreadyError(Exception):
    """What was to be put only if it was not there is there."""


def _key(record: str, entry: str) -> dict[str, dict[str, str]]:
    return {"Record": encoded(record), "Entry": encoded(entry)}


def _decoded(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: decoded(value) for name, value in item.items()}


def _received(row: Mapping[str, Any]) -> Received:
    return Received(
        id=row["Id"],
        at=datetime.fromisoformat(row["At"]),
        mode=Mode(row["Mode"]),
        status=int(row["Status"]),
        key=row["IdempotencyKey"],
        customer_id=row["CustomerId"],
        order_id=row["OrderId"],
        is_repeat=bool(row["IsRepeat"]),
    )


def _outcome(row: Mapping[str, Any]) -> Outcome:
    return Outcome(
        key=row["IdempotencyKey"],
        charge=Charge(row["CustomerId"], row["OrderId"], row["PaymentId"], Decimal(row["Amount"]), row["Currency"]),
        at=datetime.fromisoformat(row["At"]),
        charge_id=row.get("ChargeId"),
        reason=row.get("DeclineReason"),
    )
