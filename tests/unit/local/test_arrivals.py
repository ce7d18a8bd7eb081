"""The state behind the table: which order has arrived where."""

from decimal import Decimal

from local.arrivals import Arrivals, Place, Sighting

EVERYWHERE = [place for place in Place if place is not Place.SEARCH_INDEX]


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        """Give the time."""
        return self.seconds


def everywhere(arrivals: Arrivals, event_id: str, order_id: str) -> None:
    """See an event at every place."""
    for place in EVERYWHERE:
        arrivals.record(Sighting(place, event_id, order_id))


def test_an_order_has_arrived_once_it_was_seen_everywhere() -> None:
    """An order is expected until the API accepted it and every other place showed its event."""
    arrivals = Arrivals(Clock())
    order = arrivals.sending("17")
    assert order.missing == EVERYWHERE
    arrivals.accepted(order, "event-17")
    assert order.missing == [Place.TOPIC, Place.TABLE, Place.BACKUP, Place.REPLAY_QUEUE]
    assert arrivals.expected()
    everywhere(arrivals, "event-17", "17")
    assert order.missing == []
    assert not arrivals.expected()
    assert arrivals.orders == (order,)


def test_only_what_is_missing_is_pending() -> None:
    """A place is asked for the accepted events that have not been seen there."""
    arrivals = Arrivals(Clock())
    for order_id in ("1", "2"):
        arrivals.accepted(arrivals.sending(order_id), f"event-{order_id}")
    arrivals.sending("not yet accepted")
    arrivals.record(Sighting(Place.TABLE, "event-1", "1"))
    assert arrivals.pending(Place.TABLE) == {"event-2"}
    assert arrivals.pending(Place.BACKUP) == {"event-1", "event-2"}


def test_the_first_sighting_counts() -> None:
    """Seconds run from when an order was sent to when it was first seen, however often it is seen again."""
    clock = Clock()
    arrivals = Arrivals(clock)
    order = arrivals.sending("1")
    clock.seconds += 2
    arrivals.accepted(order, "event-1")
    clock.seconds += 3
    arrivals.record(Sighting(Place.TOPIC, "event-1", "1"))
    clock.seconds += 4
    arrivals.record(Sighting(Place.TOPIC, "event-1", "1"))
    assert order.seconds == {Place.API: 2, Place.TOPIC: 5}


def test_an_event_that_nobody_here_sent_becomes_an_order() -> None:
    """Orders that somebody else sends are followed from their first sighting on."""
    arrivals = Arrivals(Clock())
    arrivals.record(Sighting(Place.TOPIC, "event-9", "9"))
    [order] = arrivals.orders
    assert (order.order_id, order.event_id) == ("9", "event-9")
    assert order.missing == [Place.API, Place.TABLE, Place.BACKUP, Place.REPLAY_QUEUE]


def test_the_same_order_again_is_the_same_row() -> None:
    """A client's retry has the same event id, and adds no row."""
    arrivals = Arrivals(Clock())
    everywhere(arrivals, "event-9", "9")
    everywhere(arrivals, "event-9", "9")
    assert len(arrivals.orders) == 1


def test_a_refused_order_is_not_waited_for() -> None:
    """What the API did not accept arrives nowhere, keeps its reason, and is not pending."""
    arrivals = Arrivals(Clock())
    order = arrivals.sending("1")
    arrivals.refused(order, "the API answered 503")
    assert order.refusal == "the API answered 503"
    assert order.missing == EVERYWHERE
    assert not arrivals.expected()
    assert not arrivals.pending(Place.TABLE)


def test_patience_ends() -> None:
    """An order that is long overdue at a place is no longer looked for there, and said to be overdue."""
    clock = Clock()
    arrivals = Arrivals(clock, patience=60)
    order = arrivals.sending("1")
    arrivals.accepted(order, "event-1")
    clock.seconds += 60
    assert arrivals.pending(Place.TABLE) == {"event-1"}
    assert not arrivals.overdue(order)
    clock.seconds += 1
    assert arrivals.pending(Place.TABLE) == set()
    assert arrivals.overdue(order)
    everywhere(arrivals, "event-1", "1")
    assert not arrivals.overdue(order)


def test_orders_of_the_minimum_and_more_must_arrive_in_the_search_index() -> None:
    """They are missing until they are seen there, and smaller ones are not missing there at all."""
    arrivals = Arrivals(Clock(), search_minimum=Decimal(100))
    orders = [arrivals.sending(amount, Decimal(amount)) for amount in ("99.99999999999999999999999", "100", "128.40")]
    for order in orders:
        arrivals.accepted(order, f"event-{order.order_id}")
        everywhere(arrivals, f"event-{order.order_id}", order.order_id)
    assert arrivals.places == tuple(Place)
    assert [order.missing for order in orders] == [[], [Place.SEARCH_INDEX], [Place.SEARCH_INDEX]]
    assert arrivals.expected()
    for order in orders[1:]:
        arrivals.record(Sighting(Place.SEARCH_INDEX, f"event-{order.order_id}", order.order_id))
    assert not arrivals.expected()
    assert [order.misplaced for order in orders] == [[], [], []]


def test_an_order_where_it_must_not_be_is_misplaced() -> None:
    """A small order is looked for in the search index, and told when it is there."""
    arrivals = Arrivals(Clock(), search_minimum=Decimal(100))
    order = arrivals.sending("1", Decimal(99))
    arrivals.accepted(order, "event-1")
    assert arrivals.pending(Place.SEARCH_INDEX) == {"event-1"}
    arrivals.record(Sighting(Place.SEARCH_INDEX, "event-1", "1"))
    assert order.misplaced == [Place.SEARCH_INDEX]


def test_an_order_of_somebody_else_is_expected_by_what_it_comes_to() -> None:
    """What such an order comes to may be told by a later sighting than the first, and is not told anew."""
    arrivals = Arrivals(Clock(), search_minimum=Decimal(100))
    arrivals.record(Sighting(Place.BACKUP, "event-9", "9"))
    [order] = arrivals.orders
    assert Place.SEARCH_INDEX not in order.missing
    arrivals.record(Sighting(Place.TOPIC, "event-9", "9", Decimal(100)))
    assert Place.SEARCH_INDEX in order.missing
    arrivals.record(Sighting(Place.TOPIC, "event-9", "9", Decimal(1)))
    assert Place.SEARCH_INDEX in order.missing


def test_without_a_search_node_no_order_is_expected_there() -> None:
    """The search index is no place then."""
    arrivals = Arrivals(Clock())
    assert arrivals.places == tuple(EVERYWHERE)
    assert arrivals.sending("1", Decimal(1000)).missing == EVERYWHERE
