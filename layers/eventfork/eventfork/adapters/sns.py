"""Amazon SNS: publishing events."""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from eventfork.checkout_events import Attribute
from eventfork.errors import UnavailableError

__all__ = ["Topic"]


class Topic:
    """A topic, to publish to.

    Parameters
    ----------
    client : botocore client of SNS
    arn : str
    """

    def __init__(self, client: Any, arn: str) -> None:
        self._client = client
        self._arn = arn

    def publish(self, message: str, attributes: Mapping[str, Attribute]) -> None:
        """Publish one message; once this returns, SNS has it on several machines.

        Raises
        ------
        UnavailableError
            If SNS did not take it.
        """
        try:
            self._client.publish(
                TopicArn=self._arn,
                Message=message,
                MessageAttributes={
                    name: {"DataType": attribute.type, "StringValue": attribute.value}
                    for name, attribute in attributes.items()
                },
            )
        except (ClientError, BotoCoreError) as error:
            raise UnavailableError("SNS did not take the event") from error
