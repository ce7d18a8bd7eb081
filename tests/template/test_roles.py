"""Roles of functions: what services do in their name is allowed to those that need it, and to no others."""

from collections.abc import Iterator

import pytest

from security.by_services import REASONS, by_services, missing
from security.permissions import Permission, function_roles, permissions, statements
from security.role_report import read_report
from tests.templates import ALL, Template

ROLES = [pytest.param(one, role, id=role) for one in ALL for role in function_roles(one.document)]
OF_SERVICES = {
    *("kms:Decrypt", "kms:GenerateDataKey"),
    *("logs:CreateLogStream", "logs:PutLogEvents"),
    *("xray:PutTraceSegments", "xray:PutTelemetryRecords"),
    *("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"),
}
"""What no function does by itself."""


@pytest.mark.parametrize(("template", "role"), ROLES)
def test_a_role_is_allowed_what_services_need_under_it(template: Template, role: str) -> None:
    assert missing(template.document, role) == []


@pytest.mark.parametrize(("template", "role"), ROLES)
def test_a_role_is_allowed_nothing_of_services_that_none_needs(template: Template, role: str) -> None:
    services = by_services(template.document, role)
    allowed = permissions(template.document, role)
    assert [one for one in allowed if one.action in OF_SERVICES and one not in services] == []


@pytest.mark.parametrize(("template", "role"), ROLES)
def test_a_permission_is_known_by_role_statement_and_action(template: Template, role: str) -> None:
    """So that it can be taken away by itself."""
    allowed = permissions(template.document, role)
    assert len(set(allowed)) == len(allowed)
    assert all(statement["Effect"] == "Allow" for statement in statements(template.document, role))


def _purposes() -> Iterator[str]:
    for template in ALL:
        for role in function_roles(template.document):
            yield from by_services(template.document, role).values()


def test_every_reason_is_one_that_some_role_has() -> None:
    assert set(_purposes()) == set(REASONS)


def test_no_two_templates_share_the_name_of_a_role() -> None:
    names = [role for template in ALL for role in function_roles(template.document)]
    assert len(set(names)) == len(names)


def test_what_a_function_does_itself_is_not_taken_for_a_service_s() -> None:
    """On the queue it polls, too: what it sends there, it sends itself."""
    [template] = [one for one in ALL if "CircuitManagerFunctionRole" in one.resources()]
    services = by_services(template.document, "CircuitManagerFunctionRole")
    sid = "TakeProbesOffTheQueueAndHaveTheNextMade"
    assert services[Permission("CircuitManagerFunctionRole", sid, "sqs:ReceiveMessage")] == "source"
    assert Permission("CircuitManagerFunctionRole", sid, "sqs:SendMessage") not in services


@pytest.mark.parametrize(("template", "role"), ROLES)
def test_the_report_says_of_each_permission_what_misses_it(template: Template, role: str) -> None:
    """A test, or, where the engine never asks, why no test can."""
    report, services = read_report(), by_services(template.document, role)
    for permission in permissions(template.document, role):
        assert permission in report, f"make mutate-roles ARGS='--roles {role}' has not seen {permission}"
        verdict = report[permission]
        assert not verdict.survived, f"no test misses {permission}: take it away, or write one"
        if verdict.static:
            assert verdict.static == REASONS[services[permission]]


def test_the_report_is_of_no_other_roles() -> None:
    known = {one for t in ALL for role in function_roles(t.document) for one in permissions(t.document, role)}
    assert read_report().keys() <= known
