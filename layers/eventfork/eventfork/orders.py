"""Orders: which are valid, what is kept of their card data, and what identifies one.

OrderError   the document is no valid order; names the field
"""

import uuid
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any, Final

import fastjsonschema

from eventfork import schemas
from eventfork.card_data import LAST_FOUR, Redactor, last_four
from eventfork.json_text import canonical, pointer
from eventfork.limits import DYNAMODB_DIGITS

__all__ = ["OrderError", "check", "event_id", "placed_at", "without_card_data"]

_NAMESPACE: Final = uuid.UUID("6c9c3b1e-4b57-5f0c-9a53-0b8f1f1c7a11")
_KEYS: Final = (("id",), ("customer", "id"), ("payment", "id"))
"""What identifies an order: to mask one of these would make two orders the same."""
_AMOUNT: Final = f"must be a number, more than 0 and less than 10^9, of at most {DYNAMODB_DIGITS} significant digits"
_IDENTIFIER: Final = "must be a whole number from 0 to 2^63 - 1, or a text of 1 to 128 characters other than . and .."


class OrderError(ValueError):
    """A document that is no valid order.

    Attributes
    ----------
    pointer : str
        JSON pointer (RFC 6901) to the field that is wrong or missing; "" is the whole document.
    detail : str
        What is wrong with it, without its value.
    """

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__(f"{pointer or 'the order'} {detail}")
        self.pointer = pointer
        self.detail = detail


@cache
def _validate() -> Any:
    return fastjsonschema.compile(schemas.load("order"), use_default=False)


def check(order: Any) -> None:
    """Check a parsed document against `order.schema.json` and against what no schema can say.

    Beyond the schema: the date is a day that exists, and the amount has at most 38 significant digits, the most that
    DynamoDB keeps exactly.

    Raises
    ------
    OrderError
        For the first field that is wrong or missing.
    """
    try:
        _validate()(order)
    except fastjsonschema.JsonSchemaValueException as error:
        raise _order_error(error) from None
    placed_at(order)
    amount = Decimal(order["payment"]["amount"])
    digits = "".join(map(str, amount.as_tuple().digits)).strip("0")
    if len(digits) > DYNAMODB_DIGITS:
        raise OrderError("/payment/amount", _AMOUNT)


def _order_error(error: fastjsonschema.JsonSchemaValueException) -> OrderError:
    path = error.path[1:]
    if error.rule == "required":
        missing = next(name for name in error.rule_definition if name not in error.value)
        return OrderError(pointer([*path, missing]), "is missing")
    detail = error.message.removeprefix(error.name or "").strip()
    if path[-1:] == ["amount"]:
        detail = _AMOUNT
    elif error.rule == "anyOf":
        detail = _IDENTIFIER if path[-1] in {"id", "product"} else "must be a whole number or a text"
    return OrderError(pointer(path), detail)


def placed_at(order: Any) -> datetime:
    """Give the moment at which an order of valid form was placed, in UTC.

    Raises
    ------
    OrderError
        If that day or time of day does not exist.
    """
    try:
        return datetime.fromisoformat(order["date"].upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise OrderError("/date", "is no day and time that exists") from None


def without_card_data(order: dict[str, Any], redactor: Redactor) -> dict[str, Any]:
    """Give a valid order without card data: of the card, its network and the last four digits of its number stay.

    Raises
    ------
    OrderError
        If an identifier has the form of a card number: masked, it would no longer identify anything. Or if another
        field has, and masked it would not be valid.
    CardDataError
        See `Redactor.document`.
    """
    redacted: dict[str, Any] = redactor.document(order)
    for path in _KEYS:
        if _at(redacted, path) != _at(order, path):
            raise OrderError(pointer(path), "has the form of a card number, so it cannot be kept as an identifier")
    try:
        # A mask is a text, and longer than some numbers: where only a number or a short text may stand, it cannot.
        if redacted is not order:
            check(redacted)
    except OrderError as error:
        raise OrderError(error.pointer, "has the form of a card number, so it cannot be kept here") from error
    digits = last_four(order["payment"].get("card-number"))
    if digits is None:
        return redacted
    return {**redacted, "payment": {**redacted["payment"], LAST_FOUR: digits}}


def _at(document: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        document = document.get(key)
    return document


def event_id(order: dict[str, Any]) -> str:
    """Give the id of the event that reports this order: the same order, sent again, is the same event.

    Takes the order *without* card data: a hash over a card number would betray it to whoever tries all numbers.
    """
    return str(uuid.uuid5(_NAMESPACE, canonical(order)))
