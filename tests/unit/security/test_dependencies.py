"""A dependency that is not one version with its hash is told."""

from typing import Any

import pytest

from security.dependencies import check, locked, npm_faults, pyproject_faults, requirements_faults

HASH = "--hash=sha256:" + "0" * 64
LOCK = f"# by make lock\nOne_a==1.0 ; python_version < '3.13' \\\n    {HASH} \\\n    {HASH}\nb==2 \\\n    {HASH}\n"


def test_a_lock_of_versions_with_hashes_is_content() -> None:
    assert requirements_faults("x.txt", LOCK) == []
    assert locked(LOCK) == {"one-a": "1.0", "b": "2"}


@pytest.mark.parametrize(
    "requirement",
    [
        "a",
        f"a>=1 {HASH}",
        "a==1",
        "a==1 --hash=md5:00",
        f"a==1.* {HASH}",
        f"a @ https://example.org/a.whl {HASH}",
        "-e .",
        "-r other.txt",
    ],
)
def test_anything_else_is_told(requirement: str) -> None:
    assert len(requirements_faults("x.txt", f"{LOCK}{requirement}\n")) == 1


def test_a_direct_dependency_is_exact_and_its_lock_holds_it() -> None:
    project: dict[str, Any] = {
        "build-system": {"requires": ["b==2"]},
        "dependency-groups": {"main": ["b==2", {"include-group": "layer"}]},
    }
    locks = {"main": {"b": "2"}}
    assert pyproject_faults(project, locks) == []
    assert len(pyproject_faults(project, {"main": {"b": "3"}})) == 2
    project["dependency-groups"]["main"] = ["b>=2"]
    assert len(pyproject_faults(project, locks)) == 1


def test_an_npm_package_is_exact_locked_and_hashed() -> None:
    package = {"dependencies": {"a": "1.0.0"}}
    lock = {"packages": {"": {}, "node_modules/a": {"version": "1.0.0", "integrity": "sha512-x"}}}
    assert npm_faults(package, lock) == []
    assert len(npm_faults({"dependencies": {"a": "^1.0.0"}}, lock)) == 1
    assert len(npm_faults({"dependencies": {"a": "1.0.1"}}, lock)) == 1
    del lock["packages"]["node_modules/a"]["integrity"]
    assert len(npm_faults(package, lock)) == 1


def test_all_of_ours_are() -> None:
    outcome = check()
    assert outcome.passed, outcome.faults
    assert outcome.checked > 300
