"""Everything that the engine stores, searched whatever it is: what is added later need not be named here."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3

from local.engine.process import Engine
from tests.canaries import Canary, Finder

__all__ = ["Searched", "files", "search", "state", "stores", "table"]

Store = tuple[str, Iterable[bytes]]
_CHUNK = 4 * 1024 * 1024
"""More than any line or object that is looked into; a larger file is searched in pieces that overlap."""
_OVERLAP = 4096


@dataclass(slots=True)
class Searched:
    """What was found in a store.

    Attributes
    ----------
    name : str
    records : int
        How many were searched; where there are none, nothing is known of the store.
    found : Counter of Canary
    """

    name: str
    records: int = 0
    found: Counter[Canary] = field(default_factory=Counter)


def search(stores: Iterable[Store], finder: Finder) -> list[Searched]:
    """Search every record of every store."""
    searched = []
    for name, records in stores:
        one = Searched(name)
        for record in records:
            one.records += 1
            one.found += finder.found(record)
        searched.append(one)
    return searched


def table(searched: Iterable[Searched], excluded: Callable[[str, Canary], bool]) -> str:
    """Draw the table: a line a store, how much of it was searched, and how often each kind of canary was found."""
    kinds = ("number", "cvv", "expiry", "owner")
    lines = [f"{'store':72} {'searched':>9} {' '.join(f'{kind:>7}' for kind in kinds)} {'excluded':>9} {'markers':>8}"]
    for one in searched:
        if not one.records:
            lines.append(f"{one.name:72} {'nothing there to be searched':>49}")
            continue
        counts = [
            sum(count for canary, count in one.found.items() if canary.kind == kind and not excluded(one.name, canary))
            for kind in kinds
        ]
        spared = sum(count for canary, count in one.found.items() if excluded(one.name, canary))
        marks = sum(count for canary, count in one.found.items() if canary.kind == "marker")
        figures = " ".join(f"{count:7,}" for count in counts)
        lines.append(f"{one.name:72} {one.records:9,} {figures} {spared:9,} {marks:8,}")
    return "\n".join(lines)


def stores(engine: Engine) -> Iterator[Store]:
    """Give every store that the engine's APIs list, and its records."""
    yield from _queues(engine)
    dynamodb, s3, logs = engine.client("dynamodb"), engine.client("s3"), engine.client("logs")
    for name in _listed(dynamodb, "list_tables", "TableNames"):
        yield f"table {name}", map(_text, _listed(dynamodb, "scan", "Items", TableName=name))
    for bucket in s3.list_buckets()["Buckets"]:
        yield f"bucket {bucket['Name']}", _objects(s3, bucket["Name"])
    for group in _listed(logs, "describe_log_groups", "logGroups"):
        events = _listed(logs, "filter_log_events", "events", logGroupName=group["logGroupName"])
        yield f"log group {group['logGroupName']}", map(_text, events)
    yield "SSM parameters", map(_text, _parameters(engine.client("ssm")))
    yield "secrets", map(_text, _secrets(engine.client("secretsmanager")))
    cloudwatch = engine.client("cloudwatch")
    yield "metrics and their dimensions", map(_text, _listed(cloudwatch, "list_metrics", "Metrics"))
    yield "alarms and their reasons", map(_text, _listed(cloudwatch, "describe_alarms", "MetricAlarms"))
    yield "functions and their settings", map(_text, _listed(engine.client("lambda"), "list_functions", "Functions"))
    yield "histories of state machines", map(_text, _executions(engine.client("stepfunctions")))
    yield "stacks and their parameters", map(_text, engine.client("cloudformation").describe_stacks()["Stacks"])


def state(directory: Path) -> Iterator[Store]:
    """Give what the engine wrote of each of its services when it ended: what no API gives, too, as archives."""
    for path in sorted(directory.glob("*.json")):
        yield f"state of {path.stem}", _texts(json.loads(path.read_text(encoding="utf-8")))


def files(directory: Path, *, without: Path) -> Iterator[Store]:
    """Give what lies in the engine's directory: its log, and what functions left in their temporary directories."""
    by_folder: dict[str, list[Path]] = {}
    for path in sorted(directory.rglob("*")):
        if path.is_file() and not path.is_symlink() and not path.is_relative_to(without):
            by_folder.setdefault(path.relative_to(directory).parts[0], []).append(path)
    for name, paths in by_folder.items():
        yield f"files {name}", (piece for path in paths for piece in _pieces(path))


def _queues(engine: Engine) -> Iterator[Store]:
    # Receiving would count against a message, and could send it to a dead-letter queue.
    answer = urllib3.request("GET", f"{engine.url}/_ministack/sqs/messages", retries=False)
    assert answer.status == 200, answer.data
    for regions in answer.json()["messages"].values():
        for queues in regions.values():
            for url, messages in queues.items():
                yield f"queue {url.rpartition('/')[2]}", [_text(message) for message in messages]


def _objects(s3: Any, bucket: str) -> Iterator[bytes]:
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for one in page.get("Versions", []):
            which = {"Key": one["Key"]} | ({"VersionId": one["VersionId"]} if one["VersionId"] != "null" else {})
            yield one["Key"].encode() + b"\n" + s3.get_object(Bucket=bucket, **which)["Body"].read()


def _parameters(ssm: Any) -> Iterator[Any]:
    for one in _listed(ssm, "describe_parameters", "Parameters"):
        yield ssm.get_parameter(Name=one["Name"], WithDecryption=True)["Parameter"]


def _secrets(secrets: Any) -> Iterator[Any]:
    for one in _listed(secrets, "list_secrets", "SecretList"):
        yield secrets.get_secret_value(SecretId=one["ARN"])


def _executions(machines: Any) -> Iterator[Any]:
    for machine in _listed(machines, "list_state_machines", "stateMachines"):
        for one in _listed(machines, "list_executions", "executions", stateMachineArn=machine["stateMachineArn"]):
            yield from _listed(machines, "get_execution_history", "events", executionArn=one["executionArn"])


def _listed(client: Any, operation: str, key: str, **arguments: Any) -> Iterator[Any]:
    for page in client.get_paginator(operation).paginate(**arguments):
        yield from page.get(key, [])


def _texts(value: Any) -> Iterator[bytes]:
    """Give every text and number within a document, and every key."""
    if isinstance(value, dict):
        for key, child in value.items():
            yield str(key).encode(errors="surrogatepass")
            yield from _texts(child)
    elif isinstance(value, list):
        for child in value:
            yield from _texts(child)
    elif value is not None and not isinstance(value, bool):
        yield str(value).encode(errors="surrogatepass")


def _pieces(path: Path) -> Iterator[bytes]:
    content = path.read_bytes()
    for start in range(0, len(content), _CHUNK):
        yield content[max(0, start - _OVERLAP) : start + _CHUNK]


def _text(value: Any) -> bytes:
    return json.dumps(value, default=str, ensure_ascii=False).encode(errors="surrogatepass")
