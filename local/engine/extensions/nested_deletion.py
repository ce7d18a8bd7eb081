"""Retained resources of nested stacks.

When a stack is deleted, the engine deletes every resource of its nested stacks, those with `DeletionPolicy: Retain`
too. On AWS the policy holds in a nested stack as in any other ("DeletionPolicy attribute", CloudFormation template
reference).

Not needed once `provisioners._cfn_nested_stack_delete` reads the policy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.services import cloudformation
from ministack.services.cloudformation import provisioners, stacks

from local.engine.replacement import engine_attribute

__all__ = ["apply"]

Delete = Callable[[str, dict[str, Any]], None]


def apply() -> None:
    """Take the retained resources out of a nested stack before it is deleted."""
    all_stacks = engine_attribute(cloudformation, "_stacks")
    name_of = engine_attribute(provisioners, "_nested_stack_lookup_name")
    retaining = engine_attribute(provisioners, "_RETAINING_POLICIES")
    policy_of = engine_attribute(stacks, "_resource_policy")
    handler = engine_attribute(provisioners, "_RESOURCE_HANDLERS")["AWS::CloudFormation::Stack"]
    delete: Delete = handler["delete"]

    def delete_but_retained(physical_id: str, properties: dict[str, Any]) -> None:
        name = name_of(physical_id)
        stack = all_stacks.get(name) or {}
        template, resources = stack.get("_template") or {}, stack.get("_resources") or {}
        for logical_id, definition in (template.get("Resources") or {}).items():
            policy = policy_of(
                definition,
                "DeletionPolicy",
                resources,
                stack.get("_resolved_params") or {},
                stack.get("_conditions") or {},
                template.get("Mappings") or {},
                name,
                stack.get("StackId"),
            )
            if policy in retaining:
                resources.pop(logical_id, None)
        delete(physical_id, properties)

    handler["delete"] = delete_but_retained
