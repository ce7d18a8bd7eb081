"""An order is on the topic before it is accepted, and nothing wrong gets there."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from eventfork import checkout
from eventfork.callers import Caller, NotTheirsError
from eventfork.card_data import CardDataError, Redactor
from eventfork.checkout import Accepted, TooLargeError, UnsupportedMediaTypeError
from eventfork.checkout_events import Attribute, read_order_submitted, weight
from eventfork.errors import UnavailableError
from eventfork.json_text import JsonTextError, parse, render
from eventfork.orders import OrderError, check
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.samples import CANARIES, ORDER_TEXT, order, order_with, order_with_canaries

LIMIT = 256 * 1024
identifiers = st.integers(min_value=0, max_value=2**63 - 1) | st.text(min_size=1, max_size=128)


SERVICE = Caller(customer_id=None, acts_for_any=True)


class Topic:
    """A topic that remembers what was published, or fails as it is told."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.published: list[tuple[str, Mapping[str, Attribute]]] = []
        self._failure = failure

    def publish(self, message: str, attributes: Mapping[str, Attribute]) -> None:
        """Take a message, or fail."""
        if self._failure:
            raise self._failure
        self.published.append((message, attributes))


def accept(
    body: bytes | str | dict[str, Any],
    topic: Topic,
    content_type: str = "application/json",
    caller: Caller = SERVICE,
) -> Accepted:
    text = render(body) if isinstance(body, dict) else body
    return checkout.accept(
        body=text.encode() if isinstance(text, str) else text,
        content_type=content_type,
        caller=caller,
        accepted_at=datetime(2026, 11, 20, 8, 15, 43, tzinfo=UTC),
        publish=topic.publish,
        redactor=Redactor(),
    )


@pytest.mark.parametrize("customer_id", [9027, "9027"], ids=["number", "text"])
def test_customers_place_their_own_orders(customer_id: int | str) -> None:
    """A number and its text are one customer."""
    topic = Topic()
    accept(order_with("/customer/id", customer_id), topic, caller=Caller("9027", acts_for_any=False))
    assert len(topic.published) == 1


@pytest.mark.parametrize("customer_id", ["9028", "09027", "9027 ", "", None])
def test_nobody_places_another_customer_s_order(customer_id: str | None) -> None:
    """Nothing is published."""
    topic = Topic()
    with pytest.raises(NotTheirsError):
        accept(ORDER_TEXT, topic, caller=Caller(customer_id, acts_for_any=False))
    assert not topic.published


def test_an_accepted_order_is_on_the_topic() -> None:
    """Its event is published once, and is what the answer names."""
    topic = Topic()
    accepted = accept(ORDER_TEXT, topic)
    [(message, attributes)] = topic.published
    event = read_order_submitted(message, Redactor())
    assert accepted == Accepted(customer_id="9027", order_id="48213", event_id=event["id"])
    assert accepted.location == "orders/9027/48213"
    assert event["time"] == "2026-11-20T08:15:43.000000Z"
    assert set(attributes) == {"type", "currency", "amount"}


def test_card_data_does_not_reach_the_topic() -> None:
    """Neither the message nor its attributes hold any."""
    topic = Topic()
    accept(order_with_canaries(), topic)
    assert not any(canary in str(topic.published) for canary in CANARIES)


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", "Application/JSON ;q=1", " application/json"],
)
def test_the_media_type_is_compared_without_its_parameters(content_type: str) -> None:
    """And without regard to capitals and spaces."""
    assert accept(ORDER_TEXT, Topic(), content_type).order_id == "48213"


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/xml", "application/jsonx", "text/json", "application/x-www-form-urlencoded", ";"],
)
def test_another_media_type_is_refused(content_type: str) -> None:
    """A valid order in the body makes no difference."""
    topic = Topic()
    with pytest.raises(UnsupportedMediaTypeError):
        accept(ORDER_TEXT, topic, content_type)
    assert not topic.published


def test_a_body_that_no_topic_takes_is_refused_unread() -> None:
    """300 KB of spaces are too large before they are no JSON."""
    topic = Topic()
    with pytest.raises(TooLargeError):
        accept(b" " * 300_000, topic)
    with pytest.raises(JsonTextError):
        accept(b" " * LIMIT, topic)
    assert not topic.published


def test_the_event_with_its_attributes_must_fit_the_topic() -> None:
    """To the byte: what is added to an order on its way counts."""
    topic = Topic()
    accept({**order(), "note": ""}, topic)
    room = LIMIT - weight(*topic.published[0])
    accept({**order(), "note": "x" * room}, topic)
    assert weight(*topic.published[1]) == LIMIT
    with pytest.raises(TooLargeError):
        accept({**order(), "note": "x" * (room + 1)}, topic)
    with pytest.raises(TooLargeError):
        accept({**order(), "note": "x" * (room - 1) + "é"}, topic)
    assert len(topic.published) == 2


def test_an_order_that_the_topic_did_not_take_is_not_accepted() -> None:
    """The failure goes to the caller, so that nothing is claimed."""
    with pytest.raises(UnavailableError):
        accept(ORDER_TEXT, Topic(UnavailableError("SNS did not take the event")))


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", JsonTextError),
        (b"[]", OrderError),
        (ORDER_TEXT * 2, JsonTextError),
        (ORDER_TEXT.replace("128.40", "NaN"), JsonTextError),
        (ORDER_TEXT.replace("128.40", "-1"), OrderError),
        (ORDER_TEXT.replace("48213", "4111111111111111"), OrderError),
        ({**order(), "4111111111111111": 1, "4111-111111111111": 2}, CardDataError),
    ],
)
def test_nothing_wrong_is_published(body: Any, error: type[Exception]) -> None:
    """Every check is made before the topic is asked."""
    topic = Topic()
    with pytest.raises(error):
        accept(body, topic)
    assert not topic.published


@given(identifiers, identifiers)
def test_the_location_names_the_order_whatever_its_identifiers(customer_id: int | str, order_id: int | str) -> None:
    """Resolved against any address that the order was posted to, its last two segments are the identifiers."""
    document = order_with("/customer/id", customer_id)
    document["id"] = order_id
    try:
        check(document)
    except OrderError:
        return
    location = Accepted(str(customer_id), str(order_id), "").location
    for base in ("https://api.example.com/checkout", "https://api.example.com/v1/checkout?x=1"):
        url = urlsplit(urljoin(base, location))
        *before, orders_segment, customer, number = url.path.split("/")
        assert [unquote(customer), unquote(number)] == [str(customer_id), str(order_id)]
        assert orders_segment == "orders"
        assert "/".join(before) == urlsplit(base).path.rpartition("/")[0]
        assert not url.query
        assert not url.fragment


@pytest.mark.parametrize("identifier", ["a/b", "ü", "%2F", "?x", "#1", "a b", "...", "../x", ";", "\\", "a:b"])
def test_a_location_keeps_identifiers_apart_from_the_url(identifier: str) -> None:
    """Characters that mean something in a URL are encoded."""
    location = Accepted(identifier, identifier, "").location
    resolved = urljoin("https://api.example.com/v1/checkout", location)
    segments = resolved.removeprefix("https://api.example.com/v1/orders/").split("/")
    assert list(map(unquote, segments)) == [identifier, identifier]


@pytest.mark.parametrize("pointer", ["/id", "/customer/id"])
@pytest.mark.parametrize("identifier", [".", ".."])
def test_an_order_that_no_location_can_name_is_refused(pointer: str, identifier: str) -> None:
    """Clients resolve dot segments, encoded or not, before they ask."""
    with pytest.raises(OrderError) as refusal:
        accept(order_with(pointer, identifier), Topic())
    assert refusal.value.pointer == pointer


@given(st.sampled_from(["/id", "/customer/name", "/items/0/price", "/shipping/time", "/items/1/product"]), st.data())
def test_what_is_accepted_can_be_stored(pointer: str, data: Any) -> None:
    """Accepted means kept: a consumer that checks again takes every event that the API published."""
    value = data.draw(st.integers(min_value=0, max_value=10**19) | st.from_regex(r"\A[2-6][0-9 -]{10,120}\Z"))
    topic = Topic()
    try:
        accept(order_with(pointer, value), topic)
    except OrderError:
        return
    [(message, _)] = topic.published
    assert read_order_submitted(message, Redactor()) == parse(message)
