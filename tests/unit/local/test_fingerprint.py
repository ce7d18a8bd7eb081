"""The digest over what a build reads changes with it, and with nothing else."""

from collections.abc import Callable
from pathlib import Path

import pytest

from local.fingerprint import fingerprint

SOURCES = ("template.yaml", "functions", "absent")


def project(root: Path) -> Path:
    """Lay out a small project."""
    (root / "functions" / "checkout").mkdir(parents=True)
    (root / "template.yaml").write_text("Resources: {}")
    (root / "functions" / "checkout" / "app.py").write_text("handler = None")
    (root / "README.md").write_text("read me")
    return root


def change_content(root: Path) -> None:
    """Change a file."""
    (root / "functions" / "checkout" / "app.py").write_text("handler = print")


def add_file(root: Path) -> None:
    """Add an empty file."""
    (root / "functions" / "checkout" / "more.py").touch()


def remove_file(root: Path) -> None:
    """Remove a file."""
    (root / "template.yaml").unlink()


def rename_directory(root: Path) -> None:
    """Give a directory another name."""
    (root / "functions" / "checkout").rename(root / "functions" / "backup")


def move_content(root: Path) -> None:
    """Move characters from the end of a name to the beginning of a content."""
    (root / "functions" / "checkout" / "app.py").rename(root / "functions" / "checkout" / "app.p")
    (root / "functions" / "checkout" / "app.p").write_text("yhandler = None")


def create_what_was_absent(root: Path) -> None:
    """Create a source that was missing."""
    (root / "absent").write_text("")


@pytest.mark.parametrize(
    "change", [change_content, add_file, remove_file, rename_directory, move_content, create_what_was_absent]
)
def test_a_change_of_a_source_changes_the_digest(tmp_path: Path, change: Callable[[Path], None]) -> None:
    """Whatever changes in a source, or in its name, gives another digest."""
    root = project(tmp_path)
    before = fingerprint(root, SOURCES, {})
    change(root)
    assert fingerprint(root, SOURCES, {}) != before


def test_a_change_of_a_fact_changes_the_digest(tmp_path: Path) -> None:
    """Another interpreter gives another digest of the same sources."""
    root = project(tmp_path)
    assert fingerprint(root, SOURCES, {"python": "3.11.7"}) != fingerprint(root, SOURCES, {"python": "3.13.0"})


def test_nothing_else_changes_the_digest(tmp_path: Path) -> None:
    """Where the project is, byte code, time stamps and files that are no source do not matter."""
    one, other = project(tmp_path / "one"), project(tmp_path / "other")
    (other / "README.md").write_text("something else")
    (other / "functions" / "checkout" / "__pycache__").mkdir()
    (other / "functions" / "checkout" / "__pycache__" / "app.pyc").write_bytes(b"\0")
    (other / "functions" / "checkout" / "app.py").touch()
    assert fingerprint(one, SOURCES, {"b": "2", "a": "1"}) == fingerprint(other, SOURCES, {"a": "1", "b": "2"})
