"""The event on the checkout topic: an order was submitted. A CloudEvent, with attributes to filter by.

NotAnOrderError   a message that reports no order we could store
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, Decimal, localcontext
from typing import Any, Final

from eventfork import orders
from eventfork.card_data import CardDataError, Redactor
from eventfork.json_text import JsonTextError, parse
from eventfork.limits import SNS_FILTER_DECIMALS
from eventfork.timestamps import timestamp

__all__ = [
    "ORDER_SUBMITTED",
    "SOURCE",
    "Attribute",
    "NotAnOrderError",
    "attributes",
    "order_submitted",
    "read_order_submitted",
    "weight",
]

SOURCE: Final = "eventfork.checkout"
ORDER_SUBMITTED: Final = "eventfork.checkout.OrderSubmitted"
_FILTER_STEP: Final = Decimal(1).scaleb(-SNS_FILTER_DECIMALS)


@dataclass(frozen=True, slots=True)
class Attribute:
    """A message attribute of the data type `String` or `Number`."""

    type: str
    value: str


class NotAnOrderError(ValueError):
    """A message that reports no order, or one that can never be stored; its text says why, and quotes nothing."""


def order_submitted(order: Mapping[str, Any], accepted_at: datetime) -> dict[str, Any]:
    """Give the event (CloudEvents 1.0) that reports a valid order without card data."""
    return {
        "specversion": "1.0",
        "id": orders.event_id(dict(order)),
        "source": SOURCE,
        "type": ORDER_SUBMITTED,
        "time": timestamp(accepted_at),
        "subject": str(order["id"]),
        "datacontenttype": "application/json",
        "data": order,
    }


def attributes(event: Mapping[str, Any]) -> dict[str, Attribute]:
    """Give the attributes that subscriptions filter the event by: `type`, `currency` and `amount`.

    The amount is cut, not rounded, to the five decimals that a filter compares: 99.999999 is not "100 and more".
    """
    payment = event["data"]["payment"]
    with localcontext() as context:
        context.prec = 60
        amount = Decimal(payment["amount"]).quantize(_FILTER_STEP, rounding=ROUND_DOWN).normalize()
    return {
        "type": Attribute("String", event["type"]),
        "currency": Attribute("String", payment["currency"]),
        "amount": Attribute("Number", f"{amount:f}"),
    }


def read_order_submitted(body: str, redactor: Redactor) -> dict[str, Any]:
    """Read an event back from a message, and check it as strictly as the API checks an order.

    Other publishers may write to the topic, so its order is checked and freed of card data again.

    Raises
    ------
    NotAnOrderError
        If the message is no such event, or its order can never be stored.
    """
    try:
        event = parse(body)
        if not isinstance(event, dict) or event.get("type") != ORDER_SUBMITTED:
            raise NotAnOrderError(f"not a CloudEvent of the type {ORDER_SUBMITTED}")
        orders.check(event.get("data"))
        order = orders.without_card_data(event["data"], redactor)
        if not isinstance(event.get("id"), str) or not event["id"]:
            raise NotAnOrderError("/id is missing or no text")
        if redactor.text(event["id"]) != event["id"]:
            raise NotAnOrderError("/id has the form of a card number, so it cannot be kept")
        moment = datetime.fromisoformat(event["time"])
        if moment.tzinfo is None:
            raise NotAnOrderError("/time has no offset from UTC")
        accepted_at = timestamp(moment)
    except (KeyError, TypeError):
        raise NotAnOrderError("/time is missing or no text") from None
    except orders.OrderError as error:
        raise NotAnOrderError(f"/data{error.pointer} {error.detail}") from error
    except (JsonTextError, CardDataError) as error:
        raise NotAnOrderError(str(error)) from error
    except NotAnOrderError:
        raise
    except (ValueError, OverflowError):
        raise NotAnOrderError("/time is no day and time that exists") from None
    return {**event, "time": accepted_at, "data": order}


def weight(event_text: str, filter_attributes: Mapping[str, Attribute]) -> int:
    """Give the bytes a message counts on the topic: its body, and its attributes' names, types and values."""
    named = (name + attribute.type + attribute.value for name, attribute in filter_attributes.items())
    return len(event_text.encode()) + sum(len(text.encode()) for text in named)
