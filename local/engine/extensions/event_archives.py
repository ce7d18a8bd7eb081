"""Archives in stacks.

The engine has archives of an event bus, but no resource type for them, and refuses a template that declares one. On AWS
it exists; another name or another bus replaces it ("AWS::Events::Archive", CloudFormation template reference).

Not needed once `provisioners._RESOURCE_HANDLERS` has `AWS::Events::Archive`.
"""

from __future__ import annotations

import json
from typing import Any

from ministack.services import eventbridge
from ministack.services.cloudformation import provisioners

from local.engine.replacement import engine_attribute

__all__ = ["apply"]

RESOURCE_TYPE = "AWS::Events::Archive"
REPLACING = ("ArchiveName", "SourceArn")
NAME_CHARACTERS = 48


def apply() -> None:
    """Let stacks create, update, replace and delete archives."""
    create_archive = engine_attribute(eventbridge, "_create_archive")
    update_archive = engine_attribute(eventbridge, "_update_archive")
    delete_archive = engine_attribute(eventbridge, "_delete_archive")
    archives = engine_attribute(eventbridge, "_archives")
    physical_name = engine_attribute(provisioners, "_physical_name")
    replaced_by = engine_attribute(provisioners, "_REPLACING_PROPERTIES")
    handlers = engine_attribute(provisioners, "_RESOURCE_HANDLERS")

    def create(logical_id: str, properties: dict[str, Any], stack_name: str) -> tuple[str, dict[str, str]]:
        name = properties.get("ArchiveName") or physical_name(stack_name, logical_id, max_len=NAME_CHARACTERS)
        _succeed(create_archive(_request(name, properties)))
        return name, {"Arn": archives[name]["ArchiveArn"], "ArchiveName": name}

    def update(
        physical_id: str,
        old: dict[str, Any],  # noqa: ARG001
        new: dict[str, Any],
        stack_name: str,  # noqa: ARG001
    ) -> tuple[str, dict[str, str]]:
        _succeed(update_archive({"EventPattern": "", "RetentionDays": 0, **_request(physical_id, new)}))
        return physical_id, {"Arn": archives[physical_id]["ArchiveArn"], "ArchiveName": physical_id}

    def delete(physical_id: str, properties: dict[str, Any]) -> None:  # noqa: ARG001
        delete_archive({"ArchiveName": physical_id})

    handlers[RESOURCE_TYPE] = {"create": create, "update": update, "delete": delete}
    replaced_by[RESOURCE_TYPE] = REPLACING


def _request(name: str, properties: dict[str, Any]) -> dict[str, Any]:
    request = {**properties, "ArchiveName": name, "EventSourceArn": properties["SourceArn"]}
    if isinstance(request.get("EventPattern"), dict):
        request["EventPattern"] = json.dumps(request["EventPattern"])
    if "RetentionDays" in request:
        request["RetentionDays"] = int(request["RetentionDays"])
    return request


def _succeed(answer: tuple[int, Any, Any]) -> None:
    if answer[0] >= 400:
        raise ValueError(f"{RESOURCE_TYPE}: {answer[2]!r}")
