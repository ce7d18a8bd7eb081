"""A pace is kept: never exceeded over any stretch of time, and made up for only as far as one second back."""

import pytest
from eventfork.pacing import Pace
from hypothesis import given
from hypothesis import strategies as st

START = 1_795_000_000.0
rates = st.floats(min_value=0.05, max_value=2_000)


def test_an_unlimited_pace_holds_nothing_back() -> None:
    """Nor does it keep count."""
    pace = Pace(None, START)
    assert pace.allowance(START, 10) == 10
    assert pace.wait(START, 10) == 0
    pace.spend(10)
    assert pace == Pace(None, START)


def test_a_pace_begins_with_nothing() -> None:
    """The first event is due when its time has passed."""
    pace = Pace(2.0, START)
    assert pace.allowance(START, 10) == 0
    assert pace.wait(START, 10) == pytest.approx(0.5)
    assert pace.allowance(START + 0.5, 10) == 1


def test_events_are_sent_together_as_far_as_they_stay_evenly_spread() -> None:
    """A fifth of a second's worth at a time, and never more than is asked for."""
    pace = Pace(100.0, START)
    assert pace.wait(START, 100) == pytest.approx(0.2)
    assert pace.allowance(START + 0.1, 100) == 0
    assert pace.allowance(START + 0.201, 100) == 20
    assert pace.wait(START, 10) == pytest.approx(0.1)
    assert pace.allowance(START + 0.101, 10) == 10


def test_less_than_one_event_per_second_is_a_pace() -> None:
    """One, every so many seconds; a long gap does not make two of it."""
    pace = Pace(0.1, START)
    assert pace.allowance(START + 9.9, 10) == 0
    assert pace.allowance(START + 10, 10) == 1
    assert pace.allowance(START + 1_000, 10) == 1


def test_a_gap_of_up_to_a_second_is_made_up_for() -> None:
    """What was due meanwhile is sent at once; beyond that it is lost, so that nobody is flooded."""
    assert Pace(10.0, START).allowance(START + 1.0, 100) == 10
    assert Pace(10.0, START).allowance(START + 3_600.0, 100) == 10


def test_the_next_worker_goes_on_with_it() -> None:
    """One moment tells how things stand."""
    pace = Pace(10.0, START)
    assert pace.allowance(START + 1.0, 10) == 10
    pace.spend(7)
    resumed = Pace(10.0, pace.ready_at)
    assert resumed.allowance(START + 1.0, 10) == 3
    assert resumed.wait(START + 1.0, 10) == 0


@given(
    rates,
    st.lists(st.tuples(st.floats(min_value=0, max_value=5), st.integers(min_value=1, max_value=100)), max_size=60),
)
def test_over_any_stretch_it_is_exceeded_by_a_second_at_most(rate: float, asked: list[tuple[float, int]]) -> None:
    """However irregularly it is asked, and from whichever moment on one counts."""
    pace, now = Pace(rate, START), START
    sent: list[tuple[float, int]] = []
    for gap, most in asked:
        now += gap
        events = pace.allowance(now, most)
        assert 0 <= events <= most
        pace.spend(events)
        sent.append((now, events))
    for first, (since, _) in enumerate(sent):
        total = 0
        for moment, events in sent[first:]:
            total += events
            assert total <= rate * (moment - since) + max(rate, 1) + 0.01


@given(
    st.none() | st.floats(min_value=0.01, max_value=100_000),
    st.floats(min_value=0, max_value=1e11),
    st.floats(min_value=0, max_value=1e11),
    st.integers(min_value=0, max_value=10_000),
)
def test_any_figures_give_a_number_of_events_and_a_wait(
    rate: float | None, ready: float, now: float, most: int
) -> None:
    """However far apart the moments are: as many events as may be sent together at the most, and no wait for ever."""
    pace = Pace(rate, ready)
    assert 0 <= pace.allowance(now, most) <= most
    assert 0 <= pace.wait(now, most) < float("inf")


@given(rates, st.integers(min_value=1, max_value=100), st.floats(min_value=0, max_value=2))
def test_who_waits_as_long_as_told_may_send(rate: float, most: int, gap: float) -> None:
    """But for what a clock is too coarse to tell; who need not wait may send at once."""
    pace, now = Pace(rate, START), START + gap
    wait = pace.wait(now, most)
    assert wait >= 0
    assert pace.allowance(now + wait + 1e-5, most) > 0


@given(rates, st.floats(min_value=0.0, max_value=0.9))
def test_what_a_short_gap_cost_is_made_up_for(rate: float, gap: float) -> None:
    """In the end as many events are sent as were due."""
    pace, now, sent = Pace(rate, START), START, 0
    seconds = max(20.0, 20 / rate)
    interrupted = False
    while now < START + seconds:
        if not interrupted and now > START + seconds / 2:
            now, interrupted = now + gap, True
        events = pace.allowance(now, 5_000)
        pace.spend(events)
        sent += events
        now += max(pace.wait(now, 5_000), 0.001)
    assert sent >= rate * (seconds - 0.3) - 1
