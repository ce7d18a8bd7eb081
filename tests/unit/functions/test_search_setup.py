"""SearchSetupFunction: CloudFormation gets its answer, and the domain what belongs to the index."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.httpsession import URLLib3Session
from eventfork.search_index import Index, index_template

from tests.unit.functions.conftest import Context, Handler, Load, sample
from tests.unit.http import Http

EVENT = sample("search-setup")
pytestmark = pytest.mark.usefixtures("aws")


class Web:
    """The domain and CloudFormation, which takes every answer."""

    def __init__(self) -> None:
        self.domain = Http()
        self._cloudformation = Http()

    def send(self, request: Any) -> Any:
        """Pass a request on to whom it is for."""
        return (self._cloudformation if request.url == EVENT["ResponseURL"] else self.domain).send(request)

    @property
    def told(self) -> Any:
        """The one answer that CloudFormation got."""
        (sent,) = self._cloudformation.sent
        return sent.document


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Web:
    """Answer for both."""
    web = Web()
    monkeypatch.setattr(URLLib3Session, "send", lambda _, request: web.send(request))
    return web


@pytest.fixture
def handler(load: Load, monkeypatch: pytest.MonkeyPatch) -> Handler:
    """Give the function, with two minutes to go, of which only sleeping takes any."""
    left = [120.0]
    monkeypatch.setattr(Context, "get_remaining_time_in_millis", lambda _: int(left[0] * 1000), raising=False)
    monkeypatch.setattr("time.sleep", lambda seconds: left.append(left.pop() - seconds))
    return load("search_setup")


def test_the_sample_request_sets_the_index_up(handler: Handler, web: Web) -> None:
    """And says so."""
    handler(EVENT)
    assert web.told["Status"] == "SUCCESS"
    assert web.told["Data"] == {"Security": "mapped", "Dashboards": "imported"}
    assert web.told["PhysicalResourceId"] == "search-index-orders"
    asked = web.domain.sent
    assert all(sent.url.startswith(EVENT["ResourceProperties"]["Endpoint"] + "/") for sent in asked)
    assert all("/eu-central-1/es/aws4_request" in sent.headers["authorization"] for sent in asked)
    (template,) = [sent.document for sent in asked if sent.target == "/_index_template/orders"]
    assert template == index_template(Index("orders", "OneMonth"))


def test_an_update_does_it_again(handler: Handler, web: Web) -> None:
    """Under the same name."""
    handler({**EVENT, "RequestType": "Update", "PhysicalResourceId": "search-index-orders"})
    assert web.told["PhysicalResourceId"] == "search-index-orders"
    assert web.domain.sent


def test_a_deletion_leaves_everything_in_place(handler: Handler, web: Web) -> None:
    """The domain is not even asked."""
    handler({**EVENT, "RequestType": "Delete", "PhysicalResourceId": "search-index-orders"})
    assert web.told["Status"] == "SUCCESS"
    assert web.domain.sent == []


def test_a_domain_that_answers_later_is_waited_for(handler: Handler, web: Web) -> None:
    """As a new one does."""
    web.domain.answers = [None, (503, b"")]
    handler(EVENT)
    assert web.told["Status"] == "SUCCESS"


def test_a_domain_that_stays_away_fails_with_advice(handler: Handler, web: Web, logs: Callable[[], str]) -> None:
    """Before the function's own time is over."""
    web.domain.answers = [(503, b"")] * 999
    handler(EVENT)
    assert web.told["Status"] == "FAILED"
    assert "did not answer in time" in web.told["Reason"]
    assert "index not set up" in logs()


@pytest.mark.parametrize("properties", [{}, {**EVENT["ResourceProperties"], "ShardCount": "many"}])
def test_what_nobody_thought_of_is_answered_too(handler: Handler, web: Web, properties: dict[str, str]) -> None:
    """Else CloudFormation would wait for an hour."""
    handler({**EVENT, "ResourceProperties": properties})
    assert web.told["Status"] == "FAILED"
    assert "see its log" in web.told["Reason"]
    assert web.told["PhysicalResourceId"]


def test_the_url_of_the_answer_is_not_logged(handler: Handler, web: Web, logs: Callable[[], str]) -> None:
    """Who has it could answer."""
    web.domain.answers = [(400, {"error": {"type": "x", "reason": "y"}})]
    handler(EVENT)
    assert web.told["Status"] == "FAILED"
    assert "X-Amz-Signature" not in logs()
