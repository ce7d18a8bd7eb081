"""Amazon EventBridge: putting events on a bus."""

from collections.abc import Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from eventfork.bus_events import Entry
from eventfork.errors import UnavailableError

__all__ = ["EventBus"]


class EventBus:
    """A bus, to put events on.

    Parameters
    ----------
    client : botocore client of EventBridge
    name : str
        Its name or its ARN.
    """

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

    def put(self, entries: Sequence[Entry]) -> list[int]:
        """Put events within `PUT_EVENTS_CALL`; give the positions of those that were refused.

        Raises
        ------
        UnavailableError
            If the call failed.
        """
        try:
            answer = self._client.put_events(
                Entries=[
                    {
                        "EventBusName": self._name,
                        "Source": entry.source,
                        "DetailType": entry.detail_type,
                        "Detail": entry.detail,
                    }
                    for entry in entries
                ]
            )
        except (ClientError, BotoCoreError) as error:
            raise UnavailableError("EventBridge did not take the events") from error
        if not answer["FailedEntryCount"]:
            return []
        return [position for position, entry in enumerate(answer["Entries"]) if "ErrorCode" in entry]
