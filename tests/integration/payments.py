"""Payments of the deployed application: the simulated provider, the circuit before it, and what came of them."""

import json
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import urllib3
from eventfork.adapters.provider_log import ProviderLog
from eventfork.provider_simulator import Received

from local import deployment
from tests.bad_orders import ORDER_TEXT
from tests.integration.application import ANSWER_SECONDS, Application, eventually

__all__ = ["CIRCUIT", "CircuitControl", "PaymentProvider", "eventually_held", "order", "payments"]

CIRCUIT = "payments"
DECLINED_EVERY = 10


class PaymentProvider:
    """The simulated payment provider, told how to behave, and asked what it was asked.

    Parameters
    ----------
    application : Application
    """

    def __init__(self, application: Application) -> None:
        engine, outputs = application.engine, application.outputs
        secret = engine.client("secretsmanager").get_secret_value(SecretId=outputs["PaymentProviderSecretArn"])
        self._url = deployment.provider_url(engine, outputs)
        self.headers = {"authorization": f"Bearer {secret['SecretString']}", "content-type": "application/json"}
        self._http = urllib3.PoolManager(retries=False, timeout=ANSWER_SECONDS)
        self._log = ProviderLog(engine.client("dynamodb"), outputs["PaymentProviderTableName"], timedelta(days=1))

    def behave(self, mode: str, **figures: float) -> datetime:
        """Tell it how to behave from now on; give the time."""
        body = json.dumps({"mode": mode, **figures}).encode()
        answer = self._http.request("PUT", f"{self._url}/mode", body=body, headers=self.headers)
        assert answer.status == 200, answer.data
        return datetime.now(UTC)

    def charges(self, customer_id: str) -> list[Received]:
        """Give every request to charge something for a customer, the oldest first."""
        return [one for one in self._log.received() if one.customer_id == customer_id]

    def captures(self, customer_id: str) -> list[str]:
        """Give the order of each capture of a customer's: twice, if it was charged twice."""
        outcomes = (one for one in self._log.outcomes() if one.charge_id is not None)
        return [one.charge.order_id for one in outcomes if one.charge.customer_id == customer_id]


class CircuitControl:
    """The commands about circuits, as scripts give them.

    Parameters
    ----------
    application : Application
    """

    def __init__(self, application: Application) -> None:
        self._lambda = application.engine.client("lambda")
        self._function = application.outputs["CircuitControlFunctionName"]

    def command(self, command: str, **said: Any) -> dict[str, Any]:
        """Carry out a command; give its answer, whatever it is."""
        answer = self._lambda.invoke(
            FunctionName=self._function, Payload=json.dumps({"command": command, "circuit": CIRCUIT, **said})
        )
        assert "FunctionError" not in answer, answer["Payload"].read()
        document: dict[str, Any] = json.loads(answer["Payload"].read())
        return document

    def shown(self) -> dict[str, Any]:
        """Give the circuit as it is now."""
        circuit: dict[str, Any] = self.command("show")["circuit"]
        return circuit

    def history(self) -> list[dict[str, Any]]:
        """Give what happened to it lately, the oldest first."""
        transitions: list[dict[str, Any]] = self.command("history", limit=100)["transitions"]
        return transitions[::-1]


def order(customer_id: str, number: int) -> bytes:
    """Give an order of a customer's; one in ten is declined."""
    payment = f"decline-{number}" if number % DECLINED_EVERY == 0 else f"payment-{number}"
    text = ORDER_TEXT.replace("9027", f'"{customer_id}"').replace("48213", f'"{customer_id}-{number}"')
    return text.replace("77310", f'"{payment}"').encode()


def payments(application: Application, customer_id: str) -> dict[str, Mapping[str, Any]]:
    """Give a customer's rows of the payments table by order, in DynamoDB's typed form."""
    pages = (
        application.engine.client("dynamodb")
        .get_paginator("query")
        .paginate(
            TableName=application.outputs["PaymentsTableName"],
            KeyConditionExpression="CustomerId = :customer",
            ExpressionAttributeValues={":customer": {"S": customer_id}},
            ConsistentRead=True,
        )
    )
    return {row["OrderId"]["S"]: row for page in pages for row in page["Items"]}


def eventually_held(application: Application) -> None:
    """Place orders until each one's payment is held: an environment goes by a state that it read a while ago."""
    function = application.engine.client("lambda").get_function_configuration(
        FunctionName=application.outputs["PaymentFunctionName"]
    )
    all_know_at = time.monotonic() + int(function["Environment"]["Variables"]["STATE_CACHE_SECONDS"])

    def is_held() -> bool:
        customer_id = uuid.uuid4().hex
        if application.post(order(customer_id, 1)).status != 202:
            return False
        [row] = eventually(lambda: payments(application, customer_id), "the payment").values()
        return row["Status"]["S"] == "DEFERRED" and time.monotonic() > all_know_at

    eventually(is_held, "payments that are held")
