"""What the row of an order says of its payment, by the events that tell of payments."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from eventfork.bus_events import PAYMENT_CAPTURED, PAYMENT_DECLINED, PAYMENT_DEFERRED, BusEvent, read
from eventfork.forwarding import CannotCarryError, Message
from eventfork.limits import DYNAMODB_KEY_BYTES, DYNAMODB_PARTITION_KEY_BYTES
from eventfork.payments import CAPTURED, DECLINED, DEFERRED

__all__ = ["OrderPayment", "prepare"]

_STATUSES: Final = {PAYMENT_CAPTURED: CAPTURED, PAYMENT_DECLINED: DECLINED, PAYMENT_DEFERRED: DEFERRED}


@dataclass(frozen=True, slots=True)
class OrderPayment:
    """How the payment of an order stands.

    Attributes
    ----------
    customer_id, date_order_id : str
        The key of the order's row.
    status : str
        CAPTURED, DECLINED or DEFERRED.
    at : str
        When that was told, RFC 3339 in UTC.
    """

    customer_id: str
    date_order_id: str
    status: str
    at: str


def prepare(message: Message, maximum_hops: int, exists: Callable[[str, str], bool]) -> OrderPayment:
    """Give what a message tells of an order's payment.

    Parameters
    ----------
    message : Message
    maximum_hops : int
    exists : callable
        Tells whether there is a row with that customer's id and that sort key.

    Raises
    ------
    CannotCarryError
        If it tells of no payment, there is no row of its order, or it came too far: see `bus_events.read`.
    """
    event = read(message, _STATUSES, maximum_hops)
    customer_id = _key(event, "customerId", DYNAMODB_PARTITION_KEY_BYTES)
    date_order_id = _key(event, "dateOrderId", DYNAMODB_KEY_BYTES)
    if not exists(customer_id, date_order_id):
        raise CannotCarryError("the orders table has no row of the order that was paid")
    return OrderPayment(customer_id, date_order_id, _STATUSES[event.type], event.time)


def _key(event: BusEvent, name: str, most_bytes: int) -> str:
    value = event.data.get(name)
    if not isinstance(value, str) or not 0 < len(value.encode()) <= most_bytes:
        raise CannotCarryError(f"/{name} is missing, no text, empty, or longer than {most_bytes} bytes")
    return value
