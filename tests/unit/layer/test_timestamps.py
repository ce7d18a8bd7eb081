"""Moments are written so that their texts sort as they do."""

from datetime import UTC, datetime, timedelta, timezone

from eventfork.timestamps import timestamp
from hypothesis import given
from hypothesis import strategies as st

moments = st.integers(min_value=-(10**10), max_value=10**11).map(
    lambda milliseconds: datetime(2026, 11, 20, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
)


def test_a_moment_is_written_in_utc_to_the_microsecond() -> None:
    """Whatever its offset, and also where it has no fraction."""
    moment = datetime(2026, 11, 20, 9, 15, 42, tzinfo=timezone(timedelta(hours=1)))
    assert timestamp(moment) == "2026-11-20T08:15:42.000000Z"


@given(moments, moments)
def test_texts_sort_as_moments_do(one: datetime, other: datetime) -> None:
    """The projection compares event times as texts."""
    assert (timestamp(one) < timestamp(other)) == (one < other)
    assert datetime.fromisoformat(timestamp(one)) == one
