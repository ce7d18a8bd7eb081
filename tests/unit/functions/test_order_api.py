"""`GET /orders/{customerId}/{orderId}`: the order as it is stored, or a problem document."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from eventfork import checkout_events, order_rows, orders
from eventfork.adapters.dynamodb import OrdersTable
from eventfork.api_wiring import SECURITY_HEADERS
from eventfork.card_data import Redactor
from eventfork.json_text import parse

from tests.unit.aws import Aws, unreachable
from tests.unit.functions.conftest import Load, sample
from tests.unit.samples import order, order_with

pytestmark = pytest.mark.usefixtures("everybody_may_call")


def request(customer_id: str, order_id: str) -> dict[str, Any]:
    """Give the event of a GET; the path parameters as a REST API passes them on: encoded as the client sent them."""
    return {**sample("order-api"), "pathParameters": {"customerId": customer_id, "orderId": order_id}}


def stored(aws: Aws, document: dict[str, Any]) -> dict[str, Any]:
    kept = orders.without_card_data(document, Redactor())
    event = checkout_events.order_submitted(kept, datetime(2026, 11, 20, tzinfo=UTC))
    OrdersTable(aws.client("dynamodb"), "CheckoutTable").project(order_rows.row(event))
    return kept


def test_a_stored_order_is_given(aws: Aws, load: Load) -> None:
    """Without card data, every number as it was sent."""
    handler = load("order_api", TABLE_NAME=aws.orders_table())
    kept = stored(aws, order())
    answer = handler(sample("order-api"))
    assert answer["statusCode"] == 200
    assert answer["headers"] == {"content-type": "application/json", **SECURITY_HEADERS}
    assert parse(answer["body"]) == kept
    assert '"amount":128.40,' in answer["body"]


@pytest.mark.parametrize("identifier", ["a/b", "ü", "%2F", "a b", "?x#y", "...", "\U0001f600", "x" * 128])
def test_an_order_is_found_by_whatever_identifiers_it_has(aws: Aws, load: Load, identifier: str) -> None:
    """Percent-encoded in the path, as the location of an accepted order is."""
    handler = load("order_api", TABLE_NAME=aws.orders_table())
    stored(aws, {**order_with("/customer/id", identifier), "id": identifier})
    encoded = quote(identifier, safe="")
    assert parse(handler(request(encoded, encoded))["body"])["id"] == identifier


@pytest.mark.parametrize(
    ("customer_id", "order_id"), [("9027", "1"), ("1", "48213"), ("x" * 3000, "1"), ("1", "%FF%00")]
)
def test_an_order_that_is_not_there_yet_is_not_found(aws: Aws, load: Load, customer_id: str, order_id: str) -> None:
    """404 says that it may still come."""
    handler = load("order_api", TABLE_NAME=aws.orders_table())
    stored(aws, order())
    answer = handler(request(customer_id, order_id))
    document = json.loads(answer["body"])
    assert answer["statusCode"] == document["status"] == 404
    assert answer["headers"]["content-type"] == "application/problem+json"
    assert "not processed yet" in document["detail"]


def test_an_outage_of_the_table_says_when_to_come_back(aws: Aws, load: Load) -> None:
    """503, and 200 once it is over."""
    handler = load("order_api", TABLE_NAME=aws.orders_table())
    stored(aws, order())
    with unreachable(aws.client("dynamodb")):
        answer = handler(sample("order-api"))
    assert answer["statusCode"] == 503
    assert int(answer["headers"]["retry-after"]) > 0
    assert handler(sample("order-api"))["statusCode"] == 200
