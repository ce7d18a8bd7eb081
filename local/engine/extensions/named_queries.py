"""Named queries in stacks.

The engine has named queries, but no resource type for them, and refuses a template that declares one. On AWS it exists,
and any change replaces it ("AWS::Athena::NamedQuery", CloudFormation template reference).

Not needed once `provisioners._RESOURCE_HANDLERS` has `AWS::Athena::NamedQuery`.
"""

from __future__ import annotations

import json
from typing import Any

from ministack.services import athena
from ministack.services.cloudformation import provisioners

from local.engine.replacement import engine_attribute

__all__ = ["apply"]

RESOURCE_TYPE = "AWS::Athena::NamedQuery"
PROPERTIES = ("Name", "Description", "Database", "QueryString", "WorkGroup")


def apply() -> None:
    """Let stacks create, replace and delete named queries."""
    create_query = engine_attribute(athena, "_create_named_query")
    delete_query = engine_attribute(athena, "_delete_named_query")
    replaced_by = engine_attribute(provisioners, "_REPLACING_PROPERTIES")
    handlers = engine_attribute(provisioners, "_RESOURCE_HANDLERS")

    def create(logical_id: str, properties: dict[str, Any], stack_name: str) -> tuple[str, dict[str, str]]:
        named = {"Name": f"{stack_name}-{logical_id}", **properties}
        _status, _headers, body = create_query(named)
        query_id: str = json.loads(body)["NamedQueryId"]
        return query_id, {"NamedQueryId": query_id}

    def delete(physical_id: str, properties: dict[str, Any]) -> None:  # noqa: ARG001
        delete_query({"NamedQueryId": physical_id})

    handlers[RESOURCE_TYPE] = {"create": create, "delete": delete}
    replaced_by[RESOURCE_TYPE] = PROPERTIES
