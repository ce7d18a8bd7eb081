"""Batches are as full as a service lets them be, and only what it refused is sent again."""

import itertools
from collections.abc import Sequence

import pytest
from eventfork.batches import PAUSES, fill, send_all
from eventfork.errors import UnavailableError
from eventfork.limits import Limits
from hypothesis import given
from hypothesis import strategies as st

TRIES = 1 + len(PAUSES)


class Service:
    """Refuses each entry as often as it is told, and remembers every call.

    Parameters
    ----------
    refusals : mapping
        How often each entry is refused before it is taken.
    outages : sequence of bool
        Which calls, by their number, fail as a whole.
    """

    def __init__(self, refusals: dict[int, int], outages: Sequence[bool] = ()) -> None:
        self.calls: list[list[int]] = []
        self.taken: list[int] = []
        self.pauses: list[float] = []
        self._refusals = dict(refusals)
        self._outages = dict(enumerate(outages))

    def send(self, batch: Sequence[int]) -> list[int]:
        """Take a batch but for some entries, or fail."""
        self.calls.append(list(batch))
        if self._outages.get(len(self.calls) - 1):
            raise UnavailableError("down")
        refused = []
        for position, entry in enumerate(batch):
            if self._refusals.get(entry, 0) > 0:
                self._refusals[entry] -= 1
                refused.append(position)
            else:
                self.taken.append(entry)
        return refused

    def sleep(self, seconds: float) -> None:
        """Remember a pause."""
        self.pauses.append(seconds)


@given(st.lists(st.integers(min_value=0, max_value=15)), st.integers(1, 5), st.integers(1, 30))
def test_batches_are_full_and_within_the_limits(sizes: list[int], entries: int, size: int) -> None:
    """Nothing is lost, split or moved, no batch could take the entry after it, and only one alone may be too large."""
    batches = list(fill(sizes, Limits(entries, size), lambda weight: weight))
    assert [weight for batch in batches for weight in batch] == sizes
    for batch in batches:
        assert 1 <= len(batch) <= entries
        assert sum(batch) <= size or len(batch) == 1
    for batch, following in itertools.pairwise(batches):
        assert len(batch) == entries or sum(batch) + following[0] > size


def test_what_is_taken_at_once_is_sent_once() -> None:
    """Without a pause."""
    service = Service({})
    assert send_all([[1, 2], [3]], service.send, service.sleep) == []
    assert service.calls == [[1, 2], [3]]
    assert service.pauses == []


def test_only_refused_entries_are_sent_again() -> None:
    """After a pause, and before the next batch."""
    service = Service({2: 1, 4: 2})
    assert send_all([[1, 2, 3, 4], [5]], service.send, service.sleep) == []
    assert service.calls == [[1, 2, 3, 4], [2, 4], [4], [5]]
    assert service.pauses == list(PAUSES)


def test_a_call_that_fails_ends_the_sending() -> None:
    """Nothing more is sent to a service that is away: its batch, and those to follow, are given back at once."""
    service = Service({}, [False, True])
    assert send_all([[1, 2], [3], [4]], service.send, service.sleep) == [3, 4]
    assert service.calls == [[1, 2], [3]]
    assert service.pauses == []


def test_what_was_taken_before_a_call_failed_is_not_given_back() -> None:
    """Only what was refused is."""
    service = Service({2: 1}, [False, True])
    assert send_all([[1, 2]], service.send, service.sleep) == [2]
    assert service.taken == [1]


def test_sending_again_ends() -> None:
    """What is refused after the last pause is given back: the queue brings it again later."""
    service = Service({1: 99})
    assert send_all([[1, 2]], service.send, service.sleep) == [1]
    assert service.calls == [[1, 2]] + [[1]] * len(PAUSES)


@given(
    st.lists(st.integers(min_value=1, max_value=4), max_size=5),
    st.lists(st.integers(min_value=0, max_value=TRIES + 1), min_size=20, max_size=20),
    st.lists(st.booleans(), max_size=15),
)
def test_every_entry_is_taken_once_or_given_back(lengths: list[int], refusals: list[int], outages: list[bool]) -> None:
    """Whichever entries are refused and whichever calls fail: nothing is lost, doubled, or taken and given back."""
    entries = iter(range(20))
    batches = [[next(entries) for _ in range(length)] for length in lengths]
    service = Service(dict(enumerate(refusals)), outages)
    given_back = send_all(batches, service.send, service.sleep)
    assert sorted(service.taken + given_back) == [entry for batch in batches for entry in batch]
    assert len(service.calls) <= TRIES * len(batches)
    assert all(call and set(call) <= set(batch) for call in service.calls for batch in batches if call[0] in batch)


@pytest.mark.parametrize("batches", [[], [[]]])
def test_nothing_to_send_is_nothing_refused(batches: list[list[int]]) -> None:
    """An empty batch is no error."""
    service = Service({})
    assert send_all(batches, service.send, service.sleep) == []
    assert service.taken == []
