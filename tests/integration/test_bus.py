"""What happens to orders and customers is told on the bus, once, and whoever takes it from there shows it once."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from eventfork import bus_events

from local.sample_orders import canaries, render, sample_orders
from tests.bad_orders import ORDER_TEXT
from tests.integration.application import Answer, Application, eventually

CARD = "4111 1111 1111 1111"
PROBLEM = "application/problem+json"


def _order(customer_id: str, order_id: str, amount: str = "128.40") -> bytes:
    text = ORDER_TEXT.replace("9027", f'"{customer_id}"').replace("48213", f'"{order_id}"')
    return text.replace("128.40", amount).encode()


def _told(application: Application, order_id: str) -> list[tuple[str, Any]]:
    """Give the type and the amount of every event that tells of an order, in the order of the history."""
    return [
        (event["detail-type"], event["detail"]["data"]["amount"])
        for event in application.bus_events()
        if event["source"] == bus_events.ORDERS and event["detail"]["data"]["orderId"] == order_id
    ]


def _wait_for_history(application: Application, marker: str) -> None:
    """Wait until the history has an order that is placed now, and with it all that was put on the bus before."""
    assert application.post(_order("of-the-marker", marker)).status == 202
    eventually(lambda: _told(application, marker), "the order that was placed last in the history")


def _screened(application: Application, customer_id: str) -> list[dict[str, Any]]:
    rows = application.table("FraudScreeningTableName")
    return [row for row in rows if row["CustomerId"] == {"S": customer_id}]


def _post_customer(application: Application, customer: Any, content_type: str = "application/json") -> Answer:
    body = customer if isinstance(customer, bytes) else json.dumps(customer).encode()
    return application.request("POST", "customers", body, content_type)


def _customers(application: Application, customer_id: str) -> list[dict[str, Any]]:
    return [row for row in application.table("CustomerTableName") if row["CustomerId"] == {"S": customer_id}]


def _of_customer(application: Application, customer_id: str) -> list[dict[str, Any]]:
    """Give the events of the history that report a customer, whatever form their detail has."""
    return [
        event
        for event in application.bus_events()
        if event["detail-type"] == bus_events.CUSTOMER_CREATED and f'"{customer_id}"' in json.dumps(event["detail"])
    ]


def test_an_order_is_one_event_on_the_bus_and_one_verdict(application: Application) -> None:
    event_id = application.post(_order("bus-1", "bus-1-order", "1000.01")).body["eventId"]
    [row] = eventually(lambda: _screened(application, "bus-1"), "the verdict")
    eventually(lambda: _told(application, "bus-1-order"), "the event in the history")
    _wait_for_history(application, "after-bus-1")
    # That it is paid is told, too, by another source.
    told = [one for one in application.bus_events() if one["source"] != bus_events.PAYMENTS]
    [event] = [one for one in told if "bus-1-order" in json.dumps(one["detail"])]
    assert (event["source"], event["detail-type"]) == (bus_events.ORDERS, bus_events.ORDER_PLACED)
    metadata = event["detail"]["metadata"]
    assert (metadata["correlationId"], metadata["causationId"], metadata["hops"]) == (event_id, event_id, 0)
    assert event["detail"]["data"] == {
        "orderId": "bus-1-order",
        "customerId": "bus-1",
        "dateOrderId": "2026-11-20T08:15:42Z#bus-1-order",
        "paymentId": "77310",
        "amount": 1000.01,
        "currency": "eur",
        "totalQuantity": 3,
    }
    assert row.pop("EventTime")["S"].startswith(event["time"].removesuffix("Z"))
    assert row == {
        "CustomerId": {"S": "bus-1"},
        "OrderId": {"S": "bus-1-order"},
        "Result": {"S": "REVIEW"},
        "Reasons": {"S": "The amount is above 1000."},
        "EventId": {"S": metadata["id"]},
    }
    assert len(_screened(application, "bus-1")) == 1


def test_the_history_is_filed_by_hour_of_arrival_a_line_an_event(application: Application) -> None:
    _wait_for_history(application, "in-the-history")
    listed = application.engine.client("s3").list_objects_v2(Bucket=application.outputs["HistoryBucketName"])
    for entry in listed["Contents"]:
        assert re.match(r"bus/20\d\d/\d\d/\d\d/\d\d/[^/]+\.gz$", entry["Key"])


def test_the_same_order_twice_is_one_event(application: Application) -> None:
    order = _order("bus-2", "bus-2-order")
    first = application.post(order)
    [row] = eventually(lambda: application.rows("bus-2"), "the row")
    assert application.post(order).body == first.body

    def written_again() -> bool:
        [again] = application.rows("bus-2")
        return bool(again["EventTime"] != row["EventTime"])

    eventually(written_again, "the row, written by the second message")
    _wait_for_history(application, "after-bus-2")
    assert _told(application, "bus-2-order") == [(bus_events.ORDER_PLACED, 128.4)]
    assert len(eventually(lambda: _screened(application, "bus-2"), "the verdict")) == 1


def test_a_row_that_the_same_event_repairs_is_an_order_changed_and_what_others_write_into_it_is_none(
    application: Application,
) -> None:
    order = _order("bus-3", "bus-3-order")
    application.post(order)
    [row] = eventually(lambda: application.rows("bus-3"), "the row")
    for expression, value in (("PaymentAmount = :value", {"N": "0"}), ("PaymentStatus = :value", {"S": "captured"})):
        application.engine.client("dynamodb").update_item(
            TableName=application.outputs["CheckoutTableName"],
            Key={name: row[name] for name in ("CustomerId", "DateOrderId")},
            UpdateExpression=f"SET {expression}",
            ExpressionAttributeValues={":value": value},
        )
    application.post(order)
    eventually(lambda: application.rows("bus-3")[0]["PaymentAmount"] == row["PaymentAmount"], "the repair")
    _wait_for_history(application, "after-bus-3")
    assert _told(application, "bus-3-order") == [
        (bus_events.ORDER_PLACED, 128.4),
        (bus_events.ORDER_CHANGED, 0),
        (bus_events.ORDER_CHANGED, 128.4),
    ]
    told = [one for one in application.bus_events() if one["source"] == bus_events.ORDERS]
    ids = [one["detail"]["metadata"]["id"] for one in told if "bus-3-order" in json.dumps(one)]
    assert len(set(ids)) == 3
    [verdict] = eventually(lambda: _screened(application, "bus-3"), "the verdict")
    assert verdict["EventId"] == {"S": ids[0]}


def test_a_customer_is_one_row_and_reported_again_still_one_which_shows_the_newest(application: Application) -> None:
    customer = {
        "customerId": "bus-ada",
        "customerName": 'Ada O\'Hara "x"',
        "customerData": {"address": "12 Example Street\n10115 Bérlin", "vip": True},
    }
    answer = _post_customer(application, customer)
    assert answer.status == 202
    assert answer.headers["content-type"] == "application/json"
    assert answer.body.keys() == {"eventId"}
    [row] = eventually(lambda: _customers(application, "bus-ada"), "the row")
    assert json.loads(row.pop("CustomerData")["S"]) == customer["customerData"]
    told_at = datetime.fromisoformat(row.pop("EventTime")["S"])
    assert row == {
        "CustomerId": {"S": "bus-ada"},
        "CustomerName": {"S": customer["customerName"]},
        "EventId": {"S": answer.body["eventId"]},
    }
    # The bus tells the time by the second, and of two events in one second it is not the later that wins.
    eventually(lambda: datetime.now(UTC) >= told_at + timedelta(seconds=1), "the next second")
    again = _post_customer(application, {**customer, "customerName": "Ada"}).body["eventId"]
    assert again != answer.body["eventId"]
    eventually(
        lambda: [one["CustomerName"] for one in _customers(application, "bus-ada")] == [{"S": "Ada"}], "the name"
    )
    [row] = _customers(application, "bus-ada")
    assert row["EventId"] == {"S": again}
    eventually(lambda: len(_of_customer(application, "bus-ada")) == 2, "both events in the history")


def test_a_customer_with_nothing_but_id_and_name_is_stored(application: Application) -> None:
    assert _post_customer(application, {"customerId": 70_001, "customerName": "Bob"}).status == 202
    [row] = eventually(lambda: _customers(application, "70001"), "the row")
    assert row["CustomerName"] == {"S": "Bob"}


class BadCustomer(NamedTuple):
    """A body that is no customer, and what the API answers to it."""

    name: str
    body: bytes
    status: int = 400
    content_type: str = "application/json"


def _bad(name: str, **fields: Any) -> BadCustomer:
    return BadCustomer(name, json.dumps({"customerId": "bad", "customerName": "Bad", **fields}).encode())


BAD_CUSTOMERS = (
    BadCustomer("nothing", b""),
    BadCustomer("no JSON", b'{"customerId": "bad"'),
    BadCustomer("a list", b'[{"customerId": "bad"}]'),
    BadCustomer("no id", b'{"customerName": "bad"}'),
    BadCustomer("no name", b'{"customerId": "bad"}'),
    BadCustomer("no JSON by its type", b'{"customerId": "bad", "customerName": "Bad"}', 415, "text/plain"),
    _bad("an extra field", loyalty="gold"),
    _bad("an empty id", customerId=""),
    _bad("an id of another type", customerId=1.5),
    _bad("a name of another type", customerName=["Bad"]),
    _bad("data of another type", customerData="text"),
    _bad("a list in the data", customerData={"phones": ["1", "2"]}),
    _bad("a card number for an id", customerId=CARD.replace(" ", "")),
    _bad("a card number in the name", customerName=f"Bad {CARD}"),
    _bad("a card number in the data", customerData={"note": f"please\ncharge {CARD.replace(' ', '-')}"}),
    _bad("a field of a card", customerData={"card-cvv": "737"}),
)


def test_what_is_no_customer_is_refused_with_a_problem_document_and_nothing_is_put_on_the_bus(
    application: Application,
) -> None:
    answers = {bad.name: _post_customer(application, bad.body, bad.content_type) for bad in BAD_CUSTOMERS}
    assert {name: answer.status for name, answer in answers.items()} == {bad.name: bad.status for bad in BAD_CUSTOMERS}
    for name, answer in answers.items():
        assert answer.headers["content-type"] == PROBLEM, name
        assert answer.body["status"] == answer.status, name
        assert CARD not in json.dumps(answer.body), name
    _wait_for_history(application, "after-what-is-no-customer")
    assert _of_customer(application, "bad") == []
    history = json.dumps(application.bus_events())
    assert [text for text in (CARD, CARD.replace(" ", ""), CARD.replace(" ", "-"), '"Bad') if text in history] == []


def test_other_methods_for_customers_are_refused(application: Application) -> None:
    answer = application.request("GET", "customers")
    assert (answer.status, answer.headers["content-type"], answer.headers["allow"]) == (405, PROBLEM, "POST")


def test_a_customer_that_another_publisher_reports_in_a_flat_detail_is_taken(application: Application) -> None:
    detail = {"customerId": 70_002, "customerName": "Cleo", "customerData": {"since": 1998}}
    event_id = application.put_event("crm.of.somebody", bus_events.CUSTOMER_CREATED, detail)
    [row] = eventually(lambda: _customers(application, "70002"), "the row")
    assert row["CustomerName"] == {"S": "Cleo"}
    assert json.loads(row["CustomerData"]["S"]) == detail["customerData"]
    assert row["EventId"] == {"S": event_id}


def test_an_event_that_too_many_others_led_to_is_quarantined_with_its_reason(application: Application) -> None:
    def put(customer_id: str, hops: int) -> None:
        metadata = {"id": customer_id, "correlationId": "far", "causationId": "far", "schemaVersion": 1, "hops": hops}
        detail = {"metadata": metadata, "data": {"customerId": customer_id, "customerName": "Far"}}
        application.put_event(bus_events.CUSTOMERS, bus_events.CUSTOMER_CREATED, detail)

    put("bus-too-far", 4)
    put("bus-just-near-enough", 3)
    [message] = eventually(lambda: application.messages("CustomersQuarantineQueueUrl"), "the event in quarantine")
    assert json.loads(message["Body"])["detail"]["data"]["customerId"] == "bus-too-far"
    reason = message["MessageAttributes"]["quarantine-reason"]["StringValue"]
    assert reason == "4 events led to it, more than the 3 that are let through"
    eventually(lambda: _customers(application, "bus-just-near-enough"), "the row of the other")
    assert _customers(application, "bus-too-far") == []


def test_no_card_data_of_any_order_is_found_on_the_bus_or_behind_it(application: Application) -> None:
    orders = sample_orders(count=8, seed=3)
    events = {application.post(render(order)).body["eventId"] for order in orders}

    def told() -> bool:
        causes = {event["detail"].get("metadata", {}).get("causationId") for event in application.bus_events()}
        return events <= causes

    eventually(told, "every order in the history")
    identifiers = {str(order["id"]) for order in orders}
    eventually(
        lambda: identifiers <= {row["OrderId"]["S"] for row in application.table("FraudScreeningTableName")},
        "every verdict",
    )
    queues = [name for name in application.outputs if name.endswith("QueueUrl")]
    assert {"CustomersQueueUrl", "FraudScreeningQueueUrl", "OrderStreamQuarantineQueueUrl"} <= set(queues)
    places = {
        "history": json.dumps(application.bus_events(), ensure_ascii=False),
        "customers": str(application.table("CustomerTableName")),
        "verdicts": str(application.table("FraudScreeningTableName")),
        **{name: str(application.messages(name)) for name in queues},
        "logs": application.logs(),
    }
    marks = {mark for order in orders for mark in canaries(order)}
    assert len(marks) > 8
    assert places["logs"]
    assert {name: mark for name, text in places.items() for mark in marks if mark in text} == {}
