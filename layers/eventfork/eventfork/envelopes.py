"""One line for any message: a CloudEvent goes as it is, everything else is wrapped into one.

CannotCarryError   a message whose card data cannot be told from the rest
"""

import uuid
from typing import Any, Final

from eventfork.card_data import CardDataError, Redactor
from eventfork.forwarding import CannotCarryError, Message
from eventfork.json_text import AmbiguousJsonError, JsonSyntaxError, parse, render

__all__ = ["MESSAGE_RECEIVED", "SOURCE", "line", "unwrapped"]

MESSAGE_RECEIVED: Final = "eventfork.envelope.MessageReceived"
SOURCE: Final = "eventfork.envelope"
_NAMESPACE: Final = uuid.UUID("b0a1a3a9-5a0c-5d7e-8a57-0b5f4a7f2d11")
_CONTEXT: Final = ("id", "source", "type")
"""What every CloudEvent has besides `specversion`; CloudEvents 1.0.2, "Required Attributes"."""


def line(message: Message, redactor: Redactor) -> str:
    """Give the message as one line of JSON without card data, always a CloudEvent.

    A CloudEvent keeps its text, digit for digit, unless card data has to go. Any other body becomes the string `data`
    of an envelope: unwrapped, a text is equal byte for byte, and so is foreign JSON that holds no card data.

    Raises
    ------
    CannotCarryError
        If the body is JSON that cannot be read in one way only, or no JSON but names fields of card data: what they
        hold cannot be found for certain.
    """
    try:
        document = parse(message.body)
    except JsonSyntaxError:
        if redactor.hides_card_data(message.body):
            raise CannotCarryError("it names fields of card data, but is no JSON to take them out of") from None
        return _wrapped(message, "text/plain", redactor.text(message.body))
    except AmbiguousJsonError as error:
        raise CannotCarryError(str(error)) from error
    try:
        redacted = document if redactor.finds_nothing(message.body, document) else redactor.document(document)
    except CardDataError as error:
        raise CannotCarryError(str(error)) from error
    text = message.body if redacted is document else render(redacted)
    if _is_cloud_event(redacted):
        # Between the tokens of a JSON text a line break is white space; inside a string it cannot stand.
        return text.replace("\r", " ").replace("\n", " ")
    return _wrapped(message, "application/json", text)


def unwrapped(text: str, document: Any) -> str:
    """Give the message that `line` made a line of, without its card data.

    Parameters
    ----------
    text : str
        The line.
    document : Any
        What it says, parsed.
    """
    if _is_cloud_event(document) and (document["source"], document["type"]) == (SOURCE, MESSAGE_RECEIVED):
        data = document.get("data")
        return data if isinstance(data, str) else text
    return text


def _is_cloud_event(document: Any) -> bool:
    return (
        isinstance(document, dict)
        and document.get("specversion") == "1.0"
        and all(isinstance(document.get(name), str) and document[name] for name in _CONTEXT)
    )


def _wrapped(message: Message, content_type: str, text: str) -> str:
    return render(
        {
            "specversion": "1.0",
            "id": str(uuid.uuid5(_NAMESPACE, f"{message.sent_at} {text}")),
            "source": SOURCE,
            "type": MESSAGE_RECEIVED,
            "time": message.sent_at,
            "datacontenttype": content_type,
            "data": text,
        }
    )
