"""A digest over everything a build reads, to tell whether there is anything to build."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

__all__ = ["fingerprint"]


def fingerprint(root: Path, sources: Iterable[str], facts: Mapping[str, str]) -> str:
    """Digest the names and contents of files, and what else the result of a build depends on.

    Parameters
    ----------
    root
        Directory that `sources` are relative to; the digest does not depend on where it is.
    sources
        Files, and directories read with all that is in them; a missing one counts as empty. Byte code is left out.
    facts
        Anything else that matters, by name: versions, parameters.

    Returns
    -------
    str
        SHA-256 in hexadecimal.
    """
    digest = hashlib.sha256()
    for name, value in sorted(facts.items()):
        _add(digest, name.encode(), value.encode())
    for path in sorted(file for source in sources for file in _files(root / source)):
        _add(digest, path.relative_to(root).as_posix().encode(), path.read_bytes())
    return digest.hexdigest()


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    for child in path.rglob("*"):
        if child.is_file() and "__pycache__" not in child.parts:
            yield child


def _add(digest: hashlib._Hash, *fields: bytes) -> None:
    for field in fields:
        # With its length in front, so that no two lists of fields run into the same bytes.
        digest.update(len(field).to_bytes(8, "big") + field)
