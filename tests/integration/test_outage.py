"""The outage drill: the payment provider fails in every way, and recovers; every order is paid once, by itself."""

import os
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import Any

import pytest
from eventfork.provider_simulator import Mode, Received

from tests.faults.workers import kill
from tests.integration.application import Application, eventually
from tests.integration.payments import CircuitControl, PaymentProvider, order, payments
from tests.integration.replays import Replays, in_parallel

ORDERS = int(os.environ.get("EVENTFORK_OUTAGE_ORDERS", "60"))
KILLS = 4
KILLED = (
    "PaymentFunctionName",
    "PaymentStreamFunctionName",
    "CircuitManagerFunctionName",
    "ReplayControlFunctionName",
    "ReplayWorkerFunctionName",
    "HeldPaymentsFunctionName",
)
PHASES = 5
"""Healthy, errors, hangs, flapping, healthy."""
STALE = timedelta(seconds=5 + 1 + 8 + 3)
"""As long as a caller may believe an older state, and its last call may take, and what the machine adds to that."""
MAXIMUM_CONCURRENCY = 4
FAILURE_THRESHOLD = 5
RECOVERED_WITHIN_SECONDS = 420
"""Half a minute until a lease has run out, a minute until what is still held is looked at, and some of both."""
FINAL = {"CAPTURED", "DECLINED"}


class Outage:
    """The drill, step by step."""

    def __init__(self, application: Application, customer_id: str) -> None:
        self.application = application
        self.provider = PaymentProvider(application)
        self.circuit = CircuitControl(application)
        self.replays = Replays(application.engine, application.outputs)
        self.customer_id = customer_id
        self._placed = 0
        self._killed: list[datetime] = []
        self._before = {one["version"] for one in self.circuit.history()}

    def place(self) -> None:
        """Place a phase's share of the orders."""
        numbers = range(self._placed, self._placed + ORDERS // PHASES)
        answers = in_parallel(lambda one: self.application.post(order(self.customer_id, one)).status, numbers)
        assert answers == [202] * len(numbers)
        self._placed += len(numbers)

    def history(self) -> list[dict[str, Any]]:
        """Give what happened to the circuit since the drill began."""
        return [one for one in self.circuit.history() if one["version"] not in self._before]

    def statuses(self) -> Counter[str]:
        """Count the payments by how they stand."""
        return Counter(row["Status"]["S"] for row in payments(self.application, self.customer_id).values())

    def are_final(self) -> bool:
        """Tell whether every order that was placed is paid or declined."""
        found = self.statuses()
        return found.keys() <= FINAL and found.total() == self._placed

    def ever_was(self, state: str, *, times: int = 1) -> bool:
        """Tell whether the circuit has become so so many times since the drill began."""
        return len([one for one in self.history() if one["state"] == state != one["previousState"]]) >= times

    def probes(self, count: int) -> bool:
        """Tell whether so many probes were claimed since the circuit opened."""
        opened = max(one["version"] for one in self.history() if one["state"] != "CLOSED")
        return bool(self.circuit.shown()["version"] >= opened + 2 * count)

    def run(self) -> None:
        """Have the provider fail in every way and recover, while orders come in."""
        self.provider.behave(Mode.HEALTHY)
        self.place()
        eventually(self.are_final, "every payment of a healthy provider", 2 * RECOVERED_WITHIN_SECONDS)
        self.provider.behave(Mode.ERRORS)
        self.place()
        eventually(lambda: self.ever_was("OPEN"), "the circuit open")
        eventually(lambda: self.probes(3), "some probes of a provider that answers with errors")
        self.provider.behave(Mode.HANGS, seconds=12)
        self.place()
        eventually(lambda: self.probes(5), "some probes of a provider that hangs")
        self.provider.behave(Mode.FLAPPING, periodSeconds=12)
        self.place()
        eventually(lambda: self.ever_was("CLOSED"), "the circuit closed by a provider that flaps")
        self.provider.behave(Mode.HEALTHY)
        self.place()
        eventually(self.are_final, "every payment made or declined", RECOVERED_WITHIN_SECONDS)
        eventually(lambda: self.circuit.shown()["outage"] is None, "the end of the outage", RECOVERED_WITHIN_SECONDS)

    def check(self, *, killed: bool) -> None:
        """Tell what came of it, and hold it to what must."""
        statuses, captures = self.statuses(), Counter(self.provider.captures(self.customer_id))
        charges, history = self.provider.charges(self.customer_id), self.history()
        outages = {one["outageId"] for one in history if one["outageId"]}
        jobs = [job for job in self.replays.command("list", limit=100)["jobs"] if job["actor"] == "circuit"]
        mine = [job for job in jobs if job["id"] in outages]
        twice = sum(count - 1 for count in captures.values())
        lost = ORDERS - statuses.total()
        repeated = _after_the_answer(charges)
        rows = payments(self.application, self.customer_id).values()
        made = max(datetime.fromisoformat(row["UpdatedAt"]["S"]) for row in rows)
        opened = [_moment(one) for one in history if one["state"] == "OPEN" and one["previousState"] == "CLOSED"]
        closed = [_moment(one) for one in history if one["state"] == "CLOSED" != one["previousState"]]
        failed = min(one.at for one in charges if one.status >= 429)
        last_failed = max(one.at for one in charges if one.status >= 429 and one.at < closed[-1])
        before = [one for one in charges if failed <= one.at <= opened[0] + STALE and one.status != 200]
        # Who is killed forgets how many failures it has counted.
        callers = MAXIMUM_CONCURRENCY + sum(failed <= one <= opened[0] + STALE for one in self._killed)
        held = sum("Deferrals" in row for row in rows)
        print(
            f"\noutage: {ORDERS} orders, {statuses['CAPTURED']} captured, {statuses['DECLINED']} declined, "
            f"lost {lost}, charged twice {twice}; {held} were held, in outages: {len(outages)}, replays: {len(mine)}, "
            f"opened: {len(opened)}\n"
            f"{len(charges)} requests, {repeated} after a delivered answer; {len(before)} failed before all callers "
            f"knew, of at most {callers * FAILURE_THRESHOLD}; {len(_while_open(charges, history))} while "
            f"the circuit was known to be open\n"
            f"first failure to open {_seconds(opened[0] - failed)}, last failure of the provider to closed "
            f"{_seconds(closed[-1] - last_failed)}, closed to the last held payment "
            f"{_seconds(made - closed[-1])}, of that by design 8 s until callers know, and the pace"
        )
        assert statuses["CAPTURED"] + statuses["DECLINED"] == ORDERS
        assert captures.total() == statuses["CAPTURED"]
        assert (lost, twice) == (0, 0)
        assert killed or repeated == 0
        assert _while_open(charges, history) == []
        assert len(before) <= callers * FAILURE_THRESHOLD
        assert sorted(job["id"] for job in mine) == sorted(outages)
        assert {job["state"] for job in mine} == {"COMPLETED"}

    @contextmanager
    def dying(self, seed: int) -> Iterator[None]:
        """Kill functions at random moments meanwhile."""
        generator, over = random.Random(seed), Event()

        def go_on() -> None:
            for _ in range(KILLS):
                # Not a wait for something: the moments are the fault that is injected.
                if over.wait(generator.uniform(2, 20)):
                    return
                function = generator.choice(KILLED)
                count = kill(self.application.engine, self.application.outputs[function])
                if function == "PaymentFunctionName":
                    self._killed += [datetime.now(UTC)] * count

        killer = Thread(target=go_on)
        killer.start()
        try:
            yield
        finally:
            over.set()
            killer.join()


def _moment(transition: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(transition["at"])


def _seconds(length: timedelta) -> str:
    return f"{length.total_seconds():.1f} s"


def _after_the_answer(charges: list[Received]) -> int:
    """Count the requests for an order whose captured answer had been delivered: one that hung was not."""
    answered: set[str] = set()
    count = 0
    for one in charges:
        count += one.order_id in answered
        if one.status == 200 and one.mode is not Mode.HANGS:
            answered.add(one.order_id)
    return count


def _while_open(charges: list[Received], history: list[dict[str, Any]]) -> list[Received]:
    """Give the requests that were made while everybody could know that the circuit was open."""
    found, since = [], None
    for one in history:
        if one["state"] == "CLOSED" and since is not None:
            found += [charge for charge in charges if since + STALE < charge.at < _moment(one)]
            since = None
        elif one["state"] != "CLOSED" and since is None:
            since = _moment(one)
    return found


@pytest.fixture
def quick(application: Application) -> Iterator[None]:
    """Have payments that failed received again after 40 s, not three minutes; leave the provider healthy."""
    application.engine.client("sqs").set_queue_attributes(
        QueueUrl=application.outputs["PaymentsQueueUrl"], Attributes={"VisibilityTimeout": "40"}
    )
    yield
    PaymentProvider(application).behave(Mode.HEALTHY)


@pytest.mark.drill
@pytest.mark.usefixtures("quick")
def test_after_an_outage_every_order_is_paid_once_by_itself(application: Application, kill_seed: int | None) -> None:
    drill = Outage(application, f"outage-{kill_seed}")
    with nullcontext() if kill_seed is None else drill.dying(kill_seed):
        drill.run()
    drill.check(killed=kill_seed is not None)
