"""The deployed application is changed, repaired by replay, and removed without a trace."""

import json

from local import deployment
from local.engine.process import Engine
from tests.bad_orders import ORDER_TEXT
from tests.integration.application import Application, eventually
from tests.integration.conftest import PARAMETERS


def test_turning_replay_on_repairs_a_spoilt_row_and_turning_it_off_keeps_the_rest(application: Application) -> None:
    order = ORDER_TEXT.replace("9027", "31").replace("48213", "32")
    event_id = application.post(order.encode()).body["eventId"]
    [row] = eventually(
        lambda: [row for row in application.rows("31") if "PaymentStatus" in row], "the paid order's row"
    )
    key = {name: row[name] for name in ("CustomerId", "DateOrderId")}
    table = {"TableName": application.outputs["CheckoutTableName"]}
    application.engine.client("dynamodb").update_item(
        **table,
        Key=key,
        UpdateExpression="SET PaymentAmount = :spoilt, PaymentStatus = :foreign",
        ExpressionAttributeValues={":spoilt": {"N": "0"}, ":foreign": {"S": "captured"}},
    )
    application.update(ReplayEnabled="true")
    repaired = eventually(
        lambda: next((one for one in application.rows("31") if one["PaymentAmount"]["N"] != "0"), None), "the repair"
    )
    assert repaired == {**row, "PaymentStatus": {"S": "captured"}}
    application.update(ReplayEnabled="false")
    again = application.post(order.replace("128.40", "128.41").encode()).body["eventId"]
    assert again != event_id
    eventually(
        lambda: [one for one in application.messages("ReplayQueueUrl") if json.loads(one["Body"])["id"] == again],
        "the message that is kept again",
    )


def _traces(engine: Engine, stack: str) -> list[str]:
    """Name everything on the engine that bears the stack's name."""
    events = engine.client("events")
    buses = [bus["Name"] for bus in events.list_event_buses()["EventBuses"]]
    names: list[str] = [
        *buses,
        *(rule["Arn"] for bus in buses for rule in events.list_rules(EventBusName=bus)["Rules"]),
        *(archive["ArchiveName"] for archive in events.list_archives()["Archives"]),
        *engine.client("sqs").list_queues().get("QueueUrls", []),
        *(topic["TopicArn"] for topic in engine.client("sns").list_topics()["Topics"]),
        *(one["SubscriptionArn"] for one in engine.client("sns").list_subscriptions()["Subscriptions"]),
        *(one["FunctionName"] for one in engine.client("lambda").list_functions()["Functions"]),
        *(one["FunctionArn"] for one in engine.client("lambda").list_event_source_mappings()["EventSourceMappings"]),
        *engine.client("dynamodb").list_tables()["TableNames"],
        *(bucket["Name"] for bucket in engine.client("s3").list_buckets()["Buckets"]),
        *engine.client("firehose").list_delivery_streams()["DeliveryStreamNames"],
        *(group["logGroupName"] for group in engine.client("logs").describe_log_groups()["logGroups"]),
        *(role["RoleName"] for role in engine.client("iam").list_roles()["Roles"]),
        *(alarm["AlarmName"] for alarm in engine.client("cloudwatch").describe_alarms()["MetricAlarms"]),
        *(api["name"] for api in engine.client("apigateway").get_rest_apis()["items"]),
    ]
    return [name for name in names if stack in name]


def test_deleting_the_stack_leaves_nothing_behind(engine: Engine) -> None:
    stack = "short-lived"
    deployment.build()
    deployment.deploy(engine, stack, {**deployment.target_parameters(), **PARAMETERS})
    assert len(_traces(engine, stack)) > 60
    deployment.delete(engine, stack)
    assert eventually(lambda: not _traces(engine, stack), f"the end of {_traces(engine, stack)}")
