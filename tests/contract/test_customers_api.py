"""What the API makes of a customer, with no function between, is the event that the samples, schemas and rules say."""

import json
import re
from typing import Any

import fastjsonschema
import pytest
from eventfork import bus_events, customers, schemas
from eventfork.card_data import Redactor
from eventfork.forwarding import Message

from tests.canaries import card
from tests.templates import PROJECT_ROOT, ROOT

REQUEST_ID = "Lm5kVH4yliAEPQw="
BODY = "$util.escapeJavaScript($input.json('$')).replaceAll(\"\\\\'\",\"'\")"
"""How the mapping template writes the body inside a text: escapeJavaScript alone escapes what JSON does not know."""
SAMPLE = json.loads((PROJECT_ROOT / "events" / "customer-created-event.json").read_text(encoding="utf-8"))


def _operation() -> dict[str, Any]:
    api = ROOT.resources("AWS::Serverless::Api")["CheckoutApi"]
    operation: dict[str, Any] = api["DefinitionBody"]["paths"]["/customers"]["post"]
    return operation


def _integration() -> dict[str, Any]:
    integration: dict[str, Any] = _operation()["x-amazon-apigateway-integration"]
    return integration


def _entry(customer: dict[str, Any]) -> dict[str, Any]:
    """Give the entry that the request's template makes of a customer."""
    text = _integration()["requestTemplates"]["application/json"]["Fn::Sub"]
    body = json.dumps(json.dumps(customer))[1:-1]
    assert text.count(BODY) == 1
    text = text.replace(BODY, body).replace("$context.extendedRequestId", REQUEST_ID)
    assert not re.search(r"\$(?!\{Bus\.Outputs\.EventBusName\})", text)
    [entry] = json.loads(text)["Entries"]
    return dict(entry)


def test_the_sample_customer_gives_the_sample_event() -> None:
    entry = _entry(SAMPLE["detail"]["data"])
    assert json.loads(entry["Detail"]) == SAMPLE["detail"]
    assert (entry["Source"], entry["DetailType"]) == (SAMPLE["source"], SAMPLE["detail-type"])
    assert (entry["Source"], entry["DetailType"]) == (bus_events.CUSTOMERS, bus_events.CUSTOMER_CREATED)
    assert entry["EventBusName"] == "${Bus.Outputs.EventBusName}"


def test_what_the_api_puts_on_the_bus_fits_the_schema_and_the_consumer_takes_it() -> None:
    customer = {"customerId": 1, "customerName": 'Ada "O\'Hara" é\\', "customerData": {"note": "a\nb", "vip": True}}
    detail = json.loads(_entry(customer)["Detail"])
    fastjsonschema.compile(schemas.load("customer-created"))(detail)
    message = Message(id="1", body=json.dumps({**SAMPLE, "detail": detail}), attributes={}, sent_at=SAMPLE["time"])
    row = customers.prepare(message, 0, Redactor())
    assert (row["CustomerId"], row["CustomerName"]) == ("1", customer["customerName"])
    assert json.loads(row["CustomerData"]) == customer["customerData"]


def test_only_json_that_fits_the_schema_whole_reaches_the_bus() -> None:
    # No function checks it again, so the gateway's model must be all of the schema.
    assert _integration()["passthroughBehavior"] == "never"
    assert _integration()["requestTemplates"].keys() == {"application/json"}
    assert _operation()["x-amazon-apigateway-request-validator"] == "body"
    [content] = _operation()["requestBody"]["content"].items()
    assert content == ("application/json", {"schema": {"$ref": "#/components/schemas/Customer"}})
    body = ROOT.resources("AWS::Serverless::Api")["CheckoutApi"]["DefinitionBody"]
    assert body["x-amazon-apigateway-request-validators"]["body"]["validateRequestBody"] is True
    assert body["components"]["schemas"]["Customer"] == schemas.load("customer-created")["definitions"]["Customer"]


@pytest.mark.parametrize("spelling", card("a customer").spellings)
def test_no_text_reaches_the_bus_that_a_consumer_would_find_a_card_number_in(spelling: str) -> None:
    # Between the gateway and the archive there is nothing that could take it out.
    assert Redactor().text(spelling) != spelling
    takes = fastjsonschema.compile({**schemas.load("customer-created"), "$ref": "#/definitions/Customer"})
    customer = {"customerId": 1, "customerName": "Ada"}
    takes(customer)
    for holding in (
        {"customerName": f"Ada {spelling}"},
        {"customerId": f"a{spelling}"},
        {"customerData": {"note": f"please\ncharge {spelling}"}},
    ):
        with pytest.raises(fastjsonschema.JsonSchemaValueException):
            takes(customer | holding)


def test_it_answers_202_only_where_the_bus_took_the_event_and_else_a_problem_document() -> None:
    responses = _integration()["responses"]
    answer = responses["200"]["responseTemplates"]["application/json"]
    taken, refused = answer.split("#else")
    assert taken.startswith("#if($input.path('$.FailedEntryCount') == 0)")
    assert json.loads(taken.splitlines()[1].replace("$context.extendedRequestId", REQUEST_ID)) == {
        "eventId": REQUEST_ID
    }
    assert "responseOverride.status = 503" in refused
    assert "responseOverride.header.Retry-After" in refused
    assert 'responseOverride.header.Content-Type = "application/problem+json"' in refused
    [problem] = [json.loads(line) for line in refused.splitlines() if line.startswith("{")]
    failed = responses["default"]
    assert json.loads(failed["responseTemplates"]["application/json"]) == problem
    assert problem["status"] == int(failed["statusCode"]) == 503
    assert failed["responseParameters"]["method.response.header.Content-Type"] == "'application/problem+json'"
    assert failed["responseParameters"]["method.response.header.Retry-After"] == "'5'"


def test_no_answer_shows_what_the_client_chose() -> None:
    # A client may send a request id of its own, which would then be the event's.
    integration = json.dumps(_integration())
    assert set(re.findall(r"\$context\.(\w+)", integration)) == {"extendedRequestId", "responseOverride"}
