"""The templates of the application, and what they are deployed with, read for tests."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from setup.generate import template

PROJECT_ROOT = Path(__file__).resolve().parents[1]


NO_VALUE = {"Ref": "AWS::NoValue"}


def listed(value: Any) -> list[Any]:
    """Give one value, or a list of some, as a list."""
    return value if isinstance(value, list) else [value]


@dataclass(frozen=True)
class Template:
    """A template as it is written, short intrinsic functions spelt out.

    Attributes
    ----------
    path : Path
        Relative to the project's root.
    document : dict
        What stands in it.
    """

    path: Path
    document: dict[str, Any]

    def __str__(self) -> str:
        """Name the template in a test's id."""
        return str(self.path)

    @property
    def parameters(self) -> dict[str, Any]:
        """Its parameters by name."""
        return dict(self.document["Parameters"])

    @property
    def outputs(self) -> dict[str, Any]:
        """Its outputs by name."""
        return dict(self.document["Outputs"])

    def resources(self, *types: str) -> dict[str, dict[str, Any]]:
        """Give the properties of its resources of these types (all, if none is named) by name."""
        return {
            name: resource.get("Properties", {})
            for name, resource in self.document["Resources"].items()
            if not types or resource["Type"] in types
        }

    def statements(self, function: str) -> dict[str, tuple[str | None, dict[str, Any]]]:
        """Give the statements of a function's role by their Sid: the condition each one depends on, and itself."""
        [policy] = self.resources("AWS::IAM::Role")[f"{function}Role"]["Policies"]
        found = {}
        for one in policy["PolicyDocument"]["Statement"]:
            condition, statement, otherwise = one.get("Fn::If", (None, one, NO_VALUE))
            assert otherwise == NO_VALUE
            found[statement["Sid"]] = (condition, statement)
        return found

    def allowed(self, function: str, action: str) -> list[Any]:
        """Give every resource that a function may do this to."""
        statements = [statement for _, statement in self.statements(function).values()]
        return [one for each in statements if action in listed(each["Action"]) for one in listed(each["Resource"])]


def read(path: str) -> Template:
    """Read the template at a path relative to the project's root."""
    return Template(Path(path), template(PROJECT_ROOT / path))


def resolved(value: Any, **conditions: bool) -> Any:
    """Decide every `Fn::If` on one of these conditions, and leave out what that gives no value."""
    if isinstance(value, list):
        found = [resolved(child, **conditions) for child in value]
        return [child for child in found if child != NO_VALUE]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"Fn::If"} and value["Fn::If"][0] in conditions:
        condition, then, otherwise = value["Fn::If"]
        return resolved(then if conditions[condition] else otherwise, **conditions)
    members = {name: resolved(child, **conditions) for name, child in value.items()}
    return {name: child for name, child in members.items() if child != NO_VALUE}


def overrides(environment: str) -> dict[str, str]:
    """Read the parameters that an environment of samconfig.toml sets, by name."""
    samconfig = tomllib.loads((PROJECT_ROOT / "samconfig.toml").read_text(encoding="utf-8"))
    listed = samconfig[environment]["deploy"]["parameters"].get("parameter_overrides", [])
    return dict(override.split("=", 1) for override in listed)


def _folder(name: str) -> tuple[Template, ...]:
    return tuple(
        read(str(path.relative_to(PROJECT_ROOT))) for path in sorted(PROJECT_ROOT.glob(f"{name}/*/template.yaml"))
    )


ROOT = read("template.yaml")
PIPELINES = _folder("pipelines")
"""What subscribes to the topic."""
APPLICATIONS = _folder("applications")
"""The bus, what takes events from it, and what has them taken again."""
REPLAY_CONTROL = next(one for one in APPLICATIONS if one.path.parent.name == "replay-control")
PAYMENTS = next(one for one in APPLICATIONS if one.path.parent.name == "payments")
PAYMENT_PROVIDER = next(one for one in APPLICATIONS if one.path.parent.name == "payment-provider")
CIRCUIT_BREAKER = next(one for one in APPLICATIONS if one.path.parent.name == "circuit-breaker")
NESTED = (*PIPELINES, *APPLICATIONS)
ALL = (ROOT, *NESTED)
