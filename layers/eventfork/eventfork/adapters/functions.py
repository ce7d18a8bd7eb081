"""AWS Lambda: invoking a function that answers with JSON."""

import json
from collections.abc import Mapping
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from eventfork.errors import DeniedError, NotFoundError, RefusedError, UnavailableError
from eventfork.json_text import JsonTextError, parse, render

__all__ = ["Function"]

_REASON_CHARACTERS: Final = 300
_TOO_MANY: Final = 429


class Function:
    """A function, to be asked and waited for.

    Parameters
    ----------
    client : botocore client of Lambda
        One that waits for an answer as long as the function may run, or else it asks anew meanwhile.
    name : str
        Its name or its ARN.
    """

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

    def invoke(self, payload: Mapping[str, Any]) -> Any:
        """Give the function's answer to a payload, parsed.

        Raises
        ------
        DeniedError
            If the caller may not invoke it, or is not known.
        NotFoundError
            If there is no such function.
        RefusedError
            If Lambda does not take the payload.
        UnavailableError
            If Lambda did not answer, the function failed, or what it answered is no JSON. What it did until then is
            not known.
        """
        try:
            answer = self._client.invoke(FunctionName=self._name, Payload=render(payload).encode())
            body: bytes = answer["Payload"].read()
        except ClientError as error:
            code = error.response["Error"]["Code"]
            match error.response["ResponseMetadata"]["HTTPStatusCode"]:
                case 403:
                    raise DeniedError(f"Lambda does not invoke the function: {code}") from error
                case 404:
                    raise NotFoundError(f"Lambda does not find the function: {code}") from error
                case status if 400 <= status < 500 and status != _TOO_MANY:
                    raise RefusedError(f"Lambda does not take what the function is asked: {code}") from error
            raise UnavailableError(f"Lambda did not invoke the function: {code}") from error
        except BotoCoreError as error:
            raise UnavailableError(f"Lambda did not answer ({type(error).__name__})") from error
        if "FunctionError" in answer:
            raise UnavailableError(f"the function failed: {_told(body)}")
        try:
            return parse(body)
        except JsonTextError as error:
            raise UnavailableError("the function answered with something that is no JSON") from error


def _told(body: bytes) -> str:
    """Give what Lambda tells of an error: its type and message, in one short line."""
    try:
        failure = json.loads(body)
        told = ": ".join(str(failure[key]) for key in ("errorType", "errorMessage") if failure.get(key))
    except (ValueError, AttributeError):
        told = ""
    return " ".join(told.split())[:_REASON_CHARACTERS] or "it tells no reason"
