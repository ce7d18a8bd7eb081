"""Taking an order: from the text of a request to the event that reports it.

RequestError                  the request is wrong before its content is looked at
├── UnsupportedMediaTypeError
└── TooLargeError
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from eventfork import checkout_events, orders
from eventfork.callers import Caller
from eventfork.card_data import Redactor
from eventfork.checkout_events import Attribute
from eventfork.json_text import parse, render
from eventfork.limits import SNS_MESSAGE_BYTES

__all__ = ["Accepted", "RequestError", "TooLargeError", "UnsupportedMediaTypeError", "accept"]


class RequestError(ValueError):
    """A request that is wrong before its content is looked at."""


class UnsupportedMediaTypeError(RequestError):
    """The body is said to be something else than JSON."""


class TooLargeError(RequestError):
    """The order, as an event, weighs more than a topic takes."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """An order that is on the topic."""

    customer_id: str
    order_id: str
    event_id: str

    @property
    def location(self) -> str:
        """Where the order can be read, relative to where it was posted: so it holds behind any domain and stage."""
        return f"orders/{quote(self.customer_id, safe='')}/{quote(self.order_id, safe='')}"


def accept(
    *,
    body: bytes,
    content_type: str,
    caller: Caller,
    accepted_at: datetime,
    publish: Callable[[str, Mapping[str, Attribute]], None],
    redactor: Redactor,
) -> Accepted:
    """Check an order, take its card data out, and publish the event; on return it is on the topic.

    Raises
    ------
    UnsupportedMediaTypeError, TooLargeError, JsonTextError, OrderError, CardDataError
        If the request is wrong; nothing was published.
    NotTheirsError
        If the order is not the caller's; nothing was published.
    UnavailableError
        If the topic did not take the event.
    """
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise UnsupportedMediaTypeError(content_type)
    if len(body) > SNS_MESSAGE_BYTES:
        raise TooLargeError(len(body))
    order = _order(body, redactor)
    caller.check_acts_for(str(order["customer"]["id"]))
    event = checkout_events.order_submitted(order, accepted_at)
    message, attributes = render(event), checkout_events.attributes(event)
    if checkout_events.weight(message, attributes) > SNS_MESSAGE_BYTES:
        raise TooLargeError(len(message))
    publish(message, attributes)
    return Accepted(str(order["customer"]["id"]), str(order["id"]), event["id"])


def _order(body: bytes, redactor: Redactor) -> dict[str, Any]:
    order = parse(body)
    orders.check(order)
    return orders.without_card_data(order, redactor)
