"""What the functions of replay control are made of: the settings of their template, and the adapters."""

import time
from collections.abc import Mapping
from datetime import timedelta
from functools import cache, partial
from typing import Any

from eventfork.adapters.archives import ArchiveReplays, Archives
from eventfork.adapters.parameters import CircuitParameters
from eventfork.adapters.replay_ledger import ReplayLedger
from eventfork.adapters.s3 import Bucket, EventStore
from eventfork.adapters.sqs import Queue
from eventfork.json_text import parse, render
from eventfork.replay_places import Places, Timing
from eventfork.replay_targets import read_targets
from eventfork.settings import client, setting

__all__ = ["jobs_of", "ledger", "places", "wake"]


def ledger() -> ReplayLedger:
    """Give the ledger of jobs."""
    return ReplayLedger(client("dynamodb"), setting("TABLE_NAME"))


def places() -> Places:
    """Give everything that can be replayed from and to."""
    sqs, bus = client("sqs"), setting("EVENT_BUS_ARN")
    archives = Archives(client("events"), bus)
    slice_seconds = int(setting("SLICE_SECONDS"))
    return Places(
        known=read_targets(setting("TARGETS")),
        rules_of_bus=archives.rules,
        default_archive=setting("ARCHIVE_NAME"),
        archive_arn=archives.archive_arn,
        replays=lambda archive_arn: ArchiveReplays(client("events"), archive_arn, bus),
        queue=cache(partial(Queue.at, sqs)),
        replay_queue_arn=setting("REPLAY_QUEUE_ARN", ""),
        topic_events=EventStore(Bucket(client("s3"), setting("BACKUP_BUCKET")), setting("BACKUP_PREFIX")),
        bus_events=EventStore(Bucket(client("s3"), setting("HISTORY_BUCKET")), setting("HISTORY_PREFIX")),
        circuit_state=CircuitParameters(client("ssm"), setting("CIRCUIT_PARAMETER_PREFIX")).state,
        park=lambda message, reason: Queue(sqs, setting("QUARANTINE_QUEUE_URL")).quarantine(message, reason),
        timing=Timing(
            archive_settles=_seconds("ARCHIVE_SETTLE_SECONDS"),
            backup_settles=_seconds("BACKUP_SETTLE_SECONDS"),
            backup_lag=_seconds("BACKUP_LAG_SECONDS"),
            slice_seconds=slice_seconds,
            quiet_seconds=float(setting("QUIET_SECONDS")),
        ),
        maximum_hops=int(setting("MAXIMUM_HOPS")),
        now=time.time,
        sleep=time.sleep,
    )


def wake(job_id: str, delay_seconds: int = 0) -> None:
    """Have a job worked on, after so many seconds.

    Raises
    ------
    eventfork.errors.UnavailableError
        If the queue of work did not take it; a sweep finds the job all the same.
    """
    Queue(client("sqs"), setting("WORK_QUEUE_URL")).send_later(render({"jobId": job_id}), delay_seconds)


def _seconds(name: str) -> timedelta:
    return timedelta(seconds=float(setting(name)))


def jobs_of(event: Mapping[str, Any]) -> list[str]:
    """Read which jobs are to be worked on from the event that Lambda passes for a batch off the queue of work."""
    return [parse(record["body"])["jobId"] for record in event["Records"]]
