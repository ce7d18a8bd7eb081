"""Replay control's template, and what the root tells it: what no scanner checks, and only it has."""

import json
import re
from itertools import product
from typing import Any

import pytest
from eventfork import bus_events
from eventfork.replay_targets import read_targets

from tests.templates import APPLICATIONS, NESTED, PIPELINES, REPLAY_CONTROL, ROOT, listed, overrides, resolved

FUNCTION = "AWS::Serverless::Function"
KEPT = {"Fn::GetAtt": ["ReplayTable", "Arn"]}
ACCOUNT = "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}"
ENVIRONMENT_BYTES = 4096
"""Lambda quotas: environment variables of a function, all together."""
LAMBDA_SECONDS = 900
SWEEP_DEAD_LETTERS = {"Fn::GetAtt": ["ReplaySweepDeadLetterQueue", "Arn"]}
RECOVERY_DEAD_LETTERS = {"Fn::GetAtt": ["ReplayRecoveryDeadLetterQueue", "Arn"]}
QUEUE_ARN = "arn:aws:sqs:ap-southeast-2:123456789012:" + "q" * 80
"""The longest that there is: a queue's name has 80 characters at most."""
RULE_ARN = "arn:aws:events:ap-southeast-2:123456789012:rule/" + "b" * 40 + "/" + "r" * 64


def _given() -> dict[str, Any]:
    given: dict[str, Any] = ROOT.resources("AWS::Serverless::Application")["ReplayControl"]["Parameters"]
    return given


def _named(value: Any) -> str:
    """Put texts together as CloudFormation does, an attribute's name in place of its value."""
    if isinstance(value, str):
        return value
    [(function, arguments)] = value.items()
    if function == "Fn::Join":
        separator, parts = arguments
        return str(separator.join(map(_named, parts)))
    if function == "Fn::GetAtt":
        return ".".join(arguments)
    assert function == "Fn::Sub", function
    return re.sub(r"\$\{([^}]+)\}", r"\1", arguments)


def _told(*, fraud_screening: bool, payments: bool) -> dict[str, Any]:
    """Give what the root tells of the consumers, with and without those two."""
    given = resolved(_given(), HasFraudScreening=fraud_screening, HasPayments=payments)
    lists = {name: _named(given[name]).split(",") for name in given if name.endswith("QueueArns")}
    return {"Targets": read_targets(_named(given["Targets"])), **lists}


# What the root tells it


whatever_is_there = pytest.mark.parametrize(("fraud_screening", "payments"), [*product([False, True], repeat=2)])


@whatever_is_there
def test_the_root_names_every_consumer_that_is_there_with_its_own_queues_and_its_replay_rule(
    fraud_screening: bool, payments: bool
) -> None:
    targets = _told(fraud_screening=fraud_screening, payments=payments)["Targets"]
    optional = {"fraud-screening": fraud_screening, "payments": payments}
    assert targets.keys() == {"checkout", "customers", *(name for name, is_there in optional.items() if is_there)}
    nests = {
        "checkout": "CheckoutPipeline",
        "customers": "Customers",
        "fraud-screening": "FraudScreening",
        "payments": "Payments",
    }
    for name, target in targets.items():
        template = next(one for one in NESTED if one.path.parent.name == name)
        outputs = {f"{nests[name]}.Outputs.{output}" for output in template.outputs}
        prefix = f"{nests[name]}.Outputs.{''.join(part.capitalize() for part in name.split('-'))}"
        assert target.queue_arn == f"{prefix}QueueArn"
        assert target.dead_letter_queue_arn == f"{prefix}DeadLetterQueueArn"
        assert {target.queue_arn, target.dead_letter_queue_arn} <= outputs
        if template in APPLICATIONS:
            assert target.rule_arn == f"{nests[name]}.Outputs.ReplayRuleArn"
            assert target.buffer_queue_arn == f"{prefix}ReplayBufferQueueArn"
            assert {target.rule_arn, target.buffer_queue_arn} <= outputs
        else:
            assert not target.is_on_the_bus


def test_every_consumer_that_has_a_replay_rule_can_be_replayed_to() -> None:
    consumers = {one.path.parent.name for one in APPLICATIONS if "ReplayRule" in one.resources()}
    targets = _told(fraud_screening=True, payments=True)["Targets"]
    on_the_bus = {name for name, one in targets.items() if one.is_on_the_bus}
    assert on_the_bus == consumers


def test_the_root_names_the_circuit_that_guards_a_consumer() -> None:
    circuits = {name: one.circuit for name, one in _told(fraud_screening=True, payments=True)["Targets"].items()}
    guarded = ROOT.resources("AWS::Serverless::Application")["Payments"]["Parameters"]["CircuitName"]
    assert {name: circuit for name, circuit in circuits.items() if circuit} == {"payments": guarded}


@whatever_is_there
def test_what_replays_may_reach_is_what_the_consumers_are_named_with(fraud_screening: bool, payments: bool) -> None:
    told = _told(fraud_screening=fraud_screening, payments=payments)
    targets = told["Targets"].values()
    assert told["TargetQueueArns"] == [one.queue_arn for one in targets]
    assert told["DeadLetterQueueArns"] == [one.dead_letter_queue_arn for one in targets]
    assert told["BufferQueueArns"] == [one.buffer_queue_arn for one in targets if one.is_on_the_bus]


def test_the_consumers_fit_into_a_functions_environment_whatever_they_are_called() -> None:
    given = resolved(_given(), HasFraudScreening=True, HasPayments=True)
    text = re.sub(r"\w+\.Outputs\.ReplayRuleArn", RULE_ARN, _named(given["Targets"]))
    text = re.sub(r"\w+\.Outputs\.\w+QueueArn", QUEUE_ARN, text)
    parameter = REPLAY_CONTROL.parameters["Targets"]
    assert "Outputs" not in text
    assert len(text) <= parameter["MaxLength"]
    assert re.fullmatch(parameter["AllowedPattern"], text)
    shared = REPLAY_CONTROL.document["Globals"]["Function"]["Environment"]["Variables"]
    for function in REPLAY_CONTROL.resources(FUNCTION).values():
        settings = {**shared, **function["Environment"]["Variables"]}
        others = sum(len(name) + _longest(name, value) for name, value in settings.items() if name != "TARGETS")
        assert parameter["MaxLength"] + others <= ENVIRONMENT_BYTES


def _longest(name: str, value: Any) -> int:
    """Give about how long a setting can be: an ARN or a URL, a number within its bounds, or a name."""
    if name in {"WORK_QUEUE_URL", "QUARANTINE_QUEUE_URL", "EVENT_BUS_ARN", "REPLAY_QUEUE_ARN"}:
        return len(QUEUE_ARN)
    parameter = REPLAY_CONTROL.parameters.get(value["Ref"], {}) if "Ref" in value else {}
    return len(str(parameter["MaxValue"])) if parameter.get("Type") == "Number" else 64


@pytest.mark.parametrize("selected", [False, True])
def test_the_archive_of_chosen_types_can_be_replayed_where_there_is_one(selected: bool) -> None:
    given = resolved(_given(), ArchivesSelected=selected)
    archive = f"{ACCOUNT}:archive/${{Bus.Outputs.SelectedArchiveName}}"
    assert given["OtherArchiveArns"] == ({"Fn::Sub": archive} if selected else "")
    assert given["ArchiveName"] == {"Fn::GetAtt": ["Bus", "Outputs.ArchiveName"]}


def test_stored_events_are_looked_for_where_they_are_written() -> None:
    backup = next(one for one in PIPELINES if one.path.parent.name == "backup")
    bus = next(one for one in APPLICATIONS if one.path.parent.name == "bus")
    [stream] = bus.resources("AWS::KinesisFirehose::DeliveryStream").values()
    history = stream["ExtendedS3DestinationConfiguration"]["Prefix"]
    assert not {"BackupPrefix", "HistoryPrefix"} & _given().keys()
    assert "BucketPrefix" not in ROOT.resources("AWS::Serverless::Application")["BackupPipeline"]["Parameters"]
    assert REPLAY_CONTROL.parameters["BackupPrefix"]["Default"] == backup.parameters["BucketPrefix"]["Default"]
    assert history.startswith(f"{REPLAY_CONTROL.parameters['HistoryPrefix']['Default']}!{{timestamp:")
    assert _given()["BackupBucketName"] == {"Fn::GetAtt": ["BackupPipeline", "Outputs.BackupBucketName"]}
    assert _given()["HistoryBucketName"] == {"Fn::GetAtt": ["Bus", "Outputs.HistoryBucketName"]}


def test_replay_control_is_always_there_and_its_api_comes_after_what_lets_it_log() -> None:
    assert "Condition" not in ROOT.document["Resources"]["ReplayControl"]
    given = {made: resolved(_given(), ConfiguresApiGatewayLogging=made)["ApiLoggingSetUpBy"] for made in (False, True)}
    assert given[False] == REPLAY_CONTROL.parameters["ApiLoggingSetUpBy"]["Default"]
    assert given[True] == {"Ref": "ApiGatewayAccount"}
    [api] = REPLAY_CONTROL.resources("AWS::Serverless::Api").values()
    assert {"Ref": "ApiLoggingSetUpBy"} in api["Variables"].values()


def test_replays_are_quick_where_nobody_waits_for_aws_and_a_quiet_queue_is_noticed_within_a_slice() -> None:
    local = {name: int(value) for name, value in overrides("local").items() if name.startswith("Replay")}
    assert local.keys() == {
        "ReplayArchiveSettleSeconds",
        "ReplayBackupSettleSeconds",
        "ReplaySliceSeconds",
        "ReplayQuietSeconds",
        "ReplayCanarySeconds",
    }
    for name, value in local.items():
        parameter = ROOT.parameters[name]
        assert parameter["MinValue"] <= value < parameter["Default"]
    for slice_seconds, quiet_seconds in (
        (local["ReplaySliceSeconds"], local["ReplayQuietSeconds"]),
        (ROOT.parameters["ReplaySliceSeconds"]["Default"], ROOT.parameters["ReplayQuietSeconds"]["Default"]),
    ):
        assert quiet_seconds * 5 <= slice_seconds


def test_a_replay_from_a_bucket_waits_longer_than_an_object_of_it_takes_to_fill() -> None:
    settles = ROOT.parameters["ReplayBackupSettleSeconds"]["Default"]
    for name in ("BackupBufferIntervalSeconds", "HistoryBufferIntervalSeconds"):
        assert settles >= 2 * ROOT.parameters[name]["Default"]


# What works on jobs


def test_the_worker_may_go_on_as_often_as_a_job_takes() -> None:
    functions = REPLAY_CONTROL.resources(FUNCTION)
    assert functions["ReplayWorkerFunction"]["RecursiveLoop"] == "Allow"
    assert "RecursiveLoop" not in functions["ReplayControlFunction"]


def test_the_worker_has_time_for_the_longest_slice_and_its_message_is_not_seen_meanwhile() -> None:
    worker = REPLAY_CONTROL.resources(FUNCTION)["ReplayWorkerFunction"]
    assert REPLAY_CONTROL.parameters["SliceSeconds"]["MaxValue"] + 60 <= worker["Timeout"] <= LAMBDA_SECONDS
    [source] = worker["Events"].values()
    assert source["Properties"]["BatchSize"] == 1
    queue = REPLAY_CONTROL.resources("AWS::SQS::Queue")[source["Properties"]["Queue"]["Fn::GetAtt"][0]]
    assert queue["VisibilityTimeout"] >= 6 * worker["Timeout"]


def test_a_sweep_comes_every_minute_and_none_that_fails_is_lost() -> None:
    rule = REPLAY_CONTROL.resources("AWS::Events::Rule")["ReplaySweepRule"]
    assert (rule["ScheduleExpression"], rule.get("State", "ENABLED")) == ("rate(1 minute)", "ENABLED")
    [target] = rule["Targets"]
    assert target["Arn"] == {"Fn::GetAtt": ["ReplayWorkerFunction", "Arn"]}
    assert json.loads(target["Input"]) == {"sweep": True}
    _is_never_lost("ReplaySweepRule", "ReplayWorkerFunction", SWEEP_DEAD_LETTERS)


def test_a_closing_of_a_circuit_starts_a_replay_and_none_that_fails_is_lost() -> None:
    rule = REPLAY_CONTROL.resources("AWS::Events::Rule")["RecoveryRule"]
    assert rule["EventPattern"] == {
        "source": [bus_events.CIRCUITS],
        "detail-type": [bus_events.CIRCUIT_CLOSED, bus_events.HELD_WORK_FOUND],
        "replay-name": [{"exists": False}],
    }
    [target] = rule["Targets"]
    assert target.keys() == {"Id", "Arn", "DeadLetterConfig", "RetryPolicy"}
    invocation = _is_never_lost("RecoveryRule", "ReplayControlFunction", RECOVERY_DEAD_LETTERS)
    assert (invocation["MaximumRetryAttempts"], invocation["MaximumEventAgeInSeconds"]) == (2, 6 * 3600)


def _is_never_lost(rule: str, function: str, dead_letters: dict[str, Any]) -> dict[str, Any]:
    """See that whatever goes wrong, what a rule invokes a function with ends in a queue; give how often it is tried."""
    [target] = REPLAY_CONTROL.resources("AWS::Events::Rule")[rule]["Targets"]
    assert target["Arn"] == {"Fn::GetAtt": [function, "Arn"]}
    assert target["DeadLetterConfig"] == {"Arn": dead_letters}
    permissions = REPLAY_CONTROL.resources("AWS::Lambda::Permission").values()
    [permission] = [one for one in permissions if one["SourceArn"] == {"Fn::GetAtt": [rule, "Arn"]}]
    assert (permission["FunctionName"], permission["Principal"]) == ({"Ref": function}, "events.amazonaws.com")
    [policy] = REPLAY_CONTROL.resources("AWS::SQS::QueuePolicy").values()
    [delivers] = [
        one
        for one in policy["PolicyDocument"]["Statement"]
        if one["Condition"].get("ArnEquals") == {"aws:SourceArn": {"Fn::GetAtt": [rule, "Arn"]}}
    ]
    assert (delivers["Action"], delivers["Resource"]) == ("sqs:SendMessage", dead_letters)
    invoked = REPLAY_CONTROL.resources(FUNCTION)[function]
    assert invoked["DeadLetterQueue"] == {"Type": "SQS", "TargetArn": dead_letters}
    invocations = REPLAY_CONTROL.resources("AWS::Lambda::EventInvokeConfig").values()
    [invocation] = [one for one in invocations if one["FunctionName"] == {"Ref": function}]
    assert invocation["DestinationConfig"] == {"OnFailure": {"Destination": dead_letters}}
    assert dead_letters in REPLAY_CONTROL.allowed(function, "sqs:SendMessage")
    return invocation


def test_a_recovery_has_a_canary_and_a_pace_unless_somebody_says_otherwise() -> None:
    settings = REPLAY_CONTROL.resources(FUNCTION)["ReplayControlFunction"]["Environment"]["Variables"]
    defaults = {name: REPLAY_CONTROL.parameters[given["Ref"]]["Default"] for name, given in settings.items()}
    assert defaults == {"RECOVERY_GRACE_SECONDS": 60, "RECOVERY_EVENTS_PER_SECOND": 10, "RECOVERY_CANARY": 5}


def test_a_job_that_fails_raises_an_alarm_on_what_the_worker_tells() -> None:
    alarm = REPLAY_CONTROL.resources("AWS::CloudWatch::Alarm")["ReplayJobFailedAlarm"]
    settings = REPLAY_CONTROL.document["Globals"]["Function"]["Environment"]["Variables"]
    assert (alarm["Namespace"], alarm["MetricName"]) == (settings["POWERTOOLS_METRICS_NAMESPACE"], "ReplayJobFailed")
    assert alarm["Dimensions"] == [{"Name": "service", "Value": settings["POWERTOOLS_SERVICE_NAME"]}]
    assert (alarm["Statistic"], alarm["Threshold"]) == ("Sum", 0)


def test_the_ledger_forgets_nothing_and_lists_jobs_by_the_time_they_were_asked_for() -> None:
    [table] = REPLAY_CONTROL.resources("AWS::DynamoDB::Table").values()
    assert "TimeToLiveSpecification" not in table
    assert table["KeySchema"] == [{"AttributeName": "JobId", "KeyType": "HASH"}]
    [index] = table["GlobalSecondaryIndexes"]
    keys = {one["KeyType"]: one["AttributeName"] for one in index["KeySchema"]}
    assert (index["IndexName"], keys) == ("ByRequestTime", {"HASH": "Ledger", "RANGE": "RequestedAt"})
    assert index["Projection"] == {"ProjectionType": "ALL"}


# Who may do what


def test_whoever_calls_the_api_has_signed_the_request() -> None:
    [api] = REPLAY_CONTROL.resources("AWS::Serverless::Api").values()
    assert api["EndpointConfiguration"] == {"Type": "REGIONAL"}
    body = api["DefinitionBody"]
    assert body["components"]["securitySchemes"]["sigv4"]["x-amazon-apigateway-authtype"] == "awsSigv4"
    assert {path: set(methods) for path, methods in body["paths"].items()} == {"/replay/{command}": {"post"}}
    assert body["paths"]["/replay/{command}"]["post"]["security"] == [{"sigv4": []}]
    [settings] = api["MethodSettings"]
    assert (settings["ResourcePath"], settings["HttpMethod"], settings["DataTraceEnabled"]) == ("/*", "*", False)
    assert settings["ThrottlingRateLimit"] > 0


def test_nothing_here_puts_events_nor_passes_a_role_on() -> None:
    for function in REPLAY_CONTROL.resources(FUNCTION):
        actions = {
            one for _, statement in REPLAY_CONTROL.statements(function).values() for one in listed(statement["Action"])
        }
        assert not {"events:PutEvents", "iam:PassRole"} & actions


def test_only_the_worker_replays_and_only_archives_of_this_bus() -> None:
    assert REPLAY_CONTROL.allowed("ReplayWorkerFunction", "events:StartReplay") == [
        {"Fn::Sub": f"{ACCOUNT}:archive/${{ArchiveName}}"},
        {"Fn::Sub": f"{ACCOUNT}:event-bus/${{EventBusName}}"},
        {"Fn::Sub": f"{ACCOUNT}:replay/*"},
        {"Ref": "OtherArchiveArns"},
    ]
    for action in ("events:CancelReplay", "events:DescribeReplay"):
        assert REPLAY_CONTROL.allowed("ReplayWorkerFunction", action) == [{"Fn::Sub": f"{ACCOUNT}:replay/*"}]
    for action in ("events:StartReplay", "events:CancelReplay"):
        assert not REPLAY_CONTROL.allowed("ReplayControlFunction", action)


def test_the_worker_takes_messages_only_off_queues_that_keep_and_sends_only_to_consumers() -> None:
    own = {name: {"Fn::GetAtt": [name, "Arn"]} for name in REPLAY_CONTROL.resources("AWS::SQS::Queue")}
    read = [{"Ref": "DeadLetterQueueArns"}, {"Ref": "BufferQueueArns"}, {"Ref": "ReplayQueueArn"}]
    for action in ("sqs:ReceiveMessage", "sqs:DeleteMessage"):
        assert REPLAY_CONTROL.allowed("ReplayWorkerFunction", action) == [own["ReplayWorkQueue"], *read]
    assert REPLAY_CONTROL.allowed("ReplayWorkerFunction", "sqs:ChangeMessageVisibility") == read
    assert REPLAY_CONTROL.allowed("ReplayWorkerFunction", "sqs:SendMessage") == [
        own["ReplayWorkQueue"],
        own["ReplaySweepDeadLetterQueue"],
        {"Ref": "TargetQueueArns"},
        own["ReplayJobQuarantineQueue"],
    ]


def test_commands_take_no_message_and_send_none_to_a_consumer() -> None:
    assert not REPLAY_CONTROL.allowed("ReplayControlFunction", "sqs:ReceiveMessage")
    assert REPLAY_CONTROL.allowed("ReplayControlFunction", "sqs:SendMessage") == [
        {"Fn::GetAtt": ["ReplayWorkQueue", "Arn"]},
        RECOVERY_DEAD_LETTERS,
    ]


@pytest.mark.parametrize("function", ["ReplayControlFunction", "ReplayWorkerFunction"])
def test_a_function_keeps_jobs_and_deletes_none(function: str) -> None:
    statements = [statement for _, statement in REPLAY_CONTROL.statements(function).values()]
    actions = {one for each in statements for one in listed(each["Action"]) if one.startswith("dynamodb:")}
    assert actions <= {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"}
    for action in ("dynamodb:GetItem", "dynamodb:PutItem"):
        assert REPLAY_CONTROL.allowed(function, action) == [KEPT]


@pytest.mark.parametrize("function", ["ReplayControlFunction", "ReplayWorkerFunction"])
def test_a_function_sees_stored_events_below_the_two_prefixes_and_nothing_else_of_the_buckets(function: str) -> None:
    bucket = "arn:${AWS::Partition}:s3:::"
    assert REPLAY_CONTROL.allowed(function, "s3:GetObject") == [
        {"Fn::Sub": f"{bucket}${{{name}BucketName}}/${{{name}Prefix}}*"} for name in ("Backup", "History")
    ]
    for sid, name in (("FindStoredTopicEvents", "Backup"), ("FindStoredBusEvents", "History")):
        _, statement = REPLAY_CONTROL.statements(function)[sid]
        assert statement["Resource"] == {"Fn::Sub": f"{bucket}${{{name}BucketName}}"}
        assert statement["Condition"] == {"StringLike": {"s3:prefix": {"Fn::Sub": f"${{{name}Prefix}}*"}}}


def test_a_permission_on_something_that_may_be_left_out_goes_with_it() -> None:
    optional = {
        name
        for name, parameter in REPLAY_CONTROL.parameters.items()
        if name.endswith(("QueueArn", "QueueArns", "ArchiveArns")) and parameter.get("Default") == ""
    }
    assert optional == {"ReplayQueueArn", "BufferQueueArns", "OtherArchiveArns"}
    conditions = REPLAY_CONTROL.document["Conditions"]
    for function, name in product(REPLAY_CONTROL.resources(FUNCTION), optional):
        for condition, statement in REPLAY_CONTROL.statements(function).values():
            if {"Ref": name} in listed(statement["Resource"]):
                assert condition is not None, statement["Sid"]
                assert {"Ref": name} in _references(conditions[condition]), statement["Sid"]


def _references(value: Any) -> list[Any]:
    if isinstance(value, list):
        return [one for child in value for one in _references(child)]
    if not isinstance(value, dict):
        return []
    return [value] if "Ref" in value else [one for child in value.values() for one in _references(child)]


@pytest.mark.parametrize(
    ("parameter", "value", "allowed"),
    [
        ("EventBusName", "eventfork-commerce", True),
        ("EventBusName", "arn:aws:events:eu-central-1:123456789012:event-bus/eventfork-commerce", False),
        ("ArchiveName", "CommerceArchive-1", True),
        ("ArchiveName", "arn:aws:events:eu-central-1:123456789012:archive/CommerceArchive", False),
        ("BackupPrefix", "events/", True),
        ("BackupPrefix", "events", False),
        ("HistoryPrefix", "", False),
        ("HistoryPrefix", "bus/*/", False),
        ("CircuitParameterPrefix", "/", True),
        ("CircuitParameterPrefix", "/eventfork/circuits/", True),
        ("CircuitParameterPrefix", "/eventfork/circuits", False),
        ("CircuitParameterPrefix", "*/", False),
        ("Targets", "{}", True),
        ("Targets", "checkout", False),
    ],
)
def test_a_parameter_that_could_not_work_is_refused_at_deployment(parameter: str, value: str, allowed: bool) -> None:
    assert bool(re.fullmatch(REPLAY_CONTROL.parameters[parameter]["AllowedPattern"], value)) == allowed
