"""Why a command could not be done, in one sentence that says what to do; click prints it and takes the exit status.

CommandError
├── AccessError          the credentials are not allowed to
├── CredentialsError     there are none, or they cannot be used
├── NotIndexedError      the index is not there yet
├── QueryRefusedError    the index does not take the query
├── RegionError          no Region is named
├── SearchMissingError   the stack has no search pipeline
├── StackMissingError    there is no such stack
└── UnreachableError     a service does not answer
"""

import click

__all__ = [
    "AccessError",
    "CommandError",
    "CredentialsError",
    "NotIndexedError",
    "QueryRefusedError",
    "RegionError",
    "SearchMissingError",
    "StackMissingError",
    "UnreachableError",
]


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


class SearchMissingError(CommandError):
    """The stack has no search pipeline.

    Parameters
    ----------
    stack_name
        The stack.
    output
        The output that it lacks.
    """

    def __init__(self, stack_name: str, output: str) -> None:
        super().__init__(
            f"The stack {stack_name} has no search pipeline (no output {output}): deploy it with SearchEnabled=true, "
            "or name the stack that has one with --stack-name."
        )


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
