"""What a command may say: whatever is wrong is named by its field."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from eventfork import replay_requests
from eventfork.replay_filters import EventFilter
from eventfork.replay_jobs import FieldError, Source
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.samples import documents, resolve

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
SAID = {"source": "archive", "from": "2026-11-26T11:00:00Z", "targets": ["customers"]}


def test_what_is_said_is_read() -> None:
    said = {
        **SAID,
        "to": "2026-11-26T12:30:00+01:00",
        "pace": Decimal("2.5"),
        "canary": 3,
        "filter": {"types": ["A"], "customers": ["1"], "orders": ["2"], "expression": "detail"},
        "archive": " everything ",
        "force": True,
    }
    asked = replay_requests.asked(said, NOW)
    assert (asked.source, asked.targets, asked.pace, asked.canary) == (Source.ARCHIVE, ("customers",), 2.5, 3)
    assert asked.window.end == datetime(2026, 11, 26, 11, 30, tzinfo=UTC)
    assert asked.filter == EventFilter(("A",), ("1",), ("2",), "detail")
    assert (asked.archive, asked.forced) == ("everything", True)


@pytest.mark.parametrize("source", ["queue", "dlq"])
def test_a_queue_is_read_as_far_back_as_it_can_keep_anything(source: str) -> None:
    asked = replay_requests.asked({"source": source}, NOW)
    assert (asked.window.start, asked.window.end) == (NOW - timedelta(days=14), NOW)


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"source": "tape"}, "/source"),
        ({"source": None}, "/source"),
        ({"from": None}, "/from"),
        ({"from": "yesterday"}, "/from"),
        ({"from": 5}, "/from"),
        ({"from": "2026-11-26T11:00:00"}, "/from"),
        ({"from": "0001-01-01T00:00:00+10:00"}, "/from"),
        ({"to": "2026-11-26T12:00:01Z"}, "/to"),
        ({"to": "2026-11-26T11:00:00Z"}, "/to"),
        ({"to": "2026-11-26T10:00:00Z"}, "/to"),
        ({"targets": "customers"}, "/targets"),
        ({"targets": [1]}, "/targets"),
        ({"targets": [""]}, "/targets"),
        ({"pace": 0}, "/pace"),
        ({"pace": -1}, "/pace"),
        ({"pace": Decimal("1e-400")}, "/pace"),
        ({"from": "0001-01-01T00:00:00Z"}, "/from"),
        ({"pace": True}, "/pace"),
        ({"pace": Decimal("NaN")}, "/pace"),
        ({"pace": Decimal("sNaN")}, "/pace"),
        ({"pace": "fast"}, "/pace"),
        ({"pace": 100_001}, "/pace"),
        ({"canary": -1}, "/canary"),
        ({"canary": 1.5}, "/canary"),
        ({"canary": True}, "/canary"),
        ({"filter": []}, "/filter"),
        ({"filter": {"type": ["A"]}}, "/filter/type"),
        ({"filter": {"types": "A"}}, "/filter/types"),
        ({"filter": {"expression": "["}}, "/filter/expression"),
        ({"filter": {"expression": 1}}, "/filter/expression"),
        ({"archive": 1}, "/archive"),
        ({"archive": "x" * 1001}, "/archive"),
        ({"force": "yes"}, "/force"),
    ],
    ids=str,
)
def test_what_is_wrong_is_refused_by_its_field(wrong: dict[str, Any], pointer: str) -> None:
    with pytest.raises(FieldError) as refused:
        replay_requests.asked({**SAID, **wrong}, NOW)
    assert refused.value.pointer == pointer


@pytest.mark.parametrize("value", ["", "with space", "x" * 41, 5, "dot.dot"], ids=repr)
def test_an_id_that_cannot_begin_the_name_of_a_replay_is_refused(value: Any) -> None:
    with pytest.raises(FieldError):
        replay_requests.job_id({"jobId": value})


def test_what_is_not_said_has_a_default() -> None:
    assert replay_requests.job_id({}) is None
    assert replay_requests.actor({}) == "unknown"
    assert replay_requests.limit({}) == 20
    assert replay_requests.switch({}, "dryRun", default=True) is True


@pytest.mark.parametrize("said", [{}, {"reason": ""}, {"reason": "  "}, {"reason": 1}], ids=repr)
def test_nothing_is_done_without_a_reason(said: dict[str, Any]) -> None:
    with pytest.raises(FieldError):
        replay_requests.reason(said)


def test_what_a_command_has_no_use_for_is_refused() -> None:
    with pytest.raises(FieldError, match="/pase is not known"):
        replay_requests.only({"pase": 1, "jobId": "x"}, ("jobId", "pace"))


@given(
    st.dictionaries(
        st.sampled_from(["source", "from", "to", "targets", "pace", "canary", "archive", "force", "filter", "jobId"])
        | st.text(max_size=3),
        documents
        | st.sampled_from([*Source, "2026-11-26T11:00:00Z", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"])
        | st.floats()
        | st.decimals()
        | st.fixed_dictionaries({}, optional={"types": documents, "expression": st.text(), "a/b~c": documents}),
    )
)
def test_whatever_a_command_says_is_read_or_refused_by_the_field(said: dict[str, Any]) -> None:
    """By a pointer that leads to it, or to where it is missing."""
    readers: list[Callable[[], object]] = [
        lambda: replay_requests.asked(said, NOW),
        lambda: replay_requests.job_id(said),
        lambda: replay_requests.reason(said),
        lambda: replay_requests.actor(said),
        lambda: replay_requests.limit(said),
        lambda: replay_requests.only(said, ["source", "from"]),
    ]
    pointers: list[str] = []
    for read in readers:
        try:
            read()
        except FieldError as error:
            pointers.append(error.pointer)
            # What is left out may be what is wrong.
            if "missing" not in error.detail and error.pointer not in {"/source", "/to"}:
                resolve(said, error.pointer.removesuffix("/expression"))
    assert all(one.startswith("/") for one in pointers)
