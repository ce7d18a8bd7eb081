"""Roles are mutated by the quickest tests that use a permission, and what none misses is said to survive."""

import json
from pathlib import Path
from typing import Any

import pytest

from security import changed_roles, role_report
from security.deployed_roles import Role
from security.mutate_roles import Baseline
from security.permissions import Permission
from security.role_report import Verdict
from tests.templates import Template

SENDING = Permission("Role", "Send", "sqs:SendMessage")
ASKING = Permission("Role", "Send", "sqs:GetQueueUrl")
STATEMENTS = [
    {"Sid": "Send", "Effect": "Allow", "Action": ["sqs:GetQueueUrl", "sqs:SendMessage"], "Resource": "arn:queue"},
    {"Sid": "Keep", "Effect": "Allow", "Action": "dynamodb:PutItem", "Resource": ["arn:table", "arn:bucket/*"]},
]


class FakeIam:
    """Policies of one role."""

    def __init__(self) -> None:
        self.document: Any = {"Version": "2012-10-17", "Statement": STATEMENTS}
        self.put: list[Any] = []

    def list_role_policies(self, **_: Any) -> dict[str, Any]:
        """Give their names."""
        return {"PolicyNames": ["only"]}

    def get_role_policy(self, **_: Any) -> dict[str, Any]:
        """Give one."""
        return {"PolicyDocument": self.document}

    def put_role_policy(self, PolicyDocument: str, **_: Any) -> None:  # noqa: N803 - as boto3 has it
        """Keep what is put."""
        self.put.append(PolicyDocument)

    def get_function_configuration(self, **_: Any) -> dict[str, Any]:
        """Give what a function has."""
        return {"Timeout": 30}

    def update_function_configuration(self, **said: Any) -> None:
        """Keep what is changed."""
        self.put.append(said["Timeout"])


class FakeEngine:
    """An engine with that role."""

    def __init__(self) -> None:
        self.iam = FakeIam()

    def client(self, _: str) -> FakeIam:
        """Give the client of any service."""
        return self.iam


@pytest.fixture
def role() -> Role:
    return Role(FakeEngine(), "deployed-role", "function")  # type: ignore[arg-type]


def test_a_permission_is_taken_away_and_given_back(role: Role) -> None:
    """The function begins anew both times: it may have kept what it asked for."""
    with role.without(SENDING):
        pass
    taken, renewed, given, again = role._iam.put
    assert ("sqs:SendMessage" in taken, "sqs:GetQueueUrl" in taken, "dynamodb:PutItem" in taken) == (False, True, True)
    assert "sqs:SendMessage" in given
    assert renewed == again == 30


def test_a_statement_goes_with_its_last_action(role: Role) -> None:
    with role.without(Permission("Role", "Keep", "dynamodb:PutItem")):
        pass
    assert "Keep" not in role._iam.put[0]


def test_the_quickest_test_that_uses_a_permission_is_tried_first_and_then_those_that_use_it_most(role: Role) -> None:
    def use(
        name: str = "deployed-role", action: str = "sqs:SendMessage", resource: str = "arn:queue"
    ) -> dict[str, Any]:
        return {"role": name, "action": action, "resource": resource, "allowed": True}

    records = [
        use(),
        {"test": "slow", "at": 1.0},
        use(),
        {"test": "of another resource", "at": 9.0},
        use(resource="arn:other"),
        {"test": "of another role", "at": 9.1},
        use("other-role"),
        {"test": "quick", "at": 10.0},
        use(),
        {"test": "last", "at": 11.0},
    ]
    for number in range(3):
        records += [{"test": f"quicker-{number}", "at": 12 + number / 10}, use()]
    records += [{"test": "slowest", "at": 13.0}, *[use()] * 2, {"test": "end", "at": 99.0}]
    baseline, resources = Baseline(records), role.resources(SENDING)
    assert baseline.candidates(SENDING, {"deployed-role"}, resources) == [
        *("quicker-0", "quicker-1", "quicker-2"),
        *("slowest", "slow", "quick"),
    ]
    assert baseline.candidates(ASKING, {"deployed-role"}, resources) == []
    assert baseline.asked(SENDING, {"deployed-role"}, resources)
    assert not baseline.asked(ASKING, {"deployed-role"}, resources)


def test_the_report_says_next_time_which_test_to_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verdicts = [
        Verdict(SENDING, killed_by="tests/a.py::test[b]"),
        Verdict(ASKING, static="nobody asks"),
        Verdict(Permission("Role", "Keep", "dynamodb:PutItem")),
    ]
    report = tmp_path / "security" / "report.md"
    monkeypatch.setattr(role_report, "REPORT", report)
    role_report.write_report(verdicts)
    assert list(role_report.read_report().values()) == verdicts
    text = report.read_text(encoding="utf-8")
    assert text.endswith("mutants 2, killed 1, survivors 1, static 1\n")
    assert "| Role | Keep | dynamodb:PutItem | **nothing** |" in text


def test_a_role_that_is_allowed_other_things_than_at_a_commit_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the role itself, or in a policy that is attached to it."""

    def then(template: Template, _: str) -> dict[str, Any]:
        text = json.dumps(template.document)
        for now in ("StoreOrders", "BackupFunctionLogGroup"):
            text = text.replace(now, f"Other{now}")
        document: dict[str, Any] = json.loads(text)
        return document

    monkeypatch.setattr(changed_roles, "_then", then)
    assert changed_roles.changed_roles("main") == ["BackupFunctionRole", "CheckoutFunctionRole"]
