"""How a moment is written everywhere: one width, in UTC, so that texts compare as the moments do."""

from datetime import UTC, datetime

__all__ = ["timestamp"]


def timestamp(moment: datetime) -> str:
    """Write a moment as RFC 3339 in UTC, to the microsecond."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
