"""ReplayControlFunction: plans, starts, watches and stops replays: by direct invocation, by API, and after outages."""

import uuid
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from eventfork import replay_commands, replay_recovery
from eventfork.replay_control import ReplayControl
from eventfork.replay_wiring import ledger, places, wake
from eventfork.settings import setting

logger = Logger()


@cache
def _control() -> ReplayControl:
    return ReplayControl(
        ledger(),
        places(),
        wake,
        now=lambda: datetime.now(UTC),
        new_id=lambda now: f"replay-{now:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}",
    )


@cache
def _recovery() -> replay_recovery.Recovery:
    ramp = replay_recovery.Ramp(
        grace=timedelta(seconds=float(setting("RECOVERY_GRACE_SECONDS"))),
        pace=float(setting("RECOVERY_EVENTS_PER_SECOND")),
        canary=int(setting("RECOVERY_CANARY")),
    )
    return replay_recovery.Recovery(ledger(), places(), wake, now=lambda: datetime.now(UTC), ramp=ramp)


@logger.inject_lambda_context(log_event=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Carry out a command, and answer in the form in which it came; or have replayed what an outage has held up."""
    if replay_recovery.is_event(event):
        closing = replay_recovery.read(event)
        done = _recovery().recover(closing)
        logger.info("circuit closed", circuit=closing.circuit, job=closing.outage_id, done=done.value)
        return {"jobId": closing.outage_id, "done": done.value}
    command = replay_commands.read(event)
    answer = replay_commands.answered(command, _control().command)
    logger.info("command answered", command=str(command.name)[:20], status=answer.status.value)
    return replay_commands.in_form(answer, command)
