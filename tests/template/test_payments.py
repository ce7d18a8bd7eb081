"""The payments' template: what no scanner checks, and only it has."""

import re
from typing import Any

import pytest
from eventfork import bus_events, payment_wiring, payments
from eventfork.json_text import parse

from tests.templates import NO_VALUE, PROJECT_ROOT, listed, read

PAYMENTS = read("applications/payments/template.yaml")
CIRCUIT_BREAKER = read("applications/circuit-breaker/template.yaml")
FUNCTION = "AWS::Serverless::Function"
RULE = "AWS::Events::Rule"
QUEUE = "AWS::SQS::Queue"
ACCOUNT = "${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}"
STREAM_KEEPS_SECONDS = 24 * 3600
CALLS_THE_PROVIDER = {"PaymentFunction", "PaymentQuoteFunction"}
OTHERS_KEYS = {
    "PaymentFunction": {"Circuit", "ProviderSecret"},
    "PaymentQuoteFunction": {"Circuit", "ProviderSecret"},
    "PaymentStreamFunction": set(),
    "OrderPaymentFunction": {"Checkout"},
    "HeldPaymentsFunction": {"Circuit"},
}
"""Whose key each function may use, beside the application's own."""

every_function = pytest.mark.parametrize("function", sorted(PAYMENTS.resources(FUNCTION)))


def _arn(name: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [name, "Arn"]}


def _default(parameter: str) -> Any:
    return PAYMENTS.parameters[parameter]["Default"]


def _settings(function: str) -> dict[str, Any]:
    settings: dict[str, Any] = PAYMENTS.resources(FUNCTION)[function]["Environment"]["Variables"]
    return settings


def _source(function: str) -> dict[str, Any]:
    [source] = PAYMENTS.resources(FUNCTION)[function]["Events"].values()
    properties: dict[str, Any] = source["Properties"]
    return properties


def _may(action: str) -> set[str]:
    """Give the functions that may do this to anything."""
    return {function for function in PAYMENTS.resources(FUNCTION) if PAYMENTS.allowed(function, action)}


# What comes in


@pytest.mark.parametrize(
    ("rule", "source", "types", "is_replay", "queue"),
    [
        ("LiveRule", bus_events.ORDERS, {bus_events.ORDER_PLACED}, False, "PaymentsQueue"),
        ("ReplayRule", bus_events.PAYMENTS, {bus_events.PAYMENT_DEFERRED}, True, "PaymentsReplayBufferQueue"),
        (
            "OrderPaymentsRule",
            bus_events.PAYMENTS,
            {bus_events.PAYMENT_CAPTURED, bus_events.PAYMENT_DECLINED, bus_events.PAYMENT_DEFERRED},
            False,
            "OrderPaymentsQueue",
        ),
    ],
)
def test_a_rule_brings_its_events_to_its_queue(
    rule: str, source: str, types: set[str], is_replay: bool, queue: str
) -> None:
    properties = PAYMENTS.resources(RULE)[rule]
    pattern = properties["EventPattern"]
    assert properties["EventBusName"] == {"Ref": "EventBusName"}
    assert pattern.keys() == {"source", "detail-type", "replay-name"}
    assert (pattern["source"], set(pattern["detail-type"])) == ([source], types)
    assert pattern["replay-name"] == [{"exists": is_replay}]
    [target] = properties["Targets"]
    assert target["Arn"] == _arn(queue)
    assert target["DeadLetterConfig"]["Arn"] == _arn(queue.replace("Queue", "DeadLetterQueue"))


def test_each_queue_takes_messages_from_its_own_rule_alone() -> None:
    [policy] = PAYMENTS.resources("AWS::SQS::QueuePolicy").values()
    takes = {
        one["Condition"]["ArnEquals"]["aws:SourceArn"]["Fn::GetAtt"][0]: one["Resource"]
        for one in policy["PolicyDocument"]["Statement"]
        if one["Effect"] == "Allow"
    }
    assert takes == {
        "LiveRule": [_arn("PaymentsQueue"), _arn("PaymentsDeadLetterQueue")],
        "ReplayRule": [_arn("PaymentsReplayBufferQueue"), _arn("PaymentsReplayBufferDeadLetterQueue")],
        "OrderPaymentsRule": [_arn("OrderPaymentsQueue"), _arn("OrderPaymentsDeadLetterQueue")],
        "HeldPaymentsRule": [_arn("HeldPaymentsDeadLetterQueue")],
    }
    assert set(policy["Queues"][0]) == {"Ref"}
    assert {one["Ref"] for one in policy["Queues"]} == PAYMENTS.resources(QUEUE).keys()


def test_orders_and_replayed_payments_come_to_one_function_by_one_queue() -> None:
    assert _source("PaymentFunction")["Queue"] == _arn("PaymentsQueue")
    readers = [
        function for function in PAYMENTS.resources(FUNCTION) if PAYMENTS.allowed(function, "sqs:ReceiveMessage")
    ]
    assert readers == ["PaymentFunction", "OrderPaymentFunction"]
    # The buffer is read by what paces replays, not by anything here.
    assert PAYMENTS.allowed("PaymentFunction", "sqs:ReceiveMessage") == [_arn("PaymentsQueue")]


def test_deferred_payments_are_counted_every_minute_and_a_count_that_fails_is_known() -> None:
    rule = PAYMENTS.resources(RULE)["HeldPaymentsRule"]
    assert (rule["ScheduleExpression"], rule.get("State", "ENABLED")) == ("rate(1 minute)", "ENABLED")
    [target] = rule["Targets"]
    # It gets the event that the clock sends, as its sample is.
    assert "Input" not in target
    sample = parse((PROJECT_ROOT / "events" / "held-payments.json").read_text(encoding="utf-8"))
    assert sample["detail-type"] == "Scheduled Event"
    assert target["Arn"] == _arn("HeldPaymentsFunction")
    dead_letters = _arn("HeldPaymentsDeadLetterQueue")
    assert target["DeadLetterConfig"] == {"Arn": dead_letters}
    [permission] = PAYMENTS.resources("AWS::Lambda::Permission").values()
    assert permission["FunctionName"] == {"Ref": "HeldPaymentsFunction"}
    assert permission["SourceArn"] == _arn("HeldPaymentsRule")
    function = PAYMENTS.resources(FUNCTION)["HeldPaymentsFunction"]
    assert function["DeadLetterQueue"] == {"Type": "SQS", "TargetArn": dead_letters}
    [invocation] = PAYMENTS.resources("AWS::Lambda::EventInvokeConfig").values()
    assert invocation["FunctionName"] == {"Ref": "HeldPaymentsFunction"}
    assert invocation["DestinationConfig"] == {"OnFailure": {"Destination": dead_letters}}
    assert PAYMENTS.allowed("HeldPaymentsFunction", "sqs:SendMessage") == [dead_letters]


# How long, how often


def test_the_function_knows_which_receipt_of_a_payment_is_the_last() -> None:
    redrive = PAYMENTS.resources(QUEUE)["PaymentsQueue"]["RedrivePolicy"]
    assert redrive["maxReceiveCount"] == _settings("PaymentFunction")["MAXIMUM_RECEIVES"] == {"Ref": "MaximumReceives"}
    # At its first receipt a payment is tried; were that the last, a single failure would defer it.
    assert PAYMENTS.parameters["MaximumReceives"]["MinValue"] == 2


def test_a_batch_of_calls_that_all_take_as_long_as_they_may_ends_in_time() -> None:
    longest = _default("PaymentBatchSize") * (_default("ConnectTimeoutSeconds") + _default("ReadTimeoutSeconds"))
    function = PAYMENTS.resources(FUNCTION)["PaymentFunction"]
    assert longest * 1.25 <= function["Timeout"]
    assert f"below {function['Timeout']} seconds" in PAYMENTS.parameters["PaymentBatchSize"]["Description"]
    # More than a batch of 10 would ask for a batch window.
    assert PAYMENTS.parameters["PaymentBatchSize"]["MaxValue"] <= 10
    assert _default("SlowCallSeconds") < _default("ReadTimeoutSeconds")
    quote = PAYMENTS.resources(FUNCTION)["PaymentQuoteFunction"]
    most = sum(PAYMENTS.parameters[f"{name}TimeoutSeconds"]["MaxValue"] for name in ("Connect", "Read"))
    assert most < quote["Timeout"] < 29


def test_a_payment_that_failed_is_tried_again_soon_and_not_while_it_is_being_made() -> None:
    queues = PAYMENTS.resources(QUEUE)
    assert "MaximumBatchingWindowInSeconds" not in _source("PaymentFunction")
    timeout = PAYMENTS.resources(FUNCTION)["PaymentFunction"]["Timeout"]
    assert queues["PaymentsQueue"]["VisibilityTimeout"] == 6 * timeout
    assert "three minutes apart" in PAYMENTS.parameters["MaximumReceives"]["Description"]
    window = PAYMENTS.parameters["BatchWindowSeconds"]["MaxValue"]
    timeout = PAYMENTS.resources(FUNCTION)["OrderPaymentFunction"]["Timeout"]
    assert queues["OrderPaymentsQueue"]["VisibilityTimeout"] >= 6 * timeout + window


def test_a_payment_that_is_tried_as_often_as_it_may_raises_no_alarm_by_its_age() -> None:
    alarm = PAYMENTS.resources("AWS::CloudWatch::Alarm")["PaymentsQueueAgeAlarm"]
    between = PAYMENTS.resources(QUEUE)["PaymentsQueue"]["VisibilityTimeout"]
    assert (_default("MaximumReceives") - 1) * between < alarm["Threshold"]


# What is kept, and told


def test_only_deferred_payments_are_in_the_index_that_is_counted() -> None:
    [table] = PAYMENTS.resources("AWS::DynamoDB::Table").values()
    assert tuple(key["AttributeName"] for key in table["KeySchema"]) == payments.KEYS
    [index] = table["GlobalSecondaryIndexes"]
    keys = {one["KeyType"]: one["AttributeName"] for one in index["KeySchema"]}
    assert keys == {"HASH": "Circuit", "RANGE": "DeferredAt"}
    # What a payment that is no longer deferred loses.
    assert set(keys.values()) <= set(payments.OF_ONE_STATUS)
    assert index["Projection"] == {"ProjectionType": "KEYS_ONLY"}
    assert _settings("HeldPaymentsFunction")["INDEX_NAME"] == index["IndexName"]
    assert PAYMENTS.allowed("HeldPaymentsFunction", "dynamodb:Query") == [
        {"Fn::Sub": f"${{PaymentsTable.Arn}}/index/{index['IndexName']}"}
    ]


def test_payments_are_kept_and_never_forgotten_by_themselves() -> None:
    [table] = PAYMENTS.resources("AWS::DynamoDB::Table").values()
    assert "TimeToLiveSpecification" not in table


def test_what_becomes_of_payments_is_told_from_the_tables_stream() -> None:
    [table] = PAYMENTS.resources("AWS::DynamoDB::Table").values()
    assert table["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    source = _source("PaymentStreamFunction")
    assert source["Stream"] == {"Fn::GetAtt": ["PaymentsTable", "StreamArn"]}
    assert source["StartingPosition"] == "TRIM_HORIZON"
    assert source["BisectBatchOnFunctionError"] is True
    assert source["MaximumRetryAttempts"] == {"Ref": "MaximumRetryAttempts"}
    assert PAYMENTS.parameters["MaximumRetryAttempts"]["MinValue"] >= 0
    assert source["DestinationConfig"]["OnFailure"]["Destination"] == _arn("PaymentStreamFailureBucket")


def test_an_alarm_comes_well_before_the_stream_forgets_and_one_when_a_batch_is_set_aside() -> None:
    alarms = {one["MetricName"]: one for one in PAYMENTS.resources("AWS::CloudWatch::Alarm").values()}
    age = alarms["IteratorAge"]
    assert age["Dimensions"] == [{"Name": "FunctionName", "Value": {"Ref": "PaymentStreamFunction"}}]
    assert age["Threshold"] / 1000 * 4 <= STREAM_KEEPS_SECONDS
    failed = alarms["OnFailureDestinationDeliveredEventCount"]
    [source] = PAYMENTS.resources(FUNCTION)["PaymentStreamFunction"]["Events"]
    # SAM calls a mapping after its function and itself.
    assert failed["Dimensions"][0]["Value"] == {"Ref": f"PaymentStreamFunction{source}"}
    assert (failed["Threshold"], failed["ComparisonOperator"]) == (0, "GreaterThanThreshold")


def test_what_is_counted_of_calls_is_found_by_whoever_looks_at_the_circuit() -> None:
    settings = PAYMENTS.document["Globals"]["Function"]["Environment"]["Variables"]
    theirs = CIRCUIT_BREAKER.document["Globals"]["Function"]["Environment"]["Variables"]
    assert settings["POWERTOOLS_METRICS_NAMESPACE"] == theirs["POWERTOOLS_METRICS_NAMESPACE"]
    callers = CIRCUIT_BREAKER.parameters["CallersServiceName"]["Default"]
    assert settings["POWERTOOLS_SERVICE_NAME"] == callers
    alarms = {one.get("MetricName"): one for one in CIRCUIT_BREAKER.resources("AWS::CloudWatch::Alarm").values()}
    assert payment_wiring.CIRCUIT_STATE_UNREADABLE in alarms


# Who may do what


def test_only_the_stream_puts_events_and_speaks_for_payments_alone() -> None:
    assert _may("events:PutEvents") == {"PaymentStreamFunction"}
    statements = [one for _, one in PAYMENTS.statements("PaymentStreamFunction").values()]
    [statement] = [one for one in statements if one["Action"] == "events:PutEvents"]
    assert statement["Resource"] == {"Fn::Sub": f"arn:{ACCOUNT}:event-bus/${{EventBusName}}"}
    assert statement["Condition"] == {"StringEquals": {"events:source": bus_events.PAYMENTS}}


def test_only_what_calls_the_provider_knows_where_it_is_and_by_what_credential() -> None:
    assert _may("secretsmanager:GetSecretValue") == _may("ssm:GetParameter") == CALLS_THE_PROVIDER
    for function in CALLS_THE_PROVIDER:
        assert PAYMENTS.allowed(function, "secretsmanager:GetSecretValue") == [{"Ref": "ProviderSecretArn"}]
        settings = _settings(function)
        assert settings["CREDENTIAL_SECRET_ARN"] == {"Ref": "ProviderSecretArn"}
        assert settings["ENDPOINT_PARAMETER"] == {"Ref": "ProviderEndpointParameterName"}


@pytest.mark.parametrize(
    ("name", "arn"),
    [
        ("PaymentProviderEndpoint", "parameter/PaymentProviderEndpoint"),
        ("shop/provider", "parameter/shop/provider"),
        ("/shop/provider", "parameter/shop/provider"),
    ],
)
def test_the_parameter_is_found_by_whichever_name_it_has(name: str, arn: str) -> None:
    parameter = PAYMENTS.parameters["ProviderEndpointParameterName"]
    assert re.fullmatch(parameter["AllowedPattern"], name)
    [resource] = PAYMENTS.allowed("PaymentFunction", "ssm:GetParameter")
    joined, split = resource["Fn::Join"]
    apart, text = split["Fn::Split"]
    found = text["Fn::Sub"].replace("${ProviderEndpointParameterName}", name)
    assert joined.join(found.split(apart)).endswith(f":{arn}")


def test_a_function_sees_and_opens_its_own_circuit_and_no_other() -> None:
    allowed = {
        "PaymentFunction": {"dynamodb:GetItem", "dynamodb:PutItem"},
        "PaymentQuoteFunction": {"dynamodb:GetItem", "dynamodb:PutItem"},
        "HeldPaymentsFunction": {"dynamodb:PutItem"},
    }
    for function in PAYMENTS.resources(FUNCTION):
        statements = [
            one for _, one in PAYMENTS.statements(function).values() if one["Resource"] == {"Ref": "CircuitTableArn"}
        ]
        assert {action for one in statements for action in listed(one["Action"])} == allowed.get(function, set())
        for one in statements:
            own = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [{"Ref": "CircuitName"}]}}
            assert one["Condition"] == own
            assert _settings(function)["CIRCUIT_NAME"] == {"Ref": "CircuitName"}
            assert _settings(function)["CIRCUIT_TABLE"] == {"Ref": "CircuitTableName"}


def test_one_function_writes_payments_one_writes_into_orders_and_none_deletes_anything() -> None:
    assert PAYMENTS.allowed("PaymentFunction", "dynamodb:UpdateItem") == [_arn("PaymentsTable")]
    assert PAYMENTS.allowed("OrderPaymentFunction", "dynamodb:UpdateItem") == [{"Ref": "CheckoutTableArn"}]
    assert _may("dynamodb:UpdateItem") == {"PaymentFunction", "OrderPaymentFunction"}
    # Into rows that are there: who may put one could overwrite an order.
    assert not PAYMENTS.allowed("OrderPaymentFunction", "dynamodb:PutItem")
    actions = {
        action
        for one in PAYMENTS.resources(FUNCTION)
        for _, each in PAYMENTS.statements(one).values()
        for action in listed(each["Action"])
    }
    assert {action for action in actions if "Delete" in action} == {"sqs:DeleteMessage"}


@every_function
def test_a_function_may_use_the_keys_of_what_it_reads_and_writes_and_no_other(function: str) -> None:
    own, *others = PAYMENTS.allowed(function, "kms:Decrypt")
    assert own == {"Fn::If": ["CreatesKey", _arn("Key"), {"Ref": "KmsKeyArn"}]}
    expected = [
        {"Fn::If": [f"Has{name}Key", {"Ref": f"{name}KmsKeyArn"}, NO_VALUE]} for name in sorted(OTHERS_KEYS[function])
    ]
    assert others == expected
    for name in OTHERS_KEYS[function]:
        condition = PAYMENTS.document["Conditions"][f"Has{name}Key"]
        assert condition == {"Fn::Not": [{"Fn::Equals": [{"Ref": f"{name}KmsKeyArn"}, ""]}]}


@pytest.mark.parametrize(
    ("parameter", "value", "allowed"),
    [
        ("EventBusName", "eventfork-commerce", True),
        ("EventBusName", "arn:aws:events:eu-central-1:123456789012:event-bus/eventfork-commerce", False),
        ("CircuitName", "payments", True),
        ("CircuitName", "payments-of-the-shop", False),
        ("CircuitTableArn", "arn:aws:dynamodb:eu-central-1:123456789012:table/Circuits", True),
        ("CircuitTableArn", "Circuits", False),
        ("CheckoutTableArn", "CheckoutTable", False),
        ("ProviderSecretArn", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:credential-a1b2c3", True),
        ("ProviderSecretArn", "the credential itself", False),
        ("ProviderEndpointParameterName", "https://provider.example", False),
    ],
)
def test_a_parameter_that_could_not_work_is_refused_at_deployment(parameter: str, value: str, allowed: bool) -> None:
    assert bool(re.fullmatch(PAYMENTS.parameters[parameter]["AllowedPattern"], value)) == allowed
