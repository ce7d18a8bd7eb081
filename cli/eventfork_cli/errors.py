"""Why a command could not be done, in one sentence that says what to do; click prints it and takes the exit status.

CommandError
├── AccessError          the credentials are not allowed to
├── CredentialsError     there are none, or they cannot be used
├── InputError           what is to be read is not as it has to be
├── NotIndexedError      the index is not there yet
├── OutputMissingError   the stack lacks what the command works on
├── ProblemError         a control function will not do it, and says why
│   └── WrongCommandError
├── QueryRefusedError    the index does not take the query
├── RegionError          no Region is named
├── StackMissingError    there is no such stack
└── UnreachableError     a service does not answer
"""

from typing import Final

import click

__all__ = [
    "AccessError",
    "CommandError",
    "CredentialsError",
    "InputError",
    "NotIndexedError",
    "OutputMissingError",
    "ProblemError",
    "QueryRefusedError",
    "RegionError",
    "StackMissingError",
    "UnreachableError",
    "WrongCommandError",
]


_WITHOUT: Final = (
    ("Search", "search pipeline", "deploy it with SearchEnabled=true, or name the stack that has one"),
    ("ReplayControl", "replay control", "update it to a version that has, or name the stack that has it"),
    ("CircuitControl", "circuit breaker", "deploy it with PaymentProviderUrl, or name the stack that has one"),
)
"""What outputs of these names belong to, and what brings it."""


class CommandError(click.ClickException):
    """The command could not be done."""

    exit_code = 3


class AccessError(CommandError):
    """A service refuses what was asked of it.

    Parameters
    ----------
    reason
        Who refuses what, and with which code.
    remedy
        What has to be allowed, and where.
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}: {remedy}.")


class CredentialsError(CommandError):
    """There are no credentials that can be used.

    Parameters
    ----------
    reason
        What is wrong with them.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"{reason}: sign in (aws configure, aws sso login), name a profile with --profile, "
            "or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )


class InputError(CommandError):
    """What is to be read is not as it has to be."""

    exit_code = 2


class NotIndexedError(CommandError):
    """Nothing was indexed yet.

    Parameters
    ----------
    index
        The name of the index.
    """

    def __init__(self, index: str) -> None:
        super().__init__(
            f"There is no index {index} yet: it appears with the first order that reaches the filter policy's amount, "
            "within the stream's buffering time; if it does not, look at the alarms of the search pipeline."
        )


class OutputMissingError(CommandError):
    """The stack lacks what the command works on.

    Parameters
    ----------
    stack_name
        The stack.
    output
        The output that it lacks.
    """

    def __init__(self, stack_name: str, output: str) -> None:
        for prefix, part, remedy in _WITHOUT:
            if output.startswith(prefix):
                super().__init__(
                    f"The stack {stack_name} has no {part} (no output {output}): {remedy} with --stack-name."
                )
                return
        super().__init__(
            f"The stack {stack_name} has no output {output}, which this command works on: update the stack, or name "
            "the one that has it with --stack-name."
        )


class ProblemError(CommandError):
    """A control function will not do it.

    Parameters
    ----------
    status
        As HTTP has them; 503 may pass by itself.
    detail
        Its reason, one sentence.
    """

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class WrongCommandError(ProblemError):
    """What a control function was asked is wrong in itself."""

    exit_code = 2


class QueryRefusedError(CommandError):
    """The index does not take the query.

    Parameters
    ----------
    reason
        What the domain says.
    index
        The name of the index.
    """

    def __init__(self, reason: str, index: str) -> None:
        super().__init__(
            f"{reason}: the index {index} was probably made without its template; update the stack, which puts the "
            "template again, delete the index, and replay its orders."
        )


class RegionError(CommandError):
    """No Region is named anywhere."""

    def __init__(self) -> None:
        super().__init__("No Region is set: name the one that the stack is in with --region, or set AWS_REGION.")


class StackMissingError(CommandError):
    """There is no such stack.

    Parameters
    ----------
    stack_name
        Its name.
    region
        Where it was looked for.
    """

    def __init__(self, stack_name: str, region: str) -> None:
        super().__init__(
            f"There is no stack {stack_name} in {region}: name the right one with --stack-name (or set "
            "EVENTFORK_STACK_NAME), and its Region with --region."
        )


class UnreachableError(CommandError):
    """A service does not answer.

    Parameters
    ----------
    reason
        Which service, and where it was sought.
    remedy
        What to check.
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}: {remedy}, and run it again.")
