"""The named queries of the backup pipeline answer, exactly, over the objects that the deployed application stored.

The engine projects no partitions by itself: an extension reads the hour of an object from its name, as the projection
in the template says (`local.engine.extensions.json_tables`). What it leaves out is the projection's range.
"""

import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from typing import Any

import pytest
from eventfork.json_text import parse

from local.sample_orders import render, sample_orders
from tests.integration.application import Application, eventually

EARLIEST, LATEST = "'2026/01/01/00'", "'9999/01/01/00'"
CURRENCIES = ("XQA", "xqb", "XqA")
"""No other test's orders have these; two of them are one currency."""
FOREIGN = {
    "specversion": "1.0",
    "id": "foreign",
    "source": "elsewhere",
    "type": "elsewhere.OrderSubmitted",
    "data": {"payment": {"amount": 1, "currency": "XQA"}, "customer": {"id": 1}, "Key": [{"Note": 'é " 1.50'}]},
}
"""Has neither time nor subject, as a CloudEvent may."""
MANY_DIGITS = Context(prec=60)

Row = dict[str, str | None]


@dataclass(frozen=True)
class Posted:
    """An order that was posted, as it was written, and its event."""

    order: dict[str, Any]
    event_id: str

    @property
    def amount(self) -> Decimal:
        """What was paid, to the last digit."""
        return Decimal(self.order["payment"]["amount"])


class Backup:
    """The backup's workgroup, with its named queries.

    Parameters
    ----------
    application : Application
    """

    def __init__(self, application: Application) -> None:
        cloudformation = application.engine.client("cloudformation")
        [pipeline] = cloudformation.describe_stack_resources(
            StackName=application.stack, LogicalResourceId="BackupPipeline"
        )["StackResources"]
        [stack] = cloudformation.describe_stacks(StackName=pipeline["PhysicalResourceId"])["Stacks"]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        self.work_group, self.database = outputs["QueryWorkGroup"], outputs["QueryDatabase"]
        self.athena = application.engine.client("athena")

    def named_queries(self) -> dict[str, dict[str, Any]]:
        """Give the named queries by name."""
        ids = self.athena.list_named_queries(WorkGroup=self.work_group)["NamedQueryIds"]
        queries = self.athena.batch_get_named_query(NamedQueryIds=ids)["NamedQueries"]
        return {query["Name"]: query for query in queries}

    def run(self, name: str, *parameters: str) -> list[Row]:
        """Run a named query, and give its rows."""
        query = self.named_queries()[name]
        return self.rows(query["QueryString"], *parameters)

    def rows(self, query: str, *parameters: str) -> list[Row]:
        """Run a query in the workgroup, and give its rows."""
        query_id = self.athena.start_query_execution(
            QueryString=query,
            WorkGroup=self.work_group,
            QueryExecutionContext={"Database": self.database},
            **({"ExecutionParameters": list(parameters)} if parameters else {}),
        )["QueryExecutionId"]

        def ended() -> Any:
            status = self.athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]["Status"]
            return status if status["State"] in ("SUCCEEDED", "FAILED", "CANCELLED") else None

        status = eventually(ended, "the end of the query")
        assert status["State"] == "SUCCEEDED", status
        table = self.athena.get_query_results(QueryExecutionId=query_id)["ResultSet"]["Rows"]
        if not table:
            return []
        head, *rows = [[cell.get("VarCharValue") for cell in row["Data"]] for row in table]
        return [dict(zip(head, row, strict=True)) for row in rows]


@pytest.fixture(scope="module")
def backup(application: Application) -> Backup:
    """Give the workgroup of the deployed application."""
    return Backup(application)


@pytest.fixture(scope="module")
def posted(application: Application) -> list[Posted]:
    """Post varied orders, the first of them twice; wait until all are in the backup, and an event that is no order."""
    orders = sample_orders(count=24, seed=4713)
    for number, order in enumerate(orders):
        order["payment"]["currency"] = CURRENCIES[number % len(CURRENCIES)]
    for later in orders[8:11]:
        later["customer"] = orders[0]["customer"]
    all_posted = [Posted(order, application.post(render(order)).body["eventId"]) for order in orders]
    assert application.post(render(orders[0])).body["eventId"] == all_posted[0].event_id
    # Past the topic, whose other forks would have to deal with it.
    application.engine.client("sqs").send_message(
        QueueUrl=application.outputs["BackupQueueUrl"], MessageBody=json.dumps(FOREIGN)
    )
    wanted = Counter([*(one.event_id for one in all_posted), all_posted[0].event_id, FOREIGN["id"]])

    def arrived() -> bool:
        return wanted <= Counter(event["id"] for event in application.backup_events())

    assert eventually(arrived, "every order in the backup")
    return all_posted


def decimal(text: str | None) -> Decimal:
    """Read a number of an answer."""
    assert text is not None
    return Decimal(text)


def test_orders_by_day_counts_every_order_once(application: Application, backup: Backup, posted: list[Posted]) -> None:
    def submitted() -> dict[str, str]:
        # An order that is sent again is accepted again, later.
        first: dict[str, str] = {}
        for event in application.backup_events():
            if event["type"] == "eventfork.checkout.OrderSubmitted":
                first[event["id"]] = min(event["time"], first.get(event["id"], event["time"]))
        return first

    def answer() -> dict[str | None, int] | None:
        # Orders of other tests may still be on their way.
        before = submitted()
        rows = backup.run("Orders by day")
        assert before.keys() >= {one.event_id for one in posted}
        counted = {row["day"]: int(decimal(row["orders"])) for row in rows}
        return counted if counted == Counter(time[:10] for time in before.values()) else None

    counted = eventually(answer, "a count that is the objects' own")
    assert counted.keys() <= {str((datetime.now(UTC) - timedelta(days=days)).date()) for days in (0, 1)}


def test_revenue_by_currency_is_exact(backup: Backup, posted: list[Posted]) -> None:
    revenue = {row["currency"]: row for row in backup.run("Revenue by currency")}
    for currency in ("XQA", "XQB"):
        amounts = [one.amount for one in posted if one.order["payment"]["currency"].upper() == currency]
        assert len(amounts) in (8, 16)
        assert decimal(revenue[currency]["orders"]) == len(amounts)
        total = Decimal(0)
        for amount in amounts:
            total = MANY_DIGITS.add(total, amount)
        assert decimal(revenue[currency]["revenue"]) == total


def test_the_history_of_a_customer_has_each_of_the_orders_once(backup: Backup, posted: list[Posted]) -> None:
    customer = posted[0].order["customer"]["id"]
    theirs = [one for one in posted if one.order["customer"]["id"] == customer]
    assert len(theirs) == 4
    rows = backup.run("History of a customer", EARLIEST, f"'{customer}'")
    assert [row["order_id"] for row in rows] == [str(one.order["id"]) for one in theirs]
    for row, one in zip(rows, theirs, strict=True):
        assert row["event_id"] == one.event_id
        assert row["status"] == one.order["status"]
        assert decimal(row["amount"]) == one.amount
        assert row["currency"] == one.order["payment"]["currency"].upper()
        assert row["payment_method"] == one.order["payment"]["method"]


def test_an_event_is_found_by_its_id_with_the_number_of_its_deliveries(backup: Backup, posted: list[Posted]) -> None:
    for one, deliveries in [(posted[0], 2), (posted[3], 1)]:
        [row] = backup.run("Event by id", EARLIEST, f"'{one.event_id}'")
        assert int(decimal(row["deliveries"])) == deliveries
        assert row["type"] == "eventfork.checkout.OrderSubmitted"
        assert row["source"] == "eventfork.checkout"
        assert row["subject"] == str(one.order["id"])
        assert (row["first_time"] == row["last_time"]) == (deliveries == 1)
        order = parse(str(row["data"]))
        assert order["items"] == parse(render(one.order).decode())["items"]
        assert order["payment"]["amount"] == one.amount
    [row] = backup.run("Event by id", EARLIEST, "'foreign'")
    assert json.loads(str(row["data"])) == FOREIGN["data"]
    assert (row["source"], row["first_time"], row["subject"]) == ("elsewhere", None, None)
    assert backup.run("Event by id", EARLIEST, "'nothing'") == []
    assert backup.run("Event by id", LATEST, f"'{posted[0].event_id}'") == []


def test_orders_are_written_to_a_parquet_table_exactly(backup: Backup, posted: list[Posted]) -> None:
    backup.run("Orders to Parquet", EARLIEST, LATEST)
    rows = {row["event_id"]: row for row in backup.rows("SELECT * FROM orders_parquet")}
    for one in posted:
        row = rows[one.event_id]
        assert row["order_id"] == str(one.order["id"])
        assert row["customer_id"] == str(one.order["customer"]["id"])
        assert decimal(row["amount"]) == one.amount
        assert row["day"] == str(row["accepted_at"])[:10]
        assert json.loads(str(row["data"]))["items"]
    assert len(backup.rows("SELECT event_id FROM orders_parquet")) == len(rows)


def test_every_named_query_is_tried_here(backup: Backup) -> None:
    assert set(backup.named_queries()) == {
        "Orders by day",
        "Revenue by currency",
        "History of a customer",
        "Event by id",
        "Orders to Parquet",
    }
