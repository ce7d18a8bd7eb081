"""The commands about circuits: how they are, what they went through, and forcing them."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import click
from eventfork.json_text import render
from eventfork.timestamps import timestamp

from eventfork_cli import circuit_display
from eventfork_cli.circuit_control import CircuitControl
from eventfork_cli.circuit_watch import watch
from eventfork_cli.clock import Clock, pass_clock
from eventfork_cli.deployment import Deployment
from eventfork_cli.display import lines, output
from eventfork_cli.options import as_json, stack_options
from eventfork_cli.values import Instant, Length

__all__ = ["circuit"]

_name = click.argument("name", metavar="CIRCUIT")
_reason = click.option("--reason", required=True, metavar="TEXT", help="Why; it is kept in the circuit's history.")


@click.group(
    epilog="OPEN keeps calls from a provider that fails, and has their work held; HALF_OPEN is about to close, while "
    "probes succeed; CLOSED lets all calls through."
)
def circuit() -> None:
    """Look at circuit breakers, and force them open or closed.

    \b
    Example:
      eventfork circuit show payments
    """  # noqa: D301 - click's mark for lines to be left as they are


@circuit.command("list")
@as_json
@stack_options
def list_circuits(as_json: bool, deployment: Deployment) -> None:
    """Print how every circuit is.

    \b
    Example:
      eventfork circuit list
    """  # noqa: D301 - click's mark for lines to be left as they are
    answer = CircuitControl(deployment).ask({"command": "list"})
    if as_json:
        click.echo(render(answer))
    elif answer["circuits"]:
        circuit_display.circuits(output(), answer["circuits"])
    else:
        lines(output(), "There are no circuits.")


@circuit.command()
@_name
@as_json
@stack_options
@pass_clock
def show(clock: Clock, name: str, as_json: bool, deployment: Deployment) -> None:
    """Print how a circuit is, and what is held.

    \b
    Example:
      eventfork circuit show payments
    """  # noqa: D301 - click's mark for lines to be left as they are
    answer = CircuitControl(deployment).ask({"command": "show", "circuit": name})
    _told(deployment, answer, clock, as_json=as_json)


@circuit.command()
@_name
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True, help="Most changes to print.")
@as_json
@stack_options
def history(name: str, limit: int, as_json: bool, deployment: Deployment) -> None:
    """Print what happened to a circuit, the newest first.

    \b
    Example:
      eventfork circuit history payments --limit 50
    """  # noqa: D301 - click's mark for lines to be left as they are
    answer = CircuitControl(deployment).ask({"command": "history", "circuit": name, "limit": limit})
    if as_json:
        click.echo(render(answer))
    elif answer["transitions"]:
        circuit_display.history(output(), answer["transitions"])
    else:
        lines(output(), f"Nothing has happened to the circuit {name} yet.")


def _until(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that end a force."""
    lasting = click.option(
        "--for", "lasting", type=Length(), metavar="LENGTH", help="End it by itself after so long, such as 90m or 2h."
    )
    until = click.option(
        "--until",
        type=Instant(),
        metavar="MOMENT",
        help="End it by itself at this moment, RFC 3339. [default: when it is reset]",
    )
    return lasting(until(command))


def _forcing(command: str, told: str, example: str) -> None:
    """Add a command that forces a circuit."""

    @circuit.command(command, help=f"{told}\n\n\b\nExample:\n  eventfork circuit {command} {example}")
    @_name
    @_reason
    @_until
    @as_json
    @stack_options
    @pass_clock
    def force(
        clock: Clock,
        *,
        name: str,
        reason: str,
        lasting: timedelta | None,
        until: datetime | None,
        as_json: bool,
        deployment: Deployment,
    ) -> None:
        ends = _end(lasting, until, clock.now())
        said = {} if ends is None else {"expiresAt": timestamp(ends)}
        answer = _changed(deployment, {"command": command, "circuit": name, "reason": reason, **said})
        _told(deployment, answer, clock, as_json=as_json)


_forcing(
    "force-open",
    "Keep all calls from the provider.\n\nWork is held, or refused at once, and no probe closes the circuit.",
    'payments --for 2h --reason "the provider charges twice"',
)
_forcing(
    "force-close",
    "Let all calls through, however many fail.\n\nNothing opens the circuit, and what was held is replayed.",
    'payments --for 30m --reason "only the health endpoint is broken"',
)
_forcing(
    "disable",
    "Let all calls through, and measure nothing.\n\nNothing opens the circuit, and what was held is replayed.",
    'payments --until 2026-11-26T18:00:00Z --reason "load test against a stub"',
)
_forcing(
    "metrics-only",
    "Let all calls through, and count what would open it.\n\nNothing opens the circuit, and what was held is replayed.",
    'payments --for 7d --reason "are the thresholds right?"',
)


@circuit.command()
@_name
@_reason
@as_json
@stack_options
@pass_clock
def reset(clock: Clock, name: str, reason: str, as_json: bool, deployment: Deployment) -> None:
    """End a force: the circuit is left to itself again.

    It stays in its state; one that is open closes once probes succeed.

    \b
    Example:
      eventfork circuit reset payments --reason "the provider is back"
    """  # noqa: D301 - click's mark for lines to be left as they are
    answer = _changed(deployment, {"command": "reset", "circuit": name, "reason": reason})
    _told(deployment, answer, clock, as_json=as_json)


@circuit.command("watch")
@_name
@as_json
@stack_options
@pass_clock
@click.pass_context
def watch_circuit(context: click.Context, clock: Clock, name: str, as_json: bool, deployment: Deployment) -> None:
    """Show how a circuit is, until it is closed.

    Interrupting it changes nothing but that. With --json, it prints one line for each change. The exit status is 0 once
    the circuit is closed, 1 when the watching was interrupted before.

    \b
    Example:
      eventfork circuit watch payments
    """  # noqa: D301 - click's mark for lines to be left as they are
    control = CircuitControl(deployment)

    def look() -> Mapping[str, Any]:
        shown: Mapping[str, Any] = control.ask({"command": "show", "circuit": name})["circuit"]
        return shown

    context.exit(watch(name, look, clock, deployment.line, as_json=as_json))


def _end(lasting: timedelta | None, until: datetime | None, now: datetime) -> datetime | None:
    """Give the moment at which a force ends by itself, if it does.

    Raises
    ------
    click.UsageError
        If both options say it, or the moment is past.
    """
    if lasting is not None and until is not None:
        raise click.UsageError("--for and --until both say when it ends: leave out one of them.")
    ends = until if lasting is None else now + lasting
    if ends is not None and ends <= now:
        raise click.UsageError("--until is a moment that is past: say one to come, or how long with --for.")
    return ends


def _changed(deployment: Deployment, command: Mapping[str, Any]) -> dict[str, Any]:
    """Give a command that changes a circuit, with who gives it; give the answer."""
    control = CircuitControl(deployment)
    asking = deployment.line("circuit", "show", command["circuit"])
    return control.ask({**command, "actor": control.actor}, f"see with `{asking}` that it was not changed")


def _told(deployment: Deployment, answer: Mapping[str, Any], clock: Clock, *, as_json: bool) -> None:
    """Print how a circuit is, and what can be done."""
    if as_json:
        click.echo(render(answer))
        return
    console = output()
    shown = answer["circuit"]
    console.print(circuit_display.picture(console, shown, clock.now()))
    for sentence in circuit_display.next_step(shown, deployment.line):
        lines(console, sentence)
