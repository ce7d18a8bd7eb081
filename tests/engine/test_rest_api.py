"""How a REST API answers that was defined by OpenAPI."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from local.engine.process import Engine
from tests.engine.workbench import Workbench

SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/execute-api/aws4_request"}
JSON = {"Content-Type": "application/json", **SIGNED}
ORDER = {"order": 48213, "customer": 9027, "payment": {"amount": 12.5}}


@dataclass(frozen=True)
class Answer:
    """Status, headers (in lower case) and body of an answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        """The decoded body."""
        return json.loads(self.body)


Call = Callable[..., Answer]


@pytest.fixture(scope="session")
def call(engine: Engine, application: dict[str, str]) -> Call:
    """Return what sends a request to the sample application's API."""
    return lambda *arguments, **options: send(engine, application, *arguments, **options)


def send(
    engine: Engine,
    application: dict[str, str],
    method: str,
    path: str,
    *,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> Answer:
    """Send a request to an API as it is written, and return the answer."""
    prefix = f"/restapis/{application['ApiId']}/{application['ApiStage']}/_user_request_"
    connection = http.client.HTTPConnection(engine.host, engine.port, timeout=120)
    try:
        connection.request(method, prefix + path, body, headers or {})
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, found, response.read())
    finally:
        connection.close()


BODIES_THAT_FIT_NO_MODEL = {
    "empty": b"",
    "list": b"[]",
    "empty object": b"{}",
    "two documents": b"{} {}",
    "no JSON": b"no JSON",
    "text": b'"text"',
    "spaces": b" " * 300_000,
    "odd bytes": b"\xff\xfe{",
    "deep": b"[" * 5_000 + b"]" * 5_000,
    "no amount": json.dumps({**ORDER, "payment": {}}).encode(),
    "amount as text": json.dumps({**ORDER, "payment": {"amount": "12"}}).encode(),
    "negative amount": json.dumps({**ORDER, "payment": {"amount": -1}}).encode(),
}


@pytest.mark.parametrize("body", BODIES_THAT_FIT_NO_MODEL.values(), ids=BODIES_THAT_FIT_NO_MODEL)
def test_a_body_that_fits_no_model_gets_our_gateway_response(call: Call, body: bytes) -> None:
    """What the model refuses is answered with the template and content type of BAD_REQUEST_BODY."""
    answer = call("POST", "/checkout", body=body, headers=JSON)
    assert answer.status == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.document["errors"] == [{"pointer": "", "detail": "does not match the model"}]
    assert answer.document["instance"] == f"urn:request:{answer.headers['x-amzn-requestid']}"


def test_a_body_that_fits_reaches_the_function_and_its_answer_comes_untouched(call: Call) -> None:
    """Status, Location and content type are the function's."""
    body = json.dumps(ORDER).encode()
    answer = call("POST", "/checkout", body=body, headers=JSON)
    assert answer.status == 202
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["location"] == "orders/9027/48213"
    assert answer.document["body"].encode() == body


@pytest.mark.parametrize("content_type", ["text/plain", "application/octet-stream"])
def test_a_body_of_another_content_type_is_left_to_the_function(call: Call, content_type: str) -> None:
    """Only a content type with a model is validated; 300 KB of odd bytes reach the function as text."""
    body = b"\xff" + b" " * 300_000
    answer = call("POST", "/checkout", body=body, headers={"Content-Type": content_type, **SIGNED})
    assert answer.status == 202
    assert answer.document["body"] == "\ufffd" + " " * 300_000


def test_an_unsigned_request_gets_our_gateway_response(call: Call) -> None:
    """Where signing is required, a request without Authorization is answered by MISSING_AUTHENTICATION_TOKEN."""
    answer = call("POST", "/checkout", body=json.dumps(ORDER).encode())
    assert answer.status == 401
    assert answer.document == {"title": "Unauthorized", "status": 401, "detail": "Missing Authentication Token"}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_another_method_gets_the_mock_answer(call: Call, method: str) -> None:
    """The ANY method answers what the path does not serve, with its headers and its evaluated template."""
    answer = call(method, "/checkout")
    assert answer.status == 405
    assert answer.headers["allow"] == "POST"
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.document["instance"] == f"urn:request:{answer.headers['x-amzn-requestid']}"


@pytest.mark.parametrize("path", ["/checkout", "/nothing"], ids=["never", "when_no_templates"])
def test_a_mock_refuses_a_content_type_without_a_request_template(call: Call, path: str) -> None:
    """Where it passes nothing through, a body the mock has no template for is answered with 415."""
    assert call("PUT", path, body=b"text", headers={"Content-Type": "text/plain"}).status == 415


def test_a_mock_that_passes_a_body_through_finds_no_status(call: Call) -> None:
    """Where it passes everything through, the mock fails as on AWS, with the gateway response for server errors."""
    answer = call("PUT", "/passing", body=b"text", headers={"Content-Type": "text/plain"})
    assert (answer.status, answer.document) == (500, {"title": "Server error", "detail": "Internal server error"})


@pytest.mark.parametrize("path", ["/nothing", "/orders", "/checkout/more/of/it"])
def test_any_other_path_gets_the_mock_answer(call: Call, path: str) -> None:
    """The proxy path answers 404 for what no resource serves."""
    answer = call("GET", path)
    assert (answer.status, answer.document["title"]) == (404, "Not found")


def test_a_path_parameter_comes_as_the_client_wrote_it(call: Call) -> None:
    """An encoded slash divides nothing, and path parameters reach the function encoded, query parameters decoded."""
    answer = call("GET", "/orders/a%2Fb/%C3%A9?name=%C3%A9", headers=SIGNED)
    assert answer.document["resource"] == "/orders/{customerId}/{orderId}"
    assert answer.document["path"] == "/orders/a%2Fb/%C3%A9"
    assert answer.document["pathParameters"] == {"customerId": "a%2Fb", "orderId": "%C3%A9"}
    assert answer.document["queryStringParameters"] == {"name": "é"}


@pytest.mark.parametrize("act", ["raise", "answer-in-no-format"])
def test_a_failing_function_gets_our_gateway_response(call: Call, act: str) -> None:
    """A function that raises or answers in no format is answered with 502 and nothing of its error."""
    answer = call("GET", "/orders/9027/48213", headers={"x-act": act, **SIGNED})
    assert answer.status == 502
    assert answer.document == {"title": "Server error", "detail": "Internal server error"}


def test_an_update_keeps_the_address_and_changes_the_answers(engine: Engine, workbench: Workbench) -> None:
    """A changed definition is served under the same API id, at once."""
    bucket = workbench.upload_code()
    before = workbench.deploy_application("updated-api", CodeBucket=bucket)
    assert send(engine, before, "GET", "/orders/9027/48213").status == 401
    after = workbench.deploy_application("updated-api", update=True, CodeBucket=bucket, Anonymous="true")
    assert after["ApiId"] == before["ApiId"]
    assert send(engine, after, "GET", "/orders/9027/48213").status == 202
    assert send(engine, after, "POST", "/checkout", body=b"{}").document["title"] == "Bad request"
    assert send(engine, after, "PUT", "/checkout").status == 405
    assert [api["id"] for api in workbench.client("apigateway").get_rest_apis()["items"]].count(after["ApiId"]) == 1
