"""Attributes of unchanged resources in the update of a nested stack.

When a nested stack is updated, the engine forgets the attributes of every resource it does not change, so that
`Fn::GetAtt` on one of them gives nothing. On AWS an unchanged resource keeps its attributes ("Update behaviors of stack
resources", CloudFormation user guide).

Not needed once `provisioners._cfn_nested_stack_deploy` hands `_update_resource` the attributes a resource had.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.services import cloudformation
from ministack.services.cloudformation import provisioners

from local.engine.replacement import engine_attribute, replace

__all__ = ["apply"]

Update = Callable[..., tuple[str, dict[str, Any]]]


def apply() -> None:
    """Give an update the attributes the stack's record holds, where the caller gives none."""
    stacks = engine_attribute(cloudformation, "_stacks")

    def build(update: Update) -> Update:
        def update_resource(
            resource_type: str,
            physical_id: str,
            old: dict[str, Any],
            new: dict[str, Any],
            stack_name: str,
            logical_id: str | None = None,
            attributes: dict[str, Any] | None = None,
        ) -> tuple[str, dict[str, Any]]:
            if attributes is not None:
                return update(resource_type, physical_id, old, new, stack_name, logical_id, attributes)
            known = ((stacks.get(stack_name) or {}).get("_resources") or {}).get(logical_id, {}).get("Attributes") or {}
            new_id, changed = update(resource_type, physical_id, old, new, stack_name, logical_id, known)
            return new_id, ({**known, **(changed or {})} if new_id == physical_id else changed)

        return update_resource

    replace(provisioners, "_update_resource", build)
