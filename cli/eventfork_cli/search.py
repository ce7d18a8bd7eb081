"""The commands about the search pipeline: what sells, which order it is, and putting back what was not indexed."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click
from eventfork.adapters.firehose import DeliveryStream
from eventfork.adapters.opensearch import SearchDomain
from eventfork.adapters.s3 import Bucket
from eventfork.errors import DeniedError, NotFoundError, RefusedError, UnavailableError
from eventfork.failed_documents import examine, extent, put_back, within
from eventfork.json_text import render
from eventfork.kpis import KPIS
from eventfork.search_index import Index, find_query, kpi_query

from eventfork_cli import display, found, kpi_tables
from eventfork_cli.deployment import Deployment
from eventfork_cli.errors import AccessError, NotIndexedError, QueryRefusedError, UnreachableError
from eventfork_cli.options import as_json, stack_options
from eventfork_cli.put_back import Report, progress

__all__ = ["search"]


@click.group()
def search() -> None:
    """Ask the index of orders, and bring back what could not be indexed.

    \b
    Example:
      eventfork search find Ada
    """  # noqa: D301 - click's mark for lines to be left as they are


@search.command(epilog=f"Names: {', '.join(kpi.name for kpi in KPIS)}.")
@click.argument("name", metavar="[NAME]", required=False, type=click.Choice([kpi.name for kpi in KPIS]))
@as_json
@stack_options
def kpis(name: str | None, as_json: bool, deployment: Deployment) -> None:
    """Print the KPI called NAME, or all of them, as tables and bars.

    \b
    Examples:
      eventfork search kpis
      eventfork search kpis most-popular-products --json
    """  # noqa: D301 - click's mark for lines to be left as they are
    chosen = [kpi for kpi in KPIS if name in {None, kpi.name}]
    with _index(deployment) as ask:
        readings = [(kpi, kpi.read(ask(kpi_query(kpi.name)))) for kpi in chosen]
    if as_json:
        click.echo(render({kpi.name: kpi_tables.document(kpi, reading) for kpi, reading in readings}))
        return
    for kpi, reading in readings:
        kpi_tables.show(display.output(), kpi, reading)


@search.command()
@click.argument("text", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="Most events to print.")
@as_json
@stack_options
def find(text: tuple[str, ...], limit: int, as_json: bool, deployment: Deployment) -> None:
    """Print the newest events that hold every word of TEXT.

    Words are sought in ids, names, e-mail addresses, products and free text, whole and in any case.

    \b
    Examples:
      eventfork search find Ada Example
      eventfork search find 48213 --json
    """  # noqa: D301 - click's mark for lines to be left as they are
    words = " ".join(text).strip()
    if not words:
        raise click.UsageError("There is no word to seek: give at least one.")
    with _index(deployment) as ask:
        hits = ask(find_query(words, limit))["hits"]
    total, documents = hits["total"]["value"], [hit["_source"] for hit in hits["hits"]]
    if as_json:
        click.echo(render({"total": total, "documents": documents}))
        return
    output = display.output()
    if documents:
        display.records(output, found.COLUMNS, [found.cells(document) for document in documents])
    more = f", the newest {len(documents):,} of them above: see more with --limit" if total > len(documents) else ""
    display.lines(output, f"{total:,} found{more}.")


@search.command("put-back")
@click.option("--dry-run", is_flag=True, help="Only count what waits, by the code of the error.")
@as_json
@stack_options
@click.pass_context
def put_documents_back(context: click.Context, dry_run: bool, as_json: bool, deployment: Deployment) -> None:
    """Put documents that were not indexed on the stream again.

    They wait in the dead-letter bucket. Mend the cause first: what fails once more comes back there. Doing it twice
    does no harm, as documents keep their id. An object of the bucket is deleted when all its documents were taken; one
    with damaged lines stays, and the lines are named.

    \b
    Examples:
      eventfork search put-back --dry-run
      eventfork search put-back
    """  # noqa: D301 - click's mark for lines to be left as they are
    name, stream_name = deployment.output("SearchDeadLetterBucketName"), deployment.output("SearchStreamName")
    bucket = Bucket(deployment.client("s3"), name)
    report = Report(bucket=name, stream=stream_name, dry_run=dry_run)
    with _bucket_translated(name):
        there = extent(bucket.objects())
        waiting = within(bucket.objects(), there)
        stream = DeliveryStream(deployment.client("firehose"), stream_name)
        outcomes = examine(bucket, waiting) if dry_run else put_back(bucket, waiting, stream.put, time.sleep)
        try:
            for outcome in progress(outcomes, there):
                report.add(outcome)
            report.left = extent(within(bucket.objects(), there)).objects
        finally:
            # Also where it was broken off: what was taken until then is on the stream.
            if as_json:
                click.echo(render(report.document()))
            else:
                report.show(display.output())
    if report.left and not dry_run:
        context.exit(1)


@contextmanager
def _index(deployment: Deployment) -> Iterator[Callable[[Mapping[str, Any]], Mapping[str, Any]]]:
    endpoint, index = deployment.output("SearchEndpoint"), deployment.output("SearchIndexName")
    domain = SearchDomain(endpoint, deployment.session)

    def ask(query: Mapping[str, Any]) -> Mapping[str, Any]:
        answer = domain.search(Index(index).patterns, query)
        if not answer["_shards"]["total"]:
            raise NotIndexedError(index)
        return answer

    try:
        yield ask
    except DeniedError as error:
        raise AccessError(
            str(error),
            f"deploy with SearchOperatorRoleArn={deployment.caller()} (OperatorRoleArn where the pipeline was deployed "
            f"alone), or have that role mapped to eventfork-search-{index}-operator in the domain's security plugin",
        ) from error
    except RefusedError as error:
        raise QueryRefusedError(str(error), index) from error
    except (NotFoundError, UnavailableError) as error:
        raise UnreachableError(
            f"{error} at {endpoint}",
            "check that it can be reached from here (one in a VPC only from inside) and its health",
        ) from error


@contextmanager
def _bucket_translated(name: str) -> Iterator[None]:
    try:
        yield
    except DeniedError as error:
        raise AccessError(
            str(error),
            f"use credentials with s3:ListBucket on {name}, s3:GetObject and s3:DeleteObject on what is in it, and "
            "kms:Decrypt on its key",
        ) from error
    except (NotFoundError, UnavailableError) as error:
        raise UnreachableError(f"{error} (bucket {name})", "check the network and that the bucket is there") from error
