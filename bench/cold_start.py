"""How long each function takes to start, against bare boto3 with the same clients: fresh processes, in turns.

Run it as `make bench`. A start is the import of the function's module and the making of its AWS clients, which is what
Lambda waits for before the first event; the interpreter's own start is in both sides.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

PROJECT_ROOT: Final = Path(__file__).resolve().parents[1]
ROUNDS: Final = 9
CLIENTS: Final = {
    "checkout_api": ("sns",),
    "order_api": ("dynamodb",),
    "checkout": ("dynamodb", "sqs"),
    "backup": ("firehose", "sqs"),
    "replay": ("sqs",),
}
ENVIRONMENT: Final = {
    **os.environ,
    "AWS_DEFAULT_REGION": "us-east-1",
    "PYTHONPATH": os.pathsep.join([str(PROJECT_ROOT / "layers" / "eventfork"), str(PROJECT_ROOT)]),
}


def _ours(function: str) -> str:
    clients = "".join(f"client({service!r});" for service in CLIENTS[function])
    return f"import functions.{function}.app; from eventfork.settings import client; {clients}"


def _bare(function: str) -> str:
    return "import boto3;" + "".join(f"boto3.client({service!r});" for service in CLIENTS[function])


def _seconds(code: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, check=True)
    return time.perf_counter() - started


def main() -> int:
    """Measure, and print a table and JSON."""
    results = {}
    table = Table("function", "ms", "bare boto3, ms", "ratio", title="Cold start")
    for function in CLIENTS:
        pairs = [(_seconds(_ours(function)), _seconds(_bare(function))) for _ in range(1 + ROUNDS)][1:]
        ours, bare = (statistics.median(side) for side in zip(*pairs, strict=True))
        results[function] = {"ms": round(ours * 1000), "bare_ms": round(bare * 1000), "ratio": round(ours / bare, 2)}
        table.add_row(function, *map(str, results[function].values()))
    Console().print(table)
    print(json.dumps(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
