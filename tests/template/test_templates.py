"""Every template keeps the rules of the flow: what no scanner checks."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
from eventfork.adapters.dynamodb import ORDER_INDEX

from tests.templates import (
    ALL,
    APPLICATIONS,
    CIRCUIT_BREAKER,
    NESTED,
    PAYMENT_PROVIDER,
    PAYMENTS,
    PIPELINES,
    PROJECT_ROOT,
    REPLAY_CONTROL,
    ROOT,
    Template,
    overrides,
)

LAYER = PROJECT_ROOT / "layers" / "eventfork"
QUEUE = "AWS::SQS::Queue"
FUNCTION = "AWS::Serverless::Function"
ALARM = "AWS::CloudWatch::Alarm"
ROLE = "AWS::IAM::Role"
STREAM = "AWS::KinesisFirehose::DeliveryStream"
COMMON_PARAMETERS = (
    "TopicArn",
    "SubscriptionFilterPolicy",
    "SubscriptionFilterPolicyScope",
    "BatchSize",
    "BatchWindowSeconds",
    "MaximumConcurrency",
    "ReservedConcurrency",
    "KmsKeyArn",
    "AlarmTopicArn",
    "LogLevel",
    "LogRetentionDays",
    "Runtime",
    "Architecture",
)
ONLY_OF_TOPICS = {"TopicArn", "SubscriptionFilterPolicy", "SubscriptionFilterPolicyScope"}
"""What only a template that subscribes to a topic has: what an application takes from a bus is said by its rules."""

ONLY_OF_BATCHES = {"BatchSize", "BatchWindowSeconds"}
WITHOUT_RESOURCES = ("xray:", "cloudwatch:GetMetricData")
"""Actions for which IAM knows no resources. Source: service authorization reference."""
WITHOUT_BATCHES = (REPLAY_CONTROL, CIRCUIT_BREAKER, PAYMENT_PROVIDER)
"""What a template has none of whose queue brings one piece of work at a time."""

OF_THE_RUNTIME = ("AWS_", "POWERTOOLS_")
"""What the names of settings begin with that are read by what the functions are made with, not by themselves."""

ENVIRONMENTS = ("default", "local", "dev", "prod")

KEPT_FOR_EVER = {
    "CheckoutTable": "orders are the shop's records",
    "CustomerTable": "customers as well",
    "FraudScreeningTable": "a verdict is part of an order's record",
    "PaymentsTable": "a payment that is forgotten could be made twice",
    "ReplayTable": "the ledger says who replayed what, and why",
}
"""Tables whose rows never expire, and why; every other one says how long it keeps them."""

every_template = pytest.mark.parametrize("template", ALL, ids=str)
every_pipeline = pytest.mark.parametrize("template", PIPELINES, ids=str)
every_application = pytest.mark.parametrize("template", APPLICATIONS, ids=str)
every_nested = pytest.mark.parametrize("template", NESTED, ids=str)


def _named(template: Template, resource_type: str, *suffixes: str) -> dict[str, dict[str, Any]]:
    return {
        name: properties
        for name, properties in template.resources(resource_type).items()
        if name.endswith(suffixes) == bool(suffixes)
    }


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for child in value.values() for text in _strings(child)]
    if isinstance(value, list):
        return [text for child in value for text in _strings(child)]
    return [value] if isinstance(value, str) else []


def _watched(template: Template, metric: str) -> set[str]:
    return {
        alarm["Dimensions"][0]["Value"]["Fn::GetAtt"][0]
        for alarm in template.resources(ALARM).values()
        if alarm.get("MetricName") == metric
    }


def _granted(template: Template) -> dict[str, list[dict[str, Any]]]:
    """Give the statements of every role by its name: those in the role itself, and those beside it."""
    policies = [(name, policy) for name, role in template.resources(ROLE).items() for policy in role["Policies"]]
    policies += [
        (role["Ref"], policy) for policy in template.resources("AWS::IAM::Policy").values() for role in policy["Roles"]
    ]
    granted: dict[str, list[dict[str, Any]]] = {}
    for name, policy in policies:
        for statement in policy["PolicyDocument"]["Statement"]:
            granted.setdefault(name, []).append(statement.get("Fn::If", [None, statement])[1])
    return granted


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _terminal(template: Template) -> set[str]:
    return {name for name in template.resources(QUEUE) if name.endswith(("DeadLetterQueue", "QuarantineQueue"))}


@every_template
def test_every_parameter_says_what_it_is_and_what_happens_when_it_is_left_alone(template: Template) -> None:
    for name, parameter in template.parameters.items():
        assert parameter["Description"].endswith("."), name
        assert "Default" not in parameter or "Left" in parameter["Description"], name


@every_template
def test_every_output_is_described(template: Template) -> None:
    for name, output in template.outputs.items():
        assert output["Description"], name


@every_template
def test_parameters_with_few_values_list_them_and_numbers_have_bounds(template: Template) -> None:
    for name, parameter in template.parameters.items():
        if parameter.get("Default") in ("true", "false"):
            assert parameter["AllowedValues"] == ["true", "false"], name
        if parameter["Type"] == "Number":
            assert "AllowedValues" in parameter or "MinValue" in parameter, name


@every_pipeline
def test_every_pipeline_takes_the_same_parameters_in_the_same_sense(template: Template) -> None:
    reference = PIPELINES[0].parameters
    for name in COMMON_PARAMETERS:
        ours, theirs = dict(template.parameters[name]), dict(reference[name])
        if name in ("BatchSize", "BatchWindowSeconds") or (template, name) == (_search(), "SubscriptionFilterPolicy"):
            for parameter in (ours, theirs):
                del parameter["Default"], parameter["Description"]
        assert ours == theirs, name


@every_application
def test_every_application_takes_the_parameters_of_a_pipeline_in_the_same_sense(template: Template) -> None:
    reference = PIPELINES[0].parameters
    names = set(COMMON_PARAMETERS) - ONLY_OF_TOPICS
    if not _queues_read(template):
        # A stream's shards bound how many batches are read at a time; a mapping of a stream has no such setting.
        names.remove("MaximumConcurrency")
        assert "MaximumConcurrency" not in template.parameters
    if template in WITHOUT_BATCHES:
        names -= ONLY_OF_BATCHES
        assert not ONLY_OF_BATCHES & template.parameters.keys()
    if template is PAYMENTS:
        # Two queues are read, in batches of a size each.
        names -= {"BatchSize"}
    if template is PAYMENT_PROVIDER:
        # It is there to be tried out with: nobody is woken, and nothing of it is worth protecting.
        names -= {"AlarmTopicArn"}
    for name in names:
        ours, theirs = dict(template.parameters[name]), dict(reference[name])
        for parameter in (ours, theirs) if name in ("BatchSize", "BatchWindowSeconds", "KmsKeyArn") else ():
            # What a batch holds, and who must be let use the key, is another thing where events come from a bus.
            del parameter["Description"], parameter["Default"]
        assert ours == theirs, name
    assert template.parameters["KmsKeyArn"]["Default"] == reference["KmsKeyArn"]["Default"]


def test_every_pipeline_takes_every_message_but_search_which_takes_orders_of_100_and_more() -> None:
    policies = {one.path.parent.name: one.parameters["SubscriptionFilterPolicy"]["Default"] for one in PIPELINES}
    assert json.loads(policies.pop("search")) == {"amount": [{"numeric": [">=", 100]}]}
    assert set(policies.values()) == {""}


@every_pipeline
def test_only_the_topic_must_be_given(template: Template) -> None:
    assert [name for name, parameter in template.parameters.items() if "Default" not in parameter] == ["TopicArn"]


def test_only_where_events_come_from_must_be_given_to_an_application() -> None:
    needed = {
        one.path.parent.name: [name for name, parameter in one.parameters.items() if "Default" not in parameter]
        for one in APPLICATIONS
    }
    assert needed.pop("bus") == ["OrdersStreamArn"]
    assert needed.pop("replay-control") == [
        "EventBusName",
        "ArchiveName",
        "Targets",
        "TargetQueueArns",
        "DeadLetterQueueArns",
        "BackupBucketName",
        "HistoryBucketName",
    ]
    assert needed.pop("circuit-breaker") == ["EventBusName", "Circuits", "HealthParameterArns"]
    assert needed.pop("payments") == [
        "EventBusName",
        "CircuitTableName",
        "CircuitTableArn",
        "ProviderEndpointParameterName",
        "ProviderSecretArn",
        "CheckoutTableName",
        "CheckoutTableArn",
    ]
    assert needed.pop("payment-provider") == ["SecretArn"]
    assert needed
    assert all(names == ["EventBusName"] for names in needed.values())


@every_template
def test_every_queue_ends_in_a_dead_letter_queue_that_keeps_messages_as_long_or_longer(template: Template) -> None:
    queues = template.resources(QUEUE)
    for name in queues.keys() - _terminal(template):
        target = queues[name]["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
        assert target in _terminal(template), name
        assert queues[target]["MessageRetentionPeriod"] == 14 * 86400, target


@every_template
def test_every_queue_has_an_alarm_on_the_age_and_every_parking_queue_one_on_the_depth(template: Template) -> None:
    assert template.resources(QUEUE).keys() - _terminal(template) == _watched(template, "ApproximateAgeOfOldestMessage")
    assert _terminal(template) == _watched(template, "ApproximateNumberOfMessagesVisible")


@every_template
def test_the_age_alarm_comes_well_before_the_retention_ends(template: Template) -> None:
    queues = template.resources(QUEUE)
    for alarm in template.resources(ALARM).values():
        if alarm.get("MetricName") == "ApproximateAgeOfOldestMessage":
            retention = queues[alarm["Dimensions"][0]["Value"]["Fn::GetAtt"][0]]["MessageRetentionPeriod"]
            shortest = retention if isinstance(retention, int) else 14 * 86400
            assert alarm["Threshold"] * 4 <= shortest


@every_template
def test_every_alarm_tells_what_to_do_and_can_be_sent_somewhere(template: Template) -> None:
    for name, alarm in template.resources(ALARM).items():
        assert len(alarm["AlarmDescription"]) > 40, name
        assert alarm["AlarmActions"] == {
            "Fn::If": ["HasAlarmTopic", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]
        }, name


def _sources(template: Template, source_type: str) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Give each source of this type: its function's name and properties, and its own properties."""
    return [
        (name, function, source["Properties"])
        for name, function in template.resources(FUNCTION).items()
        for source in function.get("Events", {}).values()
        if source["Type"] == source_type
    ]


def _queues_read(template: Template) -> set[str]:
    return {source["Queue"]["Fn::GetAtt"][0] for _, _, source in _sources(template, "SQS")}


@every_template
def test_every_function_reads_a_queue_or_a_stream_or_is_called(template: Template) -> None:
    kinds = [
        source["Type"] for one in template.resources(FUNCTION).values() for source in one.get("Events", {}).values()
    ]
    assert set(kinds) <= {"SQS", "DynamoDB"}


@every_template
def test_a_message_stays_invisible_for_six_times_the_longest_run_and_the_batch_window(template: Template) -> None:
    # Of queues only: what is read off a stream stays where it is, and its shard waits for the batch.
    for name, function, source in _sources(template, "SQS"):
        queue = template.resources(QUEUE)[source["Queue"]["Fn::GetAtt"][0]]
        window = (
            template.parameters["BatchWindowSeconds"]["MaxValue"] if "MaximumBatchingWindowInSeconds" in source else 0
        )
        assert queue["VisibilityTimeout"] >= 6 * function["Timeout"] + window, name


@every_template
def test_every_consumer_reports_partial_failures_and_bounds_its_concurrency(template: Template) -> None:
    for name, _, source in _sources(template, "SQS"):
        assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"], name
        assert source["ScalingConfig"] == {"MaximumConcurrency": {"Ref": "MaximumConcurrency"}}, name
    for name, _, source in _sources(template, "DynamoDB"):
        # Its concurrency is that of the stream's shards, as long as nobody asks for several batches of one at a time.
        assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"], name
        assert "ParallelizationFactor" not in source, name


@every_template
def test_everything_that_keeps_data_says_how_long(template: Template) -> None:
    for name, queue in template.resources(QUEUE).items():
        assert "MessageRetentionPeriod" in queue, name
    for name, group in template.resources("AWS::Logs::LogGroup").items():
        assert group["RetentionInDays"] == {"Ref": "LogRetentionDays"}, name
    for name, bucket in template.resources("AWS::S3::Bucket").items():
        assert bucket["LifecycleConfiguration"]["Rules"], name
    for name, archive in template.resources("AWS::Events::Archive").items():
        assert archive["RetentionDays"]["Ref"] in template.parameters, name
    for name, table in template.resources("AWS::DynamoDB::Table").items():
        expires = table.get("TimeToLiveSpecification", {}).get("Enabled") is True
        assert expires != (name in KEPT_FOR_EVER), name


def test_what_is_kept_for_ever_is_there() -> None:
    tables = {name for template in ALL for name in template.resources("AWS::DynamoDB::Table")}
    assert tables >= KEPT_FOR_EVER.keys()


@every_template
def test_every_bucket_says_of_all_that_it_holds_how_long(template: Template) -> None:
    for name, bucket in template.resources("AWS::S3::Bucket").items():
        # Turned off by its parameter, such a rule says that it is kept for ever.
        [rule] = [one for one in bucket["LifecycleConfiguration"]["Rules"] if one["Id"] == "Expire"]
        assert rule["ExpirationInDays"], name
        assert "Prefix" not in rule, name


@every_template
def test_queues_topics_buckets_and_buses_are_reached_over_tls_only(template: Template) -> None:
    protected: set[str] = set()
    for policy in template.resources(
        "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy", "AWS::S3::BucketPolicy"
    ).values():
        denials = [one for one in policy["PolicyDocument"]["Statement"] if one["Sid"] == "OnlyOverTls"]
        for denial in denials:
            assert denial["Effect"] == "Deny"
            assert denial["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
            resources = denial["Resource"] if isinstance(denial["Resource"], list) else [denial["Resource"]]
            protected |= {one["Fn::GetAtt"][0] if "Fn::GetAtt" in one else one.get("Ref", "") for one in resources}
    for policy in template.resources("AWS::Events::EventBusPolicy").values():
        denial = policy["Statement"]
        if policy["StatementId"] == "OnlyOverTls":
            assert (denial["Effect"], denial["Principal"]) == ("Deny", "*")
            assert denial["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
            protected.add(denial["Resource"]["Fn::GetAtt"][0])
    reached = template.resources(QUEUE, "AWS::SNS::Topic", "AWS::S3::Bucket", "AWS::Events::EventBus")
    assert reached.keys() <= protected


@every_template
def test_every_function_has_a_role_of_its_own_that_grants_nothing_on_everything(template: Template) -> None:
    used = [function["Role"]["Fn::GetAtt"][0] for function in template.resources(FUNCTION).values()]
    assert len(used) == len(set(used))
    for name, role in template.resources(ROLE).items():
        assert "ManagedPolicyArns" not in role, name
    for name, statements in _granted(template).items():
        for statement in statements:
            assert statement["Sid"], name
            actions = _list(statement["Action"])
            assert not any("*" in action for action in actions), name
            assert "*" not in _list(statement["Resource"]) or all(
                one.startswith(WITHOUT_RESOURCES) for one in actions
            ), name


@every_template
def test_every_setting_a_function_reads_is_given_by_its_template_and_no_other(template: Template) -> None:
    common = template.document["Globals"]["Function"]["Environment"]["Variables"]
    shared = {name for name in common if not name.startswith(OF_THE_RUNTIME)}
    for name, function in template.resources(FUNCTION).items():
        app = PROJECT_ROOT / template.path.parent / function["CodeUri"] / "app.py"
        assert _settings_read(app) == shared | set(function.get("Environment", {}).get("Variables", {})), name


def _settings_read(app: Path) -> set[str]:
    """Give the names of the settings that a function reads, itself or by a module of the layer that it imports from."""
    tree = ast.parse(app.read_text(encoding="utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    modules = [LAYER / f"{name.replace('.', '/')}.py" for name in imported - {"eventfork.settings"}]
    trees = [tree, *(ast.parse(one.read_text(encoding="utf-8")) for one in modules if one.is_file())]
    return {name for one in trees for name in _settings_named(one)}


def _settings_named(tree: ast.Module) -> set[str]:
    """Give the names that a module asks `setting` for, or a function of its own that hands them on to `setting`."""
    readers = {
        function.name: function
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        and any(isinstance(call.args[0], ast.Name) for call in _calls(function, {"setting"}))
    }
    calls = _calls(tree, {"setting", *readers})
    return {str(call.args[0].value) for call in calls if isinstance(call.args[0], ast.Constant)}


def _calls(tree: ast.AST, names: set[str]) -> list[ast.Call]:
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names
    ]


@every_template
def test_every_function_logs_into_a_group_made_for_it(template: Template) -> None:
    groups = [group.get("LogGroupName") for group in template.resources("AWS::Logs::LogGroup").values()]
    for name in template.resources(FUNCTION):
        assert {"Fn::Sub": f"/aws/lambda/${{{name}}}"} in groups, name


@every_template
def test_no_name_region_account_or_partition_is_fixed(template: Template) -> None:
    for name, properties in template.resources().items():
        for fixed in (
            "QueueName",
            "TopicName",
            "TableName",
            "BucketName",
            "FunctionName",
            "RoleName",
            "DomainName",
            "ArchiveName",
        ):
            assert not isinstance(properties.get(fixed), str), name
        for text in _strings(properties):
            assert not re.search(r"arn:aws[:-]|\b[0-9]{12}\b|\b(us|eu|ap|sa|ca)-[a-z]+-[0-9]\b", text), name


@every_nested
def test_a_pipeline_or_an_application_can_be_published(template: Template) -> None:
    published = template.document["Metadata"]["AWS::ServerlessRepo::Application"]
    assert re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+", published["SemanticVersion"])
    assert published["SpdxLicenseId"] == "MIT-0"
    for file in ("LicenseUrl", "ReadmeUrl"):
        assert (PROJECT_ROOT / template.path.parent / published[file]).is_file()


@every_nested
def test_a_readme_that_shows_how_to_embed_names_the_version(template: Template) -> None:
    version = template.document["Metadata"]["AWS::ServerlessRepo::Application"]["SemanticVersion"]
    readme = (PROJECT_ROOT / template.path.parent / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"SemanticVersion: (\S+)", readme)) <= {version}


def test_every_pipeline_and_application_is_nested_with_the_same_runtime_architecture_and_log_level() -> None:
    nested = ROOT.resources("AWS::Serverless::Application")
    assert {properties["Location"] for properties in nested.values()} == {str(one.path) for one in NESTED}
    for name, properties in nested.items():
        passed_on = ["Runtime", "Architecture", "LogLevel", "LogRetentionDays"]
        for parameter in passed_on if name == "PaymentProvider" else [*passed_on, "AlarmTopicArn"]:
            assert properties["Parameters"][parameter] == {"Ref": parameter}, name


def test_nothing_that_publishes_knows_of_a_pipeline_or_an_application() -> None:
    publisher = ROOT.resources(FUNCTION)["CheckoutApiFunction"]
    nested = ROOT.resources("AWS::Serverless::Application")
    assert not [text for text in _strings(publisher) if "Pipeline" in text or text.split(".")[0] in nested]


def test_the_index_that_finds_an_order_is_the_one_the_function_asks() -> None:
    table = next(one for one in PIPELINES if one.path.parent.name == "checkout").resources("AWS::DynamoDB::Table")
    indexes = table["CheckoutTable"]["LocalSecondaryIndexes"]
    assert [index["IndexName"] for index in indexes] == [ORDER_INDEX]


def test_replay_is_off_unless_an_operator_turns_it_on() -> None:
    replay = next(one for one in PIPELINES if one.path.parent.name == "replay")
    source = replay.resources(FUNCTION)["ReplayFunction"]["Events"]["Messages"]["Properties"]
    assert source["Enabled"] == {"Ref": "ReplayEnabled"}
    assert replay.parameters["ReplayEnabled"]["Default"] == "false"
    assert ROOT.parameters["ReplayEnabled"]["Default"] == "false"


def _backup() -> Template:
    return next(one for one in PIPELINES if one.path.parent.name == "backup")


def _search() -> Template:
    return next(one for one in PIPELINES if one.path.parent.name == "search")


def test_the_table_looks_for_objects_where_the_stream_writes_them() -> None:
    destination = _backup().resources(STREAM)["BackupStream"]
    prefix = destination["ExtendedS3DestinationConfiguration"]["Prefix"]["Fn::Sub"]
    table = _backup().resources("AWS::Glue::Table")["QueryTable"]["TableInput"]
    projection, [key] = table["Parameters"], table["PartitionKeys"]
    name = key["Name"]
    template, bucket = projection["storage.location.template"]["Fn::Sub"]
    location, same_bucket = table["StorageDescriptor"]["Location"]["Fn::Sub"]
    stamp = f"!{{timestamp:{projection[f'projection.{name}.format']}}}"
    assert template.replace(f"${{!{name}}}", stamp) == f"s3://${{Bucket}}/{prefix}"
    assert template == f"{location}${{!{name}}}/"
    assert bucket == same_bucket
    assert (projection["projection.enabled"], projection[f"projection.{name}.type"]) == ("true", "date")


def test_the_table_has_the_columns_of_what_the_forwarder_writes() -> None:
    columns = _backup().resources("AWS::Glue::Table")["QueryTable"]["TableInput"]["StorageDescriptor"]["Columns"]
    event = json.loads((PROJECT_ROOT / "events" / "checkout-topic.json").read_text(encoding="utf-8"))
    assert [column["Name"] for column in columns] == list(event)
    assert {column["Type"] for column in columns} == {"string"}


def test_nothing_but_events_is_written_below_the_table() -> None:
    table = _backup().parameters["BucketPrefix"]["Default"]
    errors = _backup().parameters["ErrorPrefix"]["Default"]
    group = _backup().resources("AWS::Athena::WorkGroup")["QueryWorkGroup"]["WorkGroupConfiguration"]
    results = group["ResultConfiguration"]["OutputLocation"]["Fn::Sub"][0].removeprefix("s3://${Bucket}/")
    for written in (errors, results):
        assert not written.startswith(table)
        assert not table.startswith(written)


def test_what_queries_the_backup_is_there_only_where_athena_can_read_it() -> None:
    for name, resource in _backup().document["Resources"].items():
        if resource["Type"].startswith(("AWS::Glue::", "AWS::Athena::")):
            assert resource["Condition"] == "IsQueryable", name
    for name, output in _backup().outputs.items():
        if name.startswith("Query"):
            assert output["Condition"] == "IsQueryable", name


def test_every_named_query_bounds_the_hours_it_reads_and_counts_an_event_once() -> None:
    for name, query in _backup().resources("AWS::Athena::NamedQuery").items():
        text = query["QueryString"]
        assert "WHERE datehour >= " in text, name
        assert "GROUP BY id" in text, name
        assert query["WorkGroup"] == {"Ref": "QueryWorkGroup"}, name
        assert query["Database"] == {"Ref": "QueryDatabase"}, name


def test_the_stream_may_call_a_function_only_where_one_is_given() -> None:
    for template in (_backup(), _search()):
        [stream] = template.resources(STREAM).values()
        [destination] = [one for name, one in stream.items() if name.endswith("DestinationConfiguration")]
        processing = destination["ProcessingConfiguration"]["Fn::If"]
        role = template.resources(ROLE)[destination["RoleARN"]["Fn::GetAtt"][0]]
        statements = role["Policies"][0]["PolicyDocument"]["Statement"]
        [granted] = [one["Fn::If"] for one in statements if "lambda:InvokeFunction" in str(one)]
        nothing = {"Ref": "AWS::NoValue"}
        assert (processing[0], processing[2]) == (granted[0], granted[2]) == ("Transforms", nothing)


@pytest.mark.parametrize(
    ("pattern", "allowed"),
    [("", True), (r"iban,.*account(no|number),tax\d?", True), ("IBAN", False), ("bank-account", False), ("a b", False)],
)
def test_a_field_pattern_that_could_never_fit_is_refused_at_deployment(pattern: str, allowed: bool) -> None:
    for template in (_backup(), _search()):
        parameter = template.parameters["CardFieldPatterns"]
        assert bool(re.fullmatch(parameter["AllowedPattern"], pattern)) == allowed


def test_every_environment_of_samconfig_sets_parameters_that_exist() -> None:
    for name in ENVIRONMENTS:
        for parameter, value in overrides(name).items():
            assert value in map(str, ROOT.parameters[parameter].get("AllowedValues", [value])), parameter


def test_only_the_local_environment_lets_anybody_call() -> None:
    assert [name for name in ENVIRONMENTS if overrides(name).get("AllowAnonymousCheckout") == "true"] == ["local"]
    assert ROOT.parameters["AllowAnonymousCheckout"]["Default"] == "false"
