"""Which roles of functions are allowed other things than at a commit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from security.outcome import CouldNotRunError
from security.permissions import function_roles
from security.repository import git
from setup.generate import TemplateLoader
from tests.templates import ALL, PROJECT_ROOT, Template

__all__ = ["changed_roles", "is_commit"]


def changed_roles(reference: str) -> list[str]:
    """Give the roles that are allowed anything else than at a commit."""
    return [
        role
        for template in ALL
        for role in function_roles(template.document)
        if _text(template.document, role) != _text(_then(template, reference), role)
    ]


def is_commit(reference: str) -> bool:
    """Tell whether a commit of this name is there."""
    try:
        git(PROJECT_ROOT, "rev-parse", "--quiet", "--verify", f"{reference}^{{commit}}")
    except CouldNotRunError:
        return False
    return True


def _then(template: Template, reference: str) -> dict[str, Any]:
    # A template that came later was empty then.
    is_there = git(PROJECT_ROOT, "ls-tree", "--name-only", reference, str(template.path))
    shown = git(PROJECT_ROOT, "show", f"{reference}:{template.path}") if is_there else "Resources: {}"
    document: dict[str, Any] = TemplateLoader(shown).get_single_data()
    return document


def _text(document: Mapping[str, Any], role: str) -> str:
    resources = document["Resources"]
    attached = [
        one
        for one in resources.values()
        if one["Type"] == "AWS::IAM::Policy" and {"Ref": role} in one["Properties"]["Roles"]
    ]
    return json.dumps([resources.get(role, {}).get("Properties", {}).get("Policies"), attached])
