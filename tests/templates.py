"""The templates of the application, read for tests."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

PROJECT_ROOT = Path(__file__).resolve().parents[1]


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short form of intrinsic functions: `!Ref`, `!GetAtt`, `!Sub` and the others."""


def _intrinsic(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        return {name: value.split(".", 1) if suffix == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)
    return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _intrinsic)


@dataclass(frozen=True)
class Template:
    """A template as it is written, short intrinsic functions spelt out.

    Attributes
    ----------
    path : Path
        Relative to the project's root.
    document : dict
        What stands in it.
    """

    path: Path
    document: dict[str, Any]

    def __str__(self) -> str:
        """Name the template in a test's id."""
        return str(self.path)

    @property
    def parameters(self) -> dict[str, Any]:
        """Its parameters by name."""
        return dict(self.document["Parameters"])

    @property
    def outputs(self) -> dict[str, Any]:
        """Its outputs by name."""
        return dict(self.document["Outputs"])

    def resources(self, *types: str) -> dict[str, dict[str, Any]]:
        """Give the properties of its resources of these types (all, if none is named) by name."""
        return {
            name: resource.get("Properties", {})
            for name, resource in self.document["Resources"].items()
            if not types or resource["Type"] in types
        }


def read(path: str) -> Template:
    """Read the template at a path relative to the project's root."""
    return Template(Path(path), yaml.load((PROJECT_ROOT / path).read_text(encoding="utf-8"), Loader=_Loader))


ROOT = read("template.yaml")
PIPELINES = tuple(
    read(str(path.relative_to(PROJECT_ROOT))) for path in sorted(PROJECT_ROOT.glob("pipelines/*/template.yaml"))
)
ALL = (ROOT, *PIPELINES)
