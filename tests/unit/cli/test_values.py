"""Values of options are read, or refused with a sentence that quotes them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import click
import pytest
from click.testing import CliRunner
from eventfork_cli.__main__ import command
from eventfork_cli.values import Instant, Length, Moment, Positive, resolved
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
TEXTS = st.text() | st.text(alphabet="0123456789smhdw .eE+-:TZnaif_") | st.from_regex(r"\A[0-9]{1,7}[smhdw]\Z")
OPTIONS = ("--source", "--target", "--from", "--to", "--last", "--type", "--where", "--pace", "--canary", "--id")


@given(TEXTS)
@pytest.mark.parametrize(
    ("reader", "kind"),
    [(Length(), timedelta), (Instant(), datetime), (Moment(), (datetime, timedelta)), (Positive(), Decimal)],
    ids=lambda value: type(value).__name__,
)
def test_any_text_is_a_value_or_refused(reader: click.ParamType[Any], kind: Any, text: str) -> None:
    """Nothing else is ever raised; a moment that is read can be told."""
    try:
        value = reader.convert(text, None, None)
    except click.BadParameter as error:
        value, refusal = None, error.message
    else:
        refusal = ""
    assert isinstance(value, kind) or repr(text) in refusal
    if isinstance(value, datetime | timedelta):
        assert resolved(value, NOW)


@given(st.lists(st.tuples(st.sampled_from(OPTIONS), TEXTS.filter(lambda text: "\0" not in text)), max_size=4))
def test_whatever_options_say_wrong_use_is_told(said: list[tuple[str, str]]) -> None:
    """With the status of wrong use, and the option that is at fault: before anything is asked of AWS."""
    words = [word for option, text in said for word in (option, text)]
    result = CliRunner().invoke(command, ["replay", "plan", *words, "--pace", "none"])
    assert result.exit_code == 2, result.output
    assert "Error" in result.output
    assert isinstance(result.exception, SystemExit)
