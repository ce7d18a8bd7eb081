"""Logs are kept after the engine and the search node, which hold them, are gone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from local.logs import keep_function_logs, keep_log_files


class Logs:
    """Two log groups, one of them empty, page by page."""

    def get_paginator(self, operation: str) -> Any:
        """Return the operation as its own paginator."""
        self.operation = operation
        return self

    def paginate(self, **request: str) -> Iterator[dict[str, Any]]:
        """Give the pages."""
        if not request:
            yield {"logGroups": [{"logGroupName": "/aws/lambda/checkout"}]}
            yield {"logGroups": [{"logGroupName": "firehose"}]}
        elif request["logGroupName"] == "/aws/lambda/checkout":
            yield {"events": [{"message": "one\n"}]}
            yield {"events": [{"message": "two"}]}


def test_every_log_is_kept_in_place_of_earlier_ones(tmp_path: Path) -> None:
    """The logs of engine and search node and one file per log group are kept, and nothing of an earlier run."""
    engine_log, search_log, kept = tmp_path / "engine.log", tmp_path / "search.log", tmp_path / "kept"
    engine_log.write_text("started")
    search_log.write_text("searching")
    kept.mkdir()
    (kept / "earlier.log").touch()
    keep_log_files([engine_log, search_log], kept)
    keep_function_logs(Logs(), kept)
    contents = {file.name: file.read_text() for file in kept.iterdir()}
    assert contents == {
        "engine.log": "started",
        "search.log": "searching",
        "aws-lambda-checkout.log": "one\ntwo\n",
        "firehose.log": "",
    }
