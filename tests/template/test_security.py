"""Who may do what, by whose leave: policies of resources, keys and roles, and what becomes of what fails."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest

from tests.templates import ALL, PROJECT_ROOT, Template

BUCKET = "AWS::S3::Bucket"
FUNCTION = "AWS::Serverless::Function"
KEY = "AWS::KMS::Key"
QUEUE = "AWS::SQS::Queue"
ROLE = "AWS::IAM::Role"
RULE = "AWS::Events::Rule"

CUSTOMER_KEYS = (
    {"Fn::GetAtt": ["EventKey", "Arn"]},
    {"Fn::If": ["CreatesKey", {"Fn::GetAtt": ["Key", "Arn"]}, {"Ref": "KmsKeyArn"}]},
)
ACCOUNT = {"Ref": "AWS::AccountId"}
ACCOUNT_OF_THE_TOPIC = {"Fn::Select": [4, {"Fn::Split": [":", {"Ref": "TopicArn"}]}]}
ROOT_USER = {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}
"""All of the account, which lets its IAM policies decide."""


@dataclass(frozen=True)
class Kind:
    """What is to be known of a type of resource.

    Attributes
    ----------
    policy : str or None
        The type of what carries its policy, or the property that does; none, if it takes none.
    has_policy : bool
        Whether it has one here. Without one, nobody but the account's own IAM policies gives access.
    key : tuple or None
        Where, in its properties, the key stands that encrypts what it keeps; none, if it keeps nothing.
    """

    policy: str | None = None
    has_policy: bool = True
    key: tuple[str | int, ...] | None = None


KINDS = {
    "AWS::ApiGateway::Account": Kind(),
    "AWS::ApiGateway::UsagePlan": Kind(),
    "AWS::Athena::NamedQuery": Kind(),
    "AWS::Athena::WorkGroup": Kind(
        key=("WorkGroupConfiguration", "ResultConfiguration", "EncryptionConfiguration", "KmsKey")
    ),
    "AWS::CloudWatch::Alarm": Kind(),
    # What a pool keeps of its users, Cognito encrypts; a rule on clients belongs to OAuth, not to IAM.
    "AWS::Cognito::UserPool": Kind(),
    "AWS::Cognito::UserPoolClient": Kind(),
    "AWS::Cognito::UserPoolDomain": Kind(),
    "AWS::Cognito::UserPoolResourceServer": Kind(),
    "AWS::DynamoDB::Table": Kind("ResourcePolicy", False, ("SSESpecification", "KMSMasterKeyId")),
    "AWS::Events::Archive": Kind(key=("KmsKeyIdentifier",)),
    "AWS::Events::EventBus": Kind("AWS::Events::EventBusPolicy", key=("KmsKeyIdentifier",)),
    "AWS::Events::EventBusPolicy": Kind(),
    RULE: Kind(),
    # Glue keeps names of columns; the data lie in a bucket. The one policy of its catalog is the account's to have.
    "AWS::Glue::Database": Kind(),
    "AWS::Glue::Table": Kind(),
    "AWS::IAM::Policy": Kind(),
    ROLE: Kind("AssumeRolePolicyDocument"),
    KEY: Kind("KeyPolicy"),
    "AWS::KinesisFirehose::DeliveryStream": Kind(key=("DeliveryStreamEncryptionConfigurationInput", "KeyARN")),
    "AWS::Lambda::EventInvokeConfig": Kind(),
    "AWS::Lambda::Permission": Kind(),
    # What lets a service write into a group is one policy of the account and the Region.
    "AWS::Logs::LogGroup": Kind(key=("KmsKeyId",)),
    "AWS::Logs::LogStream": Kind(),
    "AWS::Logs::ResourcePolicy": Kind(),
    "AWS::OpenSearchService::Domain": Kind("AccessPolicies", False, ("EncryptionAtRestOptions", "KmsKeyId")),
    BUCKET: Kind(
        "AWS::S3::BucketPolicy",
        key=(
            "BucketEncryption",
            "ServerSideEncryptionConfiguration",
            0,
            "ServerSideEncryptionByDefault",
            "KMSMasterKeyID",
        ),
    ),
    "AWS::S3::BucketPolicy": Kind(),
    "AWS::SNS::Subscription": Kind(),
    "AWS::SNS::Topic": Kind("AWS::SNS::TopicPolicy", key=("KmsMasterKeyId",)),
    "AWS::SNS::TopicPolicy": Kind(),
    QUEUE: Kind("AWS::SQS::QueuePolicy", key=("KmsMasterKeyId",)),
    "AWS::SQS::QueuePolicy": Kind(),
    # An address, which is no secret.
    "AWS::SSM::Parameter": Kind(),
    "AWS::SecretsManager::Secret": Kind("AWS::SecretsManager::ResourcePolicy", False, ("KmsKeyId",)),
    "AWS::Serverless::Api": Kind("Auth", False),
    "AWS::Serverless::Application": Kind(),
    # The key of its environment is said once, for all functions of a template.
    FUNCTION: Kind("AWS::Lambda::Permission"),
    "AWS::Serverless::LayerVersion": Kind("AWS::Lambda::LayerVersionPermission", False),
    "AWS::WAFv2::WebACLAssociation": Kind(),
    "Custom::SearchIndex": Kind(),
}
"""Every type of resource there is here."""

WITHOUT_CUSTOMER_KEY = {
    "AccessLogBucket": "S3 delivers access logs into buckets encrypted by S3's own key only",
}
"""What keeps data and is not encrypted with the customer's key, and why."""

BY_OTHER_KEYS = {
    ("lambda.amazonaws.com", "sts:AssumeRole"): (
        set(),
        "Lambda documents no source for an execution role and, for some calls, names none",
    ),
    ("apigateway.amazonaws.com", "sts:AssumeRole"): (
        set(),
        "API Gateway names no source when it assumes a role; a condition on one fails every request",
    ),
    ("firehose.amazonaws.com", "sts:AssumeRole"): (
        {"sts:ExternalId"},
        "Firehose says the account as external id, and documents no source",
    ),
    ("logs.${AWS::Region}.${AWS::URLSuffix}", "kms:Encrypt"): (
        {"kms:EncryptionContext:aws:logs:arn"},
        "CloudWatch Logs says in the encryption context which log group it acts for",
    ),
}
"""Services, by the first thing they may do, that say no source or not as others do: what they say, and why."""

ON_EVERYTHING = {
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "cloudwatch:GetMetricData",
}
"""What roles may do to `*`: IAM knows no resources for it (service authorization reference)."""

every_template = pytest.mark.parametrize("template", ALL, ids=str)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _statements(value: Any) -> Iterator[dict[str, Any]]:
    """Give every statement of every policy in what a template says, those written as JSON too."""
    if isinstance(value, dict):
        if "Effect" in value:
            yield value
        for child in value.values():
            yield from _statements(child)
    elif isinstance(value, list):
        for child in value:
            yield from _statements(child)
    elif isinstance(value, str) and value.startswith("{") and '"Statement"' in value:
        yield from _statements(json.loads(value))


def _named(template: Template) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, properties in template.resources().items():
        for statement in _statements(properties):
            yield name, statement


def _services(statement: dict[str, Any]) -> list[str]:
    principal = statement.get("Principal")
    services = _list(principal.get("Service", [])) if isinstance(principal, dict) else []
    return [one["Fn::Sub"] if isinstance(one, dict) else one for one in services]


def _conditions(statement: dict[str, Any]) -> dict[str, tuple[str, Any]]:
    """Give each key of a condition with its operator and its value."""
    return {
        key: (operator, value)
        for operator, keys in statement.get("Condition", {}).items()
        for key, value in keys.items()
    }


def _at(properties: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        properties = properties[step] if isinstance(step, int) else properties.get(step, {})
    return properties


def _arn(name: str) -> dict[str, list[str]]:
    return {"Fn::GetAtt": [name, "Arn"]}


def _admitted(template: Template, source: Any) -> list[Any]:
    """Give the queues into which the policies let this source deliver."""
    return [
        queue
        for policy in template.resources("AWS::SQS::QueuePolicy").values()
        for statement in policy["PolicyDocument"]["Statement"]
        if _conditions(statement).get("aws:SourceArn") == ("ArnEquals", source)
        for queue in _list(statement["Resource"])
    ]


# What there is


def test_every_type_of_resource_is_known_with_the_policy_it_takes_and_the_key_of_what_it_keeps() -> None:
    assert {one["Type"] for template in ALL for one in template.document["Resources"].values()} == KINDS.keys()


@every_template
def test_what_has_no_policy_is_given_none_by_which_others_could_come_in(template: Template) -> None:
    types = {one["Type"] for one in template.document["Resources"].values()}
    for kind in (one for one in KINDS if KINDS[one].policy and not KINDS[one].has_policy):
        assert KINDS[kind].policy not in types, kind
        for name, properties in template.resources(kind).items():
            # An API's resource policy stands beside what says how callers are known.
            policy = properties.get(str(KINDS[kind].policy), {})
            assert not (policy.get("ResourcePolicy") if kind == "AWS::Serverless::Api" else policy), name


@every_template
def test_everything_that_keeps_data_is_encrypted_with_a_customer_key(template: Template) -> None:
    for kind, known in KINDS.items():
        for name, properties in template.resources(kind).items() if known.key else ():
            encrypted = _at(properties, known.key or ()) in CUSTOMER_KEYS
            assert encrypted != (name in WITHOUT_CUSTOMER_KEY), name
    for name, domain in template.resources("AWS::OpenSearchService::Domain").items():
        assert domain["EncryptionAtRestOptions"]["Enabled"], name
    assert template.document["Globals"]["Function"]["KmsKeyArn"] in CUSTOMER_KEYS


# Who is let in


@every_template
def test_only_the_account_and_services_are_let_in_and_all_the_world_only_shut_out(template: Template) -> None:
    for name, statement in _named(template):
        principal = statement.get("Principal")
        if statement["Effect"] == "Deny":
            assert principal == "*", name
        elif principal is not None:
            assert principal == ROOT_USER or principal.keys() == {"Service"}, name


@every_template
def test_nothing_is_allowed_by_a_pattern_of_actions_but_all_of_a_key_to_its_account(template: Template) -> None:
    for name, statement in _named(template):
        if statement["Effect"] == "Allow" and any("*" in action for action in _list(statement["Action"])):
            assert name in template.resources(KEY), name
            assert (statement["Action"], statement["Principal"]) == ("kms:*", ROOT_USER), name


@every_template
def test_a_service_is_let_in_only_where_it_acts_for_a_resource_of_an_account_that_is_known(template: Template) -> None:
    for name, statement in _named(template):
        if statement["Effect"] == "Deny":
            continue
        for service in _services(statement):
            said = _conditions(statement)
            other = BY_OTHER_KEYS.get((service, _list(statement["Action"])[0]))
            if other:
                assert said.keys() == other[0], name
                continue
            assert said.keys() == {"aws:SourceArn", "aws:SourceAccount"}, (name, service)
            operator, source = said["aws:SourceArn"]
            assert operator in ("ArnEquals", "ArnLike"), name
            # A pattern names the account at least; whatever else names a resource or a parameter.
            for one in _list(source):
                text = one.get("Fn::Sub") if isinstance(one, dict) else one
                assert "${AWS::AccountId}" in text if text else one.keys() <= {"Ref", "Fn::GetAtt"}, name
            accounts = ["${AWS::AccountId}", ACCOUNT, ACCOUNT_OF_THE_TOPIC]
            assert said["aws:SourceAccount"][0] == "StringEquals", name
            assert said["aws:SourceAccount"][1] in accounts, name
            assert (said["aws:SourceAccount"][1] == ACCOUNT_OF_THE_TOPIC) == (source == {"Ref": "TopicArn"}), name


def test_every_service_that_says_something_else_is_still_there() -> None:
    used = {
        (service, _list(statement["Action"])[0])
        for template in ALL
        for _, statement in _named(template)
        for service in _services(statement)
    }
    assert used >= BY_OTHER_KEYS.keys()
    assert all(reason for _, reason in BY_OTHER_KEYS.values())


@every_template
def test_a_key_is_managed_by_its_account_and_turned_by_services_for_what_they_encrypt(template: Template) -> None:
    for name, key in template.resources(KEY).items():
        assert key["EnableKeyRotation"] is True, name
        admin, *others = key["KeyPolicy"]["Statement"]
        assert (admin["Principal"], admin["Action"]) == (ROOT_USER, "kms:*"), name
        assert "Condition" not in admin, name
        for statement in others:
            assert statement["Effect"] == "Deny" or _services(statement), statement["Sid"]
            assert statement["Condition"], statement["Sid"]


@every_template
def test_a_function_is_invoked_only_for_one_resource_of_an_account(template: Template) -> None:
    for name, permission in template.resources("AWS::Lambda::Permission").items():
        assert permission["Action"] == "lambda:InvokeFunction", name
        assert permission["Principal"].endswith(".amazonaws.com"), name
        source = permission["SourceArn"]
        # ARNs of rules and of APIs name the account; those of buckets, for one, do not.
        named = "${AWS::AccountId}" in source.get("Fn::Sub", "") or source in map(_arn, template.resources(RULE))
        assert named or permission["SourceAccount"] == ACCOUNT, name


# Buckets


@every_template
def test_a_bucket_is_its_accounts_alone(template: Template) -> None:
    kept = {
        policy["Bucket"]["Ref"]: statement
        for policy in template.resources("AWS::S3::BucketPolicy").values()
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Sid"] == "OnlyThisAccount"
    }
    assert kept.keys() == template.resources(BUCKET).keys()
    for name, bucket in template.resources(BUCKET).items():
        assert list(bucket["PublicAccessBlockConfiguration"].values()) == [True] * 4, name
        statement = kept[name]
        assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*"), name
        assert statement["Resource"] == [_arn(name), {"Fn::Sub": f"${{{name}.Arn}}/*"}], name
        assert statement["Condition"] == {
            "StringNotEquals": {"aws:PrincipalAccount": ACCOUNT},
            "BoolIfExists": {"aws:PrincipalIsAWSService": "false"},
        }, name


@every_template
def test_access_logs_come_from_the_buckets_that_are_logged(template: Template) -> None:
    logged: dict[str, list[Any]] = {}
    for name, bucket in template.resources(BUCKET).items():
        if "LoggingConfiguration" in bucket:
            logged.setdefault(bucket["LoggingConfiguration"]["DestinationBucketName"]["Ref"], []).append(_arn(name))
    admitted = {
        policy["Bucket"]["Ref"]: _list(_conditions(statement)["aws:SourceArn"][1])
        for policy in template.resources("AWS::S3::BucketPolicy").values()
        for statement in policy["PolicyDocument"]["Statement"]
        if "logging.s3.amazonaws.com" in _services(statement)
    }
    assert admitted == logged


# Roles


@every_template
def test_no_function_is_given_a_role_by_sam_nor_any_policy_that_aws_manages(template: Template) -> None:
    defaults = template.document["Globals"]["Function"]
    for name, function in template.resources(FUNCTION).items():
        assert "Role" in function, name
        assert not {"Policies", "ManagedPolicyArns"} & (function.keys() | defaults.keys()), name
    assert "ManagedPolic" not in json.dumps(template.document["Resources"])


@every_template
def test_what_is_granted_on_everything_is_listed_and_has_its_reason_beside_it(template: Template) -> None:
    granted = 0
    for name, properties in template.resources(ROLE, "AWS::IAM::Policy").items():
        for statement in _statements(properties):
            if "*" in _list(statement.get("Resource")):
                assert set(_list(statement["Action"])) <= ON_EVERYTHING, name
                granted += 1
    lines = (PROJECT_ROOT / template.path).read_text(encoding="utf-8").splitlines()
    # A statement of a role stands further to the right than one of a key, on which `*` is the key itself.
    reasons = [before.strip() for before, line in pairwise(lines) if line == f'{" " * 16}Resource: "*"']
    assert len(reasons) == granted
    assert all(reason.startswith("# ") for reason in reasons)


# What becomes of what fails


@every_template
def test_what_a_topic_cannot_deliver_has_a_queue_that_takes_it_from_that_topic(template: Template) -> None:
    for name, subscription in template.resources("AWS::SNS::Subscription").items():
        dead_letters = subscription["RedrivePolicy"]["deadLetterTargetArn"]
        admitted = _admitted(template, subscription["TopicArn"])
        assert subscription["Endpoint"] in admitted, name
        assert dead_letters in admitted, name


@every_template
def test_what_a_rule_cannot_deliver_has_a_queue_that_takes_it_from_that_rule(template: Template) -> None:
    queues = [_arn(name) for name in template.resources(QUEUE)]
    for name, rule in template.resources(RULE).items():
        admitted = _admitted(template, _arn(name))
        for target in rule["Targets"]:
            assert target["RetryPolicy"]["MaximumRetryAttempts"] > 0, name
            assert target["DeadLetterConfig"]["Arn"] in admitted, name
            assert target["Arn"] not in queues or target["Arn"] in admitted, name


@every_template
def test_a_function_that_a_rule_invokes_sets_aside_what_it_fails_at(template: Template) -> None:
    queues = [_arn(name) for name in template.resources(QUEUE)]
    set_aside = {
        config["FunctionName"]["Ref"]: config["DestinationConfig"]["OnFailure"]["Destination"]
        for config in template.resources("AWS::Lambda::EventInvokeConfig").values()
    }
    invoked = {
        target["Arn"]["Fn::GetAtt"][0]
        for rule in template.resources(RULE).values()
        for target in rule["Targets"]
        if target["Arn"]["Fn::GetAtt"][0] in template.resources(FUNCTION)
    }
    assert invoked == set_aside.keys()
    assert all(destination in queues for destination in set_aside.values())


@every_template
def test_what_is_read_off_a_queue_or_a_stream_is_set_aside_when_it_keeps_failing(template: Template) -> None:
    keeps = [_arn(name) for name in template.resources(QUEUE, BUCKET)]
    for name, function in template.resources(FUNCTION).items():
        for source in function.get("Events", {}).values():
            if source["Type"] == "SQS":
                queue = source["Properties"]["Queue"]["Fn::GetAtt"][0]
                assert template.resources(QUEUE)[queue]["RedrivePolicy"]["deadLetterTargetArn"] in keeps, name
            else:
                assert source["Properties"]["DestinationConfig"]["OnFailure"]["Destination"] in keeps, name


@every_template
def test_a_bus_and_a_delivery_stream_set_aside_what_they_cannot_carry(template: Template) -> None:
    for name, bus in template.resources("AWS::Events::EventBus").items():
        assert bus["DeadLetterConfig"]["Arn"] in [_arn(queue) for queue in template.resources(QUEUE)], name
    for name, stream in template.resources("AWS::KinesisFirehose::DeliveryStream").items():
        [destination] = [one for kind, one in stream.items() if kind.endswith("DestinationConfiguration")]
        if "S3Configuration" in destination:
            assert destination["S3BackupMode"] == "FailedDocumentsOnly", name
        else:
            assert destination["ErrorOutputPrefix"], name
