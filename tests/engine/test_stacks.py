"""How stacks with nested applications are created, updated and deleted."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

from tests.engine.workbench import Workbench

PARENT = """
AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  Template: {Type: String}
Resources:
  Nested:
    Type: AWS::CloudFormation::Stack
    Properties: {TemplateURL: !Ref Template}
"""
FILLED = """
AWSTemplateFormatVersion: "2010-09-09"
Resources:
  FilledBucket:
    Type: AWS::S3::Bucket
    Properties: {BucketName: filled-bucket, VersioningConfiguration: {Status: Enabled}}
"""
KEPT = """
AWSTemplateFormatVersion: "2010-09-09"
Resources:
  KeptTopic:
    Type: AWS::SNS::Topic
    DeletionPolicy: Retain
    UpdateReplacePolicy: Retain
  OtherTopic:
    Type: AWS::SNS::Topic
"""


def test_a_nested_application_with_serverless_resources_works(
    workbench: Workbench, application: dict[str, str]
) -> None:
    """What is published reaches, filtered, the nested function, its layer, its table and its stream's bucket."""
    sns, dynamodb, s3 = (workbench.client(name) for name in ("sns", "dynamodb", "s3"))
    for amount in range(90, 115):
        sns.publish(
            TopicArn=application["TopicArn"],
            Message=json.dumps({"customer": "9027", "order": str(amount)}),
            MessageAttributes={"amount": {"DataType": "Number", "StringValue": str(amount)}},
        )
    wanted = {str(amount) for amount in range(100, 115)}

    def stored() -> bool:
        items = dynamodb.scan(TableName=application["TableName"])["Items"]
        return {item["OrderId"]["S"] for item in items if item["Label"]["S"] == f"<{item['OrderId']['S']}>"} == wanted

    def backed_up() -> bool:
        bucket = application["BucketName"]
        keys = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket, Prefix="events/").get("Contents", [])]
        bodies = [gzip.decompress(s3.get_object(Bucket=bucket, Key=key)["Body"].read()) for key in keys]
        return {json.loads(line)["order"] for body in bodies for line in body.splitlines()} == wanted

    workbench.wait_for(stored)
    workbench.wait_for(backed_up)


def test_a_consumer_turned_off_by_a_parameter_is_off(workbench: Workbench) -> None:
    """A parameter, which is always a text, turns an event source mapping off as `false` does."""
    outputs = workbench.deploy_application("idle", ConsumerEnabled="false")
    mappings = workbench.client("lambda").list_event_source_mappings(FunctionName=outputs["FunctionName"])
    found = [(each["State"], each["ScalingConfig"]) for each in mappings["EventSourceMappings"]]
    assert found == [("Disabled", {"MaximumConcurrency": 2})]


def test_an_update_changes_what_it_names_and_nothing_else(workbench: Workbench) -> None:
    """After an update of one parameter every output, attributes of unchanged nested resources too, is as before."""
    bucket = workbench.upload_code()
    before = workbench.deploy_application("updated", CodeBucket=bucket)
    after = workbench.deploy_application("updated", update=True, CodeBucket=bucket, RetentionDays="7")
    assert after == before
    groups = workbench.client("logs").describe_log_groups(logGroupNamePrefix=after["FunctionLogGroupName"])["logGroups"]
    assert [group["retentionInDays"] for group in groups] == [7]


def test_nothing_is_left_of_a_deleted_stack(workbench: Workbench) -> None:
    """Deleting a stack that worked removes everything it made, but for its key, which waits for its deletion."""
    before = inventory(workbench)
    outputs = workbench.deploy_application("deleted")
    workbench.client("sns").publish(
        TopicArn=outputs["TopicArn"],
        Message=json.dumps({"customer": "9027", "order": "1"}),
        MessageAttributes={"amount": {"DataType": "Number", "StringValue": "100"}},
    )
    s3 = workbench.client("s3")
    workbench.wait_for(lambda: s3.list_objects_v2(Bucket=outputs["BucketName"]).get("Contents"))
    during = inventory(workbench)
    assert all(during[kind] > before[kind] for kind in before), "the stack makes one of each at least"
    workbench.empty(outputs["BucketName"])
    workbench.delete("deleted")
    code = {name for name in during["buckets"] - before["buckets"] if name.startswith("code-")}
    assert inventory(workbench) == {**before, "buckets": before["buckets"] | code}


def test_a_retained_resource_of_a_nested_stack_is_kept(workbench: Workbench) -> None:
    """Deleting a stack keeps what its nested stack retains."""
    before = inventory(workbench)["topics"]
    workbench.deploy("keeping", PARENT, Template=uploaded(workbench, KEPT))
    workbench.delete("keeping")
    assert ["KeptTopic" in topic for topic in inventory(workbench)["topics"] - before] == [True]


def test_a_stack_is_not_deleted_while_a_nested_bucket_holds_something(workbench: Workbench) -> None:
    """Deletion fails as long as a bucket holds a version of an object, and succeeds when it is tried again."""
    s3 = workbench.client("s3")
    workbench.deploy("filled", PARENT, Template=uploaded(workbench, FILLED))
    s3.put_object(Bucket="filled-bucket", Key="order", Body=b"1")
    s3.delete_object(Bucket="filled-bucket", Key="order")
    workbench.delete("filled", wanted="DELETE_FAILED")
    workbench.empty("filled-bucket")
    workbench.delete("filled")
    assert "filled-bucket" not in inventory(workbench)["buckets"]


def uploaded(workbench: Workbench, template: str) -> str:
    """Put a nested template where a stack finds it, and return its address."""
    bucket = workbench.name("templates")
    workbench.client("s3").create_bucket(Bucket=bucket)
    workbench.client("s3").put_object(Bucket=bucket, Key="nested.yaml", Body=template.encode())
    return f"https://s3.amazonaws.com/{bucket}/nested.yaml"


def inventory(workbench: Workbench) -> dict[str, set[str]]:
    """Return what there is, by kind."""
    kinds: dict[str, tuple[str, Callable[[Any], Any], str, str]] = {
        "topics": ("sns", lambda client: client.list_topics(), "Topics", "TopicArn"),
        "subscriptions": ("sns", lambda client: client.list_subscriptions(), "Subscriptions", "SubscriptionArn"),
        "functions": ("lambda", lambda client: client.list_functions(), "Functions", "FunctionArn"),
        "mappings": ("lambda", lambda client: client.list_event_source_mappings(), "EventSourceMappings", "UUID"),
        "table streams": ("dynamodbstreams", lambda client: client.list_streams(), "Streams", "StreamArn"),
        "log groups": ("logs", lambda client: client.describe_log_groups(), "logGroups", "logGroupName"),
        "buckets": ("s3", lambda client: client.list_buckets(), "Buckets", "Name"),
        "alarms": ("cloudwatch", lambda client: client.describe_alarms(), "MetricAlarms", "AlarmName"),
        "APIs": ("apigateway", lambda client: client.get_rest_apis(), "items", "id"),
        "usage plans": ("apigateway", lambda client: client.get_usage_plans(), "items", "id"),
        "roles": ("iam", lambda client: client.list_roles(), "Roles", "RoleName"),
        "key aliases": ("kms", lambda client: client.list_aliases(), "Aliases", "AliasName"),
    }
    found = {
        kind: {each[field] for each in ask(workbench.client(service)).get(items, [])}
        for kind, (service, ask, items, field) in kinds.items()
    }
    found["queues"] = set(workbench.client("sqs").list_queues().get("QueueUrls", []))
    found["tables"] = set(workbench.client("dynamodb").list_tables()["TableNames"])
    found["streams"] = set(workbench.client("firehose").list_delivery_streams(Limit=10000)["DeliveryStreamNames"])
    kms = workbench.client("kms")
    ids = [key["KeyId"] for key in kms.list_keys()["Keys"]]
    found["keys"] = {each for each in ids if kms.describe_key(KeyId=each)["KeyMetadata"]["KeyState"] == "Enabled"}
    return found
