"""What the tests of the bus and of its consumers start from: a bus, tables, events as a rule delivers them."""

import json
from typing import Any

from eventfork.forwarding import Message
from eventfork.json_text import parse, render

from tests.templates import read
from tests.unit.aws import Aws
from tests.unit.samples import PROJECT_ROOT, message

BUS = "commerce"


def event_bus(aws: Aws) -> list[dict[str, Any]]:
    """Make a bus; give the list of events that will have been put on it, as EventBridge tells them apart."""
    put: list[dict[str, Any]] = []

    def keep(model: Any, params: dict[str, Any], **_: Any) -> None:
        for entry in json.loads(params["body"])["Entries"] if model.name == "PutEvents" else []:
            assert entry["EventBusName"] == BUS
            put.append(
                {
                    "source": entry["Source"],
                    "detail-type": entry["DetailType"],
                    "detail": parse(entry["Detail"]),
                }
            )

    aws.client("events").create_event_bus(Name=BUS)
    aws.client("events").meta.events.register_last("before-call.eventbridge", keep)
    return put


def table(aws: Aws, template: str, name: str) -> str:
    """Make a table with the keys that its template gives it; give its name."""
    properties = read(template).resources()[name]
    keys = ("AttributeDefinitions", "KeySchema", "BillingMode")
    aws.client("dynamodb").create_table(TableName=name, **{key: properties[key] for key in keys})
    return name


def event(name: str) -> dict[str, Any]:
    """Give the sample of an event on the bus, parsed."""
    document: dict[str, Any] = parse((PROJECT_ROOT / "events" / f"{name}-event.json").read_text(encoding="utf-8"))
    return document


def with_data(name: str, event_id: str = "event-1", time: str = "2026-11-20T08:14:02Z", **data: Any) -> dict[str, Any]:
    """Give the sample of an event with another id and other data."""
    sample = event(name)
    detail = sample["detail"]
    metadata, changed = {**detail["metadata"], "id": event_id}, {**detail["data"], **data}
    return {**sample, "time": time, "detail": {"metadata": metadata, "data": changed}}


def delivered(document: dict[str, Any], message_id: str = "1") -> Message:
    """Give an event as a message off the queue that a rule feeds."""
    return message(render(document), message_id)
