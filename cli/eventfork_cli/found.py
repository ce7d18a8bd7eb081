"""The events that were found, as lines of a table; one that is no order, or a strange one, leaves cells empty."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from eventfork_cli.display import Cell, Column, money

__all__ = ["COLUMNS", "cells"]

COLUMNS = (
    Column("order"),
    Column("customer"),
    Column("date"),
    Column("amount", numbers=True),
    Column("currency"),
    Column("status"),
    Column("products"),
)


def cells(document: Mapping[str, Any]) -> tuple[Cell, ...]:
    """Give the cells for an event as it stands in the index."""
    order = _object(document.get("data"))
    customer, payment = _object(order.get("customer")), _object(order.get("payment"))
    amount = payment.get("amount")
    return (
        _text(order.get("id")) or _text(document.get("id")),
        (_text(customer.get("name")), _text(customer.get("id"))),
        _text(order.get("date")) or _text(document.get("time")),
        money(Decimal(amount)) if isinstance(amount, int | Decimal) else _text(amount),
        _text(payment.get("currency")).upper(),
        _text(order.get("status")) or _text(document.get("type")),
        tuple(map(_product, order["items"])) if isinstance(order.get("items"), list) else _text(document.get("text")),
    )


def _product(item: Any) -> str:
    item = _object(item)
    return f"{_text(item.get('quantity'))} x {_text(item.get('name')) or _text(item.get('product'))}"


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str:
    return "" if value is None else str(value)
