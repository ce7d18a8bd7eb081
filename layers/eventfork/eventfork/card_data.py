"""Card data: what counts as it, and taking it out.

PCI DSS 4.0.1 sets the rule: no verification code is kept after authorisation (3.3.1), and of a card number at most the
first six and last four digits are shown (3.4.1). We keep less: the network and the last four digits.
"""

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import lru_cache
from operator import is_
from typing import Any, Final

from eventfork.json_text import JsonTextError, parse, pointer, render

__all__ = [
    "FIELD_PATTERNS",
    "LAST_FOUR",
    "CardDataError",
    "FieldPatternError",
    "Redactor",
    "is_card_number",
    "last_four",
    "redactor",
]

FIELD_PATTERNS: Final = (
    r"pan|primaryaccountnumber",
    r".*card(number|no|pan)",
    r".*(cvv|cvc)2?",
    r".*securitycode|.*cardverification(code|value|number)",
    r".*cardexp(iry|iration|ires)?(date|month|year)?",
    r".*card(owner|holder)(name)?|nameoncard",
    r"track[12]?data|pinblock",
)
"""Names of fields that hold card data: regular expressions over the whole name, lower case, letters and digits only."""

LAST_FOUR: Final = "card-last-four"
"""The field that stands for a card number once it is gone; PCI DSS 3.4.1 allows the last four digits."""

# Digits with up to three separators between them, as people write card numbers. A UUID is matched first and left alone:
# its groups can be all digits, and an event's id must never change.
_DIGITS: Final = re.compile(
    r"(?P<uuid>\b[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\b)"
    r"|[0-9]+(?:[\s.\-\u2010-\u2015]{1,3}[0-9]+)*"
)
_NAME: Final = re.compile(r"(?<![\w\-])[\w\-]++(?=[\"']?\s*[:=>])")
# What a card number may look like in the text of a JSON document: many digits, or a number with an exponent, which has
# more digits than it shows.
_SUSPECT_NUMBER: Final = re.compile(
    r"(?<![0-9])[0-9](?:[\s.\-\u2010-\u2015]{0,3}[0-9]){12}|(?:^|[:\[,])\s*-?[0-9.]+[eE]"
)
_GROUP: Final = re.compile(r"[0-9]+")
_ESCAPE: Final = re.compile(r"\\+u([0-9A-Fa-f]{4})|%([0-9A-Fa-f]{2})|&#(?:x([0-9A-Fa-f]{1,6})|([0-9]{1,7}));")
"""A character as JSON, URLs and forms, or XML write it."""
_CARD_DATA: Final = "[card data]"
_LENGTHS: Final = range(13, 20)
"""Digits of a card number: ISO/IEC 7812-1 allows up to 19, and no scheme issues fewer than 13 today."""
_BEYOND: Final = 10 ** (_LENGTHS.stop - 1)


class CardDataError(ValueError):
    """Card data that cannot be taken out without losing something else.

    Attributes
    ----------
    pointer : str
        JSON pointer to the object that holds it.
    """

    def __init__(self, pointer: str) -> None:
        super().__init__(f"{pointer or 'the document'}: two keys are the same once their card numbers are masked")
        self.pointer = pointer


class FieldPatternError(ValueError):
    """A pattern for names of fields that cannot be meant; its text quotes the pattern and says why."""


def is_card_number(digits: str) -> bool:
    """Tell whether `digits` could be a card number: length, first digit of a card scheme (2 to 6), Luhn check.

    Source: ISO/IEC 7812-1, annex B. One in ten numbers of that form passes by chance, which is why a first digit no
    scheme uses is let through: clocks in milliseconds and microseconds start with 1.
    """
    if len(digits) not in _LENGTHS or digits[0] not in "23456":
        return False
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (doubled + sum(map(int, digits[-1::-2]))) % 10 == 0


def last_four(card_number: Any) -> str | None:
    """Give the last four digits of a card number as it was written, or None if it has not that many."""
    digits = "".join(_GROUP.findall(str(card_number)))
    return digits[-4:] if len(digits) in _LENGTHS else None


def _mask(digits: str) -> str:
    return f"[card ending {digits[-4:]}]"


def _masked_number(value: int | Decimal) -> int | Decimal | str:
    # By value: 4111111111111111, 4111111111111111.0 and 4.111111111111111e15 are one number.
    if not -_BEYOND < value < _BEYOND or value != int(value):
        return value
    digits = str(abs(int(value)))
    return _mask(digits) if is_card_number(digits) else value


def _masked(match: re.Match[str]) -> str:
    text = match.group()
    if match["uuid"] or len(text) < _LENGTHS.start:
        return text
    groups = [(group.start(), group.end(), group.group()) for group in _GROUP.finditer(text)]
    kept, position, first = [], 0, 0
    while first < len(groups):
        length = _groups_of_a_card_number([group for _, _, group in groups[first : first + _LENGTHS.stop]])
        if length:
            last = first + length - 1
            digits = "".join(group for _, _, group in groups[first : last + 1])
            kept += [text[position : groups[first][0]], _mask(digits)]
            position = groups[last][1]
        first += length or 1
    return "".join(kept) + text[position:]


def _groups_of_a_card_number(groups: Sequence[str]) -> int:
    """Say how many of the first groups of digits make up a card number, the longest such; 0 for none."""
    longest, digits = 0, ""
    for count, group in enumerate(groups, start=1):
        digits += group
        if len(digits) >= _LENGTHS.stop:
            break
        if is_card_number(digits):
            longest = count
    return longest


class Redactor:
    """Takes card data out of texts and documents.

    Parameters
    ----------
    field_patterns : iterable of str
        Names of fields to drop, whatever they hold: see `FIELD_PATTERNS`.
    """

    def __init__(self, field_patterns: Iterable[str] = FIELD_PATTERNS) -> None:
        self._field = re.compile("|".join(f"(?:{pattern})" for pattern in field_patterns))
        # The same few names stand in every message.
        self._is_card_field = lru_cache(maxsize=4096)(self._names_card_data)

    def text(self, text: str) -> str:
        """Give `text` with every card number in it masked but for its last four digits; itself, if it holds none."""
        masked = _DIGITS.sub(_masked, text)
        return text if masked == text else masked

    def finds_nothing(self, json_text: str, document: Any) -> bool:
        """Tell, from its text and its keys, that a JSON document holds no card data; False says: look at every value.

        Most messages hold none, and this takes a fraction of the time that `document` takes.
        """
        # Behind an escape any digit may stand.
        return not ("\\" in json_text or _SUSPECT_NUMBER.search(json_text) or self._has_card_field(document, ""))

    def _has_card_field(self, value: Any, within: str) -> bool:
        if isinstance(value, dict):
            return any(self._is_card_field(key, within) or self._has_card_field(value[key], key) for key in value)
        return isinstance(value, list) and any(self._has_card_field(child, "") for child in value)

    def document(self, document: Any) -> Any:
        """Give a parsed JSON document without card data; what holds none is returned as it is, not copied.

        Fields of a card-data name are dropped, card numbers anywhere else (strings, keys, whole numbers) are masked.

        Raises
        ------
        CardDataError
            If two keys of one object would become the same.
        """
        return self._value((), document)

    def _value(self, path: tuple[str | int, ...], value: Any) -> Any:
        match value:
            case str():
                return self._string(value)
            case int() | Decimal() if not isinstance(value, bool):
                return _masked_number(value)
            case dict():
                return self._object(path, value)
            case list():
                children = [self._value((*path, index), child) for index, child in enumerate(value)]
                return value if all(map(is_, children, value)) else children
            case _:
                return value

    def _string(self, text: str) -> str:
        """Give a text without card data; one that is a JSON document in itself, without its card fields."""
        if text.lstrip()[:1] not in {"{", "["}:
            return self.text(text)
        try:
            document = parse(text)
            redacted = self.document(document)
        except (JsonTextError, CardDataError):
            return _CARD_DATA if self.hides_card_data(text) else self.text(text)
        return text if redacted is document else render(redacted)

    def _object(self, path: tuple[str | int, ...], fields: dict[str, Any]) -> dict[str, Any]:
        within = str(path[-1]) if path else ""
        kept = {key: child for key, child in fields.items() if not self._is_card_field(key, within)}
        redacted = {self.text(key): self._value((*path, key), child) for key, child in kept.items()}
        if len(redacted) < len(kept):
            raise CardDataError(pointer(path))
        unchanged = list(redacted) == list(fields) and all(map(is_, redacted.values(), fields.values()))
        return fields if unchanged else redacted

    def hides_card_data(self, text: str) -> bool:
        """Tell whether a text that is no JSON holds card data that cannot be taken out of it for certain.

        That is so if it names a card-data field, or anything of a card, before a colon, an equals sign or a bracket, or
        has a card number, or such a name, behind escapes.
        """
        unescaped = _ESCAPE.sub(_character, text)
        return self._names_card_field(unescaped) or (unescaped != text and self.text(unescaped) != unescaped)

    def _names_card_field(self, text: str) -> bool:
        names = {word.group() for word in _NAME.finditer(text)}
        # What stands within what is not told by such a text.
        within = "card" if any("card" in name.lower() for name in names) else ""
        return any(self._is_card_field(name, within) for name in names)

    def _names_card_data(self, name: str, within: str = "") -> bool:
        plain, plain_within = _letters_and_digits(name), _letters_and_digits(within)
        # {"card": {"expiry": ...}} says what {"card-expiry": ...} says.
        qualified = plain_within + plain if "card" in plain_within else plain
        return any(self._field.fullmatch(candidate) for candidate in (plain, qualified))


class _NoRedactor(Redactor):
    """Takes out nothing, for topics whose publishers send no card data."""

    def text(self, text: str) -> str:
        return text

    def finds_nothing(self, json_text: str, document: Any) -> bool:  # noqa: ARG002
        return True

    def document(self, document: Any) -> Any:
        return document

    def hides_card_data(self, text: str) -> bool:  # noqa: ARG002
        return False


def redactor(redacts: bool, further_patterns: str) -> Redactor:
    """Make the redactor that a template's parameters ask for.

    Parameters
    ----------
    redacts : bool
        False makes one that takes out nothing.
    further_patterns : str
        Names of fields to drop besides `FIELD_PATTERNS`, of the same form, separated by commas.

    Raises
    ------
    FieldPatternError
        If one is no regular expression, or fits a name without letters and digits, and so would fit any in another
        script.
    """
    patterns = [pattern for pattern in further_patterns.split(",") if pattern]
    for pattern in patterns:
        try:
            fits_nothing = re.fullmatch(pattern, "")
        except re.error as error:
            raise FieldPatternError(f"the field pattern {pattern!r} is no regular expression: {error}") from error
        if fits_nothing:
            raise FieldPatternError(f"the field pattern {pattern!r} fits a name without letters and digits")
    return Redactor([*FIELD_PATTERNS, *patterns]) if redacts else _NoRedactor()


def _character(escape: re.Match[str]) -> str:
    hexadecimal = escape[1] or escape[2] or escape[3]
    code = int(hexadecimal, 16) if hexadecimal else int(escape[4])
    return chr(code) if code < 0x11_0000 else escape[0]


def _letters_and_digits(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
