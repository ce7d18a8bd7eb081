"""Functions of Athena's SQL.

The engine hands queries to DuckDB as they are. DuckDB lacks these functions of Trino, Athena's engine ("Functions in
Amazon Athena", Athena user guide; "JSON functions and operators" and "Date and time functions and operators", Trino
documentation). What is here is enough for this application's queries.

DuckDB's own JSON functions read numbers as binary floating point. Trino gives a number as it is written, so numbers are
made texts before DuckDB sees them.

Not needed once `athena._run_duckdb` translates Trino's functions.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from ministack.services import athena

from local.engine.replacement import replace

__all__ = ["apply"]

STRINGS_AND_THE_REST = r'"(?:[^"\\]|\\.)*"|[^"]+'
NUMBER = r"(-?[0-9][0-9.eE+-]*)"

FUNCTIONS = rf"""
CREATE OR REPLACE MACRO _numbers_as_texts(json) AS
    array_to_string(
        list_transform(
            regexp_extract_all(json, '{STRINGS_AND_THE_REST}'),
            lambda part: CASE WHEN part[1] = '"' THEN part ELSE regexp_replace(part, '{NUMBER}', '"\1"', 'g') END
        ),
        ''
    );
CREATE OR REPLACE MACRO json_extract_scalar(json, path) AS
    CASE
        WHEN NOT json_valid(json) THEN NULL
        WHEN json_type(json, path) IN ('OBJECT', 'ARRAY') THEN NULL
        ELSE json_extract_string(_numbers_as_texts(json), path)
    END;
CREATE OR REPLACE MACRO date_format(moment, format) AS strftime(moment, format);
CREATE OR REPLACE MACRO from_iso8601_timestamp(text) AS CAST(text AS TIMESTAMP WITH TIME ZONE);
CREATE OR REPLACE MACRO at_timezone(moment, zone) AS timezone(zone, moment);
"""
"""`date_format` takes MySQL's format: %Y, %m, %d and %H mean the same to both. `at_timezone` gives the local time."""

Rewrite = Callable[..., Awaitable[tuple[str, Any, Any]]]


def apply() -> None:
    """Define the functions in the database that each query has to itself."""

    def build(rewrite: Rewrite) -> Rewrite:
        async def rewrite_and_define(*arguments: Any) -> tuple[str, Any, Any]:
            query, buckets, folders = await rewrite(*arguments)
            return FUNCTIONS + query, buckets, folders

        return rewrite_and_define

    replace(athena, "_rewrite_data_paths", build)
