"""AWS Systems Manager Parameter Store: the states of circuits, and where what they guard is reached."""

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from eventfork.errors import NotFoundError, UnavailableError

__all__ = ["CircuitParameters", "TextParameters"]


class CircuitParameters:
    """The parameters that say how circuits are.

    Parameters
    ----------
    client : botocore client of Systems Manager
    prefix : str
        What comes before a circuit's name in its parameter's.
    """

    def __init__(self, client: Any, prefix: str) -> None:
        self._client = client
        self._prefix = prefix

    def state(self, circuit: str) -> str | None:
        """Give the state of a circuit, such as CLOSED or OPEN; None if it has no parameter.

        Raises
        ------
        UnavailableError
            If Systems Manager did not tell.
        """
        try:
            answer = self._client.get_parameter(Name=f"{self._prefix}{circuit}")
        except self._client.exceptions.ParameterNotFound:
            return None
        except (ClientError, BotoCoreError) as error:
            raise UnavailableError(f"Systems Manager did not tell the state of the circuit {circuit}") from error
        state: str = answer["Parameter"]["Value"]
        return state

    def put(self, circuit: str, state: str) -> None:
        """Write the state of a circuit; its parameter is made if there is none.

        Raises
        ------
        UnavailableError
            If Systems Manager did not take it.
        """
        try:
            self._client.put_parameter(Name=f"{self._prefix}{circuit}", Value=state, Type="String", Overwrite=True)
        except (ClientError, BotoCoreError) as error:
            raise UnavailableError(f"Systems Manager did not take the state of the circuit {circuit}") from error


class TextParameters:
    """Parameters that hold a text each.

    Parameters
    ----------
    client : botocore client of Systems Manager
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def value(self, name: str) -> str:
        """Give the text of a parameter.

        Raises
        ------
        NotFoundError
            If there is no such parameter.
        UnavailableError
            If Systems Manager did not tell.
        """
        try:
            answer = self._client.get_parameter(Name=name)
        except self._client.exceptions.ParameterNotFound as error:
            raise NotFoundError(f"there is no parameter {name}") from error
        except (ClientError, BotoCoreError) as error:
            raise UnavailableError(f"Systems Manager did not tell the parameter {name}") from error
        value: str = answer["Parameter"]["Value"]
        return value
