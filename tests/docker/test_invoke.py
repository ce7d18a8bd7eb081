"""`sam local invoke` answers every function's sample, and what the function does is seen on the engine."""

import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
from eventfork.json_text import parse
from eventfork.replay import MARKER

from tests.docker.conftest import Index
from tests.docker.containers import FUNCTIONS, Invocation, SamLocal
from tests.integration.application import Application, eventually
from tests.templates import PROJECT_ROOT

pytestmark = pytest.mark.docker

Invoke = Callable[[str], Invocation]

SAMPLES = {
    "CheckoutApiFunction": "checkout-api",
    "OrderApiFunction": "order-api",
    "CheckoutPipeline/CheckoutFunction": "checkout-queue",
    "BackupPipeline/BackupFunction": "backup-queue",
    "SearchPipeline/SearchFunction": "search-queue",
    "ReplayPipeline/ReplayFunction": "replay-queue",
    "Bus/OrderStreamFunction": "order-stream",
    "Customers/CustomerFunction": "customers-queue",
    "FraudScreening/FraudScreeningFunction": "fraud-screening-queue",
    "ReplayControl/ReplayControlFunction": "replay-control-plan",
    "ReplayControl/ReplayWorkerFunction": "replay-work-queue",
    "Payments/PaymentFunction": "payments-queue",
    "Payments/PaymentStreamFunction": "payments-stream",
    "Payments/PaymentQuoteFunction": "payment-quote",
    "Payments/OrderPaymentFunction": "order-payments-queue",
    "Payments/HeldPaymentsFunction": "held-payments",
    "CircuitBreaker/CircuitManagerFunction": "circuit-tick",
    "CircuitBreaker/CircuitControlFunction": "circuit-control-list",
    "PaymentProvider/PaymentProviderFunction": "payment-provider-health",
}
ALL_DONE: dict[str, list[str]] = {"batchItemFailures": []}


def _sample(name: str) -> str:
    return (PROJECT_ROOT / "events" / f"{name}.json").read_text(encoding="utf-8")


EVENT = json.loads(_sample("checkout-topic"))


@pytest.fixture(scope="module", autouse=True)
def _only_docker_works(application: Application) -> Iterator[None]:
    """Let the engine's own functions rest, so that whatever happens was done in Docker."""
    functions = application.engine.client("lambda")
    mappings = functions.list_event_source_mappings()["EventSourceMappings"]
    busy = [mapping["UUID"] for mapping in mappings if mapping["State"] == "Enabled"]
    for mapping in busy:
        functions.update_event_source_mapping(UUID=mapping, Enabled=False)
    yield
    for mapping in busy:
        functions.update_event_source_mapping(UUID=mapping, Enabled=True)


@pytest.fixture(scope="module")
def invoke(application: Application, sam_local: SamLocal) -> Invoke:
    """Invoke a function with its sample, once."""
    for row in application.rows("9027"):
        key = {name: row[name] for name in ("CustomerId", "DateOrderId")}
        application.engine.client("dynamodb").delete_item(TableName=application.outputs["CheckoutTableName"], Key=key)
    return cache(lambda path: sam_local.invoke(path, _sample(SAMPLES[path])))


def _queued(application: Application, marked: bool) -> dict[str, Any] | None:
    return next(
        (
            message
            for message in application.messages("CheckoutQueueUrl")
            if json.loads(message["Body"]) | {"time": ""} == EVENT | {"time": ""}
            and (MARKER in message["MessageAttributes"]) is marked
        ),
        None,
    )


def test_the_checkout_api_function_accepts_its_sample_and_publishes_the_order(
    application: Application, invoke: Invoke
) -> None:
    invocation = invoke("CheckoutApiFunction")
    assert invocation.status == 0
    assert invocation.answer["statusCode"] == 202
    assert invocation.answer["headers"]["location"] == "orders/9027/48213"
    assert json.loads(invocation.answer["body"]) == {"orderId": "48213", "eventId": EVENT["id"]}
    message = eventually(lambda: _queued(application, marked=False), "the order on the checkout queue")
    assert message["MessageAttributes"]["amount"] == {"StringValue": "128.4", "DataType": "Number"}


def test_the_checkout_function_stores_the_order_of_its_sample(application: Application, invoke: Invoke) -> None:
    invocation = invoke("CheckoutPipeline/CheckoutFunction")
    assert (invocation.status, invocation.answer) == (0, ALL_DONE)
    [row] = application.rows("9027")
    assert row["EventId"] == {"S": EVENT["id"]}
    assert row["EventTime"] == {"S": EVENT["time"]}
    assert json.loads(row["Order"]["S"]) == EVENT["data"]


def test_the_order_api_function_gives_the_order_of_its_sample(invoke: Invoke) -> None:
    invoke("CheckoutPipeline/CheckoutFunction")
    invocation = invoke("OrderApiFunction")
    assert (invocation.status, invocation.answer["statusCode"]) == (0, 200)
    assert parse(invocation.answer["body"]) == parse(json.dumps(EVENT["data"]))


def test_the_backup_function_backs_up_the_messages_of_its_sample(application: Application, invoke: Invoke) -> None:
    invocation = invoke("BackupPipeline/BackupFunction")
    assert (invocation.status, invocation.answer) == (0, ALL_DONE)
    eventually(lambda: EVENT in application.backup_events(), "the order in the backup")
    text = "A plain text: card [card ending 1111], please call back."
    eventually(lambda: text in [event["data"] for event in application.backup_events()], "the text in the backup")


def test_the_search_function_sends_the_documents_of_its_sample_to_the_index(index: Index, invoke: Invoke) -> None:
    invocation = invoke("SearchPipeline/SearchFunction")
    assert (invocation.status, invocation.answer) == (0, ALL_DONE)
    eventually(lambda: EVENT["id"] in [document["id"] for document in index.documents], "the order")
    text = "A plain text: card [card ending 1111], please call back."
    eventually(lambda: text in [document.get("text") for document in index.documents], "the text")


def test_the_replay_function_sends_the_message_of_its_sample_back_marked(
    application: Application, invoke: Invoke
) -> None:
    invocation = invoke("ReplayPipeline/ReplayFunction")
    assert (invocation.status, invocation.answer) == (0, ALL_DONE)
    message = eventually(lambda: _queued(application, marked=True), "the replayed message on the checkout queue")
    assert json.loads(message["Body"]) == EVENT
    assert json.loads(message["MessageAttributes"][MARKER]["StringValue"]) == {"job": "operator", "hop": 1}
    assert message["MessageAttributes"]["currency"]["StringValue"] == "eur"


def test_the_order_stream_function_puts_the_two_events_of_its_sample_on_the_bus(
    application: Application, invoke: Invoke
) -> None:
    invocation = invoke("Bus/OrderStreamFunction")
    assert (invocation.status, invocation.answer) == (0, ALL_DONE)
    expected = [json.loads(_sample(f"order-{name}-event"))["detail"] for name in ("placed", "changed")]
    eventually(
        lambda: [event["detail"] for event in application.bus_events()] == expected, "both events in the history"
    )


def test_the_customer_function_stores_the_customer_of_its_sample(application: Application, invoke: Invoke) -> None:
    invocation = invoke("Customers/CustomerFunction")
    assert (invocation.status, invocation.answer) == (0, ALL_DONE)
    [row] = application.table("CustomerTableName")
    customer = json.loads(_sample("customer-created-event"))["detail"]["data"]
    assert (row["CustomerId"], row["CustomerName"]) == ({"S": "9027"}, {"S": customer["customerName"]})
    assert json.loads(row["CustomerData"]["S"]) == customer["customerData"]


def test_the_fraud_screening_function_gives_its_verdict_on_the_order_of_its_sample(
    application: Application, invoke: Invoke
) -> None:
    invocation = invoke("FraudScreening/FraudScreeningFunction")
    assert (invocation.status, invocation.answer) == (0, ALL_DONE)
    [row] = application.table("FraudScreeningTableName")
    assert (row["OrderId"], row["Result"]) == ({"S": "48213"}, {"S": "CLEAR"})


def test_the_replay_control_function_answers_the_sample_of_every_command(sam_local: SamLocal, invoke: Invoke) -> None:
    path = "ReplayControl/ReplayControlFunction"
    assert invoke(path).answer["plan"]["targets"][0]["name"] == "customers"
    assert sam_local.invoke(path, _sample("replay-control-start")).answer["job"]["state"] == "WAITING"
    for command, state in (("pause", "PAUSED"), ("resume", "WAITING"), ("stop", "CANCELLED"), ("show", "CANCELLED")):
        answer = sam_local.invoke(path, _sample(f"replay-control-{command}")).answer
        assert answer.get("job", {}).get("state") == state, answer
    [job] = sam_local.invoke(path, _sample("replay-control-list")).answer["jobs"]
    assert [one["action"] for one in job["history"]] == ["start", "pause", "resume", "stop"]


def test_the_replay_worker_function_leaves_alone_what_it_does_not_know(invoke: Invoke) -> None:
    invocation = invoke("ReplayControl/ReplayWorkerFunction")
    assert (invocation.status, invocation.answer) == (0, None)


@pytest.mark.parametrize("path", FUNCTIONS)
def test_no_function_writes_card_data_of_its_sample_even_at_debug(
    sam_local: SamLocal, invoke: Invoke, path: str
) -> None:
    assert sam_local.variables[path]["POWERTOOLS_LOG_LEVEL"] == "DEBUG"
    output = invoke(path).output
    assert "END RequestId" in output
    assert [text for text in ("4111 1111 1111 1111", "4111111111111111", "08/2029", "card-cvv") if text in output] == []


def test_no_container_is_left_behind(sam_local: SamLocal, invoke: Invoke) -> None:
    invoke("OrderApiFunction")
    assert eventually(lambda: not sam_local.containers(), f"the end of {sam_local.containers()}")
