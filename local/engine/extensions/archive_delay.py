"""The time until an event is in its archive.

The engine archives an event at once. On AWS it takes some time until a replay finds it: the user guide says to wait ten
minutes ("Replaying archived events in Amazon EventBridge"). `EVENTFORK_ARCHIVE_DELAY_SECONDS` says how long it takes
here; without it, events are archived at once, and nothing else changes.

Not needed once the engine has such a setting. What is being delayed when the engine stops is not archived.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

from ministack.core import responses
from ministack.services import eventbridge

from local.engine.replacement import replace

__all__ = ["apply"]


def apply() -> None:
    """Archive every event so many seconds after it was put."""
    delay = float(os.environ.get("EVENTFORK_ARCHIVE_DELAY_SECONDS", "0"))
    if not delay:
        return

    def build(archive: Callable[..., None]) -> Callable[..., None]:
        def archive_later(event: dict[str, Any], view: Any = None) -> None:
            account, region = responses.get_account_id(), responses.get_region()

            def in_its_account() -> None:
                with responses.request_scope(account, region):
                    archive(event, view)

            timer = threading.Timer(delay, in_its_account)
            timer.daemon = True
            timer.start()

        return archive_later

    replace(eventbridge, "_archive_event", build)
