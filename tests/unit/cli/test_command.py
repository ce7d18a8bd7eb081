"""The command as a whole: its help, how it finds its stack, and what it says when something is missing."""

import logging
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import botocore.session
import click
import pytest
from eventfork_cli.__main__ import command, main

from tests.unit.aws import REGION
from tests.unit.cli.conftest import OUTPUTS, Operator
from tests.unit.cli.test_find import holding
from tests.unit.samples import PROJECT_ROOT


def every_command(group: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Give every command with the words that lead to it."""
    yield path, group
    if isinstance(group, click.Group):
        for name, one in group.commands.items():
            yield from every_command(one, (*path, name))


COMMANDS = dict(every_command(command))


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: " ".join(path) or "eventfork")
def test_every_command_has_help_with_an_example(path: tuple[str, ...]) -> None:
    """Its first sentence fits the list of commands, every option is explained, and the example can be run."""
    context = click.Context(COMMANDS[path], info_name="eventfork", max_content_width=80)
    shown = COMMANDS[path].get_help(context)
    _, _, examples = shown.partition("Example")
    line = next(shlex.split(line) for line in examples.splitlines() if line.strip().startswith("eventfork "))
    assert line[1 : 1 + len(path)] == list(path)
    words = line[1:]
    one: click.Command = command
    while words and isinstance(one, click.Group):
        one = one.commands[words.pop(0)]
    one.make_context("eventfork", words)
    assert not COMMANDS[path].get_short_help_str(limit=80).endswith("...")
    for parameter in COMMANDS[path].params:
        assert not isinstance(parameter, click.Option) or parameter.help


def test_the_walk_sees_every_command() -> None:
    """An empty one would make the test above pass."""
    assert {" ".join(path) for path in COMMANDS} >= {
        *("", "search", "search kpis", "search find", "search put-back"),
        *("events", "events put", "events put-back"),
        *(
            "circuit",
            *(f"circuit {name}" for name in ("list", "show", "history", "reset", "watch")),
            *(f"circuit {name}" for name in ("force-open", "force-close", "disable", "metrics-only")),
        ),
        *(
            "replay",
            *(f"replay {name}" for name in ("plan", "start", "pause", "resume", "stop", "show", "list", "watch")),
        ),
    }


def test_the_version_is_the_distribution_s(operator: Operator) -> None:
    """And nothing else is printed, for scripts."""
    assert operator.run("--version").stdout.strip() == metadata.version("eventfork")


def test_the_stack_and_its_region_can_be_named(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """By options, by variables, and otherwise it is the one called eventfork."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    operator.outputs = {name: OUTPUTS | {"SearchIndexName": name} for name in ("eventfork", "tryout", "search-only")}
    operator.answer = holding()
    for arguments, environment in [
        (["--region", REGION], {}),
        (["--stack-name", "tryout"], {"AWS_REGION": REGION}),
        ([], {"EVENTFORK_STACK_NAME": "search-only", "AWS_DEFAULT_REGION": REGION}),
    ]:
        operator.environment = dict(environment)
        assert operator.run("search", "find", "x", *arguments).exit_code == 0
    assert [url.split("/")[3].split(",")[0] for _, url, _ in operator.asked] == ["eventfork", "tryout", "search-only"]


def failure(operator: Operator, *arguments: str) -> str:
    """Run a command that cannot be done; give the one line that it says."""
    result = operator.run("search", "find", "x", *arguments)
    assert result.exit_code == 3
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    return line.removeprefix("Error: ")


def test_without_credentials_it_says_how_to_get_some(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is asked for."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert failure(operator).startswith("There are no AWS credentials: sign in")
    assert "no such profile" in failure(operator, "--profile", "not-there")


def test_credentials_that_cannot_be_used_are_told(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of a pair, here."""
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert failure(operator).startswith("The AWS credentials cannot be used (PartialCredentialsError): sign in")


def test_a_sign_on_that_has_run_out_is_told_in_one_line(tmp_path: Path) -> None:
    """Before anything is asked for, and without the traceback that the AWS client logs."""
    configuration = tmp_path / "config"
    configuration.write_text(
        f"[profile operators]\nregion = {REGION}\nsso_start_url = https://sign-on.example\nsso_region = {REGION}\n"
        "sso_account_id = 123456789012\nsso_role_name = Operators\n"
    )
    ended = subprocess.run(
        [sys.executable, "-m", "eventfork_cli", "search", "find", "x", "--profile", "operators"],
        env={
            "AWS_CONFIG_FILE": str(configuration),
            "HOME": str(tmp_path),
            "PYTHONPATH": os.pathsep.join(map(str, (PROJECT_ROOT / "cli", PROJECT_ROOT / "layers" / "eventfork"))),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (3, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("Error: The AWS credentials cannot be used (SSOTokenLoadError): sign in")


def test_without_a_region_it_says_how_to_name_one(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """None is guessed."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert failure(operator).startswith("No Region is set: name the one that the stack is in with --region")


def test_a_stack_that_is_not_there_is_named(operator: Operator) -> None:
    """With the Region in which it was looked for."""
    assert failure(operator, "--stack-name", "other").startswith(f"There is no stack other in {REGION}: name the right")


def test_a_stack_without_search_is_told(operator: Operator) -> None:
    """With the parameter that brings it."""
    operator.outputs["eventfork"] = {"CheckoutTableName": "orders"}
    assert "has no search pipeline" in failure(operator)
    assert "SearchEnabled=true" in failure(operator)


def test_a_stack_that_is_older_than_a_command_is_told(operator: Operator) -> None:
    """The output that it lacks is named, and what to do."""
    operator.outputs["eventfork"] = {"CheckoutTableName": "orders"}
    replays, bus = (
        operator.run("replay", "list"),
        operator.run("events", "put", "--detail", "{}", "--source=x", "--type=y"),
    )
    assert (replays.exit_code, bus.exit_code) == (3, 3)
    assert "has no replay control (no output ReplayControlFunctionName): update it" in replays.stderr
    assert "The stack eventfork has no output EventBusName, which this command works on: update the" in bus.stderr


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            (403, "AccessDenied"),
            "CloudFormation does not show the stack: AccessDenied: sign in again if that has run out",
        ),
        (
            (403, "ExpiredToken"),
            "CloudFormation does not show the stack: ExpiredToken: sign in again if that has run out",
        ),
        ((500, "InternalFailure"), "CloudFormation did not show the stack: InternalFailure at https://cloudformation."),
    ],
    ids=["denied", "expired", "down"],
)
def test_a_stack_that_cannot_be_looked_at_is_told(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, error: tuple[int, str], told: str
) -> None:
    """With what to do about it."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    operator.stack_error = error
    assert failure(operator).startswith(told)


@pytest.mark.parametrize("status", [401, 403])
def test_whoever_may_not_search_is_told_which_role_to_map(operator: Operator, status: int) -> None:
    """The role whose credentials these are, not its session."""
    operator.answer = lambda _: (status, {"error": {"type": "security_exception", "reason": "no permissions"}})
    told = failure(operator)
    assert told.startswith(f"the search domain answered {status}: security_exception: no permissions: deploy with")
    assert "SearchOperatorRoleArn=arn:aws:sts::123456789012:user/moto " in told


@pytest.mark.parametrize(
    ("status", "identity", "named"),
    [
        (
            200,
            {"Arn": "arn:aws:sts::123456789012:assumed-role/Operators/ada@example.com"},
            "arn:aws:iam::123456789012:role/Operators",
        ),
        (403, {"Error": {"Code": "AccessDenied"}}, "your role"),
    ],
    ids=["known", "not to be found out"],
)
def test_the_role_of_a_session_is_named(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, status: int, identity: dict[str, Any], named: str
) -> None:
    """In the form in which a parameter takes it, where it can be found out."""
    operator.answer = lambda _: (403, {"Message": "denied"})
    session: Any = botocore.session.get_session

    def assumed() -> botocore.session.Session:
        made = session()
        answer = (SimpleNamespace(status_code=status), {"ResponseMetadata": {"HTTPStatusCode": status}, **identity})
        made.register("before-call.sts.GetCallerIdentity", lambda **_: answer)
        return made

    monkeypatch.setattr(botocore.session, "get_session", assumed)
    assert f"SearchOperatorRoleArn={named} (" in failure(operator)


def test_a_domain_that_does_not_answer_is_told(operator: Operator) -> None:
    """With its address, which may lie where it cannot be reached from."""
    operator.answer = lambda _: (503, {"message": "starting"})
    assert "at https://search.example: check that it can be reached from here (one in a VPC only from" in failure(
        operator
    )


def test_an_index_that_is_not_there_yet_is_told(operator: Operator) -> None:
    """The engine answers a search over no index with nothing at all."""
    operator.answer = lambda _: (200, {"_shards": {"total": 0}, "hits": {"total": {"value": 0}, "hits": []}})
    assert failure(operator).startswith("There is no index orders yet: it appears with the first order that")


def test_an_index_with_a_guessed_mapping_is_told(operator: Operator) -> None:
    """It refuses what is asked of it, however often."""
    operator.answer = lambda _: (400, {"error": {"type": "illegal_argument_exception", "reason": "no keyword"}})
    assert "the index orders was probably made without its template" in failure(operator)


def test_the_console_script_runs_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Under its own name, however it was started."""
    monkeypatch.setattr(logging.getLogger("botocore"), "setLevel", lambda _: None)
    monkeypatch.setattr("sys.argv", ["__main__.py", "--help"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("Usage: eventfork [OPTIONS] COMMAND")
    (script,) = metadata.entry_points(group="console_scripts", name="eventfork")
    assert script.load() is main
