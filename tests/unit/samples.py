"""What the tests of the layer and of the functions start from: orders, messages off a queue, any JSON documents."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eventfork.forwarding import Message
from eventfork.json_text import parse, render
from hypothesis import strategies as st

PROJECT_ROOT = Path(__file__).parents[2]
ORDER_TEXT = (PROJECT_ROOT / "events" / "order.json").read_text(encoding="utf-8")
SENT_AT = "2026-11-20T08:15:43.188000Z"

CARD_NUMBER = "5500 0055 5555 5559"
CARD = {
    "card-number": CARD_NUMBER,
    "card-expiry": "11/2093",
    "card-owner": "Owner Canary",
    "card-cvv": "cvv-9753",
}
CANARIES = (*CARD.values(), CARD_NUMBER.replace(" ", ""))
"""Card data that stands nowhere else, so that finding it anywhere is a leak."""


def order() -> dict[str, Any]:
    """Give the sample order, parsed."""
    document: dict[str, Any] = parse(ORDER_TEXT)
    return document


def order_with(pointer: str, value: Any) -> dict[str, Any]:
    """Give the sample order with another value at a JSON pointer."""
    document = order()
    parent, step = _parent(document, pointer)
    parent[step] = value
    return document


def order_without(pointer: str) -> dict[str, Any]:
    """Give the sample order without the field at a JSON pointer."""
    document = order()
    parent, step = _parent(document, pointer)
    del parent[step]
    return document


def order_with_canaries() -> dict[str, Any]:
    """Give the sample order, paid with a card whose data stands nowhere else."""
    document = order()
    document["payment"] |= CARD
    return document


def resolve(document: Any, pointer: str) -> Any:
    """Follow a JSON pointer (RFC 6901); raise LookupError if it leads nowhere."""
    for step in pointer.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        document = document[int(key) if isinstance(document, list) else key]
    return document


def _parent(document: dict[str, Any], pointer: str) -> tuple[Any, Any]:
    parent_pointer, _, step = pointer.rpartition("/")
    parent = resolve(document, parent_pointer)
    return parent, int(step) if isinstance(parent, list) else step


def message(body: str | dict[str, Any], message_id: str = "1", attributes: Mapping[str, Any] | None = None) -> Message:
    """Give a message as it is read off a queue; a document becomes its JSON text."""
    text = body if isinstance(body, str) else render(body)
    return Message(id=message_id, body=text, attributes=attributes or {}, sent_at=SENT_AT)


def string(value: str) -> dict[str, Any]:
    """Give a text attribute in the form in which Lambda passes it."""
    return {"dataType": "String", "stringValue": value, "stringListValues": [], "binaryListValues": []}


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**12, max_value=10**19)
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
)
documents = st.recursive(
    scalars,
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=10), children, max_size=4),
    max_leaves=15,
)
"""Any JSON document, as `parse` gives it."""
