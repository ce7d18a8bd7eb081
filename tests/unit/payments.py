"""What the tests of payments start from: payments, their table, and a provider that answers as it is told."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import urllib3
from eventfork import payments
from eventfork.errors import UnavailableError
from eventfork.payments import DEFERRED, FINAL, OF_ONE_STATUS, Payment

from tests.templates import read
from tests.unit.aws import Aws
from tests.unit.bus import delivered, event, with_data
from tests.unit.http import Sent

CREDENTIAL = "credential-canary-4711"
CAPTURED = (200, {"status": "captured", "chargeId": "ch_1"})
DECLINED = (402, {"status": "declined", "reason": "insufficient funds"})
PAGE = b"<html>Welcome to the hotel's network</html>"


def placed(**data: Any) -> dict[str, Any]:
    """Give the event of an order that was placed."""
    return with_data("order-placed", event("order-placed")["detail"]["metadata"]["id"], **data)


def payment(receives: int = 1, **data: Any) -> Payment:
    """Give the payment of an order that was placed, whose message has been received so often."""
    return replace(payments.prepare(delivered(placed(**data)), 3), receives=receives)


def payments_table(aws: Aws) -> str:
    """Make the payments table with the keys and the index that its template gives it; give its name."""
    properties = read("applications/payments/template.yaml").resources()["PaymentsTable"]
    keys = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
    aws.client("dynamodb").create_table(TableName="PaymentsTable", **{key: properties[key] for key in keys})
    return "PaymentsTable"


@dataclass
class PaymentsInMemory:
    """The payments table; it implements `eventfork.payments.Payments`.

    Attributes
    ----------
    rows : dict
        As they stand, by customer and order.
    stream : list of (mapping, mapping)
        Every write of a row, in order: as it was before, and after.
    away : str
        Which of its methods does not work.
    overtaken_by : str or None
        The status that another writes before the next row is written.
    """

    rows: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    stream: list[tuple[Mapping[str, Any], Mapping[str, Any]]] = field(default_factory=list)
    away: str = ""
    overtaken_by: str | None = None

    def status(self, customer_id: str, order_id: str) -> str | None:
        """Give the status of a row."""
        self._answer("status")
        return self.rows.get((customer_id, order_id), {}).get("Status")

    def write(self, row: Mapping[str, Any]) -> bool:
        """Write a row that is not final, maybe as the second one to do so."""
        self._answer("write")
        key = (row["CustomerId"], row["OrderId"])
        if self.overtaken_by:
            self.rows[key] = {**row, "Status": self.overtaken_by}
        before = self.rows.get(key, {})
        if before.get("Status") in FINAL:
            return False
        kept = {name: value for name, value in before.items() if name not in OF_ONE_STATUS} | dict(row)
        if row["Status"] == DEFERRED:
            kept["Deferrals"] = before.get("Deferrals", 0) + 1
        self.rows[key] = kept
        self.stream.append((before, kept))
        return True

    def held(self, circuit: str) -> tuple[int, datetime | None]:
        """Count the payments that are deferred behind a circuit, and give since when the oldest of them is."""
        found = [
            datetime.fromisoformat(row["DeferredAt"]) for row in self.rows.values() if row.get("Circuit") == circuit
        ]
        return len(found), min(found, default=None)

    def _answer(self, method: str) -> None:
        if self.away == method:
            raise UnavailableError("DynamoDB is away")


@dataclass
class ProviderHttp:
    """Stands for `urllib3.PoolManager`, and for the provider behind it.

    Attributes
    ----------
    answers : list
        For the next requests: status and body (a document becomes JSON), and headers if there are any; an error for no
        answer at all. After the last, every charge is captured.
    sent : list of Sent
        Every request, in order.
    """

    answers: list[Any] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)

    def request(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None,
        headers: Mapping[str, str],
        timeout: urllib3.Timeout,
        retries: bool,
        redirect: bool,
        preload_content: bool,
    ) -> urllib3.HTTPResponse:
        """Keep the request, and answer it."""
        assert (retries, redirect, preload_content) == (False, False, False)
        assert timeout.connect_timeout
        assert timeout.read_timeout
        self.sent.append(Sent(method, url, {name.lower(): value for name, value in headers.items()}, body or b""))
        answer = self.answers.pop(0) if self.answers else CAPTURED
        if isinstance(answer, Exception):
            raise answer
        status, said, *more = answer
        text = said if isinstance(said, bytes) else json.dumps(said).encode()
        return urllib3.HTTPResponse(io.BytesIO(text), more[0] if more else {}, status, preload_content=False)
