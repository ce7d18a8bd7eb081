"""What `eventfork search put-back` tells: how far it is, which lines are damaged, and what came of it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from eventfork.failed_documents import Extent, Outcome
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from eventfork_cli.display import Column, errors, lines, table

__all__ = ["Report", "progress"]


def progress(outcomes: Iterable[Outcome], there: Extent) -> Iterator[Outcome]:
    """Pass outcomes on, showing on a terminal how much of the bucket they cover, and name damaged lines anywhere."""
    console = errors()
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("Reading", total=there.size)
        for outcome in outcomes:
            bar.advance(task, outcome.stored.size)
            for line in outcome.examples:
                lines(console, f"{outcome.stored.key}, line {line.number}: {line.reason}", "yellow")
            if outcome.damaged > len(outcome.examples):
                more = outcome.damaged - len(outcome.examples)
                lines(console, f"{outcome.stored.key}: {more:,} more damaged lines", "yellow")
            yield outcome


@dataclass(slots=True)
class Report:
    """What came of it all.

    Attributes
    ----------
    bucket, stream : str
        Their names.
    dry_run : bool
        Nothing is put on the stream, only counted.
    objects, documents, taken, removed, damaged : int
        Objects read, documents in them, documents put on the stream, objects deleted, damaged lines.
    errors : Counter
        Documents by the code of the error that kept them out of the index.
    examples : list
        The first damaged lines of each object.
    stream_away : bool
        The stream takes nothing.
    left : int or None
        Objects that are still there; None while that is not known.
    """

    bucket: str
    stream: str
    dry_run: bool
    objects: int = 0
    taken: int = 0
    removed: int = 0
    damaged: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    examples: list[dict[str, Any]] = field(default_factory=list)
    stream_away: bool = False
    left: int | None = None

    @property
    def documents(self) -> int:
        """Documents that were read."""
        return self.errors.total()

    def add(self, outcome: Outcome) -> None:
        """Add what became of an object."""
        self.objects += 1
        self.taken += outcome.taken
        self.removed += outcome.removed
        self.damaged += outcome.damaged
        self.errors += outcome.errors
        self.examples += (
            {"object": outcome.stored.key, "line": line.number, "reason": line.reason} for line in outcome.examples
        )
        self.stream_away |= outcome.stream_away

    def document(self) -> dict[str, Any]:
        """Give it for scripts."""
        return {
            "bucket": self.bucket,
            "stream": self.stream,
            "dry_run": self.dry_run,
            "objects": self.objects,
            "documents": self.documents,
            "errors": dict(self.errors.most_common()),
            "put_back": self.taken,
            "objects_removed": self.removed,
            "objects_left": self.left,
            "damaged_lines": self.damaged,
            "damaged": self.examples,
            "stream_away": self.stream_away,
        }

    def show(self, console: Console) -> None:
        """Print it for people."""
        if self.errors:
            table(
                console,
                (Column("error"), Column("documents", numbers=True)),
                [(code, f"{count:,}") for code, count in self.errors.most_common()],
            )
        for sentence in self._sentences():
            lines(console, sentence)

    def _sentences(self) -> Iterator[str]:
        place = f"s3://{self.bucket}"
        if not self.objects and not self.left:
            yield f"There is nothing to put back in {place}."
            return
        if self.dry_run:
            read = f"{_counted(self.documents, 'document')} in {_counted(self.objects, 'object')}"
            yield f"{read} of {place} can be put back."
        else:
            taken, gone = _counted(self.taken, "document", verb=True), _counted(self.removed, "object", verb=True)
            yield f"{taken} on the stream {self.stream} again; {gone} gone."
        if self.damaged:
            damaged = _counted(self.damaged, "line", verb=True)
            yield f"{damaged} damaged: mend what is damaged, or delete the objects that hold it."
        if self.stream_away:
            yield (
                f"The stream {self.stream} takes nothing: check that it is there and that you may put records on it "
                "(firehose:PutRecordBatch), and run it again."
            )
        if self.left and not self.dry_run:
            yield f"{_counted(self.left, 'object', verb=True)} left in {place}."


def _counted(count: int, noun: str, *, verb: bool = False) -> str:
    one = count == 1
    return f"{count:,} {noun}{'' if one else 's'}{(' is' if one else ' are') if verb else ''}"
