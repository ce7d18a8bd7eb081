"""Nobody calls the API who should not, in either state of the parameter that opens it."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from eventfork.api_wiring import SECURITY_HEADERS
from eventfork.callers import ANY_CUSTOMER

from tests.templates import PROJECT_ROOT, REPLAY_CONTROL, ROOT, resolved

SCOPES = {
    ("/checkout", "post"): "eventfork/orders.write",
    ("/orders/{customerId}/{orderId}", "get"): "eventfork/orders.read",
    ("/customers", "post"): "eventfork/customers.write",
    ("/payments/quote", "get"): "eventfork/quotes.read",
}
"""The methods that do something, each with the scope that it asks for."""

ANY = "x-amazon-apigateway-any-method"
REFUSALS = {(path, ANY) for path in ("/{proxy+}", *(path for path, _ in SCOPES))}
"""Methods that answer 404 or 405 to anybody, without reaching a function."""

PREFLIGHTS = {(path, "options") for path, _ in SCOPES}
"""Methods by which a browser asks what pages of the one origin may send."""

ALLOWED_ORIGIN = {"Fn::Sub": "'${CorsAllowedOrigin}'"}
TYPES_OF_AUTHORIZERS = {"UNAUTHORIZED", "ACCESS_DENIED", "EXPIRED_TOKEN"}


def _body(*, anonymous: bool = False, cors: bool = False, plan: bool = False, pool: bool = True) -> dict[str, Any]:
    body: dict[str, Any] = resolved(
        ROOT.resources("AWS::Serverless::Api")["CheckoutApi"]["DefinitionBody"],
        AnonymousCheckoutAllowed=anonymous,
        HasCorsOrigin=cors,
        HasUsagePlan=plan,
        MakesUserPool=pool,
        HasPayments=True,
    )
    return body


def _operations(body: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (path, method): operation for path, methods in body["paths"].items() for method, operation in methods.items()
    }


@pytest.mark.parametrize("cors", [True, False])
@pytest.mark.parametrize("plan", [True, False])
def test_every_method_asks_for_a_token_with_its_scope_but_those_that_reach_nothing(cors: bool, plan: bool) -> None:
    operations = _operations(_body(cors=cors, plan=plan))
    for method, scope in SCOPES.items():
        key: dict[str, list[str]] = {"apiKey": []} if plan else {}
        assert operations.pop(method)["security"] == [{"cognito": [scope], **key}], method
    assert operations.keys() == (REFUSALS | PREFLIGHTS if cors else REFUSALS)
    for method, operation in operations.items():
        assert operation["security"] == [], method
        assert operation["x-amazon-apigateway-integration"]["type"] == "mock", method


def test_where_anybody_may_call_no_method_asks_for_anything_and_nothing_is_there_to_ask() -> None:
    body = _body(anonymous=True, pool=False)
    assert all(operation["security"] == [] for operation in _operations(body).values())
    assert _operations(body).keys() == SCOPES.keys() | REFUSALS
    [scheme] = body["components"]["securitySchemes"].values()
    assert "x-amazon-apigateway-authorizer" not in scheme


@pytest.mark.parametrize("pool", [True, False])
def test_tokens_are_those_of_the_one_user_pool(pool: bool) -> None:
    [scheme] = _body(pool=pool)["components"]["securitySchemes"].values()
    arn = {"Fn::GetAtt": ["UserPool", "Arn"]} if pool else {"Ref": "UserPoolArn"}
    assert scheme == {
        "type": "apiKey",
        "name": "Authorization",
        "in": "header",
        "x-amazon-apigateway-authtype": "cognito_user_pools",
        "x-amazon-apigateway-authorizer": {"type": "cognito_user_pools", "providerARNs": [arn]},
    }


def test_a_parameter_that_opens_or_closes_the_api_changes_what_the_stage_serves() -> None:
    # SAM names the deployment after the definition as it is written, in which a condition is the same either way.
    assert ROOT.resources("AWS::Serverless::Api")["CheckoutApi"]["AlwaysDeploy"] is True


def test_only_services_act_for_any_customer_and_report_customers() -> None:
    clients = ROOT.resources("AWS::Cognito::UserPoolClient")
    customers, services = set(clients["CustomersClient"]["AllowedOAuthScopes"]), clients["ServicesClient"]
    assert set(services["AllowedOAuthScopes"]) == {*SCOPES.values(), ANY_CUSTOMER}
    assert customers == set(SCOPES.values()) - {"eventfork/customers.write"}
    assert (services["AllowedOAuthFlows"], services["GenerateSecret"]) == (["client_credentials"], True)
    assert clients["CustomersClient"]["AllowedOAuthFlows"] == ["code"]
    [server] = ROOT.resources("AWS::Cognito::UserPoolResourceServer").values()
    made = {f"{server['Identifier']}/{scope['ScopeName']}" for scope in server["Scopes"]}
    assert made == {*SCOPES.values(), ANY_CUSTOMER}
    for client in clients.values():
        assert client["AccessTokenValidity"] == 1
        assert client["TokenValidityUnits"]["AccessToken"] == "hours"


def test_nobody_makes_themselves_a_user() -> None:
    [pool] = ROOT.resources("AWS::Cognito::UserPool").values()
    assert pool["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": True}
    assert not pool.keys() & {"AliasAttributes", "UsernameAttributes"}
    assert pool["UsernameConfiguration"] == {"CaseSensitive": True}


def test_the_pool_and_what_is_in_it_is_made_only_where_it_is_used() -> None:
    for name, resource in ROOT.document["Resources"].items():
        if resource["Type"].startswith("AWS::Cognito::"):
            assert resource["Condition"] == ("HasCustomerSignIn" if name == "CustomersClient" else "MakesUserPool"), (
                name
            )
    anonymous = {"Fn::Not": [{"Condition": "AnonymousCheckoutAllowed"}]}
    assert ROOT.document["Conditions"]["MakesUserPool"]["Fn::And"][0] == anonymous


def test_functions_are_told_whether_anybody_may_call_by_the_parameter_that_opens_their_method() -> None:
    for function in ("CheckoutApiFunction", "OrderApiFunction"):
        variables = ROOT.resources("AWS::Serverless::Function")[function]["Environment"]["Variables"]
        assert variables["EVERYBODY_MAY_CALL"] == {"Ref": "AllowAnonymousCheckout"}
    payments = ROOT.resources("AWS::Serverless::Application")["Payments"]["Parameters"]
    assert payments["AllowAnonymousQuotes"] == {"Ref": "AllowAnonymousCheckout"}


def _answer_headers(body: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield whose they are and the headers, by their names in lower case, of each answer that is not a function's."""
    for name, response in body["x-amazon-apigateway-gateway-responses"].items():
        yield name, response["responseParameters"]
    for method, operation in _operations(body).items():
        for status, response in operation["x-amazon-apigateway-integration"].get("responses", {}).items():
            declared = operation["responses"][str(response["statusCode"])]["headers"]
            mapped = response["responseParameters"]
            assert {name.rpartition(".")[2] for name in mapped} <= declared.keys(), method
            yield f"{method} {status}", mapped


@pytest.mark.parametrize("cors", [True, False])
def test_every_answer_of_the_gateway_has_the_headers_of_security_and_the_origin_only_where_there_is_one(
    cors: bool,
) -> None:
    answers = dict(_answer_headers(_body(cors=cors)))
    assert len(answers) > len(REFUSALS)
    for whose, mapped in answers.items():
        headers = {name.rpartition(".")[2].lower(): value for name, value in mapped.items()}
        assert headers.items() >= {name: f"'{value}'" for name, value in SECURITY_HEADERS.items()}.items(), whose
        assert headers.get("access-control-allow-origin") == (ALLOWED_ORIGIN if cors else None), whose


def test_a_request_that_nobody_can_be_told_from_is_answered_with_how_to_say_who_one_is() -> None:
    responses = _body()["x-amazon-apigateway-gateway-responses"]
    assert responses.keys() >= TYPES_OF_AUTHORIZERS
    for name in TYPES_OF_AUTHORIZERS - {"ACCESS_DENIED"}:
        assert responses[name]["statusCode"] == 401
        assert responses[name]["responseParameters"]["gatewayresponse.header.WWW-Authenticate"] == "'Bearer'"
    assert responses["ACCESS_DENIED"]["statusCode"] == 403


def test_the_costly_methods_have_limits_of_their_own_and_none_logs_what_it_carries() -> None:
    settings = [
        one.get("Fn::If", [None, one])[1]
        for one in ROOT.resources("AWS::Serverless::Api")["CheckoutApi"]["MethodSettings"]
    ]
    limits = {(one["ResourcePath"], one["HttpMethod"]): one["ThrottlingRateLimit"]["Ref"] for one in settings}
    assert limits == {
        ("/*", "*"): "RequestsPerSecond",
        ("/~1customers", "POST"): "CustomersPerSecond",
        ("/~1payments~1quote", "GET"): "QuotesPerSecond",
    }
    assert not any(one["DataTraceEnabled"] for one in settings)


def test_the_description_of_the_api_names_the_scopes_that_its_methods_ask_for() -> None:
    described = yaml.safe_load((PROJECT_ROOT / "openapi.yaml").read_text(encoding="utf-8"))
    [(name, scheme)] = described["components"]["securitySchemes"].items()
    asked = {
        (path, method): operation["security"]
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    }
    assert asked == {method: [{}, {name: [scope]}] for method, scope in SCOPES.items()}
    clients = ROOT.resources("AWS::Cognito::UserPoolClient")
    flows = {flow: set(one["scopes"]) for flow, one in scheme["flows"].items()}
    assert flows == {
        "clientCredentials": set(clients["ServicesClient"]["AllowedOAuthScopes"]),
        "authorizationCode": set(clients["CustomersClient"]["AllowedOAuthScopes"]),
    }


def test_operators_sign_their_commands() -> None:
    [api] = REPLAY_CONTROL.resources("AWS::Serverless::Api").values()
    body = api["DefinitionBody"]
    assert body["components"]["securitySchemes"]["sigv4"]["x-amazon-apigateway-authtype"] == "awsSigv4"
    assert [one["security"] for path in body["paths"].values() for one in path.values()] == [[{"sigv4": []}]]
