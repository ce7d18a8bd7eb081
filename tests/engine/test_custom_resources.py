"""How custom resources in nested stacks are created, updated and deleted, and how conditions switch them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.engine.workbench import Workbench

PARENT = """
AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  Template: {Type: String}
  QueueUrl: {Type: String}
  Enabled: {Type: String, Default: "true"}
  Shards: {Type: Number, Default: 1}
  Other: {Type: String, Default: "left alone"}
Conditions:
  IsEnabled: !Equals [!Ref Enabled, "true"]
Resources:
  Topic: {Type: AWS::SNS::Topic}
  Nested:
    Type: AWS::CloudFormation::Stack
    Condition: IsEnabled
    Properties:
      TemplateURL: !Ref Template
      Parameters: {QueueUrl: !Ref QueueUrl, Shards: !Ref Shards, Other: !Ref Other, TopicName: !GetAtt Topic.TopicName}
  Reader:
    Type: AWS::SSM::Parameter
    Properties: {Type: String, Value: !If [IsEnabled, !GetAtt Nested.Outputs.Security, none]}
Outputs:
  Topic: {Value: !Ref Topic}
  Reader: {Value: !Ref Reader}
  Security: {Condition: IsEnabled, Value: !GetAtt Nested.Outputs.Security}
  Identity: {Condition: IsEnabled, Value: !GetAtt Nested.Outputs.Identity}
  Group: {Condition: IsEnabled, Value: !GetAtt Nested.Outputs.Group}
"""
NESTED = """
AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  QueueUrl: {Type: String}
  Shards: {Type: Number}
  Other: {Type: String}
  TopicName: {Type: String}
Conditions:
  HasGroup: !Equals [!Ref Other, "with group"]
Resources:
  Function:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.13
      Handler: index.handler
      Timeout: 60
      Role: arn:aws:iam::000000000000:role/any
      Environment: {Variables: {QUEUE_URL: !Ref QueueUrl}}
      Code:
        ZipFile: |
          import json, os, urllib.request
          import boto3
          def handler(event, context):
              boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE_URL"], MessageBody=json.dumps(event))
              shards = event["ResourceProperties"]["Shards"]
              answer = {
                  "Status": "FAILED" if shards == "0" else "SUCCESS",
                  "Reason": "Give at least one shard.",
                  "PhysicalResourceId": event.get("PhysicalResourceId", "orders"),
                  "StackId": event["StackId"],
                  "RequestId": event["RequestId"],
                  "LogicalResourceId": event["LogicalResourceId"],
                  "Data": {"Security": "mapped " + shards},
              }
              body = json.dumps(answer).encode()
              urllib.request.urlopen(urllib.request.Request(event["ResponseURL"], body, {}, method="PUT"))
  Setup:
    Type: Custom::SearchIndexSetup
    Properties:
      ServiceToken: !GetAtt Function.Arn
      Shards: !Ref Shards
      Topic: !Ref TopicName
  Group:
    Type: AWS::Logs::LogGroup
    Condition: HasGroup
  Labelled:
    Type: AWS::SSM::Parameter
    Properties: {Type: String, Value: !Ref Other}
  LogPolicy:
    Type: AWS::Logs::ResourcePolicy
    Properties:
      PolicyName: !Sub ${TopicName}-logs
      PolicyDocument: !Sub '{"Version":"2012-10-17","Statement":[],"Id":"${Shards}"}'
Outputs:
  Security: {Value: !GetAtt Setup.Security}
  Identity: {Value: !Ref Setup}
  Group: {Value: !If [HasGroup, !Ref Group, none]}
  GroupIfAny: {Condition: HasGroup, Value: !Ref Group}
"""


class Setup:
    """A stack with a nested stack with a custom resource, whose requests are kept in a queue."""

    def __init__(self, workbench: Workbench) -> None:
        self.workbench = workbench
        self.stack = workbench.name("setup")
        self.queue, _arn = workbench.queue()
        bucket = workbench.name("templates")
        workbench.client("s3").create_bucket(Bucket=bucket)
        workbench.client("s3").put_object(Bucket=bucket, Key="nested.yaml", Body=NESTED.encode())
        self.template = f"https://s3.amazonaws.com/{bucket}/nested.yaml"

    def deploy(self, *, update: bool = False, **parameters: str) -> dict[str, str]:
        """Create or update the stack, and return its outputs."""
        return self.workbench.deploy(
            self.stack, PARENT, update=update, Template=self.template, QueueUrl=self.queue, **parameters
        )

    def requests(self, *kinds: str) -> list[Any]:
        """Return the requests made of the custom resource since the last call, which must be of these kinds."""
        self.workbench.client("sqs").send_message(QueueUrl=self.queue, MessageBody='{"RequestType": "none"}')
        found = [json.loads(each["Body"]) for each in self.workbench.messages(self.queue, len(kinds) + 1)]
        assert [each["RequestType"] for each in found] == [*kinds, "none"]
        return found[:-1]

    def nested_stacks(self) -> list[str]:
        """Return the states of stacks nested in this one that are not deleted."""
        stacks = self.workbench.client("cloudformation").describe_stacks()["Stacks"]
        return [each["StackStatus"] for each in stacks if each["StackName"].startswith(f"{self.stack}-Nested")]

    def log_policies(self, topic_arn: str) -> list[str]:
        """Return the log policies named after the topic, by their ids."""
        policies = self.workbench.client("logs").describe_resource_policies()["resourcePolicies"]
        wanted = f"{topic_arn.rpartition(':')[2]}-logs"
        return [json.loads(each["policyDocument"])["Id"] for each in policies if each["policyName"] == wanted]


@pytest.fixture
def setup(workbench: Workbench) -> Setup:
    """Return the stack, not yet created."""
    return Setup(workbench)


def test_a_custom_resource_follows_its_stack(setup: Setup) -> None:
    """It is created with it, updated when a property of its own changes, left alone otherwise, deleted with it."""
    outputs = setup.deploy()
    [create] = setup.requests("Create")
    assert create["ResourceType"] == "Custom::SearchIndexSetup"
    assert create["LogicalResourceId"] == "Setup"
    assert create["ResourceProperties"]["Shards"] == "1"
    assert (outputs["Security"], outputs["Identity"]) == ("mapped 1", "orders")

    outputs = setup.deploy(update=True, Shards="2")
    [update] = setup.requests("Update")
    assert (update["OldResourceProperties"]["Shards"], update["ResourceProperties"]["Shards"]) == ("1", "2")
    assert update["PhysicalResourceId"] == "orders"
    assert (outputs["Security"], outputs["Identity"]) == ("mapped 2", "orders")

    outputs = setup.deploy(update=True, Shards="2", Other="changed")
    setup.requests()
    assert (outputs["Security"], outputs["Identity"]) == ("mapped 2", "orders")

    setup.workbench.delete(setup.stack)
    [delete] = setup.requests("Delete")
    assert (delete["PhysicalResourceId"], delete["ResourceProperties"]["Shards"]) == ("orders", "2")


def test_a_custom_resource_that_fails_takes_its_nested_stack_with_it(setup: Setup) -> None:
    """Its reason is in the events of the parent, and nothing is left of what the nested stack had made."""
    topic = setup.deploy(Enabled="false")["Topic"]
    with pytest.raises(AssertionError, match=r"Give at least one shard\."):
        setup.deploy(update=True, Enabled="true", Shards="0")
    assert setup.nested_stacks() == []
    assert setup.log_policies(topic) == []
    setup.requests("Create")
    assert setup.deploy(update=True, Enabled="true", Shards="2")["Security"] == "mapped 2"
    setup.workbench.delete(setup.stack)


def test_a_log_policy_follows_its_stack(setup: Setup) -> None:
    """It is created, changed and deleted."""
    topic = setup.deploy()["Topic"]
    assert setup.log_policies(topic) == ["1"]
    setup.deploy(update=True, Shards="2")
    assert setup.log_policies(topic) == ["2"]
    setup.workbench.delete(setup.stack)
    assert setup.log_policies(topic) == []


def test_a_condition_switches_a_nested_stack_on_and_off(setup: Setup) -> None:
    """What it made, its outputs and those of its parent come and go by updates; the rest stays as it is."""
    ssm = setup.workbench.client("ssm")
    off = setup.deploy(Enabled="false")
    assert set(off) == {"Topic", "Reader"}
    assert setup.nested_stacks() == []

    on = setup.deploy(update=True, Enabled="true")
    setup.requests("Create")
    assert set(on) == {"Topic", "Reader", "Security", "Identity", "Group"}
    assert {name: on[name] for name in off} == off
    assert ssm.get_parameter(Name=on["Reader"])["Parameter"]["Value"] == on["Security"] == "mapped 1"
    assert [state.endswith("COMPLETE") for state in setup.nested_stacks()] == [True]

    assert setup.deploy(update=True, Enabled="false") == off
    setup.requests("Delete")
    assert ssm.get_parameter(Name=off["Reader"])["Parameter"]["Value"] == "none"
    assert setup.nested_stacks() == []
    assert setup.log_policies(off["Topic"]) == []

    assert setup.deploy(update=True, Enabled="true") == on
    setup.requests("Create")
    setup.workbench.delete(setup.stack)
    setup.requests("Delete")


def test_a_condition_switches_a_resource_of_a_nested_stack(setup: Setup) -> None:
    """By an update of the parent, with the output that names it."""
    logs = setup.workbench.client("logs")

    def exists(group: str) -> bool:
        return bool(logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"])

    assert setup.deploy()["Group"] == "none"
    group = setup.deploy(update=True, Other="with group")["Group"]
    assert exists(group)
    assert setup.deploy(update=True)["Group"] == "none"
    assert not exists(group)
    setup.workbench.delete(setup.stack)
