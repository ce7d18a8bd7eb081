"""Request models by content type.

The engine validates a body of any content type against the model for `application/json`. On AWS a body whose content
type has no model of its own is not validated, unless there is a `$default` model ("Use request validation", API Gateway
developer guide), so that it is the function that answers 415.

Not needed once `apigateway_v1._check_request_validation` picks no other type's model.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.services import apigateway_v1

from local.engine.replacement import replace

__all__ = ["apply"]


def apply() -> None:
    """Show the validator only the model that applies to the request's content type."""

    def build(check: Callable[..., Any]) -> Callable[..., Any]:
        def check_request(
            method: dict[str, Any], api_id: str, request: Any, headers: dict[str, str], body: bytes, query: Any
        ) -> Any:
            content_type = (headers.get("content-type") or "application/json").partition(";")[0].strip()
            models = method.get("requestModels") or {}
            model = models.get(content_type) or models.get("$default")
            applicable = {**method, "requestModels": {content_type: model} if model else {}}
            return check(applicable, api_id, request, headers, body, query)

        return check_request

    replace(apigateway_v1, "_check_request_validation", build)
