"""Updates of a REST API's definition.

When a stack update changes the definition of a REST API, the engine makes a new API with a new id and so a new URL. On
AWS the API is updated in place and keeps its id (`Body`: "Update requires: No interruption", AWS::ApiGateway::RestApi).

Not needed once `provisioners._apigw_rest_api_update` imports a changed definition into the existing API.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.services import apigateway_v1
from ministack.services.cloudformation import provisioners

from local.engine.replacement import engine_attribute

__all__ = ["apply"]

Properties = dict[str, Any]
Update = Callable[..., tuple[str, Properties]]

DEFINED = ("_resources", "_models", "_request_validators", "_authorizers_v1", "_gateway_responses")


def apply() -> None:
    """Import the changed definition as a new API, then move what it defines into the existing one."""
    create = engine_attribute(provisioners, "_apigw_rest_api_create")
    attributes = engine_attribute(provisioners, "_apigw_rest_api_attrs")
    delete = engine_attribute(apigateway_v1, "_delete_rest_api")
    apis = engine_attribute(apigateway_v1, "_rest_apis")
    defined = [engine_attribute(apigateway_v1, name) for name in DEFINED]
    handler = engine_attribute(provisioners, "_RESOURCE_HANDLERS")["AWS::ApiGateway::RestApi"]
    update: Update = handler["update"]

    def update_in_place(
        api_id: str, old: Properties, new: Properties, stack_name: str, logical_id: str | None = None
    ) -> tuple[str, Properties]:
        if new.get("Body") == old.get("Body") or not isinstance(new.get("Body"), dict):
            return update(api_id, old, new, stack_name, logical_id)
        imported, _attributes = create(logical_id or api_id, new, stack_name)
        for store in defined:
            store[api_id] = store.pop(imported, {})
        kept = {name: apis[api_id][name] for name in ("id", "createdDate") if name in apis[api_id]}
        apis[api_id] = {**apis[imported], **kept}
        delete(imported)
        return api_id, attributes(api_id)

    handler["update"] = update_in_place
