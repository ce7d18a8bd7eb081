"""A value is written the way DynamoDB takes it, and read back as it was."""

from decimal import Decimal

import pytest
from eventfork.attribute_values import decoded, encoded
from hypothesis import given
from hypothesis import strategies as st


@given(st.text() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False, places=20))
def test_what_is_written_is_read_back(value: str | int | Decimal) -> None:
    """With every digit, and a text is no number."""
    read = decoded(encoded(value))
    assert read == value
    assert isinstance(read, str) == isinstance(value, str)


@pytest.mark.parametrize(("number", "written"), [(Decimal("1E+2"), "100"), (Decimal("1E-7"), "0.0000001"), (3, "3")])
def test_a_number_is_written_without_exponent(number: int | Decimal, written: str) -> None:
    """Whatever its notation was."""
    assert encoded(number) == {"N": written}


@pytest.mark.parametrize("attribute", [{"BOOL": True}, {"NULL": True}, {"L": [{"S": "a"}]}, {"M": {}}, {}])
def test_what_is_neither_text_nor_number_is_left_as_it_is(attribute: dict[str, object]) -> None:
    """So that it can be told from both."""
    assert decoded(attribute) == attribute
