"""Roles that services take on, which the local engine does not enforce: each may do what its service does with it."""

import re
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from security.permissions import function_roles, spelt_out, statements
from tests.templates import ALL, ROOT, Template, resolved

Grants = set[tuple[str, str]]
"""Actions, each with what it is allowed on."""

WRITING_OBJECTS = ("s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
FINDING_BUCKETS = ("s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads")
# "Grant Firehose access to a public OpenSearch Service destination", Firehose developer guide.
INDEXING = ("es:DescribeDomain", "es:DescribeDomains", "es:DescribeDomainConfig", "es:ESHttpPost", "es:ESHttpPut")
WATCHED = (
    *("_all/_settings", "_cluster/stats", "<IndexName>*/_mapping/*", "_nodes", "_nodes/stats", "_nodes/*/stats"),
    *("_stats", "<IndexName>*/_stats", ""),
)
# The managed policy AmazonAPIGatewayPushToCloudWatchLogs.
PUSHING_LOGS = (
    *("CreateLogGroup", "CreateLogStream", "DescribeLogGroups", "DescribeLogStreams"),
    *("PutLogEvents", "GetLogEvents", "FilterLogEvents"),
)
CONDITIONS = ("CreatesKey", "CreatesBucket", "CreatesDomain", "Transforms")


class Spelt:
    """A template whose conditions are decided, and whose references stand for themselves.

    Parameters
    ----------
    template : Template
    conditions : bool
        What each is.
    """

    def __init__(self, template: Template, **conditions: bool) -> None:
        self._resources = template.resources()
        self.resources = {name: resolved(one, **conditions) for name, one in self._resources.items()}
        self._types = {name: one["Type"] for name, one in template.document["Resources"].items()}

    def of(self, kind: str) -> dict[str, Any]:
        """Give the resources of a type."""
        return {name: one for name, one in self.resources.items() if self._types[name] == kind}

    def text(self, value: Any) -> str:
        """Spell a value out."""
        if isinstance(value, str):
            return value
        [(function, argument)] = value.items()
        if function == "Ref":
            return f"<{argument}>"
        if function == "Fn::GetAtt":
            return self._attribute(*argument)
        text, given = argument if isinstance(argument, list) else (argument, {})
        return re.sub(r"\$\{([^}!]+)\}", lambda found: self._part(found[1], given), text)

    def _part(self, name: str, given: dict[str, Any]) -> str:
        if name in given:
            return self.text(given[name])
        resource, dot, attribute = name.partition(".")
        return self._attribute(resource, attribute) if dot else f"<{name}>"

    def _attribute(self, resource: str, attribute: str) -> str:
        if attribute == "Arn" and self._types[resource] == "AWS::S3::Bucket":
            return f"arn:<AWS::Partition>:s3:::<{resource}>"
        return f"<{resource}.{attribute}>"

    def grants(self, role: str) -> Grants:
        """Give what a role is allowed."""
        return {
            (action, self.text(resource))
            for statement in statements({"Resources": self._as_document()}, role)
            for action in spelt_out(statement["Action"])
            for resource in spelt_out(statement["Resource"])
        }

    def _as_document(self) -> dict[str, Any]:
        return {name: {"Type": self._types[name], "Properties": one} for name, one in self.resources.items()}

    def needed_by_streams(self) -> dict[str, Grants]:
        """Give what each delivery stream needs of its role."""
        needed: dict[str, Grants] = {}
        for stream in self.of("AWS::KinesisFirehose::DeliveryStream").values():
            key = self.text(stream["DeliveryStreamEncryptionConfigurationInput"]["KeyARN"])
            [destination] = [one for name, one in stream.items() if name.endswith("DestinationConfiguration")]
            grants = {*product(("kms:Decrypt", "kms:GenerateDataKey"), [key]), *self._delivered(destination)}
            if "S3Configuration" in destination:
                grants |= {*self._indexed(destination), *self._delivered(destination["S3Configuration"])}
            needed[destination["RoleARN"]["Fn::GetAtt"][0]] = grants
        return needed

    def _delivered(self, destination: dict[str, Any]) -> Iterator[tuple[str, str]]:
        log = destination["CloudWatchLoggingOptions"]["LogGroupName"]["Ref"]
        yield "logs:PutLogEvents", f"<{log}.Arn>"
        for processor in destination.get("ProcessingConfiguration", {}).get("Processors", []):
            if processor["Type"] == "Lambda":
                function = self.text(processor["Parameters"][0]["ParameterValue"])
                yield from product(("lambda:InvokeFunction", "lambda:GetFunctionConfiguration"), _any_version(function))
        if "BucketARN" in destination:
            bucket = self.text(destination["BucketARN"])
            yield from product(FINDING_BUCKETS, [bucket])
            for name in ("Prefix", "ErrorOutputPrefix"):
                if name in destination:
                    prefix = self.text(destination[name]).partition("!{")[0]
                    yield from product(WRITING_OBJECTS, [f"{bucket}/{prefix}*"])

    def _indexed(self, destination: dict[str, Any]) -> Iterator[tuple[str, str]]:
        endpoint = self.text(destination["ClusterEndpoint"])
        # Of a domain of our own, or of the one that is named.
        domain = re.sub(r"^(https://)?<(\w+\.)?DomainEndpoint>$", _arn_of_domain, endpoint)
        yield from product(INDEXING, [domain, f"{domain}/*"])
        yield from product(["es:ESHttpGet"], [f"{domain}/{path}" for path in WATCHED])


def _arn_of_domain(endpoint: re.Match[str]) -> str:
    return f"<{endpoint[2]}Arn>" if endpoint[2] else "<DomainArn>"


def _any_version(function: str) -> tuple[str, str]:
    return function, f"{function}:*"


def _all_spelt() -> Iterator[Any]:
    for template in ALL:
        if template.resources("AWS::KinesisFirehose::DeliveryStream"):
            for decided in product((True, False), repeat=len(CONDITIONS)):
                conditions = dict(zip(CONDITIONS, decided, strict=True))
                told = "-".join(name for name, is_so in conditions.items() if is_so)
                yield pytest.param(Spelt(template, **conditions), id=f"{template.path.parent.name}-{told}")


@pytest.mark.parametrize("spelt", [*_all_spelt()])
def test_a_delivery_stream_may_deliver_and_nothing_else(spelt: Spelt) -> None:
    """Under its prefixes, to its domain, through its function, with its key, to its log."""
    for role, needed in spelt.needed_by_streams().items():
        assert spelt.grants(role) == needed


@pytest.mark.parametrize("template", ALL, ids=str)
def test_a_rule_s_role_may_put_what_the_rule_takes_on_its_target_and_nothing_else(template: Template) -> None:
    spelt = Spelt(template)
    rules = spelt.of("AWS::Events::Rule").values()
    targets = [target for rule in rules for target in rule["Targets"] if "RoleArn" in target]
    for target in targets:
        put = product(("firehose:PutRecord", "firehose:PutRecordBatch"), [spelt.text(target["Arn"])])
        assert spelt.grants(target["RoleArn"]["Fn::GetAtt"][0]) == {*put}
        assert target["Arn"]["Fn::GetAtt"][0] in spelt.of("AWS::KinesisFirehose::DeliveryStream")


def _integrations(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        for child in value:
            yield from _integrations(child)
    elif isinstance(value, dict):
        if "credentials" in value:
            yield value
        for child in value.values():
            yield from _integrations(child)


def test_the_api_may_put_its_own_events_on_the_bus_and_nothing_else() -> None:
    [integration] = _integrations(ROOT.resources()["CheckoutApi"])
    role = integration["credentials"]["Fn::GetAtt"][0]
    assert integration["uri"]["Fn::Sub"].endswith(":events:action/PutEvents")
    [template] = [one["Fn::Sub"] for one in integration["requestTemplates"].values()]
    assert '"EventBusName":"${Bus.Outputs.EventBusName}"' in template
    [source] = re.findall(r'"Source":"([^"]+)"', template)
    [statement] = statements(ROOT.document, role)
    assert Spelt(ROOT).grants(role) == {("events:PutEvents", "<Bus.Outputs.EventBusArn>")}
    assert statement["Condition"] == {"StringEquals": {"events:source": source}}


def test_api_gateway_may_write_logs_and_nothing_else() -> None:
    role = ROOT.resources("AWS::ApiGateway::Account")["ApiGatewayAccount"]["CloudWatchRoleArn"]["Fn::GetAtt"][0]
    logs = "arn:<AWS::Partition>:logs:<AWS::Region>:<AWS::AccountId>:*"
    assert Spelt(ROOT).grants(role) == {*product([f"logs:{action}" for action in PUSHING_LOGS], [logs])}


def test_every_role_is_a_function_s_or_one_of_these() -> None:
    held: set[str] = set()
    for template in ALL:
        spelt = Spelt(template, **dict.fromkeys(CONDITIONS, True))
        held |= spelt.needed_by_streams().keys() | function_roles(template.document).keys()
        rules = spelt.of("AWS::Events::Rule").values()
        held |= {one["RoleArn"]["Fn::GetAtt"][0] for rule in rules for one in rule["Targets"] if "RoleArn" in one}
        held |= {one["credentials"]["Fn::GetAtt"][0] for one in _integrations(template.resources())}
        held |= {one["CloudWatchRoleArn"]["Fn::GetAtt"][0] for one in spelt.of("AWS::ApiGateway::Account").values()}
    assert held == {name for template in ALL for name in template.resources("AWS::IAM::Role")}
