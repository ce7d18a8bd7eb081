"""Messages that wait in a queue raise the alarm on it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.engine.workbench import Workbench

TEMPLATE = """
Resources:
  Queue:
    Type: AWS::SQS::Queue
  Alarm:
    Type: AWS::CloudWatch::Alarm
    Properties:
      Namespace: AWS/SQS
      MetricName: ApproximateNumberOfMessagesVisible
      Dimensions: [{Name: QueueName, Value: !GetAtt Queue.QueueName}]
      Statistic: Maximum
      Period: 60
      EvaluationPeriods: 1
      Threshold: 0
      ComparisonOperator: GreaterThanThreshold
      TreatMissingData: notBreaching
Outputs:
  Url: {Value: !Ref Queue}
  Name: {Value: !GetAtt Queue.QueueName}
  Alarm: {Value: !Ref Alarm}
"""


def queue_with_alarm(workbench: Workbench, **settings: Any) -> tuple[str, str]:
    """Create a queue with an alarm on what waits in it; return the queue's URL and the alarm's name."""
    url, arn = workbench.queue()
    alarm = workbench.name("alarm")
    metric = {
        "Namespace": "AWS/SQS",
        "MetricName": "ApproximateNumberOfMessagesVisible",
        "Dimensions": [{"Name": "QueueName", "Value": arn.rpartition(":")[2]}],
        "Statistic": "Maximum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
    }
    workbench.client("cloudwatch").put_metric_alarm(AlarmName=alarm, **metric | settings)
    return url, alarm


def send(workbench: Workbench, url: str) -> None:
    workbench.client("sqs").send_message(QueueUrl=url, MessageBody="waits")


def state(workbench: Workbench, alarm: str) -> str:
    [found] = workbench.client("cloudwatch").describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
    return str(found["StateValue"])


def test_a_waiting_message_raises_the_alarm_of_a_stack(workbench: Workbench) -> None:
    """And whoever asks for the alarms that are raised finds it among them."""
    cloudwatch = workbench.client("cloudwatch")
    outputs = workbench.deploy(workbench.name("stack"), TEMPLATE)
    assert state(workbench, outputs["Alarm"]) == "OK"
    send(workbench, outputs["Url"])
    raised = cloudwatch.describe_alarms(StateValue="ALARM")["MetricAlarms"]
    [alarm] = [one for one in raised if {"Name": "QueueName", "Value": outputs["Name"]} in one["Dimensions"]]
    assert alarm["AlarmName"] == outputs["Alarm"]
    history = cloudwatch.describe_alarm_history(AlarmName=outputs["Alarm"])["AlarmHistoryItems"]
    assert "Alarm updated from OK to ALARM" in [item["HistorySummary"] for item in history]


def test_only_the_alarm_of_that_queue_is_raised(workbench: Workbench) -> None:
    url, alarm = queue_with_alarm(workbench)
    _other_url, other = queue_with_alarm(workbench)
    send(workbench, url)
    assert [state(workbench, name) for name in (alarm, other)] == ["ALARM", "OK"]


def test_a_message_that_nobody_can_receive_does_not_count(workbench: Workbench) -> None:
    """While somebody works at it, it is not visible."""
    url, alarm = queue_with_alarm(workbench)
    send(workbench, url)
    assert len(workbench.client("sqs").receive_message(QueueUrl=url, VisibilityTimeout=600)["Messages"]) == 1
    assert state(workbench, alarm) == "OK"


def test_the_alarm_ends_a_period_after_the_last_message(workbench: Workbench) -> None:
    url, alarm = queue_with_alarm(workbench, Period=10)
    send(workbench, url)
    assert state(workbench, alarm) == "ALARM"
    workbench.messages(url, 1)
    assert state(workbench, alarm) == "ALARM"
    workbench.wait_for(lambda: state(workbench, alarm) == "OK")


def test_a_raised_alarm_tells_its_topic(workbench: Workbench) -> None:
    sns = workbench.client("sns")
    topic = sns.create_topic(Name=workbench.name("topic"))["TopicArn"]
    told, arn = workbench.queue()
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    url, alarm = queue_with_alarm(workbench, AlarmActions=[topic])
    send(workbench, url)
    assert state(workbench, alarm) == "ALARM"
    [message] = workbench.messages(told, 1)
    assert json.loads(message["Body"])["AlarmName"] == alarm


@pytest.mark.parametrize("dimensions", [[], [{"Name": "QueueName", "Value": "no-such-queue"}]])
def test_an_alarm_that_names_no_queue_stays_as_it_is(workbench: Workbench, dimensions: list[dict[str, str]]) -> None:
    url, _alarm = queue_with_alarm(workbench)
    _url, alarm = queue_with_alarm(workbench, Dimensions=dimensions)
    send(workbench, url)
    assert state(workbench, alarm) == "INSUFFICIENT_DATA"
