"""What a search domain is told about the index: one file each, ready to be sent as it stands for an index `orders`.

`index-template.json` is the mapping, `ingest-pipeline.json` with `placement.painless` decides where a document goes,
`kpis/` holds the queries of `eventfork.kpis`, `dashboards.ndjson` the same for people.
"""

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final, Literal, get_args

from eventfork.json_text import parse

__all__ = [
    "ROTATIONS",
    "Index",
    "Rotation",
    "dashboards",
    "find_query",
    "index_template",
    "ingest_pipeline",
    "kpi_query",
]

Rotation = Literal["NoRotation", "OneHour", "OneDay", "OneWeek", "OneMonth"]
ROTATIONS: Final[tuple[Rotation, ...]] = get_args(Rotation)
"""How often a new index begins, in Firehose's words."""


@dataclass(frozen=True, slots=True)
class Index:
    """An index of orders, or the row of them that rotation makes.

    Attributes
    ----------
    name : str
        What its name is, or starts with.
    rotation : str
        One of `ROTATIONS`: by the time of the event, in UTC.
    shards, replicas : int
        Of each index that is made from now on.
    """

    name: str = "orders"
    rotation: Rotation = "NoRotation"
    shards: int = 1
    replicas: int = 0

    @property
    def patterns(self) -> list[str]:
        """The names that its indices have, whatever the rotation is or has been."""
        return [self.name, f"{self.name}-*"]

    @property
    def pipeline(self) -> str:
        """The name of its ingest pipeline."""
        return f"{self.name}-placement"


def index_template(index: Index) -> dict[str, Any]:
    """Give the body of `PUT _index_template/NAME`: which settings and mapping a new index has."""
    template: dict[str, Any] = parse(_text("index-template.json"))
    template["index_patterns"] = index.patterns
    template["template"]["settings"] |= {
        "index.number_of_shards": index.shards,
        "index.number_of_replicas": index.replicas,
        "index.default_pipeline": index.pipeline,
    }
    return template


def ingest_pipeline(index: Index) -> dict[str, Any]:
    """Give the body of `PUT _ingest/pipeline/PIPELINE`: which id a document gets, and which index it goes to."""
    pipeline: dict[str, Any] = parse(_text("ingest-pipeline.json"))
    script = pipeline["processors"][0]["script"]
    script["source"] = _text(script["source"])
    script["params"] = {"index": index.name, "rotation": index.rotation}
    return pipeline


@cache
def kpi_query(name: str) -> dict[str, Any]:
    """Give the search that the KPI `name` is read from; see `eventfork.kpis`."""
    query: dict[str, Any] = parse(_text(f"kpis/{name}.json"))
    return query


def find_query(text: str, limit: int) -> dict[str, Any]:
    """Give the search for the newest events in which every word of a text stands; a text without words finds them all.

    Words are sought in ids, names, e-mail addresses, products, subjects and free text. A word of several parts, such as
    an id or an e-mail address, is found only where its parts follow each other.

    Parameters
    ----------
    text : str
        Words, separated by white space.
    limit : int
        Most events to give.
    """
    words = text.split()
    # A word without letters and digits ("&") stands nowhere; among others it is passed over.
    nowhere = "all" if len(words) > 1 else "none"
    return {
        "size": limit,
        "track_total_hits": True,
        "query": {
            "bool": {
                "filter": [{"match_phrase": {"words": {"query": word, "zero_terms_query": nowhere}}} for word in words]
            }
        },
        "sort": [
            {"time": {"order": "desc", "unmapped_type": "date"}},
            {"id": {"order": "asc", "unmapped_type": "keyword"}},
        ],
    }


def dashboards(index: Index) -> bytes:
    """Give the saved objects of OpenSearch Dashboards for an index, one JSON document a line.

    Their ids hold the index's name, so that several indices can have their own.
    """
    text = _text("dashboards.ndjson").replace("eventfork-orders", f"eventfork-{index.name}")
    return text.replace("orders,orders-*", ",".join(index.patterns)).encode()


def _text(path: str) -> str:
    return resources.files(__name__).joinpath(path).read_text(encoding="utf-8")
