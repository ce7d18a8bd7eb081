"""Options that several commands have."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from eventfork_cli.deployment import Deployment

__all__ = ["as_json", "stack_options"]

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead, for scripts.")


def stack_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that name a stack, as one argument `deployment`."""

    @click.option(
        "--stack-name",
        envvar="EVENTFORK_STACK_NAME",
        show_envvar=True,
        default="eventfork",
        show_default=True,
        help="Stack of the application, or of the pipeline where it was deployed alone.",
    )
    @click.option(
        "--region",
        envvar=["AWS_REGION", "AWS_DEFAULT_REGION"],
        help="Region of the stack. [default: that of the profile]",
    )
    @click.option("--profile", help="Profile of the AWS configuration. [default: AWS_PROFILE]")
    @wraps(command)
    def with_deployment(
        *arguments: Any, stack_name: str, region: str | None, profile: str | None, **options: Any
    ) -> None:
        said = {"stack_name": stack_name, "region": region, "profile": profile}
        words = [word for name, value in said.items() if value and _is_said(name) for word in (_option(name), value)]
        command(*arguments, deployment=Deployment(stack_name, region, profile, words), **options)

    return with_deployment


def _is_said(name: str) -> bool:
    return click.get_current_context().get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
