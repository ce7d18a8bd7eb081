"""What is set aside of a message that nothing can be made of: as it came, but without card data."""

from dataclasses import replace
from typing import Any, Final

from eventfork.card_data import CardDataError, Redactor
from eventfork.forwarding import Message
from eventfork.json_text import JsonTextError, parse, render

__all__ = ["WITHHELD", "without_card_data"]

WITHHELD: Final = "[withheld: it may hold card data that cannot be told from the rest]"
"""What stands in place of a body that card data cannot be taken out of for certain."""


def without_card_data(message: Message, redactor: Redactor) -> Message:
    """Give a message as it may be kept for two weeks; itself, if it holds no card data.

    An attribute that holds some is left out. A body that cannot be read in one way only is kept as the text it is,
    unless it names fields of card data: see `Redactor.hides_card_data`.
    """
    attributes = {name: one for name, one in message.attributes.items() if _is_clean(name, one, redactor)}
    return replace(message, body=_body(message.body, redactor), attributes=attributes)


def _is_clean(name: str, attribute: Any, redactor: Redactor) -> bool:
    told = {name: attribute.get("stringValue")}
    return bool(redactor.document(told) == told)


def _body(body: str, redactor: Redactor) -> str:
    try:
        document = parse(body)
    except JsonTextError:
        return WITHHELD if redactor.hides_card_data(body) else redactor.text(body)
    try:
        redacted = redactor.document(document)
    except CardDataError:
        return WITHHELD
    return body if redacted is document else render(redacted)
