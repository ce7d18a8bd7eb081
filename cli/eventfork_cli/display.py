"""What commands print: tables and bars as wide as the terminal, and plain lines where the output is no terminal."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from rich import box
from rich.bar import Bar
from rich.console import Console, ConsoleOptions, JustifyMethod, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

__all__ = [
    "Cell",
    "Column",
    "block",
    "errors",
    "lines",
    "moment",
    "money",
    "output",
    "parts",
    "printable",
    "records",
    "share",
    "span",
    "styled",
    "table",
]

Cell = str | tuple[str, ...] | Text

_NO_TERMINAL_WIDTH: Final = 10_000
_LONGEST_BAR: Final = 40
_NARROW: Final = 100
_SPANS: Final = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


@dataclass(frozen=True, slots=True)
class Column:
    """The heading of a column; one of numbers is set right, and never broken."""

    heading: str
    numbers: bool = False


class _Bar(Bar):
    """A bar that leaves some of a wide terminal empty, as nobody compares lengths across it."""

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(min(4, options.max_width), min(_LONGEST_BAR, options.max_width))


def output() -> Console:
    """Give the standard output; no line is broken there unless it is a terminal."""
    return _whole_lines(Console(highlight=False))


def errors() -> Console:
    """Give the standard error."""
    return _whole_lines(Console(stderr=True, highlight=False))


def _whole_lines(console: Console) -> Console:
    if not console.is_terminal:
        console.width = _NO_TERMINAL_WIDTH
    return console


def printable(text: str) -> str:
    """Give text without what a terminal obeys instead of showing: what customers write is not to be trusted."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def lines(console: Console, text: str, style: str = "") -> None:
    """Print lines as they are, never broken, so that they can be pasted."""
    console.print(Text(printable(text), style), soft_wrap=True)


def table(
    console: Console, columns: Sequence[Column], rows: Iterable[Sequence[Cell]], bars: Sequence[float] | None = None
) -> None:
    """Print a table, in a terminal with a bar at the end of each row.

    Parameters
    ----------
    console
        Where to print it.
    columns
        Its columns.
    rows
        The cells of each row, one for each column; of several texts, each stands on a line of its own.
    bars
        The length of each row's bar, from 0 to 1.
    """
    drawn = bars if console.is_terminal and not console.options.ascii_only else None
    rule = box.SIMPLE_HEAD if console.is_terminal else None
    grid = Table(box=rule, pad_edge=False, show_edge=False, header_style="bold")
    for column in columns:
        justify: JustifyMethod = "right" if column.numbers else "left"
        # An id that is cut off could not be pasted.
        grid.add_column(column.heading, justify=justify, no_wrap=column.numbers, overflow="fold")
    if drawn is not None:
        grid.add_column("")
    for position, row in enumerate(rows):
        cells: list[RenderableType] = [_cell(content) for content in row]
        if drawn is not None:
            cells.append(_Bar(1, 0, drawn[position], color="cyan"))
        grid.add_row(*cells)
    console.print(grid)


def records(console: Console, columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> None:
    """Print a table of many columns; where a terminal is too narrow for it, each row as a block of lines."""
    if console.width >= _NARROW:
        table(console, columns, rows)
        return
    for row in rows:
        block(console, [(column.heading, content) for column, content in zip(columns, row, strict=True)])
        console.print()


def block(console: Console, rows: Iterable[tuple[str, Cell]]) -> None:
    """Print what is known of one thing, a line for each part of it, under one another."""
    console.print(parts(rows))


def parts(rows: Iterable[tuple[str, Cell]]) -> Table:
    """Give what is known of one thing, as `block` prints it."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, content in rows:
        grid.add_row(name, _cell(content))
    return grid


def styled(text: str, style: str) -> Text:
    """Give a cell, or a part of a line, of a style of its own."""
    return Text(printable(text), style)


def _cell(content: Cell) -> Text:
    if isinstance(content, Text):
        return content
    return Text("\n".join(map(printable, (content,) if isinstance(content, str) else content)))


def moment(text: str | None) -> str:
    """Write a moment, which is in UTC, to the second; nothing where there is none."""
    return f"{text[:19]}Z" if text else ""


def money(amount: Decimal) -> str:
    """Write an amount with its thousands set apart, with two decimals or as many as it has."""
    return f"{amount:,.2f}" if amount == round(amount, 2) else f"{amount.normalize():,f}"


def share(part: Decimal) -> str:
    """Write a share, from 0 to 1, in per cent."""
    return f"{part:.1%}"


def span(seconds: Decimal) -> str:
    """Write a length of time in its two largest units, rounded to whole seconds."""
    left = int(seconds.to_integral_value())
    parts = []
    for unit, size in _SPANS:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"
