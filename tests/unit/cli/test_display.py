"""How figures are written, and what a terminal of few characters gets."""

from decimal import Decimal

import pytest
from click.testing import CliRunner
from eventfork_cli.__main__ import command
from eventfork_cli.display import money, share, span

from tests.unit.cli.conftest import Operator


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        ("0", "0 s"),
        ("59.4", "59 s"),
        ("59.6", "1 min"),
        ("3600", "1 h"),
        ("90061", "1 d 1 h"),
        ("86460", "1 d 1 min"),
        ("2592000", "30 d"),
    ],
)
def test_a_length_of_time_has_two_units_at_most(seconds: str, written: str) -> None:
    """The largest, and none of which there is nothing."""
    assert span(Decimal(seconds)) == written


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        ("0", "0.00"),
        ("1228.4000", "1,228.40"),
        ("0.1250", "0.125"),
        ("1000000.0001", "1,000,000.0001"),
        ("-5", "-5.00"),
    ],
)
def test_an_amount_has_two_decimals_or_as_many_as_it_needs(amount: str, written: str) -> None:
    """None is rounded away."""
    assert money(Decimal(amount)) == written


def test_a_share_is_in_per_cent() -> None:
    """To one decimal."""
    assert share(Decimal(1) / 3) == "33.3%"


def test_a_terminal_of_few_characters_gets_no_others(asking: Operator) -> None:
    """Rules are drawn with what it has, and bars are left out."""
    terminal = {"FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "100", **asking.environment}
    runner = CliRunner(env=terminal, charset="ascii")
    result = runner.invoke(command, ["search", "kpis", "revenue-over-time"])
    assert result.exit_code == 0
    assert "----" in result.stdout
    assert "1,228.40" in result.stdout
