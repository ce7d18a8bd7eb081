"""Amazon Data Firehose: putting records on a delivery stream."""

from collections.abc import Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from eventfork.errors import UnavailableError

__all__ = ["DeliveryStream"]


class DeliveryStream:
    """A delivery stream, to put records on.

    Parameters
    ----------
    client : botocore client of Firehose
    name : str
    """

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

    def put(self, records: Sequence[bytes]) -> list[int]:
        """Put records within `FIREHOSE_CALL`; give the positions of those that were not taken.

        Raises
        ------
        UnavailableError
            If the call failed.
        """
        try:
            answer = self._client.put_record_batch(
                DeliveryStreamName=self._name, Records=[{"Data": record} for record in records]
            )
        except (ClientError, BotoCoreError) as error:
            raise UnavailableError("Firehose did not take the records") from error
        if not answer["FailedPutCount"]:
            return []
        return [position for position, entry in enumerate(answer["RequestResponses"]) if "ErrorCode" in entry]
