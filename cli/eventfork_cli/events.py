"""The commands about events on the bus: putting any, and putting back what the order stream could not."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

import click
from eventfork import bus_events
from eventfork.adapters.event_bus import EventBus
from eventfork.adapters.failed_batches import FailedBatches
from eventfork.adapters.sqs import Queue
from eventfork.adapters.table_streams import failed_changes
from eventfork.bus_events import Entry
from eventfork.errors import UnavailableError
from eventfork.forwarding import Message, Prepared
from eventfork.json_text import render
from eventfork.put_back import put_back

from eventfork_cli.clock import Clock, pass_clock
from eventfork_cli.deployment import Deployment
from eventfork_cli.display import lines, output
from eventfork_cli.errors import UnreachableError
from eventfork_cli.event_lines import Producer, read
from eventfork_cli.options import as_json, stack_options
from eventfork_cli.stream_put_back import Batches, Forward, forwarder, uninvolved

__all__ = ["events"]


@click.group()
def events() -> None:
    """Put events on the bus, and put back those that failed.

    \b
    Example:
      eventfork events put --source shop --type parcelSent --detail '{"parcel": 1}'
    """  # noqa: D301 - click's mark for lines to be left as they are


@events.command()
@click.option("--source", metavar="NAME", help="Who tells of the events.")
@click.option("--type", "detail_type", metavar="TYPE", help="What has happened, such as customerCreated.")
@click.option("--detail", metavar="JSON", help="The event, an object.")
@click.option(
    "--file", type=click.File("rb"), help="Events as JSON Lines; - is the standard input, which is the default."
)
@click.option("--flat", is_flag=True, help="Put details as they are, without an envelope of metadata and data.")
@click.option("--id", "identifier", metavar="ID", help="Id of the only event. [default: a fresh one]")
@as_json
@stack_options
@pass_clock
@click.pass_context
def put(
    context: click.Context,
    clock: Clock,
    *,
    source: str | None,
    detail_type: str | None,
    detail: str | None,
    file: BinaryIO | None,
    flat: bool,
    identifier: str | None,
    as_json: bool,
    deployment: Deployment,
) -> None:
    """Put events on the bus, from --detail or from JSON Lines.

    A line is a detail, for which --source and --type are said, or an entry of source, detailType and detail. All lines
    are checked before any event is put. A detail without metadata gets an envelope {"metadata": ..., "data": ...} with
    an id, by which consumers know it again.

    \b
    Examples:
      eventfork events put --source shop --type parcelSent --detail '{"parcel": 1}'
      eventfork events put --source shop --type customerCreated --file customers.jsonl
    """  # noqa: D301 - click's mark for lines to be left as they are
    if detail is not None and file is not None:
        raise click.UsageError("An event comes by --detail or by --file, not by both.")
    named = _lines(file) if detail is None else [("--detail", detail.encode(errors="surrogateescape"))]
    entries = read(Producer(source, detail_type, flat, identifier), named)
    refused, reason = _put(deployment, entries, clock)
    taken, name = len(entries) - refused, deployment.output("EventBusName")
    if as_json:
        click.echo(render({"bus": name, "events": len(entries), "put": taken, "refused": refused, "reason": reason}))
    else:
        lines(output(), f"{taken:,} {'event is' if taken == 1 else 'events are'} on the bus {name}.")
        if refused:
            were = "event was" if refused == 1 else "events were"
            why = f" ({reason})" if reason else ""
            lines(
                output(), f"{refused:,} {were} not taken{why}: check that you may put events there (events:PutEvents)."
            )
    if refused:
        context.exit(1)


def _lines(file: BinaryIO | None) -> Iterator[tuple[str, bytes]]:
    if file is None:
        if sys.stdin.isatty():
            raise click.UsageError(
                "There is nothing to put: give --detail, --file, or JSON Lines on the standard input."
            )
        file = sys.stdin.buffer
    for number, line in enumerate(file, 1):
        if line.strip():
            yield f"Line {number}", line


def _put(deployment: Deployment, entries: Sequence[Entry], clock: Clock) -> tuple[int, str | None]:
    """Put events; give how many were never taken, and why, as far as that is told."""
    bus = EventBus(deployment.client("events"), deployment.output("EventBusName"))
    reason = None

    def putting(call: Sequence[Entry]) -> Sequence[int]:
        nonlocal reason
        try:
            return bus.put(call)
        except UnavailableError as error:
            reason = str(error.__cause__)
            raise

    prepared = [Prepared(Message(str(number), entry.detail, {}, ""), entry) for number, entry in enumerate(entries)]
    return len(bus_events.send(prepared, putting, clock.sleep)), reason


@events.command("put-back")
@click.option("--dry-run", is_flag=True, help="Only count what waits.")
@as_json
@stack_options
@pass_clock
@click.pass_context
def put_batches_back(
    context: click.Context, clock: Clock, *, dry_run: bool, as_json: bool, deployment: Deployment
) -> None:
    """Put changes of orders on the bus that the order stream could not.

    Their batches wait in the failure bucket. Mend the cause first. A batch is deleted when all of it was put on the bus
    or set aside in quarantine; an event that had been put before is put again, as the same event.

    \b
    Examples:
      eventfork events put-back --dry-run
      eventfork events put-back
    """  # noqa: D301 - click's mark for lines to be left as they are
    bucket = deployment.output("OrderStreamFailureBucketName")
    stored = FailedBatches(deployment.client("s3"), bucket, failed_changes)
    batches = Batches(stored, bucket, dry_run)
    try:
        with _bucket_translated(bucket):
            put_back(batches, batches.counting(uninvolved() if dry_run else _forwarder(deployment, clock)))
    except BaseException:
        # Also where it was broken off: what was put until then is on the bus.
        if batches.read:
            _tell(batches, as_json=as_json)
        raise
    _tell(batches, as_json=as_json)
    if batches.damaged or (batches.left and not dry_run):
        context.exit(1)


def _tell(batches: Batches, *, as_json: bool) -> None:
    if as_json:
        click.echo(render(batches.document()))
    else:
        batches.show(output())


def _forwarder(deployment: Deployment, clock: Clock) -> Forward:
    bus = EventBus(deployment.client("events"), deployment.output("EventBusName"))
    quarantine = Queue(deployment.client("sqs"), deployment.output("OrderStreamQuarantineQueueUrl"))
    return forwarder(bus, quarantine, clock.sleep)


@contextmanager
def _bucket_translated(name: str) -> Iterator[None]:
    try:
        yield
    except UnavailableError as error:
        raise UnreachableError(
            f"{error} (bucket {name}: {error.__cause__})",
            "check the network, that the bucket is there, and that you have s3:ListBucket on it, s3:GetObject and "
            "s3:DeleteObject on what is in it, and kms:Decrypt on its key",
        ) from error
