"""Which order has arrived where: the state behind the table, with no engine in it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Protocol

__all__ = ["Arrivals", "OrderArrivals", "Place", "Sighting", "Watch"]

PATIENCE_SECONDS: Final = 300.0


class Place(enum.Enum):
    """Where an order arrives; the value is what it is called."""

    API = "API"
    TOPIC = "topic"
    TABLE = "orders table"
    BACKUP = "backup object"
    REPLAY_QUEUE = "replay queue"
    SEARCH_INDEX = "search index"


@dataclass(frozen=True)
class Sighting:
    """An event was seen at a place.

    Attributes
    ----------
    place : Place
        Where it was seen.
    event_id : str
        The event's id, the same at every place.
    order_id : str
        The order the event tells of.
    amount : Decimal or None
        What the order comes to, where the place tells it.
    """

    place: Place
    event_id: str
    order_id: str
    amount: Decimal | None = None


class Watch(Protocol):
    """Looks at one place."""

    place: Place

    def look(self, pending: Collection[str]) -> Iterable[Sighting]:
        """Return what is newly seen; `pending` are the ids of the events that have not been seen here yet."""


@dataclass(eq=False)
class OrderArrivals:
    """One order's way.

    Attributes
    ----------
    order_id : str
        The order.
    since : float
        When it was sent, or first seen.
    amount : Decimal or None
        What it comes to, once that is known.
    expected_at : sequence of Place
        Where it must arrive, and nowhere else.
    event_id : str or None
        Its event's id, once the API has accepted it.
    seconds : dict
        By place, how long after `since` it was seen there.
    refusal : str
        Why the API did not accept it, if so.
    """

    order_id: str
    since: float
    amount: Decimal | None
    expected_at: Sequence[Place]
    event_id: str | None = None
    seconds: dict[Place, float] = field(default_factory=dict)
    refusal: str = ""

    @property
    def missing(self) -> list[Place]:
        """The places where it must arrive and has not been seen."""
        return [place for place in self.expected_at if place not in self.seconds]

    @property
    def misplaced(self) -> list[Place]:
        """The places where it has been seen and must not arrive."""
        return [place for place in self.seconds if place not in self.expected_at]


class Arrivals:
    """Every order and where it has been seen.

    Parameters
    ----------
    clock
        Gives the time in seconds.
    patience
        Seconds after which an order that has not arrived somewhere is no longer looked for.
    search_minimum
        What an order must come to in order to arrive in the search index; no order arrives there, and it is none of the
        places, when left alone.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        patience: float = PATIENCE_SECONDS,
        *,
        search_minimum: Decimal | None = None,
    ) -> None:
        self._clock = clock
        self._patience = patience
        self._search_minimum = search_minimum
        self._orders: list[OrderArrivals] = []
        self._by_event: dict[str, OrderArrivals] = {}

    @property
    def orders(self) -> Sequence[OrderArrivals]:
        """Every order, the first one first."""
        return tuple(self._orders)

    @property
    def places(self) -> Sequence[Place]:
        """Every place where any order may arrive."""
        return tuple(place for place in Place if place is not Place.SEARCH_INDEX or self._search_minimum is not None)

    def sending(self, order_id: str, amount: Decimal | None = None) -> OrderArrivals:
        """Note that an order is being sent to the API, and what it comes to."""
        order = OrderArrivals(order_id, self._clock(), amount, self._expected_at(amount))
        self._orders.append(order)
        return order

    def accepted(self, order: OrderArrivals, event_id: str) -> None:
        """Note that the API accepted an order as an event."""
        order.event_id = event_id
        self._by_event[event_id] = order
        self._arrived(order, Place.API)

    def refused(self, order: OrderArrivals, reason: str) -> None:
        """Note that the API did not accept an order."""
        order.refusal = reason

    def record(self, sighting: Sighting) -> None:
        """Note what was seen; an event that nobody here sent begins an order of its own."""
        order = self._by_event.get(sighting.event_id)
        if order is None:
            order = self.sending(sighting.order_id, sighting.amount)
            order.event_id = sighting.event_id
            self._by_event[sighting.event_id] = order
        elif order.amount is None and sighting.amount is not None:
            order.amount = sighting.amount
            order.expected_at = self._expected_at(sighting.amount)
        self._arrived(order, sighting.place)

    def pending(self, place: Place) -> set[str]:
        """Return the ids of the events to look for at a place, those that must not arrive there included."""
        now = self._clock()
        return {
            event_id
            for event_id, order in self._by_event.items()
            if place not in order.seconds and now - order.since <= self._patience
        }

    def age(self, order: OrderArrivals) -> float:
        """Return how many seconds ago an order was sent, or first seen."""
        return self._clock() - order.since

    def overdue(self, order: OrderArrivals) -> bool:
        """Tell whether an order is still missing somewhere and no longer looked for."""
        return bool(order.missing) and self.age(order) > self._patience

    def expected(self) -> bool:
        """Tell whether an order that was not refused is still missing somewhere."""
        return any(order.missing and not order.refusal for order in self._orders)

    def _expected_at(self, amount: Decimal | None) -> Sequence[Place]:
        minimum = self._search_minimum
        searched = minimum is not None and amount is not None and amount >= minimum
        return [place for place in self.places if place is not Place.SEARCH_INDEX or searched]

    def _arrived(self, order: OrderArrivals, place: Place) -> None:
        order.seconds.setdefault(place, self._clock() - order.since)
