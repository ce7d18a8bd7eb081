"""The circuit breaker's template, and what the root tells it: what no scanner checks, and only it has."""

import json
import re
from typing import Any

import pytest
from eventfork import bus_events, circuit_manager, circuit_records
from eventfork.adapters import metrics
from eventfork.circuits import Circuit, Rules
from eventfork.limits import SQS_DELAY_SECONDS

from tests.templates import APPLICATIONS, listed

BREAKER = next(one for one in APPLICATIONS if one.path.parent.name == "circuit-breaker")
FUNCTION = "AWS::Serverless::Function"
ALARM = "AWS::CloudWatch::Alarm"
TABLE = {"Fn::GetAtt": ["CircuitTable", "Arn"]}
PROBES = {"Fn::GetAtt": ["CircuitProbeQueue", "Arn"]}
FAILED_TICKS = {"Fn::GetAtt": ["CircuitTickDeadLetterQueue", "Arn"]}
FAILED_CHANGES = {"Fn::GetAtt": ["CircuitStreamDeadLetterQueue", "Arn"]}
PARAMETER = "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter"
STREAM_KEEPS_SECONDS = 24 * 3600
ENVIRONMENT_BYTES = 4096
"""Lambda quotas: environment variables of a function, all together."""


def _manager() -> dict[str, Any]:
    return BREAKER.resources(FUNCTION)["CircuitManagerFunction"]


def _source(source_type: str) -> dict[str, Any]:
    [found] = [one["Properties"] for one in _manager()["Events"].values() if one["Type"] == source_type]
    return dict(found)


def _settings() -> dict[str, Any]:
    shared: dict[str, Any] = BREAKER.document["Globals"]["Function"]["Environment"]["Variables"]
    return {**shared, **_manager()["Environment"]["Variables"]}


# The table


def test_the_table_has_the_keys_that_rows_are_written_with_and_a_stream_that_shows_them_before_and_after() -> None:
    [table] = BREAKER.resources("AWS::DynamoDB::Table").values()
    keys = {one["KeyType"]: one["AttributeName"] for one in table["KeySchema"]}
    assert (keys["HASH"], keys["RANGE"]) == circuit_records.KEYS
    assert {one["AttributeName"] for one in table["AttributeDefinitions"]} == set(circuit_records.KEYS)
    assert table["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}


def test_nothing_is_forgotten_but_what_is_on_record_of_changes() -> None:
    [table] = BREAKER.resources("AWS::DynamoDB::Table").values()
    assert table["TimeToLiveSpecification"] == {"AttributeName": "ForgottenAt", "Enabled": True}
    assert "ForgottenAt" not in circuit_records.circuit_row(Circuit("payments"))


# What invokes the manager


def test_a_tick_comes_every_minute_and_none_that_fails_is_lost() -> None:
    [(name, rule)] = BREAKER.resources("AWS::Events::Rule").items()
    assert (rule["ScheduleExpression"], rule.get("State", "ENABLED")) == ("rate(1 minute)", "ENABLED")
    [target] = rule["Targets"]
    assert target["Arn"] == {"Fn::GetAtt": ["CircuitManagerFunction", "Arn"]}
    assert json.loads(target["Input"]) == {"tick": True}
    assert target["DeadLetterConfig"] == {"Arn": FAILED_TICKS}
    [permission] = BREAKER.resources("AWS::Lambda::Permission").values()
    assert permission["Principal"] == "events.amazonaws.com"
    assert permission["FunctionName"] == {"Ref": "CircuitManagerFunction"}
    assert permission["SourceArn"] == {"Fn::GetAtt": [name, "Arn"]}
    assert _manager()["DeadLetterQueue"] == {"Type": "SQS", "TargetArn": FAILED_TICKS}
    [invocation] = BREAKER.resources("AWS::Lambda::EventInvokeConfig").values()
    assert invocation["FunctionName"] == {"Ref": "CircuitManagerFunction"}
    assert invocation["DestinationConfig"] == {"OnFailure": {"Destination": FAILED_TICKS}}
    [queue_policy] = BREAKER.resources("AWS::SQS::QueuePolicy").values()
    statements = {one["Sid"]: one for one in queue_policy["PolicyDocument"]["Statement"]}
    assert statements["TickRuleSetsAside"]["Resource"] == FAILED_TICKS
    source = {"aws:SourceArn": {"Fn::GetAtt": [name, "Arn"]}}
    assert statements["TickRuleSetsAside"]["Condition"]["ArnEquals"] == source


def test_probes_may_follow_each_other_as_long_as_an_outage_lasts() -> None:
    assert _manager()["RecursiveLoop"] == "Allow"
    assert "RecursiveLoop" not in BREAKER.resources(FUNCTION)["CircuitControlFunction"]


def test_a_probe_waits_for_no_other_and_one_that_dies_is_made_again_long_before_its_message_is_forgotten() -> None:
    source = _source("SQS")
    assert source["BatchSize"] == 1
    assert source["Queue"] == PROBES
    queue = BREAKER.resources("AWS::SQS::Queue")["CircuitProbeQueue"]
    assert queue["VisibilityTimeout"] >= 6 * _manager()["Timeout"]
    attempts = queue["RedrivePolicy"]["maxReceiveCount"]
    assert attempts * queue["VisibilityTimeout"] * 4 <= queue["MessageRetentionPeriod"]


def test_a_pause_between_probes_is_one_that_a_message_can_be_delayed_by() -> None:
    assert BREAKER.parameters["ProbeSeconds"]["MaxValue"] <= SQS_DELAY_SECONDS


def test_the_stream_tells_of_circuits_only_in_their_order_and_from_the_beginning() -> None:
    source = _source("DynamoDB")
    assert source["Stream"] == {"Fn::GetAtt": ["CircuitTable", "StreamArn"]}
    assert source["StartingPosition"] == "TRIM_HORIZON"
    assert "ParallelizationFactor" not in source
    [wanted] = source["FilterCriteria"]["Filters"]
    assert json.loads(wanted["Pattern"]) == {"dynamodb": {"Keys": {"Item": {"S": [circuit_records.STATE]}}}}


def test_a_change_that_cannot_be_told_is_split_off_set_aside_and_the_stream_goes_on_before_it_forgets() -> None:
    source = _source("DynamoDB")
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert source["BisectBatchOnFunctionError"] is True
    assert source["MaximumRetryAttempts"] > 0
    assert source["MaximumRecordAgeInSeconds"] * 4 <= STREAM_KEEPS_SECONDS
    assert source["DestinationConfig"] == {"OnFailure": {"Destination": FAILED_CHANGES}}


# What the functions are told


def test_the_rules_of_circuits_are_those_that_hold_where_nothing_is_said() -> None:
    defaults = {name: parameter.get("Default") for name, parameter in BREAKER.parameters.items()}
    rules = Rules()
    assert defaults["ProbesNeeded"] == rules.probes_needed
    assert defaults["ProbesLookedAt"] == rules.probes_looked_at
    assert defaults["ProbeSeconds"] == rules.probe_seconds
    assert defaults["RecoveryCheckSeconds"] == rules.recovery_check_seconds
    assert defaults["HoldSeconds"] == rules.hold_seconds
    assert defaults["GraceSeconds"] == rules.grace_seconds
    assert defaults["FailureShare"] == rules.failure_share * 100
    assert defaults["SlowShare"] == rules.slow_share * 100
    assert defaults["MinimumVolume"] == rules.minimum_volume


def test_each_rule_is_told_by_the_parameter_of_its_name() -> None:
    told = {name: value["Ref"] for name, value in _manager()["Environment"]["Variables"].items()}
    for name, parameter in told.items():
        if parameter != "CircuitProbeQueue":
            assert re.sub(r"(?<!^)(?=[A-Z])", "_", parameter).upper() == name


def test_the_settings_fit_into_a_functions_environment_whatever_circuits_there_are() -> None:
    long = {"PROBE_QUEUE_URL", "NOTICE_TOPIC_ARN", "EVENT_BUS_NAME", "PARAMETER_PREFIX", "TABLE_NAME"}
    others = sum(len(name) + (256 if name in long else 32) for name in _settings().keys() - {"CIRCUITS"})
    assert BREAKER.parameters["Circuits"]["MaxLength"] + others <= ENVIRONMENT_BYTES


# Who may do what


def test_the_manager_reads_and_writes_circuits_and_deletes_none() -> None:
    for function, more in (("CircuitManagerFunction", set()), ("CircuitControlFunction", {"dynamodb:Query"})):
        statements = [statement for _, statement in BREAKER.statements(function).values()]
        actions = {one for each in statements for one in listed(each["Action"]) if one.startswith("dynamodb:")}
        on_the_table = {one for one in actions if BREAKER.allowed(function, one) == [TABLE]}
        assert on_the_table == {"dynamodb:GetItem", "dynamodb:PutItem", *more}
        assert {one for one in actions - on_the_table if BREAKER.allowed(function, one)} <= {
            f"dynamodb:{name}" for name in ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")
        }


def test_the_manager_speaks_for_circuits_alone_and_on_one_bus_alone() -> None:
    [bus] = BREAKER.allowed("CircuitManagerFunction", "events:PutEvents")
    assert bus["Fn::Sub"].endswith(":event-bus/${EventBusName}")
    _, statement = BREAKER.statements("CircuitManagerFunction")["TellOfCircuits"]
    assert statement["Condition"] == {"StringEquals": {"events:source": bus_events.CIRCUITS}}
    assert not BREAKER.allowed("CircuitControlFunction", "events:PutEvents")


def test_the_manager_writes_parameters_below_the_prefix_and_reads_where_circuits_lead_to() -> None:
    below = {"Fn::Sub": f"{PARAMETER}${{ParameterPrefix}}*"}
    assert BREAKER.allowed("CircuitManagerFunction", "ssm:PutParameter") == [below]
    assert BREAKER.allowed("CircuitManagerFunction", "ssm:GetParameter") == [below, {"Ref": "HealthParameterArns"}]


def test_the_manager_takes_probes_only_and_sends_only_probes_and_what_failed() -> None:
    for action in ("sqs:ReceiveMessage", "sqs:DeleteMessage"):
        assert BREAKER.allowed("CircuitManagerFunction", action) == [PROBES]
    assert BREAKER.allowed("CircuitManagerFunction", "sqs:SendMessage") == [PROBES, FAILED_TICKS, FAILED_CHANGES]
    assert not BREAKER.allowed("CircuitControlFunction", "sqs:SendMessage")


def test_a_permission_on_a_topic_goes_with_it() -> None:
    condition, statement = BREAKER.statements("CircuitManagerFunction")["TellPeople"]
    assert (statement["Action"], statement["Resource"]) == ("sns:Publish", {"Ref": "NoticeTopicArn"})
    assert condition == "HasNoticeTopic"
    assert BREAKER.document["Conditions"][condition] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "NoticeTopicArn"}, ""]}]}


def test_only_what_has_no_resources_to_name_is_granted_on_everything() -> None:
    everything = {
        action
        for function in BREAKER.resources(FUNCTION)
        for _, statement in BREAKER.statements(function).values()
        if "*" in listed(statement["Resource"])
        for action in listed(statement["Action"])
    }
    assert everything == {"cloudwatch:GetMetricData", "xray:PutTraceSegments", "xray:PutTelemetryRecords"}


# Alarms


def test_an_alarm_comes_when_a_circuit_is_open_and_when_callers_cannot_tell() -> None:
    alarms = BREAKER.resources(ALARM)
    settings = _settings()
    opened, unreadable = alarms["CircuitOpenAlarm"], alarms["CircuitStateUnreadableAlarm"]
    assert opened["Namespace"] == unreadable["Namespace"] == settings["POWERTOOLS_METRICS_NAMESPACE"]
    assert opened["MetricName"] == circuit_manager.CIRCUIT_OPEN
    assert opened["Dimensions"] == [{"Name": "service", "Value": settings["POWERTOOLS_SERVICE_NAME"]}]
    assert (opened["Statistic"], opened["Threshold"]) == ("Maximum", 0)
    assert unreadable["MetricName"] == "CircuitStateUnreadable"
    assert unreadable["Dimensions"] == [{"Name": "service", "Value": {"Ref": "CallersServiceName"}}]
    assert (unreadable["Statistic"], unreadable["Threshold"]) == ("Sum", 0)


def test_an_alarm_comes_while_there_is_time_to_replay_what_is_held_and_only_where_it_is_short() -> None:
    resource = BREAKER.document["Resources"]["HeldWorkRetentionAlarm"]
    assert BREAKER.document["Conditions"][resource["Condition"]] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "HeldRetentionDays"}, 0]}]
    }
    assert BREAKER.parameters["HeldRetentionDays"]["Default"] == 0
    alarm = resource["Properties"]
    share, oldest = alarm["Metrics"]
    assert share["Expression"] == {"Fn::Sub": "100 * oldest / (86400 * ${HeldRetentionDays})"}
    assert (oldest["Id"], oldest["ReturnData"]) == ("oldest", False)
    assert oldest["MetricStat"]["Metric"]["MetricName"] == circuit_manager.OLDEST_HELD_SECONDS
    assert alarm["Threshold"] <= 50


def test_an_alarm_comes_well_before_the_stream_forgets() -> None:
    alarm = BREAKER.resources(ALARM)["CircuitStreamAgeAlarm"]
    assert (alarm["MetricName"], alarm["Dimensions"]) == (
        "IteratorAge",
        [{"Name": "FunctionName", "Value": {"Ref": "CircuitManagerFunction"}}],
    )
    assert alarm["Threshold"] / 1000 < _source("DynamoDB")["MaximumRecordAgeInSeconds"]


def test_the_readme_names_every_event_and_every_metric() -> None:
    readme = (BREAKER.path.parent / "README.md").read_text(encoding="utf-8")
    named = (
        *(bus_events.CIRCUIT_OPENED, bus_events.CIRCUIT_HALF_OPENED, bus_events.CIRCUIT_CLOSED),
        *(bus_events.HELD_WORK_FOUND, bus_events.CIRCUITS),
        *(circuit_manager.CIRCUIT_OPEN, circuit_manager.CIRCUIT_WOULD_OPEN),
        *(circuit_manager.HELD, circuit_manager.OLDEST_HELD_SECONDS),
        *(metrics.CALLS, metrics.FAILURES, metrics.SLOW_CALLS),
    )
    assert [name for name in named if f"`{name}`" not in readme] == []


@pytest.mark.parametrize(
    ("parameter", "value", "allowed"),
    [
        ("EventBusName", "eventfork-commerce", True),
        ("EventBusName", "arn:aws:events:eu-central-1:123456789012:event-bus/eventfork-commerce", False),
        ("Circuits", '{"payments":{"healthEndpointParameter":"CFN-Endpoint"}}', True),
        ("Circuits", "payments", False),
        ("ParameterPrefix", "/", True),
        ("ParameterPrefix", "/eventfork/circuits/", True),
        ("ParameterPrefix", "/eventfork/circuits", False),
        ("ParameterPrefix", "/*/", False),
        ("CallersServiceName", "eventfork-payments", True),
        ("CallersServiceName", "", False),
    ],
)
def test_a_parameter_that_could_not_work_is_refused_at_deployment(parameter: str, value: str, allowed: bool) -> None:
    assert bool(re.fullmatch(BREAKER.parameters[parameter]["AllowedPattern"], value)) == allowed
