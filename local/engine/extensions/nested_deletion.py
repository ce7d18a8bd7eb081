"""Deletion of nested stacks.

When a stack is deleted, the engine deletes every resource of its nested stacks, those with `DeletionPolicy: Retain`
too, and passes over those it cannot delete. On AWS the policy holds in a nested stack as in any other, and what cannot
be deleted makes the deletion fail, to be tried again ("DeletionPolicy attribute", CloudFormation template reference;
"Delete a stack", CloudFormation user guide).

Not needed once `provisioners._cfn_nested_stack_delete` reads the policy and reports failures.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.services import cloudformation
from ministack.services.cloudformation import engine, provisioners, stacks

from local.engine.replacement import engine_attribute

__all__ = ["apply"]

Delete = Callable[[str, dict[str, Any]], None]


def apply() -> None:
    """Delete what is not retained, and fail if that fails; leave the stack's own end to the engine."""
    all_stacks = engine_attribute(cloudformation, "_stacks")
    name_of = engine_attribute(provisioners, "_nested_stack_lookup_name")
    retaining = engine_attribute(provisioners, "_RETAINING_POLICIES")
    delete_resource = engine_attribute(provisioners, "_delete_resource")
    policy_of = engine_attribute(stacks, "_resource_policy")
    in_order = engine_attribute(engine, "_topological_sort")
    handler = engine_attribute(provisioners, "_RESOURCE_HANDLERS")["AWS::CloudFormation::Stack"]
    end_stack: Delete = handler["delete"]

    def delete_but_retained(physical_id: str, properties: dict[str, Any]) -> None:
        name = name_of(physical_id)
        stack = all_stacks.get(name) or {"_resources": {}}
        resources, template = stack["_resources"], stack.get("_template") or {}
        definitions, conditions = template.get("Resources") or {}, stack.get("_conditions") or {}
        mappings, parameters = template.get("Mappings") or {}, stack.get("_resolved_params") or {}
        failed = []
        for logical_id in reversed(in_order(definitions, conditions)):
            if logical_id not in resources:
                continue
            policy = policy_of(
                definitions[logical_id],
                "DeletionPolicy",
                resources,
                parameters,
                conditions,
                mappings,
                name,
                stack.get("StackId"),
            )
            resource = resources[logical_id]
            kind, identity = resource["ResourceType"], resource["PhysicalResourceId"]
            try:
                if policy not in retaining:
                    delete_resource(kind, identity, resource["Properties"], name, logical_id)
                del resources[logical_id]
            except ValueError as error:
                failed.append(f"{logical_id} ({error})")
        if failed:
            stack["StackStatus"] = "DELETE_FAILED"
            raise ValueError(f"The following resource(s) failed to delete: [{', '.join(failed)}].")
        end_stack(physical_id, properties)

    handler["delete"] = delete_but_retained
