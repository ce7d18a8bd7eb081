"""Tables made of a query.

The engine hands `CREATE TABLE ... AS SELECT` to DuckDB, where the table is gone with the query's own database. Athena
writes the rows as Parquet objects under `tables/<id of the query>/` in the place of the workgroup's results, and puts a
table over them into the catalogue ("CREATE TABLE AS" and "Considerations and limitations for CTAS queries", Athena user
guide). Only Parquet, without partitions, is written here.

Not needed once `athena._execute_query` does so.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlparse

from ministack.services import athena, s3

from local.engine.replacement import engine_attribute, replace

__all__ = ["apply"]

COLUMN_TYPES = {"VARCHAR": "string", "INTEGER": "int"}
"""Where the catalogue's name of a type is not DuckDB's in lower case."""

Results = dict[str, Any]
Run = Callable[[str, str, str | None], Awaitable[Results]]

place: ContextVar[str] = ContextVar("place")
"""Where the query that is being executed may put a table."""


class _TableFromQuery(NamedTuple):
    database: str | None
    table: str
    query: str


def apply() -> None:
    """Run the query into a Parquet object, and create a table over it."""
    executions = engine_attribute(athena, "_executions")

    def build_execution(execute: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def execute_with_place(query_id: str, *arguments: Any) -> None:
            results: str = executions[query_id]["ResultConfiguration"]["OutputLocation"]
            place.set(f"{results.removesuffix(f'{query_id}.csv')}tables/{query_id}/")
            await execute(query_id, *arguments)

        return execute_with_place

    def build_run(run: Run) -> Run:
        async def run_or_create(query: str, database: str, catalog: str | None = None) -> Results:
            wanted = _parsed(query)
            return await (run(query, database, catalog) if wanted is None else _created(wanted, database, run))

        return run_or_create

    replace(athena, "_execute_query", build_execution)
    replace(athena, "_run_duckdb", build_run)


def _parsed(query: str) -> _TableFromQuery | None:
    cursor = engine_attribute(athena, "_Cursor")(query)
    if not cursor.keywords("create", "table"):
        return None
    database, table = cursor.dotted_name(2) or (None, None)
    start = cursor.i
    if cursor.keywords("with") and cursor.punct("("):
        cursor.skip_group()
    properties = cursor.tokens[start : cursor.i]
    if table is None or not cursor.keywords("as") or cursor.at_end():
        return None
    if "'parquet'" not in [text.lower() for _kind, text, _start, _end in properties]:
        raise ValueError("NOT_SUPPORTED: only tables in the format PARQUET are made of queries here")
    return _TableFromQuery(database, table, query[cursor.peek()[2] :].rstrip("; \n"))


async def _created(wanted: _TableFromQuery, database: str, run: Run) -> Results:
    create = engine_attribute(athena, "_run_ddl")
    definition = engine_attribute(athena, "_CreateTable")
    formats = engine_attribute(athena, "_STORED_AS")
    put_object = engine_attribute(s3, "_put_object")
    folder, location = tempfile.mkdtemp(prefix="table-"), place.get()
    try:
        file = Path(folder) / "rows.parquet"
        await run(f"COPY ({wanted.query}) TO '{file}' (FORMAT parquet)", database, None)
        described = await run(f"DESCRIBE FROM read_parquet('{file}')", database, None)
        content = file.read_bytes()
    finally:
        shutil.rmtree(folder)
    input_format, output_format, serde = formats["parquet"]
    columns = [{"Name": name, "Type": COLUMN_TYPES.get(kind, kind.lower())} for name, kind, *_rest in described["rows"]]
    results: Results = create(
        definition(
            wanted.database,
            wanted.table,
            external=True,
            columns=columns,
            location=location,
            input_format=input_format,
            output_format=output_format,
            serde=serde,
        ),
        database,
    )
    address = urlparse(location)
    status, _headers, answer = put_object(
        address.netloc, f"{address.path.lstrip('/')}rows.parquet", content, {"content-length": str(len(content))}
    )
    if status >= 300:
        raise OSError(f"S3 answered {status}: {answer!r}")
    return results
