"""SAM in nested templates.

The engine applies the template's `Transform` to a stack of its own only; in a nested stack the serverless resources
stay as they are and are refused. AWS transforms every template it deploys ("AWS::Serverless transform", CloudFormation
template reference), nested ones too, given CAPABILITY_AUTO_EXPAND.

Not needed once `provisioners._cfn_nested_stack_deploy` applies transforms itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.services.cloudformation import changesets, engine, handlers  # noqa: F401

from local.engine.replacement import engine_attribute, replace

__all__ = ["apply"]


def apply() -> None:
    """Make the nested stack's parser transform what it parses.

    Changesets and handlers, imported above, hold the original parser and transform by themselves; only the nested
    stack looks the parser up when it is called.
    """
    transform = engine_attribute(engine, "_apply_transforms")

    def build(parse: Callable[[str], dict[str, Any]]) -> Callable[[str], Any]:
        def parse_and_transform(body: str) -> Any:
            return transform(parse(body))

        return parse_and_transform

    replace(engine, "_parse_template", build)
