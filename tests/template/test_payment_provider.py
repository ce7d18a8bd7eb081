"""The simulated payment provider's template: what no scanner checks, and only it has."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from eventfork import provider_simulator
from eventfork.json_text import parse
from eventfork.provider_simulator import Provider

from tests.templates import PROJECT_ROOT, read
from tests.unit.provider import Kept

PROVIDER = read("applications/payment-provider/template.yaml")
PAYMENTS = read("applications/payments/template.yaml")
SAMPLES = sorted((PROJECT_ROOT / "events").glob("payment-provider-*.json"))
API_SECONDS = 29
"""The longest that API Gateway waits. API Gateway developer guide, "Quotas"."""
FUNCTION = {"Ref": "PaymentProviderFunction"}


def _api() -> dict[str, Any]:
    [api] = PROVIDER.resources("AWS::Serverless::Api").values()
    return api


def _operations() -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, methods in _api()["DefinitionBody"]["paths"].items()
        for method, operation in methods.items()
    }


def _function() -> dict[str, Any]:
    [function] = PROVIDER.resources("AWS::Serverless::Function").values()
    return function


def _statements() -> dict[str, dict[str, Any]]:
    [role] = PROVIDER.resources("AWS::IAM::Role").values()
    return {one["Sid"]: one for one in role["Policies"][0]["PolicyDocument"]["Statement"]}


def test_the_api_has_what_the_provider_can_do_and_nothing_else() -> None:
    provider = Provider(Kept(), lambda: "credential", lambda: datetime.now(UTC), lambda: "id")
    assert _operations().keys() == provider._operations.keys()


def test_every_request_reaches_the_function_which_decides_who_must_show_the_credential() -> None:
    for operation in _operations().values():
        integration = operation["x-amazon-apigateway-integration"]
        assert (integration["type"], integration["httpMethod"]) == ("aws_proxy", "POST")
        assert "${PaymentProviderFunction.Arn}" in integration["uri"]["Fn::Sub"]
    [permission] = PROVIDER.resources("AWS::Lambda::Permission").values()
    assert permission["FunctionName"] == FUNCTION
    assert permission["SourceArn"]["Fn::Sub"].endswith(":${ProviderApi}/*")
    assert "CacheClusterEnabled" not in _api()


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_a_sample_is_a_request_to_that_api(path: Path) -> None:
    sample = parse(path.read_text(encoding="utf-8"))
    operation = _operations()[sample["httpMethod"], sample["resource"]]
    named = {one["name"] for one in operation.get("parameters", [])}
    assert named == (sample["queryStringParameters"] or {}).keys()
    assert sample["resource"] == f"/{path.stem.removeprefix('payment-provider-')}"


def test_every_request_of_the_api_has_a_sample() -> None:
    assert {path.stem.removeprefix("payment-provider-") for path in SAMPLES} == {path[1:] for _, path in _operations()}


def test_what_requests_carry_is_never_logged_by_the_gateway() -> None:
    [settings] = _api()["MethodSettings"]
    assert (settings["ResourcePath"], settings["HttpMethod"], settings["DataTraceEnabled"]) == ("/*", "*", False)
    for word in ("authorization", "header", "body"):
        assert word not in _api()["AccessLogSetting"]["Format"].lower()


def test_no_more_requests_come_than_one_place_of_the_table_takes() -> None:
    [settings] = _api()["MethodSettings"]
    assert settings["ThrottlingRateLimit"] == settings["ThrottlingBurstLimit"] == {"Ref": "RequestsPerSecond"}
    # Each is two writes at the most: DynamoDB takes 1,000 a second of what has one partition key.
    assert PROVIDER.parameters["RequestsPerSecond"]["MaxValue"] * 2 <= 1000


def test_what_the_gateway_says_by_itself_has_the_form_of_the_providers_answers() -> None:
    responses = _api()["DefinitionBody"]["x-amazon-apigateway-gateway-responses"]
    assert {name: response["statusCode"] for name, response in responses.items()} == {
        "MISSING_AUTHENTICATION_TOKEN": 404,
        "THROTTLED": 429,
    }
    for response in responses.values():
        assert parse(response["responseTemplates"]["application/json"]).keys() == {"error"}
        assert response["responseParameters"]["gatewayresponse.header.Content-Type"] == "'application/json'"
    assert "gatewayresponse.header.Retry-After" in responses["THROTTLED"]["responseParameters"]


def test_an_answer_is_held_back_as_long_as_it_may_be_and_still_given() -> None:
    waits = [figure for figure in provider_simulator._FIGURES.values() if figure.name == "seconds"]
    assert max(figure.most for figure in waits) + 3 <= _function()["Timeout"] <= API_SECONDS


def test_a_slow_provider_is_slow_to_its_callers_and_one_that_hangs_silent() -> None:
    slow, hangs = (
        provider_simulator._FIGURES[mode].default
        for mode in (provider_simulator.Mode.SLOW, provider_simulator.Mode.HANGS)
    )
    patience = {name: PAYMENTS.parameters[f"{name}Seconds"]["Default"] for name in ("SlowCall", "ReadTimeout")}
    assert patience["SlowCall"] < slow < patience["ReadTimeout"]
    assert hangs > patience["ReadTimeout"] + PAYMENTS.parameters["ConnectTimeoutSeconds"]["Default"]


def test_what_was_asked_is_forgotten() -> None:
    [table] = PROVIDER.resources("AWS::DynamoDB::Table").values()
    assert table["TimeToLiveSpecification"] == {"AttributeName": "ForgottenAt", "Enabled": True}
    assert _function()["Environment"]["Variables"]["RETENTION_DAYS"] == {"Ref": "RetentionDays"}
    assert PROVIDER.parameters["RetentionDays"]["Default"] == 7


def test_the_function_reads_the_credential_keeps_a_log_and_does_nothing_else() -> None:
    statements = _statements()
    assert statements.keys() == {
        "KeepWhatItIsToldAndAsked",
        "KnowTheCredential",
        "ReadAndWriteAnEncryptedTableAndReadAnEncryptedSecret",
        "SendTraces",
    }
    kept = statements["KeepWhatItIsToldAndAsked"]
    assert kept["Resource"] == {"Fn::GetAtt": ["ProviderTable", "Arn"]}
    assert not [action for action in kept["Action"] if "Delete" in action or "Scan" in action]
    assert statements["KnowTheCredential"]["Resource"] == {"Ref": "SecretArn"}
    assert _function()["Environment"]["Variables"]["CREDENTIAL_SECRET_ARN"] == {"Ref": "SecretArn"}


def test_only_the_secret_must_be_given() -> None:
    assert [name for name, one in PROVIDER.parameters.items() if "Default" not in one] == ["SecretArn"]


def test_whoever_reads_of_it_is_told_that_it_takes_nobodys_money() -> None:
    readme = (PROJECT_ROOT / PROVIDER.path.parent / "README.md").read_text(encoding="utf-8")
    assert "It is for tests and for trying things out only" in " ".join(readme.split())
    for text in (readme, PROVIDER.document["Description"]):
        assert "nobody's money" in text


def test_the_readme_tells_of_every_mode_with_its_figure() -> None:
    readme = (PROJECT_ROOT / PROVIDER.path.parent / "README.md").read_text(encoding="utf-8")
    for mode in provider_simulator.Mode:
        figure = provider_simulator._FIGURES.get(mode)
        shown = f", `{figure.name}` ({figure.default:f})" if figure else ""
        assert f"\n| `{mode}`{shown} |" in readme
