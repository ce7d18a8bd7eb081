"""Fraud screening: the verdict on an order, by rules that anybody can read."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from eventfork.bus_events import ORDER_PLACED, read, refuse_card_numbers
from eventfork.forwarding import CannotCarryError, Message
from eventfork.limits import DYNAMODB_KEY_BYTES

__all__ = ["CLEAR", "KEYS", "REVIEW", "Rules", "prepare"]

KEYS: Final = ("CustomerId", "OrderId")
CLEAR: Final = "CLEAR"
REVIEW: Final = "REVIEW"
_FIELDS: Final[dict[str, tuple[type, ...]]] = {
    "customerId": (str,),
    "orderId": (str,),
    "amount": (int, Decimal),
    "totalQuantity": (int,),
}


@dataclass(frozen=True, slots=True)
class Rules:
    """What is conspicuous.

    Attributes
    ----------
    maximum_amount : Decimal
        The largest amount, whatever the currency, that is not.
    maximum_quantity : int
        The most items that are not.
    """

    maximum_amount: Decimal
    maximum_quantity: int

    def reasons(self, data: Mapping[str, Any]) -> list[str]:
        """Give a sentence for each rule that an order breaks."""
        found = []
        if data["amount"] > self.maximum_amount:
            found.append(f"The amount is above {self.maximum_amount:f}.")
        if data["totalQuantity"] > self.maximum_quantity:
            found.append(f"The quantity is above {self.maximum_quantity}.")
        return found


def prepare(message: Message, maximum_hops: int, rules: Rules) -> dict[str, Any]:
    """Give the row with the verdict on the order that a message reports.

    Raises
    ------
    CannotCarryError
        If it reports no order, or came too far: see `bus_events.read`.
    """
    event = read(message, ORDER_PLACED, maximum_hops)
    for name, types in _FIELDS.items():
        value = event.data.get(name)
        if not isinstance(value, types) or isinstance(value, bool) or value == "":
            raise CannotCarryError(f"/{name} is missing or of another type")
        if isinstance(value, str) and len(value.encode()) > DYNAMODB_KEY_BYTES:
            raise CannotCarryError(f"/{name} is longer than {DYNAMODB_KEY_BYTES} bytes")
    refuse_card_numbers(event, "customerId", "orderId")
    reasons = rules.reasons(event.data)
    return {
        "CustomerId": event.data["customerId"],
        "OrderId": event.data["orderId"],
        "Result": REVIEW if reasons else CLEAR,
        "Reasons": " ".join(reasons),
        "EventId": event.id,
        "EventTime": event.time,
    }
