"""The commands about replays: what one would do, starting it, holding it, and watching it."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import click
from eventfork.json_text import render
from rich.console import Console

from eventfork_cli import replay_display
from eventfork_cli.clock import Clock, pass_clock
from eventfork_cli.deployment import Deployment
from eventfork_cli.display import lines, output
from eventfork_cli.options import as_json, stack_options
from eventfork_cli.replay_control import ReplayControl
from eventfork_cli.replay_request import Wanted, again, line, wanted_options
from eventfork_cli.replay_watch import watch

__all__ = ["replay"]

_job_id = click.argument("job_id", metavar="JOB_ID")
_reason = click.option("--reason", required=True, metavar="TEXT", help="Why; the ledger keeps it.")


@click.group(
    epilog="The archive repairs consumers of the bus (customers, fraud-screening); queue and backup repair the orders "
    "table (checkout); dlq sends back what a consumer failed."
)
def replay() -> None:
    """Replay events into a consumer, from what kept them.

    \b
    Example:
      eventfork replay plan --source archive --target customers --last 2h
    """  # noqa: D301 - click's mark for lines to be left as they are


@replay.command("plan")
@wanted_options
@click.option("--reason", metavar="TEXT", help="Why; needed for a plan that is kept.")
@click.option(
    "--dry-run/--keep", "dry_run", default=True, help="Only tell, which is the default, or keep the plan to be started."
)
@as_json
@stack_options
@pass_clock
def make_plan(
    clock: Clock, *, wanted: Wanted, reason: str | None, dry_run: bool, as_json: bool, deployment: Deployment
) -> None:
    """Tell what a replay would do; nothing is sent.

    How many events, into what, how long it takes and what it costs, and what could not be seen. It ends with the
    command that starts it, over the window that was planned.

    \b
    Examples:
      eventfork replay plan --source queue --target checkout --last 2h
      eventfork replay plan --source archive --target customers --from 2026-11-26T09:00:00Z --to 2026-11-26T10:30:00Z
      eventfork replay plan --source dlq --target checkout --keep --reason "outage is over"
    """  # noqa: D301 - click's mark for lines to be left as they are
    if not dry_run and not reason:
        raise click.UsageError("A plan that is kept needs its reason: say it with --reason.")
    control = ReplayControl(deployment)
    command = {**wanted.command("plan", clock.now()), **_said(control, reason), "dryRun": dry_run}
    answer = control.ask(command)
    if as_json:
        click.echo(render(answer))
        return
    console = output()
    replay_display.plan(console, answer["plan"])
    if dry_run:
        words = again(command, answer["plan"]["window"])
    else:
        job_id = answer["job"]["id"]
        lines(console, f"The plan is kept as {job_id}.")
        words = ["start", job_id, "--reason", str(reason)]
    lines(console, "Start it:")
    lines(console, f"  {line(deployment, *words)}")


@replay.command()
@click.argument("job_id", metavar="[JOB_ID]", required=False)
@wanted_options
@_reason
@click.option("--watch", "then_watch", is_flag=True, help="Watch it afterwards.")
@as_json
@stack_options
@pass_clock
@click.pass_context
def start(
    context: click.Context,
    clock: Clock,
    *,
    job_id: str | None,
    wanted: Wanted,
    reason: str,
    then_watch: bool,
    as_json: bool,
    deployment: Deployment,
) -> None:
    """Start a replay: the kept plan JOB_ID, or what the options say.

    \b
    Examples:
      eventfork replay start --source archive --target fraud-screening --last 1h --pace 50 --reason "new consumer"
      eventfork replay start replay-20261126T093000-1a2b3c --reason checked --watch
    """  # noqa: D301 - click's mark for lines to be left as they are
    control = ReplayControl(deployment)
    if job_id is not None:
        if wanted:
            raise click.UsageError(f"The kept plan {job_id} says what to replay: leave out the other options.")
        command: dict[str, Any] = {"command": "start", "jobId": job_id}
    else:
        now = clock.now()
        command = {"command": "start", "jobId": _new_id(now), **wanted.command("start", now)}
    asking = line(deployment, "show", command["jobId"])
    answer = control.ask({**command, **_said(control, reason)}, f"see with `{asking}` that it was not started")
    _told(deployment, answer, as_json=as_json, then_watched=then_watch)
    if then_watch:
        context.exit(_watch(deployment, control, answer["job"]["id"], clock, as_json=as_json))


def _moving(name: str, told: str, example: str) -> None:
    """Add a command that moves a job to another state."""

    @replay.command(name, help=f"{told}\n\n\b\nExample:\n  eventfork replay {name} {example}")
    @_job_id
    @_reason
    @as_json
    @stack_options
    def move(job_id: str, reason: str, as_json: bool, deployment: Deployment) -> None:
        control = ReplayControl(deployment)
        answer = control.ask({"command": name, "jobId": job_id, **_said(control, reason)})
        _told(deployment, answer, as_json=as_json)


_moving(
    "pause",
    "Hold a replay where it is, to be resumed.",
    'replay-20261126T093000-1a2b3c --reason "the consumer is slow"',
)
_moving(
    "resume",
    "Go on with a replay that was paused, stopped or failed, from where it was.",
    "replay-20261126T093000-1a2b3c --reason mended",
)
_moving(
    "stop",
    "Give a replay up; what was sent stays sent, and it can be resumed.",
    'replay-20261126T093000-1a2b3c --reason "wrong window"',
)


@replay.command()
@_job_id
@as_json
@stack_options
def show(job_id: str, as_json: bool, deployment: Deployment) -> None:
    """Print all about a replay: what it does, how far it is, and who did what to it.

    \b
    Example:
      eventfork replay show replay-20261126T093000-1a2b3c
    """  # noqa: D301 - click's mark for lines to be left as they are
    answer = ReplayControl(deployment).ask({"command": "show", "jobId": job_id})
    if as_json:
        click.echo(render(answer))
        return
    console = output()
    replay_display.job(console, answer["job"])
    _next_step(console, deployment, answer["job"])


@replay.command("list")
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True, help="Most replays to print.")
@as_json
@stack_options
def list_jobs(limit: int, as_json: bool, deployment: Deployment) -> None:
    """Print the replays that were asked for last, the newest first.

    \b
    Example:
      eventfork replay list --limit 50
    """  # noqa: D301 - click's mark for lines to be left as they are
    answer = ReplayControl(deployment).ask({"command": "list", "limit": limit})
    if as_json:
        click.echo(render(answer))
    elif answer["jobs"]:
        replay_display.jobs(output(), answer["jobs"])
    else:
        lines(output(), "There are no replays yet.")


@replay.command("watch")
@_job_id
@as_json
@stack_options
@pass_clock
@click.pass_context
def watch_job(context: click.Context, clock: Clock, job_id: str, as_json: bool, deployment: Deployment) -> None:
    """Show how far a replay is, until it ends or is paused.

    Interrupting it stops the watching, not the replay. With --json, it prints one line for each change. The exit status
    is 0 when all was replayed, 1 when the replay failed, was stopped, is paused, or goes on unwatched.

    \b
    Example:
      eventfork replay watch replay-20261126T093000-1a2b3c
    """  # noqa: D301 - click's mark for lines to be left as they are
    context.exit(_watch(deployment, ReplayControl(deployment), job_id, clock, as_json=as_json))


def _watch(deployment: Deployment, control: ReplayControl, job_id: str, clock: Clock, *, as_json: bool) -> int:
    def look() -> Mapping[str, Any]:
        job: Mapping[str, Any] = control.ask({"command": "show", "jobId": job_id})["job"]
        return job

    return watch(job_id, look, clock, lambda *words: line(deployment, *words), as_json=as_json)


def _said(control: ReplayControl, reason: str | None) -> dict[str, str]:
    return {"reason": reason or "", "actor": control.actor}


def _new_id(now: datetime) -> str:
    # Made here, so that a request that is sent again because its answer was lost is one replay.
    return f"replay-{now:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"


def _told(deployment: Deployment, answer: Mapping[str, Any], *, as_json: bool, then_watched: bool = False) -> None:
    """Print what became of a job."""
    if as_json:
        click.echo(render(answer))
        return
    console = output()
    if "plan" in answer:
        replay_display.plan(console, answer["plan"])
    job = answer["job"]
    console.print(f"The replay {job['id']} is ", replay_display.headline(job), sep="", soft_wrap=True)
    if not then_watched:
        _next_step(console, deployment, job)


def _next_step(console: Console, deployment: Deployment, job: Mapping[str, Any]) -> None:
    for sentence in replay_display.next_step(job, lambda *words: line(deployment, *words)):
        lines(console, sentence)
