"""BackupFunction: packs what arrives on its queue and puts it on the delivery stream to the bucket."""

import time
from functools import cache, partial
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from eventfork import backup, forwarding
from eventfork.adapters.firehose import DeliveryStream
from eventfork.adapters.sqs import Queue
from eventfork.card_data import redactor
from eventfork.settings import client, setting

logger = Logger()


@cache
def _forwarder() -> forwarding.Forwarder[bytes]:
    redacting = redactor(setting("REDACT_CARD_DATA") == "true", setting("CARD_FIELD_PATTERNS", ""))
    stream = DeliveryStream(client("firehose"), setting("DELIVERY_STREAM_NAME"))
    return forwarding.Forwarder(
        prepare=lambda message: backup.prepare(message, redacting),
        send=lambda prepared: backup.send(prepared, stream.put, time.sleep),
        park=partial(Queue(client("sqs"), setting("QUARANTINE_QUEUE_URL")).quarantine, redactor=redacting),
    )


@logger.inject_lambda_context(log_event=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Put each message, without card data, on the stream; what Firehose did not take is received again."""
    outcome = _forwarder().forward(forwarding.messages(event))
    logger.info("messages backed up", extra=outcome.counts())
    return forwarding.partial_failure(outcome)
