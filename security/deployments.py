"""Templates as CloudFormation deploys them: made of SAM's form, with parameters and conditions decided.

Run with the interpreter of the `sam` environment. What a rule is to see is what gets deployed: a rule that reads a
template cannot know what `Fn::If` gives. Each template is looked at twice, since what holds in one may not hold in the
other: as it comes, by itself, and as part of the application in production, with all that is optional and with what a
deployer sets.
"""

import logging
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from samcli.lib.translate.sam_template_validator import SamTemplateValidator
from samcli.yamlhelper import yaml_parse

from security.intrinsics import REGION, Scope, resolved

__all__ = ["deployed"]

# What has no default, or is made by the stack around: any text will do.
GIVEN: Final = f"arn:aws:given:{REGION}:123456789012:given"
# Everything optional on, and what samconfig.toml cannot know of an account.
PRODUCTION: Final = {
    "AlarmTopicArn": f"arn:aws:sns:{REGION}:123456789012:alarms",
    "FraudScreeningEnabled": "true",
    "PaymentProviderSimulated": "true",
    "SearchEnabled": "true",
}


class _NoManagedPolicies:
    """Stands in for a look into IAM, which needs an account: the templates name their policies in full."""

    def load(self) -> dict[str, str]:
        """Return no policies."""
        return {}


def deployed(root: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Give each template as it is deployed: in which deployment, its path, and what CloudFormation gets."""
    logging.getLogger("samtranslator").setLevel(logging.CRITICAL)
    paths = [Path("template.yaml"), *sorted(path.relative_to(root) for path in root.glob("*/*/template.yaml"))]
    for path in paths:
        yield "alone", str(path), _template(root / path, {})[0]
    environment = tomllib.loads((root / "samconfig.toml").read_text(encoding="utf-8"))["prod"]
    overrides = dict(one.split("=", 1) for one in environment["deploy"]["parameters"]["parameter_overrides"])
    document, nested = _template(root / "template.yaml", {**overrides, **PRODUCTION})
    yield "application", "template.yaml", document
    missing = {str(path.parent) for path in paths[1:]} - {str(Path(one["Location"]).parent) for one in nested.values()}
    if missing:
        raise ValueError(f"no deployment of the application has {', '.join(sorted(missing))}: mend PRODUCTION")
    for application in nested.values():
        path = Path(application["Location"])
        yield "application", str(path), _template(root / path, application.get("Parameters", {}))[0]


def _template(path: Path, given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a template as CloudFormation gets it, and the applications in it with what each is given."""
    document = yaml_parse(path.read_text(encoding="utf-8"))
    values = {name: _value(parameter, given.get(name)) for name, parameter in document.get("Parameters", {}).items()}
    scope = Scope(values, document.get("Conditions", {}))
    nested = {
        name: resolved(resource["Properties"], scope)
        for name, resource in document["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Application"
        and ("Condition" not in resource or scope.holds(resource["Condition"]))
    }
    for resource in document["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Application":
            resource["Properties"]["Location"] = "https://bucket.s3.amazonaws.com/packaged.template"
    validator = SamTemplateValidator(
        document,
        _NoManagedPolicies(),
        region=REGION,
        parameter_overrides={name: str(value) for name, value in values.items()},
    )
    transformed = yaml_parse(validator.get_translated_template_if_valid())
    # SAM adds conditions of its own.
    scope = Scope(values, transformed.get("Conditions", {}))
    resources = {
        name: resolved({key: part for key, part in resource.items() if key != "Condition"}, scope)
        for name, resource in transformed["Resources"].items()
        if "Condition" not in resource or scope.holds(resource["Condition"])
    }
    return {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}, nested


def _value(parameter: Mapping[str, Any], given: Any) -> Any:
    """Return the value of a parameter: what is given, its default, or any text."""
    value = parameter.get("Default", GIVEN) if given is None else given
    if isinstance(value, dict):
        value = GIVEN
    number = parameter["Type"] == "Number" and value != GIVEN
    return (float(value) if "." in str(value) else int(value)) if number else value
