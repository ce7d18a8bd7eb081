"""`POST /checkout`: an accepted order is on the topic; anything else is answered with a problem document."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from eventfork.api_wiring import SECURITY_HEADERS
from eventfork.json_text import canonical, parse, render
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bad_orders import BAD_ORDERS, BadOrder
from tests.unit.aws import Aws, unreachable
from tests.unit.functions.conftest import Load, sample
from tests.unit.samples import CANARIES, ORDER_TEXT, documents, order, order_with, order_with_canaries, resolve

pytestmark = pytest.mark.usefixtures("everybody_may_call")

EVENT_ID = "184d89bb-ba27-5028-9fd8-3b5bd06841ee"


@pytest.fixture
def topic(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make the topic, tell the function of it, and give the URL of a queue that gets all it delivers."""
    arn, queue_url = aws.topic_with_queue()
    monkeypatch.setenv("TOPIC_ARN", arn)
    return queue_url


def request(body: Any, content_type: str = "application/json") -> dict[str, Any]:
    """Give the event of a POST; a document becomes its JSON text, bytes travel in base64."""
    event = {**sample("checkout-api"), "headers": {"Content-Type": content_type}}
    if isinstance(body, bytes):
        return {**event, "body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    return {**event, "body": render(body) if isinstance(body, dict) else body, "isBase64Encoded": False}


def assert_is_problem(answer: dict[str, Any], status: int) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(answer["body"])
    assert answer["statusCode"] == document["status"] == status
    assert answer["headers"]["content-type"] == "application/problem+json"
    assert document["type"] == "about:blank"
    assert document["title"]
    assert document["detail"]
    return document


def test_the_sample_order_is_accepted(aws: Aws, topic: str, load: Load) -> None:
    """202 with its ids and where to read it; its event, with attributes to filter by, is on the topic."""
    answer = load("checkout_api")(sample("checkout-api"))
    assert answer["statusCode"] == 202
    assert answer["headers"] == {
        "content-type": "application/json",
        "location": "orders/9027/48213",
        **SECURITY_HEADERS,
    }
    assert json.loads(answer["body"]) == {"orderId": "48213", "eventId": EVENT_ID}
    [message] = aws.received(topic)
    assert json.loads(message["Body"])["id"] == EVENT_ID
    assert {name: value["StringValue"] for name, value in message["MessageAttributes"].items()} == {
        "type": "eventfork.checkout.OrderSubmitted",
        "currency": "eur",
        "amount": "128.4",
    }


@pytest.mark.usefixtures("topic")
def test_the_same_order_sent_again_is_the_same_event(load: Load) -> None:
    """A client that got no answer sends again without fear."""
    handler = load("checkout_api")
    assert handler(request(ORDER_TEXT))["body"] == handler(request(render(order())))["body"]


@pytest.mark.usefixtures("topic")
def test_a_body_in_base64_is_read(load: Load) -> None:
    """The gateway passes it so where it takes the media type for binary."""
    assert load("checkout_api")(request(ORDER_TEXT.encode()))["statusCode"] == 202


@pytest.mark.usefixtures("topic")
@pytest.mark.parametrize("name", ["content-type", "Content-Type", "CONTENT-TYPE"])
def test_the_name_of_a_header_is_read_in_any_case(load: Load, name: str) -> None:
    """HTTP says so."""
    event = {**request(ORDER_TEXT), "headers": {name: "application/json; charset=utf-8", "accept": "*/*"}}
    assert load("checkout_api")(event)["statusCode"] == 202


@pytest.mark.parametrize("headers", [None, {}, {"accept": "application/json"}, {"content-type": "text/plain"}])
def test_without_its_media_type_an_order_is_refused(aws: Aws, topic: str, load: Load, headers: Any) -> None:
    """415, and nothing is published."""
    assert_is_problem(load("checkout_api")({**request(ORDER_TEXT), "headers": headers}), 415)
    assert aws.received(topic) == []


@pytest.mark.usefixtures("topic")
def test_a_request_without_a_body_is_refused(load: Load) -> None:
    """The gateway passes null."""
    document = assert_is_problem(load("checkout_api")({**request(""), "body": None}), 400)
    assert [error["pointer"] for error in document["errors"]] == [""]


@pytest.mark.parametrize("bad", BAD_ORDERS, ids=lambda bad: bad.name)
def test_a_bad_order_is_refused_by_the_field_that_is_wrong(aws: Aws, topic: str, load: Load, bad: BadOrder) -> None:
    """A problem document names it; nothing is published."""
    answer = load("checkout_api")(request(bad.body, bad.content_type))
    assert answer["statusCode"] in bad.statuses
    document = assert_is_problem(answer, answer["statusCode"])
    if bad.pointer is not None:
        assert bad.pointer in [error["pointer"] for error in document["errors"]]
    assert aws.received(topic) == []


@pytest.mark.parametrize(
    ("document", "refusal"),
    [
        (order_with("/id", "."), (400, "/id")),
        (order_with("/customer/id", 4111111111111111), (400, "/customer/id")),
        (order_with("/items/0/price", 4111111111111111), (400, "/items/0/price")),
        ({**order(), "4111111111111111": 1, "4111-1111-1111-1111": 2}, (400, "")),
        ({**order(), "note": "x" * 262_000}, (413, "")),
    ],
)
def test_an_order_that_could_not_be_kept_is_refused(
    aws: Aws, topic: str, load: Load, document: dict[str, Any], refusal: tuple[int, str]
) -> None:
    """Valid by itself, it has no location, no identity without its card data, or no room on the topic."""
    status, pointer = refusal
    problem = assert_is_problem(load("checkout_api")(request(document)), status)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert aws.received(topic) == []


@pytest.mark.usefixtures("topic")
def test_a_lone_surrogate_in_the_request_is_refused(load: Load) -> None:
    """Even one that came unescaped, which no encoder writes."""
    assert_is_problem(load("checkout_api")(request(ORDER_TEXT.replace("Ada", "\\ud800"))), 400)
    assert_is_problem(load("checkout_api")(request(ORDER_TEXT.replace("Ada", "\ud800"))), 400)


def test_an_order_is_not_accepted_while_the_topic_is_away(aws: Aws, topic: str, load: Load) -> None:
    """503 says when to try again and claims nothing; once the topic is back, the same request is accepted."""
    handler = load("checkout_api")
    with unreachable(aws.client("sns")):
        answer = handler(request(ORDER_TEXT))
    document = assert_is_problem(answer, 503)
    assert int(answer["headers"]["retry-after"]) > 0
    assert "location" not in answer["headers"]
    assert EVENT_ID not in str(document)
    assert aws.received(topic) == []
    assert handler(request(ORDER_TEXT))["statusCode"] == 202


@pytest.mark.usefixtures("aws")
def test_a_bug_is_no_answer(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that was deployed without its topic fails, and its alarm tells."""
    monkeypatch.delenv("TOPIC_ARN", raising=False)
    with pytest.raises(RuntimeError, match="TOPIC_ARN"):
        load("checkout_api")(sample("checkout-api"))


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"note": "4111 1111 1111 1111 and 5500-0055-5555-5559"},
        {"id": "5500005555555559"},
        {"payment": None},
        {"5500005555555559": 1, "5500-005555555559": 2},
        {"note": "x" * 262_000},
    ],
)
def test_card_data_goes_no_further_than_the_function(
    aws: Aws, topic: str, load: Load, logs: Callable[[], str], change: dict[str, Any]
) -> None:
    """Neither the topic nor a log line at any level nor the answer holds any, accepted or refused."""
    handler = load("checkout_api")
    logs()
    answers = [handler(request({**order_with_canaries(), **change}))]
    with unreachable(aws.client("sns")):
        answers.append(handler(request({**order_with_canaries(), **change})))
    written = logs() + str(answers) + str(aws.received(topic))
    assert not [canary for canary in (*CANARIES, "5500-0055-5555-5559") if canary in written]


@pytest.mark.usefixtures("topic")
def test_a_log_line_tells_what_happened(load: Load, logs: Callable[[], str]) -> None:
    """Event id or status and kind of error: enough to look further, and nothing of the order."""
    handler = load("checkout_api")
    handler(request(ORDER_TEXT))
    assert f'"event_id":"{EVENT_ID}"' in logs()
    handler(request("[]"))
    written = logs()
    assert '"status":400,"error":"OrderError"' in written
    assert "Ada" not in written


anything = st.one_of(
    st.text(),
    st.binary(),
    documents.map(render),
    st.tuples(
        st.sampled_from(
            [
                "/id",
                "/date",
                "/status",
                "/customer",
                "/customer/id",
                "/customer/name",
                "/payment",
                "/payment/id",
                "/payment/amount",
                "/payment/currency",
                "/payment/card-number",
                "/shipping/time",
                "/items",
                "/items/0",
                "/items/1/product",
                "/items/1/quantity",
                "/loyalty",
            ]
        ),
        documents | st.integers(1, 10**6) | st.text(min_size=1),
    ).map(lambda change: render(order_with(*change))),
    st.tuples(st.integers(0, len(ORDER_TEXT)), st.integers(0, 9), st.text(max_size=5)).map(
        lambda edit: ORDER_TEXT[: edit[0]] + edit[2] + ORDER_TEXT[edit[0] + edit[1] :]
    ),
)


def test_every_body_gets_an_answer(aws: Aws, topic: str, load: Load) -> None:
    """202 for what is then on the topic, a problem document that leads to the field for the rest; never an error."""
    handler = load("checkout_api")

    @settings(max_examples=400)
    @given(anything)
    def check(body: str | bytes) -> None:
        answer = handler(request(body))
        published = aws.received(topic)
        if answer["statusCode"] == 202:
            [message] = published
            assert json.loads(message["Body"])["id"] == json.loads(answer["body"])["eventId"]
            return
        assert published == []
        document = assert_is_problem(answer, 400)
        for error in document["errors"]:
            if error["pointer"]:
                parent = error["pointer"].rpartition("/")[0]
                resolve(json.loads(body), parent if error["detail"] == "is missing" else error["pointer"])

    check()


@pytest.mark.usefixtures("topic")
def test_the_answer_to_an_order_does_not_depend_on_how_it_is_written(load: Load) -> None:
    """Spaces, order of keys and notation of numbers make no other event."""
    handler = load("checkout_api")
    spelt = json.dumps(json.loads(ORDER_TEXT), indent=3, sort_keys=True, ensure_ascii=True)
    assert canonical(parse(spelt)) == canonical(order())
    assert json.loads(handler(request(spelt))["body"])["eventId"] == EVENT_ID
