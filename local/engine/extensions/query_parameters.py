"""Parameters of Athena's queries.

The engine passes over `ExecutionParameters`, and the question marks they stand for reach the database. Athena puts them
in their places, in order, each as it would be written in the query, so that a text brings its own quotes ("Use
parameterized queries", Athena user guide).

Not needed once `athena._start_query_execution` reads `ExecutionParameters`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import athena

from local.engine.replacement import engine_attribute, replace

__all__ = ["apply"]

Start = Callable[[dict[str, Any]], Any]


def apply() -> None:
    """Start a query with its parameters in their places."""
    tokens_of = engine_attribute(athena, "_sql_tokens")

    def build(start: Start) -> Start:
        def start_with_parameters(request: dict[str, Any]) -> Any:
            query, parameters = request.get("QueryString", ""), request.get("ExecutionParameters", [])
            marks = [start for kind, text, start, _end in tokens_of(query) if (kind, text) == ("punct", "?")]
            if len(marks) != len(parameters):
                message = f"Incorrect number of parameters: expected {len(marks)} but found {len(parameters)}"
                return error_response_json("InvalidRequestException", message, 400)
            return start({**request, "QueryString": "".join(_filled(query, marks, parameters))})

        return start_with_parameters

    replace(athena, "_start_query_execution", build)


def _filled(query: str, marks: list[int], parameters: list[str]) -> Iterator[str]:
    position = 0
    for mark, parameter in zip(marks, parameters, strict=True):
        yield query[position:mark]
        yield parameter
        position = mark + 1
    yield query[position:]
