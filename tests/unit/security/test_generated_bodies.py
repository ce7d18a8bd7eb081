"""Generated requests break nothing, and what answering one takes grows with its size."""

import tracemalloc
from collections.abc import Callable

import pytest

from security.generated_bodies import Request, request, run, work
from tests.bad_orders import ORDER_TEXT

REQUESTS = 2_000
SEED = 20261120
SMALL = 16 * 1024
FACTOR = 8
SLACK = 1.5
"""Above the factor: what is done once in a while, as a list that grows is copied."""


def _filled(filling: str) -> str:
    return ORDER_TEXT.replace('"Ada Example"', filling)


BODIES: dict[str, Callable[[int], str]] = {
    "text": lambda size: _filled(f'"{"x" * size}"'),
    "digits": lambda size: _filled(f'"{"4111 " * (size // 5)}"'),
    "escapes": lambda size: _filled('"' + "\\u0034" * (size // 6) + '"'),
    "names of fields": lambda size: _filled(f'"{"card: 4, " * (size // 9)}"'),
    "JSON in a text": lambda size: _filled('"[' + "4," * (size // 2) + '4]"'),
    "keys": lambda size: _filled("{" + ", ".join(f'"k{number}": 1' for number in range(size // 12)) + "}"),
    "keys that stand twice": lambda size: _filled("{" + '"k": 1, ' * (size // 8) + '"k": 1}'),
    "card fields": lambda size: _filled("{" + ", ".join(f'"cvv{number}": 1' for number in range(size // 14)) + "}"),
    "lists side by side": lambda size: _filled("[" + "[]," * (size // 3) + "[]]"),
    "lists within lists": lambda size: _filled("[" * (size // 2) + "]" * (size // 2)),
    "numbers": lambda size: _filled("[" + "1.5," * (size // 4) + "1]"),
    "no JSON": lambda size: "{" * size,
}


def test_no_generated_request_breaks_a_function() -> None:
    """Each has an answer that a client can be given, and nothing of a card is in it, in the logs or on the topic."""
    outcome = run(SEED, range(REQUESTS))
    assert outcome.broken == []
    assert outcome.statuses.total() == REQUESTS
    assert {200, 202, 400, 404, 413, 415} - outcome.statuses.keys() == {200}


def test_what_breaks_is_told_by_its_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the seed and the number by which it can be sent again; whatever breaks, the rest is sent."""
    monkeypatch.setattr("eventfork.checkout.accept", lambda **said: said["nothing"])
    outcome = run(SEED, range(50))
    assert outcome.statuses.total() == 50
    assert outcome.statuses[500] > 40
    assert outcome.broken[0].startswith(f"seed {SEED}, number ")
    assert "KeyError" in outcome.broken[0]


def test_card_data_that_is_published_or_logged_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise finding none would mean nothing."""
    monkeypatch.setattr("eventfork.orders.without_card_data", lambda order, _: order)
    assert any("a canary in the topic" in fault for fault in run(SEED, range(100)).broken)


def test_the_same_seed_makes_the_same_requests() -> None:
    """So that one that broke something can be sent again."""
    made = [request(SEED, number) for number in range(200)]
    assert made == [request(SEED, number) for number in range(200)]
    assert made != [request(SEED + 1, number) for number in range(200)]
    assert {one.function for one in made} == {"checkout_api", "order_api"}
    assert all(isinstance(one, Request) for one in made)


@pytest.mark.parametrize("kind", BODIES)
def test_work_grows_no_faster_than_the_body(kind: str) -> None:
    """Counted in calls, not in seconds: a body of eight times the size takes at most about eight times as many."""
    make = BODIES[kind]
    small, large = work(make(SMALL)), work(make(SMALL * FACTOR))
    assert large <= small * FACTOR * SLACK


@pytest.mark.parametrize("kind", BODIES)
def test_memory_grows_no_faster_than_the_body(kind: str) -> None:
    """At its peak."""
    make = BODIES[kind]

    def peak(size: int) -> int:
        body = make(size)
        tracemalloc.start()
        try:
            work(body)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(SMALL)
    assert peak(SMALL * FACTOR) <= peak(SMALL) * FACTOR * SLACK
