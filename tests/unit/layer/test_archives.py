"""Rules and archives of a bus are found, and archives replayed; errors say whether it may help to try again."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.stub import Stubber
from eventfork.adapters.archives import ArchiveReplays, Archives
from eventfork.errors import DeniedError, NotFoundError, RefusedError, ServiceError, UnavailableError
from eventfork.replay_feeds import ReplayState
from eventfork.replay_windows import Window

from tests.unit.aws import ACCOUNT, REGION, Aws, unreachable

ARN = f"arn:aws:events:{REGION}:{ACCOUNT}"
BUS = f"{ARN}:event-bus/commerce"
ARCHIVE = f"{ARN}:archive/everything"
RULE = f"{ARN}:rule/commerce/customers-replay"
WINDOW = Window(datetime(2026, 11, 26, 8, tzinfo=UTC), datetime(2026, 11, 26, 9, tzinfo=UTC))
REPLAYED = {"replay-name": [{"exists": True}], "detail-type": ["OrderPlaced"]}
STARTED = {"ReplayArn": f"{ARN}:replay/one.1.0", "State": "STARTING"}


@pytest.fixture
def client(aws: Aws) -> Any:
    """Give a client of an account with a bus, an archive of it, and a replay rule."""
    client = aws.client("events")
    client.create_event_bus(Name="commerce")
    client.create_archive(ArchiveName="everything", EventSourceArn=BUS)
    client.put_rule(Name="customers-replay", EventBusName="commerce", EventPattern=json.dumps(REPLAYED))
    return client


@pytest.fixture
def archives(client: Any) -> Archives:
    """Give what the bus has."""
    return Archives(client, BUS)


@pytest.fixture
def replays(client: Any) -> ArchiveReplays:
    """Give the replays of the archive."""
    return ArchiveReplays(client, ARCHIVE, BUS)


@pytest.fixture
def stub(client: Any) -> Iterator[Stubber]:
    """Give what answers in the service's place."""
    with Stubber(client) as stub:
        yield stub
        stub.assert_no_pending_responses()


def test_the_rules_of_a_bus_are_read_with_their_patterns(client: Any, archives: Archives) -> None:
    """Page by page, and those of no other bus; the archive's own rule is one of them, as on AWS."""
    client.put_rule(Name="elsewhere", EventPattern=json.dumps(REPLAYED))
    for number in range(120):
        client.put_rule(Name=f"rule-{number}", EventBusName="commerce", EventPattern='{"source": ["shop"]}')
    rules = {rule.name: rule for rule in archives.rules()}
    assert (rules["customers-replay"].arn, rules["customers-replay"].pattern) == (RULE, REPLAYED)
    assert rules["customers-replay"].takes_replays
    assert {f"rule-{number}" for number in range(120)} < set(rules)
    assert "elsewhere" not in rules


def test_each_page_of_rules_is_asked_for_by_the_token_of_the_one_before(archives: Archives, stub: Stubber) -> None:
    """A rule that only follows a schedule has no pattern, and is left out."""
    scheduled = {"Name": "nightly", "Arn": f"{RULE}-nightly", "ScheduleExpression": "rate(1 day)"}
    replaying = {"Name": "customers-replay", "Arn": RULE, "EventPattern": json.dumps(REPLAYED)}
    stub.add_response("list_rules", {"Rules": [scheduled], "NextToken": "more"}, {"EventBusName": "commerce"})
    stub.add_response("list_rules", {"Rules": [replaying]}, {"EventBusName": "commerce", "NextToken": "more"})
    assert [rule.name for rule in archives.rules()] == ["customers-replay"]


def test_an_archive_is_found_by_its_name(archives: Archives) -> None:
    """One that is not there is not."""
    assert archives.archive_arn("everything") == ARCHIVE
    with pytest.raises(NotFoundError, match="nothing"):
        archives.archive_arn("nothing")


def test_an_archive_of_another_bus_is_refused_in_a_sentence(client: Any, archives: Archives) -> None:
    """EventBridge replays to no bus but the one that the archive is of."""
    client.create_event_bus(Name="other")
    client.create_archive(ArchiveName="others", EventSourceArn=f"{ARN}:event-bus/other")
    with pytest.raises(RefusedError, match=r"^The archive others is of another bus: .+\.$"):
        archives.archive_arn("others")


def test_a_replay_is_started_told_of_and_cancelled(client: Any, replays: ArchiveReplays) -> None:
    """It goes to the rules named, on the archive's own bus; moto's is over at once, and may be cancelled still."""
    assert replays.start("one.1.0", WINDOW, [RULE])
    started = client.describe_replay(ReplayName="one.1.0")
    assert started["Destination"] == {"Arn": BUS, "FilterArns": [RULE]}
    assert started["EventSourceArn"] == ARCHIVE
    assert (started["EventStartTime"], started["EventEndTime"]) == (WINDOW.start, WINDOW.end)
    assert replays.state("one.1.0") == (ReplayState.COMPLETED, "")
    replays.cancel("one.1.0")
    assert replays.state("one.1.0") == (ReplayState.CANCELLED, "")


def test_a_replay_that_was_started_already_is_not_started_again(replays: ArchiveReplays) -> None:
    """Its name tells: a worker which died has started this very one."""
    assert replays.start("one.1.0", WINDOW, [RULE])
    assert replays.start("one.1.0", WINDOW, [RULE])


def test_a_replay_that_is_one_too_many_waits(replays: ArchiveReplays, stub: Stubber) -> None:
    """Others of the account are active: it is no error, only not yet."""
    stub.add_client_error("start_replay", "LimitExceededException")
    stub.add_response("start_replay", STARTED)
    assert not replays.start("one.1.0", WINDOW, [RULE])
    assert replays.start("one.1.0", WINDOW, [RULE])


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ("STARTING", ReplayState.ACTIVE),
        ("RUNNING", ReplayState.ACTIVE),
        ("CANCELLING", ReplayState.ACTIVE),
        ("COMPLETED", ReplayState.COMPLETED),
        ("CANCELLED", ReplayState.CANCELLED),
        ("FAILED", ReplayState.FAILED),
    ],
)
def test_the_state_of_a_replay_comes_with_the_reason(
    replays: ArchiveReplays, stub: Stubber, told: str, state: ReplayState
) -> None:
    """One that is being cancelled still puts events on the bus."""
    stub.add_response("describe_replay", {"State": told, "StateReason": "so"}, {"ReplayName": "one.1.0"})
    assert replays.state("one.1.0") == (state, "so")


def test_every_state_that_eventbridge_knows_is_known(client: Any) -> None:
    """According to the client's own model of the service."""
    states = client.meta.service_model.shape_for("ReplayState").enum
    for told in states:
        with Stubber(client) as stub:
            stub.add_response("describe_replay", {"State": told})
            ArchiveReplays(client, ARCHIVE, BUS).state("one.1.0")


def test_a_replay_that_is_over_or_was_never_there_need_not_be_cancelled(replays: ArchiveReplays) -> None:
    """There is nothing to be stopped."""
    replays.cancel("one.1.0")
    replays.start("one.1.0", WINDOW, [RULE])
    replays.cancel("one.1.0")
    replays.cancel("one.1.0")


def test_a_replay_that_eventbridge_cannot_do_is_refused_with_its_reason(client: Any, replays: ArchiveReplays) -> None:
    """No retry would change that."""
    with pytest.raises(RefusedError, match=r"one\.1\.0: .*EventStartTime must be before EventEndTime"):
        replays.start("one.1.0", Window(WINDOW.end, WINDOW.start), [RULE])
    with pytest.raises(RefusedError, match="nothing does not exist"):
        ArchiveReplays(client, f"{ARN}:archive/nothing", BUS).start("one.1.0", WINDOW, [RULE])


def test_a_bus_or_a_replay_that_is_not_there_is_not_found(client: Any, replays: ArchiveReplays) -> None:
    """Its name is said."""
    with pytest.raises(NotFoundError):
        Archives(client, f"{ARN}:event-bus/none").rules()
    with pytest.raises(NotFoundError, match=r"one\.1\.0"):
        replays.state("one.1.0")


CALLS: dict[str, Callable[[Any], object]] = {
    "list_rules": lambda client: Archives(client, BUS).rules(),
    "describe_archive": lambda client: Archives(client, BUS).archive_arn("everything"),
    "start_replay": lambda client: ArchiveReplays(client, ARCHIVE, BUS).start("one.1.0", WINDOW, [RULE]),
    "describe_replay": lambda client: ArchiveReplays(client, ARCHIVE, BUS).state("one.1.0"),
    "cancel_replay": lambda client: ArchiveReplays(client, ARCHIVE, BUS).cancel("one.1.0"),
}


@pytest.mark.parametrize("operation", CALLS)
@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ThrottlingException", UnavailableError),
        ("ConcurrentModificationException", UnavailableError),
        ("InternalException", UnavailableError),
        ("ValidationException", RefusedError),
        ("AccessDeniedException", DeniedError),
    ],
)
def test_an_error_is_told_as_what_it_is(client: Any, operation: str, code: str, error: type[ServiceError]) -> None:
    """With the code, or with EventBridge's reason where it gives one."""
    status = 500 if code == "InternalException" else 400
    with Stubber(client) as stub:
        stub.add_client_error(operation, code, "", http_status_code=status)
        with pytest.raises(error, match=code):
            CALLS[operation](client)


@pytest.mark.parametrize("operation", CALLS)
def test_an_eventbridge_that_cannot_be_reached_is_unavailable(client: Any, operation: str) -> None:
    """It may pass."""
    with unreachable(client), pytest.raises(UnavailableError):
        CALLS[operation](client)
