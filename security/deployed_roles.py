"""Roles of functions as they are deployed: their policies, and how to take a permission out of one for a while."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from local.engine.process import Engine
from security.permissions import Permission

__all__ = ["Role"]


class Role:
    """A deployed role, whose policies are changed in place.

    Parameters
    ----------
    engine : Engine
    name : str
        What IAM knows it by.
    function : str
        Name of the function that takes it on.
    """

    def __init__(self, engine: Engine, name: str, function: str) -> None:
        self._engine, self.name, self._function = engine, name, function
        self._iam = engine.client("iam")

    def policies(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Give its policies as they are."""
        for name in self._iam.list_role_policies(RoleName=self.name)["PolicyNames"]:
            yield name, self._iam.get_role_policy(RoleName=self.name, PolicyName=name)["PolicyDocument"]

    def _with(self, permission: Permission) -> list[tuple[str, dict[str, Any]]]:
        return [
            (name, policy)
            for name, policy in self.policies()
            if any(
                one["Sid"] == permission.sid and permission.action in _listed(one["Action"])
                for one in policy["Statement"]
            )
        ]

    def resources(self, permission: Permission) -> list[str]:
        """Give on what it has a permission, patterns as policies have them."""
        return [
            resource
            for _, policy in self._with(permission)
            for statement in policy["Statement"]
            if statement["Sid"] == permission.sid
            for resource in _listed(statement["Resource"])
        ]

    @contextlib.contextmanager
    def without(self, permission: Permission) -> Iterator[None]:
        """Take a permission away meanwhile."""
        [(name, policy)] = self._with(permission)
        self._put(name, {**policy, "Statement": list(_rest(policy["Statement"], permission))})
        self.renew()
        try:
            yield
        finally:
            self._put(name, policy)
            self.renew()

    def renew(self) -> None:
        """Have the function begin anew: what it has asked for once and kept, it asks for again."""
        functions = self._engine.client("lambda")
        timeout = functions.get_function_configuration(FunctionName=self._function)["Timeout"]
        functions.update_function_configuration(FunctionName=self._function, Timeout=timeout)

    def _put(self, name: str, policy: Mapping[str, Any]) -> None:
        self._iam.put_role_policy(RoleName=self.name, PolicyName=name, PolicyDocument=json.dumps(policy))


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _rest(statements: list[dict[str, Any]], permission: Permission) -> Iterator[dict[str, Any]]:
    for statement in statements:
        if statement["Sid"] == permission.sid:
            actions = [one for one in _listed(statement["Action"]) if one != permission.action]
            if actions:
                yield {**statement, "Action": actions}
        else:
            yield statement
