"""Values of options that click does not know: moments, lengths of time, and exact numbers."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import click

__all__ = ["Instant", "Length", "Moment", "Positive", "resolved"]

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LENGTH: Final = re.compile(r"(?P<count>[0-9]{1,6})(?P<unit>[smhdw])")
_LONGEST: Final = timedelta(days=36_500)


def _length(text: str) -> timedelta | None:
    found = _LENGTH.fullmatch(text.strip().lower())
    if found is None:
        return None
    length = timedelta(**{_UNITS[found["unit"]]: int(found["count"])})
    return length if timedelta(0) < length <= _LONGEST else None


class Length(click.ParamType[timedelta]):
    """A length of time, such as 90m, 2h or 3d."""

    name = "length"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Read it."""
        length = _length(value)
        if length is None:
            self.fail(f"{value!r} is no length of time: write it as 90m, 2h or 3d (s, m, h, d or w).", param, ctx)
        return length


class Instant(click.ParamType[datetime]):
    """A moment, as RFC 3339 has it."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read it."""
        return _instant(value, "", param, ctx)


class Moment(click.ParamType[datetime | timedelta]):
    """A moment: RFC 3339, or how long ago it was, which is resolved when the time is known."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime | timedelta:
        """Read it; a length of time means so long ago."""
        ago = _length(value)
        if ago is not None:
            return ago
        return _instant(value, ", or as how long ago it was (90m, 2h, 3d)", param, ctx)


def _instant(text: str, otherwise: str, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
    try:
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
        wrong = "does not say in which time zone: add Z for UTC, or an offset such as +01:00"
    except (ValueError, OverflowError):
        wrong = f"is no moment: write it as 2026-11-26T09:30:00Z{otherwise}"
    raise click.BadParameter(f"{text!r} {wrong}.", ctx=ctx, param=param)


def resolved(moment: datetime | timedelta | None, now: datetime) -> datetime | None:
    """Give the moment that was meant, given the time."""
    return now - moment if isinstance(moment, timedelta) else moment


class Positive(click.ParamType[Decimal]):
    """A number above 0, with every digit that was given."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        """Read it."""
        try:
            number = Decimal(value)
        except InvalidOperation:
            number = Decimal(0)
        if not number.is_finite() or number <= 0:
            self.fail(f"{value!r} is no number above 0.", param, ctx)
        return number
