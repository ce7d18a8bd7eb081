"""A job goes from state to state as the table says, on record; what is active together does not get in its own way."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from itertools import combinations, pairwise, product
from typing import Any

import pytest
from eventfork.limits import EVENTBRIDGE_ACTIVE_REPLAYS
from eventfork.replay_jobs import (
    ENDED,
    TRANSITIONS,
    WORKING,
    Active,
    FieldError,
    ForbiddenError,
    Job,
    Lease,
    Request,
    Source,
    State,
)
from eventfork.replay_windows import Window
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.replaying import LAST_HOUR, NOON

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
DAY_BEFORE = Window(LAST_HOUR.start - 24 * HOUR, LAST_HOUR.end - 24 * HOUR)
STEPS = [(before, after) for before, following in TRANSITIONS.items() for after in sorted(following)]


def job(name: str = "one", source: Source = Source.BACKUP, **said: Any) -> Job:
    """Give a job that is planned; what is said goes into its request."""
    request = Request(**{"source": source, "window": LAST_HOUR, "targets": ("customers",), **said})
    return Job(id=name, request=request, state=State.PLANNED, requested_at=NOON, starts_at=NOON)


def moved(before: Job, state: State, seconds: float = 0) -> Job:
    """Give the job in another state, some time after noon."""
    return before.moved(state, NOON + seconds * SECOND, "ada", "go on", "because")


def test_every_state_can_be_reached_from_a_plan() -> None:
    """By what the table allows, and nothing else."""
    reached, ahead = set(), [State.PLANNED]
    while ahead:
        state = ahead.pop()
        if state not in reached:
            reached.add(state)
            ahead.extend(TRANSITIONS[state])
    assert reached == set(State) == set(TRANSITIONS)


def test_what_ended_stays_so_or_waits_again_and_what_is_complete_is_final() -> None:
    """A job that ended early may go on where it was; one that is complete has nothing left."""
    assert {state: TRANSITIONS[state] for state in ENDED} == {
        State.COMPLETED: frozenset(),
        State.FAILED: {State.WAITING},
        State.CANCELLED: {State.WAITING},
    }
    assert {state for state in State if not TRANSITIONS[state]} == {State.COMPLETED}


def test_whatever_goes_on_begins_by_waiting() -> None:
    """Nothing but what waits, or is at work, is ever brought to work."""
    assert not WORKING & ENDED
    assert {(a, b) for a, b in STEPS if a not in WORKING and b in WORKING} == {
        (before, State.WAITING) for before in (State.PLANNED, State.PAUSED, State.FAILED, State.CANCELLED)
    }


def test_whatever_has_not_ended_can_be_stopped() -> None:
    """An operator is never left without that."""
    assert {state for state in State if State.CANCELLED in TRANSITIONS[state]} == set(State) - ENDED


@pytest.mark.parametrize(("before", "after"), STEPS)
def test_a_move_that_the_table_allows_is_made_and_on_record(before: State, after: State) -> None:
    """With who made it, when, and why."""
    found = moved(replace(job(), state=before, pace_now=3.0), after, 7)
    [action] = found.history
    assert found.state is action.state is after
    assert (action.at, action.actor, action.action, action.reason) == (NOON + 7 * SECOND, "ada", "go on", "because")
    assert found.pace_now is None


@pytest.mark.parametrize(("before", "after"), sorted(set(product(State, State)) - set(STEPS)))
def test_a_move_that_the_table_does_not_allow_is_refused(before: State, after: State) -> None:
    """The text names the job, its state, and what it cannot do."""
    with pytest.raises(ForbiddenError, match=rf"^The job one is {before}: it cannot go on\.$"):
        moved(replace(job(), state=before), after)


@given(st.lists(st.integers(min_value=0, max_value=4), max_size=30))
def test_what_a_job_says_of_itself_follows_from_where_it_has_been(choices: list[int]) -> None:
    """When it started and ended, how often it was begun, and why it stands still."""
    found, states = job(), [State.PLANNED]
    for seconds, choice in enumerate(choices):
        following = sorted(TRANSITIONS[found.state])
        if not following:
            break
        found = moved(found, following[choice % len(following)], seconds)
        states.append(found.state)
    at_work = [n for n, state in enumerate(states[1:]) if state in {State.CANARY, State.RUNNING}]
    again = sum(a in ENDED and b is State.WAITING for a, b in pairwise(states))
    assert [action.state for action in found.history] == states[1:]
    assert found.run == 1 + again
    assert found.started_at == (NOON + at_work[0] * SECOND if at_work else None)
    assert found.ended_at == (NOON + (len(states) - 2) * SECOND if found.state in ENDED else None)
    assert found.outcome == ("because" if found.state in ENDED | {State.PAUSED} else "")


def test_the_newest_actions_are_kept_and_the_oldest_let_go() -> None:
    """Moves and notes alike: an item of the ledger has a limit."""
    found = moved(job(), State.WAITING)
    for number in range(201):
        found = found.noted(NOON, "ada", "note", str(number))
    assert (len(found.history), found.history[0].reason, found.history[-1].reason) == (200, "1", "200")
    found = moved(found, State.RUNNING)
    assert (len(found.history), found.history[0].reason, found.history[-1].action) == (200, "2", "go on")


def test_a_note_leaves_a_job_as_it_was() -> None:
    """But for the record."""
    before = replace(job(), state=State.PAUSED, outcome="The circuit crm is open.", pace_now=2.0)
    noted = before.noted(NOON, "ada", "look", "curious")
    assert replace(noted, history=()) == before
    assert [(one.action, one.state) for one in noted.history] == [("look", State.PAUSED)]


@pytest.mark.parametrize(
    ("lease", "is_leased"), [(None, False), (Lease("w", 9.9), False), (Lease("w", 10), False), (Lease("w", 10.1), True)]
)
def test_a_worker_has_a_job_until_its_lease_runs_out(lease: Lease | None, is_leased: bool) -> None:
    """And not at that very moment any more."""
    assert replace(job(), lease=lease).is_leased(10) is is_leased


@pytest.mark.parametrize(
    ("source", "holds"),
    [
        (Source.ARCHIVE, {"the replay buffer of a", "the replay buffer of b"}),
        (Source.QUEUE, {"the replay queue"}),
        (Source.DLQ, {"the dead-letter queue of a", "the dead-letter queue of b"}),
        (Source.BACKUP, set()),
    ],
)
def test_a_job_holds_what_it_takes_away_from(source: Source, holds: set[str]) -> None:
    """A bucket can be read by any number of jobs."""
    assert job(source=source, targets=("a", "b")).request.holds == holds


@pytest.mark.parametrize(
    ("window", "overlaps"),
    [
        (LAST_HOUR, True),
        (Window(LAST_HOUR.end, LAST_HOUR.end + HOUR), True),
        (Window(LAST_HOUR.start - HOUR, LAST_HOUR.start), True),
        (Window(LAST_HOUR.start - HOUR, LAST_HOUR.end + HOUR), True),
        (Window(LAST_HOUR.end + SECOND, LAST_HOUR.end + HOUR), False),
        (DAY_BEFORE, False),
    ],
)
def test_a_window_that_overlaps_into_the_same_target_is_refused_unless_forced(window: Window, overlaps: bool) -> None:
    """The second they meet in belongs to both."""
    first = Active().admitting(job())
    assert set(first.admitting(job("two", window=window, forced=True)).jobs) == {"one", "two"}
    if not overlaps:
        assert set(first.admitting(job("two", window=window)).jobs) == {"one", "two"}
        return
    with pytest.raises(ForbiddenError, match="The job one replays into customers from a window that overlaps"):
        first.admitting(job("two", window=window))


def test_the_same_window_goes_into_another_target() -> None:
    """One target in common is too many."""
    first = Active().admitting(job(targets=("a", "b")))
    assert set(first.admitting(job("two", targets=("c",))).jobs) == {"one", "two"}
    with pytest.raises(ForbiddenError, match="into b "):
        first.admitting(job("two", targets=("b", "c")))


@pytest.mark.parametrize("source", sorted(set(Source) - {Source.BACKUP}))
def test_a_place_that_a_job_reads_from_is_refused_even_if_forced(source: Source) -> None:
    """Whatever the window: each would take away what the other waits for."""
    first = Active().admitting(job(source=source))
    with pytest.raises(ForbiddenError, match=r"The job one reads from the .*: wait for it, or stop it"):
        first.admitting(job("two", source=source, window=DAY_BEFORE, forced=True))


def test_no_more_are_active_than_can_be_even_if_forced() -> None:
    """One that is active already comes in again."""
    jobs = [job(f"job-{number}", targets=(f"target-{number}",)) for number in range(EVENTBRIDGE_ACTIVE_REPLAYS)]
    active = Active(version=3)
    for one in jobs:
        active = active.admitting(one)
    with pytest.raises(ForbiddenError, match="10 replays are active, as many as there can be"):
        active.admitting(job("one", targets=("another",), forced=True))
    assert active.admitting(jobs[0]).jobs == active.jobs
    assert "one" in active.without("job-3").admitting(job("one", targets=("another",))).jobs


def test_a_job_is_not_in_its_own_way() -> None:
    """It comes in again in place of itself, and goes without a trace."""
    active = Active(version=3).admitting(job(source=Source.DLQ))
    again = active.admitting(job(source=Source.DLQ, window=DAY_BEFORE))
    assert [one.window for one in again.jobs.values()] == [DAY_BEFORE]
    assert again.without("one") == again.without("one").without("unknown") == Active(version=3)


wanted = st.builds(
    lambda source, targets, hour, forced: {
        "source": source,
        "targets": tuple(sorted(targets)),
        "window": Window(NOON + hour * HOUR, NOON + (hour + 1) * HOUR),
        "forced": forced,
    },
    st.sampled_from(Source),
    st.sets(st.sampled_from("abcdef"), min_size=1, max_size=2),
    st.integers(min_value=-12, max_value=0),
    st.booleans(),
)


@given(st.lists(wanted, max_size=25))
def test_whatever_is_asked_for_what_is_active_can_go_on_together(requests: list[dict[str, Any]]) -> None:
    """However many come, in whatever order, nobody shares a place or, unless forced, a target and a time."""
    active, admitted = Active(), {}
    for number, said in enumerate(requests):
        one = job(f"job-{number:02}", **said)
        try:
            active = active.admitting(one)
        except ForbiddenError:
            continue
        admitted[one.id] = one.request
    assert set(active.jobs) == set(admitted)
    assert len(admitted) <= EVENTBRIDGE_ACTIVE_REPLAYS
    places = Counter(place for one in admitted.values() for place in one.holds)
    assert not places or max(places.values()) == 1
    for earlier, later in combinations((admitted[name] for name in sorted(admitted)), 2):
        if not later.forced and set(earlier.targets) & set(later.targets):
            assert not earlier.window.overlaps(later.window)


def test_a_field_that_is_wrong_is_named() -> None:
    """By its pointer, for a program, and in a sentence, for people."""
    error = FieldError("/pace", "is no number")
    assert (error.pointer, error.detail, str(error)) == ("/pace", "is no number", "/pace is no number")
