"""A replayed message is what was published, with a mark that counts how often it has been replayed."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from eventfork import replay
from eventfork.batches import PAUSES
from eventfork.errors import UnavailableError
from eventfork.forwarding import CannotCarryError, Prepared
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.samples import message, string

BINARY = {"dataType": "Binary.gzip", "binaryValue": "H4sIAAAA", "stringListValues": [], "binaryListValues": []}
NUMBER = {"dataType": "Number", "stringValue": "128.4", "stringListValues": [], "binaryListValues": []}


def mark(attributes: Mapping[str, Any]) -> Any:
    assert attributes[replay.MARKER]["dataType"] == "String"
    return json.loads(attributes[replay.MARKER]["stringValue"])


def test_a_message_is_marked_when_it_is_replayed() -> None:
    """The job that replays it, and that this is the first time."""
    assert mark(replay.prepare(message("x"))) == {"job": "operator", "hop": 1}


def test_every_replay_is_counted() -> None:
    """A message that comes round again says how often."""
    attributes: Mapping[str, Any] = {}
    for hop in range(1, 5):
        attributes = replay.prepare(message("x", attributes=attributes))
        assert mark(attributes)["hop"] == hop


def test_the_attributes_of_a_message_stay() -> None:
    """Text, number and bytes, exactly as they were received."""
    attributes = {"type": string("a"), "amount": NUMBER, "blob": BINARY}
    marked = dict(replay.prepare(message("x", attributes=attributes)))
    marked.pop(replay.MARKER)
    assert marked == attributes


def test_a_message_has_room_for_the_mark_with_nine_attributes() -> None:
    """The mark of an earlier replay takes no room: it is replaced."""
    nine = {f"a{number}": string("x") for number in range(9)}
    assert len(replay.prepare(message("x", attributes=nine))) == 10
    assert len(replay.prepare(message("x", attributes=replay.prepare(message("x", attributes=nine))))) == 10


def test_a_message_with_ten_attributes_is_not_carried() -> None:
    """SQS would refuse the eleventh, and unmarked it could go round for ever."""
    with pytest.raises(CannotCarryError, match="has 10 attributes"):
        replay.prepare(message("x", attributes={f"a{number}": string("x") for number in range(10)}))


def test_the_mark_names_the_job_that_replays_it() -> None:
    """The newest one; the replays of all jobs are counted together."""
    marked = replay.prepare(message("x"), "first")
    assert mark(marked) == {"job": "first", "hop": 1}
    assert mark(replay.prepare(message("x", attributes=marked), "second")) == {"job": "second", "hop": 2}


@given(replays=st.integers(min_value=0, max_value=9), maximum=st.integers(min_value=0, max_value=9))
def test_a_message_is_replayed_only_so_often(replays: int, maximum: int) -> None:
    """What leads back to itself must end; the reason says how often it was, and quotes nothing of it."""
    attributes: Mapping[str, Any] = {}
    for _ in range(replays):
        attributes = replay.prepare(message("x", attributes=attributes))
    again = message("secret", attributes=attributes)
    if replays < maximum:
        assert mark(replay.prepare(again, "job", maximum))["hop"] == replays + 1
        return
    with pytest.raises(CannotCarryError) as refusal:
        replay.prepare(again, "job", maximum)
    told = f"was replayed {replays} times already, and no more than {maximum} are let through"
    assert str(refusal.value) == told


@pytest.mark.parametrize(
    "foreign",
    [
        *("", "x", "1", "null", "[]", "{}", '{"hop":"2"}', '{"hop":null}', '{"hop":true}', '{"hop":1.5}', '{"hop":-1}'),
        *('{"hop":Infinity}', '{"hop":1e999}', '{"hop":NaN}', '{"hop":' + "9" * 5000 + "}", "[" * 100_000),
    ],
    ids=lambda text: text[:20],
)
def test_a_mark_that_is_none_of_ours_is_not_carried(foreign: str) -> None:
    """Nobody can tell how often such a message has been replayed."""
    with pytest.raises(CannotCarryError, match="none of ours"):
        replay.prepare(message("x", attributes={replay.MARKER: string(foreign)}))


@pytest.mark.parametrize("foreign", [BINARY, {"dataType": "String", "stringValue": None}, {}])
def test_a_mark_that_is_no_text_is_not_carried(foreign: dict[str, Any]) -> None:
    """Ours is always one."""
    with pytest.raises(CannotCarryError, match="none of ours"):
        replay.prepare(message("x", attributes={replay.MARKER: foreign}))


class Destination:
    """A queue that refuses certain bodies, or fails so many calls first."""

    def __init__(self, refused: frozenset[str] = frozenset(), failures: int = 0) -> None:
        self.calls: list[list[tuple[str, Mapping[str, Any]]]] = []
        self.taken: list[str] = []
        self._refused = refused
        self._failures = failures

    def send(self, batch: Sequence[tuple[str, Mapping[str, Any]]]) -> list[int]:
        """Take messages but for some, or fail."""
        self.calls.append(list(batch))
        if len(self.calls) <= self._failures:
            raise UnavailableError("SQS did not take the messages")
        self.taken += [body for body, _ in batch if body not in self._refused]
        return [position for position, (body, _) in enumerate(batch) if body in self._refused]


def send(bodies: Sequence[str], destination: Destination) -> set[str]:
    messages = [message(body, f"m-{body[:9]}") for body in bodies]
    prepared = [Prepared(one, replay.prepare(one)) for one in messages]
    return replay.send(prepared, destination.send, lambda _: None)


def test_messages_are_sent_ten_at_a_time() -> None:
    """Body and marked attributes of each, in order."""
    destination = Destination()
    bodies = [str(number) for number in range(25)]
    assert send(bodies, destination) == set()
    assert [len(call) for call in destination.calls] == [10, 10, 5]
    assert destination.taken == bodies
    assert all(mark(attributes)["hop"] == 1 for call in destination.calls for _, attributes in call)


def test_large_messages_travel_in_fewer() -> None:
    """A call takes 256 KiB, attributes included."""
    destination = Destination()
    assert send([f"{number}" + "é" * 50_000 for number in range(5)], destination) == set()
    assert [len(call) for call in destination.calls] == [2, 2, 1]
    exact = Destination()
    weight = sum(len(text) for text in (replay.MARKER, "String", '{"job": "operator", "hop": 1}'))
    send(["1" * (128 * 1024 - weight), "2" * (128 * 1024 - weight), "3"], exact)
    assert [len(call) for call in exact.calls] == [2, 1]


def test_bytes_in_attributes_count() -> None:
    """Two messages of 150 KB of bytes do not fit one call."""
    destination = Destination()
    one = message("x", attributes={"blob": {"dataType": "Binary", "binaryValue": "A" * 150_000}})
    replay.send([Prepared(one, replay.prepare(one))] * 2, destination.send, lambda _: None)
    assert [len(call) for call in destination.calls] == [1, 1]


@given(st.sets(st.integers(min_value=0, max_value=24)), st.integers(min_value=0, max_value=4))
def test_what_was_not_confirmed_is_reported(refused: set[int], failures: int) -> None:
    """Each message is taken or reported, at whichever position it is refused and however many calls fail."""
    bodies = [str(number) for number in range(25)]
    destination = Destination(frozenset(map(str, refused)), failures)
    reported = send(bodies, destination)
    assert sorted([*(f"m-{body}" for body in destination.taken), *reported]) == sorted(f"m-{body}" for body in bodies)
    assert {f"m-{number}" for number in refused} <= reported
    assert len(destination.calls) <= 3 * (1 + len(PAUSES))
