"""`sam local start-api` serves the API with the functions in Docker."""

import json
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from local.sample_orders import canaries, render, sample_orders
from tests.bad_orders import BAD_ORDERS, ORDER_TEXT, BadOrder
from tests.docker.containers import SamLocal
from tests.integration.application import Answer, Api, Application, eventually

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def api(sam_local: SamLocal) -> Iterator[Api]:
    """Serve the API, all tests of this module long."""
    with sam_local.start_api() as api:
        yield api


def _processed(api: Api, location: str) -> Answer:
    def found() -> Answer | None:
        answer = api.request("GET", location)
        return None if answer.status == 404 else answer

    return eventually(found, "the order")


def test_an_order_is_accepted_and_can_be_read_at_its_location(application: Application, api: Api) -> None:
    accepted = api.post(ORDER_TEXT.encode())
    assert accepted.status == 202
    assert accepted.body == {"orderId": "48213", "eventId": "184d89bb-ba27-5028-9fd8-3b5bd06841ee"}
    answer = _processed(api, accepted.headers["location"])
    assert answer.status == 200
    sent = json.loads(ORDER_TEXT)
    assert answer.body | {"payment": None} == sent | {"payment": None}
    assert [row["EventId"]["S"] for row in application.rows("9027")] == [accepted.body["eventId"]]


def test_identifiers_outside_ascii_are_found(api: Api) -> None:
    order = ORDER_TEXT.replace("9027", '"a customer with ümlauts"').replace("48213", '"2026 #7 é"')
    accepted = api.post(order.encode())
    assert accepted.headers["location"] == f"orders/{quote('a customer with ümlauts')}/{quote('2026 #7 é')}"
    assert _processed(api, accepted.headers["location"]).status == 200


def test_an_order_that_is_not_there_is_a_problem_document(api: Api) -> None:
    answer = api.request("GET", "orders/nobody/nothing")
    assert answer.status == 404
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("bad", BAD_ORDERS, ids=lambda bad: bad.name)
def test_a_bad_order_is_refused_with_a_problem_document_that_names_the_field(api: Api, bad: BadOrder) -> None:
    answer = api.post(bad.body, bad.content_type)
    assert answer.status in bad.statuses
    assert answer.headers["content-type"] == "application/problem+json"
    if bad.pointer is not None:
        assert bad.pointer in [error["pointer"] for error in answer.body["errors"]]


def test_no_card_data_is_written_even_at_debug(sam_local: SamLocal, api: Api) -> None:
    orders = sample_orders(count=8)
    assert {api.post(render(order)).status for order in orders} == {202}
    marks = {mark for order in orders for mark in canaries(order)}
    eventually(lambda: "order accepted" in sam_local.log_file.read_text(), "the function's log")
    assert [mark for mark in marks if mark in sam_local.log_file.read_text()] == []
