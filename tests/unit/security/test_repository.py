"""What the history held is found, also where the files hold it no more."""

import subprocess
from pathlib import Path

import pytest

from security.outcome import CouldNotRunError
from security.repository import history, tracked


def _git(root: Path, *arguments: str) -> None:
    settings = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(root), *settings, *arguments], check=True, capture_output=True)


def test_a_line_that_was_committed_and_taken_out_again_is_in_the_history(tmp_path: Path) -> None:
    _git(tmp_path, "init", "--quiet")
    (tmp_path / ".gitignore").write_text("ignored\n", encoding="utf-8")
    for text in ("kept\ntaken out\n", "kept\n"):
        (tmp_path / "a file.txt").write_text(text, encoding="utf-8")
        _git(tmp_path, "add", "--all")
        _git(tmp_path, "commit", "--quiet", "--message", "x")
    (tmp_path / "new.txt").write_text("not committed\n", encoding="utf-8")
    (tmp_path / "ignored").write_text("made by make\n", encoding="utf-8")
    assert history(tmp_path)["a file.txt"] == {"kept", "taken out"}
    assert tracked(tmp_path) == [".gitignore", "a file.txt", "new.txt"]


def test_without_a_repository_it_cannot_be_told(tmp_path: Path) -> None:
    with pytest.raises(CouldNotRunError, match="clone"):
        tracked(tmp_path)
