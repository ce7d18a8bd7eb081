"""Intrinsic functions of a template, decided as far as they can be before a deployment."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["REGION", "Scope", "resolved"]

REGION: Final = "us-east-1"
PSEUDO: Final = {
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::AccountId": "123456789012",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "eventfork",
    "AWS::StackId": f"arn:aws:cloudformation:{REGION}:123456789012:stack/eventfork/1",
}
NO_VALUE: Final = {"Ref": "AWS::NoValue"}
REFERENCE: Final = re.compile(r"\$\{([^!}][^}]*)\}")


@dataclass(frozen=True)
class Scope:
    """What intrinsic functions of one template are decided by.

    Attributes
    ----------
    parameters : Mapping
        Value of each parameter.
    conditions : Mapping
        The template's conditions, as written.
    """

    parameters: Mapping[str, Any]
    conditions: Mapping[str, Any] = field(default_factory=dict)

    def holds(self, condition: Any) -> bool:
        """Decide a condition, by name or as written."""
        if isinstance(condition, str):
            return self.holds(self.conditions[condition])
        ((name, operands),) = condition.items()
        if name == "Condition":
            return self.holds(operands)
        if name == "Fn::Equals":
            left, right = (str(resolved(operand, self)) for operand in operands)
            return left == right
        if name == "Fn::Not":
            return not self.holds(operands[0])
        return {"Fn::And": all, "Fn::Or": any}[name](self.holds(operand) for operand in operands)


def resolved(value: Any, scope: Scope) -> Any:
    """Decide what can be decided before a deployment; references to resources stay."""
    if isinstance(value, list):
        return [child for child in (resolved(child, scope) for child in value) if child != NO_VALUE]
    if not isinstance(value, dict):
        return value
    alone: tuple[str, Any] = next(iter(value.items())) if len(value) == 1 else ("", None)
    name, operand = alone
    if name == "Ref":
        return {**PSEUDO, **scope.parameters}.get(operand, value)
    if name == "Fn::If":
        condition, then, otherwise = operand
        return resolved(then if scope.holds(condition) else otherwise, scope)
    if name == "Fn::Sub":
        return _substituted(operand, scope)
    children = {name: resolved(child, scope) for name, child in value.items()}
    return {name: child for name, child in children.items() if child != NO_VALUE}


def _substituted(operand: Any, scope: Scope) -> Any:
    """Write `Fn::Sub` as the text it gives, or as the `Fn::Join` that a CDK would write where it names an attribute.

    A resource's name is known only once it is made; any name will do, so it goes by its logical id.
    """
    text, given = operand if isinstance(operand, list) else (operand, {})
    parts: list[Any] = []
    for index, part in enumerate(REFERENCE.split(text)):
        if index % 2 == 0:
            parts.append(part.replace("${!", "${"))
        elif part in given:
            parts.append(resolved(given[part], scope))
        elif "." in part:
            parts.append({"Fn::GetAtt": part.split(".", 1)})
        else:
            parts.append(resolved({"Ref": part}, scope))
            if parts[-1] == {"Ref": part}:
                parts[-1] = part.lower()
    parts = [part for part in parts if part != ""]
    if all(isinstance(part, str | int) for part in parts):
        return "".join(map(str, parts))
    return {"Fn::Join": ["", parts]}
