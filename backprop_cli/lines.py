"""How a text is broken into lines and columns, measured in cells: the columns of a terminal, of which 字 takes two."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from typing import TextIO
from unicodedata import combining, east_asian_width

HAN = "\u2e80-\u2fdf\u3005-\u3007\u3040-\u9fff\uac00-\ud7af\uf900-\ufaff"
"""Characters between which a line may be broken, for such languages put no spaces there."""
OPENING, CLOSING = "（《〈「『【〔“‘", "，。、；：！？）》〉」』】〕”’…"
"""Punctuation that may not end a line, or begin one."""
PIECE = re.compile(f" +|[{OPENING}]*(?:[{HAN}]|[^ {HAN}{OPENING}{CLOSING}]+)[{CLOSING}]*|.")
NARROW = 30
"""Fewer cells than this are too few for the second of two columns."""
COLUMNS = re.compile(r"(?P<term>  \S.*?) {2,}(?P<meaning>\S.*)")


def terminal_width(stream: TextIO | None = None) -> int:
    """How many columns the terminal that we write to has: COLUMNS, else what it says itself, else 80."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdigit() and int(columns):
        return int(columns)
    try:
        return os.get_terminal_size((stream or sys.stdout).fileno()).columns or 80
    except (OSError, ValueError, AttributeError):  # no terminal; or no real stream, as in a notebook
        return 80


def cells(text: str) -> int:
    """How many columns of a terminal `text` takes."""
    if text.isascii():
        return len(text)
    return sum(2 if east_asian_width(sign) in "WF" else 0 if combining(sign) else 1 for sign in text)


def padded(text: str, width: int) -> str:
    """`text` with blanks behind it up to `width` cells."""
    return text + " " * (width - cells(text))


def fold(text: str, width: int, first: str = "", rest: str = "  ") -> list[str]:
    """`text` in lines of at most `width` cells, begun with `first` and `rest`.

    Lines break at blanks and between Chinese characters, but never before a 。 or after a （; a no-break space holds
    together. What is wider than a line by itself is cut.
    """
    lines, line = [], first
    empty = True
    for piece in _pieces(text, width - max(cells(first), cells(rest))):
        if not empty and cells(line) + cells(piece.rstrip(" ")) > width:
            lines.append(line.rstrip(" "))
            line, empty = rest, True
        if not empty or not lines or piece.strip(" "):
            line, empty = line + piece, False
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in [*lines, line.rstrip(" ")]]


def _pieces(text: str, widest: int) -> Iterator[str]:
    """What may not be broken, and the blanks between; what is wider than `widest` is cut, character by character."""
    for piece in PIECE.findall(text.replace("\n", " ")):
        yield from piece if cells(piece) > widest else (piece,)


def columns(rows: Sequence[tuple[str, str]], width: int, widest: int = 30) -> Iterator[str]:
    """Terms and their meanings side by side, as lines; one below the other where there is no room for both."""
    wide = min(max(cells(term) for term, _ in rows), widest) + 4
    for term, meaning in rows:
        if width - wide < NARROW:
            yield from fold(term, width, "  ", "    ")
            yield from fold(meaning, width, " " * 6, " " * 6)
            continue
        lines = fold(meaning, width, " " * wide, " " * wide)
        if cells(term) + 4 <= wide:
            lines[0] = padded("  " + term, wide) + lines[0][wide:]
        else:
            yield from fold(term, width, "  ", "    ")
        yield from lines


def fitted(text: str, width: int) -> str:
    """A page made for 80 columns, on fewer: what is too wide is folded, and two columns go below each other."""
    return "".join(f"{line}\n" for given in text.splitlines() for line in _fitted(given, width))


def _fitted(line: str, width: int) -> Iterator[str]:
    if cells(line) <= width:
        yield line
    elif found := COLUMNS.fullmatch(line):
        yield from columns([(found["term"].strip(), found["meaning"])], width, 0)
    else:
        indent = " " * (len(line) - len(line.lstrip()))
        yield from fold(line.lstrip(), width, indent, indent + "  ")
