"""What is to be replayed: the options that say so, the command that is made of them, and its line to be run again."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from decimal import Decimal
from functools import wraps
from typing import Any, Final

import click
from eventfork.replay_jobs import Source
from eventfork.timestamps import timestamp

from eventfork_cli.deployment import Deployment
from eventfork_cli.values import Length, Moment, Positive, resolved

__all__ = ["Wanted", "again", "line", "wanted_options"]

_OPTIONS: Final = (
    click.option("--source", type=click.Choice([one.value for one in Source]), help="What kept the events."),
    click.option(
        "--target",
        "targets",
        multiple=True,
        metavar="NAME",
        help="Consumer to replay into, or the name or ARN of its replay rule; from the archive, several.",
    ),
    click.option(
        "--from",
        "start",
        type=Moment(),
        metavar="WHEN",
        help="Start of the window: RFC 3339, or how long ago, such as 2h. [default for queue and dlq: 14 days ago]",
    ),
    click.option("--to", "end", type=Moment(), metavar="WHEN", help="End of the window. [default: now]"),
    click.option("--last", type=Length(), metavar="LENGTH", help="From so long ago until now, such as 90m, 2h or 3d."),
    click.option(
        "--type", "types", multiple=True, metavar="TYPE", help="Only events of this type; or of any of several."
    ),
    click.option("--customer", "customers", multiple=True, metavar="ID", help="Only events about this customer."),
    click.option("--order", "orders", multiple=True, metavar="ID", help="Only events about this order."),
    click.option("--where", metavar="JMESPATH", help="Only events for which this expression is true."),
    click.option("--pace", type=Positive(), metavar="N", help="Events per second. [default: as fast as it goes]"),
    click.option("--canary", type=click.IntRange(0), metavar="N", help="Send so many first, and watch them."),
    click.option("--archive", metavar="NAME", help="Archive to replay from. [default: that of everything]"),
    click.option("--force", is_flag=True, help="Overrule the guard rails that can be overruled."),
    click.option(
        "--id", "identifier", metavar="ID", help="Id of the job, which is started only once. [default: a new one]"
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be replayed, as it was said."""

    source: str | None
    targets: tuple[str, ...]
    start: datetime | timedelta | None
    end: datetime | timedelta | None
    last: timedelta | None
    types: tuple[str, ...]
    customers: tuple[str, ...]
    orders: tuple[str, ...]
    where: str | None
    pace: Decimal | None
    canary: int | None
    archive: str | None
    force: bool
    identifier: str | None

    def __bool__(self) -> bool:
        """Whether anything was said."""
        return any(getattr(self, one.name) not in {None, (), False} for one in fields(self))

    def command(self, name: str, now: datetime) -> dict[str, Any]:
        """Give the command of this name, without who gives it and why.

        Raises
        ------
        click.UsageError
            If what was said makes no command.
        """
        if self.source is None:
            raise click.UsageError("Say what to replay from with --source.")
        if self.last is not None and (self.start is not None or self.end is not None):
            raise click.UsageError("--last is a window by itself: leave out --from and --to, or say those instead.")
        start, end = resolved(self.start if self.last is None else self.last, now), resolved(self.end, now)
        said = {
            "types": list(self.types),
            "customers": list(self.customers),
            "orders": list(self.orders),
            "expression": self.where,
        }
        command = {
            "command": name,
            "source": self.source,
            "from": start and timestamp(start),
            "to": end and timestamp(end),
            "targets": list(self.targets),
            "pace": self.pace,
            "canary": self.canary or 0,
            "filter": {key: value for key, value in said.items() if value},
            "archive": self.archive,
            "force": self.force,
        }
        return command if self.identifier is None else {**command, "jobId": self.identifier}


def wanted_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say what is to be replayed, as one argument `wanted`."""

    @wraps(command)
    def with_wanted(*arguments: Any, **options: Any) -> None:
        said = {one.name: options.pop(one.name) for one in fields(Wanted)}
        command(*arguments, wanted=Wanted(**said), **options)

    decorated: Callable[..., None] = with_wanted
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated


def line(deployment: Deployment, *words: str) -> str:
    """Give a command line about replays of the same stack."""
    return deployment.line("replay", *words)


def again(command: Mapping[str, Any], window: Mapping[str, str]) -> list[str]:
    """Give the words that start what a command planned, over the window that was planned."""
    return ["start", *(word for pair in _pairs(command, window) for word in pair)]


def _pairs(command: Mapping[str, Any], window: Mapping[str, str]) -> Iterator[tuple[str, ...]]:
    said = command["filter"]
    yield "--source", command["source"]
    yield from (("--target", one) for one in command["targets"])
    yield "--from", window["from"]
    yield "--to", window["to"]
    for option, key in (("--type", "types"), ("--customer", "customers"), ("--order", "orders")):
        yield from ((option, one) for one in said.get(key, ()))
    for option, value in (
        ("--where", said.get("expression")),
        ("--pace", command["pace"]),
        ("--canary", command["canary"]),
        ("--archive", command["archive"]),
        ("--id", command.get("jobId")),
    ):
        if value:
            yield option, str(value)
    if command["force"]:
        yield ("--force",)
    yield "--reason", command.get("reason") or "WHY"
