"""An order posted to the deployed application arrives at the end of every fork, once, and without card data."""

import json
from decimal import Decimal
from typing import Any

import pytest
from eventfork.json_text import parse

from local.sample_orders import canaries, render, sample_orders
from tests.bad_orders import BAD_ORDERS, ORDER_TEXT, BadOrder
from tests.integration.application import Application, eventually


def _backed_up(application: Application, event_id: str) -> dict[str, Any] | None:
    return next((event for event in application.backup_events() if event["id"] == event_id), None)


def _kept(application: Application, event_id: str) -> dict[str, Any] | None:
    messages = application.messages("ReplayQueueUrl")
    return next((message for message in messages if json.loads(message["Body"])["id"] == event_id), None)


def test_the_sample_order_is_stored_backed_up_and_kept_for_replay(application: Application) -> None:
    answer = application.post(ORDER_TEXT.encode())
    assert answer.status == 202
    event_id = answer.body["eventId"]
    [row] = eventually(lambda: application.rows("9027"), "the row")
    assert row.pop("EventTime")["S"].endswith("Z")
    order = parse(row.pop("Order")["S"])
    # How it is paid is told later, by others.
    assert {name: value for name, value in row.items() if not name.startswith("PaymentStatus")} == {
        "CustomerId": {"S": "9027"},
        "DateOrderId": {"S": "2026-11-20T08:15:42Z#48213"},
        "OrderId": {"S": "48213"},
        "PaymentId": {"S": "77310"},
        "PaymentAmount": {"N": "128.4"},
        "PaymentCurrency": {"S": "eur"},
        "TotalQuantity": {"N": "3"},
        "EventId": {"S": event_id},
    }
    event = eventually(lambda: _backed_up(application, event_id), "the line in the backup")
    assert event["data"] == json.loads(json.dumps(order, default=float))
    message = eventually(lambda: _kept(application, event_id), "the message on the replay queue")
    assert message["MessageAttributes"]["amount"]["StringValue"] == "128.4"
    assert message["MessageAttributes"]["amount"]["DataType"] == "Number"


def test_backup_objects_are_compressed_and_filed_by_hour(application: Application) -> None:
    application.post(ORDER_TEXT.encode())
    name, content = eventually(lambda: next(application.backup_objects(), None), "an object in the backup")
    assert name.startswith("events/20")
    assert name.endswith(".gz")
    assert content.endswith(b"\n")


def test_the_same_order_twice_is_one_event_and_one_row(application: Application) -> None:
    first, second = application.post(ORDER_TEXT.encode()), application.post(ORDER_TEXT.encode())
    assert first.body == second.body
    eventually(lambda: application.rows("9027"), "the row")

    def kept_twice() -> bool:
        bodies = [json.loads(message["Body"]) for message in application.messages("ReplayQueueUrl")]
        return [event["id"] for event in bodies].count(first.body["eventId"]) > 1

    assert eventually(kept_twice, "both messages")
    assert len(application.rows("9027")) == 1


def test_the_location_gives_the_order_once_it_is_processed(application: Application) -> None:
    order = ORDER_TEXT.replace("9027", '"a customer/with ümlauts"').replace("48213", '"2026/11 #7"')
    answer = application.post(order.encode())
    location = answer.headers["location"]
    found = eventually(
        lambda: got if (got := application.request("GET", location)).status != 404 else None, "the order"
    )
    assert found.status == 200
    sent, got = parse(order), found.body
    assert {**got, "payment": None} == {**json.loads(order), "payment": None}
    assert Decimal(str(got["payment"]["amount"])) == sent["payment"]["amount"]


def test_an_order_that_is_not_there_is_a_problem_document(application: Application) -> None:
    answer = application.request("GET", "orders/nobody/nothing")
    assert answer.status == 404
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("bad", BAD_ORDERS, ids=lambda bad: bad.name)
def test_a_bad_order_is_refused_with_a_problem_document_that_names_the_field(
    application: Application, bad: BadOrder
) -> None:
    answer = application.post(bad.body, bad.content_type)
    assert answer.status in bad.statuses
    assert answer.headers["content-type"] == "application/problem+json"
    if bad.pointer is not None:
        assert bad.pointer in [error["pointer"] for error in answer.body["errors"]]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "checkout", 405), ("DELETE", "orders/1/2", 405), ("PUT", "checkout", 405), ("GET", "nowhere/at/all", 404)],
)
def test_what_the_api_does_not_know_is_refused(application: Application, method: str, path: str, status: int) -> None:
    answer = application.request(method, path)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    if status == 405:
        assert answer.headers["allow"] in ("POST", "GET")


def test_no_card_data_of_any_order_is_found_anywhere_downstream(application: Application) -> None:
    orders = sample_orders(count=8)
    events = {application.post(render(order)).body["eventId"] for order in orders}
    eventually(lambda: events <= {event["id"] for event in application.backup_events()}, "every line in the backup")
    eventually(
        lambda: events <= {json.loads(message["Body"])["id"] for message in application.messages("ReplayQueueUrl")},
        "every message on the replay queue",
    )
    table = application.engine.client("dynamodb").scan(TableName=application.outputs["CheckoutTableName"])
    places = {
        "table": str(table["Items"]),
        "backup": str(application.backup_events()),
        **{name: str(application.messages(name)) for name in application.outputs if name.endswith("QueueUrl")},
        "logs": application.logs(),
    }
    marks = {mark for order in orders for mark in canaries(order)}
    assert len(marks) > 8
    assert places["logs"]
    assert {name: mark for name, text in places.items() for mark in marks if mark in text} == {}


def test_a_message_that_is_no_order_is_quarantined_with_its_reason_and_backed_up(application: Application) -> None:
    text = "not an order: 4111-1111-1111-1111, please call back"
    application.engine.client("sns").publish(TopicArn=application.outputs["CheckoutEventsTopicArn"], Message=text)
    [message] = eventually(lambda: application.messages("CheckoutQuarantineQueueUrl"), "the message in quarantine")
    assert message["Body"] == "not an order: [card ending 1111], please call back"
    assert "Expecting value" in message["MessageAttributes"]["quarantine-reason"]["StringValue"]
    wrapped = eventually(
        lambda: next((one for one in application.backup_events() if one["type"].endswith("MessageReceived")), None),
        "the text in the backup",
    )
    assert wrapped["data"] == message["Body"]
    assert wrapped["datacontenttype"] == "text/plain"
