"""Customers: the row that one `customerCreated` event gives."""

from collections.abc import Mapping
from typing import Any, Final

from eventfork.bus_events import CUSTOMER_CREATED, BusEvent, read
from eventfork.card_data import CardDataError, Redactor
from eventfork.forwarding import CannotCarryError, Message
from eventfork.json_text import render
from eventfork.limits import DYNAMODB_PARTITION_KEY_BYTES

__all__ = ["KEYS", "prepare"]

KEYS: Final = ("CustomerId",)


def prepare(message: Message, maximum_hops: int, redactor: Redactor) -> dict[str, Any]:
    """Give the row for a message.

    Raises
    ------
    CannotCarryError
        If it reports no customer, one that can never be stored, or came too far: see `bus_events.read`.
    """
    event = read(message, CUSTOMER_CREATED, maximum_hops)
    identifier = _identifier(event.data)
    try:
        redacted: Mapping[str, Any] = redactor.document(event.data)
    except CardDataError as error:
        raise CannotCarryError(str(error)) from error
    if str(redacted.get("customerId")) != identifier or redactor.text(event.id) != event.id:
        raise CannotCarryError("an identifier has the form of a card number, so it cannot be kept")
    return _row(event, identifier, redacted)


def _row(event: BusEvent, identifier: str, data: Mapping[str, Any]) -> dict[str, Any]:
    name = data.get("customerName")
    if not isinstance(name, str):
        raise CannotCarryError("/customerName is missing or no text")
    return {
        "CustomerId": identifier,
        "CustomerName": name,
        "CustomerData": render(data.get("customerData")),
        "EventId": event.id,
        "EventTime": event.time,
    }


def _identifier(data: Mapping[str, Any]) -> str:
    value = data.get("customerId")
    if type(value) is not int and not isinstance(value, str):
        raise CannotCarryError("/customerId is missing, or neither a whole number nor a text")
    identifier = str(value)
    if not 0 < len(identifier.encode()) <= DYNAMODB_PARTITION_KEY_BYTES:
        raise CannotCarryError(f"/customerId is empty, or longer than {DYNAMODB_PARTITION_KEY_BYTES} bytes")
    return identifier
