"""PaymentStreamFunction: puts what becomes of payments on the bus."""

import time
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from eventfork import bus_events, forwarding, payment_stream
from eventfork.adapters.event_bus import EventBus
from eventfork.adapters.sqs import Queue
from eventfork.adapters.table_streams import changes
from eventfork.settings import client, setting

logger = Logger()


@cache
def _forwarder() -> forwarding.Forwarder[bus_events.Entry]:
    bus = EventBus(client("events"), setting("EVENT_BUS_NAME"))
    return forwarding.Forwarder(
        prepare=payment_stream.prepare,
        send=lambda prepared: bus_events.send(prepared, bus.put, time.sleep),
        park=Queue(client("sqs"), setting("QUARANTINE_QUEUE_URL")).quarantine,
    )


@logger.inject_lambda_context(log_event=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Put an event for each payment with another status; the stream is read again from the first that was not."""
    outcome = _forwarder().forward(payment_stream.messages(changes(event)))
    logger.info("payment events put", extra={"read": len(event["Records"]), **outcome.counts()})
    return forwarding.partial_failure(outcome)
