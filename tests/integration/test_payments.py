"""Orders of the deployed application are paid, and held while the circuit is open."""

from collections import Counter
from typing import Any

from eventfork import bus_events

from tests.integration.application import Application, eventually
from tests.integration.payments import CircuitControl, eventually_held, order, payments

QUOTE = "payments/quote?amount=128.40&currency=eur"


def _status(application: Application, customer_id: str) -> str | None:
    """Give what the row of a customer's only order says of its payment."""
    rows = application.rows(customer_id)
    return rows[0]["PaymentStatus"]["S"] if rows and "PaymentStatus" in rows[0] else None


def _told(application: Application, customer_id: str) -> Counter[str]:
    """Count what the bus was told of a customer's payments."""
    events = [one for one in application.bus_events() if one["source"] == bus_events.PAYMENTS]
    return Counter(one["detail-type"] for one in events if one["detail"]["data"]["customerId"] == customer_id)


def test_an_order_is_paid_and_its_row_says_so(application: Application) -> None:
    assert application.post(order("paying", 1)).status == 202
    assert application.post(order("declined", 10)).status == 202
    eventually(lambda: _status(application, "paying") == "CAPTURED", "the payment in the order's row")
    eventually(lambda: _status(application, "declined") == "DECLINED", "the refusal in the order's row")
    assert eventually(lambda: _told(application, "paying"), "the event of the payment") == {"PaymentCaptured": 1}
    assert eventually(lambda: _told(application, "declined"), "the event of the refusal") == {"PaymentDeclined": 1}


def test_a_quote_is_the_providers_and_a_wrong_question_names_its_field(application: Application) -> None:
    quote = application.request("GET", QUOTE)
    assert (quote.status, quote.body["currency"]) == (200, "eur")
    wrong = application.request("GET", "payments/quote?amount=much&currency=eur")
    assert (wrong.status, [one["pointer"] for one in wrong.body["errors"]]) == (400, ["/amount"])


def test_a_circuit_that_is_forced_open_holds_payments_until_it_is_left_to_itself(application: Application) -> None:
    circuit = CircuitControl(application)
    refused = circuit.command("force-open")
    assert (refused["status"], refused["errors"][0]["pointer"]) == (400, "/reason")
    circuit.command("force-open", reason="a test", actor="the tests")

    def refusal() -> Any:
        answer = application.request("GET", QUOTE)
        return answer if answer.status == 503 else None

    answer = eventually(refusal, "the refusal of a quote")
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) > 0
    eventually_held(application)
    assert application.post(order("held", 1)).status == 202
    eventually(lambda: _status(application, "held") == "DEFERRED", "the deferral in the order's row")
    [row] = payments(application, "held").values()
    outage = circuit.shown()["outage"]
    assert (row["Status"]["S"], row["OutageId"]["S"], row["Circuit"]["S"]) == ("DEFERRED", outage["id"], "payments")
    circuit.command("reset", reason="the test is over", actor="the tests")
    eventually(lambda: _status(application, "held") == "CAPTURED", "the payment, once the circuit has closed by itself")
    assert eventually(
        lambda: told if len(told := _told(application, "held")) == 2 else None, "both events of the payment"
    ) == {"PaymentDeferred": 1, "PaymentCaptured": 1}
