"""Amazon EventBridge: the rules and the archives of a bus, and replays of an archive."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from eventfork.errors import DeniedError, NotFoundError, RefusedError, UnavailableError
from eventfork.replay_feeds import ReplayState
from eventfork.replay_targets import Rule
from eventfork.replay_windows import Window

__all__ = ["ArchiveReplays", "Archives"]

_ANSWERS: Final = frozenset({"ResourceAlreadyExistsException", "LimitExceededException", "IllegalStatusException"})
"""Errors that tell how things stand: `ArchiveReplays` makes an answer of them."""
_REFUSALS: Final = frozenset({"ValidationException", "InvalidEventPatternException"})
_STATES: Final = {
    "STARTING": ReplayState.ACTIVE,
    "RUNNING": ReplayState.ACTIVE,
    "CANCELLING": ReplayState.ACTIVE,
    "COMPLETED": ReplayState.COMPLETED,
    "CANCELLED": ReplayState.CANCELLED,
    "FAILED": ReplayState.FAILED,
}
"""EventBridge API reference, "DescribeReplay"."""


class Archives:
    """What a bus has: its rules, and its archives.

    Every method raises `DeniedError` if the caller may not, `NotFoundError` if the bus or the archive is not there,
    `RefusedError` if EventBridge does not take what it is asked, and `UnavailableError` if it did not answer.

    Parameters
    ----------
    client : botocore client of EventBridge
    bus_arn : str
    """

    def __init__(self, client: Any, bus_arn: str) -> None:
        self._client = client
        self._bus_arn = bus_arn

    def rules(self) -> list[Rule]:
        """Give the rules that take events off the bus; those that only follow a schedule are left out."""
        return [
            Rule(rule["Name"], rule["Arn"], json.loads(rule["EventPattern"]))
            for rule in self._all_rules()
            if rule.get("EventPattern")
        ]

    def _all_rules(self) -> Iterator[dict[str, Any]]:
        more: dict[str, str] = {}
        while True:
            with _translated("list the rules"):
                page = self._client.list_rules(EventBusName=self._bus_arn.rpartition("/")[2], **more)
            yield from page["Rules"]
            if not page.get("NextToken"):
                return
            more = {"NextToken": page["NextToken"]}

    def archive_arn(self, name: str) -> str:
        """Give the ARN of an archive by its name; an archive of another bus is refused."""
        with _translated(f"find the archive {name}"):
            archive = self._client.describe_archive(ArchiveName=name)
        if archive["EventSourceArn"] != self._bus_arn:
            raise RefusedError(f"The archive {name} is of another bus: only what it keeps of this one can be replayed.")
        arn: str = archive["ArchiveArn"]
        return arn


class ArchiveReplays:
    """Replays of an archive; it implements `eventfork.replay_feeds.Replays`.

    Every method raises `DeniedError` if the caller may not, `NotFoundError` if the archive or the replay is not there,
    `RefusedError` if EventBridge does not take what it is asked, and `UnavailableError` if it did not answer.

    Parameters
    ----------
    client : botocore client of EventBridge
    archive_arn : str
    bus_arn : str
        The bus that the archive is of: EventBridge replays to no other.
    """

    def __init__(self, client: Any, archive_arn: str, bus_arn: str) -> None:
        self._client = client
        self._archive_arn = archive_arn
        self._bus_arn = bus_arn

    def start(self, name: str, window: Window, rule_arns: Sequence[str]) -> bool:
        """Start a replay; tell whether it runs, or did: False where as many are active as the account may have.

        Parameters
        ----------
        name : str
            What nothing else is called: a replay that has this name is taken for this one.
        window : Window
        rule_arns : sequence of str
            The rules that receive its events.
        """
        try:
            with _translated(f"start the replay {name}"):
                self._client.start_replay(
                    ReplayName=name,
                    EventSourceArn=self._archive_arn,
                    EventStartTime=window.start,
                    EventEndTime=window.end,
                    Destination={"Arn": self._bus_arn, "FilterArns": list(rule_arns)},
                )
        except self._client.exceptions.ResourceAlreadyExistsException:
            return True
        except self._client.exceptions.LimitExceededException:
            return False
        return True

    def state(self, name: str) -> tuple[ReplayState, str]:
        """Give the state of a replay, and the reason for it; the reason is empty where EventBridge gives none."""
        with _translated(f"tell the state of the replay {name}"):
            replay = self._client.describe_replay(ReplayName=name)
        return _STATES[replay["State"]], replay.get("StateReason", "")

    def cancel(self, name: str) -> None:
        """Cancel a replay, if it runs."""
        try:
            with _translated(f"cancel the replay {name}"):
                self._client.cancel_replay(ReplayName=name)
        except (self._client.exceptions.IllegalStatusException, NotFoundError):
            # It is over, or was never there.
            return


@contextmanager
def _translated(task: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in _ANSWERS:
            raise
        if code == "ResourceNotFoundException":
            raise NotFoundError(f"EventBridge did not {task}: {_reason(error)}") from error
        if code in _REFUSALS:
            raise RefusedError(f"EventBridge does not {task}: {_reason(error)}") from error
        if code == "AccessDeniedException":
            raise DeniedError(f"EventBridge does not {task}: {code}") from error
        raise UnavailableError(f"EventBridge did not {task}: {code}") from error
    except BotoCoreError as error:
        raise UnavailableError(f"EventBridge did not {task}") from error


def _reason(error: ClientError) -> str:
    return str(error.response["Error"].get("Message") or error.response["Error"]["Code"])
