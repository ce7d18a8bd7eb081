"""How a Firehose stream parts the records of an object."""

from __future__ import annotations

import gzip

import pytest

from tests.engine.test_firehose import Stream
from tests.engine.workbench import Workbench

APPENDING = {
    "Type": "AppendDelimiterToRecord",
    "Parameters": [{"ParameterName": "Delimiter", "ParameterValue": "\\n"}],
}


@pytest.mark.parametrize(("enabled", "expected"), [(True, b"one\ntwo\n"), (False, b"onetwo")])
def test_a_stream_that_is_told_to_ends_each_record_with_a_line_feed(
    workbench: Workbench, enabled: bool, expected: bytes
) -> None:
    """And gathers and compresses them all the same."""
    processing = {"Enabled": enabled, "Processors": [APPENDING]}
    stream = Stream(workbench, CompressionFormat="GZIP", ProcessingConfiguration=processing)
    stream.create_bucket()
    stream.put([b"one", b"two"])
    [body] = workbench.wait_for(stream.objects).values()
    assert gzip.decompress(body) == expected
