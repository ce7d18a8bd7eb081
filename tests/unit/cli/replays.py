"""What replay control answers, as its design has it."""

from decimal import Decimal
from typing import Any

JOB_ID = "replay-20261126T120000-1a2b3c"
WINDOW = {"from": "2026-11-26T10:00:00.000000Z", "to": "2026-11-26T12:00:00.000000Z"}


def plan(**changed: Any) -> dict[str, Any]:
    """Give a plan."""
    return {
        "source": "archive",
        "window": WINDOW,
        "targets": [{"name": "customers", "queueArn": "arn:q", "ruleArn": "arn:r"}],
        "filter": {},
        "pace": Decimal("50.0"),
        "canary": 5,
        "archive": "everything",
        "events": 1234,
        "exact": False,
        "seconds": Decimal("24.7"),
        "costUsd": "0.0123",
        "startsAt": "2026-11-26T12:10:00.000000Z",
        "notes": ["The last 10 minutes are not in the history yet."],
        **changed,
    }


def job(state: str = "RUNNING", *, sent: int = 0, **changed: Any) -> dict[str, Any]:
    """Give a job."""
    counts = {"planned": 1200, "read": sent, "sent": sent, "skipped": 0, "parked": 0, **changed.pop("counts", {})}
    return {
        "id": JOB_ID,
        "source": "archive",
        "window": WINDOW,
        "targets": ["customers"],
        "filter": {},
        "pace": None,
        "canary": 0,
        "archive": "everything",
        "reason": "a bug was fixed",
        "actor": "arn:aws:iam::123456789012:user/ada",
        "forced": False,
        "state": state,
        "counts": counts,
        "checkpoint": {},
        "requestedAt": "2026-11-26T12:00:00.000000Z",
        "startsAt": "2026-11-26T12:10:00.000000Z",
        "startedAt": "2026-11-26T12:10:01.000000Z",
        "endedAt": None,
        "outcome": "",
        "run": 1,
        "history": [
            {
                "at": "2026-11-26T12:00:00.000000Z",
                "actor": "arn:aws:iam::123456789012:user/ada",
                "action": "start",
                "state": "WAITING",
                "reason": "a bug was fixed",
            },
            {
                "at": "2026-11-26T12:10:01.000000Z",
                "actor": "worker",
                "action": "run",
                "state": "RUNNING",
                "reason": "the archive has settled",
            },
        ],
        "paceNow": None,
        **changed,
    }


def answer(*arguments: Any, **changed: Any) -> dict[str, Any]:
    """Give the answer that holds a job."""
    return {"job": job(*arguments, **changed)}


def problem(status: int, detail: str) -> dict[str, Any]:
    """Give a problem document."""
    return {"type": "about:blank", "title": "Problem", "status": status, "detail": detail}
