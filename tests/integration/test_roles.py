"""Functions may do what they seldom have to: set aside, take what is kept elsewhere, and tell what others need."""

import json
import uuid
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from eventfork.provider_simulator import Mode
from eventfork.quarantine import WITHHELD

from local.engine.process import Engine
from tests.integration.application import Application, eventually
from tests.integration.payments import CircuitControl, PaymentProvider
from tests.integration.replays import Replays, now
from tests.templates import PROJECT_ROOT

DONE: dict[str, list[Any]] = {"batchItemFailures": []}
CARD_FIELD = "cvv=737"
"""No pipeline carries it."""
QUOTE = "payments/quote?amount=10&currency=eur"


def _sample(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((PROJECT_ROOT / "events" / f"{name}.json").read_text(encoding="utf-8"))
    return event


def _invoked(engine: Engine, function: str, event: dict[str, Any]) -> Any:
    """Invoke a function as Lambda does for what triggers it, and give its answer; it must have one."""
    answer = engine.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
    payload = answer["Payload"].read()
    assert "FunctionError" not in answer, payload
    return json.loads(payload)


def _batch(*bodies: str, **attributes: str) -> dict[str, Any]:
    """Give what Lambda passes for messages of a queue."""
    record = _sample("checkout-queue")["Records"][0]
    told = {name: {"dataType": "String", "stringValue": value} for name, value in attributes.items()}
    return {
        "Records": [
            {**record, "messageId": str(number), "body": body, "messageAttributes": told}
            for number, body in enumerate(bodies)
        ]
    }


def _events(*names: str) -> list[dict[str, Any]]:
    return [_sample(f"{name}-event") for name in names]


def _too_far(name: str) -> str:
    [event] = _events(name)
    event["detail"]["metadata"]["hops"] = 4
    return json.dumps(event)


@pytest.mark.parametrize(
    ("function", "sample"),
    [
        ("BackupFunctionName", "backup-queue"),
        ("CheckoutFunctionName", "checkout-queue"),
        ("CustomerFunctionName", "customers-queue"),
        ("FraudScreeningFunctionName", "fraud-screening-queue"),
    ],
    ids=lambda value: value.removesuffix("FunctionName") if value.endswith("FunctionName") else "",
)
def test_what_comes_by_queue_is_processed(application: Application, function: str, sample: str) -> None:
    assert _invoked(application.engine, application.outputs[function], _sample(sample)) == DONE


def _orders(count: int) -> dict[str, Any]:
    """Give what Lambda passes for orders that were placed, none of them before."""
    bodies = []
    for _ in range(count):
        [event] = _events("order-placed")
        event["detail"]["data"] |= {
            "orderId": (name := uuid.uuid4().hex),
            "dateOrderId": f"2026-11-20T08:15:42Z#{name}",
        }
        bodies.append(json.dumps(event))
    return _batch(*bodies)


def test_an_order_is_paid(application: Application) -> None:
    """When it is received again, if not at once."""
    PaymentProvider(application).behave(Mode.HEALTHY)
    function, orders = application.outputs["PaymentFunctionName"], _orders(1)
    eventually(lambda: _invoked(application.engine, function, orders) == DONE, "the payment")


def test_how_an_order_is_paid_is_written_into_its_row(application: Application) -> None:
    for function, sample in (
        ("CheckoutFunctionName", "checkout-queue"),
        ("OrderPaymentFunctionName", "order-payments-queue"),
    ):
        assert _invoked(application.engine, application.outputs[function], _sample(sample)) == DONE
    assert "CAPTURED" in [row.get("PaymentStatus", {}).get("S") for row in application.rows("9027")]


def test_the_api_takes_an_order_shows_one_and_quotes(application: Application) -> None:
    placed = application.post(json.dumps(_sample("order")).encode())
    assert placed.status == 202
    shown = eventually(
        lambda: got if (got := application.request("GET", placed.headers["location"])).status != 404 else None,
        "the order",
    )
    assert shown.status == 200
    assert application.request("GET", QUOTE).status in {200, 503}


def test_a_circuit_has_a_history(application: Application) -> None:
    assert isinstance(CircuitControl(application).history(), list)


def test_calls_through_a_circuit_that_has_long_been_closed_are_summed(engine: Engine, beside: dict[str, str]) -> None:
    assert _invoked(engine, beside["CircuitManagerFunctionName"], {"tick": True}) is None


@pytest.mark.parametrize(
    ("function", "quarantine", "body"),
    [
        ("BackupFunctionName", "BackupQuarantineQueueUrl", CARD_FIELD),
        ("CheckoutFunctionName", "CheckoutQuarantineQueueUrl", CARD_FIELD),
        ("CustomerFunctionName", "CustomersQuarantineQueueUrl", _too_far("customer-created")),
        ("FraudScreeningFunctionName", "FraudScreeningQuarantineQueueUrl", _too_far("order-placed")),
        ("PaymentFunctionName", "PaymentsQuarantineQueueUrl", _too_far("order-placed")),
        ("OrderPaymentFunctionName", "OrderPaymentsQuarantineQueueUrl", _too_far("payment-captured")),
    ],
    ids=lambda value: value.removesuffix("FunctionName") if value.endswith("FunctionName") else "",
)
def test_what_a_function_can_never_process_it_sets_aside(
    application: Application, function: str, quarantine: str, body: str
) -> None:
    sqs, url = application.engine.client("sqs"), application.outputs[quarantine]
    sqs.purge_queue(QueueUrl=url)
    assert _invoked(application.engine, application.outputs[function], _batch(body)) == DONE
    assert [one["Body"] for one in application.messages(quarantine)] == [WITHHELD if body == CARD_FIELD else body]


@pytest.mark.parametrize(
    ("function", "sample", "spoilt"),
    [("OrderStream", "order-stream", "PaymentAmount"), ("PaymentStream", "payments-stream", "Amount")],
    ids=["orders", "payments"],
)
def test_a_spoilt_row_is_set_aside_and_its_neighbours_are_told(
    application: Application, function: str, sample: str, spoilt: str
) -> None:
    event = _sample(sample)
    event["Records"][0]["dynamodb"]["NewImage"][spoilt] = {"S": "spoilt"}
    assert _invoked(application.engine, application.outputs[f"{function}FunctionName"], event) == DONE
    assert application.messages(f"{function}QuarantineQueueUrl")


def test_kept_messages_are_sent_back_and_those_that_cannot_be_marked_are_set_aside(application: Application) -> None:
    function = application.outputs["ReplayFunctionName"]
    text = "sent back by hand"
    ten = {f"a{number}": "x" for number in range(10)}
    assert _invoked(application.engine, function, _batch(text)) == DONE
    assert _invoked(application.engine, function, _batch(text, **ten)) == DONE
    assert [one["Body"] for one in application.messages("ReplayQuarantineQueueUrl")] == [text]
    # It is no order, so that the checkout pipeline has set it aside.
    eventually(
        lambda: text in [one["Body"] for one in application.messages("CheckoutQuarantineQueueUrl")],
        "the message at its destination",
    )


def test_orders_are_put_on_the_search_stream_and_what_cannot_be_carried_is_set_aside(
    engine: Engine, beside: dict[str, str]
) -> None:
    event = _sample("search-queue")
    event["Records"].append({**event["Records"][0], "messageId": "set-aside", "body": CARD_FIELD})
    assert _invoked(engine, beside["SearchFunctionName"], event) == DONE
    url = beside["SearchQuarantineQueueUrl"]
    held = engine.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
    assert [one["Body"] for one in held["Messages"]][:1] == [WITHHELD]


def test_people_are_told_of_a_circuit(engine: Engine, beside: dict[str, str]) -> None:
    """On the topic that is named."""
    sqs, sns = engine.client("sqs"), engine.client("sns")
    topic = sns.create_topic(Name="beside")["TopicArn"]
    url = sqs.create_queue(QueueName="of-people")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allowed = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": {**allowed, "Resource": arn}})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    assert _invoked(engine, beside["CircuitManagerFunctionName"], _sample("circuit-stream")) == DONE
    assert eventually(lambda: sqs.receive_message(QueueUrl=url).get("Messages"), "the notice")


def test_by_the_clock_circuits_are_looked_after_payments_counted_and_replays_swept(application: Application) -> None:
    for function, event in (
        ("HeldPaymentsFunctionName", {}),
        ("CircuitManagerFunctionName", {"tick": True}),
        ("ReplayWorkerFunctionName", {"sweep": True}),
    ):
        assert _invoked(application.engine, application.outputs[function], event) is None


def _charge(provider: PaymentProvider) -> dict[str, Any]:
    charge = _sample("payment-provider-charges")
    charge["headers"] |= {**provider.headers, "idempotency-key": uuid.uuid4().hex}
    return charge


def test_the_simulated_provider_that_recovers_counts_what_it_is_asked(application: Application) -> None:
    provider = PaymentProvider(application)
    provider.behave(Mode.RECOVERING, perSecond=1)
    try:
        function = application.outputs["PaymentProviderFunctionName"]
        assert _invoked(application.engine, function, _charge(provider))["statusCode"] in {200, 429}
    finally:
        provider.behave(Mode.HEALTHY)


def test_the_simulated_provider_charges_and_keeps_what_it_was_asked(application: Application) -> None:
    """A charge is asked for twice, and made once."""
    provider = PaymentProvider(application)
    provider.behave(Mode.HEALTHY)
    charge = _charge(provider)
    function = application.outputs["PaymentProviderFunctionName"]
    first, second = (_invoked(application.engine, function, charge) for _ in range(2))
    assert (first["statusCode"], first["body"]) == (200, second["body"])
    log = _sample("payment-provider-log")
    log["headers"] |= provider.headers
    assert _invoked(application.engine, function, log)["statusCode"] == 200


def test_payments_that_fail_open_the_circuit_and_probes_close_it(application: Application) -> None:
    """What was held meanwhile is paid by a replay."""
    provider, circuit = PaymentProvider(application), CircuitControl(application)
    eventually(lambda: circuit.shown()["state"] == "CLOSED", "the circuit closed before")
    provider.behave(Mode.ERRORS)
    try:
        for _ in range(2):
            _invoked(application.engine, application.outputs["PaymentFunctionName"], _orders(5))
        eventually(lambda: circuit.shown()["state"] != "CLOSED", "the circuit open")
    finally:
        provider.behave(Mode.HEALTHY)
    eventually(lambda: circuit.shown()["state"] == "CLOSED", "the circuit closed")


def test_quotes_that_fail_open_the_circuit_and_probes_close_it(application: Application) -> None:
    """Though nothing is paid meanwhile."""
    provider, circuit = PaymentProvider(application), CircuitControl(application)
    eventually(lambda: circuit.shown()["state"] == "CLOSED", "the circuit closed before")
    provider.behave(Mode.ERRORS)

    def opened() -> bool:
        assert application.request("GET", QUOTE).status in {200, 503}
        return bool(circuit.shown()["state"] != "CLOSED")

    try:
        eventually(opened, "the circuit open")
    finally:
        provider.behave(Mode.HEALTHY)
    eventually(lambda: circuit.shown()["state"] == "CLOSED", "the circuit closed")


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("dlq", "customers"),
        ("queue", "checkout"),
        ("backup", "checkout"),
        ("backup", "payments"),
        ("archive", "customers"),
    ],
)
def test_a_plan_looks_into_every_source(application: Application, source: str, target: str) -> None:
    replays = Replays(application.engine, application.outputs)
    hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    window = {} if source == "dlq" else {"from": hour_ago}
    assert replays.command("plan", source=source, targets=[target], **window)["plan"]["events"] >= 0


def test_dead_letters_are_not_replayed_while_what_they_failed_of_still_fails(application: Application) -> None:
    circuit, replays = CircuitControl(application), Replays(application.engine, application.outputs)
    asked = {"source": "dlq", "targets": ["payments"], "reason": "a test", "actor": "the tests"}
    circuit.command("force-open", reason="a test", actor="the tests")
    try:
        # Until replay control is told, it accepts them, and there are none.
        eventually(lambda: "circuit payments is open" in str(replays.command("start", **asked)), "the refusal")
    finally:
        circuit.command("reset", reason="the test is over", actor="the tests")


def test_replays_are_listed(application: Application) -> None:
    assert "jobs" in Replays(application.engine, application.outputs).command("list")


def test_dead_letters_that_no_replay_wants_stay_and_those_that_cannot_be_marked_are_set_aside(
    application: Application,
) -> None:
    sqs, replays = application.engine.client("sqs"), Replays(application.engine, application.outputs)
    url = application.outputs["CustomersDeadLetterQueueUrl"]
    sqs.purge_queue(QueueUrl=url)
    wanted, unwanted = deepcopy(_events("customer-created", "customer-created"))
    wanted["detail"]["data"]["customerId"], unwanted["detail"]["data"]["customerId"] = "too-marked", "stays"
    wanted["time"] = unwanted["time"] = now()
    ten = {f"a{number}": {"DataType": "String", "StringValue": "x"} for number in range(10)}
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(wanted), MessageAttributes=ten)
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(unwanted))
    job = replays.completed(replays.start("dlq", "customers", filter={"customers": ["too-marked"]}))
    assert job["counts"]["parked"] == 1
    assert [
        json.loads(one["Body"])["detail"]["data"]["customerId"]
        for one in application.messages("CustomersDeadLetterQueueUrl")
    ] == ["stays"]
    assert [one for one in application.messages("ReplayJobQuarantineQueueUrl") if "too-marked" in one["Body"]]
    sqs.purge_queue(QueueUrl=url)


@pytest.mark.parametrize("source", ["queue", "backup"])
def test_kept_orders_are_sent_to_the_consumer_that_is_named(application: Application, source: str) -> None:
    replays = Replays(application.engine, application.outputs)
    began = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    order = _sample("order") | {"id": f"named-{source}"}
    assert application.post(json.dumps(order).encode()).status == 202

    def planned() -> bool:
        return bool(replays.command("plan", source=source, targets=["checkout"], **{"from": began})["plan"]["events"])

    eventually(planned, "the order where it is kept")
    job = replays.completed(replays.start(source, "checkout", **{"from": began}))
    assert job["counts"]["sent"] >= 1


def test_events_of_either_archive_are_replayed(application: Application) -> None:
    replays = Replays(application.engine, application.outputs)
    began = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    [event] = _events("customer-created")
    application.put_event(event["source"], event["detail-type"], event["detail"])
    for archive in ("ArchiveName", "SelectedArchiveName"):
        said = {"from": began, "archive": application.outputs[archive], "force": True}
        assert replays.completed(replays.start("archive", "customers", **said))["counts"]["sent"] >= 1


def test_the_history_of_the_bus_is_replayed_to_a_consumer_of_the_bus(application: Application) -> None:
    replays = Replays(application.engine, application.outputs)
    began = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    [event] = _events("customer-created")
    application.put_event(event["source"], event["detail-type"], event["detail"])

    def planned() -> bool:
        answer = replays.command("plan", source="backup", targets=["customers"], **{"from": began})
        return bool(answer["plan"]["events"])

    eventually(planned, "the event in the history")
    job = replays.completed(replays.start("backup", "customers", **{"from": began}))
    assert job["counts"]["sent"] >= 1


def test_a_replay_that_is_stopped_has_the_archive_stop(application: Application) -> None:
    replays = Replays(application.engine, application.outputs)
    began = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    [event] = _events("customer-created")
    for number in range(20):
        event["detail"]["data"]["customerId"] = f"stopped-{number}"
        application.put_event(event["source"], event["detail-type"], event["detail"])
    job_id = replays.start("archive", "customers", pace=1, **{"from": began})
    replays.wait(job_id, lambda job: job["counts"]["sent"] > 0, "the first event")
    replays.move("stop", job_id)
    replays.wait(job_id, lambda job: job["state"] == "CANCELLED", "the end of the job")
