"""Bodies that are no order, each with the status and the field that the answer must name."""

import json
from typing import Any, NamedTuple

from tests.templates import PROJECT_ROOT

ORDER_TEXT = (PROJECT_ROOT / "events" / "order.json").read_text(encoding="utf-8")


class BadOrder(NamedTuple):
    """A body, and what the API may answer to it.

    Attributes
    ----------
    statuses : set of int
        One, unless the gateway's model finds another fault first than the function would.
    pointer : str or None
        JSON pointer that must be among the answer's errors; None where no field is at fault.
    """

    name: str
    body: bytes
    statuses: set[int]
    pointer: str | None
    content_type: str = "application/json"


def _changed(path: str, value: Any) -> bytes:
    order = json.loads(ORDER_TEXT)
    *parents, last = path.split("/")
    target = order
    for key in parents:
        target = target[key]
    target[last] = value
    return json.dumps(order).encode()


def _amount(text: str) -> bytes:
    return ORDER_TEXT.replace("128.40", text).encode()


def _without(path: str) -> bytes:
    order = json.loads(ORDER_TEXT)
    *parents, last = path.split("/")
    target = order
    for key in parents:
        target = target[key]
    del target[last]
    return json.dumps(order).encode()


BAD_ORDERS = (
    BadOrder("no amount", _without("payment/amount"), {400}, "/payment/amount"),
    BadOrder("no payment", _without("payment"), {400}, None),
    BadOrder("empty body", b"", {400}, ""),
    BadOrder("300 KB of spaces", b" " * 300_000, {400, 413}, ""),
    BadOrder("a list", b"[]", {400}, ""),
    BadOrder("no JSON", b"an order, please", {400}, ""),
    BadOrder("two documents", ORDER_TEXT.encode() * 2, {400}, ""),
    BadOrder("amount -1", _amount("-1"), {400}, "/payment/amount"),
    BadOrder("amount 0", _amount("0"), {400}, "/payment/amount"),
    BadOrder("amount NaN", _amount("NaN"), {400}, ""),
    BadOrder("amount a text", _amount('"12"'), {400}, "/payment/amount"),
    BadOrder("31 February", _changed("date", "2026-02-31T09:15:42+01:00"), {400}, "/date"),
    BadOrder("no items", _changed("items", []), {400}, "/items"),
    BadOrder("5,000 nested brackets", b"[" * 5000 + b"]" * 5000, {400}, ""),
    BadOrder(
        "nested brackets in a field",
        _changed("customer", {"id": 1}).replace(b'"status"', b'"deep": ' + b"[" * 5000 + b"]" * 5000 + b', "status"'),
        {400},
        "",
    ),
    BadOrder("lone surrogate", _changed("status", "\ud800"), {400}, "/status"),
    BadOrder("a form", b"id=1", {415}, None, "application/x-www-form-urlencoded"),
)
