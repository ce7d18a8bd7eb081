"""What the check of the templates by checkov complains about."""

import re
from typing import Any

import pytest

from security.checkov import outcome


def report(**results: list[Any]) -> dict[str, Any]:
    """Return a scanner's report with the given results."""
    return {
        "results": {"passed_checks": [], "failed_checks": [], "skipped_checks": [], "parsing_errors": [], **results}
    }


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
    found = outcome(report(skipped_checks=[check("CKV_AWS_117", "calls only public endpoints")] * 2))
    assert found.passed
    assert list(found.lines()) == [
        "suppressed 2: CKV_AWS_117: calls only public endpoints",
        "checked 2, failed 0, suppressed 2",
    ]


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
    found = outcome(report(passed_checks=[check("CKV_AWS_28")], **results))
    assert not found.passed
    (sentence,) = found.faults
    assert re.match(complaint, sentence)
