"""A REST API that puts events on a bus, with no function between.

The engine takes every `AWS` integration but those of SQS for a Lambda function. On AWS an integration with the URI
`...:events:action/PutEvents` sends what its request template gives to EventBridge, and its responses tell by
EventBridge's status what to answer ("Set up an integration request", API Gateway developer guide).

Not needed once `apigateway_v1._invoke_lambda_custom_v1` calls other services. Integrations with
`passthroughBehavior: never`, which have a template for every request that reaches them.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Awaitable, Callable
from typing import Any

from ministack.core import responses
from ministack.services import apigateway_v1, eventbridge

from local.engine.replacement import engine_attribute, replace

__all__ = ["apply"]

Answer = tuple[int, dict[str, str], bytes]

ACTION = ("events", "action", "PutEvents")


def apply() -> None:
    """Put events where an integration says so."""
    service_of = engine_attribute(apigateway_v1, "_parse_service_integration_uri")
    for owner, name in (
        (apigateway_v1, "_render_request_template_v1"),
        (apigateway_v1, "_service_integration_response"),
        (eventbridge, "_put_events"),
    ):
        engine_attribute(owner, name)

    def build(invoke: Callable[..., Awaitable[Answer]]) -> Callable[..., Awaitable[Answer]]:
        async def put_or_invoke(integration: dict[str, Any], *arguments: Any, **options: Any) -> Answer:
            region, *action = service_of(integration.get("uri", "")) or ("",)
            if tuple(action) != ACTION:
                return await invoke(integration, *arguments, **options)
            _api, stage, _stage, resource, _path, method, headers, body, *_parameters = arguments
            context = {
                "extendedRequestId": base64.b64encode(os.urandom(11)).decode(),
                "httpMethod": method,
                "requestId": responses.new_uuid(),
                "resourcePath": resource["path"],
                "stage": stage,
            }
            return _put(integration, headers, body, context, options["owner_account_id"], region)

        return put_or_invoke

    replace(apigateway_v1, "_invoke_lambda_custom_v1", build)


def _put(
    integration: dict[str, Any],
    headers: dict[str, str],
    body: bytes,
    context: dict[str, str],
    account: str | None,
    region: str,
) -> Answer:
    # The engine's functions are looked up here, not before: other extensions replace them.
    content_type = (headers.get("content-type") or "application/json").partition(";")[0].strip().lower()
    template = integration["requestTemplates"][content_type]
    request = apigateway_v1._render_request_template_v1(template, body.decode(), {}, context)
    with responses.request_scope(account or responses.get_account_id(), region):
        status, _headers, answer = eventbridge._put_events(json.loads(request))
    text = answer.decode() if isinstance(answer, bytes) else answer
    answered: Answer = apigateway_v1._service_integration_response(
        integration, status, text, "application/json", {}, context
    )
    return answered
