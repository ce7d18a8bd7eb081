"""What CloudFormation asks of a custom resource is answered to it, whatever came of it."""

from typing import Any

import pytest
from eventfork.adapters.cloudformation import CustomResourceRequest
from eventfork.errors import UnavailableError

from tests.unit.http import Http

TOLD = {
    "StackId": "arn:aws:cloudformation:eu-central-1:123456789012:stack/s/1",
    "RequestId": "r",
    "LogicalResourceId": "L",
}
URL = "https://cloudformation.example.com/answer?X-Amz-Signature=abc%2Fdef"


def request(http: Http, kind: str = "Create", **more: Any) -> CustomResourceRequest:
    event = {"RequestType": kind, "ResponseURL": URL, "ResourceProperties": {"IndexName": "orders"}, **TOLD, **more}
    return CustomResourceRequest(event, http)


def test_a_success_is_answered_with_what_templates_can_read() -> None:
    """Under the name that the resource has from now on, at the URL as it was signed."""
    http = Http()
    asked = request(http)
    assert asked.properties == {"IndexName": "orders"}
    asked.succeed("search-index-orders", {"Security": "mapped"})
    (sent,) = http.sent
    assert (sent.method, sent.url, sent.headers["content-type"]) == ("PUT", URL, "")
    assert sent.document == {
        **TOLD,
        "PhysicalResourceId": "search-index-orders",
        "Status": "SUCCESS",
        "Data": {"Security": "mapped"},
    }


def test_a_failure_is_answered_with_its_reason() -> None:
    """As much of it as fits into an answer, whose 4,096 bytes are the most that CloudFormation takes."""
    http = Http()
    request(http).fail("search-index-orders", "ü" * 5000)
    (sent,) = http.sent
    assert sent.document["Status"] == "FAILED"
    assert set(sent.document["Reason"]) == {"ü"}
    assert len(sent.document["Reason"]) >= 300
    assert len(sent.body) <= 4096


def test_what_is_deleted_keeps_its_name() -> None:
    """Else CloudFormation would take it for another."""
    http = Http()
    asked = request(http, "Delete", PhysicalResourceId="made-by-hand")
    assert asked.deletes
    asked.succeed("search-index-orders", {})
    assert http.sent[0].document["PhysicalResourceId"] == "made-by-hand"


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_only_a_deletion_deletes(kind: str) -> None:
    """Of the three that CloudFormation asks for."""
    assert not request(Http(), kind).deletes


@pytest.mark.parametrize("answer", [None, (403, b"<Error>expired</Error>"), (500, b"")])
def test_an_answer_that_is_not_taken_is_an_error(answer: tuple[int, Any] | None) -> None:
    """So that Lambda invokes the function again."""
    with pytest.raises(UnavailableError):
        request(Http([answer])).succeed("search-index-orders", {})
