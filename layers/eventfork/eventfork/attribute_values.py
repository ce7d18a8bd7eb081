"""How DynamoDB writes a value: a text as `{"S": ...}`, a number as `{"N": ...}` with every digit."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

__all__ = ["decoded", "encoded"]


def encoded(value: str | int | Decimal) -> dict[str, str]:
    """Write a text or a number as an attribute value."""
    return {"S": value} if isinstance(value, str) else {"N": f"{value:f}" if isinstance(value, Decimal) else str(value)}


def decoded(attribute: Mapping[str, Any]) -> Any:
    """Read an attribute value: a text as it is, a number as Decimal; any other type stays as DynamoDB writes it."""
    match attribute:
        case {"S": str(text)}:
            return text
        case {"N": str(digits)}:
            return Decimal(digits)
        case _:
            return dict(attribute)
