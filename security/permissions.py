"""What templates allow roles, one action at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

__all__ = ["Permission", "function_roles", "permissions", "spelt_out", "statements"]

Document = Mapping[str, Any]


class Permission(NamedTuple):
    """An action that a statement of a role's policies allows.

    Attributes
    ----------
    role : str
        The role's logical id, which no two templates share.
    sid : str
        The statement's.
    action : str
    """

    role: str
    sid: str
    action: str


def function_roles(document: Document) -> dict[str, list[str]]:
    """Give the functions of a template by their role."""
    roles: dict[str, list[str]] = {}
    for name, resource in document["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            role, _ = resource["Properties"]["Role"]["Fn::GetAtt"]
            roles.setdefault(role, []).append(name)
    return roles


def statements(document: Document, role: str) -> Iterator[Document]:
    """Give every statement that a template attaches to a role, those that a condition leaves out too."""
    resources = document["Resources"]
    for policy in spelt_out(resources[role]["Properties"].get("Policies", [])):
        yield from spelt_out(policy["PolicyDocument"]["Statement"])
    for resource in resources.values():
        if resource["Type"] == "AWS::IAM::Policy" and {"Ref": role} in resource["Properties"]["Roles"]:
            yield from spelt_out(resource["Properties"]["PolicyDocument"]["Statement"])


def permissions(document: Document, role: str) -> list[Permission]:
    """Give everything that a template allows a role."""
    return [
        Permission(role, statement["Sid"], action)
        for statement in statements(document, role)
        for action in spelt_out(statement["Action"])
    ]


def spelt_out(value: Any) -> list[Any]:
    """Give what one value, a list, or a choice between both of a condition can be."""
    if isinstance(value, list):
        return [one for child in value for one in spelt_out(child)]
    if isinstance(value, dict) and value.keys() == {"Fn::If"}:
        return spelt_out(value["Fn::If"][1:])
    return [] if value == {"Ref": "AWS::NoValue"} else [value]
