"""Mock integrations of a REST API.

The engine answers with the response template as it stands and whatever the request's content type. On AWS the template
is evaluated ("Mapping templates", API Gateway developer guide). A request whose content type has no request template is
passed through: the mock integration finds no status code in it and fails with 500. `passthroughBehavior: never`, which
the engine knows, and `when_no_templates`, which it does not, turn that into 415 ("Integration passthrough behaviors").

Not needed once `apigateway_v1._invoke_mock_v1` evaluates templates with the request's context, and
`_check_passthrough_behavior` knows `WHEN_NO_TEMPLATES`.
"""

from __future__ import annotations

import contextvars
import time
from collections.abc import Awaitable, Callable
from typing import Any

from ministack.services import apigateway_v1

from local.engine.replacement import engine_attribute, replace

__all__ = ["apply"]

Response = tuple[int, dict[str, str], bytes]


def apply() -> None:
    """Evaluate a mock's response template, and refuse what its request template does not take."""
    render = engine_attribute(apigateway_v1, "_render_request_template_v1")
    gateway_error = engine_attribute(apigateway_v1, "_GatewayError")
    context: contextvars.ContextVar[dict[str, Any]] = contextvars.ContextVar("context")
    content_type: contextvars.ContextVar[str] = contextvars.ContextVar("content_type")

    def build_execute(execute: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def execute_with_context(
            request: dict[str, Any], api_id: str, stage: str, method: str, path: str, headers: Any, *arguments: Any
        ) -> Any:
            context.set(
                {
                    "apiId": api_id,
                    "httpMethod": method,
                    "path": f"/{stage}{path}",
                    "requestId": request["request_id"],
                    "requestTimeEpoch": str(int(time.time() * 1000)),
                    "stage": stage,
                }
            )
            content_type.set((headers.get("content-type") or "application/json").partition(";")[0].strip().lower())
            return await execute(request, api_id, stage, method, path, headers, *arguments)

        return execute_with_context

    def build_mock(answer: Callable[[dict[str, Any]], Response]) -> Callable[[dict[str, Any]], Any]:
        def answer_and_render(integration: dict[str, Any]) -> Any:
            if content_type.get() not in {kind.lower() for kind in integration.get("requestTemplates") or {}}:
                return gateway_error("DEFAULT_5XX", "Internal server error")
            status, headers, body = answer(integration)
            headers["x-amzn-requestid"] = context.get()["requestId"]
            return status, headers, render(body.decode(), "", {}, context.get()).encode()

        return answer_and_render

    def build_check(check: Callable[..., Any]) -> Callable[..., Any]:
        def check_passthrough(integration: dict[str, Any], headers: Any) -> Any:
            # Where there are templates, the two behave alike; where there are none, the engine refuses nothing.
            if integration.get("passthroughBehavior") == "WHEN_NO_TEMPLATES":
                return check({**integration, "passthroughBehavior": "NEVER"}, headers)
            return check(integration, headers)

        return check_passthrough

    replace(apigateway_v1, "_check_passthrough_behavior", build_check)
    replace(apigateway_v1, "_execute_in_scope", build_execute)
    replace(apigateway_v1, "_invoke_mock_v1", build_mock)
