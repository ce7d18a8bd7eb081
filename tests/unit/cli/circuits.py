"""What circuit control answers, as its design has it."""

from typing import Any

OUTAGE_ID = "payments-20261126T115548Z-7"
ADA = "arn:aws:iam::123456789012:user/ada"


def closed(**changed: Any) -> dict[str, Any]:
    """Give a circuit through which calls go."""
    return {
        "name": "payments",
        "state": "CLOSED",
        "mode": "AUTOMATIC",
        "changedAt": "2026-11-25T10:00:00.000000Z",
        "changedBy": "probe",
        "reason": "3 of the last 5 probes found the other side healthy.",
        "modeActor": "",
        "modeReason": "",
        "modeExpiresAt": None,
        "outage": None,
        "held": {"count": 0, "oldest": None, "checkedAt": "2026-11-26T11:59:40.000000Z"},
        "probes": [],
        "nextProbeAt": None,
        "version": 6,
        **changed,
    }


def open_circuit(**changed: Any) -> dict[str, Any]:
    """Give a circuit that has opened by itself."""
    return closed(
        **{
            "state": "OPEN",
            "changedAt": "2026-11-26T11:55:48.000000Z",
            "changedBy": "breaker",
            "reason": "5 calls in a row failed.",
            "outage": outage(),
            "held": {
                "count": 1204,
                "oldest": "2026-11-26T11:55:50.000000Z",
                "checkedAt": "2026-11-26T11:59:40.000000Z",
            },
            "probes": [False, False],
            "nextProbeAt": "2026-11-26T12:00:03.000000Z",
            "version": 7,
            **changed,
        }
    )


def forced(mode: str = "FORCED_OPEN", **changed: Any) -> dict[str, Any]:
    """Give a circuit that was forced for two hours."""
    of_state = open_circuit if mode == "FORCED_OPEN" else closed
    return of_state(
        **{
            "mode": mode,
            "changedBy": ADA,
            "reason": "charges twice",
            "modeActor": ADA,
            "modeReason": "charges twice",
            "modeExpiresAt": "2026-11-26T14:00:00.000000Z",
            "probes": [],
            "nextProbeAt": None,
            **changed,
        }
    )


def outage(**changed: Any) -> dict[str, Any]:
    """Give an outage that goes on."""
    return {"id": OUTAGE_ID, "startedAt": "2026-11-26T11:55:48.000000Z", "closedAt": None, "cycles": 1, **changed}


def transition(**changed: Any) -> dict[str, Any]:
    """Give a transition."""
    return {
        "version": 7,
        "at": "2026-11-26T11:55:48.000000Z",
        "state": "OPEN",
        "previousState": "CLOSED",
        "mode": "AUTOMATIC",
        "by": "breaker",
        "reason": "5 calls in a row failed.",
        "outageId": OUTAGE_ID,
        **changed,
    }
