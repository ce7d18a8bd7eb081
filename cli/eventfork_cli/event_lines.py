"""Events as they are given to `eventfork events put`: one detail, or JSON Lines of details and of whole entries."""

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from eventfork.bus_events import Entry, entry
from eventfork.json_text import JsonTextError, parse, render
from eventfork.limits import PUT_EVENTS_CALL

from eventfork_cli.errors import InputError

__all__ = ["Producer", "read"]

_ENTRY: Final = frozenset({"source", "detailType", "detail"})


@dataclass(frozen=True, slots=True)
class Producer:
    """What is said of every event that does not say it itself.

    Attributes
    ----------
    source, type : str or None
        Needed for events that are details only.
    flat : bool
        Details stay as they are, without an envelope.
    identifier : str or None
        The id of the only event; otherwise each has a fresh one.
    """

    source: str | None = None
    type: str | None = None
    flat: bool = False
    identifier: str | None = None

    def entry(self, document: Any) -> Entry:
        """Make an entry of a detail, or of a whole entry.

        Raises
        ------
        InputError
            If nothing can be made of it.
        """
        source, detail_type, detail = self._parts(document)
        if self.flat or "metadata" in detail:
            if self.identifier is not None:
                raise InputError("has no envelope that --id could stand in.")
            made = Entry(source, detail_type, render(detail))
        else:
            event_id = self.identifier or str(uuid.uuid4())
            made = entry(source, detail_type, event_id, event_id, detail)
        weight = sum(len(text.encode()) for text in (made.source, made.detail_type, made.detail))
        if weight > PUT_EVENTS_CALL.size:
            raise InputError(f"weighs {weight:,} bytes; an event on the bus may weigh {PUT_EVENTS_CALL.size:,}.")
        return made

    def _parts(self, document: Any) -> tuple[str, str, Mapping[str, Any]]:
        if not isinstance(document, dict):
            raise InputError("is no JSON object.")
        if document.keys() != _ENTRY:
            if not self.source or not self.type:
                raise InputError("is a detail only: say --source and --type, or give source, detailType and detail.")
            return self.source, self.type, document
        source, detail_type, detail = document["source"], document["detailType"], document["detail"]
        if not all(isinstance(text, str) and text for text in (source, detail_type)) or not isinstance(detail, dict):
            raise InputError("needs texts as source and detailType, and an object as detail.")
        return source, detail_type, detail


def read(producer: Producer, named: Iterable[tuple[str, bytes]]) -> list[Entry]:
    """Read events, all of them before any is used.

    Parameters
    ----------
    producer
        What is said of all.
    named
        Each event's JSON, with what to call it.

    Raises
    ------
    InputError
        Naming the first that is wrong.
    """
    return list(_read(producer, named))


def _read(producer: Producer, named: Iterable[tuple[str, bytes]]) -> Iterator[Entry]:
    for position, (name, text) in enumerate(named):
        try:
            if position and producer.identifier is not None:
                raise InputError("is a second event; --id names one.")
            yield producer.entry(parse(text))
        except JsonTextError as error:
            raise InputError(f"{name}: {error}.") from error
        except InputError as error:
            raise InputError(f"{name} {error}") from None
