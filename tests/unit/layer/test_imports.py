"""Imports point one way: functions to adapters to domain, and only settings know where they run."""

import ast
from pathlib import Path

import pytest

from tests.unit.samples import PROJECT_ROOT

LAYER = PROJECT_ROOT / "layers" / "eventfork" / "eventfork"
ADAPTERS = sorted((LAYER / "adapters").glob("*.py"))
WIRING = {LAYER / "settings.py", *LAYER.glob("*_wiring.py")}
DOMAIN = sorted(path for path in LAYER.rglob("*.py") if path not in {*ADAPTERS, *WIRING})
FUNCTIONS = sorted((PROJECT_ROOT / "functions").glob("*/*.py"))
WITHOUT_CLIENT = {"cloudformation", "opensearch"}
ON_POWERTOOLS = {"circuit_breaker", "payment_provider"}
REQUESTS = {
    f"botocore.{name}"
    for name in (
        *("auth", "auth.SigV4Auth"),
        *("awsrequest", "awsrequest.AWSRequest"),
        *("httpsession", "httpsession.URLLib3Session"),
    )
}
CLIENT_LIBRARIES = {"boto3", "botocore", "aws_lambda_powertools", "urllib3", "requests"}


def imported(path: Path) -> set[str]:
    """Give every module that a file imports, at its top or anywhere in it, with each of its parents."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name the whole path"
            names |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {".".join(parts[: count + 1]) for name in names if (parts := name.split(".")) for count in range(len(parts))}


def environment_reads(path: Path) -> list[str]:
    return [
        ast.unparse(node)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv", "environb"}
    ]


def identifier(path: Path) -> str:
    return str(path.relative_to(PROJECT_ROOT))


@pytest.mark.parametrize("path", DOMAIN, ids=identifier)
def test_the_domain_knows_no_cloud(path: Path) -> None:
    """No adapter, no client library, no environment: it is true wherever it runs."""
    assert not imported(path) & {"eventfork.adapters", "eventfork.settings", "os", *CLIENT_LIBRARIES}
    assert not environment_reads(path)


@pytest.mark.parametrize("path", ADAPTERS, ids=identifier)
def test_an_adapter_is_given_its_client(path: Path) -> None:
    """It constructs no client and reads no settings, and of other adapters it knows only how failures are translated.

    Of botocore it knows the errors, and where AWS has no client what signs and sends a request. Of Powertools, which
    otherwise is the functions', it knows only what it adapts.
    """
    names = imported(path)
    assert not names & {"eventfork.settings", "os", "boto3"}
    assert "aws_lambda_powertools" not in names or path.stem in ON_POWERTOOLS
    assert {name for name in names if name.startswith("botocore.")} <= {
        "botocore.exceptions",
        "botocore.exceptions.BotoCoreError",
        "botocore.exceptions.ClientError",
        *(REQUESTS if path.stem in WITHOUT_CLIENT else ()),
    }
    assert {name for name in names if name.startswith("eventfork.adapters.")} <= {
        "eventfork.adapters.service_failures",
        "eventfork.adapters.service_failures.CONDITION_FAILED",
        "eventfork.adapters.service_failures.translated",
    }
    assert not environment_reads(path)


@pytest.mark.parametrize("path", FUNCTIONS, ids=identifier)
def test_a_function_only_wires(path: Path) -> None:
    """At most sixty lines; it reads no environment, constructs no client, and knows no other function."""
    assert not imported(path) & {"os", "boto3", "botocore", "functions"}
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 60


def test_only_settings_read_the_environment() -> None:
    """And only they construct clients."""
    assert environment_reads(LAYER / "settings.py")
    assert "botocore.session" in imported(LAYER / "settings.py")


def test_the_walk_sees_everything() -> None:
    """An empty list of files would make every other test here pass."""
    assert len(DOMAIN) >= 15
    assert len(ADAPTERS) >= 4
    assert len(FUNCTIONS) == 20
