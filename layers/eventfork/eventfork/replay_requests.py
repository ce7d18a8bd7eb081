"""What a command about replays may say: its JSON read and checked, field by field."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from eventfork.json_text import pointer as json_pointer
from eventfork.limits import SQS_RETENTION_DAYS
from eventfork.replay_filters import EventFilter, FilterError
from eventfork.replay_jobs import FieldError, Source
from eventfork.replay_windows import Window, window

__all__ = ["Asked", "actor", "asked", "job_id", "limit", "only", "reason", "switch"]

_EARLIEST: Final = datetime(2019, 7, 11, tzinfo=UTC)
"""When EventBridge came: no event of a bus or an archive is older. Source: AWS News Blog, "Amazon EventBridge"."""
_JOB_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,40}")
"""It begins the names of replays, which may have 64 characters. EventBridge API reference, "StartReplay"."""
_SLOWEST: Final = Decimal("0.01")
_FASTEST: Final = 100_000
_TEXT_CHARACTERS: Final = 1_000
_KEPT: Final = timedelta(days=SQS_RETENTION_DAYS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked to be replayed, before it is known what that reaches.

    Attributes
    ----------
    source : Source
    window : Window
    targets : tuple of str
        As they were named.
    filter : EventFilter
    pace : float or None
    canary : int
    archive : str
        Empty for the archive of everything.
    forced : bool
    """

    source: Source
    window: Window
    targets: tuple[str, ...]
    filter: EventFilter
    pace: float | None
    canary: int
    archive: str
    forced: bool


def asked(said: Mapping[str, Any], now: datetime) -> Asked:
    """Read what is to be replayed.

    Raises
    ------
    FieldError
        If something about it is wrong.
    """
    source = _source(said.get("source"))
    return Asked(
        source=source,
        window=_window(said, source, now),
        targets=_texts(said.get("targets"), "/targets"),
        filter=_filter(said.get("filter")),
        pace=_pace(said.get("pace")),
        canary=_whole(said.get("canary"), "/canary", 0, 0, 10_000),
        archive=_text(said.get("archive"), "/archive"),
        forced=switch(said, "force", default=False),
    )


def _source(value: Any) -> Source:
    try:
        return Source(value)
    except ValueError:
        raise FieldError("/source", f"is none of {', '.join(Source)}") from None


def _window(said: Mapping[str, Any], source: Source, now: datetime) -> Window:
    end = _moment(said.get("to"), "/to") or now
    start = _moment(said.get("from"), "/from")
    if start is None:
        if source in {Source.ARCHIVE, Source.BACKUP}:
            raise FieldError("/from", f"is missing: a replay from {source} has a window")
        start = end - _KEPT
    if end > now:
        raise FieldError("/to", "is in the future: only what has happened can be replayed")
    if start < _EARLIEST:
        raise FieldError("/from", f"is before {_EARLIEST:%Y-%m-%d}: nothing was kept then")
    if end <= start:
        raise FieldError("/to", "is not after the start of the window")
    return window(start, end)


def _moment(value: Any, pointer: str) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise FieldError(pointer, "is no date and time, such as 2026-11-26T09:30:00Z") from None
    if moment.tzinfo is None:
        raise FieldError(pointer, "has no offset from UTC: add Z, or one such as +01:00")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise FieldError(pointer, "is no date and time that can be told in UTC") from None


def _filter(value: Any) -> EventFilter:
    if value is None:
        return EventFilter()
    if not isinstance(value, dict):
        raise FieldError("/filter", "is no object")
    if unknown := sorted(value.keys() - {"types", "customers", "orders", "expression"}):
        raise FieldError(
            json_pointer(["filter", unknown[0]]), "is not known: filter by types, customers, orders or expression"
        )
    found = EventFilter(
        types=_texts(value.get("types"), "/filter/types"),
        customers=_texts(value.get("customers"), "/filter/customers"),
        orders=_texts(value.get("orders"), "/filter/orders"),
        expression=_text(value.get("expression"), "/filter/expression"),
    )
    try:
        found.check()
    except FilterError as error:
        raise FieldError("/filter/expression", str(error)) from error
    return found


def _pace(value: Any) -> float | None:
    if value is None:
        return None
    # A decimal that is no number compares with none.
    is_number = value.is_finite() if isinstance(value, Decimal) else type(value) in (int, float)
    if not is_number or not _SLOWEST <= value <= _FASTEST:
        raise FieldError("/pace", f"is no number of events per second from {_SLOWEST} to {_FASTEST:,}")
    return float(value)


def _texts(value: Any, pointer: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise FieldError(pointer, "is no list of texts")
    return tuple(dict.fromkeys(value))


def _text(value: Any, pointer: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > _TEXT_CHARACTERS:
        raise FieldError(pointer, f"is no text of at most {_TEXT_CHARACTERS:,} characters")
    return value.strip()


def _whole(value: Any, pointer: str, default: int, least: int, most: int) -> int:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise FieldError(pointer, f"is no whole number from {least:,} to {most:,}")
    return value


def switch(said: Mapping[str, Any], name: str, *, default: bool) -> bool:
    """Read a switch; raise `FieldError` if it is neither true nor false."""
    value = said.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise FieldError(f"/{name}", "is neither true nor false")
    return value


def job_id(said: Mapping[str, Any]) -> str | None:
    """Read a job's id, None where none is given; raise `FieldError` if it cannot be one."""
    value = said.get("jobId")
    if value is None:
        return None
    if not isinstance(value, str) or not _JOB_ID.fullmatch(value):
        raise FieldError("/jobId", "is no id of up to 40 letters, digits, hyphens and underscores")
    return value


def reason(said: Mapping[str, Any]) -> str:
    """Read why something is done; raise `FieldError` if that is not said."""
    found = _text(said.get("reason"), "/reason")
    if not found:
        raise FieldError("/reason", "is missing: the ledger keeps why something was replayed")
    return found


def actor(said: Mapping[str, Any]) -> str:
    """Read who does something."""
    return _text(said.get("actor"), "/actor") or "unknown"


def limit(said: Mapping[str, Any]) -> int:
    """Read how many jobs to list."""
    return _whole(said.get("limit"), "/limit", 20, 1, 100)


def only(said: Mapping[str, Any], names: Sequence[str]) -> None:
    """Raise `FieldError` if a command says something that it has no use for: it was meant to do something."""
    if unknown := sorted(said.keys() - set(names)):
        raise FieldError(json_pointer(unknown[:1]), f"is not known: this command takes {', '.join(names)}")
