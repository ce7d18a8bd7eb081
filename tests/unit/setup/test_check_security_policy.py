"""What the check of the security policy complains about."""

import re
from typing import Any

import pytest

from setup.check_security_policy import complaints


def report(**results: list[Any]) -> dict[str, Any]:
    """Return a scanner's report with the given results."""
    return {"results": {"failed_checks": [], "skipped_checks": [], "parsing_errors": [], **results}}


def check(identifier: str, reason: str = "") -> dict[str, Any]:
    """Return one check of a queue in the scanner's form."""
    return {
        "check_id": identifier,
        "check_name": "Ensure it",
        "check_result": {"suppress_comment": reason},
        "file_path": "/template.yaml",
        "resource": "AWS::SQS::Queue.Queue",
    }


def test_is_content_with_an_agreed_suppression() -> None:
    """A suppression of an agreed id with its reason is no complaint."""
    assert complaints(report(skipped_checks=[check("CKV_AWS_117", "calls only public endpoints")])) == []


@pytest.mark.parametrize(
    ("results", "complaint"),
    [
        ({"failed_checks": [check("CKV_AWS_27")]}, "CKV_AWS_27 fails for AWS::SQS::Queue.Queue in /template.yaml"),
        ({"parsing_errors": ["/template.yaml"]}, "/template.yaml cannot be read"),
        ({"skipped_checks": [check("CKV_AWS_27", "costs")]}, "CKV_AWS_27 is suppressed .* may not be"),
        ({"skipped_checks": [check("CKV_AWS_117")]}, "CKV_AWS_117 is suppressed .* without a reason"),
    ],
    ids=["failed", "unreadable", "not agreed", "no reason"],
)
def test_complains(results: dict[str, list[Any]], complaint: str) -> None:
    """A failed check, an unreadable template, and a suppression not agreed or not explained are each one complaint."""
    (sentence,) = complaints(report(**results))
    assert re.match(complaint, sentence)
