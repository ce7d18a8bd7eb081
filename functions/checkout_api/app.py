"""CheckoutApiFunction: takes an order by API and publishes it."""

import base64
from datetime import UTC, datetime
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from eventfork import checkout
from eventfork.adapters.sns import Topic
from eventfork.api_wiring import caller, finished
from eventfork.card_data import Redactor
from eventfork.json_text import render
from eventfork.problems import EXPECTED, problem
from eventfork.settings import client, setting

logger = Logger()


@cache
def _topic() -> Topic:
    return Topic(client("sns"), setting("TOPIC_ARN"))


@logger.inject_lambda_context(log_event=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer `POST /checkout`: 202 once the order is on the topic, a problem document otherwise."""
    calling = caller(event, setting("CUSTOMER_ID_CLAIM"))
    headers = {name.lower(): value for name, value in (event["headers"] or {}).items()}
    body = (event["body"] or "").encode(errors="surrogatepass")
    try:
        accepted = checkout.accept(
            body=base64.b64decode(body) if event.get("isBase64Encoded") else body,
            content_type=headers.get("content-type", ""),
            caller=calling,
            accepted_at=datetime.now(UTC),
            publish=_topic().publish,
            redactor=Redactor(),
        )
    except EXPECTED as error:
        answer = problem(error)
        logger.warning("order refused", status=answer["statusCode"], error=type(error).__name__)
        return finished(answer)
    logger.info("order accepted", event_id=accepted.event_id)
    answer = {
        "statusCode": 202,
        "headers": {"content-type": "application/json", "location": accepted.location},
        "body": render({"orderId": accepted.order_id, "eventId": accepted.event_id}),
    }
    return finished(answer)
