"""SECURITY.md is about the templates, files and tests that there are."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.templates import ALL, PROJECT_ROOT, Template

DOCUMENT = (PROJECT_ROOT / "SECURITY.md").read_text(encoding="utf-8")
HOP = re.compile(r"`([A-Za-z0-9/-]+) → ([A-Za-z0-9/-]+)`")
NAMED_FILE = re.compile(r"`((?:[\w.*-]+/)+[\w.*-]*|[\w-]+\.(?:md|yaml|toml))`")
NAMED_TEST = re.compile(r"`(test_\w+\.py)(?:::(test_\w+))?`")
KEEPERS = (
    "AWS::DynamoDB::Table",
    "AWS::Events::Archive",
    "AWS::Events::EventBus",
    "AWS::KinesisFirehose::DeliveryStream",
    "AWS::OpenSearchService::Domain",
    "AWS::S3::Bucket",
    "AWS::SecretsManager::Secret",
    "AWS::Serverless::Api",
    "AWS::Serverless::Function",
    "AWS::SNS::Topic",
)
"""What keeps, takes or changes what flows."""
ELSEWHERE = {
    "TopicArn": "CheckoutEventsTopic",
    "OrdersStreamArn": "CheckoutTable",
    "Payments": "PaymentQuoteFunction",
}
"""What another template makes, by the parameter or the application that it is known by."""
PICTURE = (PROJECT_ROOT / "docs" / "architecture" / "threats.dot").read_text(encoding="utf-8")


def _name(template: Template, value: Any) -> str:
    """Name what a value in a template refers to, which may be another template's."""
    if isinstance(value, str):
        return value
    ((function, operand),) = value.items()
    if function == "Fn::If":
        return _name(template, operand[1] if operand[1] != {"Ref": "AWS::NoValue"} else operand[2])
    if function == "Fn::Sub":
        return str(re.findall(r"\$\{(\w+)[.}]", operand)[-1])
    name = operand[0] if function == "Fn::GetAtt" else operand
    return ELSEWHERE.get(name, str(name))


def _hops(template: Template) -> Iterator[tuple[str, str]]:
    """Give who hands on to whom, as a template declares it."""
    place = template.path.parent.name
    for one in template.resources("AWS::SNS::Subscription").values():
        yield _name(template, one["TopicArn"]), _name(template, one["Endpoint"])
    for name, one in template.resources("AWS::Events::Rule").items():
        for target in one["Targets"]:
            yield f"{place}/{name}", _name(template, target["Arn"])
    for name, one in template.resources("AWS::Serverless::Function").items():
        for event in one.get("Events", {}).values():
            properties = event["Properties"]
            yield _name(template, properties.get("Queue", properties.get("Stream"))), name
    for one in template.resources("AWS::Lambda::Permission").values():
        if one["Principal"] == "apigateway.amazonaws.com":
            yield _name(template, one["SourceArn"]), _name(template, one["FunctionName"])
    yield from _deliveries(template)


def _deliveries(template: Template) -> Iterator[tuple[str, str]]:
    for name, one in template.resources("AWS::KinesisFirehose::DeliveryStream").items():
        for kind, destination in one.items():
            if kind.endswith("DestinationConfiguration"):
                to = destination.get("BucketARN", destination.get("DomainARN"))
                yield name, "SearchDomain" if to is None else _name(template, to)


@pytest.mark.parametrize("template", ALL, ids=str)
def test_every_hop_of_a_template_is_in_the_threat_model(template: Template) -> None:
    told = set(HOP.findall(DOCUMENT))
    assert set(_hops(template)) - told == set()


def test_every_hop_of_the_threat_model_is_in_a_template() -> None:
    there = {hop for template in ALL for hop in _hops(template)}
    assert set(HOP.findall(DOCUMENT)) - there == set()


@pytest.mark.parametrize("template", ALL, ids=str)
def test_everything_that_keeps_or_handles_data_is_named(template: Template) -> None:
    assert {name for name in template.resources(*KEEPERS) if name not in DOCUMENT} == set()


def test_every_file_that_is_named_is_there() -> None:
    named = {name for name in NAMED_FILE.findall(DOCUMENT) if not name.startswith(".")}
    assert {name for name in named if not any(PROJECT_ROOT.glob(name.rstrip("/")))} == set()
    assert len(named) > 5


def test_every_test_that_is_named_is_there() -> None:
    tests: dict[str, str] = {}
    for path in (PROJECT_ROOT / "tests").rglob("test_*.py"):
        tests[path.name] = tests.get(path.name, "") + path.read_text(encoding="utf-8")
    named = NAMED_TEST.findall(DOCUMENT)
    assert {(file, test) for file, test in named if f"def {test}" not in tests.get(file, "")} == set()
    assert len(named) > 20


def test_every_command_that_is_named_is_there() -> None:
    makefile = (PROJECT_ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"`make ([a-z-]+)", DOCUMENT))
    assert {name for name in named if f"\n{name}:" not in makefile} == set()
    assert "security" in named


def test_the_picture_numbers_the_hops_that_the_text_does() -> None:
    numbers = set(re.findall(r"^### (\d+)\. ", DOCUMENT, flags=re.MULTILINE))
    assert numbers == set(re.findall(r'label="(\d+)\b', PICTURE))
    assert len(numbers) > 8
