"""What a report is made of, before anyone decides how it looks: the same blocks go to a terminal, a pipe or a picture."""

from dataclasses import dataclass

from backprop_cli.verdict import Check


@dataclass(frozen=True)
class Heading:
    """The title of a part, or of a part of a part (level 2)."""

    text: str
    level: int = 1


@dataclass(frozen=True)
class Fact:
    """A label and what there is to say about it, in a line."""

    label: str
    text: str


@dataclass(frozen=True)
class Formula:
    """A formula in symbols."""

    text: str


@dataclass(frozen=True)
class Worked:
    """One entry, with the numbers put in: `left = middle = result`, or without a middle where it would only repeat."""

    left: str
    middle: str
    result: str


@dataclass(frozen=True)
class Note:
    """A sentence in plain words."""

    text: str


@dataclass(frozen=True)
class Matrix:
    """Numbers in rows and columns with their indices. `entries[r][c]` is the written name of `cells[r][c]`."""

    name: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    entries: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Code:
    """Python source, shown as it is."""

    text: str


@dataclass(frozen=True)
class Checked:
    """A witness's verdict on one gradient, and how the worst entry is called."""

    name: str
    check: Check
    worst: str = ""


@dataclass(frozen=True)
class Outcome:
    """The last word: did everything agree?"""

    good: bool
    text: str


Block = Heading | Fact | Formula | Worked | Note | Matrix | Code | Checked | Outcome
