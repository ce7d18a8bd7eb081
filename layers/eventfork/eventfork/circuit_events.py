"""What a write of a circuit says on the bus, and to people: that it opened, half opened or closed, or holds work still.

Nothing is put on the bus beside a write: the stream of the circuits' table reports what was written, whoever wrote it,
so that the two cannot disagree.
"""

import uuid
from datetime import datetime
from typing import Any, Final

from eventfork import bus_events
from eventfork.bus_events import CIRCUITS, Entry
from eventfork.circuits import Circuit, happened
from eventfork.timestamps import timestamp

__all__ = ["entry", "notice"]

_NAMESPACE: Final = uuid.UUID("5b0c3f0e-8d1b-5a63-9a0e-3c5e7f4d2b18")


def entry(change_id: str, old: Circuit, new: Circuit) -> Entry | None:
    """Give the event for a write; None if it is none.

    Parameters
    ----------
    change_id : str
        The same whenever the stream reports the same write. So is the event's id, then.
    old, new : Circuit
        As it was before, and as it was written.
    """
    detail_type = happened(old, new)
    if detail_type is None:
        return None
    event_id = str(uuid.uuid5(_NAMESPACE, change_id))
    # What happens in one outage is one chain, to which the replay that makes up for it belongs.
    cause_id = new.outage.id if new.outage else event_id
    return bus_events.entry(CIRCUITS, detail_type, event_id, cause_id, _data(old, new))


def _data(old: Circuit, new: Circuit) -> dict[str, Any]:
    data = {
        "circuit": new.name,
        "state": new.state.value,
        "previousState": old.state.value,
        "mode": new.mode.value,
        "by": new.changed_by,
        "reason": new.reason,
        "at": _written(new.changed_at),
        "version": new.version,
    }
    if new.outage:
        data |= {
            "outageId": new.outage.id,
            "startedAt": timestamp(new.outage.started_at),
            "recoverFrom": timestamp(new.outage.recover_from),
            "closedAt": _written(new.outage.closed_at),
            "cycles": new.outage.cycles,
        }
    return {name: value for name, value in data.items() if value is not None}


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else timestamp(moment)


def notice(event: Entry, old: Circuit, new: Circuit) -> str:
    """Give what people are told of an event."""
    lines = [
        f"{event.detail_type}: the circuit {new.name} is {new.state}, and was {old.state}.",
        f"Why: {new.reason}",
        f"By: {new.changed_by}, at {_written(new.changed_at)}, in the mode {new.mode}.",
    ]
    if new.outage:
        since = timestamp(new.outage.recover_from)
        lines.append(f"Outage {new.outage.id}: work may be held since {since}, opened {new.outage.cycles} times.")
    return "\n".join(lines)
