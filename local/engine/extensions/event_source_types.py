"""Types of an event source mapping's properties that come from parameters.

Every parameter reaches a resource as a text. CloudFormation converts it to the property's type; the engine takes the
text, so that `Enabled: "false"` counts as true and `MaximumConcurrency: "10"` stops the poller; and a mapping created
disabled still says `State: Enabled`. On AWS both are converted ("AWS::Lambda::EventSourceMapping", CloudFormation
reference: Boolean and Integer), and the state is the real one.

Not needed once `provisioners._lambda_esm_create` and `_lambda_esm_update` convert them, and set the state.
"""

from __future__ import annotations

from typing import Any

from ministack.services import lambda_svc
from ministack.services.cloudformation import provisioners

from local.engine.replacement import engine_attribute

__all__ = ["apply"]


def apply() -> None:
    """Convert the properties before the engine creates or updates a mapping."""
    handlers = engine_attribute(provisioners, "_RESOURCE_HANDLERS")["AWS::Lambda::EventSourceMapping"]
    create, update = handlers["create"], handlers["update"]
    mappings = engine_attribute(lambda_svc, "_esms")

    def create_typed(logical_id: str, properties: dict[str, Any], stack: str) -> tuple[str, dict[str, Any]]:
        typed = _typed(properties)
        mapping_id, attributes = create(logical_id, typed, stack)
        mappings[mapping_id]["State"] = "Enabled" if typed.get("Enabled", True) else "Disabled"
        return mapping_id, attributes

    handlers["create"] = create_typed
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
