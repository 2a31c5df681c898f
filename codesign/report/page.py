"""What a page consists of, free of HTML: cards, figures, matrices, tables, sections.

Sections fill these; the templates draw them. Every text here is untrusted and is escaped by the
templates; only ``Figure.svg`` is markup, and it comes from ``codesign.report.svg`` alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from markupsafe import Markup

from codesign.report.style import BLOCKS, MISSING, is_number, number, percent

Status = Literal["met", "missed", "info", "warn"]
Mark = Literal["", "good", "bad", "warn", "muted"]

# Of large plans a table lists this many samples; nobody reads more, and pages stay light.
ROWS_LISTED = 250

# Symbol and word beside every colour.
STATUS_WORDS: dict[str, tuple[str, str]] = {
    "met": ("✓", "met"),
    "missed": ("✗", "missed"),
    "warn": ("!", "look"),
    "info": ("·", "no target"),
}


@dataclass(frozen=True)
class Share:
    """One part of a stacked bar; ``role`` is a palette name, ``fraction`` of the whole."""

    label: str
    value: str
    fraction: float
    role: str


@dataclass(frozen=True)
class Card:
    """A headline figure: value and unit large, then what it is out of, then its target."""

    label: str
    value: str
    unit: str
    detail: str
    target: str
    status: Status
    split: tuple[Share, ...] = ()

    @property
    def symbol(self) -> str:
        return STATUS_WORDS[self.status][0]

    @property
    def word(self) -> str:
        return STATUS_WORDS[self.status][1]


@dataclass(frozen=True)
class Figure:
    """A picture with its caption; ``narrow`` replaces a wide one on a phone."""

    svg: Markup
    caption: str
    narrow: Markup | None = None


@dataclass(frozen=True)
class Cell:
    """One table cell: what is shown, what it sorts by, a mark, an inline bar (0 to 1).

    ``root``: the disagreement that the cell opens in the viewer.
    """

    text: str
    sort: float | str | None = None
    mark: Mark = ""
    share: float | None = None
    root: int | None = None

    @property
    def key(self) -> str:
        return self.text if self.sort is None else str(self.sort)


@dataclass(frozen=True)
class Column:
    title: str
    numeric: bool = False


@dataclass(frozen=True)
class Table:
    """A sortable table; ``folded`` starts closed, for long ones that few will read."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    folded: bool = False
    empty: str = "Nothing to list."

    @property
    def small(self) -> bool:
        """Whether two such tables fit side by side."""
        widest = sum(
            max([len(column.title), *(len(row[n].text) for row in self.rows)]) + 3
            for n, column in enumerate(self.columns)
        )
        return not self.rows or (not self.folded and widest <= 66 and len(self.rows) <= 26)


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix: ``counts[row][column]``; ``recalls`` adds a column of shares."""

    title: str
    names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    recalls: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        return sum(map(sum, self.counts))

    @property
    def correct(self) -> int:
        return sum(row[n] for n, row in enumerate(self.counts))

    def weight(self, row: int, column: int) -> float:
        """Share of its row, for the shading."""
        return self.counts[row][column] / max(1, sum(self.counts[row]))


@dataclass(frozen=True)
class Badge:
    """A verdict of one or a few words; ``passed`` is None where nothing was judged."""

    passed: bool | None
    word: str

    @property
    def kind(self) -> str:
        return "neutral" if self.passed is None else "met" if self.passed else "missed"

    @property
    def symbol(self) -> str:
        return "" if self.passed is None else "✓" if self.passed else "✗"


@dataclass(frozen=True)
class Section:
    """One heading of the page.

    ``lead`` states the finding in a sentence, after ``badge`` if there is a verdict; ``beside``
    is the table that fills the place next to an odd figure; ``waves`` is the payload of the
    waveform viewer, ``roots`` that of disagreements, ``course`` that of clips from input to
    decision; ``link`` is another page and its name.
    """

    key: str
    title: str
    lead: str
    figures: tuple[Figure, ...] = ()
    beside: Table | None = None
    matrices: tuple[Matrix, ...] = ()
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()
    waves: dict[str, Any] | None = None
    badge: Badge | None = None
    roots: dict[str, Any] | None = None
    course: dict[str, Any] | None = None
    link: tuple[str, str] | None = None


def unlisted(rows: int) -> str:
    """The note under a table of samples that lists the first ``ROWS_LISTED`` of ``rows``."""
    left = rows - ROWS_LISTED
    return f"{left} more are in samples.parquet." if left > 0 else ""


def columns(titles: str) -> tuple[Column, ...]:
    """Columns from titles parted by ``|``; a title that starts with ``#`` is numeric."""
    names = [title.strip() for title in titles.split("|")]
    return tuple(Column(name.removeprefix("#"), name.startswith("#")) for name in names)


def text(value: object, mark: Mark = "") -> Cell:
    """A text cell; missing values show a dash."""
    missing = value is None or value == "" or (isinstance(value, float) and value != value)
    return Cell(MISSING if missing else str(value), "" if missing else str(value), mark)


def figure(value: Any, shown: str | None = None, mark: Mark = "") -> Cell:
    """A numeric cell that sorts by ``value`` and shows ``shown`` (default: three digits)."""
    if not is_number(value):
        return Cell(MISSING, "", mark)
    return Cell(number(value) if shown is None else shown, float(value), mark)


def share_cell(part: float, whole: float, decimals: int = 2, bar: bool = True) -> Cell:
    """``part`` of ``whole`` as a percentage, with a bar where shares are small and large."""
    if not whole:
        return Cell(MISSING, "")
    share = part / whole
    return Cell(percent(share, decimals), share, share=share if bar else None)


def power_split(parts: Sequence[tuple[str, float, str]]) -> tuple[Share, ...]:
    """Shares of the blocks from (block, watts, shown)."""
    total = sum(value for _, value, _ in parts)
    if not total > 0:
        return ()
    return tuple(
        Share(BLOCKS[block], shown, max(0.0, value) / total, block) for block, value, shown in parts
    )
