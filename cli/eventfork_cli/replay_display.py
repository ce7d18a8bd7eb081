"""Plans and jobs of replay control, for people."""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from eventfork_cli.display import Cell, Column, block, lines, moment, printable, records, span, styled, table

__all__ = ["WORKING", "Line", "headline", "job", "jobs", "next_step", "plan", "standing"]

_STYLES: Final[Mapping[str, str]] = {
    "PLANNED": "blue",
    "WAITING": "yellow",
    "CANARY": "cyan",
    "RUNNING": "cyan",
    "PAUSED": "bold yellow",
    "COMPLETED": "bold green",
    "FAILED": "bold red",
    "CANCELLED": "magenta",
}
WORKING: Final = frozenset({"WAITING", "CANARY", "RUNNING"})
"""In any other state a job stays until somebody says so."""
_MOVING: Final = frozenset({"CANARY", "RUNNING"})
_FILTERS: Final = (
    ("types", "type", "types"),
    ("customers", "customer", "customers"),
    ("orders", "order", "orders"),
)
_HISTORY: Final = (Column("at"), Column("actor"), Column("action"), Column("state"), Column("reason"))
_JOBS: Final = (
    Column("job"),
    Column("state"),
    Column("source"),
    Column("targets"),
    Column("window"),
    Column("sent", numbers=True),
    Column("planned", numbers=True),
    Column("requested"),
    Column("reason"),
)

Line = Callable[..., str]
"""Gives a command line about replays."""


def plan(console: Console, planned: Mapping[str, Any]) -> None:
    """Print what a replay would be."""
    seconds = planned["seconds"]
    takes = "not known, as the pace is not limited" if seconds is None else span(Decimal(seconds))
    events = f"{planned['events']:,}" if planned["exact"] else f"about {planned['events']:,}"
    block(
        console,
        [
            *_what(planned, ", ".join(one["name"] for one in planned["targets"])),
            ("events", events),
            ("takes", takes),
            ("costs", f"{planned['costUsd']} USD, without what consumers do"),
            ("starts", f"{moment(planned['startsAt'])} at the earliest"),
        ],
    )
    for note in planned["notes"]:
        lines(console, f"Note: {note}", "yellow")


def job(console: Console, shown: Mapping[str, Any]) -> None:
    """Print all about a job, and its history."""
    rows: list[tuple[str, Cell]] = [
        ("job", shown["id"]),
        ("state", _state(shown["state"])),
        *_what(shown, ", ".join(shown["targets"])),
        ("events", _counted(shown)),
        ("reason", shown["reason"]),
        ("actor", f"{shown['actor']}{' (forced)' if shown['forced'] else ''}"),
        ("requested", moment(shown["requestedAt"])),
        ("starts", f"{moment(shown['startsAt'])} at the earliest"),
        ("started", moment(shown["startedAt"])),
        ("ended", moment(shown["endedAt"])),
        ("outcome", shown["outcome"] or ""),
        ("run", str(shown["run"])),
    ]
    block(console, [(name, content) for name, content in rows if content])
    if shown["history"]:
        console.print()
        table(
            console,
            _HISTORY,
            [
                (moment(one["at"]), one["actor"], one["action"], _state(one["state"]), one["reason"])
                for one in shown["history"]
            ],
        )


def jobs(console: Console, shown: list[Mapping[str, Any]]) -> None:
    """Print jobs, a row for each."""
    records(console, _JOBS, [_row(one) for one in shown])


def _row(shown: Mapping[str, Any]) -> tuple[Cell, ...]:
    planned = shown["counts"]["planned"]
    return (
        shown["id"],
        _state(shown["state"]),
        shown["source"],
        tuple(shown["targets"]),
        _window(shown["window"]),
        f"{shown['counts']['sent']:,}",
        "" if planned is None else f"{planned:,}",
        moment(shown["requestedAt"]),
        shown["reason"],
    )


def standing(shown: Mapping[str, Any]) -> str:
    """Tell in one line how far a job is."""
    parts = [_counted(shown)]
    if shown["state"] == "WAITING" and not shown["startedAt"]:
        parts.append(f"starts {moment(shown['startsAt'])} at the earliest")
    pace, planned = shown["paceNow"], shown["counts"]["planned"]
    if shown["state"] in _MOVING and pace:
        parts.append(f"{_number(pace)} per second")
        left = (planned or 0) - shown["counts"]["sent"] - shown["counts"]["parked"]
        if left > 0:
            parts.append(f"{span(left / Decimal(pace))} left")
    if shown["state"] in WORKING and shown["outcome"]:
        parts.append(shown["outcome"])
    return ", ".join(parts)


def next_step(shown: Mapping[str, Any], line: Line) -> Iterator[str]:
    """Say what can be done about a job as it is."""
    name = shown["id"]
    match shown["state"]:
        case "PLANNED":
            yield f"Start it: {line('start', name, '--reason', 'WHY')}"
        case "PAUSED":
            yield f"It is paused. Go on: {line('resume', name, '--reason', 'WHY')}"
            yield f"Or give it up: {line('stop', name, '--reason', 'WHY')}"
        case "FAILED" | "CANCELLED":
            yield f"What was sent stays sent. Go on where it ended: {line('resume', name, '--reason', 'WHY')}"
        case "COMPLETED":
            pass
        case _:
            yield f"Watch it: {line('watch', name)}"
    if parked := shown["counts"]["parked"]:
        are = "event is" if parked == 1 else "events are"
        yield f"{parked:,} {are} in the quarantine of replays (ReplayJobQuarantineQueueUrl), each with its reason."


def headline(shown: Mapping[str, Any]) -> Text:
    """Give in one line a job's state, in its colour, and how far it is."""
    return Text.assemble(_state(shown["state"]), printable(f": {standing(shown)}"))


def _state(name: str) -> Text:
    return styled(name, _STYLES.get(name, ""))


def _what(said: Mapping[str, Any], targets: str) -> Iterator[tuple[str, Cell]]:
    archive = said.get("archive")
    yield "source", f"{said['source']} {archive}" if archive else said["source"]
    yield "window", _window(said["window"])
    yield "targets", targets
    if told := _filter(said["filter"]):
        yield "only", told
    pace = said["pace"]
    yield "pace", "as fast as it goes" if pace is None else f"{_number(pace)} events per second"
    if said["canary"]:
        yield "canary", f"{said['canary']:,} first"


def _filter(said: Mapping[str, Any]) -> str:
    parts = [
        f"{one if len(said[key]) == 1 else several} {', '.join(said[key])}"
        for key, one, several in _FILTERS
        if said.get(key)
    ]
    return "; ".join([*parts, f"where {said['expression']}"] if said.get("expression") else parts)


def _counted(shown: Mapping[str, Any]) -> str:
    counts = shown["counts"]
    planned = counts["planned"]
    parts = [f"{counts['sent']:,} sent" if planned is None else f"{counts['sent']:,} sent of {planned:,} planned"]
    if counts["skipped"]:
        parts.append(f"{counts['skipped']:,} left out")
    if counts["parked"]:
        parts.append(f"{counts['parked']:,} in quarantine")
    return ", ".join(parts)


def _window(window: Mapping[str, str]) -> str:
    return f"{moment(window['from'])} to {moment(window['to'])}"


def _number(value: int | Decimal) -> str:
    return f"{float(value):,g}"
