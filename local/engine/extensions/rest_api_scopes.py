"""Access tokens without the scope of a REST API's method.

The engine takes a token without the method's scope for no token, and answers with the gateway response `UNAUTHORIZED`,
401. On AWS that one is for a caller whom a Cognito authorizer cannot authenticate, and `ACCESS_DENIED`, 403, for one
whom it does not authorize ("Gateway response types for API Gateway", API Gateway developer guide).

Not needed once `apigateway_v1._validate_cognito_authorizer` tells the two apart.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from ministack.services import apigateway_v1

from local.engine.replacement import engine_attribute, replace

__all__ = ["apply"]

Method = dict[str, Any]


def apply() -> None:
    """Deny what an authentic token has no scope for."""
    gateway_error = engine_attribute(apigateway_v1, "_gw_error")
    scopes_of = engine_attribute(apigateway_v1, "_token_scopes")

    def build(validate: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def validate_then_authorize(authorizer: Any, method: Method, *request: Any) -> Any:
            claims, error = await validate(authorizer, {**method, "authorizationScopes": []}, *request)
            asked = method.get("authorizationScopes") or []
            if error is None and asked and not set(asked) & set(scopes_of(claims)):
                return None, gateway_error("ACCESS_DENIED", "Forbidden")
            return claims, error

        return validate_then_authorize

    replace(apigateway_v1, "_validate_cognito_authorizer", build)
