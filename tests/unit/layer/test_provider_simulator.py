"""The simulated payment provider fails as it is told, and keeps what it was asked."""

import json
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from eventfork.provider_simulator import Answer, Mode, Provider, Received, Request

from tests.unit.provider import Kept

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
CREDENTIAL = "kGq4Xv7d"
CHARGE = {"customerId": "9027", "orderId": "48213", "paymentId": "77310", "amount": "128.40", "currency": "eur"}
CAPTURED = {"status": "captured"}
HEALTHY = {"status": "healthy"}


class Caller:
    """Asks a provider of its own, and says what time it is."""

    def __init__(self, credential: str = CREDENTIAL) -> None:
        self.kept = Kept()
        self.now = NOON
        ids = count(1)
        self.provider = Provider(self.kept, lambda: credential, lambda: self.now, lambda: f"id-{next(ids)}")

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """Ask with the credential, unless another authorization is given."""
        given = {"authorization": f"Bearer {CREDENTIAL}", **{name.replace("_", "-"): headers[name] for name in headers}}
        sent = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        target, _, query = path.partition("?")
        parameters = dict(one.split("=") for one in query.split("&") if one)
        return self.provider.answer(Request(method, target, given, parameters, sent))

    def charge(self, key: str = "9027/48213", **changed: Any) -> Answer:
        """Ask for a charge under an idempotency key."""
        return self.ask("POST", "/charges", {**CHARGE, **changed}, idempotency_key=key)

    def told(self, mode: str, **figures: Any) -> Answer:
        """Tell how to behave."""
        answer = self.ask("PUT", "/mode", {"mode": mode, **figures})
        assert answer.status == 200
        return answer

    def statuses(self, calls: int) -> list[int]:
        """Charge so many orders; give how that was answered."""
        return [self.charge(f"{mark}", orderId=f"{mark}").status.value for mark in range(calls)]

    def summary(self) -> dict[str, Any]:
        """Ask what it was asked."""
        return self.ask("GET", "/log").body

    def last(self) -> Received:
        """Give the request that was kept last."""
        return list(self.kept.received())[-1]


@pytest.fixture
def caller() -> Caller:
    """Give a caller of a provider that was never told anything."""
    return Caller()


def test_a_charge_is_captured_under_an_id_of_its_own_and_kept(caller: Caller) -> None:
    """Until it is told otherwise, the provider is well."""
    first, second = caller.charge("one"), caller.charge("two", orderId="48214")
    assert (first.status, first.seconds) == (200, 0)
    assert first.body == {**CAPTURED, "chargeId": "id-2"}
    assert second.body == {**CAPTURED, "chargeId": "id-4"}
    assert caller.last() == Received("id-3", NOON, Mode.HEALTHY, 200, "two", "9027", "48214")
    assert [one.charge.order_id for one in caller.kept.outcomes()] == ["48213", "48214"]


def test_the_same_key_gets_its_first_outcome_again_and_nothing_is_captured_twice(caller: Caller) -> None:
    """The request is kept, as a repeat."""
    first = caller.charge()
    caller.now += timedelta(hours=1)
    assert caller.charge() == first
    assert caller.charge(amount="128.4") == first
    assert [one.is_repeat for one in caller.kept.received()] == [False, True, True]
    assert len(list(caller.kept.outcomes())) == 1


def test_a_key_is_not_for_another_charge(caller: Caller) -> None:
    """The provider does not guess which one is meant."""
    caller.charge()
    for changed in ({"amount": "1"}, {"orderId": "2"}, {"customerId": "2"}, {"paymentId": "2"}, {"currency": "usd"}):
        answer = caller.charge(**changed)
        assert answer.status == 400
        assert "Idempotency-Key" in answer.body["error"]
    assert len(list(caller.kept.outcomes())) == 1


def test_the_same_order_under_another_key_is_captured_again_and_shows(caller: Caller) -> None:
    """By customer: others have orders of the same name."""
    caller.charge("one")
    caller.charge("two")
    caller.charge("three", customerId="1")
    summary = caller.summary()
    assert (summary["captures"], summary["orders"], summary["chargedTwice"]) == (3, 2, 1)
    assert summary["chargedTwiceOrders"] == [{"customerId": "9027", "orderId": "48213", "captures": 2}]


@pytest.mark.parametrize("payment_id", ["decline", "decline-77310"])
def test_a_payment_whose_id_says_so_is_declined_every_time(caller: Caller, payment_id: str) -> None:
    """A repeat is one, too, and no money is taken."""
    declined = caller.charge(paymentId=payment_id)
    assert declined.status == 402
    assert declined.body == {"status": "declined", "reason": "insufficient funds"}
    assert caller.charge(paymentId=payment_id) == declined
    assert caller.last().is_repeat
    assert (caller.summary()["declines"], caller.summary()["captures"]) == (1, 0)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", "document"),
        (b"[]", "JSON object"),
        (b"\xff", "UTF-8"),
        ({**CHARGE, "amount": 128.4}, "amount"),
        ({**CHARGE, "amount": "0"}, "amount"),
        ({**CHARGE, "amount": "1000000000"}, "amount"),
        ({**CHARGE, "amount": "NaN"}, "amount"),
        ({**CHARGE, "amount": "Infinity"}, "amount"),
        ({**CHARGE, "amount": "much"}, "amount"),
        ({**CHARGE, "currency": "euro"}, "currency"),
        ({**CHARGE, "currency": "€€€"}, "currency"),
        ({**CHARGE, "customerId": ""}, "customerId"),
        ({**CHARGE, "orderId": 48213}, "orderId"),
        ({key: value for key, value in CHARGE.items() if key != "paymentId"}, "paymentId"),
        ({**CHARGE, "card-number": "1"}, "card-number"),
    ],
)
def test_what_is_no_charge_is_refused_with_a_reason_and_kept(caller: Caller, body: object, named: str) -> None:
    """Nothing is captured."""
    answer = caller.ask("POST", "/charges", body, idempotency_key="one")
    assert answer.status == 400
    assert named in answer.body["error"]
    assert (caller.last().status, caller.last().key) == (400, "one")
    assert not list(caller.kept.outcomes())


def test_a_charge_needs_a_key(caller: Caller) -> None:
    """Without one, a second attempt could not be told from a second charge."""
    answer = caller.ask("POST", "/charges", CHARGE)
    assert (answer.status, answer.body["error"]) == (400, "the header Idempotency-Key is missing")
    assert (caller.last().order_id, caller.last().key) == ("48213", "")


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer ", f"Basic {CREDENTIAL}", CREDENTIAL, "Bearer kGq4\ud800"])
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/charges"), ("GET", "/quote"), ("PUT", "/mode"), ("GET", "/log"), ("GET", "/x")],
)
def test_whoever_does_not_show_the_credential_gets_nothing(caller: Caller, given: str, method: str, path: str) -> None:
    """And is not kept: anybody could fill the log."""
    answer = caller.ask(method, path, CHARGE, idempotency_key="one", authorization=given)
    assert answer.status == 401
    assert not list(caller.kept.received())
    assert caller.kept.behaviour() is None


def test_an_empty_credential_lets_nobody_in() -> None:
    """A secret without a text is a mistake, not an open door."""
    assert Caller("").ask("GET", "/log", authorization="Bearer ").status == 401


def test_anybody_may_ask_whether_it_is_well(caller: Caller) -> None:
    """A prober has no credential."""
    assert caller.ask("GET", "/health", authorization="").body == HEALTHY


def test_the_word_bearer_is_known_however_it_is_written(caller: Caller) -> None:
    """RFC 9110, 11.1."""
    assert caller.ask("GET", "/log", authorization=f"bearer {CREDENTIAL}").status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/charges"), ("POST", "/health"), ("GET", "/"), ("GET", "/mode"), ("GET", "/charges/1")],
)
def test_there_is_nothing_else(caller: Caller, method: str, path: str) -> None:
    """404, and nothing is kept."""
    assert caller.ask(method, path).status == 404
    assert not list(caller.kept.received())


@pytest.mark.parametrize(
    ("query", "fee"),
    [("amount=128.40&currency=eur", "2.05"), ("amount=0.01&currency=EUR", "0.25"), ("amount=25&currency=usd", "0.60")],
)
def test_a_quote_is_a_share_and_a_fixed_part_to_the_cent(caller: Caller, query: str, fee: str) -> None:
    """In the currency that was asked for."""
    answer = caller.ask("GET", f"/quote?{query}")
    assert (answer.status, answer.body) == (200, {"fee": fee, "currency": query[-3:]})


@pytest.mark.parametrize("query", ["", "amount=1", "currency=eur", "amount=-1&currency=eur", "amount=1&currency=e"])
def test_a_quote_needs_an_amount_and_a_currency(caller: Caller, query: str) -> None:
    """The reason names what is wrong."""
    answer = caller.ask("GET", f"/quote?{query}")
    assert answer.status == 400
    assert answer.body["error"].startswith(("amount must", "currency must"))


def test_with_errors_everything_fails_and_nothing_is_captured(caller: Caller) -> None:
    """Every request is kept all the same, one that makes no sense too."""
    caller.told("errors")
    assert caller.statuses(2) == [500, 500]
    assert caller.ask("POST", "/charges", b"").status == 500
    assert caller.ask("GET", "/quote?amount=1&currency=eur").status == 500
    assert caller.ask("GET", "/health").status == 500
    assert [(one.status, one.mode, one.order_id) for one in caller.kept.received()] == [
        (500, Mode.ERRORS, "0"),
        (500, Mode.ERRORS, "1"),
        (500, Mode.ERRORS, ""),
    ]
    assert not list(caller.kept.outcomes())


def test_a_failed_request_is_no_outcome(caller: Caller) -> None:
    """The same key is captured once the provider is well again."""
    caller.told("errors")
    caller.charge()
    caller.told("healthy")
    assert caller.charge().body["status"] == "captured"
    assert not caller.last().is_repeat


def test_beyond_its_rate_it_refuses_and_says_when_to_come_back(caller: Caller) -> None:
    """Its health endpoint, too."""
    caller.told("rate-limited")
    for answer in (caller.charge(), caller.ask("GET", "/quote"), caller.ask("GET", "/health")):
        assert (answer.status, answer.headers) == (429, {"retry-after": "1"})


@pytest.mark.parametrize(("figures", "seconds"), [({}, 2.2), ({"seconds": 0.5}, 0.5), ({"seconds": 0}, 0)])
def test_a_slow_provider_answers_late_and_says_that_it_is_well(
    caller: Caller, figures: dict[str, Any], seconds: float
) -> None:
    """Only its health endpoint is quick."""
    caller.told("slow", **figures)
    charged, quoted = caller.charge(), caller.ask("GET", "/quote?amount=1&currency=eur")
    assert [(one.status, one.seconds) for one in (charged, quoted)] == [(200, seconds)] * 2
    health = caller.ask("GET", "/health")
    assert (health.status, health.body, health.seconds) == (200, HEALTHY, 0)


def test_a_provider_that_hangs_has_taken_the_money_though_no_caller_waits_to_hear_of_it(caller: Caller) -> None:
    """The same key learns of it later, and is not charged again."""
    caller.told("hangs")
    hung = [caller.charge(), caller.ask("GET", "/quote?amount=1&currency=eur"), caller.ask("GET", "/health")]
    assert [one.seconds for one in hung] == [8, 8, 8]
    caller.told("healthy")
    again = caller.charge()
    assert (again.body, again.seconds) == (hung[0].body, 0)
    assert (caller.summary()["captures"], caller.summary()["repeats"]) == (1, 1)


def test_a_provider_that_flaps_is_well_and_fails_in_turn_by_the_clock(caller: Caller) -> None:
    """So its health endpoint says one thing now and another later."""
    caller.told("flapping", periodSeconds=5)
    seen = []
    for second in (0, 4.9, 5, 9.9, 10, 15):
        caller.now = NOON + timedelta(seconds=second)
        seen.append((caller.charge().status.value, caller.ask("GET", "/health").status.value))
    assert seen == [(200, 200), (200, 200), (500, 500), (500, 500), (200, 200), (500, 500)]


def test_a_recovering_provider_takes_so_many_requests_a_second_and_says_that_it_is_well(caller: Caller) -> None:
    """Quotes count; looking at its health does not."""
    caller.told("recovering", perSecond=3)
    assert caller.ask("GET", "/quote?amount=1&currency=eur").status == 200
    assert caller.statuses(4) == [200, 200, 429, 429]
    assert [caller.ask("GET", "/health").status.value for _ in range(5)] == [200] * 5
    caller.now += timedelta(seconds=1)
    assert caller.charge("more").status == 200
    refused = [one.status for one in caller.kept.received()]
    assert refused == [200, 200, 429, 429, 200]


@pytest.mark.parametrize(
    ("mode", "figures", "told"),
    [
        ("healthy", {}, {}),
        ("slow", {}, {"seconds": 2.2}),
        ("hangs", {"seconds": 25}, {"seconds": 25}),
        ("flapping", {}, {"periodSeconds": 10}),
        ("flapping", {"periodSeconds": 0.1}, {"periodSeconds": 0.1}),
        ("recovering", {}, {"perSecond": 2}),
        ("recovering", {"perSecond": 1000}, {"perSecond": 1000}),
    ],
)
def test_it_says_how_it_will_behave(caller: Caller, mode: str, figures: dict[str, Any], told: dict[str, Any]) -> None:
    """With the figure that it takes where none is given, and from when on."""
    answer = caller.told(mode, **figures)
    said = {name: float(value) if name in told else value for name, value in answer.body.items()}
    assert said == {"mode": mode, **told, "since": "2026-11-26T12:00:00.000000Z"}


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"healthy", "document"),
        ({}, "mode must be one of healthy, slow"),
        ({"mode": "broken"}, "mode must be one of"),
        ({"mode": ["slow"]}, "mode must be one of"),
        ({"mode": "healthy", "seconds": 1}, "seconds says nothing about the mode healthy"),
        ({"mode": "flapping", "perSecond": 1}, "perSecond says nothing"),
        ({"mode": "slow", "speed": 1}, "speed is unknown"),
        ({"mode": "slow", "seconds": "1"}, "seconds must be a number from 0 to 25"),
        ({"mode": "slow", "seconds": None}, "seconds must be a number"),
        ({"mode": "slow", "seconds": True}, "seconds must be a number"),
        ({"mode": "hangs", "seconds": 25.1}, "seconds must be a number"),
        ({"mode": "hangs", "seconds": -1}, "seconds must be a number"),
        ({"mode": "flapping", "periodSeconds": 0}, "periodSeconds must be a number from 0.1 to 3600"),
        ({"mode": "recovering", "perSecond": 0}, "perSecond must be a whole number from 1 to 1000"),
        ({"mode": "recovering", "perSecond": 1.5}, "perSecond must be a whole number"),
    ],
)
def test_what_it_cannot_be_told_is_refused_with_a_reason(caller: Caller, body: object, named: str) -> None:
    """It goes on as before."""
    caller.told("errors")
    answer = caller.ask("PUT", "/mode", body)
    assert answer.status == 400
    assert named in answer.body["error"]
    assert caller.ask("GET", "/health").status == 500


def test_a_summary_counts_what_was_asked_and_what_became_of_it(caller: Caller) -> None:
    """At first there is nothing to count."""
    empty = caller.summary()
    assert (empty["requests"], empty["statuses"], empty["firstAt"], empty["lastAt"]) == (0, {}, None, None)
    caller.statuses(3)
    caller.now += timedelta(minutes=1)
    caller.told("errors")
    caller.statuses(2)
    caller.told("healthy")
    caller.statuses(1)
    caller.charge("declined", paymentId="decline")
    assert caller.summary() == {
        "requests": 7,
        "statuses": {"200": 4, "402": 1, "500": 2},
        "repeats": 1,
        "captures": 3,
        "declines": 1,
        "orders": 3,
        "chargedTwice": 0,
        "chargedTwiceOrders": [],
        "firstAt": "2026-11-26T12:00:00.000000Z",
        "lastAt": "2026-11-26T12:01:00.000000Z",
    }


def test_a_summary_names_no_more_orders_than_anybody_reads(caller: Caller) -> None:
    """All of them are counted."""
    for mark in range(101):
        for attempt in range(2):
            caller.charge(f"{mark}-{attempt}", orderId=f"{mark}")
    assert caller.summary()["chargedTwice"] == 101
    assert len(caller.summary()["chargedTwiceOrders"]) == 100
