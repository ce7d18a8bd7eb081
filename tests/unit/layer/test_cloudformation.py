"""A stack gives its outputs by name; errors say whether it is there, and whether the caller may see it."""

from typing import Any

import pytest
from botocore.stub import Stubber
from eventfork.adapters.cloudformation import Stack
from eventfork.errors import DeniedError, NotFoundError, ServiceError, UnavailableError

from tests.unit.aws import Aws, unreachable

STACK = {"StackName": "eventfork", "CreationTime": "2026-11-20T08:15:43Z", "StackStatus": "CREATE_COMPLETE"}


@pytest.mark.parametrize(
    ("told", "outputs"),
    [
        ({"Outputs": [{"OutputKey": "SearchIndexName", "OutputValue": "orders"}]}, {"SearchIndexName": "orders"}),
        ({}, {}),
    ],
)
def test_outputs_are_given_by_name(aws: Aws, told: dict[str, Any], outputs: dict[str, str]) -> None:
    """A stack may have none."""
    client = aws.client("cloudformation")
    with Stubber(client) as stub:
        stub.add_response("describe_stacks", {"Stacks": [{**STACK, **told}]}, {"StackName": "eventfork"})
        assert Stack(client, "eventfork").outputs() == outputs


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("AccessDenied", 403, DeniedError),
        ("ExpiredToken", 403, DeniedError),
        ("ValidationError", 400, NotFoundError),
        ("Throttling", 400, UnavailableError),
        ("InternalFailure", 500, UnavailableError),
    ],
)
def test_an_error_says_what_it_is(aws: Aws, code: str, status: int, error: type[ServiceError]) -> None:
    """And whether it may help to try again."""
    client = aws.client("cloudformation")
    with Stubber(client) as stub:
        stub.add_client_error("describe_stacks", code, http_status_code=status)
        with pytest.raises(error):
            Stack(client, "eventfork").outputs()


def test_cloudformation_that_cannot_be_reached_is_unavailable(aws: Aws) -> None:
    """It tells nothing about the stack."""
    client = aws.client("cloudformation")
    with unreachable(client), pytest.raises(UnavailableError):
        Stack(client, "eventfork").outputs()
