"""What the repository holds, and ever held."""

import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

from security.outcome import CouldNotRunError

__all__ = ["git", "history", "tracked"]


def git(root: Path, *arguments: str) -> str:
    """Return what git says of a repository.

    Raises
    ------
    CouldNotRunError
        There is no git, or no repository.
    """
    program = shutil.which("git")
    if program is None:
        raise CouldNotRunError("git is missing, which holds the history: install it, and run this again")
    command = [program, "-C", str(root), "-c", "core.quotePath=false", *arguments]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != 0:
        raise CouldNotRunError(f"git knows no repository in {root}: run this in a clone of one")
    return done.stdout.decode("utf-8", errors="replace")


def tracked(root: Path) -> list[str]:
    """Return every file that is part of the project, also those not yet committed."""
    listed = git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    return sorted({name for name in listed if name and (root / name).is_file() and not (root / name).is_symlink()})


def history(root: Path) -> dict[str, set[str]]:
    """Return the lines that any commit up to now added to a file, by the file's name at that time."""
    added: dict[str, set[str]] = defaultdict(set)
    name = ""
    patches = git(root, "log", "-m", "--patch", "--unified=0", "--no-color", "--no-ext-diff", "--no-renames")
    for line in patches.split("\n"):
        if line.startswith("+++ "):
            name = line.removeprefix("+++ ").removeprefix("b/").rstrip("\t")
        elif line.startswith("+"):
            added[name].add(line[1:])
    return added
