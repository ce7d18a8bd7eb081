"""What was decided about the requests that functions make under their roles.

With IAM enforced, the engine answers a request that no policy allows, and tells nobody: whoever waits for what the
function should have done waits in vain. On AWS CloudTrail records each request with its role and its error ("CloudTrail
record contents", CloudTrail User Guide), which the engine's does for none of a denied request.

Each decision is a line of JSON in the file that `EVENTFORK_ENGINE_DECISIONS` names. Nothing is recorded without it. Not
needed once the engine's CloudTrail has what is denied.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

from ministack.core import iam_evaluator
from ministack.services import sts

from local.engine.replacement import engine_attribute, replace

__all__ = ["apply"]

FILE = "EVENTFORK_ENGINE_DECISIONS"
ASSUMED = ":assumed-role/"


def apply() -> None:
    """Record the decisions, if there is a file for them."""
    if place := os.environ.get(FILE):
        # Others add lines of their own: each is written whole, at the end.
        file = os.open(place, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        sessions = engine_attribute(sts, "_sessions")

        def build(enforce: Callable[..., Any]) -> Callable[..., Any]:
            def enforce_and_record(
                access_key_id: str,
                iam_action: str,
                service: str,
                region: str,
                resource_arn: str = "*",
                service_context: dict[str, Any] | None = None,
            ) -> Any:
                denied = enforce(access_key_id, iam_action, service, region, resource_arn, service_context)
                _, assumed, role = (sessions.get(access_key_id) or {}).get("Arn", "").partition(ASSUMED)
                if assumed:
                    decision = {
                        "role": role.partition("/")[0],
                        "action": iam_action,
                        "resource": resource_arn,
                        "allowed": denied is None,
                    }
                    os.write(file, json.dumps(decision).encode() + b"\n")
                return denied

            return enforce_and_record

        replace(iam_evaluator, "enforce", build)
