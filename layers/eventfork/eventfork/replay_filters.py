"""Which events of a window are replayed: by type, customer, order, or an expression of the operator's own."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError

__all__ = ["EventFilter", "FilterError", "happened_at", "kind"]


class FilterError(ValueError):
    """An expression that is no JMESPath, or cannot be applied; the text says why."""


@dataclass(frozen=True, slots=True)
class EventFilter:
    """What an event must be to be replayed; what is left empty says nothing.

    Attributes
    ----------
    types : tuple of str
        Its type is one of these: `type` of a CloudEvent, `detail-type` of an event on the bus.
    customers, orders : tuple of str
        It is about one of these customers, one of these orders.
    expression : str
        JMESPath over the whole event; what it gives is true in JMESPath's sense.
    """

    types: tuple[str, ...] = ()
    customers: tuple[str, ...] = ()
    orders: tuple[str, ...] = ()
    expression: str = ""

    def __bool__(self) -> bool:
        """Whether it leaves anything out."""
        return bool(self.types or self.customers or self.orders or self.expression)

    def check(self) -> None:
        """Raise `FilterError` unless its expression can be read."""
        if self.expression:
            try:
                jmespath.compile(self.expression)
            except JMESPathError as error:
                raise FilterError(f"is no JMESPath expression: {str(error).splitlines()[0]}") from error
            except RecursionError as error:
                raise FilterError("is no JMESPath expression that can be read: it nests too deep") from error

    def matches(self, event: Mapping[str, Any]) -> bool:
        """Tell whether an event is to be replayed.

        Raises
        ------
        FilterError
            If the expression cannot be applied to it.
        """
        customer, order = _about(event)
        return (
            (not self.types or kind(event) in self.types)
            and (not self.customers or customer in self.customers)
            and (not self.orders or order in self.orders)
            and (not self.expression or self._holds(event))
        )

    def _holds(self, event: Mapping[str, Any]) -> bool:
        try:
            found = jmespath.search(self.expression, _plain(event))
        except (JMESPathError, RecursionError, ArithmeticError) as error:
            raise FilterError(f"cannot be applied to an event: {type(error).__name__}") from error
        return bool(found) or (found == 0 and not isinstance(found, bool | str) and found is not None)

    def document(self) -> dict[str, Any]:
        """Give it for JSON: only what it says."""
        lists = {"types": self.types, "customers": self.customers, "orders": self.orders}
        found: dict[str, Any] = {name: list(values) for name, values in lists.items() if values}
        return {**found, "expression": self.expression} if self.expression else found


def kind(event: Mapping[str, Any]) -> str | None:
    """Give the type of a CloudEvent, or of an event on the bus."""
    found = event.get("type") if "specversion" in event else event.get("detail-type")
    return found if isinstance(found, str) else None


def happened_at(event: Mapping[str, Any]) -> datetime | None:
    """Give an event's own time, in UTC; None where it tells none."""
    try:
        moment = datetime.fromisoformat(event["time"])
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (KeyError, OverflowError, TypeError, ValueError):
        return None


def _plain(value: Any) -> Any:
    """Give a document with its fractions as JMESPath knows them: it compares and adds no Decimal."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, list):
        return [_plain(child) for child in value]
    if isinstance(value, dict):
        return {key: _plain(child) for key, child in value.items()}
    return value


def _about(event: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Give the ids of the customer and of the order that an event is about."""
    if "specversion" in event:
        data = _object(event.get("data"))
        return _identifier(_object(data.get("customer")).get("id")), _identifier(data.get("id"))
    detail = _object(event.get("detail"))
    data = _object(detail["data"]) if "metadata" in detail and "data" in detail else detail
    return _identifier(data.get("customerId")), _identifier(data.get("orderId"))


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _identifier(value: Any) -> str | None:
    return None if value is None or isinstance(value, bool) else str(value)
