"""The disaster drill: a bug spoils what is stored; it is mended; a replay repairs every row while life goes on."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from threading import Thread
from typing import Any

import pytest
from eventfork import bus_events

from tests.bad_orders import ORDER_TEXT
from tests.integration.application import Application, eventually
from tests.integration.replays import Replays, deploy_code, in_parallel, now

pytestmark = pytest.mark.drill
ORDERS = int(os.environ.get("EVENTFORK_DRILL_ORDERS", "60"))
MEANWHILE = ORDERS // 5
SPOILT_ORDERS = (
    "order_rows.prepare(message, redactor)",
    'order_rows.prepare(message, redactor) | {"PaymentAmount": 0, "PaymentCurrency": "XXX", "TotalQuantity": 0}',
)
SPOILT_CUSTOMERS = (
    "customers.prepare(message, maximum_hops, redactor)",
    "{name: text[:40] for name, text in customers.prepare(message, maximum_hops, redactor).items()}",
)


@pytest.fixture
def replays(application: Application) -> Iterator[Replays]:
    """Give the commands; whatever happens, the good functions are deployed again."""
    yield Replays(application.engine, application.outputs)
    deploy_code(application, "CheckoutFunctionName", "checkout")
    deploy_code(application, "CustomerFunctionName", "customers")


def _order(customer_id: str, number: int) -> bytes:
    text = ORDER_TEXT.replace("9027", f'"{customer_id}"').replace("48213", f'"{customer_id}-{number}"')
    return text.replace("128.40", f"{number + 1}.25").encode()


def _place(application: Application, customer_id: str, numbers: range) -> None:
    answers = in_parallel(lambda number: application.post(_order(customer_id, number)).status, numbers)
    assert answers == [202] * len(numbers)


def _stored(application: Application, customer_id: str) -> list[dict[str, Any]]:
    pages = (
        application.engine.client("dynamodb")
        .get_paginator("query")
        .paginate(
            TableName=application.outputs["CheckoutTableName"],
            KeyConditionExpression="CustomerId = :customer",
            ExpressionAttributeValues={":customer": {"S": customer_id}},
            ConsistentRead=True,
        )
    )
    return [row for page in pages for row in page["Items"]]


def _is_right(row: dict[str, Any]) -> bool:
    number = int(row["OrderId"]["S"].rpartition("-")[2])
    told = (row["PaymentAmount"]["N"], row["PaymentCurrency"]["S"], row["TotalQuantity"]["N"])
    return told == (f"{number + 1}.25", "eur", "3")


def _placed(application: Application, customer_id: str) -> Counter[str]:
    """Count the OrderPlaced events of a customer's orders."""
    return Counter(
        event["detail"]["data"]["orderId"]
        for event in application.bus_events()
        if event["detail-type"] == bus_events.ORDER_PLACED and event["detail"]["data"]["customerId"] == customer_id
    )


@pytest.mark.parametrize("source", ["queue", "backup"])
def test_a_replay_repairs_every_spoilt_order_while_new_ones_arrive(
    application: Application, replays: Replays, source: str
) -> None:
    customer, began = f"drill-{source}", now()
    deploy_code(application, "CheckoutFunctionName", "checkout", SPOILT_ORDERS)
    _place(application, customer, range(ORDERS))
    spoilt = eventually(
        lambda: rows if len(rows := _stored(application, customer)) == ORDERS else None, "a spoilt row of each order"
    )
    assert not any(map(_is_right, spoilt))
    deploy_code(application, "CheckoutFunctionName", "checkout")
    job_id = replays.start(source, "checkout", **{"from": began, "filter": {"customers": [customer]}})
    newcomers = Thread(target=_place, args=(application, customer, range(ORDERS, ORDERS + MEANWHILE)))
    newcomers.start()
    job = replays.completed(job_id)
    newcomers.join()
    rows = eventually(
        lambda: (
            rows
            if len(rows := _stored(application, customer)) >= ORDERS + MEANWHILE and all(map(_is_right, rows))
            else None
        ),
        "every row right",
    )
    told = eventually(
        lambda: told if len(told := _placed(application, customer)) == ORDERS + MEANWHILE else None,
        "an event for each order",
    )
    lost = ORDERS + MEANWHILE - len(told)
    doubled = sum(count - 1 for count in told.values()) + len(rows) - ORDERS - MEANWHILE
    print(
        f"\ndrill from {source}: {ORDERS:,} spoilt, {MEANWHILE:,} new meanwhile, {job['counts']['sent']:,} replayed: "
        f"{len(rows):,} rows, {sum(map(_is_right, rows)):,} right, lost {lost}, doubled {doubled}"
    )
    assert len(rows) == ORDERS + MEANWHILE
    assert doubled == 0
    assert job["counts"]["sent"] >= ORDERS
    assert job["counts"]["parked"] == 0


def test_a_replay_of_the_archive_repairs_every_customer(application: Application, replays: Replays) -> None:
    began = now()
    address = "12 Long Meadow Lane, " * 6 + "the house behind the mill"
    deploy_code(application, "CustomerFunctionName", "customers", SPOILT_CUSTOMERS)
    names = [f"drill-customer-{number}" for number in range(ORDERS)]

    def post(name: str) -> int:
        customer = {"customerId": name, "customerName": "Ada", "customerData": {"address": address}}
        return application.request("POST", "customers", json.dumps(customer).encode(), "application/json").status

    assert in_parallel(post, names) == [202] * ORDERS

    def rows() -> dict[str, str]:
        table = application.table("CustomerTableName")
        return {row["CustomerId"]["S"]: row["CustomerData"]["S"] for row in table if row["CustomerId"]["S"] in names}

    spoilt = eventually(lambda: found if len(found := rows()) == ORDERS else None, "a spoilt row of each customer")
    assert not any(address in data for data in spoilt.values())
    deploy_code(application, "CustomerFunctionName", "customers")
    job = replays.completed(replays.start("archive", "customers", **{"from": began}))
    repaired = eventually(
        lambda: rows() if all(address in data for data in rows().values()) else None, "every row right"
    )
    print(f"\ndrill from archive: {len(repaired):,} customers repaired, {job['counts']['sent']:,} events replayed")
    assert len(repaired) == ORDERS
    assert job["counts"]["sent"] >= ORDERS
