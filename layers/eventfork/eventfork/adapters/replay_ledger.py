"""Amazon DynamoDB: the ledger of replays, a job an item, and one item more that says which jobs are active."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from eventfork.adapters.service_failures import translated
from eventfork.attribute_values import encoded
from eventfork.errors import NotFoundError, UnavailableError
from eventfork.json_text import parse, render
from eventfork.replay_jobs import Active, ConflictError, Job
from eventfork.replay_records import active_document, read, read_active, record
from eventfork.timestamps import timestamp

__all__ = ["ReplayLedger"]

_INDEX: Final = "ByRequestTime"
_LEDGER: Final = "job"
"""What the index files jobs under. The register has no such attribute, so that the index leaves it out."""
_ACTIVE: Final = "#active"
"""Where the register is: no job can have this id."""
_CONFLICTS: Final = frozenset({"ConditionalCheckFailed", "TransactionConflict"})
"""Reasons to cancel that are another writer's. DynamoDB API reference, "TransactWriteItems"."""


class ReplayLedger:
    """The table that keeps replays; it implements `eventfork.replay_jobs.Ledger`.

    Parameters
    ----------
    client : botocore client of DynamoDB
    table_name : str
    """

    def __init__(self, client: Any, table_name: str) -> None:
        self._client = client
        self._name = table_name

    def job(self, job_id: str) -> Job:
        """Give a job as it is now.

        Raises
        ------
        NotFoundError
            If there is none.
        UnavailableError
            If DynamoDB did not answer.
        """
        item = self._item(job_id)
        if item is None or "Ledger" not in item:
            raise NotFoundError(f"there is no replay {job_id}")
        return _job(item)

    def newest(self, most: int) -> list[Job]:
        """Give the jobs that were asked for last, the newest first; what was written just now may be missing.

        Raises
        ------
        UnavailableError
            If DynamoDB did not answer.
        """
        # A page ends at a megabyte: jobs with a long history may take several.
        pages = self._client.get_paginator("query").paginate(
            TableName=self._name,
            IndexName=_INDEX,
            KeyConditionExpression="#Ledger = :ledger",
            ExpressionAttributeNames={"#Ledger": "Ledger"},
            ExpressionAttributeValues={":ledger": encoded(_LEDGER)},
            ScanIndexForward=False,
            PaginationConfig={"MaxItems": most, "PageSize": most},
        )
        with translated("DynamoDB", "list the replays"):
            return [_job(item) for page in pages for item in page["Items"]]

    def active(self) -> Active:
        """Give the register of active jobs as it is now.

        Raises
        ------
        UnavailableError
            If DynamoDB did not answer.
        """
        item = self._item(_ACTIVE)
        return Active() if item is None else read_active(parse(item["Record"]["S"]), _version(item))

    def save(self, job: Job, active: Active | None = None) -> Job:
        """Write a job, together with the register where that is given; give the job with its new version.

        Raises
        ------
        ConflictError
            If either has another version by now than it had when it was read; a new job has 0.
        UnavailableError
            If it cannot be known whether it was written.
        """
        item = {
            "JobId": encoded(job.id),
            "Ledger": encoded(_LEDGER),
            "RequestedAt": encoded(timestamp(job.requested_at)),
            "State": encoded(job.state.value),
            "Version": encoded(job.version + 1),
            "Record": encoded(render(record(job))),
        }
        try:
            if active is None:
                self._put(item)
            else:
                self._put_both(item, _register(active))
        except ConflictError:
            # An attempt that DynamoDB carried out, but could not answer, was made again by the client and found its
            # own item. Whoever else writes this version writes something else: a time of its own, or its lease.
            if self._item(job.id) != item:
                raise
        return replace(job, version=job.version + 1)

    def _put(self, item: Mapping[str, Any]) -> None:
        try:
            self._client.put_item(**self._write(item))
        except (
            self._client.exceptions.ConditionalCheckFailedException,
            self._client.exceptions.TransactionConflictException,
        ) as error:
            raise ConflictError from error
        except (ClientError, BotoCoreError) as error:
            raise UnavailableError("DynamoDB did not take the replay") from error

    def _put_both(self, item: Mapping[str, Any], register: Mapping[str, Any]) -> None:
        puts = [{"Put": self._write(one)} for one in (item, register)]
        try:
            self._client.transact_write_items(TransactItems=puts)
        except self._client.exceptions.TransactionCanceledException as error:
            if _CONFLICTS.isdisjoint(reason.get("Code") for reason in error.response.get("CancellationReasons", [])):
                raise UnavailableError("DynamoDB did not take the replay") from error
            raise ConflictError from error
        except self._client.exceptions.TransactionInProgressException as error:
            # The transaction in progress is this one, as an attempt before began it.
            if self._item(item["JobId"]["S"]) != item:
                raise UnavailableError("DynamoDB does not say whether it took the replay") from error
        except (ClientError, BotoCoreError) as error:
            raise UnavailableError("DynamoDB did not take the replay") from error

    def _write(self, item: Mapping[str, Any]) -> dict[str, Any]:
        before = int(item["Version"]["N"]) - 1
        if not before:
            return {"TableName": self._name, "Item": item, "ConditionExpression": "attribute_not_exists(JobId)"}
        return {
            "TableName": self._name,
            "Item": item,
            "ConditionExpression": "#Version = :before",
            "ExpressionAttributeNames": {"#Version": "Version"},
            "ExpressionAttributeValues": {":before": encoded(before)},
        }

    def _item(self, job_id: str) -> Mapping[str, Any] | None:
        with translated("DynamoDB", "give the replay"):
            answer = self._client.get_item(TableName=self._name, Key={"JobId": encoded(job_id)}, ConsistentRead=True)
        item: Mapping[str, Any] | None = answer.get("Item")
        return item


def _register(active: Active) -> dict[str, Any]:
    return {
        "JobId": encoded(_ACTIVE),
        "Version": encoded(active.version + 1),
        "Record": encoded(render(active_document(active))),
    }


def _job(item: Mapping[str, Any]) -> Job:
    return read(parse(item["Record"]["S"]), _version(item))


def _version(item: Mapping[str, Any]) -> int:
    return int(item["Version"]["N"])
