"""Building and deploying: what is handed to `sam`, when it is called at all, and what its failures become."""

import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local import deployment
from local.errors import DiskFullError, EnvironmentMissingError, ToolFailedError

RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"
SAM = """#!/bin/sh
echo "$@" >> calls
env > environment
[ -f says ] && cat says && exit 1
while [ "$1" != --build-dir ] && [ $# -gt 0 ]; do shift; done
[ $# -eq 0 ] || { mkdir -p "$2"; echo Resources: > "$2/template.yaml"; }
"""


class Engine:
    """An engine that knows one stack."""

    url = "http://127.0.0.1:4566"

    def client(self, service: str) -> Any:
        """Return itself: it is CloudFormation."""
        assert service == "cloudformation"
        return self

    def child_environment(self) -> dict[str, str]:
        """Return a small environment."""
        return {"PATH": "/usr/bin:/bin", "AWS_ENDPOINT_URL": self.url}

    def describe_stacks(self, **request: str) -> dict[str, Any]:
        """Describe a stack with one output."""
        outputs = [{"OutputKey": "StackOf", "OutputValue": request["StackName"]}]
        return {"Stacks": [{"Outputs": outputs}]}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a `sam` that only notes how it is called."""
    sam = tmp_path / ".venvs" / "sam" / "bin" / "sam"
    python = tmp_path / ".venvs" / "functions" / "bin" / "python"
    for program in (sam, python):
        program.parent.mkdir(parents=True)
    sam.write_text(SAM)
    sam.chmod(0o755)
    python.symlink_to(sys.executable)
    (tmp_path / "template.yaml").write_text("Resources: {}")
    (tmp_path / "pipelines" / "backup").mkdir(parents=True)
    (tmp_path / "pipelines" / "backup" / "template.yaml").write_text("Resources: {}")
    (tmp_path / "samconfig.toml").write_text(
        '[local.deploy.parameters]\nparameter_overrides = ["AllowAnonymousCheckout=true", "LogLevel=DEBUG"]\n'
    )
    places = {
        "PROJECT_ROOT": tmp_path,
        "TEMPLATE": tmp_path / "template.yaml",
        "SAM": sam,
        "FUNCTIONS_PYTHON": python,
        "BUILD_ROOT": tmp_path / ".aws-sam" / "local",
    }
    for name, place in places.items():
        monkeypatch.setattr(deployment, name, place)
    return tmp_path


def calls(project: Path) -> list[str]:
    """Return how sam was called."""
    return (project / "calls").read_text().splitlines()


class TestBuild:
    """`build`."""

    def test_it_builds_for_this_interpreter_and_machine(self, project: Path) -> None:
        """Sam is called with samconfig's local environment, this runtime and architecture, and its interpreter."""
        built = deployment.build()
        [call] = calls(project)
        architecture = "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"
        assert call.startswith(f"build --config-file {project}/samconfig.toml --config-env local ")
        assert call.endswith(f' --parameter-overrides Architecture="{architecture}" Runtime="{RUNTIME}"')
        assert f"\nPATH={project}/.venvs/functions/bin:" in "\n" + (project / "environment").read_text()
        assert not built.reused
        assert built.template.read_text() == "Resources:\n"

    def test_the_callers_account_stays_out_of_it(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A profile of the caller, who need not even have it on this machine, does not reach sam."""
        monkeypatch.setenv("AWS_PROFILE", "production")
        deployment.build()
        assert "AWS_PROFILE" not in (project / "environment").read_text()

    def test_it_builds_nothing_when_nothing_changed(self, project: Path) -> None:
        """A second build of the same sources takes the first one's result."""
        first = deployment.build()
        assert deployment.build() == deployment.Build(first.template, reused=True)
        assert len(calls(project)) == 1

    @pytest.mark.parametrize(
        "source",
        ["template.yaml", "pipelines/backup/template.yaml", "applications/bus/template.yaml", "layers/more.py"],
    )
    def test_it_builds_again_after_a_change(self, project: Path, source: str) -> None:
        """A change of what the build reads is built."""
        deployment.build()
        (project / source).parent.mkdir(parents=True, exist_ok=True)
        (project / source).write_text("changed")
        assert not deployment.build().reused
        assert len(calls(project)) == 2

    def test_a_build_that_failed_is_built_again(self, project: Path) -> None:
        """After a failure the earlier result is not taken for the current one."""
        deployment.build()
        before = (project / "template.yaml").read_text()
        (project / "template.yaml").write_text("broken")
        (project / "says").write_text("broken template")
        with pytest.raises(ToolFailedError):
            deployment.build()
        (project / "says").unlink()
        (project / "template.yaml").write_text(before)
        assert not deployment.build().reused

    def test_a_pipeline_is_built_apart(self, project: Path) -> None:
        """A pipeline's own template has its own result, and leaves the root's alone."""
        root = deployment.build()
        alone = deployment.build(project / "pipelines" / "backup" / "template.yaml")
        assert alone.template != root.template
        assert deployment.build().reused

    def test_a_failure_tells_the_last_lines_and_where_all_are(self, project: Path) -> None:
        """A failed tool becomes one sentence with its log, and the end of what it said."""
        (project / "says").write_text("\n".join(f"line {number}" for number in range(100)))
        with pytest.raises(ToolFailedError) as caught:
            deployment.build()
        assert str(caught.value) == (
            "sam build failed: mend what its last lines name, and run it again; "
            "all of them are in .aws-sam/local/root/build.log."
        )
        assert caught.value.last_lines.splitlines() == [f"line {number}" for number in range(80, 100)]
        assert "line 0\n" in (project / ".aws-sam" / "local" / "root" / "build.log").read_text()

    def test_a_full_disk_is_told_as_such(self, project: Path) -> None:
        """When the tool found no room, the error says so and not that the template is wrong."""
        (project / "says").write_text("OSError: [Errno 28] No space left on device")
        with pytest.raises(DiskFullError, match="free some space and run it again"):
            deployment.build()

    @pytest.mark.parametrize("name", ["sam", "functions"])
    def test_a_missing_environment_is_told_with_what_to_do(self, project: Path, name: str) -> None:
        """Without an environment the error names it and the command that builds it."""
        for program in (project / ".venvs" / name / "bin").iterdir():
            program.unlink()
        with pytest.raises(EnvironmentMissingError) as caught:
            deployment.build()
        assert str(caught.value) == f"The environment .venvs/{name} is missing: run make local, which builds it."


class TestDeploy:
    """`deploy`."""

    def test_parameters_are_joined(self, project: Path) -> None:
        """Those of samconfig, those of this machine and those asked for go to sam together; the last ones win."""
        template = deployment.build().template
        outputs = deployment.deploy(Engine(), "orders", {"LogLevel": "INFO"})
        call = calls(project)[-1]
        overrides = call.partition("--parameter-overrides ")[2].split()
        assert call.startswith("deploy ")
        assert f"--template-file {template} --stack-name orders " in call
        assert {'AllowAnonymousCheckout="true"', 'LogLevel="INFO"', f'Runtime="{RUNTIME}"'} < set(overrides)
        assert outputs == {"StackOf": "orders"}

    def test_a_value_with_spaces_and_quotation_marks_reaches_the_template_whole(self, project: Path) -> None:
        """As a filter policy has both, and sam would end the value at the first of them."""
        deployment.build()
        deployment.deploy(Engine(), "orders", {"SubscriptionFilterPolicy": '{"type": ["a b"]}'})
        assert 'SubscriptionFilterPolicy="{\\"type\\": [\\"a b\\"]}"' in calls(project)[-1]

    def test_parameters_of_samconfig_may_be_one_text(self, project: Path) -> None:
        """Both of the forms that samconfig takes are understood."""
        (project / "samconfig.toml").write_text(
            '[local.deploy.parameters]\nparameter_overrides = "AllowAnonymousCheckout=true LogLevel=DEBUG"\n'
        )
        deployment.build()
        deployment.deploy(Engine(), "orders", {})
        overrides = calls(project)[-1].partition("--parameter-overrides ")[2].split()
        assert {'AllowAnonymousCheckout="true"', 'LogLevel="DEBUG"'} < set(overrides)

    def test_a_failure_is_told(self, project: Path) -> None:
        """A deployment that fails is an error with the log of that very stack."""
        deployment.build()
        (project / "says").write_text("CREATE_FAILED")
        with pytest.raises(ToolFailedError, match=r"root/deploy-orders\.log"):
            deployment.deploy(Engine(), "orders", {})


def test_the_application_searches_where_there_is_a_node() -> None:
    """With a node it is told where; without one it leaves search out."""
    assert deployment.search_parameters("http://127.0.0.1:9200") == {
        "SearchEnabled": "true",
        "SearchDomainArn": "arn:aws:es:us-east-1:000000000000:domain/local",
        "SearchDomainEndpoint": "http://127.0.0.1:9200",
    }
    assert deployment.search_parameters(None) == {"SearchEnabled": "false"}


def test_an_interrupt_ends_what_sam_started(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the wait for sam is interrupted, sam and its children are ended first."""
    processes: list[subprocess.Popen[bytes]] = []

    class Interrupted(subprocess.Popen[bytes]):
        def wait(self, timeout: float | None = None) -> int:
            if self not in processes:
                processes.append(self)
                raise KeyboardInterrupt
            return super().wait(timeout)

    (project / ".venvs" / "sam" / "bin" / "sam").write_text("#!/bin/sh\nsleep 600 & wait\n")
    monkeypatch.setattr(deployment, "_python_version", lambda: "3.13.0")
    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        deployment.build()
    assert processes[0].returncode == -9


def test_the_api_is_reached_under_the_engine() -> None:
    """The API's address on the engine is made from the stack's outputs."""
    outputs = {"CheckoutApiId": "abc", "CheckoutApiStage": "live"}
    assert deployment.api_url(Engine(), outputs) == "http://127.0.0.1:4566/restapis/abc/live/_user_request_"
