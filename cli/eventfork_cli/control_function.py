"""A control function as the command reaches it: it is invoked with a command, and answers or says why not."""

from collections.abc import Mapping
from functools import cached_property
from http import HTTPStatus
from typing import Any

from eventfork.adapters.functions import Function
from eventfork.errors import DeniedError, NotFoundError, RefusedError, UnavailableError

from eventfork_cli.deployment import Deployment
from eventfork_cli.errors import AccessError, CommandError, ProblemError, UnreachableError, WrongCommandError

__all__ = ["ControlFunction"]


class ControlFunction:
    """A function of a stack that takes an operator's commands.

    Parameters
    ----------
    deployment
        The stack.
    output
        The output of the stack that names the function.
    called
        What it is called at the start of a sentence.
    """

    def __init__(self, deployment: Deployment, output: str, called: str) -> None:
        self._deployment = deployment
        self._output = output
        self._called = called

    @cached_property
    def _name(self) -> str:
        return self._deployment.output(self._output)

    @cached_property
    def _function(self) -> Function:
        return Function(self._deployment.client("lambda"), self._name)

    @cached_property
    def actor(self) -> str:
        """Who gives the commands, to be kept with what they change."""
        return self._deployment.identity() or "unknown"

    def ask(self, command: Mapping[str, Any], remedy: str = "look at its log") -> dict[str, Any]:
        """Give a command; give the answer.

        Parameters
        ----------
        command
            As JSON has it.
        remedy
            What to do where it is not known what became of the command.

        Raises
        ------
        ProblemError
            If it is refused.
        CommandError
            If the function cannot be asked.
        """
        try:
            answer = self._function.invoke(command)
        except DeniedError as error:
            raise AccessError(
                str(error),
                f"sign in again if that has run out, or use credentials with lambda:InvokeFunction on {self._name}",
            ) from error
        except NotFoundError as error:
            raise UnreachableError(f"{error} ({self._name})", "update the stack, which makes it again") from error
        except RefusedError as error:
            raise CommandError(f"{error}.") from error
        except UnavailableError as error:
            raise UnreachableError(f"{error} ({self._name})", remedy) from error
        return self._accepted(answer)

    def _accepted(self, answer: Any) -> dict[str, Any]:
        """Give an answer that is none of a problem.

        Raises
        ------
        CommandError
            If it is one, or is no answer at all.
        """
        if not isinstance(answer, dict):
            raise CommandError(
                f"{self._called} answered with something that is no answer: update the stack, or this command."
            )
        status = answer.get("status")
        if not isinstance(status, int) or status < HTTPStatus.BAD_REQUEST:
            return answer
        kind = WrongCommandError if status == HTTPStatus.BAD_REQUEST else ProblemError
        raise kind(status, str(answer.get("detail") or answer.get("title") or f"{self._called} refuses it ({status})."))
