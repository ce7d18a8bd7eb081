"""The ledger keeps jobs whole, and lets no writer undo what another has written."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.stub import Stubber
from eventfork.adapters.replay_ledger import ReplayLedger
from eventfork.errors import NotFoundError, UnavailableError
from eventfork.json_text import parse
from eventfork.replay_filters import EventFilter
from eventfork.replay_jobs import Active, ActiveJob, ConflictError, Counts, Job, Lease, Request, Source, State
from eventfork.replay_windows import Window

from tests.unit.aws import Aws, unreachable

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
WINDOW = Window(NOON - timedelta(hours=1), NOON)
HOLDS = frozenset({"the replay buffer of customers"})
CONDITION_FAILED = {"Code": "ConditionalCheckFailed"}
NO_REASON = {"Code": "None"}


def job(name: str = "one", **other: Any) -> Job:
    """Give a job that was asked for, but for what is said."""
    request = Request(source=Source.ARCHIVE, window=WINDOW, targets=("customers",))
    planned = Job(id=name, request=request, state=State.PLANNED, requested_at=NOON, starts_at=NOON)
    return replace(planned, **other)


def register(*names: str, version: int = 0) -> Active:
    """Give the register with these jobs in it."""
    return Active({name: ActiveJob(("customers",), WINDOW, HOLDS) for name in names}, version)


@pytest.fixture
def ledger(aws: Aws) -> ReplayLedger:
    """Give an empty ledger."""
    return ReplayLedger(aws.client("dynamodb"), aws.replay_table())


@contextmanager
def answer_lost(client: Any, operation: str, meanwhile: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Have the next call of an operation carried out, its answer lost, and the client make it again."""
    lost: list[str] = []

    def lose(**_: Any) -> float | None:
        if lost:
            return None
        lost.append(operation)
        meanwhile()
        return 0.0

    event = f"needs-retry.dynamodb.{operation}"
    client.meta.events.register_first(event, lose)
    try:
        yield
    finally:
        client.meta.events.unregister(event, lose)
    assert lost


def test_a_job_is_kept_as_it_is(ledger: ReplayLedger) -> None:
    """Every field of it, floats to the last digit and the checkpoint in whole numbers."""
    request = Request(
        source=Source.BACKUP,
        window=WINDOW,
        targets=("checkout", "customers"),
        filter=EventFilter(("a",), ("b",), ("c",), "detail.`1`"),
        pace=0.1 + 0.2,
        canary=5,
        archive="all",
        reason="Grund „ß“ \u2028\N{SNOWMAN}",
        actor="arn:aws:iam::123456789012:user/ada",
        forced=True,
    )
    full = job(
        request=request,
        starts_at=NOON + timedelta(microseconds=1),
        counts=Counts(None, 1, 2, 3, 4),
        checkpoint={"hour": "2026", "line": 7, "started": True, "next": None},
        canary_sent_at=NOON.timestamp() + 1e-6,
        paced_at=1e-7,
        pace_now=33.3,
        lease=Lease("worker", 1795694400.123456),
        outcome="Trying again.",
    ).moved(State.WAITING, NOON, "ada", "start", "why")
    saved = ledger.save(full)
    assert saved == replace(full, version=1)
    assert ledger.job("one") == saved
    assert [type(value) for value in ledger.job("one").checkpoint.values()] == [str, int, bool, type(None)]
    assert ledger.newest(10) == [saved]


def test_an_item_says_in_attributes_what_it_is_found_by(aws: Aws, ledger: ReplayLedger) -> None:
    """All else is one text; the register has no attribute that the index asks for."""
    ledger.save(job(), register("one"))
    items = {item["JobId"]["S"]: item for item in aws.rows("ReplayTable")}
    assert parse(items["one"].pop("Record")["S"])["id"] == "one"
    assert items["one"] == {
        "JobId": {"S": "one"},
        "Ledger": {"S": "job"},
        "RequestedAt": {"S": "2026-11-26T12:00:00.000000Z"},
        "State": {"S": "PLANNED"},
        "Version": {"N": "1"},
    }
    assert set(items["#active"]) == {"JobId", "Version", "Record"}


def test_what_is_not_in_the_ledger_is_not_found(ledger: ReplayLedger) -> None:
    """Neither is the register, which is no job."""
    with pytest.raises(NotFoundError, match="two"):
        ledger.job("two")
    ledger.save(job(), register("one"))
    with pytest.raises(NotFoundError):
        ledger.job("#active")


def test_the_newest_jobs_come_first(ledger: ReplayLedger) -> None:
    """By when they were asked for, at most so many of them; the register is none of them."""
    assert ledger.newest(3) == []
    for minute in (2, 0, 3, 1):
        ledger.save(job(str(minute), requested_at=NOON + timedelta(minutes=minute)))
    ledger.save(job("4", requested_at=NOON + timedelta(minutes=4)), register("4"))
    assert [one.id for one in ledger.newest(3)] == ["4", "3", "2"]
    assert [one.id for one in ledger.newest(100)] == ["4", "3", "2", "1", "0"]


def test_jobs_that_fill_a_page_are_followed_by_the_next(ledger: ReplayLedger) -> None:
    """A page of DynamoDB ends at a megabyte."""
    for minute in range(5):
        ledger.save(job(str(minute), requested_at=NOON + timedelta(minutes=minute), outcome="x" * 350_000))
    assert [one.id for one in ledger.newest(4)] == ["4", "3", "2", "1"]


def test_the_register_is_written_together_with_a_job(ledger: ReplayLedger) -> None:
    """At first there is none, and nobody is active."""
    assert ledger.active() == Active()
    saved = ledger.save(job(), ledger.active().admitting(job()))
    assert ledger.active() == register("one", version=1)
    ledger.save(saved, ledger.active().without("one"))
    assert ledger.active() == register(version=2)
    assert ledger.job("one").version == 2


@pytest.mark.parametrize("together", [False, True])
def test_who_comes_second_is_told_and_has_written_nothing(ledger: ReplayLedger, together: bool) -> None:
    """A job that is there already, or was written since it was read."""

    def save(one: Job) -> Job:
        return ledger.save(one, ledger.active() if together else None)

    first = save(job(outcome="first"))
    with pytest.raises(ConflictError):
        save(job(outcome="second"))
    newer = save(replace(first, outcome="newer"))
    with pytest.raises(ConflictError):
        save(replace(first, outcome="late"))
    assert ledger.job("one") == newer


def test_a_job_is_not_written_if_the_register_has_changed(ledger: ReplayLedger) -> None:
    """Two jobs that may not be active together would be."""
    read_before = ledger.active()
    ledger.save(job(), read_before.admitting(job()))
    with pytest.raises(ConflictError):
        ledger.save(job("two"), read_before)
    with pytest.raises(NotFoundError):
        ledger.job("two")
    assert set(ledger.active().jobs) == {"one"}


@pytest.mark.parametrize(("operation", "active"), [("PutItem", None), ("TransactWriteItems", register("one"))], ids=str)
def test_an_attempt_that_was_answered_too_late_is_no_conflict(
    aws: Aws, ledger: ReplayLedger, operation: str, active: Active | None
) -> None:
    """The client makes it again, and finds what it has written itself."""
    with answer_lost(aws.client("dynamodb"), operation):
        saved = ledger.save(job(), active)
    assert (saved.version, ledger.job("one")) == (1, saved)
    again = None if active is None else ledger.active()
    with answer_lost(aws.client("dynamodb"), operation):
        saved = ledger.save(replace(saved, outcome="later"), again)
    assert (saved.version, ledger.job("one")) == (2, saved)


def test_another_writer_after_a_lost_answer_is_a_conflict(aws: Aws, ledger: ReplayLedger) -> None:
    """What is there now is not what was written, and must be read."""
    client = aws.client("dynamodb")

    def write_on() -> None:
        ReplayLedger(client, "ReplayTable").save(replace(ledger.job("one"), outcome="another's"))

    with answer_lost(client, "PutItem", write_on), pytest.raises(ConflictError):
        ledger.save(job(outcome="mine"))
    assert ledger.job("one").outcome == "another's"


def test_a_write_that_meets_a_transaction_is_a_conflict(aws: Aws) -> None:
    """DynamoDB refuses it, and has written nothing."""
    client = aws.client("dynamodb")
    with Stubber(client) as stub:
        stub.add_client_error("put_item", "TransactionConflictException")
        stub.add_response("get_item", {})
        with pytest.raises(ConflictError):
            ReplayLedger(client, "ReplayTable").save(job())


@pytest.mark.parametrize(
    "reasons",
    [
        [NO_REASON, CONDITION_FAILED],
        [{"Code": "TransactionConflict"}, NO_REASON],
        [{"Code": "ThrottlingError"}, CONDITION_FAILED],
    ],
    ids=str,
)
def test_a_transaction_that_met_another_writer_is_a_conflict(aws: Aws, reasons: list[dict[str, str]]) -> None:
    """Whichever of the two items it met it at, and even if it was throttled besides."""
    client = aws.client("dynamodb")
    with Stubber(client) as stub:
        fields = {"CancellationReasons": reasons}
        stub.add_client_error("transact_write_items", "TransactionCanceledException", modeled_fields=fields)
        stub.add_response("get_item", {})
        with pytest.raises(ConflictError):
            ReplayLedger(client, "ReplayTable").save(job(), register("one"))


@pytest.mark.parametrize("fields", [{"CancellationReasons": [NO_REASON, {"Code": "ThrottlingError"}]}, {}], ids=str)
def test_a_transaction_that_was_cancelled_for_another_reason_is_unavailable(aws: Aws, fields: dict[str, Any]) -> None:
    """Or for one that is not told: to read and decide again would help nothing."""
    client = aws.client("dynamodb")
    with Stubber(client) as stub:
        stub.add_client_error("transact_write_items", "TransactionCanceledException", modeled_fields=fields)
        with pytest.raises(UnavailableError):
            ReplayLedger(client, "ReplayTable").save(job(), register("one"))


def test_a_transaction_that_is_still_in_progress_is_looked_for(aws: Aws, ledger: ReplayLedger) -> None:
    """It is this very one: either it shows by now, or it cannot be known whether it will."""
    client = aws.client("dynamodb")
    saved = ledger.save(job(), register("one"))
    item = client.get_item(TableName="ReplayTable", Key={"JobId": {"S": "one"}})["Item"]
    with Stubber(client) as stub:
        stub.add_client_error("transact_write_items", "TransactionInProgressException")
        stub.add_response("get_item", {"Item": item})
        assert ledger.save(job(), register("one")) == saved
        stub.add_client_error("transact_write_items", "TransactionInProgressException")
        stub.add_response("get_item", {})
        with pytest.raises(UnavailableError):
            ledger.save(job(), register("one"))


def test_a_conflict_that_cannot_be_looked_into_is_unavailable(aws: Aws) -> None:
    """It may have been this writer's own."""
    client = aws.client("dynamodb")
    with Stubber(client) as stub:
        stub.add_client_error("put_item", "ConditionalCheckFailedException")
        stub.add_client_error("get_item", "InternalServerError", http_status_code=500)
        with pytest.raises(UnavailableError):
            ReplayLedger(client, "ReplayTable").save(job())


CALLS: dict[str, Callable[[ReplayLedger], object]] = {
    "get_item": lambda ledger: ledger.job("one"),
    "query": lambda ledger: ledger.newest(5),
    "put_item": lambda ledger: ledger.save(job()),
    "transact_write_items": lambda ledger: ledger.save(job(), register("one")),
}


@pytest.mark.parametrize("call", [*CALLS, "active"])
def test_a_table_that_throttles_fails_or_cannot_be_reached_is_unavailable(aws: Aws, call: str) -> None:
    """So is one that is not there."""
    client = aws.client("dynamodb")
    ledger = ReplayLedger(client, "ReplayTable")
    operation, ask = ("get_item", ReplayLedger.active) if call == "active" else (call, CALLS[call])
    with Stubber(client) as stub:
        stub.add_client_error(operation, "ThrottlingException", http_status_code=400)
        stub.add_client_error(operation, "InternalServerError", http_status_code=500)
        for _ in range(2):
            with pytest.raises(UnavailableError):
                ask(ledger)
    with unreachable(client), pytest.raises(UnavailableError):
        ask(ledger)
    with pytest.raises(UnavailableError):
        ask(ledger)
