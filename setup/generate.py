"""Write what is made of other files: the API's models of schemas, the READMEs' tables of templates.

Run it as `make generate` after a change of either; a test fails where it was forgotten.
"""

import json
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import yaml

PROJECT_ROOT: Final = Path(__file__).resolve().parents[1]
SCHEMAS: Final = PROJECT_ROOT / "schemas"
FOLDERS: Final = ("pipelines", "applications")
COARSE: Final = ("type", "required")
"""What the gateway checks of an order. The function checks everything, and unlike the gateway it can name the field."""


class TemplateLoader(yaml.SafeLoader):
    """Reads CloudFormation's short form of intrinsic functions: `!Ref`, `!GetAtt`, `!Sub` and the others."""


def _intrinsic(loader: TemplateLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        return {name: value.split(".", 1) if suffix == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    if isinstance(node, yaml.MappingNode):
        return {name: loader.construct_mapping(node, deep=True)}
    raise TypeError(node)


TemplateLoader.add_multi_constructor("!", _intrinsic)


def template(path: Path) -> dict[str, Any]:
    """Read a template, short intrinsic functions spelt out."""
    document: dict[str, Any] = TemplateLoader(path.read_text(encoding="utf-8")).get_single_data()
    return document


def gateway_models(_: Path) -> str:
    """Return the gateway's models: an order's top-level keys, and all of a customer, as nothing checks it again."""
    order = _schema("order")
    return _yaml({"Order": {key: order[key] for key in COARSE}, "Customer": _customer()})


def full_models(_: Path) -> str:
    """Return the schemas of the API's description: OpenAPI 3.0's dialect keeps what draft 4 has, but for the frame."""
    order = _schema("order")
    definitions = order.pop("definitions")
    del order["$schema"]
    return _yaml({**definitions, "Order": order, "Customer": _customer()})


def _schema(name: str) -> dict[str, Any]:
    text = (SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text.replace("#/definitions/", "#/components/schemas/"))
    return schema


def _customer() -> dict[str, Any]:
    customer: dict[str, Any] = _schema("customer-created")["definitions"]["Customer"]
    return customer


def _yaml(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, width=110, allow_unicode=True)


def tables(readme: Path) -> str:
    """Return what the template beside a README says: parameters, outputs and alarms, as tables."""
    document = template(readme.with_name("template.yaml"))
    alarms = {
        name: resource["Properties"]["AlarmDescription"]
        for name, resource in document["Resources"].items()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    }
    parts = [
        ("Parameters", "parameter | default | what it does", map(_parameter, document["Parameters"].items())),
        (
            "Outputs",
            "output | what it is",
            ((name, output["Description"]) for name, output in document["Outputs"].items()),
        ),
        ("Alarms", "alarm | what happened, and what to do", alarms.items()),
    ]
    return "\n".join(_table(*part) for part in parts)


def _parameter(item: tuple[str, dict[str, Any]]) -> tuple[str, str, str]:
    name, parameter = item
    default = parameter.get("Default")
    shown = "must be given" if default is None else f"`{default}`" if default != "" else "none"
    return name, shown, parameter["Description"]


def _table(title: str, head: str, rows: Iterable[tuple[str, ...]]) -> str:
    lines = [f"### {title}", "", f"| {head} |", "|" + "---|" * (head.count("|") + 1)]
    for name, *cells in rows:
        lines.append(" | ".join([f"| `{name}`", *(re.sub(r"\s+", " ", cell).strip() for cell in cells)]) + " |")
    return "\n".join([*lines, ""])


def files() -> dict[Path, Callable[[Path], str]]:
    """Return every file that holds a generated part, with what makes it."""
    made: dict[Path, Callable[[Path], str]] = {
        PROJECT_ROOT / "template.yaml": gateway_models,
        PROJECT_ROOT / "openapi.yaml": full_models,
    }
    readmes = [readme for folder in FOLDERS for readme in sorted(PROJECT_ROOT.glob(f"{folder}/*/README.md"))]
    return made | dict.fromkeys(readmes, tables)


def generated(path: Path) -> str:
    """Return a file's text with its generated part as it should be; comments frame that part."""
    text = path.read_text(encoding="utf-8")
    frame = re.compile(
        r"^(?P<indent> *)(?P<begin>(?:#|<!--) generated: .*)\n(?:.*\n)*?(?P<end> *(?:#|<!--) end of .*)\n", re.MULTILINE
    )
    part = files()[path](path)

    def fill(match: re.Match[str]) -> str:
        lines = "".join(f"{match['indent']}{line}".rstrip() + "\n" for line in part.splitlines())
        return f"{match['indent']}{match['begin']}\n{lines}{match['end']}\n"

    filled, count = frame.subn(fill, text)
    if count != 1:
        raise ValueError(f"{path} has {count} generated parts; it must have one.")
    return filled


def main() -> int:
    """Write the files that are not as they should be, and name them."""
    for path in files():
        text = generated(path)
        if path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"{path.relative_to(PROJECT_ROOT)} is written anew.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
