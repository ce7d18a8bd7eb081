"""What packing saves the backup, against one record per event: events per CPU second, and units that Firehose bills.

Run it as `make bench`. Both sides handle the same batches, in turns, with the same AWS client. Firehose is a stub in a
process of its own that answers at once; measured is the CPU time of the function's process: reading the batch,
redaction, packing, and the client's serialisation, signing and sending.
"""

import json
import math
import multiprocessing
import os
import statistics
import sys
import time
from base64 import b64decode
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from typing import Any, Final

import urllib3
from eventfork import checkout_events, forwarding, orders, settings
from eventfork.card_data import Redactor
from eventfork.json_text import parse, render
from rich.console import Console
from rich.table import Table

from local.sample_orders import render as render_order
from local.sample_orders import sample_orders

EVENTS: Final = 1000
EVENT_BYTES: Final = 1024
BATCH: Final = 1000
ROUNDS: Final = 7
BILLED_UNIT: Final = 5 * 1024
"""Firehose bills a record rounded up to this many bytes: Firehose pricing page, "Direct PUT"."""


class _Endpoint(BaseHTTPRequestHandler):
    """Takes every record, and counts calls and billed units until they are asked for."""

    protocol_version = "HTTP/1.1"
    calls = units = 0

    def do_POST(self) -> None:
        """Answer PutRecord and PutRecordBatch."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        records = body["Records"] if "Records" in body else [body["Record"]]
        _Endpoint.calls += 1
        _Endpoint.units += sum(math.ceil(len(b64decode(record["Data"])) / BILLED_UNIT) for record in records)
        self._answer({"FailedPutCount": 0, "RequestResponses": [{"RecordId": "0"}] * len(records), "RecordId": "0"})

    def do_GET(self) -> None:
        """Give what was counted since the last time, and begin anew."""
        counts = {"calls": _Endpoint.calls, "units": _Endpoint.units}
        _Endpoint.calls = _Endpoint.units = 0
        self._answer(counts)

    def _answer(self, document: dict[str, Any]) -> None:
        text = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("content-type", "application/x-amz-json-1.1")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        """Say nothing: a line per call would be most of the output."""


def _serve(ready: Connection) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Endpoint)
    ready.send(server.server_address[1])
    server.serve_forever()


def _batches() -> list[dict[str, Any]]:
    """Return what Lambda passes for the events: real ones, padded to a kilobyte."""
    records = []
    for number, sample in enumerate(sample_orders(EVENTS)):
        order = orders.without_card_data(parse(render_order(sample).decode()), Redactor())
        event = checkout_events.order_submitted(order, orders.placed_at(order))
        bare = len(render({**event, "note": ""}).encode())
        body = render({**event, "note": "x" * (EVENT_BYTES - bare)})
        records.append(
            {
                "messageId": str(number),
                "body": body,
                "messageAttributes": {},
                "attributes": {"SentTimestamp": "1795162543188"},
            }
        )
    return [{"Records": records[start : start + BATCH]} for start in range(0, EVENTS, BATCH)]


def _packed() -> Callable[[dict[str, Any]], None]:
    from functions.backup import app  # noqa: PLC0415 - it reads the environment, which is set up first

    names = ("function_name", "memory_limit_in_mb", "invoked_function_arn", "aws_request_id")
    context: Any = type("Context", (), dict.fromkeys(names, "bench"))()

    def handle(event: dict[str, Any]) -> None:
        if app.handler(event, context) != {"batchItemFailures": []}:
            raise RuntimeError("not everything was taken")

    return handle


def _one_by_one() -> Callable[[dict[str, Any]], None]:
    firehose = settings.client("firehose")

    def handle(event: dict[str, Any]) -> None:
        for message in forwarding.messages(event):
            firehose.put_record(DeliveryStreamName="stream", Record={"Data": message.body.encode() + b"\n"})

    return handle


def _cpu_seconds(handle: Callable[[dict[str, Any]], None], batches: list[dict[str, Any]]) -> float:
    started = time.process_time()
    for batch in batches:
        handle(batch)
    return time.process_time() - started


def main() -> int:
    """Measure, and print a table and JSON."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    endpoint = multiprocessing.get_context("spawn").Process(target=_serve, args=(sender,), daemon=True)
    endpoint.start()
    url = f"http://127.0.0.1:{receiver.recv()}"
    os.environ |= {
        "AWS_ENDPOINT_URL": url,
        **dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "bench"),
        "AWS_DEFAULT_REGION": "us-east-1",
        "DELIVERY_STREAM_NAME": "stream",
        "QUARANTINE_QUEUE_URL": f"{url}/quarantine",
        "REDACT_CARD_DATA": "true",
        "POWERTOOLS_LOG_LEVEL": "CRITICAL",
    }
    batches = _batches()
    sides = {"packed": _packed(), "one record per event": _one_by_one()}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    counts: dict[str, dict[str, int]] = {}
    # The first round warms up, and does not count.
    for _ in range(1 + ROUNDS):
        for name, handle in sides.items():
            seconds[name].append(_cpu_seconds(handle, batches))
            counts[name] = urllib3.request("GET", url).json()
    endpoint.terminate()
    results = {
        name: {
            "events per CPU second": round(EVENTS / statistics.median(seconds[name][1:])),
            "calls per 1,000 events": counts[name]["calls"] * 1000 / EVENTS,
            "billed units per 1,000 events": counts[name]["units"] * 1000 / EVENTS,
        }
        for name in sides
    }
    packed, single = results.values()
    ratios = {measure: round(packed[measure] / single[measure], 3) for measure in packed}
    table = Table("1 KB events", *results, "ratio", title="Backup forwarding")
    for measure, ratio in ratios.items():
        table.add_row(measure, *(f"{result[measure]:,.0f}" for result in results.values()), str(ratio))
    Console().print(table)
    print(json.dumps({"results": results, "ratios": ratios}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
