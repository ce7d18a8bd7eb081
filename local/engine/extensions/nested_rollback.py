"""Rollback of nested stacks that could not be created.

When a resource of a nested stack fails to be created, the engine leaves the nested stack as it is, with everything it
had made by then, for ever: subscriptions go on delivering. On AWS the rollback of the parent deletes the nested stack
with all that is in it ("Stack failure options", "Work with nested stacks", CloudFormation user guide).

Not needed once `provisioners._cfn_nested_stack_deploy` undoes what it made when it fails.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from ministack.services import cloudformation
from ministack.services.cloudformation import provisioners

from local.engine.replacement import engine_attribute

__all__ = ["apply"]

Create = Callable[[str, dict[str, Any], str], tuple[str, dict[str, Any]]]

logger = logging.getLogger(__name__)


def apply() -> None:
    """Delete a nested stack whose creation fails, and let it fail."""
    stacks = engine_attribute(cloudformation, "_stacks")
    handler = engine_attribute(provisioners, "_RESOURCE_HANDLERS")["AWS::CloudFormation::Stack"]
    create: Create = handler["create"]

    def create_or_undo(logical_id: str, properties: dict[str, Any], parent_name: str) -> tuple[str, dict[str, Any]]:
        try:
            return create(logical_id, properties, parent_name)
        except Exception:
            for name, stack in list(stacks.items()):
                created_here = name.startswith(f"{parent_name}-{logical_id}-")
                if created_here and stack["StackStatus"] == "CREATE_FAILED":
                    _delete(handler["delete"], name)
            raise

    handler["create"] = create_or_undo


def _delete(delete: Callable[[str, dict[str, Any]], None], name: str) -> None:
    try:
        delete(name, {})
    except ValueError as error:
        # Why the creation failed matters more, and is raised.
        logger.warning("Nested stack %s cannot be rolled back: %s", name, error)
