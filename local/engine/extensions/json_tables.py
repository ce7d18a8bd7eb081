"""Tables of JSON lines.

The engine lets DuckDB guess the columns of JSON from the objects, cuts numbers to binary floating point on the way, and
cannot read a table with partition projection. Athena gives the columns that the table has, whatever the lines hold:
in a column of type `string` a JSON text stands as it is, an object as its JSON ("OpenX JSON SerDe", Athena user guide),
which Athena may write with other spaces and escapes than the line has.
With partition projection it reads the objects where the template of their location says, and nothing else, and gives
each row the value that stands in its place ("Set up partition projection", same guide).

Columns are texts here, whatever their type; of the projections, only `date` is known, without its range.

Not needed once `athena._table_relation` reads the table's columns and its projection.
"""

from __future__ import annotations

import gzip
import json
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ministack.services import athena

from local.engine.replacement import engine_attribute, replace

__all__ = ["apply"]

GZIP_MAGIC = b"\x1f\x8b"
WHITE_SPACE = re.compile(r"[ \t\r\n]*")

Table = dict[str, Any]
Relation = Callable[[Table, list[str]], str]

decode = json.JSONDecoder().raw_decode


def apply() -> None:
    """Write the rows of a JSON table anew, each column a text, and let the database read these."""
    format_of = engine_attribute(athena, "_data_format")
    no_rows = engine_attribute(athena, "_empty_relation")

    def build(relation: Relation) -> Relation:
        def json_relation(table: Table, files: list[str]) -> str:
            columns = [column["Name"] for column in (table.get("StorageDescriptor") or {}).get("Columns") or []]
            if format_of(table) != "json" or not columns:
                return relation(table, files)
            placed = [(Path(file), place) for file in files if (place := _place(table, file)) is not None]
            if not placed:
                return str(no_rows(table))
            for file, place in placed:
                rows = [_row(line, columns, place) for line in _lines(file)]
                file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="ascii")
            paths = ", ".join(_quoted(str(file)) for file, _place in placed)
            names = [*columns, *(key["Name"] for key in table.get("PartitionKeys") or [])]
            types = ", ".join(f"{_quoted(name)}: 'VARCHAR'" for name in names)
            # Whatever the object was called, what is read is not compressed any more.
            return f"read_json([{paths}], format='newline_delimited', compression='none', columns={{{types}}})"

        return json_relation

    replace(athena, "_table_relation", build)


def _place(table: Table, file: str) -> dict[str, str] | None:
    """Return the partition that a file lies in, or None if it lies where none can be."""
    parameters = table.get("Parameters") or {}
    template = parameters.get("storage.location.template")
    if parameters.get("projection.enabled") != "true" or not template:
        return {}
    pattern = re.escape(template.removeprefix(table["StorageDescriptor"]["Location"]).strip("/"))
    for key in (key["Name"] for key in table["PartitionKeys"]):
        value = re.sub("[A-Za-z]", r"\\d", parameters[f"projection.{key}.format"])
        pattern = pattern.replace(re.escape(f"${{{key}}}"), f"(?P<{key}>{value})")
    # The engine copies a table's objects into a folder of their own, each under its name within the table's location.
    name = "/".join(Path(file).relative_to(tempfile.gettempdir()).parts[1:])
    found = re.match(f"{pattern}/", name)
    return found.groupdict() if found else None


def _lines(file: Path) -> list[str]:
    content = file.read_bytes()
    if content.startswith(GZIP_MAGIC):
        content = gzip.decompress(content)
    return [line for line in content.decode().split("\n") if line.strip()]


def _row(line: str, columns: list[str], place: dict[str, str]) -> dict[str, str | None]:
    members = dict(_members(line))
    return {name: members.get(name) for name in columns} | place


def _members(line: str) -> Iterator[tuple[str, str | None]]:
    """Yield the members of an object, texts decoded, everything else as it is written."""
    position = _after_space(line, line.index("{") + 1)
    while line[position] != "}":
        name, position = decode(line, position)
        position = _after_space(line, _after_space(line, position) + 1)
        value, end = decode(line, position)
        yield name, value if value is None or isinstance(value, str) else line[position:end]
        position = _after_space(line, end)
        if line[position] == ",":
            position = _after_space(line, position + 1)


def _after_space(text: str, position: int) -> int:
    found = WHITE_SPACE.match(text, position)
    return found.end() if found else position


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
