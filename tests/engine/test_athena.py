"""How Athena answers queries over JSON lines, and how stacks keep queries."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.engine.workbench import Workbench

NAMED_QUERY = """
AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  Number: {Type: String}
Resources:
  Group:
    Type: AWS::Athena::WorkGroup
    Properties: {Name: !Ref AWS::StackName, RecursiveDeleteOption: true}
  Query:
    Type: AWS::Athena::NamedQuery
    Properties:
      Name: The number
      Database: default
      WorkGroup: !Ref Group
      QueryString: !Sub SELECT ${Number} AS number
Outputs:
  Id: {Value: !Ref Query}
  SameId: {Value: !GetAtt Query.NamedQueryId}
"""
LONG = "33.33333333333333333333333"


class Warehouse:
    """A database with the table `events`, whose rows are lines of objects filed by the hour."""

    def __init__(self, workbench: Workbench) -> None:
        self.workbench = workbench
        self.bucket = workbench.name("warehouse")
        self.database = self.bucket.replace("-", "_")
        workbench.client("s3").create_bucket(Bucket=self.bucket)
        glue = workbench.client("glue")
        glue.create_database(DatabaseInput={"Name": self.database})
        glue.create_table(
            DatabaseName=self.database,
            TableInput={
                "Name": "events",
                "Parameters": {
                    "classification": "json",
                    "projection.enabled": "true",
                    "projection.datehour.type": "date",
                    "projection.datehour.format": "yyyy/MM/dd/HH",
                    "storage.location.template": f"s3://{self.bucket}/events/${{datehour}}/",
                },
                "PartitionKeys": [{"Name": "datehour", "Type": "string"}],
                "StorageDescriptor": {
                    "Location": f"s3://{self.bucket}/events/",
                    "SerdeInfo": {"SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe"},
                    "Columns": [{"Name": name, "Type": "string"} for name in ("id", "subject", "data")],
                },
            },
        )

    def store(self, name: str, *lines: str, compressed: bool = True) -> None:
        """Put lines into an object below `events/`."""
        content = "".join(f"{line}\n" for line in lines).encode()
        body = gzip.compress(content) if compressed else content
        self.workbench.client("s3").put_object(Bucket=self.bucket, Key=f"events/{name}", Body=body)

    def run(self, query: str, *parameters: str) -> Any:
        """Run a query to its end, and return its status."""
        athena = self.workbench.client("athena")
        query_id = athena.start_query_execution(
            QueryString=query,
            QueryExecutionContext={"Database": self.database},
            ResultConfiguration={"OutputLocation": f"s3://{self.bucket}/results/"},
            **({"ExecutionParameters": list(parameters)} if parameters else {}),
        )["QueryExecutionId"]

        def ended() -> Any:
            execution = athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
            return execution if execution["Status"]["State"] in ("SUCCEEDED", "FAILED") else None

        return self.workbench.wait_for(ended)

    def rows(self, query: str, *parameters: str) -> list[Sequence[str | None]]:
        """Run a query that selects, and return its rows."""
        execution = self.run(query, *parameters)
        assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
        answer = self.workbench.client("athena").get_query_results(QueryExecutionId=execution["QueryExecutionId"])
        return [tuple(cell.get("VarCharValue") for cell in row["Data"]) for row in answer["ResultSet"]["Rows"][1:]]


@pytest.fixture(scope="module")
def warehouse(workbench: Workbench) -> Warehouse:
    """Return the database, empty but for what tests store."""
    return Warehouse(workbench)


def test_a_stack_keeps_named_queries(workbench: Workbench) -> None:
    """It creates them, replaces them when they change, and deletes them with itself."""
    athena = workbench.client("athena")
    first = workbench.deploy("querying", NAMED_QUERY, Number="1")
    assert first["Id"] == first["SameId"]
    second = workbench.deploy("querying", NAMED_QUERY, update=True, Number="2")
    assert second["Id"] != first["Id"]
    assert athena.list_named_queries(WorkGroup="querying")["NamedQueryIds"] == [second["Id"]]
    kept = athena.get_named_query(NamedQueryId=second["Id"])["NamedQuery"]
    assert (kept["Name"], kept["QueryString"]) == ("The number", "SELECT 2 AS number")
    workbench.delete("querying")
    assert athena.list_named_queries(WorkGroup="querying")["NamedQueryIds"] == []


def test_parameters_stand_for_question_marks_in_their_order(warehouse: Warehouse) -> None:
    """As they would be written in the query; a question mark within a text is none."""
    assert warehouse.rows("SELECT '?' AS mark, 1 AS one WHERE 'a?' = ? AND 2 > ?", "'a?'", "1") == [("?", "1")]


@pytest.mark.parametrize("parameters", [(), ("1", "2")])
def test_a_wrong_number_of_parameters_is_refused(warehouse: Warehouse, parameters: tuple[str, ...]) -> None:
    """Before the query runs."""
    with pytest.raises(ClientError, match=f"expected 1 but found {len(parameters)}"):
        warehouse.run("SELECT 1 WHERE 1 = ?", *parameters)


def test_a_column_of_texts_holds_json_as_it_is_written(warehouse: Warehouse) -> None:
    """Every column of the table is there, a member that is none is not, and no number loses a digit."""
    data = f'{{"payment":{{"amount":{LONG},"Note":"\\u00e9 \\" 1, 2"}},"items":[1.50,null]}}'
    warehouse.store("2026/11/20/08/a.gz", f'{{"id":"1","extra":1, "data" : {data} }}', '{"id":2.50,"data":null}', "")
    rows = warehouse.rows("SELECT id, subject, data FROM events WHERE datehour = '2026/11/20/08' ORDER BY id")
    assert rows == [("1", None, data), ("2.50", None, None)]


def test_the_hour_is_where_an_object_lies(warehouse: Warehouse) -> None:
    """An object that lies where the projection puts none is not read, compressed or not."""
    line = json.dumps({"id": "place"})
    warehouse.store("2026/11/20/09/a", line, compressed=False)
    warehouse.store("2026/11/20/10/a.gz", line)
    for elsewhere in ("failed/a.gz", "2026/11/20/a.gz", "a.gz"):
        warehouse.store(elsewhere, line)
    rows = warehouse.rows("SELECT datehour FROM events WHERE id = 'place' ORDER BY 1")
    assert rows == [("2026/11/20/09",), ("2026/11/20/10",)]


def test_a_table_without_objects_has_no_rows(workbench: Workbench) -> None:
    """Its columns are there all the same."""
    empty = Warehouse(workbench)
    assert empty.rows("SELECT id, datehour FROM events") == []
    empty.store("elsewhere/a.gz", "{}")
    assert empty.rows("SELECT id, datehour FROM events") == []


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (f"""json_extract_scalar('{{"a":{{"b":{LONG}}}}}', '$.a.b')""", LONG),
        ("""json_extract_scalar('{"a":"1, 2"}', '$.a')""", "1, 2"),
        ("""json_extract_scalar('{"a":true}', '$.a')""", "true"),
        ("""json_extract_scalar('{"a":{"b":1}}', '$.a')""", None),
        ("""json_extract_scalar('{"a":null}', '$.a')""", None),
        ("json_extract_scalar('no JSON', '$.a')", None),
        (f"CAST('{LONG}' AS decimal(38, 24))", f"{LONG}0"),
        ("date_format(DATE '2026-11-20' - INTERVAL '1' DAY, '%Y/%m/%d/%H')", "2026/11/19/00"),
        ("CAST(at_timezone(from_iso8601_timestamp('2026-11-20T23:15:42-03:00'), 'UTC') AS date)", "2026-11-21"),
    ],
)
def test_functions_give_what_they_do_in_athena(warehouse: Warehouse, expression: str, value: str | None) -> None:
    """Numbers in JSON to the last digit, nothing for what is no scalar, times by their zone."""
    assert warehouse.rows(f"SELECT {expression} AS value") == [(value,)]


def test_a_table_can_be_made_of_a_query(warehouse: Warehouse) -> None:
    """Its rows are Parquet below the results, exact, and it can be queried and joined like any other."""
    query = f"""
        CREATE TABLE amounts WITH (format = 'PARQUET', write_compression = 'SNAPPY') AS
        WITH one AS (SELECT CAST('{LONG}' AS decimal(38, 24)) AS amount, DATE '2026-11-20' AS day, 'a' AS name)
        SELECT amount, day, name, count(*) AS count FROM one WHERE name = ? GROUP BY 1, 2, 3
    """
    execution = warehouse.run(query, "'a'")
    assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
    table = warehouse.workbench.client("glue").get_table(DatabaseName=warehouse.database, Name="amounts")["Table"]
    columns = [(column["Name"], column["Type"]) for column in table["StorageDescriptor"]["Columns"]]
    assert columns == [("amount", "decimal(38,24)"), ("day", "date"), ("name", "string"), ("count", "bigint")]
    place = f"s3://{warehouse.bucket}/results/tables/{execution['QueryExecutionId']}"
    assert table["StorageDescriptor"]["Location"] == place
    assert warehouse.rows("SELECT * FROM amounts") == [(f"{LONG}0", "2026-11-20", "a", "1")]
    again = warehouse.run(query, "'a'")
    assert again["Status"]["State"] == "FAILED"
    assert "already exists" in again["Status"]["StateChangeReason"]
