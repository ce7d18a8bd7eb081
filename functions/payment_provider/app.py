"""PaymentProviderFunction: plays a payment provider that fails as it is told, for tests and for trying things out."""

import base64
import time
import uuid
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.parameters import SecretsProvider
from aws_lambda_powertools.utilities.typing import LambdaContext
from eventfork.adapters.provider_log import ProviderLog
from eventfork.json_text import render
from eventfork.provider_simulator import Provider, Request
from eventfork.settings import client, setting

logger = Logger()
CREDENTIAL_SECONDS = 60


@cache
def _provider() -> Provider:
    secrets = SecretsProvider(boto3_client=client("secretsmanager"))
    return Provider(
        ProviderLog(client("dynamodb"), setting("TABLE_NAME"), kept=timedelta(days=int(setting("RETENTION_DAYS")))),
        credential=lambda: str(secrets.get(setting("CREDENTIAL_SECRET_ARN"), max_age=CREDENTIAL_SECONDS)),
        now=lambda: datetime.now(UTC),
        new_id=lambda: uuid.uuid4().hex,
    )


@logger.inject_lambda_context(log_event=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer a request, at once or as late as the provider is told to."""
    body = (event["body"] or "").encode(errors="surrogatepass")
    request = Request(
        method=event["httpMethod"],
        path=event["resource"],
        headers={name.lower(): value for name, value in (event["headers"] or {}).items()},
        parameters=event["queryStringParameters"] or {},
        body=base64.b64decode(body) if event.get("isBase64Encoded") else body,
    )
    answer = _provider().answer(request)
    logger.info("answered", method=request.method, path=request.path, status=answer.status.value)
    time.sleep(answer.seconds)
    return {
        "statusCode": answer.status.value,
        "headers": {"content-type": "application/json", **answer.headers},
        "body": render(answer.body),
    }
