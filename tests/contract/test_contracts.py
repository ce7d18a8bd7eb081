"""Samples, schemas, templates and the API's description say the same."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastjsonschema
import pytest
import yaml
from eventfork import checkout_events, orders, schemas
from eventfork.card_data import LAST_FOUR, Redactor
from eventfork.json_text import parse, render
from eventfork.limits import DYNAMODB_SMALLEST_EXPONENT

from setup.draw import seal, sources
from setup.generate import files, generated
from tests.templates import ALL, PIPELINES, PROJECT_ROOT, ROOT

EVENTS = PROJECT_ROOT / "events"
TRIGGERS = {
    "CheckoutApiFunction": "checkout-api.json",
    "OrderApiFunction": "order-api.json",
    "CheckoutFunction": "checkout-queue.json",
    "BackupFunction": "backup-queue.json",
    "SearchFunction": "search-queue.json",
    "SearchSetupFunction": "search-setup.json",
    "ReplayFunction": "replay-queue.json",
    "OrderStreamFunction": "order-stream.json",
    "CustomerFunction": "customers-queue.json",
    "FraudScreeningFunction": "fraud-screening-queue.json",
}
CARD_FIELDS = ("card-number", "card-expiry", "card-owner", "card-cvv")


def _sample(name: str) -> Any:
    return parse((EVENTS / name).read_text(encoding="utf-8"))


def _openapi() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((PROJECT_ROOT / "openapi.yaml").read_text(encoding="utf-8"))
    return document


def _template_paths() -> dict[str, Any]:
    paths: dict[str, Any] = ROOT.resources("AWS::Serverless::Api")["CheckoutApi"]["DefinitionBody"]["paths"]
    return paths


def test_every_function_has_a_sample_of_what_triggers_it() -> None:
    functions = [name for template in ALL for name in template.resources("AWS::Serverless::Function")]
    assert sorted(functions) == sorted(TRIGGERS)
    for sample in TRIGGERS.values():
        assert isinstance(_sample(sample), dict)


def test_the_sample_order_is_valid_and_gives_the_sample_event() -> None:
    order = _sample("order.json")
    orders.check(order)
    sample = _sample("checkout-topic.json")
    redacted = orders.without_card_data(order, Redactor())
    event = checkout_events.order_submitted(redacted, orders.placed_at(order))
    assert {**event, "time": sample["time"]} == sample


def test_the_sample_event_fits_its_schema() -> None:
    schema = schemas.load("order-submitted")
    handlers = {"": lambda reference: schemas.load(Path(reference).name.removesuffix(".schema.json"))}
    fastjsonschema.compile(schema, handlers=handlers)(_sample("checkout-topic.json"))


def test_the_schema_names_the_type_that_the_code_sends() -> None:
    assert schemas.load("order-submitted")["properties"]["type"]["enum"] == [checkout_events.ORDER_SUBMITTED]


def test_the_sample_event_holds_no_card_data_but_network_and_last_four() -> None:
    payment = _sample("checkout-topic.json")["data"]["payment"]
    assert not payment.keys() & set(CARD_FIELDS)
    assert payment[LAST_FOUR] == "1111"
    assert payment["card-network"] == "visa"


def test_the_schema_names_every_card_field_of_the_sample_order() -> None:
    named = schemas.load("order")["properties"]["payment"]["properties"]
    assert set(CARD_FIELDS) <= named.keys()


def test_the_sample_request_carries_the_sample_order() -> None:
    assert parse(_sample("checkout-api.json")["body"]) == _sample("order.json")


@pytest.mark.parametrize("name", ["checkout-queue.json", "backup-queue.json", "search-queue.json", "replay-queue.json"])
def test_the_sample_batches_carry_the_sample_event_with_its_attributes(name: str) -> None:
    record = _sample(name)["Records"][0]
    event = parse(record["body"])
    assert event == _sample("checkout-topic.json")
    sent = checkout_events.attributes(event)
    received = record["messageAttributes"]
    assert {key: (one["dataType"], one["stringValue"]) for key, one in received.items()} == {
        key: (one.type, one.value) for key, one in sent.items()
    }


def test_the_sample_of_the_set_up_is_the_custom_resource_of_the_template() -> None:
    template = next(one for one in PIPELINES if one.path.parent.name == "search")
    [(name, properties)] = template.resources("Custom::SearchIndex").items()
    sample = _sample("search-setup.json")
    assert (sample["LogicalResourceId"], sample["ResourceType"]) == (name, "Custom::SearchIndex")
    assert sample["ResourceProperties"].keys() == properties.keys()
    assert sample["ResourceProperties"]["IndexName"] == template.parameters["IndexName"]["Default"]
    assert sample["ResourceProperties"]["IndexRotation"] in template.parameters["IndexRotation"]["AllowedValues"]


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(PROJECT_ROOT)))
def test_what_is_generated_from_other_files_is_up_to_date(path: Path) -> None:
    assert generated(path) == path.read_text(encoding="utf-8"), "run `make generate`"


@pytest.mark.parametrize("source", sources(), ids=lambda source: str(source.relative_to(PROJECT_ROOT)))
def test_every_picture_is_drawn_from_its_text(source: Path) -> None:
    assert source.with_suffix(".svg").read_text(encoding="utf-8").endswith(seal(source)), "run `make pictures`"


def test_the_description_of_the_api_lists_the_methods_of_the_template() -> None:
    described = {(path, method) for path, methods in _openapi()["paths"].items() for method in methods}
    deployed = {
        (path, method)
        for path, methods in _template_paths().items()
        for method in methods
        if not method.startswith("x-amazon")
    }
    assert described == deployed


def test_the_description_of_the_api_has_the_parameters_of_the_template() -> None:
    for path, methods in _openapi()["paths"].items():
        for method, operation in methods.items():
            described = [(one["name"], one["in"]) for one in operation.get("parameters", [])]
            deployed = [(one["name"], one["in"]) for one in _template_paths()[path][method].get("parameters", [])]
            assert described == deployed
            body = operation.get("requestBody", {}).get("content", {}).keys()
            assert body == _template_paths()[path][method].get("requestBody", {}).get("content", {}).keys()


def test_every_status_of_the_gateway_and_of_the_functions_is_described() -> None:
    gateway = ROOT.resources("AWS::Serverless::Api")["CheckoutApi"]["DefinitionBody"][
        "x-amazon-apigateway-gateway-responses"
    ]
    statuses = {str(one["statusCode"]) for one in gateway.values() if "statusCode" in one}
    statuses |= {"202", "200", "404", "503"}
    described = {
        status
        for methods in _openapi()["paths"].values()
        for operation in methods.values()
        for status in operation["responses"]
    }
    assert statuses <= described


def test_every_problem_document_of_the_gateway_is_json_and_says_its_status() -> None:
    body = ROOT.resources("AWS::Serverless::Api")["CheckoutApi"]["DefinitionBody"]
    for name, response in body["x-amazon-apigateway-gateway-responses"].items():
        text = response["responseTemplates"]["application/json"]
        document = json.loads(text.replace("$context.error.messageString", '"message"'))
        assert response["responseParameters"]["gatewayresponse.header.Content-Type"] == "'application/problem+json'"
        assert document["type"] == "about:blank"
        assert document.get("status") == response.get("statusCode"), name


def test_the_description_and_the_template_have_the_same_version() -> None:
    body = ROOT.resources("AWS::Serverless::Api")["CheckoutApi"]["DefinitionBody"]
    assert body["info"]["version"] == _openapi()["info"]["version"]


def test_what_an_order_becomes_is_still_an_order_to_the_description() -> None:
    order = orders.without_card_data(_sample("order.json"), Redactor())
    orders.check(parse(render(order)))


def test_the_smallest_amount_that_an_order_may_have_fits_a_row() -> None:
    amount = schemas.load("order")["properties"]["payment"]["properties"]["amount"]
    assert Decimal(amount["minimum"]) > Decimal(f"1e{DYNAMODB_SMALLEST_EXPONENT}")
