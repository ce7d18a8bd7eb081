"""A command about replays as it comes, by direct invocation or by API, and its answer in the same form."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from eventfork.errors import NotFoundError, RefusedError, ServiceError
from eventfork.json_text import JsonTextError, parse, render
from eventfork.problems import RETRY_AFTER_SECONDS, problem_document
from eventfork.replay_control import Answer
from eventfork.replay_jobs import FieldError, ForbiddenError, ReplayError, UnknownError

__all__ = ["Command", "answered", "in_form", "read"]


@dataclass(frozen=True, slots=True)
class Command:
    """A command.

    Attributes
    ----------
    by_api : bool
        Whether the API asks.
    name : object
        What is to be done; whatever the caller put there.
    body : any
        What is said about it: a document or the text of one, or whatever was sent in its place.
    actor : str or None
        The caller, where that is known for certain.
    """

    by_api: bool
    name: object
    body: Any
    actor: str | None

    def said(self) -> dict[str, Any]:
        """Give what is said, with the caller in it.

        Raises
        ------
        JsonTextError, FieldError
            If it is no JSON object.
        """
        said = parse(self.body or "{}") if isinstance(self.body, str) else self.body
        if not isinstance(said, dict):
            raise FieldError("", "is no JSON object")
        found = {name: value for name, value in said.items() if name != "command"}
        # Only what changes something has an actor; whoever calls the API cannot pass for somebody else.
        if self.actor is not None and self.name not in ("show", "list"):
            found["actor"] = self.actor
        return found


def read(event: Any) -> Command:
    """Read a command from the event that Lambda passes: API Gateway's, or the command itself, whatever that is."""
    if not isinstance(event, dict):
        return Command(by_api=False, name=None, body=event, actor=None)
    if "requestContext" not in event:
        return Command(by_api=False, name=event.get("command"), body=event, actor=None)
    # API Gateway says all of this; whoever invokes the function may say anything in its place.
    match event:
        case {"requestContext": {"identity": {"userArn": str(caller)}}}:
            pass
        case _:
            caller = "unknown"
    match event:
        case {"pathParameters": {"command": name}}:
            pass
        case _:
            name = None
    return Command(by_api=True, name=name, body=event.get("body") or "", actor=caller)


def answered(command: Command, carry_out: Callable[[object, Mapping[str, Any]], Answer]) -> Answer:
    """Carry out a command, and give its answer, a problem document (RFC 9457) if it cannot be done.

    Raises
    ------
    Exception
        What is a bug of ours, and must show as one.
    """
    try:
        return carry_out(command.name, command.said())
    except (JsonTextError, ReplayError, ServiceError) as error:
        return _problem(error)


def in_form(answer: Answer, command: Command) -> dict[str, Any]:
    """Give an answer in the form in which the command came."""
    if not command.by_api:
        # Lambda writes what a function returns with the standard library, which knows no Decimal.
        plain: dict[str, Any] = json.loads(render(answer.body))
        return plain
    failed = answer.status >= HTTPStatus.BAD_REQUEST
    retry = {"retry-after": str(RETRY_AFTER_SECONDS)} if answer.status is HTTPStatus.SERVICE_UNAVAILABLE else {}
    return {
        "statusCode": answer.status.value,
        "headers": {"content-type": "application/problem+json" if failed else "application/json", **retry},
        "body": render(answer.body),
    }


def _problem(error: Exception) -> Answer:
    """Give the answer to an error: the one place where an error of replay control becomes a status."""
    detail = _sentence(error)
    errors: list[tuple[str, str]] = []
    match error:
        case JsonTextError() | FieldError():
            status, errors = HTTPStatus.BAD_REQUEST, [(error.pointer, error.detail)]
        case UnknownError() | NotFoundError():
            status = HTTPStatus.NOT_FOUND
        case ForbiddenError() | RefusedError():
            status = HTTPStatus.CONFLICT
        case _:
            status = HTTPStatus.SERVICE_UNAVAILABLE
            detail = f"{detail} Look at what is there, and try again."
    return Answer(status, problem_document(status, detail, errors))


def _sentence(error: Exception) -> str:
    text = str(error).rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."
