"""How a job is written as JSON, by `eventfork.json_text`: for the ledger, and for whoever asks for it."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Any

from eventfork.replay_filters import EventFilter
from eventfork.replay_jobs import Action, Active, ActiveJob, Counts, Job, Lease, Request, Source, State
from eventfork.replay_windows import Window
from eventfork.timestamps import timestamp

__all__ = ["active_document", "document", "read", "read_active", "record"]


def document(job: Job) -> dict[str, Any]:
    """Give a job for whoever asks for it."""
    request = job.request
    return {
        "id": job.id,
        "source": request.source.value,
        "window": request.window.document(),
        "targets": list(request.targets),
        "filter": request.filter.document(),
        "pace": _decimal(request.pace),
        "canary": request.canary,
        "archive": request.archive,
        "reason": request.reason,
        "actor": request.actor,
        "forced": request.forced,
        "state": job.state.value,
        "counts": asdict(job.counts),
        "checkpoint": dict(job.checkpoint),
        "requestedAt": timestamp(job.requested_at),
        "startsAt": timestamp(job.starts_at),
        "startedAt": _written(job.started_at),
        "endedAt": _written(job.ended_at),
        "outcome": job.outcome,
        "run": job.run,
        "history": [
            {
                "at": timestamp(one.at),
                "actor": one.actor,
                "action": one.action,
                "state": one.state.value,
                "reason": one.reason,
            }
            for one in job.history
        ],
        "paceNow": _decimal(job.pace_now),
    }


def record(job: Job) -> dict[str, Any]:
    """Give a job for the ledger: all of `document`, and what only workers need."""
    lease = None if job.lease is None else {"owner": job.lease.owner, "until": _decimal(job.lease.until)}
    return {
        **document(job),
        "wholeSince": job.whole_since,
        "earlierEnds": [timestamp(one) for one in job.earlier_ends],
        "canarySentAt": _decimal(job.canary_sent_at),
        "canaryFrom": job.canary_from,
        "pacedAt": _decimal(job.paced_at),
        "lease": lease,
    }


def read(written: Mapping[str, Any], version: int) -> Job:
    """Read a job from what `record` gave; `version` is kept beside it."""
    lease, counts, said = written["lease"], written["counts"], written["filter"]
    return Job(
        id=written["id"],
        request=Request(
            source=Source(written["source"]),
            window=_window(written["window"]),
            targets=tuple(written["targets"]),
            filter=EventFilter(
                types=tuple(said.get("types", ())),
                customers=tuple(said.get("customers", ())),
                orders=tuple(said.get("orders", ())),
                expression=said.get("expression", ""),
            ),
            pace=_number(written["pace"]),
            canary=written["canary"],
            archive=written["archive"],
            reason=written["reason"],
            actor=written["actor"],
            forced=written["forced"],
        ),
        state=State(written["state"]),
        requested_at=datetime.fromisoformat(written["requestedAt"]),
        starts_at=datetime.fromisoformat(written["startsAt"]),
        counts=Counts(**counts),
        checkpoint=written["checkpoint"],
        started_at=_moment(written["startedAt"]),
        ended_at=_moment(written["endedAt"]),
        outcome=written["outcome"],
        run=written["run"],
        # A job that was written before windows could be extended has none of these.
        whole_since=written.get("wholeSince", 1),
        earlier_ends=tuple(datetime.fromisoformat(one) for one in written.get("earlierEnds", ())),
        canary_sent_at=_number(written["canarySentAt"]),
        canary_from=written.get("canaryFrom", 0),
        paced_at=_number(written["pacedAt"]),
        pace_now=_number(written["paceNow"]),
        lease=None if lease is None else Lease(lease["owner"], float(lease["until"])),
        history=tuple(
            Action(datetime.fromisoformat(one["at"]), one["actor"], one["action"], State(one["state"]), one["reason"])
            for one in written["history"]
        ),
        version=version,
    )


def active_document(active: Active) -> dict[str, Any]:
    """Give the register of active jobs for the ledger."""
    return {
        name: {"targets": list(job.targets), "window": job.window.document(), "holds": sorted(job.holds)}
        for name, job in active.jobs.items()
    }


def read_active(written: Mapping[str, Any], version: int) -> Active:
    """Read the register from what `active_document` gave."""
    return Active(
        {
            name: ActiveJob(tuple(job["targets"]), _window(job["window"]), frozenset(job["holds"]))
            for name, job in written.items()
        },
        version,
    )


def _window(written: Mapping[str, str]) -> Window:
    return Window(datetime.fromisoformat(written["from"]), datetime.fromisoformat(written["to"]))


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else timestamp(moment)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _decimal(number: float | None) -> Decimal | None:
    """Give a binary fraction in as few digits as tell it from every other: JSON text is written of nothing else."""
    return None if number is None else Decimal(repr(number))


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
