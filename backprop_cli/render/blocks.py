"""What a report is made of, before anyone decides how it looks on a terminal, in a pipe or as a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from backprop_cli.language import tr
from backprop_cli.verdict import Check


class Heading(NamedTuple):
    """The title of a part, or of a part of a part (level 2)."""

    text: str
    level: int = 1


class Fact(NamedTuple):
    """A label and what there is to say about it, in a line; `indent` sets it under a formula.

    A `result` is what was asked for, and all that a quiet report says.
    """

    label: str
    text: str
    indent: int = 0
    result: bool = False


class Gauge(NamedTuple):
    """A label, a text, and a bar between them whose length is `share` of the longest."""

    label: str
    text: str
    share: float
    more: str


class Formula(NamedTuple):
    """A formula in symbols."""

    text: str


class Worked(NamedTuple):
    """One entry, with the numbers put in: `left = middle = result`, or without a middle where it would only repeat."""

    left: str
    middle: str
    result: str


class Note(NamedTuple):
    """A sentence in plain words."""

    text: str


class Prose(NamedTuple):
    """A paragraph of a text; `mark` is what stands before it in a list; a `tight` one follows without a gap."""

    text: str
    mark: str = ""
    tight: bool = False


class Matrix(NamedTuple):
    """Numbers in rows and columns with their indices. `entries[r][c]` is the written name of `cells[r][c]`.

    The first `worked` of them were worked out one by one already. Where not all columns fit side by side, a table that
    has to be read across is shown as the `narrow` facts, one for each row.
    """

    name: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    entries: tuple[tuple[str, ...], ...]
    worked: int = 0
    narrow: tuple[Fact, ...] = ()


class Tree(NamedTuple):
    """A name and what it leads to."""

    name: str
    branches: tuple[Tree, ...]


class Graph(NamedTuple):
    """A node of a computation graph: what it is called, the operation that makes it, its value and its gradient."""

    name: str
    operation: str
    value: str
    gradient: str
    sources: tuple[Graph, ...]


class Plot(NamedTuple):
    """A curve, the tangent at one of its points, that point, and a new one to which a change leads."""

    x_name: str
    y_name: str
    xs: tuple[float, ...]
    ys: tuple[float, ...]
    tangent: tuple[float, ...]
    point: tuple[float, float]
    new: tuple[float, float]


class Curves(NamedTuple):
    """Several curves over the same xs: the name of each, and its ys."""

    x_name: str
    y_name: str
    xs: tuple[float, ...]
    lines: tuple[tuple[str, tuple[float, ...]], ...]


class Code(NamedTuple):
    """Python source, shown as it is."""

    text: str


class Checked(NamedTuple):
    """A witness's verdict on one gradient, and how the worst entry is called."""

    name: str
    check: Check
    worst: str = ""


class Outcome(NamedTuple):
    """The last word: did everything agree?"""

    good: bool
    text: str


Block = (
    Heading
    | Fact
    | Gauge
    | Formula
    | Worked
    | Note
    | Prose
    | Matrix
    | Tree
    | Graph
    | Plot
    | Curves
    | Code
    | Checked
    | Outcome
)


def facts(table: Mapping[str, str]) -> Iterator[Fact]:
    """A line for each label."""
    return (Fact(label, text) for label, text in table.items())


def labelled(label: str, text: str) -> str:
    """A label and what there is to say about it, with the colon of the language."""
    return tr("{label}: {text}", label=label, text=text)


def witness_name(check: Check) -> str:
    """What a check's witness is called: finite difference."""
    return tr(check.witness.replace("_", " "))
