"""Schemas are read from the layer's own files."""

import pytest
from eventfork import schemas


def test_a_schema_is_read_once() -> None:
    """Every later reader gets the same."""
    assert schemas.load("order")["title"] == "Order"
    assert schemas.load("order") is schemas.load("order")


def test_a_schema_that_is_not_there_is_an_error() -> None:
    """A wrong name shows at once."""
    with pytest.raises(FileNotFoundError):
        schemas.load("no-such-event")
