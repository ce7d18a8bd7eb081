"""What a search domain is asked is signed; what it answers becomes a result, or one of four errors."""

from decimal import Decimal
from typing import Any

import botocore.session
import pytest
from eventfork.adapters.opensearch import SearchDomain
from eventfork.errors import DeniedError, NotFoundError, RefusedError, ServiceError, UnavailableError

from tests.unit.http import Http

ENDPOINT = "https://search-orders.eu-central-1.es.amazonaws.com"
NO_HANDLER = {"error": "no handler found for uri [/x] and method [PUT]"}
REFUSED = {"error": {"type": "illegal_argument_exception", "reason": "too many shards"}, "status": 400}


@pytest.fixture
def session() -> botocore.session.Session:
    """Give credentials and a Region."""
    session = botocore.session.Session()
    session.set_credentials("AKIDEXAMPLE", "secret", "token")
    session.set_config_variable("region", "eu-central-1")
    return session


def domain(session: botocore.session.Session, *answers: tuple[int, Any] | None) -> tuple[SearchDomain, Http]:
    http = Http(list(answers))
    return SearchDomain(ENDPOINT + "/", session, http), http


def test_every_request_is_signed_for_the_service_and_its_region(session: botocore.session.Session) -> None:
    """With the body, so that nobody can change it on its way."""
    search, http = domain(session)
    search.put_pipeline("orders-placement", {"processors": []})
    search.put_pipeline("orders-placement", {"processors": [1]})
    first, second = (sent.headers["authorization"] for sent in http.sent)
    assert "Credential=AKIDEXAMPLE/" in first
    assert "/eu-central-1/es/aws4_request" in first
    assert http.sent[0].headers["x-amz-security-token"] == "token"
    assert first.rsplit("Signature=")[1] != second.rsplit("Signature=")[1]


def test_definitions_are_put_under_their_names(session: botocore.session.Session) -> None:
    """As JSON, numbers with every digit."""
    search, http = domain(session)
    search.put_pipeline("orders-placement", {"a": 1})
    search.put_index_template("orders", {"b": Decimal("1.50")})
    assert [(sent.method, sent.target, sent.body) for sent in http.sent] == [
        ("PUT", "/_ingest/pipeline/orders-placement", b'{"a":1}'),
        ("PUT", "/_index_template/orders", b'{"b":1.50}'),
    ]
    assert {sent.headers["content-type"] for sent in http.sent} == {"application/json"}
    assert http.sent[0].url.startswith(f"{ENDPOINT}/_ingest")


def test_a_role_is_put_and_given_to_one_alone(session: botocore.session.Session) -> None:
    """It must be there before it is given."""
    search, http = domain(session)
    search.put_role("delivery", {"cluster_permissions": []}, "arn:aws:iam::123456789012:role/delivery")
    assert [(sent.target, sent.document) for sent in http.sent] == [
        ("/_plugins/_security/api/roles/delivery", {"cluster_permissions": []}),
        (
            "/_plugins/_security/api/rolesmapping/delivery",
            {"backend_roles": ["arn:aws:iam::123456789012:role/delivery"]},
        ),
    ]


def test_the_audit_configuration_is_put_as_a_whole(session: botocore.session.Session) -> None:
    """In place of the one before."""
    search, http = domain(session)
    search.put_audit_configuration({"enabled": True})
    (sent,) = http.sent
    assert (sent.method, sent.target) == ("PUT", "/_plugins/_security/api/audit/config")
    assert sent.document == {"enabled": True}


def test_saved_objects_are_imported_as_a_file_for_everyone(session: botocore.session.Session) -> None:
    """Over those that are there."""
    search, http = domain(session, (200, {"success": True, "successCount": 2}))
    search.import_saved_objects(b'{"id":"a"}\n{"id":"b"}\n')
    (sent,) = http.sent
    assert (sent.method, sent.target) == ("POST", "/_dashboards/api/saved_objects/_import?overwrite=true")
    assert sent.headers["osd-xsrf"] == "true"
    assert sent.headers["securitytenant"] == "global"
    boundary = sent.headers["content-type"].split("boundary=")[1].encode()
    before, part, after = sent.body.split(b"--" + boundary)
    assert (before, after) == (b"", b"--\r\n")
    head, content = part.split(b"\r\n\r\n")
    assert b'name="file"; filename="saved-objects.ndjson"' in head
    assert content == b'{"id":"a"}\n{"id":"b"}\n\r\n'


def test_saved_objects_that_are_not_all_taken_are_an_error(session: botocore.session.Session) -> None:
    """Though the answer's status says otherwise."""
    errors = [{"id": "a", "error": {"type": "missing_references"}}, {"id": "b", "error": {"type": "unknown"}}]
    search, _ = domain(session, (200, {"success": False, "errors": errors}))
    with pytest.raises(RefusedError, match="missing_references, unknown"):
        search.import_saved_objects(b"")


def test_indices_are_searched_together_though_some_be_missing(session: botocore.session.Session) -> None:
    """But none with a part of it left out; the answer's fractions keep their digits."""
    search, http = domain(session, (200, b'{"aggregations": {"sum": {"value": 30.000000000000004}}}'))
    answer = search.search(["orders", "orders-*"], {"size": 0})
    assert answer == {"aggregations": {"sum": {"value": Decimal("30.000000000000004")}}}
    (sent,) = http.sent
    path, parameters = sent.target.split("?")
    assert (sent.method, path, sent.document) == ("POST", "/orders,orders-*/_search", {"size": 0})
    assert sorted(parameters.split("&")) == ["allow_partial_search_results=false", "ignore_unavailable=true"]


def test_an_answer_may_nest_deeper_than_an_event(session: botocore.session.Session) -> None:
    """It holds whole events."""
    deep = "[" * 100 + "]" * 100
    search, _ = domain(session, (200, f'{{"hits": {deep}}}'.encode()))
    assert search.search(["orders"], {}).keys() == {"hits"}


def test_documents_are_counted(session: botocore.session.Session) -> None:
    """In several indices together."""
    search, http = domain(session, (200, {"count": 42}))
    assert search.count(["orders", "orders-*"]) == 42
    assert http.sent[0].target == "/orders,orders-*/_count?ignore_unavailable=true"


@pytest.mark.parametrize(
    ("answer", "error", "reason"),
    [
        ((403, {"message": "no permissions for [indices:admin/put]"}), DeniedError, "403: no permissions for"),
        ((403, {"Message": "User: anonymous is not authorized"}), DeniedError, "403: User: anonymous"),
        ((401, b"Unauthorized"), DeniedError, "401"),
        ((401, {"Message": "Your request: '/_plugins' is not allowed."}), NotFoundError, "is not allowed"),
        ((404, {"error": {"type": "index_not_found_exception"}}), NotFoundError, "404: index_not_found_exception"),
        ((404, b"<html>"), NotFoundError, "404"),
        ((302, b""), NotFoundError, "302"),
        ((405, {"error": "Incorrect HTTP method"}), NotFoundError, "Incorrect HTTP method"),
        ((400, NO_HANDLER), NotFoundError, "no handler found"),
        ((400, REFUSED), RefusedError, "400: illegal_argument_exception: too many shards"),
        ((400, ["?"]), RefusedError, "answered 400$"),
        ((413, b""), RefusedError, "413"),
        ((408, b""), UnavailableError, "408"),
        ((429, {"error": {"type": "rejected_execution_exception"}}), UnavailableError, "rejected_execution"),
        ((500, REFUSED), UnavailableError, "500"),
        ((503, b"OpenSearch Security not initialized."), UnavailableError, "503"),
        ((504, {"message": "GATEWAY_TIMEOUT"}), UnavailableError, "GATEWAY_TIMEOUT"),
        ((200, b"<html>a page of some proxy</html>"), UnavailableError, "200"),
        ((200, b"[" * 100_000), UnavailableError, "200"),
        (None, UnavailableError, "EndpointConnectionError"),
    ],
)
def test_an_answer_that_is_none_says_what_it_is(
    session: botocore.session.Session, answer: tuple[int, Any] | None, error: type[ServiceError], reason: str
) -> None:
    """What may help, and the domain's reason, cut short."""
    search, _ = domain(session, answer)
    with pytest.raises(error, match=reason) as caught:
        search.put_index_template("orders", {})
    assert len(str(caught.value)) < 400


def test_a_long_reason_is_cut() -> None:
    """It may quote what it was sent."""
    session = botocore.session.Session()
    session.set_credentials("a", "b")
    session.set_config_variable("region", "eu-central-1")
    search, _ = domain(session, (400, {"error": {"type": "x", "reason": "y" * 10_000}}))
    with pytest.raises(RefusedError) as caught:
        search.search(["orders"], {})
    assert len(str(caught.value)) < 400


def test_without_credentials_nothing_is_sent() -> None:
    """A request without a signature would be denied, and say less."""
    session = botocore.session.Session()
    session.set_config_variable("region", "eu-central-1")
    session.get_component("credential_provider").providers.clear()
    search, http = domain(session)
    with pytest.raises(UnavailableError, match="NoCredentialsError"):
        search.count(["orders"])
    assert http.sent == []


def test_a_name_is_one_step_of_the_path(session: botocore.session.Session) -> None:
    """Whatever it holds."""
    search, http = domain(session)
    search.put_index_template("a/b?c", {})
    assert http.sent[0].target == "/_index_template/a%2Fb%3Fc"


def test_it_gives_up_before_its_function_does(session: botocore.session.Session) -> None:
    """The defaults, 60 seconds each, are too long for what asks again."""
    assert sum(SearchDomain(ENDPOINT, session)._http._timeout.__dict__[name] for name in ("_connect", "_read")) <= 40
