"""An index is set up whole, again and again; its dashboards show what the KPIs answer."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from eventfork.errors import DeniedError, NotFoundError, RefusedError, ServiceError, UnavailableError
from eventfork.kpis import KPIS, Kpi
from eventfork.search_index import (
    ROTATIONS,
    Index,
    dashboards,
    find_query,
    index_template,
    ingest_pipeline,
    kpi_query,
)
from eventfork.search_index.set_up import PATIENCE_WHEN_DENIED, SetUpError, physical_id, set_up

from tests.unit.samples import PROJECT_ROOT

PROPERTIES = {
    "Endpoint": "https://search.example.com",
    "IndexName": "sales",
    "IndexRotation": "OneDay",
    "ShardCount": "2",
    "ReplicaCount": "1",
    "DeliveryRoleArn": "arn:aws:iam::123456789012:role/delivery",
    "OperatorRoleArn": "arn:aws:iam::123456789012:role/operator",
    "Audited": "true",
}
FILES = PROJECT_ROOT / "layers" / "eventfork" / "eventfork" / "search_index"


class Domain:
    """A domain that keeps what it was given, and fails as it is told.

    Attributes
    ----------
    failures : dict
        For each kind of thing, what the next puttings of it raise.
    """

    def __init__(self, **failures: Sequence[ServiceError]) -> None:
        self.failures = {kind: list(errors) for kind, errors in failures.items()}
        self.put: list[tuple[Any, ...]] = []

    def _take(self, kind: str, *what: Any) -> None:
        if self.failures.get(kind):
            raise self.failures[kind].pop(0)
        self.put.append((kind, *what))

    def put_pipeline(self, name: str, definition: Mapping[str, Any]) -> None:
        """Put an ingest pipeline."""
        self._take("pipeline", name, definition)

    def put_index_template(self, name: str, definition: Mapping[str, Any]) -> None:
        """Put an index template."""
        self._take("template", name, definition)

    def put_role(self, name: str, definition: Mapping[str, Any], iam_role_arn: str) -> None:
        """Put a role."""
        self._take("role", name, definition, iam_role_arn)

    def put_audit_configuration(self, configuration: Mapping[str, Any]) -> None:
        """Say what is audited."""
        self._take("audit", configuration)

    def import_saved_objects(self, lines: bytes) -> None:
        """Put saved objects."""
        self._take("dashboards", lines)


class Clock:
    """The time that is left, of which only sleeping takes any."""

    def __init__(self, seconds: float) -> None:
        self.left = seconds

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.left -= seconds


def run(domain: Domain, properties: Mapping[str, str] = PROPERTIES, seconds: float = 900) -> dict[str, str]:
    clock = Clock(seconds)
    return set_up(properties, domain, lambda: clock.left, clock.sleep)


def test_the_files_are_what_an_index_of_orders_gets() -> None:
    """So that they can be read, and put by hand, as they are."""
    orders = Index("orders")
    assert json.loads((FILES / "index-template.json").read_text(encoding="utf-8")) == index_template(orders)
    assert (FILES / "dashboards.ndjson").read_bytes() == dashboards(orders)


def test_a_template_is_for_the_index_and_all_that_rotation_makes_of_it() -> None:
    """Each goes through the pipeline first."""
    template = index_template(Index("sales", "OneDay", shards=2, replicas=1))
    assert template["index_patterns"] == ["sales", "sales-*"]
    settings = template["template"]["settings"]
    assert settings["index.number_of_shards"] == 2
    assert settings["index.number_of_replicas"] == 1
    assert settings["index.default_pipeline"] == "sales-placement"
    assert "index.analysis.normalizer.upper_case" in settings


def test_a_pipeline_places_documents_of_the_index() -> None:
    """By a script, which is read from its own file."""
    (processor,) = ingest_pipeline(Index("sales", "OneWeek"))["processors"]
    assert processor["script"]["params"] == {"index": "sales", "rotation": "OneWeek"}
    assert processor["script"]["source"] == (FILES / "placement.painless").read_text(encoding="utf-8")
    assert all(f"'{rotation}'" in processor["script"]["source"] for rotation in ROTATIONS if rotation != "NoRotation")


def test_everything_is_put_in_an_order_in_which_nothing_is_missing() -> None:
    """The pipeline before the template that names it."""
    domain = Domain()
    assert run(domain) == {"Security": "mapped", "Dashboards": "imported"}
    index = Index("sales", "OneDay", shards=2, replicas=1)
    kinds = [one[0] for one in domain.put]
    assert kinds == ["pipeline", "template", "role", "role", "audit", "dashboards"]
    assert domain.put[0][1:] == ("sales-placement", ingest_pipeline(index))
    assert domain.put[1][1:] == ("sales", index_template(index))
    assert domain.put[5][1:] == (dashboards(index),)


def test_a_domain_of_our_own_is_audited_but_no_payload_is_written_down() -> None:
    """What is audited in one that was passed in is for its owner to say."""
    domain = Domain()
    run(domain)
    [(_, configuration)] = [one for one in domain.put if one[0] == "audit"]
    assert configuration["enabled"] is True
    assert configuration["audit"]["log_request_body"] is False
    theirs = Domain()
    run(theirs, {**PROPERTIES, "Audited": "false"})
    assert "audit" not in [one[0] for one in theirs.put]


def test_slow_requests_are_logged_without_the_documents() -> None:
    """The search's words and how long it took; of what was indexed, only its id."""
    settings = index_template(Index())["template"]["settings"]
    assert settings["index.search.slowlog.threshold.query.warn"]
    assert settings["index.indexing.slowlog.threshold.index.warn"]
    assert settings["index.indexing.slowlog.source"] == "0"


def test_firehose_may_write_and_the_operator_may_read() -> None:
    """Nothing beyond the index and what rotation makes of it."""
    domain = Domain()
    run(domain)
    roles = {
        name: (definition, arn) for kind, name, definition, arn in filter(lambda one: one[0] == "role", domain.put)
    }
    delivery, delivery_arn = roles["eventfork-search-sales-delivery"]
    operator, operator_arn = roles["eventfork-search-sales-operator"]
    assert (delivery_arn, operator_arn) == (PROPERTIES["DeliveryRoleArn"], PROPERTIES["OperatorRoleArn"])
    (written,) = delivery["index_permissions"]
    (read,) = operator["index_permissions"]
    assert written["index_patterns"] == read["index_patterns"] == ["sales", "sales-*"]
    assert {"create_index", "write"} <= set(written["allowed_actions"])
    assert read["allowed_actions"] == ["read"]
    assert operator["cluster_permissions"] == []


def test_without_an_operator_only_firehose_is_let_in() -> None:
    """Its parameter may be left empty."""
    domain = Domain()
    run(domain, {**PROPERTIES, "OperatorRoleArn": ""})
    assert [one[1] for one in domain.put if one[0] == "role"] == ["eventfork-search-sales-delivery"]


def test_a_domain_without_security_plugin_and_dashboards_is_set_up_without() -> None:
    """And it is said."""
    domain = Domain(role=[NotFoundError()] * 2, audit=[NotFoundError()], dashboards=[NotFoundError()])
    assert run(domain) == {"Security": "absent", "Dashboards": "absent"}
    assert [one[0] for one in domain.put] == ["pipeline", "template"]


def test_a_domain_that_comes_up_is_waited_for() -> None:
    """Every step of the way."""
    away = [UnavailableError()] * 20
    domain = Domain(pipeline=away, template=away, role=away, audit=away, dashboards=away)
    assert run(domain) == {"Security": "mapped", "Dashboards": "imported"}


def test_a_domain_that_stays_away_is_given_up_in_time() -> None:
    """While there is time left to say so."""
    clock = Clock(300)
    with pytest.raises(SetUpError, match=r"https://search\.example\.com did not answer in time.*\(gone\)"):
        set_up(PROPERTIES, Domain(pipeline=[UnavailableError("gone")] * 999), lambda: clock.left, clock.sleep)
    assert 30 <= clock.left <= 60


def test_who_is_not_let_in_at_once_may_be_a_little_later() -> None:
    """A new role is known everywhere only after a while."""
    assert run(Domain(pipeline=[DeniedError()] * 20))["Security"] == "mapped"


def test_who_is_never_let_in_is_told_what_to_do() -> None:
    """Long before the time is over."""
    clock = Clock(900)
    with pytest.raises(SetUpError, match="map its role to all_access"):
        set_up(PROPERTIES, Domain(pipeline=[DeniedError()] * 999), lambda: clock.left, clock.sleep)
    assert 900 - PATIENCE_WHEN_DENIED - 10 <= clock.left < 900 - PATIENCE_WHEN_DENIED


@pytest.mark.parametrize("error", [RefusedError("because"), NotFoundError("because")])
def test_what_the_domain_does_not_take_is_not_tried_again(error: ServiceError) -> None:
    """Its reason is passed on."""
    domain = Domain(template=[error])
    with pytest.raises(SetUpError, match=r"does not take what belongs to sales\. \(because\)"):
        run(domain)
    assert [one[0] for one in domain.put] == ["pipeline"]


def test_a_rotation_that_there_is_not_is_refused() -> None:
    """The script would take it for none."""
    domain = Domain()
    with pytest.raises(SetUpError, match="IndexRotation must be one of NoRotation, OneHour"):
        run(domain, {**PROPERTIES, "IndexRotation": "OneYear"})
    assert domain.put == []


def test_the_physical_id_is_the_indexs() -> None:
    """The same each time; a request that lacks the index still has one."""
    assert physical_id(PROPERTIES) == physical_id({**PROPERTIES, "ShardCount": "9"}) == "search-index-sales"
    assert physical_id({})


def test_every_word_must_stand_somewhere() -> None:
    """A sign among words is passed over, alone it is found nowhere."""
    query = find_query(" Ada  & Sons ", 20)
    words = [one["match_phrase"]["words"] for one in query["query"]["bool"]["filter"]]
    assert [(one["query"], one["zero_terms_query"]) for one in words] == [("Ada", "all"), ("&", "all"), ("Sons", "all")]
    assert query["size"] == 20
    (alone,) = find_query("&", 1)["query"]["bool"]["filter"]
    assert alone["match_phrase"]["words"]["zero_terms_query"] == "none"


def test_every_searched_field_is_in_the_mapping() -> None:
    """A field that is in none is no error for the engine: it finds nothing."""
    mapped = set(fields(index_template(Index())["template"]["mappings"]))
    asked = {field for kpi in KPIS for field in values(kpi_query(kpi.name), "field")}
    assert asked
    assert asked | {"words", "time", "id", "type", "data.payment.amount"} <= mapped


def fields(mapping: Mapping[str, Any], path: str = "") -> Iterator[str]:
    for kind in ("properties", "fields"):
        for name, inner in mapping.get(kind, {}).items():
            yield path + name
            yield from fields(inner, f"{path}{name}.")


def values(document: Any, key: str) -> Iterator[Any]:
    if isinstance(document, dict):
        for name, value in document.items():
            if name == key and isinstance(value, str):
                yield value
            yield from values(value, key)
    elif isinstance(document, list):
        for one in document:
            yield from values(one, key)


def saved_objects(index: Index) -> dict[str, dict[str, Any]]:
    return {one["id"]: one for one in map(json.loads, dashboards(index).splitlines())}


def of_type(kind: str, index: Index | None = None) -> dict[str, dict[str, Any]]:
    return {key: one for key, one in saved_objects(index or Index()).items() if one["type"] == kind}


def test_there_is_a_visualization_of_every_kpi_and_a_dashboard_of_them_all() -> None:
    """Under the KPI's title and question."""
    shown = of_type("visualization")
    named = {f"eventfork-orders-{kpi.name}": (kpi.title, kpi.question) for kpi in KPIS}
    assert {key: (one["attributes"]["title"], one["attributes"]["description"]) for key, one in shown.items()} == named
    (dashboard,) = of_type("dashboard").values()
    assert {reference["id"] for reference in dashboard["references"]} == shown.keys()
    panels = json.loads(dashboard["attributes"]["panelsJSON"])
    assert [one["panelRefName"] for one in panels] == [reference["name"] for reference in dashboard["references"]]


@pytest.mark.parametrize("kpi", KPIS, ids=lambda kpi: kpi.name)
def test_a_visualization_asks_what_its_kpi_asks(kpi: Kpi) -> None:
    """The same fields of the same events."""
    shown = saved_objects(Index())[f"eventfork-orders-{kpi.name}"]["attributes"]
    state = json.loads(shown["visState"])
    assert state["title"] == kpi.title
    source = json.loads(shown["kibanaSavedObjectMeta"]["searchSourceJSON"])
    query = kpi_query(kpi.name)
    if state["type"] == "vega":
        body = json.loads(state["params"]["spec"])["data"]["url"]["body"]
        assert body["aggs"] == query["aggs"]
        assert query["query"]["bool"]["filter"][0] in body["query"]["bool"]["filter"]
    else:
        assert set(values(state["aggs"], "field")) == set(values(query["aggs"], "field"))
        assert source["query"]["query"].startswith('type : "eventfork.checkout.OrderSubmitted"')
        ranges = [one["range"] for one in query["query"]["bool"]["filter"] if "range" in one]
        asked = [f"{field} >= {bounds['gte']}" for one in ranges for field, bounds in one.items()]
        assert all(source["query"]["query"].endswith(bound) for bound in asked)
        assert source["indexRefName"] == "kibanaSavedObjectMeta.searchSourceJSON.index"


def test_every_reference_leads_somewhere() -> None:
    """What is imported together needs nothing else."""
    saved = saved_objects(Index("sales"))
    references = [reference for one in saved.values() for reference in one["references"]]
    assert references
    assert all(saved[reference["id"]]["type"] == reference["type"] for reference in references)


def test_each_index_has_dashboards_of_its_own() -> None:
    """None of one name replaces those of another."""
    (pattern,) = of_type("index-pattern", Index("sales")).values()
    assert pattern["attributes"]["title"] == "sales,sales-*"
    assert pattern["attributes"]["timeFieldName"] == "time"
    spec = json.loads(saved_objects(Index("sales"))["eventfork-sales-most-popular-products"]["attributes"]["visState"])
    assert json.loads(spec["params"]["spec"])["data"]["url"]["index"] == "sales,sales-*"
    assert not saved_objects(Index("sales")).keys() & saved_objects(Index("orders")).keys()


@pytest.mark.parametrize(
    "parts", [("attributes", "kibanaSavedObjectMeta", "searchSourceJSON"), ("attributes", "visState")]
)
def test_what_dashboards_keep_as_text_is_json(parts: tuple[str, ...]) -> None:
    """A text that is none breaks the whole dashboard."""

    def at(document: Any, path: tuple[str, ...]) -> Any:
        return at(document[path[0]], path[1:]) if path else document

    texts = [at(one, parts) for one in of_type("visualization").values()]
    assert all(isinstance(json.loads(text), dict) for text in texts)
