"""A stack that is not open to everybody: who gets in, who does not, and that those leave no trace."""

import base64
import json
from dataclasses import dataclass
from typing import Any

import pytest

from local import deployment, tokens
from local.engine.process import Engine
from local.sample_orders import render, sample_orders
from tests.integration.application import Answer, Application, eventually

STACK = "eventfork-authorisation"
PARAMETERS = {"AllowAnonymousCheckout": "false", "CustomerCallbackUrl": "http://localhost:8080/"}
CUSTOMER, OTHER = "9027", "9028"
ORDER = {**sample_orders()[0], "customer": {"id": int(CUSTOMER), "name": "Ada Example"}}
REPORTED = {"customerId": 1, "customerName": "Ada Example"}


@dataclass(frozen=True)
class Callers:
    """The stack, and a token of each who may call it.

    Attributes
    ----------
    application : Application
    service : str
        For any customer, with every scope.
    customer, other : str
        For one customer each.
    """

    application: Application
    service: str
    customer: str
    other: str

    def place(self, token: str | None, order_id: int) -> Answer:
        """Place an order of `CUSTOMER`."""
        return self._ask("POST", "checkout", token, render({**ORDER, "id": order_id}))

    def read(self, token: str | None, order_id: int) -> Answer:
        """Read an order of `CUSTOMER`."""
        return self._ask("GET", f"orders/{CUSTOMER}/{order_id}", token)

    def report(self, token: str | None, customer_id: int) -> Answer:
        """Report a customer."""
        return self._ask("POST", "customers", token, json.dumps({**REPORTED, "customerId": customer_id}).encode())

    def quote(self, token: str | None) -> Answer:
        """Ask for a quote."""
        return self._ask("GET", "payments/quote?amount=10&currency=eur", token)

    def _ask(self, method: str, url: str, token: str | None, body: bytes | None = None) -> Answer:
        content_type = "application/json" if body else None
        return self.application.request(method, url, body, content_type, token and f"Bearer {token}")


@pytest.fixture(scope="module")
def callers(engine: Engine) -> Callers:
    """Deploy the application as it is left alone, but that customers may sign in, and let everybody get a token."""
    deployment.build()
    outputs = deployment.deploy(engine, STACK, PARAMETERS)
    customer, other = (
        tokens.customer_token(engine, outputs, one, tokens.make_customer(engine, outputs, one))
        for one in (CUSTOMER, OTHER)
    )
    service = tokens.service_token(engine, outputs)
    return Callers(Application(engine, STACK, PARAMETERS, outputs), service, customer, other)


def _part(token: str, number: int) -> dict[str, Any]:
    part = token.split(".")[number]
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return decoded


def _with_claims(token: str, **claims: Any) -> str:
    """Give a token that says more than was signed."""
    head, _, signature = token.split(".")
    text = json.dumps({**_part(token, 1), **claims}).encode()
    return ".".join([head, base64.urlsafe_b64encode(text).rstrip(b"=").decode(), signature])


def _wrong(callers: Callers) -> dict[str, str | None]:
    return {
        "none": None,
        "no token": "x",
        "three parts of nothing": "x.y.z",
        "not what was signed": _with_claims(callers.customer, username=OTHER),
        "longer valid than was signed": _with_claims(callers.service, exp=_part(callers.service, 1)["exp"] + 9),
        "signed by nobody": f"{callers.service.rpartition('.')[0]}.",
        "of another pool": _of_another_pool(callers),
    }


def _of_another_pool(callers: Callers) -> str:
    """Give a token that is as good as a service's, but that its user pool is somebody else's."""
    cognito = callers.application.engine.client("cognito-idp")
    pool = cognito.create_user_pool(PoolName="another")["UserPool"]["Id"]
    scopes = sorted(_part(callers.service, 1)["scope"].split())
    cognito.create_resource_server(
        UserPoolId=pool,
        Identifier="eventfork",
        Name="the same",
        Scopes=[{"ScopeName": scope.partition("/")[2], "ScopeDescription": scope} for scope in scopes],
    )
    return tokens.service_token(callers.application.engine, _client(callers, pool, scopes))


def _client(callers: Callers, pool: str, scopes: list[str], **settings: Any) -> dict[str, str]:
    """Make a client of a pool for services, and give what a stack with it would have as outputs."""
    client = callers.application.engine.client("cognito-idp").create_user_pool_client(
        UserPoolId=pool,
        ClientName="a test's",
        GenerateSecret=True,
        AllowedOAuthFlowsUserPoolClient=True,
        AllowedOAuthFlows=["client_credentials"],
        AllowedOAuthScopes=scopes,
        **settings,
    )["UserPoolClient"]
    return {"UserPoolId": pool, "ServicesClientId": client["ClientId"]}


def _with_status(answer: Answer, status: int) -> Answer | None:
    return answer if answer.status == status else None


def _is_problem(answer: Answer, status: int) -> bool:
    return (
        (answer.status, answer.body["status"]) == (status, status)
        and answer.headers["content-type"] == "application/problem+json"
        and (status != 401 or answer.headers["www-authenticate"] == "Bearer")
    )


def test_whoever_is_refused_leaves_no_trace(callers: Callers) -> None:
    """401 without a good token, 403 with another customer's, or one without the scope; then only what was let in."""
    read_only = tokens.service_token(callers.application.engine, callers.application.outputs, "eventfork/orders.read")
    for name, token in _wrong(callers).items():
        for answer in (callers.place(token, 1), callers.read(token, 1), callers.report(token, 1), callers.quote(token)):
            assert _is_problem(answer, 401), name
    for answer in (
        callers.place(callers.other, 2),
        callers.read(callers.other, 2),
        callers.place(read_only, 3),
        callers.quote(read_only),
        callers.report(read_only, 3),
        callers.report(callers.customer, 4),
    ):
        assert _is_problem(answer, 403)
    assert callers.place(callers.service, 5).status == 202
    assert callers.report(callers.service, 5).status == 202
    application = callers.application
    [row] = eventually(lambda: application.rows(CUSTOMER), "the order of the service")
    assert row["OrderId"]["S"] == "5"
    [customer] = eventually(lambda: application.table("CustomerTableName"), "the customer of the service")
    assert customer["CustomerId"]["S"] == "5"
    [message] = eventually(lambda: application.messages("ReplayQueueUrl"), "what the topic delivered")
    assert json.loads(message["Body"])["data"]["id"] == 5
    told = eventually(application.bus_events, "what was told on the bus")
    assert {event["detail"]["data"]["customerId"] for event in told if event["detail-type"] == "customerCreated"} <= {5}


def test_customers_place_and_read_their_own_orders_and_ask_for_quotes(callers: Callers) -> None:
    """And nobody else reads these, but services."""
    assert callers.place(callers.customer, 6).status == 202
    found = eventually(lambda: _with_status(callers.read(callers.customer, 6), 200), "the order")
    assert found.body["id"] == 6
    assert callers.read(callers.service, 6).status == 200
    assert _is_problem(callers.read(callers.other, 6), 403)
    # The first call of a function may take longer than it has, on a machine that is short of CPU.
    eventually(lambda: _with_status(callers.quote(callers.customer), 200), "the quote")


def test_an_expired_token_is_none(callers: Callers) -> None:
    """It was one as long as it was valid, and the same client's next is one."""
    application = callers.application
    scope = ["eventfork/quotes.read"]
    validity = {"AccessTokenValidity": 1, "TokenValidityUnits": {"AccessToken": "seconds"}}
    short, long = (
        tokens.service_token(application.engine, _client(callers, application.outputs["UserPoolId"], scope, **settings))
        for settings in (validity, {})
    )
    assert {**_part(short, 0), "scope": _part(short, 1)["scope"]} == {
        **_part(long, 0),
        "scope": _part(long, 1)["scope"],
    }
    assert callers.quote(long).status == 200
    refused = eventually(lambda: _with_status(callers.quote(short), 401), "that the token has expired")
    assert _is_problem(refused, 401)
