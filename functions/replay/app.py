"""ReplayFunction: sends kept messages back to the queue of the pipeline that must reprocess them."""

import time
from collections.abc import Mapping
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from eventfork import forwarding, replay
from eventfork.adapters.sqs import Queue
from eventfork.settings import client, setting

logger = Logger()


@cache
def _forwarder() -> forwarding.Forwarder[Mapping[str, Any]]:
    destination = Queue.at(client("sqs"), setting("DESTINATION_QUEUE_ARN"))
    return forwarding.Forwarder(
        prepare=replay.prepare,
        send=lambda prepared: replay.send(prepared, destination.send, time.sleep),
        park=Queue(client("sqs"), setting("QUARANTINE_QUEUE_URL")).quarantine,
    )


@logger.inject_lambda_context(log_event=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Send each message on, marked; only what the destination confirmed leaves the replay queue."""
    outcome = _forwarder().forward(forwarding.messages(event))
    logger.info("messages replayed", extra=outcome.counts())
    return forwarding.partial_failure(outcome)
