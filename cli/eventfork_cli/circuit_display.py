"""Circuits, for people: the state as a picture, and beside it who, why, since when and what is held."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from eventfork.circuits import Mode, State
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from eventfork_cli.display import Cell, Column, moment, parts, printable, records, span, styled

__all__ = ["MODES", "Line", "circuits", "headline", "history", "next_step", "picture"]

_STYLES: Final[Mapping[str, str]] = {
    State.CLOSED: "bold green",
    State.OPEN: "bold red",
    State.HALF_OPEN: "bold yellow",
}
"""Of the states, in the order in which a circuit passes through them."""
MODES: Final[Mapping[str, str]] = {
    Mode.AUTOMATIC: "It opens by itself when calls fail, and closes by itself when probes succeed.",
    Mode.FORCED_OPEN: "Nobody calls the provider: work is held, or refused at once. No probe closes it.",
    Mode.FORCED_CLOSED: "Everybody calls the provider, however many calls fail. Nothing opens it.",
    Mode.METRICS_ONLY: "Everybody calls the provider. What would open it is only counted (CircuitWouldOpen).",
    Mode.DISABLED: "Everybody calls the provider, and nothing is measured. Nothing opens it.",
}
"""What each mode means for whoever calls the provider."""
_CIRCUITS: Final = (
    Column("circuit"),
    Column("state"),
    Column("since", numbers=True),
    Column("mode"),
    Column("held", numbers=True),
    Column("outage"),
    Column("reason"),
)
_HISTORY: Final = (
    Column("at", numbers=True),
    Column("from"),
    Column("to"),
    Column("mode"),
    Column("by"),
    Column("reason"),
    Column("outage"),
)

Line = Callable[..., str]
"""Gives the line of a command about the same stack."""


def picture(console: Console, shown: Mapping[str, Any], now: datetime) -> RenderableType:
    """Give all about a circuit: in a terminal framed in the colour of its state, elsewhere in plain lines.

    Parameters
    ----------
    console
        Where it is to be printed.
    shown
        The circuit.
    now
        The time.
    """
    states = _states(shown["state"], "--" if console.options.ascii_only else "──")
    if not console.is_terminal:
        return parts([("circuit", shown["name"]), ("state", states), *_about(shown, now)])
    return Panel(
        Group(states, "", parts(_about(shown, now))),
        title=styled(shown["name"], "bold"),
        border_style=_STYLES.get(shown["state"], ""),
        expand=False,
        padding=(0, 1),
    )


def circuits(console: Console, shown: Sequence[Mapping[str, Any]]) -> None:
    """Print circuits, a row for each."""
    records(
        console,
        _CIRCUITS,
        [
            (
                one["name"],
                _state(one["state"]),
                moment(one["changedAt"]),
                _mode(one),
                f"{one['held']['count']:,}" if one["held"] else "",
                one["outage"]["id"] if one["outage"] else "",
                one["reason"] or "",
            )
            for one in shown
        ],
    )


def history(console: Console, transitions: Sequence[Mapping[str, Any]]) -> None:
    """Print what a circuit went through, a row for each transition."""
    records(
        console,
        _HISTORY,
        [
            (
                moment(one["at"]),
                _state(one["previousState"] or ""),
                _state(one["state"]),
                one["mode"],
                one["by"],
                one["reason"],
                one["outageId"] or "",
            )
            for one in transitions
        ],
    )


def headline(shown: Mapping[str, Any]) -> Text:
    """Give in one line how a circuit is, its state in its colour."""
    told = [f"since {moment(shown['changedAt'])}"] if shown["changedAt"] else []
    if shown["mode"] != Mode.AUTOMATIC:
        told.append(_mode(shown))
    if shown["held"]:
        told.append(f"{shown['held']['count']:,} held")
    if shown["probes"]:
        told.append(f"probes {_signs(shown).plain}")
    return Text.assemble(_state(shown["state"]), printable(f": {', '.join(told)}" if told else ""))


def next_step(shown: Mapping[str, Any], line: Line) -> Iterator[str]:
    """Say what a circuit's mode means where that is not obvious, and what can be done."""
    name, mode, outage = shown["name"], shown["mode"], shown["outage"]
    if mode != Mode.AUTOMATIC:
        if mode in MODES:
            yield MODES[mode]
        yield f"Leave it to itself again: {line('circuit', 'reset', name, '--reason', 'WHY')}"
    elif shown["state"] != State.CLOSED:
        yield f"It closes by itself when probes succeed. Watch it: {line('circuit', 'watch', name)}"
    if shown["state"] == State.CLOSED and outage:
        yield f"What was held is replayed by the job of the outage: {line('replay', 'watch', outage['id'])}"


def _states(present: str, joint: str) -> Text:
    """Draw the states in a row, and mark the present one."""
    drawn = Text()
    # Another version's function may know more of them.
    for name in _STYLES if present in _STYLES else (*_STYLES, present):
        if drawn:
            drawn.append(f" {joint} ", "dim")
        drawn.append_text(styled(f"[{name}]", _STYLES.get(name, "bold")) if name == present else styled(name, "dim"))
    return drawn


def _about(shown: Mapping[str, Any], now: datetime) -> Iterator[tuple[str, Cell]]:
    if shown["changedAt"]:
        yield "since", f"{moment(shown['changedAt'])}, for {_since(shown['changedAt'], now)}"
    told = shown["changedBy"], shown["reason"]
    if any(told):
        yield "by", _said(*told)
    yield "mode", tuple(_about_mode(shown, told, now))
    if shown["outage"]:
        yield "outage", _outage(shown["outage"], now)
    yield "held", _held(shown["held"], now)
    if shown["probes"] or shown["nextProbeAt"]:
        yield "probes", _probes(shown, now)


def _about_mode(shown: Mapping[str, Any], told: tuple[Any, Any], now: datetime) -> Iterator[str]:
    expires_at = shown["modeExpiresAt"]
    if shown["mode"] == Mode.AUTOMATIC:
        yield shown["mode"]
    elif not expires_at:
        yield f"{_mode(shown)}, until it is reset"
    elif datetime.fromisoformat(expires_at) > now:
        yield f"{_mode(shown)}, {_until(expires_at, now)} left"
    else:
        yield f"{_mode(shown)}, which is past: it ends within a minute"
    # A force that changed the state has told so already.
    said = shown["modeActor"], shown["modeReason"]
    if any(said) and said != told:
        yield f"by {_said(*said)}"


def _outage(outage: Mapping[str, Any], now: datetime) -> tuple[str, ...]:
    told = [f"since {moment(outage['startedAt'])}"]
    if outage["closedAt"]:
        told.append(f"closed {moment(outage['closedAt'])}")
    else:
        told.append(f"for {_since(outage['startedAt'], now)}")
    if outage["cycles"] > 1:
        told.append(f"opened {outage['cycles']:,} times")
    return outage["id"], ", ".join(told)


def _held(held: Mapping[str, Any] | None, now: datetime) -> str:
    if held is None:
        return "not counted yet"
    count = f"{held['count']:,}" if held["count"] else "nothing"
    oldest = f", the oldest for {_since(held['oldest'], now)}" if held["oldest"] else ""
    return f"{count}{oldest} (counted {_since(held['checkedAt'], now)} ago)"


def _probes(shown: Mapping[str, Any], now: datetime) -> Text:
    told = _signs(shown)
    if shown["nextProbeAt"]:
        due = datetime.fromisoformat(shown["nextProbeAt"]) <= now
        told.append(", " if told else "")
        told.append("next one is due" if due else f"next one in {_until(shown['nextProbeAt'], now)}")
    return told


def _signs(shown: Mapping[str, Any]) -> Text:
    """Draw the last probes, the newest last."""
    return Text(" ").join(Text("+", "green") if healthy else Text("-", "red") for healthy in shown["probes"])


def _mode(shown: Mapping[str, Any]) -> str:
    expires_at = moment(shown["modeExpiresAt"])
    return f"{shown['mode']} until {expires_at}" if expires_at else str(shown["mode"])


def _said(who: str | None, why: str | None) -> str:
    return ": ".join(part for part in (who, why) if part)


def _state(name: str) -> Text:
    return styled(name, _STYLES.get(name, ""))


def _since(text: str, now: datetime) -> str:
    # The clock that wrote it may be a little ahead of this one.
    return span(max(Decimal(0), Decimal((now - datetime.fromisoformat(text)).total_seconds())))


def _until(text: str, now: datetime) -> str:
    return span(Decimal((datetime.fromisoformat(text) - now).total_seconds()))
