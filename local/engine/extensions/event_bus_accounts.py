"""Events that are put on another account's bus.

The engine keeps accounts apart: of an event for another account's bus it says that it was put, and it goes nowhere. On
AWS the bus's policy decides ("Permissions for event buses in Amazon EventBridge", EventBridge User Guide), and what it
does not allow is refused. Here all of it is, as the application's policy allows its own account only.

Not needed once `eventbridge._put_events` asks the policy of the bus that an ARN names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json, get_account_id
from ministack.services import eventbridge

from local.engine.replacement import replace

__all__ = ["apply"]

BUS = ":event-bus/"


def apply() -> None:
    """Refuse what is put on a bus of another account."""

    def build(put: Callable[..., Any]) -> Callable[..., Any]:
        def put_on_own_buses(data: dict[str, Any], *arguments: Any, **options: Any) -> Any:
            for entry in data.get("Entries", []):
                bus = str(entry.get("EventBusName", ""))
                if BUS in bus and bus.split(":")[4] != get_account_id():
                    said = f"is not authorized to perform: events:PutEvents on resource: {bus}"
                    reason = "because no resource-based policy allows the events:PutEvents action"
                    caller = f"User: arn:aws:iam::{get_account_id()}:root"
                    return error_response_json("AccessDeniedException", f"{caller} {said} {reason}", 400)
            return put(data, *arguments, **options)

        return put_on_own_buses

    replace(eventbridge, "_put_events", build)
