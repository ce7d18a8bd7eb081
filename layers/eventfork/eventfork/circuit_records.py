"""How circuits are written as rows: a circuit's state, what is held behind it, and its transitions.

A row's values are texts and numbers, as tables and their streams give them; what is not known has no attribute.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from eventfork.circuits import Circuit, Held, Mode, Outage, State, Transition
from eventfork.timestamps import timestamp

__all__ = [
    "HELD",
    "KEYS",
    "STATE",
    "TRANSITION",
    "circuit",
    "circuit_row",
    "held",
    "held_row",
    "transition",
    "transition_row",
]

KEYS: Final = ("Circuit", "Item")
STATE: Final = "STATE"
"""The sort key of a circuit itself."""
HELD: Final = "HELD"
"""The sort key of what is held behind it."""
TRANSITION: Final = "TRANSITION#"
"""What the sort keys of its transitions begin with; their numbers sort as texts do."""

_KEPT: Final = timedelta(days=400)
"""For so long transitions are kept: a year and then some. Nothing else is ever forgotten."""
_PROBES: Final = {True: "+", False: "-"}

Row = dict[str, str | int | Decimal]


def circuit_row(circuit: Circuit) -> Row:
    """Write a circuit."""
    outage = circuit.outage
    return _known(
        {
            "Circuit": circuit.name,
            "Item": STATE,
            "State": circuit.state.value,
            "Mode": circuit.mode.value,
            "Version": circuit.version,
            "ChangedAt": _written(circuit.changed_at),
            "ChangedBy": circuit.changed_by,
            "Reason": circuit.reason,
            "ModeVersion": circuit.mode_version,
            "ModeActor": circuit.mode_actor,
            "ModeReason": circuit.mode_reason,
            "ModeExpiresAt": _written(circuit.mode_expires_at),
            "OutageId": outage.id if outage else None,
            "OutageStartedAt": _written(outage.started_at) if outage else None,
            "RecoverFrom": _written(outage.recover_from) if outage else None,
            "OutageClosedAt": _written(outage.closed_at) if outage else None,
            "Cycles": outage.cycles if outage else None,
            "Probes": "".join(_PROBES[healthy] for healthy in circuit.probes),
            "NextProbeAt": _written(circuit.next_probe_at),
            "Failures": circuit.failures,
        }
    )


def circuit(row: Mapping[str, Any]) -> Circuit:
    """Read a circuit from what `circuit_row` gave."""
    return Circuit(
        name=row["Circuit"],
        state=State(row["State"]),
        mode=Mode(row["Mode"]),
        version=int(row["Version"]),
        changed_at=_moment(row.get("ChangedAt")),
        changed_by=row["ChangedBy"],
        reason=row["Reason"],
        mode_version=int(row["ModeVersion"]),
        mode_actor=row["ModeActor"],
        mode_reason=row["ModeReason"],
        mode_expires_at=_moment(row.get("ModeExpiresAt")),
        outage=_outage(row) if "OutageId" in row else None,
        probes=tuple(sign == _PROBES[True] for sign in row["Probes"]),
        next_probe_at=_moment(row.get("NextProbeAt")),
        failures=int(row["Failures"]),
    )


def _outage(row: Mapping[str, Any]) -> Outage:
    return Outage(
        id=row["OutageId"],
        started_at=datetime.fromisoformat(row["OutageStartedAt"]),
        recover_from=datetime.fromisoformat(row["RecoverFrom"]),
        closed_at=_moment(row.get("OutageClosedAt")),
        cycles=int(row["Cycles"]),
    )


def held_row(name: str, held: Held) -> Row:
    """Write how much is held behind the circuit `name`."""
    return _known(
        {
            "Circuit": name,
            "Item": HELD,
            "Count": held.count,
            "Oldest": _written(held.oldest),
            "CheckedAt": timestamp(held.checked_at),
        }
    )


def held(row: Mapping[str, Any]) -> Held:
    """Read how much is held from what `held_row` gave."""
    return Held(int(row["Count"]), _moment(row.get("Oldest")), datetime.fromisoformat(row["CheckedAt"]))


def transition_row(transition: Transition) -> Row:
    """Write a transition, to be forgotten in the end."""
    return _known(
        {
            "Circuit": transition.name,
            "Item": f"{TRANSITION}{transition.version:010d}",
            "Version": transition.version,
            "At": timestamp(transition.at),
            "State": transition.state.value,
            "PreviousState": transition.previous_state.value,
            "Mode": transition.mode.value,
            "By": transition.by,
            "Reason": transition.reason,
            "OutageId": transition.outage_id,
            "ForgottenAt": int((transition.at + _KEPT).timestamp()),
        }
    )


def transition(row: Mapping[str, Any]) -> Transition:
    """Read a transition from what `transition_row` gave."""
    return Transition(
        name=row["Circuit"],
        version=int(row["Version"]),
        at=datetime.fromisoformat(row["At"]),
        state=State(row["State"]),
        previous_state=State(row["PreviousState"]),
        mode=Mode(row["Mode"]),
        by=row["By"],
        reason=row["Reason"],
        outage_id=row.get("OutageId"),
    )


def _known(values: Mapping[str, str | int | None]) -> Row:
    return {name: value for name, value in values.items() if value is not None}


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else timestamp(moment)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
