"""ReplayWorkerFunction: works on replays, a slice at a time, and sees to it that none is forgotten."""

import time
import uuid
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from eventfork.replay_jobs import Job, State
from eventfork.replay_wiring import jobs_of, ledger, places, wake
from eventfork.replay_work import Worker
from eventfork.settings import setting

logger = Logger()
metrics = Metrics()


@cache
def _worker() -> Worker:
    return Worker(
        ledger(),
        places(),
        owner=uuid.uuid4().hex,
        now=time.time,
        sleep=time.sleep,
        ended=_tell,
        slice_seconds=float(setting("SLICE_SECONDS")),
        canary_seconds=float(setting("CANARY_SECONDS")),
    )


def _tell(job: Job) -> None:
    metrics.add_metric(name="ReplayJobFailed", unit=MetricUnit.Count, value=int(job.state is State.FAILED))
    metrics.flush_metrics()
    logger.info("replay ended", job=job.id, state=job.state.value, sent=job.counts.sent, parked=job.counts.parked)


@logger.inject_lambda_context(log_event=False)
def handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Work on the job that a message names, or, once a minute, have every job worked on that nobody works on."""
    if event.get("sweep"):
        stranded = _worker().stranded()
        for job_id in stranded:
            wake(job_id)
        logger.info("swept", stranded=len(stranded))
        return
    for job_id in jobs_of(event):
        again = _worker().work(job_id)
        if again is not None:
            wake(job_id, again)
