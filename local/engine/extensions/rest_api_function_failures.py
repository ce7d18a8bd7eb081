"""Gateway responses when a function fails.

When the function behind a REST API raises, times out or answers in no proxy format, the engine answers 502 with the
error's text, or 200 with whatever came. On AWS that is a gateway response: status 502, message "Internal server error",
in the shape that `DEFAULT_5XX` gives it ("Handle Lambda errors in API Gateway", API Gateway developer guide).

Not needed once `apigateway_v1._invoke_lambda_proxy_v1` answers a failed function with a gateway response.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from ministack.services import apigateway_v1

from local.engine.replacement import engine_attribute, replace

__all__ = ["apply"]


class _FunctionFailedError(Exception):
    pass


def apply() -> None:
    """Answer with the gateway response for server errors, with status 502 unless it sets its own."""
    gateway_error = engine_attribute(apigateway_v1, "_GatewayError")

    def build_answer(shape: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
        def shape_or_fail(result: dict[str, Any]) -> Any:
            answer = result.get("body")
            in_format = isinstance(answer, dict) and isinstance(answer.get("statusCode"), (int, str))
            if not result.get("throttle") and (result.get("error") or not in_format):
                raise _FunctionFailedError
            return shape(result)

        return shape_or_fail

    def build_invoke(invoke: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def invoke_function(*arguments: Any, **options: Any) -> Any:
            try:
                return await invoke(*arguments, **options)
            except _FunctionFailedError:
                error = gateway_error("DEFAULT_5XX", "Internal server error", "InternalServerErrorException")
                error.status = 502
                return error

        return invoke_function

    def build_response(respond: Callable[..., Any]) -> Callable[..., Any]:
        def respond_with_status(error: Any, request: dict[str, Any]) -> Any:
            status, headers, body = respond(error, request)
            # 500 is what the engine puts where the gateway response sets no status.
            return (getattr(error, "status", status) if status == 500 else status), headers, body

        return respond_with_status

    replace(apigateway_v1, "_lambda_proxy_response", build_answer)
    replace(apigateway_v1, "_invoke_lambda_proxy_v1", build_invoke)
    replace(apigateway_v1, "_gateway_error_response", build_response)
