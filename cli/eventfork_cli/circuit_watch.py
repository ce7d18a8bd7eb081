"""Watching a circuit until it is closed: a picture in a terminal, elsewhere a line for each change."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import click
from eventfork.circuits import State
from eventfork.json_text import render
from rich.console import Console
from rich.live import Live

from eventfork_cli import circuit_display
from eventfork_cli.clock import Clock
from eventfork_cli.display import lines, output
from eventfork_cli.looks import looks

__all__ = ["watch"]

Circuit = Mapping[str, Any]


class _View(Protocol):
    """What shows a circuit while it is watched."""

    def look(self, circuit: Circuit, *, changed: bool) -> None:
        """Show how it is now."""


class _JsonLines:
    def look(self, circuit: Circuit, *, changed: bool) -> None:
        if changed:
            click.echo(render({"circuit": circuit}))


class _Lines:
    def __init__(self, console: Console) -> None:
        self._console = console

    def look(self, circuit: Circuit, *, changed: bool) -> None:
        if changed:
            lines(self._console, circuit_display.headline(circuit).plain)


class _Picture:
    def __init__(self, live: Live, clock: Clock) -> None:
        self._live = live
        self._clock = clock

    def look(self, circuit: Circuit, *, changed: bool) -> None:
        del changed  # The time goes by in any case.
        self._live.update(circuit_display.picture(self._live.console, circuit, self._clock.now()), refresh=True)


def watch(name: str, show: Callable[[], Circuit], clock: Clock, line: circuit_display.Line, *, as_json: bool) -> int:
    """Watch a circuit until it is closed; give the exit status.

    Parameters
    ----------
    name
        Its name.
    show
        Gives the circuit as it is now.
    clock
        Waits between one look and the next.
    line
        Gives the line of a command about the same stack.
    as_json
        Print a JSON line for each change.
    """
    console = output()
    circuit: Circuit = {}
    try:
        with _view(console, clock, as_json=as_json) as view:
            last = None
            for circuit in looks(show, clock):
                seen = _changing(circuit)
                view.look(circuit, changed=seen != last)
                last = seen
                if circuit["state"] == State.CLOSED:
                    break
    except KeyboardInterrupt:
        # In a script's output this would be no JSON.
        again = line("circuit", "watch", name)
        click.echo(f"This has stopped watching; the circuit stays as it is. Watch it again: {again}", err=as_json)
        return 1
    if not as_json:
        if console.is_terminal:
            console.print(circuit_display.picture(console, circuit, clock.now()))
        for sentence in circuit_display.next_step(circuit, line):
            lines(console, sentence)
    return 0


@contextmanager
def _view(console: Console, clock: Clock, *, as_json: bool) -> Iterator[_View]:
    if as_json:
        yield _JsonLines()
    elif not console.is_terminal:
        yield _Lines(console)
    else:
        with Live(console=console, transient=True, auto_refresh=False) as live:
            yield _Picture(live, clock)


def _changing(circuit: Circuit) -> tuple[Any, ...]:
    """Give what is worth a line of its own; each probe moves the version, and each count its time."""
    held, outage = circuit["held"], circuit["outage"]
    return (
        *(circuit[key] for key in ("state", "changedAt", "mode", "modeExpiresAt", "probes")),
        held and held["count"],
        outage and outage["id"],
    )
