"""Samples, schemas, templates and the API's description say the same."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import md5
from pathlib import Path
from typing import Any

import fastjsonschema
import pytest
import yaml
from eventfork import checkout_events, orders, payments, replay_commands, replay_requests, schemas
from eventfork.attribute_values import decoded
from eventfork.card_data import LAST_FOUR, Redactor
from eventfork.forwarding import Message
from eventfork.json_text import parse, render
from eventfork.limits import DYNAMODB_SMALLEST_EXPONENT
from eventfork.payments import Captured, Deferred

from setup.draw import seal, sources
from setup.generate import files, generated
from setup.state_machines import FOLDER, MACHINES, text
from tests.templates import ALL, PAYMENTS, PIPELINES, PROJECT_ROOT, REPLAY_CONTROL, ROOT, Template, resolved

EVENTS = PROJECT_ROOT / "events"
TRIGGERS = {
    "CheckoutApiFunction": ["checkout-api.json"],
    "OrderApiFunction": ["order-api.json"],
    "CheckoutFunction": ["checkout-queue.json"],
    "BackupFunction": ["backup-queue.json"],
    "SearchFunction": ["search-queue.json"],
    "SearchSetupFunction": ["search-setup.json"],
    "ReplayFunction": ["replay-queue.json"],
    "OrderStreamFunction": ["order-stream.json"],
    "CustomerFunction": ["customers-queue.json"],
    "FraudScreeningFunction": ["fraud-screening-queue.json"],
    "ReplayControlFunction": [
        "replay-control-api.json",
        "replay-control-recovery.json",
        "replay-control-plan.json",
        "replay-control-start.json",
        "replay-control-pause.json",
        "replay-control-resume.json",
        "replay-control-stop.json",
        "replay-control-show.json",
        "replay-control-list.json",
    ],
    "ReplayWorkerFunction": ["replay-work-queue.json", "replay-sweep.json"],
    "PaymentFunction": ["payments-queue.json"],
    "PaymentStreamFunction": ["payments-stream.json"],
    "PaymentQuoteFunction": ["payment-quote.json"],
    "OrderPaymentFunction": ["order-payments-queue.json"],
    "HeldPaymentsFunction": ["held-payments.json"],
    "CircuitManagerFunction": ["circuit-tick.json", "circuit-probe-queue.json", "circuit-stream.json"],
    "CircuitControlFunction": [
        "circuit-control-list.json",
        "circuit-control-show.json",
        "circuit-control-history.json",
        "circuit-control-force-open.json",
        "circuit-control-force-close.json",
        "circuit-control-disable.json",
        "circuit-control-metrics-only.json",
        "circuit-control-reset.json",
    ],
    "PaymentProviderFunction": [
        "payment-provider-charges.json",
        "payment-provider-quote.json",
        "payment-provider-health.json",
        "payment-provider-mode.json",
        "payment-provider-log.json",
    ],
}
"""Samples of everything that invokes each function."""
COMMANDS = {"plan", "start", "pause", "resume", "stop", "show", "list"}
CARD_FIELDS = ("card-number", "card-expiry", "card-owner", "card-cvv")


def _sample(name: str) -> Any:
    return parse((EVENTS / name).read_text(encoding="utf-8"))


def _openapi() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((PROJECT_ROOT / "openapi.yaml").read_text(encoding="utf-8"))
    return document


def _template_paths() -> dict[str, Any]:
    paths = ROOT.resources("AWS::Serverless::Api")["CheckoutApi"]["DefinitionBody"]["paths"]
    found: dict[str, Any] = resolved(paths, HasPayments=True)
    return found


def test_every_function_has_a_sample_of_what_triggers_it() -> None:
    functions = [name for template in ALL for name in template.resources("AWS::Serverless::Function")]
    assert sorted(functions) == sorted(TRIGGERS)
    for samples in TRIGGERS.values():
        assert samples
        assert all(isinstance(_sample(sample), dict) for sample in samples)


def test_every_command_about_replays_has_a_sample_that_can_be_read() -> None:
    samples = {name: _sample(name) for name in TRIGGERS["ReplayControlFunction"]}
    api, closed = samples.pop("replay-control-api.json"), samples.pop("replay-control-recovery.json")
    assert closed["detail-type"] == "CircuitClosed"
    assert {f"replay-control-{one['command']}.json" for one in samples.values()} == samples.keys()
    assert {one["command"] for one in samples.values()} == COMMANDS
    asked_at = datetime(2026, 11, 30, tzinfo=UTC)
    for name in ("plan", "start"):
        said = samples[f"replay-control-{name}.json"]
        asked = replay_requests.asked(said, asked_at)
        assert (asked.source, asked.targets) == (said["source"], tuple(said["targets"]))
        assert (asked.window.start.month, asked.window.end.month) == (11, 11)
    command = replay_commands.read(api)
    assert (command.name, command.by_api) == (api["pathParameters"]["command"], True)
    assert command.actor == api["requestContext"]["identity"]["userArn"]
    assert command.said().items() <= _sample("replay-control-list.json").items()


def test_the_samples_about_jobs_mean_one_job_and_what_changes_it_says_who_and_why() -> None:
    samples = [_sample(f"replay-control-{name}.json") for name in ("start", "pause", "resume", "stop", "show")]
    [record] = _sample("replay-work-queue.json")["Records"]
    assert {replay_requests.job_id(one) for one in (*samples, parse(record["body"]))} == {"sample-job"}
    assert record["md5OfBody"] == md5(record["body"].encode(), usedforsecurity=False).hexdigest()
    for said in samples[:-1]:
        assert replay_requests.reason(said)
        assert replay_requests.actor(said).startswith("arn:")


def test_the_sample_of_the_sweep_is_what_the_rule_sends() -> None:
    rule = REPLAY_CONTROL.resources("AWS::Events::Rule")["ReplaySweepRule"]
    assert [json.loads(target["Input"]) for target in rule["Targets"]] == [_sample("replay-sweep.json")]


def test_the_sample_of_a_count_is_what_a_schedule_sends() -> None:
    [target] = PAYMENTS.resources("AWS::Events::Rule")["HeldPaymentsRule"]["Targets"]
    assert "Input" not in target
    sample = _sample("held-payments.json")
    assert (sample["source"], sample["detail-type"], sample["detail"]) == ("aws.events", "Scheduled Event", {})
    assert sample["resources"][0].endswith(":rule/HeldPaymentsRule")


def test_the_sample_order_is_paid_as_the_sample_changes_of_the_payments_table_say() -> None:
    order = _sample("order-placed-event.json")["detail"]
    _, deferred, captured = _sample("payments-stream.json")["Records"]
    placed = payments.prepare(Message("1", render(_sample("order-placed-event.json")), {}, ""), 0)
    for record, result in ((deferred, Deferred(503, "payments", "?")), (captured, Captured("?"))):
        image = {name: decoded(one) for name, one in record["dynamodb"]["NewImage"].items()}
        row = payments.row(placed, result, datetime(2026, 11, 20, tzinfo=UTC))
        same = set(row) - {"UpdatedAt", "DeferredAt", "ChargeId", "OutageId"}
        assert {name: image[name] for name in same} == {name: row[name] for name in same}
        assert image.keys() == {*row, "Deferrals"}
        assert image["EventId"] == order["metadata"]["id"]
    assert (
        _sample("circuit-opened-event.json")["detail"]["data"]["outageId"]
        == (deferred["dynamodb"]["NewImage"]["OutageId"]["S"])
    )


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


@pytest.mark.parametrize("name", MACHINES)
def test_every_picture_of_a_state_machine_shows_what_the_code_goes_by(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == text(MACHINES[name]), "run `make generate`"


@pytest.mark.parametrize("source", sources(), ids=lambda source: str(source.relative_to(PROJECT_ROOT)))
def test_every_picture_is_drawn_from_its_text(source: Path) -> None:
    assert source.with_suffix(".svg").read_text(encoding="utf-8").endswith(seal(source)), "run `make pictures`"


def test_the_description_of_the_api_lists_the_methods_of_the_template() -> None:
    described = {(path, method) for path, methods in _openapi()["paths"].items() for method in methods}
    deployed = {
        (path, method)
        for path, methods in _template_paths().items()
        for method in methods
        if not method.startswith("x-amazon") and method != "options"
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


@pytest.mark.parametrize("template", [ROOT, REPLAY_CONTROL], ids=str)
def test_every_problem_document_of_the_gateway_is_json_and_says_its_status(template: Template) -> None:
    [api] = template.resources("AWS::Serverless::Api").values()
    body = api["DefinitionBody"]
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
