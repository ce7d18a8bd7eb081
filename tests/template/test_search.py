"""The search pipeline's template: what no scanner checks of the domain, the stream into it, and its set-up."""

import json
import re
from typing import Any

import pytest
from eventfork.search_index import ROTATIONS, Index

from tests.templates import PIPELINES, ROOT, overrides

SEARCH = next(one for one in PIPELINES if one.path.parent.name == "search")
DOMAIN = "AWS::OpenSearchService::Domain"
FUNCTION = "AWS::Serverless::Function"
NOTHING = {"Ref": "AWS::NoValue"}
ENDPOINT = {
    "Fn::If": ["CreatesDomain", {"Fn::Sub": "https://${SearchDomain.DomainEndpoint}"}, {"Ref": "DomainEndpoint"}]
}
DOMAIN_ARN = {"Fn::If": ["CreatesDomain", {"Fn::GetAtt": ["SearchDomain", "Arn"]}, {"Ref": "DomainArn"}]}
LOGS = ("AUDIT_LOGS", "SEARCH_SLOW_LOGS", "INDEX_SLOW_LOGS", "ES_APPLICATION_LOGS")


def _domain() -> dict[str, Any]:
    return SEARCH.resources(DOMAIN)["SearchDomain"]


def _destination() -> dict[str, Any]:
    stream = SEARCH.resources("AWS::KinesisFirehose::DeliveryStream")["SearchStream"]
    destination: dict[str, Any] = stream["AmazonopensearchserviceDestinationConfiguration"]
    return destination


def _setup() -> dict[str, Any]:
    return SEARCH.resources("Custom::SearchIndex")["SearchIndexSetup"]


def _statements(role: str) -> list[dict[str, Any]]:
    inline = SEARCH.resources("AWS::IAM::Role")[role]["Policies"]
    beside = [one for one in SEARCH.resources("AWS::IAM::Policy").values() if one["Roles"] == [{"Ref": role}]]
    return [
        statement.get("Fn::If", [None, statement])[1]
        for policy in (*inline, *beside)
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def _actions(statement: dict[str, Any]) -> set[str]:
    action = statement["Action"]
    return set(action) if isinstance(action, list) else {action}


def _domain_paths(role: str, action: str) -> set[str]:
    """Give the paths of the domain that a role may reach with an action; "" is the domain itself."""
    paths = set()
    for statement in _statements(role):
        if action in _actions(statement):
            resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
            for resource in resources:
                text, variables = resource.get("Fn::Sub", ["${Domain}", {"Domain": resource}])
                assert variables == {"Domain": DOMAIN_ARN}
                paths.add(text.removeprefix("${Domain}"))
    return paths


def _holds(expression: Any, parameters: dict[str, str]) -> bool:
    """Evaluate what `Rules` may say with these values."""
    [(function, arguments)] = expression.items()
    if function == "Fn::Equals":
        left, right = (parameters[one["Ref"]] if isinstance(one, dict) else one for one in arguments)
        return bool(left == right)
    values = [_holds(one, parameters) for one in arguments]
    return {"Fn::And": all(values), "Fn::Or": any(values), "Fn::Not": not values[0]}[function]


# The domain


def test_what_travels_to_and_within_the_domain_is_encrypted_with_tls_1_2_or_newer() -> None:
    assert _domain()["NodeToNodeEncryptionOptions"] == {"Enabled": True}
    options = _domain()["DomainEndpointOptions"]
    assert options["EnforceHTTPS"] is True
    assert options["TLSSecurityPolicy"].startswith("Policy-Min-TLS-1-2-")


def test_the_domain_knows_its_callers_by_iam_alone_and_only_the_set_up_manages_it() -> None:
    security = _domain()["AdvancedSecurityOptions"]
    assert (security["Enabled"], security["InternalUserDatabaseEnabled"]) == (True, False)
    role = SEARCH.resources(FUNCTION)["SearchSetupFunction"]["Role"]
    assert security["MasterUserOptions"] == {"MasterUserARN": role}
    assert "AccessPolicies" not in _domain()


def test_the_domain_writes_every_log_it_has_each_into_a_group_that_it_may_write() -> None:
    published = _domain()["LogPublishingOptions"]
    assert set(published) == set(LOGS)
    groups = [log["CloudWatchLogsLogGroupArn"]["Fn::GetAtt"][0] for log in published.values()]
    assert len(set(groups)) == len(LOGS)
    assert all(log["Enabled"] for log in published.values())
    text, names = SEARCH.resources("AWS::Logs::ResourcePolicy")["SearchDomainLogResourcePolicy"]["PolicyDocument"][
        "Fn::Sub"
    ]
    [statement] = json.loads(text)["Statement"]
    allowed = {names[resource[2:-1]]["Fn::GetAtt"][0] for resource in statement["Resource"]}
    assert allowed == set(groups)
    assert statement["Principal"] == {"Service": "es.amazonaws.com"}
    assert statement["Condition"] == {
        "ArnLike": {"aws:SourceArn": "arn:${AWS::Partition}:es:${AWS::Region}:${AWS::AccountId}:domain/*"},
        "StringEquals": {"aws:SourceAccount": "${AWS::AccountId}"},
    }
    assert SEARCH.document["Resources"]["SearchDomain"]["DependsOn"] == "SearchDomainLogResourcePolicy"


def test_a_newer_engine_is_an_upgrade_and_a_domain_that_is_replaced_stays() -> None:
    domain = SEARCH.document["Resources"]["SearchDomain"]
    assert domain["UpdatePolicy"] == {"EnableVersionUpgrade": True}
    assert (domain["DeletionPolicy"], domain["UpdateReplacePolicy"]) == ("Delete", "Retain")


def test_nodes_are_spread_and_managed_apart_only_where_that_is_asked_for() -> None:
    cluster = _domain()["ClusterConfig"]
    assert cluster["ZoneAwarenessConfig"]["Fn::If"] == [
        "SpansZones",
        {"AvailabilityZoneCount": {"Ref": "AvailabilityZoneCount"}},
        NOTHING,
    ]
    assert cluster["DedicatedMasterCount"]["Fn::If"] == [
        "HasDedicatedMasters",
        {"Ref": "DedicatedMasterCount"},
        NOTHING,
    ]
    defaults = {name: parameter.get("Default") for name, parameter in SEARCH.parameters.items()}
    small = {
        "InstanceType": "t3.small.search",
        "InstanceCount": 1,
        "AvailabilityZoneCount": 1,
        "DedicatedMasterCount": 0,
        "VolumeSizeGiB": 10,
        "ReplicaCount": 0,
    }
    assert small.items() <= defaults.items()


def test_with_a_domain_of_ones_own_none_is_made_nor_anything_that_belongs_to_it() -> None:
    for name, resource in SEARCH.document["Resources"].items():
        made = name.startswith("SearchDomain") or resource["Type"] in (DOMAIN, "AWS::Logs::ResourcePolicy")
        assert (resource.get("Condition") == "CreatesDomain") == made, name


@pytest.mark.parametrize(
    ("arn", "endpoint", "allowed"),
    [
        ("", "", True),
        ("arn:aws:es:eu-central-1:123456789012:domain/ours", "https://ours.example.org", True),
        ("arn:aws:es:eu-central-1:123456789012:domain/ours", "", False),
        ("", "https://ours.example.org", False),
    ],
)
def test_a_domain_of_ones_own_is_named_in_full_or_not_at_all(arn: str, endpoint: str, allowed: bool) -> None:
    [assertion] = SEARCH.document["Rules"]["DomainIsNamedInFull"]["Assertions"]
    assert _holds(assertion["Assert"], {"DomainArn": arn, "DomainEndpoint": endpoint}) == allowed


@pytest.mark.parametrize(
    ("endpoint", "allowed"),
    [
        ("", True),
        ("https://search-ours.eu-central-1.es.amazonaws.com", True),
        ("http://127.0.0.1:9200", True),
        ("https://ours.example.org/", False),
        ("ours.example.org", False),
    ],
)
def test_an_endpoint_is_a_url_without_a_path(endpoint: str, allowed: bool) -> None:
    for pattern in (
        SEARCH.parameters["DomainEndpoint"]["AllowedPattern"],
        ROOT.parameters["SearchDomainEndpoint"]["AllowedPattern"],
    ):
        assert bool(re.fullmatch(pattern, endpoint)) == allowed


# The stream


def test_the_event_and_not_firehose_decides_id_and_index_of_a_document() -> None:
    assert _destination()["DocumentIdOptions"] == {"DefaultDocumentIdFormat": "NO_DOCUMENT_ID"}
    assert _destination()["IndexRotationPeriod"] == "NoRotation"
    assert "TypeName" not in _destination()
    rotation = SEARCH.parameters["IndexRotation"]
    assert rotation["Default"] == ROTATIONS[0] == "NoRotation"
    assert rotation["AllowedValues"] == list(ROTATIONS)


def test_only_documents_that_failed_after_the_retry_are_kept_in_the_bucket_and_why_is_logged() -> None:
    destination = _destination()
    assert destination["S3BackupMode"] == "FailedDocumentsOnly"
    assert destination["RetryOptions"] == {"DurationInSeconds": {"Ref": "RetryDurationSeconds"}}
    retry = SEARCH.parameters["RetryDurationSeconds"]
    assert (retry["Default"], retry["MinValue"], retry["MaxValue"]) == (30, 0, 7200)
    kept = destination["S3Configuration"]
    assert kept["BucketARN"] == {"Fn::GetAtt": ["SearchDeadLetterBucket", "Arn"]}
    assert kept["Prefix"] == "failed/"
    streams = set()
    for one in (destination, kept):
        logging = one["CloudWatchLoggingOptions"]
        assert logging["Enabled"] is True
        assert logging["LogGroupName"] == {"Ref": "SearchStreamLogGroup"}
        streams.add(logging["LogStreamName"]["Ref"])
    assert streams == SEARCH.resources("AWS::Logs::LogStream").keys()


def test_no_document_arrives_before_the_index_is_declared_nor_is_it_declared_without_the_right_to() -> None:
    assert SEARCH.document["Resources"]["SearchStream"]["DependsOn"] == "SearchIndexSetup"
    needed = {
        name
        for name, policy in SEARCH.resources("AWS::IAM::Policy").items()
        if policy["Roles"] == [{"Ref": "SearchSetupFunctionRole"}]
    }
    assert set(SEARCH.document["Resources"]["SearchIndexSetup"]["DependsOn"]) == needed


def test_stream_set_up_and_output_mean_the_same_domain_and_index() -> None:
    assert _destination()["ClusterEndpoint"] == _setup()["Endpoint"] == SEARCH.outputs["SearchEndpoint"]["Value"]
    assert _setup()["Endpoint"] == ENDPOINT
    assert _destination()["IndexName"] == _setup()["IndexName"] == SEARCH.outputs["SearchIndexName"]["Value"]
    assert SEARCH.parameters["IndexName"]["Default"] == Index().name
    assert _destination()["RoleARN"] == _setup()["DeliveryRoleArn"]


# The set-up


def test_a_new_definition_of_the_index_runs_the_set_up_again() -> None:
    [layer] = SEARCH.resources("AWS::Serverless::LayerVersion")
    assert _setup()["Definition"] == {"Ref": layer}


def test_only_a_domain_of_our_own_is_told_what_to_audit() -> None:
    assert _setup()["Audited"] == {"Fn::If": ["CreatesDomain", "true", "false"]}


def test_the_set_up_has_a_dead_letter_queue_as_cloudformation_does_not_wait_for_its_answer() -> None:
    function = SEARCH.resources(FUNCTION)["SearchSetupFunction"]
    assert function["DeadLetterQueue"] == {
        "Type": "SQS",
        "TargetArn": {"Fn::GetAtt": ["SearchSetupDeadLetterQueue", "Arn"]},
    }
    # CloudFormation waits for an hour; what would begin later could only undo what came after.
    assert function["EventInvokeConfig"]["MaximumEventAgeInSeconds"] <= 3600


# Who may do what


def test_the_search_function_takes_messages_puts_records_and_reaches_no_domain() -> None:
    actions = set().union(*map(_actions, _statements("SearchFunctionRole")))
    assert {action for action in actions if action.startswith(("es:", "s3:"))} == set()
    assert {action for action in actions if action.startswith("firehose:")} == {"firehose:PutRecordBatch"}


def test_the_set_up_may_put_what_belongs_to_its_index_and_delete_nothing() -> None:
    role = "SearchSetupFunctionRole"
    actions = set().union(*map(_actions, _statements(role)))
    assert {one for one in actions if one.startswith("es:")} == {"es:ESHttpPost", "es:ESHttpPut"}
    pipeline = Index("${IndexName}").pipeline
    assert _domain_paths(role, "es:ESHttpPut") == {
        f"/_ingest/pipeline/{pipeline}",
        "/_index_template/${IndexName}",
        "/_plugins/_security/api/roles/eventfork-search-${IndexName}-*",
        "/_plugins/_security/api/rolesmapping/eventfork-search-${IndexName}-*",
        "/_plugins/_security/api/audit/config",
    }
    assert _domain_paths(role, "es:ESHttpPost") == {"/_dashboards/api/saved_objects/_import"}


def test_firehose_may_do_to_the_domain_what_its_guide_asks_for_and_delete_nothing() -> None:
    role = "SearchStreamRole"
    actions = {one for one in set().union(*map(_actions, _statements(role))) if one.startswith("es:")}
    describing = {"es:DescribeDomain", "es:DescribeDomains", "es:DescribeDomainConfig"}
    assert actions == {*describing, "es:ESHttpGet", "es:ESHttpPost", "es:ESHttpPut"}
    assert _domain_paths(role, "es:ESHttpPost") == {"", "/*"}
    assert not {"/*", "/_all/*", "/_search"} & _domain_paths(role, "es:ESHttpGet")


# The application


def test_search_can_be_left_out_with_all_that_is_said_of_it() -> None:
    nested = ROOT.document["Resources"]["SearchPipeline"]
    assert nested["Condition"] == "HasSearch"
    assert ROOT.document["Conditions"]["HasSearch"] == {"Fn::Equals": [{"Ref": "SearchEnabled"}, "true"]}
    for name, output in ROOT.outputs.items():
        assert (output.get("Condition") == "HasSearch") == name.startswith("Search"), name


def test_the_application_says_everything_of_search_that_the_pipeline_does() -> None:
    passed_on = {name: output for name, output in ROOT.outputs.items() if name.startswith("Search")}
    assert passed_on.keys() == SEARCH.outputs.keys()
    for name, output in passed_on.items():
        assert output["Value"] == {"Fn::GetAtt": ["SearchPipeline", f"Outputs.{name}"]}
        assert output["Description"] == SEARCH.outputs[name]["Description"]


def test_the_application_takes_searchs_parameters_in_the_pipelines_sense() -> None:
    given = ROOT.resources("AWS::Serverless::Application")["SearchPipeline"]["Parameters"]
    renamed = {name: value["Ref"] for name, value in given.items() if str(value.get("Ref")) == f"Search{name}"}
    own = {name for name in ROOT.parameters if name.startswith("Search")} - {"SearchEnabled", "SearchMinimumAmount"}
    assert set(renamed.values()) == own
    for theirs, ours in renamed.items():
        without = [
            {key: value for key, value in parameter.items() if key != "Description"}
            for parameter in (SEARCH.parameters[theirs], ROOT.parameters[ours])
        ]
        assert without[0] == without[1], ours


def test_the_least_amount_is_the_pipelines_own_when_it_is_left_alone() -> None:
    given = ROOT.resources("AWS::Serverless::Application")["SearchPipeline"]["Parameters"]
    default = str(ROOT.parameters["SearchMinimumAmount"]["Default"])
    policy = given["SubscriptionFilterPolicy"]["Fn::Sub"].replace("${SearchMinimumAmount}", default)
    assert json.loads(policy) == json.loads(SEARCH.parameters["SubscriptionFilterPolicy"]["Default"])


def test_production_survives_a_zone_and_the_local_engine_has_no_domain() -> None:
    prod = {name.removeprefix("Search"): value for name, value in overrides("prod").items()}
    nodes = int(prod["InstanceCount"])
    assert nodes == 3
    assert nodes % int(prod["AvailabilityZoneCount"]) == 0
    assert prod["AvailabilityZoneCount"] == "3"
    assert prod["DedicatedMasterCount"] == "3"
    assert 1 <= int(prod["ReplicaCount"]) < nodes
    assert not prod["InstanceType"].startswith("t")
    assert overrides("local")["SearchEnabled"] == "false"


# Alarms


def _alarm(name: str) -> dict[str, Any]:
    return SEARCH.resources("AWS::CloudWatch::Alarm")[name]


def test_documents_that_failed_a_red_domain_and_full_disks_raise_an_alarm() -> None:
    failed = _alarm("SearchFailedDocumentsAlarm")
    assert (failed["MetricName"], failed["Statistic"], failed["Threshold"]) == ("DeliveryToS3.Success", "Sum", 0)
    assert failed["Dimensions"] == [{"Name": "DeliveryStreamName", "Value": {"Ref": "SearchStream"}}]
    red = _alarm("SearchDomainRedAlarm")
    assert (red["Namespace"], red["MetricName"], red["Threshold"]) == ("AWS/ES", "ClusterStatus.red", 0)
    share, free = _alarm("SearchDomainStorageAlarm")["Metrics"]
    assert share["Expression"]["Fn::Sub"] == "100 * free / (1024 * ${VolumeSizeGiB})"
    assert free["MetricStat"]["Metric"]["MetricName"] == "FreeStorageSpace"
    for dimensions in (red["Dimensions"], free["MetricStat"]["Metric"]["Dimensions"]):
        named = {one["Name"]: one["Value"]["Ref"] for one in dimensions}
        assert named == {"DomainName": "SearchDomain", "ClientId": "AWS::AccountId"}
