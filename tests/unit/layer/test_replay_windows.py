"""A window is cut into parts that cover it, and into the hours in which its events can have arrived."""

import itertools
from datetime import UTC, datetime, timedelta, timezone

from eventfork.replay_windows import Window, arrival_hours, chunk, window
from hypothesis import given
from hypothesis import strategies as st

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)

naive = NOON.replace(tzinfo=None)
moments = st.datetimes(naive.replace(year=2020), naive.replace(year=2030), timezones=st.just(UTC))
windows = st.builds(
    lambda start, length: window(start, start + length),
    moments,
    st.timedeltas(min_value=timedelta(), max_value=timedelta(days=400)),
)


def chunks(whole: Window) -> list[Window]:
    found, start = [], whole.start
    while part := chunk(whole, start):
        found.append(part)
        start = part.end
    return found


def test_the_seconds_in_which_it_starts_and_ends_belong_to_it() -> None:
    """To the last microsecond."""
    whole = Window(NOON, NOON + HOUR)
    assert NOON in whole
    assert NOON + HOUR + timedelta(microseconds=999_999) in whole
    assert NOON - timedelta(microseconds=1) not in whole
    assert NOON + HOUR + SECOND not in whole


def test_windows_overlap_where_an_event_could_be_in_both() -> None:
    """They share a second at least."""
    whole = Window(NOON, NOON + HOUR)
    assert whole.overlaps(Window(NOON + HOUR, NOON + 2 * HOUR))
    assert Window(NOON - HOUR, NOON).overlaps(whole)
    assert whole.overlaps(Window(NOON + MINUTE, NOON + 2 * MINUTE))
    assert not whole.overlaps(Window(NOON + HOUR + SECOND, NOON + 2 * HOUR))
    assert not Window(NOON - HOUR, NOON - SECOND).overlaps(whole)


def test_a_window_is_written_in_utc() -> None:
    """From the moment it starts to the one it ends."""
    assert Window(NOON, NOON + HOUR).document() == {
        "from": "2026-11-26T12:00:00.000000Z",
        "to": "2026-11-26T13:00:00.000000Z",
    }


def test_a_window_is_widened_to_whole_seconds() -> None:
    """In UTC, whatever it was told in."""
    berlin = timezone(HOUR)
    start = datetime(2026, 11, 26, 13, 0, 0, 250_000, tzinfo=berlin)
    assert window(start, start + MINUTE) == Window(NOON, NOON + MINUTE + SECOND)
    assert window(NOON, NOON + MINUTE) == Window(NOON, NOON + MINUTE)


@given(windows)
def test_parts_meet_and_cover_the_window(whole: Window) -> None:
    """They begin where it does, and end a second behind it."""
    parts = chunks(whole)
    assert parts[0].start == whole.start
    assert all(one.end == following.start for one, following in itertools.pairwise(parts))
    assert whole.end < parts[-1].end <= whole.end + SECOND
    assert all(part.start < part.end for part in parts)


@given(windows)
def test_parts_are_few_and_cut_at_whole_minutes(whole: Window) -> None:
    """At most 24, and one more for the seconds that were cut off the first; none is shorter than it must be."""
    parts = chunks(whole)
    assert len(parts) <= 25
    assert all(part.end.second == part.end.microsecond == 0 for part in parts[:-1])
    assert all(part.end - part.start > HOUR - MINUTE for part in parts[:-1])


@given(windows, st.timedeltas(min_value=timedelta(), max_value=timedelta(days=400)))
def test_a_part_can_begin_anywhere(whole: Window, after: timedelta) -> None:
    """Behind the window there is none."""
    start = (whole.start + after).replace(microsecond=0)
    part = chunk(whole, start)
    assert (part is None) is (start > whole.end)
    assert part is None or part.start == start


@given(windows, st.timedeltas(min_value=timedelta(), max_value=timedelta(days=2)), moments)
def test_every_hour_in_which_an_event_can_have_arrived_is_looked_at(
    whole: Window, lag: timedelta, now: datetime
) -> None:
    """Each once, in order, from the one a clock that is five minutes ahead would begin with, and none in the future."""
    if whole.end - whole.start > timedelta(days=30):
        whole = Window(whole.end - timedelta(days=30), whole.end)
    hours = list(arrival_hours(whole, lag, now))
    assert all(later - earlier == HOUR for earlier, later in itertools.pairwise(hours))
    for arrival in (whole.start - 5 * MINUTE, whole.start, whole.end, whole.end + lag):
        if arrival <= now:
            assert arrival.replace(minute=0, second=0, microsecond=0) in hours
    assert all(hour <= now and hour <= whole.end + lag for hour in hours)
