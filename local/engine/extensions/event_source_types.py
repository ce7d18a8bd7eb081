"""Types of an event source mapping's properties that come from parameters.

Every parameter reaches a resource as a text. CloudFormation converts it to the property's type; the engine takes the
text, so that `Enabled: "false"` counts as true and `MaximumConcurrency: "10"` stops the poller. On AWS both are
converted ("AWS::Lambda::EventSourceMapping", CloudFormation reference: Boolean and Integer).

Not needed once `provisioners._lambda_esm_create` and `_lambda_esm_update` convert them.
"""

from __future__ import annotations

from typing import Any

from ministack.services.cloudformation import provisioners

from local.engine.replacement import engine_attribute

__all__ = ["apply"]


def apply() -> None:
    """Convert the properties before the engine creates or updates a mapping."""
    handlers = engine_attribute(provisioners, "_RESOURCE_HANDLERS")["AWS::Lambda::EventSourceMapping"]
    create, update = handlers["create"], handlers["update"]
    handlers["create"] = lambda logical_id, properties, stack: create(logical_id, _typed(properties), stack)
    handlers["update"] = lambda physical_id, old, new, *rest: update(physical_id, _typed(old), _typed(new), *rest)


def _typed(properties: dict[str, Any]) -> dict[str, Any]:
    typed = dict(properties)
    for name in ("BatchSize", "MaximumBatchingWindowInSeconds"):
        if name in typed:
            typed[name] = int(typed[name])
    if "Enabled" in typed:
        typed["Enabled"] = str(typed["Enabled"]).lower() == "true"
    scaling = typed.get("ScalingConfig")
    if scaling and "MaximumConcurrency" in scaling:
        typed["ScalingConfig"] = {**scaling, "MaximumConcurrency": int(scaling["MaximumConcurrency"])}
    return typed
