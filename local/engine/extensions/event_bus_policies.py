"""Policies of event buses in stacks.

The engine has policies of event buses, but no resource type for them, and refuses a template that declares one. On AWS
each resource is one statement, given whole or as action and principal ("AWS::Events::EventBusPolicy", CloudFormation
template reference).

Not needed once `provisioners._RESOURCE_HANDLERS` has `AWS::Events::EventBusPolicy`. Whole statements only, the form
that the application uses.
"""

from __future__ import annotations

from typing import Any

from ministack.services import eventbridge
from ministack.services.cloudformation import provisioners

from local.engine.replacement import engine_attribute

__all__ = ["apply"]

RESOURCE_TYPE = "AWS::Events::EventBusPolicy"
REPLACING = ("EventBusName", "StatementId")


def apply() -> None:
    """Let stacks create, update and delete statements of a bus's policy."""
    put_permission = engine_attribute(eventbridge, "_put_permission")
    remove_permission = engine_attribute(eventbridge, "_remove_permission")
    policies = engine_attribute(eventbridge, "_event_bus_policies")
    replaced_by = engine_attribute(provisioners, "_REPLACING_PROPERTIES")
    handlers = engine_attribute(provisioners, "_RESOURCE_HANDLERS")

    def put(properties: dict[str, Any]) -> tuple[str, dict[str, str]]:
        bus, statement_id = properties.get("EventBusName", "default"), properties["StatementId"]
        put_permission({"EventBusName": bus, "StatementId": statement_id})
        statement = {**properties["Statement"], "Sid": statement_id}
        policies[bus]["Statement"] = [*policies[bus]["Statement"][:-1], statement]
        return f"{bus}|{statement_id}", {}

    def create(logical_id: str, properties: dict[str, Any], stack_name: str) -> tuple[str, dict[str, str]]:  # noqa: ARG001
        return put(properties)

    def update(
        physical_id: str,  # noqa: ARG001
        old: dict[str, Any],  # noqa: ARG001
        new: dict[str, Any],
        stack_name: str,  # noqa: ARG001
    ) -> tuple[str, dict[str, str]]:
        return put(new)

    def delete(physical_id: str, properties: dict[str, Any]) -> None:  # noqa: ARG001
        bus, _, statement_id = physical_id.partition("|")
        remove_permission({"EventBusName": bus, "StatementId": statement_id})

    handlers[RESOURCE_TYPE] = {"create": create, "update": update, "delete": delete}
    replaced_by[RESOURCE_TYPE] = REPLACING
