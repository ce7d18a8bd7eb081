"""A job is written so that it can be read again as it was, to the last digit."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from eventfork.json_text import parse, render
from eventfork.replay_filters import EventFilter
from eventfork.replay_jobs import Action, Active, ActiveJob, Counts, Job, Lease, Request, Source, State
from eventfork.replay_records import active_document, document, read, read_active, record
from eventfork.replay_windows import Window
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.replaying import LAST_HOUR, NOON

texts = st.text(st.characters(codec="utf-8"), max_size=10)
names = st.lists(texts, max_size=3).map(tuple)
moments = st.datetimes(timezones=st.just(UTC))
numbers = st.floats(allow_nan=False, allow_infinity=False)
tallies = st.integers(min_value=0)
windows = st.builds(
    lambda start, seconds: Window(start, start + timedelta(seconds=seconds)),
    st.datetimes(max_value=datetime(2100, 1, 1), timezones=st.just(UTC)).map(lambda at: at.replace(microsecond=0)),  # noqa: DTZ001
    st.integers(min_value=0, max_value=10**9),
)
requests = st.builds(
    Request,
    source=st.sampled_from(Source),
    window=windows,
    targets=names,
    filter=st.builds(EventFilter, types=names, customers=names, orders=names, expression=texts),
    pace=st.none() | numbers,
    canary=tallies,
    archive=texts,
    reason=texts,
    actor=texts,
    forced=st.booleans(),
)
checkpoints = st.dictionaries(
    texts,
    st.recursive(
        st.none() | st.booleans() | st.integers() | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=5,
    ),
    max_size=3,
)
jobs = st.builds(
    Job,
    id=texts,
    request=requests,
    state=st.sampled_from(State),
    requested_at=moments,
    starts_at=moments,
    counts=st.builds(Counts, st.none() | tallies, tallies, tallies, tallies, tallies),
    checkpoint=checkpoints,
    started_at=st.none() | moments,
    ended_at=st.none() | moments,
    outcome=texts,
    run=tallies,
    whole_since=tallies,
    earlier_ends=st.lists(moments, max_size=3).map(tuple),
    canary_sent_at=st.none() | numbers,
    canary_from=tallies,
    paced_at=st.none() | numbers,
    pace_now=st.none() | numbers,
    lease=st.none() | st.builds(Lease, texts, numbers),
    history=st.lists(st.builds(Action, moments, texts, texts, st.sampled_from(State), texts), max_size=3).map(tuple),
    version=tallies,
)
registers = st.builds(
    Active,
    st.dictionaries(texts, st.builds(ActiveJob, names, windows, st.frozensets(texts, max_size=3)), max_size=3),
    tallies,
)

PLAIN = Job(
    id="one",
    request=Request(source=Source.ARCHIVE, window=LAST_HOUR, targets=("customers",)),
    state=State.PLANNED,
    requested_at=NOON,
    starts_at=NOON,
)


@given(jobs)
def test_a_job_is_read_as_it_was_written(job: Job) -> None:
    """Through text, every field of it; its version is kept beside it."""
    assert read(parse(render(record(job))), job.version) == job


@given(registers)
def test_the_register_is_read_as_it_was_written(active: Active) -> None:
    """Through text, but for its version, which is kept beside it."""
    assert read_active(parse(render(active_document(active))), active.version) == active


@given(jobs)
def test_whoever_asks_is_told_all_but_what_only_workers_need(job: Job) -> None:
    """And what they are told is JSON."""
    told, kept = document(job), record(job)
    assert kept.keys() - told.keys() == {
        *("wholeSince", "earlierEnds", "canarySentAt", "canaryFrom", "pacedAt", "lease")
    }
    assert told == {name: kept[name] for name in told}
    assert parse(render(told)) == told


def test_a_job_that_was_written_before_windows_could_be_extended_is_one_that_was_not() -> None:
    """What it does not tell is what it would have told."""
    told = {"wholeSince", "earlierEnds", "canaryFrom"}
    assert read({name: value for name, value in record(PLAIN).items() if name not in told}, 0) == PLAIN


def test_what_is_not_known_is_written_as_null() -> None:
    """And not left out: a reader need not ask whether it is there."""
    assert [name for name, value in record(PLAIN).items() if value is None] == [
        *("pace", "startedAt", "endedAt", "paceNow", "canarySentAt", "pacedAt", "lease")
    ]
    assert document(PLAIN)["counts"] == {"planned": None, "read": 0, "sent": 0, "skipped": 0, "parked": 0}


def test_times_are_written_in_utc_and_states_by_their_names() -> None:
    """As the commands take them."""
    told = document(PLAIN.moved(State.WAITING, NOON, "ada", "start", "why"))
    assert told["window"] == {"from": "2026-11-26T11:00:00.000000Z", "to": "2026-11-26T11:55:00.000000Z"}
    assert (told["source"], told["state"], told["requestedAt"]) == ("archive", "WAITING", "2026-11-26T12:00:00.000000Z")
    at = "2026-11-26T12:00:00.000000Z"
    assert told["history"] == [{"at": at, "actor": "ada", "action": "start", "state": "WAITING", "reason": "why"}]


@pytest.mark.parametrize(
    ("wanted", "written"),
    [
        (EventFilter(), {}),
        (EventFilter(types=("A",)), {"types": ["A"]}),
        (EventFilter(expression="a"), {"expression": "a"}),
    ],
)
def test_a_filter_is_written_by_what_it_names(wanted: EventFilter, written: dict[str, Any]) -> None:
    """What it leaves open it does not name."""
    request = Request(source=Source.QUEUE, window=LAST_HOUR, targets=(), filter=wanted)
    job = Job(id="one", request=request, state=State.PLANNED, requested_at=NOON, starts_at=NOON)
    assert document(job)["filter"] == written
    assert read(record(job), 0) == job
