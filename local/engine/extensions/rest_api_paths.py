"""Percent-encoded paths of a REST API.

The engine decodes the whole path first, so that `/orders/a%2Fb` becomes two segments and reaches another resource. A
REST API on AWS matches and passes on the path as the client sent it: `path` and `pathParameters` stay percent-encoded
and decoding is the function's task; only query parameters come decoded (github.com/serverless/serverless/issues/5037,
github.com/dherault/serverless-offline/issues/265).

Not needed once `app._handle_execute_api_request` hands REST APIs the raw path.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import ministack.app
from ministack.services import apigateway_v1

from local.engine.replacement import engine_attribute, replace

__all__ = ["apply"]


def apply() -> None:
    """Hand a REST API the path as the client sent it."""
    parse = engine_attribute(ministack.app, "_parse_execute_api_url")
    find_api = engine_attribute(apigateway_v1, "find_api_scope")

    def build(handle: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def handle_raw(host: str, path: str, *arguments: Any, raw_path: str | None = None, **options: Any) -> Any:
            called = parse(host, raw_path) if raw_path else None
            if called and find_api(called[0]):
                path = str(raw_path)
            return await handle(host, path, *arguments, raw_path=raw_path, **options)

        return handle_raw

    replace(ministack.app, "_handle_execute_api_request", build)
