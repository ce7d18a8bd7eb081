"""What `pip install` brings: both packages with all their files, and every library that they import."""

import ast
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.unit.samples import PROJECT_ROOT

PACKAGES = (PROJECT_ROOT / "cli" / "eventfork_cli", PROJECT_ROOT / "layers" / "eventfork" / "eventfork")
PROJECT = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def imported(*paths: Path) -> set[str]:
    """Give the top-level modules that files import."""
    names: set[str] = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add(str(node.module).partition(".")[0])
    return names


def test_a_wheel_holds_every_file_of_both_packages(tmp_path: Path) -> None:
    """Queries, templates, schemas and saved objects too."""
    building = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(building, cwd=PROJECT_ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    files = {
        str(path.relative_to(package.parent))
        for package in PACKAGES
        for path in package.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert "eventfork/search_index/index-template.json" in files
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert packed == files


def test_what_the_packages_import_is_required() -> None:
    """No more and no less; the standard library comes by itself."""
    ours = {package.name for package in PACKAGES}
    libraries = (
        imported(*(path for package in PACKAGES for path in package.rglob("*.py"))) - sys.stdlib_module_names - ours
    )
    assert libraries == {Requirement(text).name.replace("-", "_") for text in PROJECT["project"]["dependencies"]}


@pytest.mark.parametrize("text", PROJECT["project"]["dependencies"])
def test_what_is_tested_is_what_is_allowed(text: str) -> None:
    """The locked version of each library is among those that an installation may choose."""
    requirement = Requirement(text)
    locked = (PROJECT_ROOT / "requirements" / "main.txt").read_text(encoding="utf-8")
    (version,) = (
        line.removeprefix(f"{requirement.name}==").split()[0]
        for line in locked.splitlines()
        if line.startswith(f"{requirement.name}==")
    )
    assert version in requirement.specifier


def test_the_layer_does_not_know_the_command() -> None:
    """Nor what the command prints with: arrows point one way."""
    command, layer = PACKAGES
    assert not imported(*layer.rglob("*.py")) & {command.name, "click", "rich"}
    assert layer.name in imported(*command.rglob("*.py"))


def test_only_one_module_of_the_command_constructs_clients() -> None:
    """The one that stands for the deployment."""
    command, _ = PACKAGES
    users = [path.name for path in command.glob("*.py") if "botocore" in imported(path)]
    assert users == ["deployment.py"]
