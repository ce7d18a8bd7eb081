"""The functions of the API answer whom the gateway names, each customer about their own, and nobody else."""

import json
from typing import Any

import pytest
from eventfork.api_wiring import SECURITY_HEADERS
from eventfork.callers import ANY_CUSTOMER, UnidentifiedCallerError

from tests.unit.aws import Aws
from tests.unit.functions.conftest import Load, sample
from tests.unit.functions.test_order_api import stored
from tests.unit.samples import order

ORIGIN = "https://shop.example.org"
SERVICE = {"sub": "client", "scope": f"eventfork/orders.write {ANY_CUSTOMER}"}


@pytest.fixture(autouse=True)
def _callers_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERYBODY_MAY_CALL", "false")
    monkeypatch.setenv("CUSTOMER_ID_CLAIM", "username")


def called_by(name: str, claims: dict[str, str] | None) -> dict[str, Any]:
    """Give a sample as somebody else's request, or as one that passed no authorizer."""
    event = sample(name)
    context = {key: value for key, value in event["requestContext"].items() if key != "authorizer"}
    return {**event, "requestContext": context if claims is None else {**context, "authorizer": {"claims": claims}}}


def test_an_order_is_placed_by_its_customer_or_a_service_and_by_nobody_else(aws: Aws, load: Load) -> None:
    """403 for another customer, and nothing is published."""
    arn, queue = aws.topic_with_queue()
    handler = load("checkout_api", TOPIC_ARN=arn)
    for claims, status in (
        ({"username": "9027", "scope": ""}, 202),
        (SERVICE, 202),
        ({"username": "9028", "scope": ""}, 403),
        ({"sub": "9027", "scope": ""}, 403),
    ):
        answer = handler(called_by("checkout-api", claims))
        assert answer["statusCode"] == status, claims
        assert len(aws.received(queue)) == (status == 202)
        assert "9027" not in answer["body"] or status == 202


def test_an_order_is_read_by_its_customer_or_a_service_and_by_nobody_else(aws: Aws, load: Load) -> None:
    """403 for another customer, whether there is such an order or not: no answer tells which orders there are."""
    handler = load("order_api", TABLE_NAME=aws.orders_table())
    for username, there, status in (
        ("9027", False, 404),
        ("9028", False, 403),
        ("9027", True, 200),
        ("9028", True, 403),
    ):
        if there:
            stored(aws, order())
        answer = handler(called_by("order-api", {"username": username, "scope": "eventfork/orders.read"}))
        assert answer["statusCode"] == status
    assert handler(called_by("order-api", SERVICE))["statusCode"] == 200


@pytest.mark.parametrize(("function", "event"), [("checkout_api", "checkout-api"), ("order_api", "order-api")])
def test_a_request_that_passed_no_authorizer_fails(aws: Aws, load: Load, function: str, event: str) -> None:
    """It shows as the mistake of ours that it is, and sets off the API's alarm; nothing is published or read."""
    arn, queue = aws.topic_with_queue()
    handler = load(function, TOPIC_ARN=arn, TABLE_NAME="no-such-table")
    with pytest.raises(UnidentifiedCallerError):
        handler(called_by(event, None))
    assert aws.received(queue) == []


def test_a_quote_is_for_anybody_whom_the_gateway_names(load: Load) -> None:
    """And for nobody else."""
    handler = load("payment_quote", CIRCUIT_NAME="quotes", POWERTOOLS_METRICS_NAMESPACE="eventfork")
    question = {"multiValueQueryStringParameters": None}
    assert handler({**called_by("payment-quote", {"username": "1"}), **question})["statusCode"] == 400
    with pytest.raises(UnidentifiedCallerError):
        handler({**called_by("payment-quote", None), **question})


@pytest.mark.parametrize("origin", ["", ORIGIN])
def test_every_answer_has_the_headers_of_security_and_those_of_a_page_only_where_one_may_call(
    aws: Aws, load: Load, origin: str
) -> None:
    """Whatever the answer is."""
    settings = {"CORS_ALLOWED_ORIGIN": origin, "CIRCUIT_NAME": "quotes", "POWERTOOLS_METRICS_NAMESPACE": "eventfork"}
    arn, _ = aws.topic_with_queue()
    place = load("checkout_api", TOPIC_ARN=arn, **settings)
    read = load("order_api", TABLE_NAME=aws.orders_table(), **settings)
    quote = load("payment_quote", **settings)
    answers = [
        place(sample("checkout-api")),
        place({**sample("checkout-api"), "body": "[]"}),
        read(sample("order-api")),
        quote({**sample("payment-quote"), "multiValueQueryStringParameters": None}),
    ]
    stored(aws, order())
    answers.append(read(sample("order-api")))
    assert [answer["statusCode"] for answer in answers] == [202, 400, 404, 400, 200]
    for answer in answers:
        assert answer["headers"].items() >= SECURITY_HEADERS.items()
        assert answer["headers"].get("access-control-allow-origin", "") == origin
        assert json.loads(answer["body"])
