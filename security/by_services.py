"""What services do in the name of a function's role, and the local engine does without asking IAM.

Taking such an action away changes nothing that a test could see, so each is held to the template instead: allowed to
whom a service needs it for, and to nobody else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from security.permissions import Permission, spelt_out, statements

__all__ = ["REASONS", "by_services", "missing", "needs"]

POLLING: Final = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
STREAMING: Final = (
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
)
LOGGING: Final = ("logs:CreateLogStream", "logs:PutLogEvents")
TRACING: Final = ("xray:PutTraceSegments", "xray:PutTelemetryRecords")
ENCRYPTING: Final = {"sqs:SendMessage", "sns:Publish", "dynamodb:PutItem", "dynamodb:UpdateItem", "s3:PutObject"}
DECRYPTING: Final = ENCRYPTING | {
    "sqs:ReceiveMessage",
    "dynamodb:GetItem",
    "dynamodb:Query",
    "dynamodb:GetRecords",
    "s3:GetObject",
    "secretsmanager:GetSecretValue",
}
REASONS: Final = {
    "source": "Lambda polls the event source; the engine's poller reads queue and stream in its own process",
    "failure": "Lambda delivers what failed; the engine puts it there in its own process",
    "log": "Lambda writes the log; the engine keeps it in its own process",
    "trace": "Lambda sends traces; the engine has no X-Ray",
    "key": "the service that stores what is encrypted calls KMS; the engine's services do not",
    "domain": "the search domain asks IAM; a search node that stands in for it does not",
}
"""Why it is not asked for, by what it is done for."""

Needed = tuple[str, str, Any]
"""What it is done for, the action, and on which resource."""


def by_services(document: Mapping[str, Any], role: str) -> dict[Permission, str]:
    """Give what of a role's permissions services use, each with what for."""
    wanted = list(needs(document, role))
    found: dict[Permission, str] = {}
    for statement in statements(document, role):
        resources = spelt_out(statement["Resource"])
        for action in spelt_out(statement["Action"]):
            for purpose, needed, resource in wanted:
                if action == needed and (resource is None or resource in resources):
                    found[Permission(role, statement["Sid"], action)] = purpose
    return found


def missing(document: Mapping[str, Any], role: str) -> list[Needed]:
    """Give what services need under a role, and no statement allows."""
    allowed = [
        (action, resource)
        for statement in statements(document, role)
        for action in spelt_out(statement["Action"])
        for resource in spelt_out(statement["Resource"])
    ]
    return [
        (purpose, needed, resource)
        for purpose, needed, resource in needs(document, role)
        if not any(action == needed and resource in (None, on) for action, on in allowed)
    ]


def needs(document: Mapping[str, Any], role: str) -> Iterator[Needed]:
    """Give what services need under a role; on no resource in particular where several will do."""
    resources = document["Resources"]
    for name, resource in resources.items():
        if resource["Type"] == "AWS::Serverless::Function" and resource["Properties"]["Role"]["Fn::GetAtt"][0] == role:
            yield from _needs(resources, name)
    actions = {action for statement in statements(document, role) for action in spelt_out(statement["Action"])}
    if actions & DECRYPTING:
        yield "key", "kms:Decrypt", None
    if actions & ENCRYPTING:
        yield "key", "kms:GenerateDataKey", None
    for action in sorted(actions):
        if action.startswith("es:"):
            yield "domain", action, None


def _needs(resources: Mapping[str, Any], function: str) -> Iterator[Needed]:
    properties = resources[function]["Properties"]
    for name, resource in resources.items():
        if resource["Type"] == "AWS::Logs::LogGroup" and resource["Properties"].get("LogGroupName") == {
            "Fn::Sub": f"/aws/lambda/${{{function}}}"
        }:
            yield from (("log", action, {"Fn::GetAtt": [name, "Arn"]}) for action in LOGGING)
        if resource["Type"] == "AWS::Lambda::EventInvokeConfig" and resource["Properties"]["FunctionName"] == {
            "Ref": function
        }:
            yield from _failure(resource["Properties"])
    # Globals of the root template trace every function, the nested templates' own.
    yield from (("trace", action, "*") for action in TRACING)
    if "DeadLetterQueue" in properties:
        yield "failure", "sqs:SendMessage", properties["DeadLetterQueue"]["TargetArn"]
    for event in properties.get("Events", {}).values():
        if event["Type"] == "SQS":
            yield from (("source", action, event["Properties"]["Queue"]) for action in POLLING)
        if event["Type"] == "DynamoDB":
            yield from (("source", action, event["Properties"]["Stream"]) for action in STREAMING)
        yield from _failure(event["Properties"])


def _failure(properties: Mapping[str, Any]) -> Iterator[Needed]:
    destination = properties.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    if destination is None:
        return
    name = destination["Fn::GetAtt"][0]
    if name.endswith("Bucket"):
        yield "failure", "s3:PutObject", {"Fn::Sub": f"${{{name}.Arn}}/*"}
        yield "failure", "s3:ListBucket", destination
    else:
        yield "failure", "sqs:SendMessage", destination
