"""The bus and what takes events from it: what no scanner checks, and only they have."""

from typing import Any

import pytest
from eventfork import bus_events

from tests.templates import (
    ALL,
    APPLICATIONS,
    NESTED,
    PAYMENT_PROVIDER,
    REPLAY_CONTROL,
    ROOT,
    Template,
    overrides,
    resolved,
)

BUS = next(one for one in APPLICATIONS if one.path.parent.name == "bus")
NEST = "AWS::Serverless::Application"
ONE_BUS = (
    {"Fn::GetAtt": ["CommerceBus", "Arn"]},
    {"Fn::GetAtt": ["Bus", "Outputs.EventBusArn"]},
    {"Fn::Sub": "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/${EventBusName}"},
)
STREAM_KEEPS_SECONDS = 24 * 3600

every_template = pytest.mark.parametrize("template", ALL, ids=str)
every_nested = pytest.mark.parametrize("template", NESTED, ids=str)


def _nest(template: Template) -> tuple[str, dict[str, Any]]:
    """Give the resource of the root template that deploys a template: its name, and itself."""
    return next(
        (name, resource)
        for name, resource in ROOT.document["Resources"].items()
        if resource["Type"] == NEST and resource["Properties"]["Location"] == str(template.path)
    )


def _given(template: Template) -> dict[str, Any]:
    return dict(_nest(template)[1]["Properties"]["Parameters"])


@every_nested
def test_the_root_gives_every_parameter_that_must_be_given_and_none_that_is_unknown(template: Template) -> None:
    needed = {name for name, parameter in template.parameters.items() if "Default" not in parameter}
    assert needed <= _given(template).keys() <= template.parameters.keys()


@every_nested
def test_a_parameter_that_the_root_passes_on_has_the_same_default_and_bounds(template: Template) -> None:
    for name, value in _given(template).items():
        if "Ref" in value and value["Ref"] in ROOT.parameters:
            ours, theirs = ROOT.parameters[value["Ref"]], template.parameters[name]
            for bound in ("Default", "MinValue", "MaxValue", "AllowedValues"):
                assert ours.get(bound) == theirs.get(bound), (name, bound)


def test_an_output_that_the_root_passes_on_is_one_and_is_there_where_its_application_is() -> None:
    templates = {_nest(one)[0]: one for one in NESTED}
    passed_on = {
        name: output["Value"]["Fn::GetAtt"]
        for name, output in ROOT.outputs.items()
        if output["Value"].get("Fn::GetAtt", [""])[0] in templates
    }
    assert {nest for nest, _ in passed_on.values()} == templates.keys()
    for name, (nest, output) in passed_on.items():
        theirs = templates[nest].outputs[output.removeprefix("Outputs.")]
        condition = _nest(templates[nest])[1].get("Condition", theirs.get("Condition"))
        assert ROOT.outputs[name].get("Condition") == condition, name


def test_the_root_names_every_queue_table_bucket_and_function_of_an_application() -> None:
    named = {tuple(output["Value"].get("Fn::GetAtt", ())) for output in ROOT.outputs.values()}
    for template in APPLICATIONS:
        nest, _ = _nest(template)
        for name in template.outputs:
            if name.endswith(("QueueUrl", "TableName", "BucketName", "FunctionName")):
                assert (nest, f"Outputs.{name}") in named, name


def test_the_applications_one_key_lets_every_service_do_what_the_key_of_a_template_alone_does() -> None:
    def services(key: dict[str, Any]) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for statement in key["KeyPolicy"]["Statement"]:
            if "Service" in statement["Principal"]:
                assert statement["Condition"], statement["Sid"]
                found.setdefault(str(statement["Principal"]["Service"]), set()).update(statement["Action"])
        return found

    root = services(ROOT.resources("AWS::KMS::Key")["EventKey"])
    for template in NESTED:
        for service, actions in services(template.resources("AWS::KMS::Key")["Key"]).items():
            assert actions <= root[service], (template, service)


@every_template
def test_whoever_puts_events_puts_them_on_one_bus_and_speaks_for_one_source(template: Template) -> None:
    allowed = {
        "OrderStreamFunctionRole": bus_events.ORDERS,
        "CustomerEventsRole": bus_events.CUSTOMERS,
        "CircuitManagerFunctionRole": bus_events.CIRCUITS,
        "PaymentStreamFunctionRole": bus_events.PAYMENTS,
    }
    for name, role in template.resources("AWS::IAM::Role").items():
        for policy in role["Policies"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                if "events:PutEvents" in str(statement):
                    assert statement["Resource"] in ONE_BUS, name
                    assert statement["Condition"] == {"StringEquals": {"events:source": allowed[name]}}


def test_a_batch_off_the_stream_that_keeps_failing_is_split_and_kept_whole_in_a_bucket_and_the_stream_goes_on() -> None:
    [source] = BUS.resources("AWS::Serverless::Function")["OrderStreamFunction"]["Events"].values()
    assert source["Type"] == "DynamoDB"
    properties = source["Properties"]
    assert properties["Stream"] == {"Ref": "OrdersStreamArn"}
    assert properties["StartingPosition"] == "TRIM_HORIZON"
    assert properties["BisectBatchOnFunctionError"] is True
    assert properties["MaximumRetryAttempts"] == {"Ref": "MaximumRetryAttempts"}
    assert BUS.parameters["MaximumRetryAttempts"]["MinValue"] >= 0
    destination = properties["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"]
    assert destination == ["OrderStreamFailureBucket", "Arn"]
    assert destination[0] in BUS.resources("AWS::S3::Bucket")


def test_an_alarm_comes_well_before_the_stream_forgets_and_one_when_a_batch_is_set_aside() -> None:
    alarms = {one["MetricName"]: one for one in BUS.resources("AWS::CloudWatch::Alarm").values()}
    age = alarms["IteratorAge"]
    assert age["Dimensions"] == [{"Name": "FunctionName", "Value": {"Ref": "OrderStreamFunction"}}]
    assert age["Threshold"] / 1000 * 4 <= STREAM_KEEPS_SECONDS
    failed = alarms["OnFailureDestinationDeliveredEventCount"]
    assert (failed["Threshold"], failed["ComparisonOperator"]) == (0, "GreaterThanThreshold")


def test_the_bus_reads_the_stream_of_the_orders_table_which_shows_rows_before_and_after() -> None:
    assert _given(BUS)["OrdersStreamArn"] == {"Fn::GetAtt": ["CheckoutPipeline", "Outputs.CheckoutTableStreamArn"]}
    checkout = next(one for one in NESTED if one.path.parent.name == "checkout")
    table = checkout.resources("AWS::DynamoDB::Table")["CheckoutTable"]
    assert table["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert checkout.outputs["CheckoutTableStreamArn"]["Value"] == {"Fn::GetAtt": ["CheckoutTable", "StreamArn"]}


def test_every_consumer_takes_its_events_off_the_applications_bus() -> None:
    for template in APPLICATIONS:
        if template not in (BUS, PAYMENT_PROVIDER):
            assert _given(template)["EventBusName"] in (
                {"Fn::GetAtt": ["Bus", "Outputs.EventBusName"]},
                {"Fn::GetAtt": ["Bus", "Outputs.EventBusArn"]},
            )
            for name, rule in template.resources("AWS::Events::Rule").items():
                # What runs by the clock has no events to take, and is on no bus.
                if "ScheduleExpression" not in rule:
                    assert rule["EventBusName"] == {"Ref": "EventBusName"}, name


def test_fraud_screening_is_a_consumer_that_can_be_added_later_and_is_off_until_then() -> None:
    screening = next(one for one in APPLICATIONS if one.path.parent.name == "fraud-screening")
    assert ROOT.parameters["FraudScreeningEnabled"]["Default"] == "false"
    condition = _nest(screening)[1]["Condition"]
    assert ROOT.document["Conditions"][condition] == {"Fn::Equals": [{"Ref": "FraudScreeningEnabled"}, "true"]}
    name = _nest(screening)[0]
    others = {other: resource for other, resource in ROOT.document["Resources"].items() if other != name}
    # Only what can replay to it knows of it, and that only while it is there.
    control = others.pop(_nest(REPLAY_CONTROL)[0])["Properties"]["Parameters"]
    for unaware in (others, resolved(control, HasFraudScreening=False)):
        assert f"'{name}'" not in str(unaware)
        assert f"{name}." not in str(unaware)
    assert f"{name}." in str(resolved(control, HasFraudScreening=True))


def test_the_history_of_the_bus_is_compressed_filed_by_hour_a_line_an_event_and_its_errors_are_logged() -> None:
    destination = BUS.resources("AWS::KinesisFirehose::DeliveryStream")["BusHistoryStream"][
        "ExtendedS3DestinationConfiguration"
    ]
    assert destination["Prefix"] == "bus/!{timestamp:yyyy/MM/dd/HH}/"
    assert not destination["ErrorOutputPrefix"].startswith("bus")
    assert destination["CompressionFormat"] == "GZIP"
    [processor] = destination["ProcessingConfiguration"]["Processors"]
    assert processor["Type"] == "AppendDelimiterToRecord"
    logging = destination["CloudWatchLoggingOptions"]
    assert logging["Enabled"] is True
    assert logging["LogGroupName"]["Ref"] in BUS.resources("AWS::Logs::LogGroup")
    assert logging["LogStreamName"]["Ref"] in BUS.resources("AWS::Logs::LogStream")


def test_production_keeps_the_tables_of_the_applications_too() -> None:
    assert overrides("prod")["DeletionProtection"] == "true"
    for template in APPLICATIONS:
        for name, table in template.resources("AWS::DynamoDB::Table").items():
            assert table["DeletionProtectionEnabled"] == {"Ref": "DeletionProtection"}, name
            assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}, name
            assert _given(template)["DeletionProtection"] == {"Ref": "DeletionProtection"}
