"""The search pipeline deployed onto a topic of its own, over a real node, as those who publish and search see it."""

import json
from collections.abc import Sequence
from typing import Any

import botocore.session
import urllib3
from click.testing import CliRunner
from eventfork import checkout_events
from eventfork.adapters.opensearch import SearchDomain
from eventfork.errors import UnavailableError
from eventfork.json_text import render
from eventfork.kpis import KPIS, Reading
from eventfork.search_index import Index, find_query, kpi_query
from eventfork_cli.__main__ import command

from local.engine.process import Engine
from tests.integration.standalone import Pipeline

__all__ = ["DOMAIN_ARN", "Search", "publish"]

DOMAIN_ARN = "arn:aws:es:us-east-1:000000000000:domain/local"
_MOST = 10_000
"""What one search of a node gives."""


def publish(engine: Engine, topic: str, events: Sequence[dict[str, Any]]) -> None:
    """Publish events of orders as the checkout API does, with the attributes that subscriptions filter by."""
    sns = engine.client("sns")
    for start in range(0, len(events), 10):
        entries = [
            {
                "Id": str(number),
                "Message": render(event),
                "MessageAttributes": {
                    name: {"DataType": attribute.type, "StringValue": attribute.value}
                    for name, attribute in checkout_events.attributes(event).items()
                },
            }
            for number, event in enumerate(events[start : start + 10])
        ]
        assert not sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries).get("Failed")


class Search:
    """A search pipeline deployed alone, and what is in its index.

    Parameters
    ----------
    engine : Engine
    topic : str
        What it subscribes to.
    endpoint : str
        Where the node is.
    index : str
        Name of the index, and of the stack.
    parameters : str
        Further parameters.
    """

    def __init__(self, engine: Engine, topic: str, endpoint: str, index: str, **parameters: str) -> None:
        self._engine = engine
        self.stack = f"search-{index}"
        self.pipeline = Pipeline(
            engine,
            "search",
            topic,
            self.stack,
            DomainArn=DOMAIN_ARN,
            DomainEndpoint=endpoint,
            IndexName=index,
            **parameters,
        )
        session = botocore.session.Session()
        session.set_credentials("access", "secret")
        session.set_config_variable("region", "us-east-1")
        self.domain = SearchDomain(endpoint, session)
        self.patterns = Index(index).patterns
        self._endpoint = endpoint

    def versions(self) -> dict[str, int]:
        """Give the id of every document, and how often it was written."""
        query = {**find_query("", _MOST), "_source": False, "version": True}
        return {hit["_id"]: hit["_version"] for hit in self._hits(query)}

    def documents(self) -> list[dict[str, Any]]:
        """Give every document."""
        return [hit["_source"] for hit in self._hits(find_query("", _MOST))]

    def mappings(self) -> dict[str, Any]:
        """Give the mapping of every index."""
        url = f"{self._endpoint}/{','.join(self.patterns)}/_mapping?ignore_unavailable=true"
        answer = urllib3.request("GET", url, timeout=60).json()
        return {name: index["mappings"] for name, index in answer.items()}

    def map_field(self, path: Sequence[str], field: dict[str, Any]) -> None:
        """Change the mapping of one field, as an operator does to mend a mapping."""
        for name in reversed(path):
            field = {"properties": {name: field}}
        answer = urllib3.request("PUT", f"{self._endpoint}/{self.patterns[0]}/_mapping", json=field, timeout=60)
        assert answer.status == 200, answer.data

    def kpis(self) -> dict[str, Reading[Any]]:
        """Give what every KPI is."""
        return {kpi.name: kpi.read(self.domain.search(self.patterns, kpi_query(kpi.name))) for kpi in KPIS}

    def dead_letters(self) -> list[str]:
        """Give every line of the dead-letter bucket."""
        s3, bucket = self._engine.client("s3"), self.pipeline.outputs["SearchDeadLetterBucketName"]
        lines: list[str] = []
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for entry in page.get("Contents", []):
                lines += s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read().decode().splitlines()
        return lines

    def put_back(self) -> dict[str, Any]:
        """Run the operator's command that puts documents back, and give what it says."""
        options = ["search", "put-back", "--json", "--stack-name", self.stack]
        result = CliRunner().invoke(command, options, env=self._engine.child_environment(), catch_exceptions=False)
        assert result.exit_code == 0, result.output
        outcome: dict[str, Any] = json.loads(result.stdout)
        return outcome

    def _hits(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        try:
            hits: list[dict[str, Any]] = self.domain.search(self.patterns, query)["hits"]["hits"]
        except UnavailableError:
            # An index that has just been made, or found again after a start, is not open yet.
            return []
        return hits
