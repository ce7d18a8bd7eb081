"""Who has no business here is refused, and nothing arrives: the anonymous, the unknown, and other accounts."""

import json
from collections.abc import Callable
from typing import Any

import boto3
import botocore.config
import pytest
from botocore import UNSIGNED
from botocore.exceptions import ClientError
from eventfork.provider_simulator import Mode

from local.engine.process import ACCESS_KEY, REGION, Engine
from tests.bad_orders import ORDER_TEXT
from tests.integration.application import Application, eventually
from tests.integration.decisions import Decisions
from tests.integration.payments import PaymentProvider

OTHER_ACCOUNT = "210987654321"
REFUSED = (
    "AccessDenied|AccessDeniedException|AuthorizationError|InvalidClientTokenId|MissingAuthenticationToken|"
    "UnrecognizedClientException|InvalidAccessKeyId|NotAuthorized"
)


class Stranger:
    """Somebody who calls the engine with a key of their own, or with none."""

    def __init__(self, engine: Engine, access_key: str | None) -> None:
        self._engine = engine
        self._access_key = access_key

    def client(self, service: str) -> Any:
        """Give a client of a service."""
        unsigned = {"signature_version": UNSIGNED} if self._access_key is None else {}
        return boto3.Session(self._access_key or "none", ACCESS_KEY, region_name=REGION).client(
            service,  # type: ignore[call-overload,unused-ignore]
            endpoint_url=self._engine.url,
            config=botocore.config.Config(proxies={}, **unsigned),
        )


@pytest.fixture(params=[None, "AKIAUNKNOWNUNKNOWN00", OTHER_ACCOUNT], ids=["anonymous", "unknown", "other-account"])
def stranger(request: pytest.FixtureRequest, application: Application) -> Stranger:
    return Stranger(application.engine, request.param)


def _refused(ask: Callable[[], Any]) -> str:
    """Give the code with which something is refused; it must be, and for who asks."""
    with pytest.raises(ClientError) as refusal:
        ask()
    return str(refusal.value.response["Error"]["Code"])


def _is_of_access(code: str) -> bool:
    return any(word in code for word in REFUSED.split("|"))


def test_nothing_that_a_stranger_publishes_or_sends_arrives(application: Application, stranger: Stranger) -> None:
    """On the topic, on a queue, on the bus: what an order of ours brings that comes after it is all there is."""
    outputs, text = application.outputs, "by a stranger"
    entry = {"Source": "crm", "DetailType": "customerCreated", "EventBusName": outputs["EventBusArn"]}
    detail = json.dumps({"customerId": text, "customerName": text})
    codes = {
        "topic": _refused(
            lambda: stranger.client("sns").publish(TopicArn=outputs["CheckoutEventsTopicArn"], Message=text)
        ),
        "queue": _refused(
            lambda: stranger.client("sqs").send_message(QueueUrl=outputs["CustomersQueueUrl"], MessageBody=text)
        ),
        "bus": _refused(lambda: stranger.client("events").put_events(Entries=[{**entry, "Detail": detail}])),
    }
    assert {place: code for place, code in codes.items() if not _is_of_access(code)} == {}
    order = ORDER_TEXT.replace("9027", '"after-a-stranger"').replace("48213", f'"{id(stranger)}"')
    event_id = application.post(order.encode()).body["eventId"]
    eventually(lambda: [one for one in application.backup_events() if one["id"] == event_id], "the order in the backup")
    assert text not in json.dumps(application.backup_events())
    assert text not in json.dumps(application.messages("CheckoutQuarantineQueueUrl"))
    assert text not in json.dumps(application.messages("CustomersQuarantineQueueUrl"))
    assert text not in json.dumps(application.table("CustomerTableName"))


def test_a_stranger_reads_nothing(application: Application, stranger: Stranger) -> None:
    """No queue, no table, no bucket."""
    outputs = application.outputs
    table = f"arn:aws:dynamodb:{REGION}:000000000000:table/{outputs['CheckoutTableName']}"
    codes = {
        "queue": _refused(lambda: stranger.client("sqs").receive_message(QueueUrl=outputs["ReplayQueueUrl"])),
        "table": _refused(lambda: stranger.client("dynamodb").scan(TableName=table)),
        "bucket": _refused(lambda: stranger.client("s3").list_objects_v2(Bucket=outputs["BackupBucketName"])),
    }
    # The engine does not tell another account that the table is there; AWS says that it is denied.
    refused = {*REFUSED.split("|"), "ResourceNotFoundException"}
    assert {place: code for place, code in codes.items() if not any(one in code for one in refused)} == {}


def test_a_function_whose_role_allows_nothing_does_nothing(application: Application, decisions: Decisions) -> None:
    """It has no other credentials: not the administrator's, with which these tests are run."""
    iam, function = application.engine.client("iam"), application.outputs["PaymentProviderFunctionName"]
    configuration = application.engine.client("lambda").get_function_configuration(FunctionName=function)
    role = configuration["Role"].rpartition("/")[2]
    [name] = [one for one in iam.list_role_policies(RoleName=role)["PolicyNames"] if not one.endswith("Log")]
    policy = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    nothing = {**policy, "Statement": [one for one in policy["Statement"] if one["Sid"] == "SendTraces"]}
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(nothing))
    try:
        with pytest.raises(AssertionError):
            PaymentProvider(application).behave(Mode.HEALTHY)
        # Nobody waits for it in vain.
        with pytest.raises(AssertionError, match=f"{role} may not "):
            eventually(lambda: None, "what cannot happen")
    finally:
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(policy))
    assert [one for one in decisions.take() if f"{role} may not " in one]
    PaymentProvider(application).behave(Mode.HEALTHY)
