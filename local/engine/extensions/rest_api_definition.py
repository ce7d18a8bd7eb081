"""What an OpenAPI definition says about a REST API besides its Lambda integrations.

From an OpenAPI 3.0 definition the engine takes paths, security and the integration's type and URI; it ignores models,
request validators, request parameters, gateway responses, the ANY method, and the integration's templates, parameters
and responses. AWS imports them all ("OpenAPI extensions for API Gateway", API Gateway developer guide).

Not needed once `apigateway_v1._import_rest_api` imports them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from ministack.services import apigateway_v1

from local.engine.replacement import engine_attribute, replace

__all__ = ["apply"]

Definition = dict[str, Any]

ANY_METHOD = "x-amazon-apigateway-any-method"
PARAMETER_PLACES = {"query": "querystring", "header": "header", "path": "path"}
INTEGRATION_SETTINGS = (
    "credentials",
    "requestParameters",
    "requestTemplates",
    "timeoutInMillis",
    "contentHandling",
    "connectionType",
)


def apply() -> None:
    """Complete every imported API with what the definition says and the engine leaves out."""
    engine_attribute(apigateway_v1, "_OPENAPI_HTTP_METHODS").add(ANY_METHOD)
    create_model = engine_attribute(apigateway_v1, "_create_model")
    create_validator = engine_attribute(apigateway_v1, "_create_request_validator")
    put_gateway_response = engine_attribute(apigateway_v1, "_put_gateway_response")
    put_integration_response = engine_attribute(apigateway_v1, "_put_integration_response")
    resources = engine_attribute(apigateway_v1, "_resources")

    def complete(api_id: str, definition: Definition) -> None:
        components = definition.get("components") or {}
        for name, schema in (components.get("schemas") or {}).items():
            create_model(api_id, {"name": name, "schema": json.dumps(_with_model_references(schema, api_id))})
        for kind, response in (definition.get("x-amazon-apigateway-gateway-responses") or {}).items():
            status = response.get("statusCode")
            refused = put_gateway_response(api_id, kind, {**response, "statusCode": status and str(status)})
            if refused[0] >= 400:
                raise ValueError(f"Gateway response {kind}: {refused[2]!r}")
        validators = {
            name: json.loads(create_validator(api_id, {"name": name, **settings})[2])["id"]
            for name, settings in (definition.get("x-amazon-apigateway-request-validators") or {}).items()
        }
        default = definition.get("x-amazon-apigateway-request-validator")
        for path, verb, operation, parameters in _operations(definition):
            resource = next(each for each in resources[api_id].values() if each["path"] == path)
            method = _method(resource, verb)
            method["requestValidatorId"] = validators.get(
                operation.get("x-amazon-apigateway-request-validator", default)
            )
            method["requestParameters"].update(_request_parameters(parameters))
            method["requestModels"].update(_request_models(operation))
            settings, integration = operation.get("x-amazon-apigateway-integration"), method["methodIntegration"]
            if not settings or not integration:
                continue
            integration.update({name: settings[name] for name in INTEGRATION_SETTINGS if name in settings})
            integration["passthroughBehavior"] = settings.get("passthroughBehavior", "when_no_match").upper()
            for pattern, response in (settings.get("responses") or {}).items():
                put_integration_response(
                    api_id,
                    resource["id"],
                    method["httpMethod"],
                    str(response.get("statusCode", 200)),
                    {**response, "selectionPattern": "" if pattern == "default" else pattern},
                )

    def build(import_api: Callable[..., str]) -> Callable[..., str]:
        def import_and_complete(definition: Definition, base: Definition | None = None) -> str:
            api_id = import_api(definition, base)
            complete(api_id, definition)
            return api_id

        return import_and_complete

    replace(apigateway_v1, "_import_rest_api", build)


def _operations(definition: Definition) -> Iterator[tuple[str, str, Definition, list[Definition]]]:
    """Yield path, method, operation and parameters of every operation."""
    for path, item in (definition.get("paths") or {}).items():
        for verb, operation in item.items():
            if verb.lower() in apigateway_v1._OPENAPI_HTTP_METHODS:
                declared = [*(item.get("parameters") or []), *(operation.get("parameters") or [])]
                yield path, verb, operation, [_resolved(parameter, definition) for parameter in declared]


def _method(resource: Definition, verb: str) -> Definition:
    methods: dict[str, Definition] = resource["resourceMethods"]
    if verb.lower() == ANY_METHOD:
        methods["ANY"] = {**methods.pop(verb.upper()), "httpMethod": "ANY"}
        return methods["ANY"]
    return methods[verb.upper()]


def _resolved(parameter: Definition, definition: Definition) -> Definition:
    target: Any = parameter
    if "$ref" in parameter:
        target = definition
        for key in parameter["$ref"].removeprefix("#/").split("/"):
            target = target[key]
    return dict(target)


def _request_parameters(parameters: list[Definition]) -> dict[str, bool]:
    return {
        f"method.request.{PARAMETER_PLACES[each['in']]}.{each['name']}": bool(each.get("required"))
        for each in parameters
        if each.get("in") in PARAMETER_PLACES
    }


def _request_models(operation: Definition) -> dict[str, str]:
    contents = (operation.get("requestBody") or {}).get("content") or {}
    schemas = {content_type: content.get("schema") or {} for content_type, content in contents.items()}
    return {kind: schema["$ref"].rpartition("/")[2] for kind, schema in schemas.items() if "$ref" in schema}


def _with_model_references(schema: Any, api_id: str) -> Any:
    """Turn references within the definition into references between the API's models, as the import on AWS does."""
    if isinstance(schema, list):
        return [_with_model_references(each, api_id) for each in schema]
    if not isinstance(schema, dict):
        return schema
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/components/schemas/"):
        model = reference.rpartition("/")[2]
        return {"$ref": f"https://apigateway.amazonaws.com/restapis/{api_id}/models/{model}"}
    return {key: _with_model_references(value, api_id) for key, value in schema.items()}
