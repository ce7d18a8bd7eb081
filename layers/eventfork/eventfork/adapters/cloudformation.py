"""AWS CloudFormation: what a stack gives out, and what it asks of a custom resource."""

import json
from collections.abc import Mapping
from typing import Any, Final

from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError, ClientError
from botocore.httpsession import URLLib3Session

from eventfork.errors import DeniedError, NotFoundError, UnavailableError

__all__ = ["CustomResourceRequest", "Stack"]

_TIMEOUTS: Final = (5, 20)
"""Seconds to connect, and to wait for an answer."""
_REASON_CHARACTERS: Final = 800
"""A whole answer may weigh 4,096 bytes. CloudFormation user guide, "Custom resource response objects"."""


class Stack:
    """A stack.

    Parameters
    ----------
    client : botocore client of CloudFormation
    name : str
    """

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

    def outputs(self) -> dict[str, str]:
        """Give the outputs by name.

        Raises
        ------
        DeniedError
            If the caller may not see it, or is not known.
        NotFoundError
            If there is no such stack.
        UnavailableError
            If CloudFormation did not answer.
        """
        try:
            (stack,) = self._client.describe_stacks(StackName=self._name)["Stacks"]
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 403:
                raise DeniedError(f"CloudFormation does not show the stack: {code}") from error
            if code == "ValidationError":
                raise NotFoundError("there is no such stack") from error
            raise UnavailableError(f"CloudFormation did not show the stack: {code}") from error
        except BotoCoreError as error:
            raise UnavailableError("CloudFormation did not answer") from error
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


class CustomResourceRequest:
    """What CloudFormation asks of a custom resource, and waits for the answer to.

    Parameters
    ----------
    event : mapping
        As Lambda passes it.
    http : botocore URLLib3Session, optional
        What sends the answer.
    """

    def __init__(self, event: Mapping[str, Any], http: Any = None) -> None:
        self._event = event
        self._http = http or URLLib3Session(timeout=_TIMEOUTS)

    @property
    def deletes(self) -> bool:
        """Whether the resource is to go."""
        return bool(self._event["RequestType"] == "Delete")

    @property
    def properties(self) -> Mapping[str, str]:
        """Its properties, as the template has them."""
        properties: Mapping[str, str] = self._event["ResourceProperties"]
        return properties

    def succeed(self, name: str, data: Mapping[str, str]) -> None:
        """Answer that it was done.

        Parameters
        ----------
        name : str
            The resource's physical id. Another than before makes CloudFormation delete the one before.
        data : mapping
            Attributes that a template can read with GetAtt.

        Raises
        ------
        UnavailableError
            If the answer was not taken, so that CloudFormation goes on waiting.
        """
        self._answer(name, {"Status": "SUCCESS", "Data": dict(data)})

    def fail(self, name: str, reason: str) -> None:
        """Answer that it could not be done, and why.

        Raises
        ------
        UnavailableError
            If the answer was not taken, so that CloudFormation goes on waiting.
        """
        self._answer(name, {"Status": "FAILED", "Reason": reason[:_REASON_CHARACTERS]})

    def _answer(self, name: str, outcome: Mapping[str, Any]) -> None:
        # What was made under one name must go under it: a failed creation, too, is deleted.
        physical_id = self._event["PhysicalResourceId"] if self.deletes else name
        told = {key: self._event[key] for key in ("StackId", "RequestId", "LogicalResourceId")}
        body = json.dumps({**told, "PhysicalResourceId": physical_id, **outcome}, ensure_ascii=False).encode()
        # The URL was signed for a body without a type.
        request = AWSRequest("PUT", self._event["ResponseURL"], headers={"content-type": ""}, data=body)
        try:
            status = self._http.send(request.prepare()).status_code
        except BotoCoreError as error:
            raise UnavailableError("CloudFormation did not take the answer") from error
        if status >= 300:
            raise UnavailableError(f"CloudFormation did not take the answer: {status}")
