"""Watching a replay: a bar in a terminal, elsewhere a line for each change, until it needs no more watching."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import click
from eventfork.json_text import render
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from eventfork_cli import replay_display
from eventfork_cli.clock import Clock
from eventfork_cli.display import lines, output, printable
from eventfork_cli.looks import looks

__all__ = ["watch"]

Job = Mapping[str, Any]


class _View(Protocol):
    """What shows a job while it is watched."""

    def change(self, job: Job) -> None:
        """Show how it is now."""


class _JsonLines:
    def change(self, job: Job) -> None:
        click.echo(render({"job": job}))


class _Lines:
    def __init__(self, console: Console) -> None:
        self._console = console

    def change(self, job: Job) -> None:
        lines(self._console, replay_display.headline(job).plain)


class _Bar:
    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def change(self, job: Job) -> None:
        counts = job["counts"]
        done = counts["sent"] + counts["parked"]
        # What was planned may have been counted roughly.
        total = None if counts["planned"] is None else max(counts["planned"], done, 1)
        self._progress.update(
            self._task, completed=done, total=total, state=job["state"], told=printable(replay_display.standing(job))
        )
        self._progress.refresh()


def watch(job_id: str, show: Callable[[], Job], clock: Clock, line: replay_display.Line, *, as_json: bool) -> int:
    """Watch a job until it is still; give the exit status.

    Parameters
    ----------
    job_id
        Its id.
    show
        Gives the job as it is now.
    clock
        Waits between one look and the next.
    line
        Gives a command line about replays.
    as_json
        Print a JSON line for each change.
    """
    console = output()
    job: Job = {}
    try:
        with _view(console, as_json=as_json) as view:
            for job in _changes(show, clock):
                view.change(job)
    except KeyboardInterrupt:
        # In a script's output this would be no JSON.
        click.echo(f"This has stopped watching; the job goes on. Watch it again: {line('watch', job_id)}", err=as_json)
        return 1
    if not as_json:
        _conclude(console, job, line)
    return 0 if job["state"] == "COMPLETED" else 1


@contextmanager
def _view(console: Console, *, as_json: bool) -> Iterator[_View]:
    if as_json:
        yield _JsonLines()
    elif not console.is_terminal:
        yield _Lines(console)
    else:
        columns = (TextColumn("{task.fields[state]}", style="bold"), BarColumn(), TextColumn("{task.fields[told]}"))
        with Progress(*columns, console=console, transient=True, auto_refresh=False) as progress:
            yield _Bar(progress, progress.add_task("", total=None, state="", told=""))


def _changes(show: Callable[[], Job], clock: Clock) -> Iterator[Job]:
    """Give a job whenever it is not as it was, until it is still."""
    last = None
    for job in looks(show, clock):
        seen = job["state"], job["counts"], job["outcome"]
        if seen != last:
            yield job
            last = seen
        if job["state"] not in replay_display.WORKING:
            return


def _conclude(console: Console, job: Job, line: replay_display.Line) -> None:
    if console.is_terminal:
        console.print(replay_display.headline(job), soft_wrap=True)
    if job["outcome"]:
        lines(console, job["outcome"])
    for sentence in replay_display.next_step(job, line):
        lines(console, sentence)
