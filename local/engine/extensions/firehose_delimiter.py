r"""Line feeds between the records of a Firehose stream.

The engine knows no processor but a Lambda function, so that records stand in an object one right behind the other. On
AWS the processor `AppendDelimiterToRecord` puts a delimiter after each; `\n` stands for a line feed ("Processor",
Firehose API reference; "Add a new line delimiter", Firehose developer guide).

Not needed once `firehose._deliver_records_to_s3` knows the processor. Streams that have this processor alone: one
with others is left to the engine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.services import firehose

from local.engine.replacement import replace

__all__ = ["apply"]

PROCESSOR = "AppendDelimiterToRecord"


def apply() -> None:
    """Put the delimiter after each record before the stream gathers them."""

    def build(deliver: Callable[..., None]) -> Callable[..., None]:
        def delimit_and_deliver(
            stream: dict[str, Any], destination: dict[str, Any], records: list[tuple[str, bytes]]
        ) -> None:
            delimiter = _delimiter(destination["config"].get("ProcessingConfiguration") or {})
            if delimiter is None:
                deliver(stream, destination, records)
                return
            # Nothing is left for the engine to process.
            configuration = {**destination["config"], "ProcessingConfiguration": {"Enabled": False}}
            delimited = [(record_id, data + delimiter) for record_id, data in records]
            deliver(stream, {**destination, "config": configuration}, delimited)

        return delimit_and_deliver

    replace(firehose, "_deliver_records_to_s3", build)


def _delimiter(configuration: dict[str, Any]) -> bytes | None:
    processors = configuration.get("Processors") or []
    if str(configuration.get("Enabled")).lower() != "true" or [each["Type"] for each in processors] != [PROCESSOR]:
        return None
    parameters = {each["ParameterName"]: each["ParameterValue"] for each in processors[0].get("Parameters") or []}
    return str(parameters["Delimiter"]).replace("\\n", "\n").encode()
