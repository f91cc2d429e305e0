"""A filled sheet: TOML, JSON, CSV, Markdown tables, or plain lines such as `dz1 = [0.0087, 0.00995]`.

All forms come to the same: names, and what stands behind them, as it was typed. A box that holds no number harms no
other box. Names that mean nothing to the key are passed over, and said to be.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

import numpy as np

from backprop_cli import files
from backprop_cli.errors import InputError, UsageError
from backprop_cli.grading.cells import Cell, read_cell
from backprop_cli.grading.key import Key
from backprop_cli.language import tr

ABOUT = frozenset(("sheet", "student", "name", "date", "digits"))
"""What a sheet says of itself."""
LINE = re.compile(
    r"""\s*(?:[-*>]\s+)?["'`]?(?P<name>[^\s"'`=:|#\[\]]+(?:\s*\[[^\[\]=]*\])?)["'`]?\s*[=:：＝]\s*(?P<rest>.*)"""
)
TOKEN = re.compile(r"""[\[\],;，]|"[^"\n]*"|'[^'\n]*'|\#[^\n]*|[^\s\[\],;，"'\#]+""")
DEEPEST = 8

Nested = str | list["Nested"]


@dataclass
class Submission:
    """What was handed in: cells by value and place, what the sheet says of itself, and what was passed over."""

    name: str
    about: dict[str, str] = field(default_factory=dict)
    cells: dict[str, dict[tuple[int, ...], Cell]] = field(default_factory=dict)
    passed_over: list[str] = field(default_factory=list)
    turned: list[str] = field(default_factory=list)

    def arrays(self, ref: str, shape: tuple[int, ...]) -> tuple[Any, Any]:
        """The numbers typed for a value, NaN where there is none, and half a unit of the last digit of each."""
        value, half = np.full(shape, np.nan), np.zeros(shape)
        for place, cell in self.cells[ref].items():
            value[place], half[place] = cell.value, cell.half
        return value, half


def read_submission(path: str, key: Key) -> Submission:
    """A filled sheet. Raises InputError for a file that cannot be read, with the line."""
    return read_sheet(files.read_text(path), path, key)


def read_sheet(text: str, path: str, key: Key) -> Submission:
    """The same from its text; what form it has, the ending of `path` says, or its first sign."""
    found = Submission(PurePath(path).name if path != "-" else "-")
    if "\0" in text:
        raise InputError("{path}: not a text file", path=path)
    for name, value, line in _pairs(text, path):
        _take(found, name, value, line, path, key)
    return found


def sheet_id(text: str, path: str) -> str:
    """The name of the sheet that was filled, if it says so."""
    return next(
        (value for name, value, _ in _pairs(text, path) if name.lower() == "sheet" and isinstance(value, str)), ""
    )


def _pairs(text: str, path: str) -> Iterator[tuple[str, Nested, int]]:
    """Names, what stands behind them, and on which line."""
    if path.endswith(".json") or (path == "-" and text.lstrip().startswith("{")):
        return _of_json(text, path)
    if path.endswith(".csv"):
        return _of_csv(text, path)
    return _of_lines(text.splitlines(), path)


def _of_json(text: str, path: str) -> Iterator[tuple[str, Nested, int]]:
    table = files.parse_json(text, path, parse_float=str, parse_int=str, parse_constant=str)
    if not isinstance(table, dict):
        raise InputError('{path}: expected an object such as {{"dz1": [0.1, 0.2]}}', path=path)
    for part in (table, *(inner for inner in table.values() if isinstance(inner, dict))):
        yield from ((name, _plain(value), 0) for name, value in part.items() if not isinstance(value, dict))


def _plain(value: Any) -> Nested:
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def _of_csv(text: str, path: str) -> Iterator[tuple[str, Nested, int]]:
    """Rows of an address and a number; other columns, and a line of headings, are passed over."""
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)
    try:
        rows = csv.reader(text.splitlines(), delimiter=separator)
        for row in rows:
            if len(row) >= 2 and row[0].strip():
                yield row[0].strip(), row[-1] if len(row) == 2 else row[1], rows.line_num
    except csv.Error as error:
        raise InputError("{path}: not valid CSV: {why}", path=path, why=error) from None


def _of_lines(lines: list[str], path: str) -> Iterator[tuple[str, Nested, int]]:
    """Lines `name = value`, where a list may go on over several; and the rows of tables."""
    rest = iter(enumerate(lines, 1))
    head: list[str] = []
    for number, line in rest:
        if line.lstrip().startswith("|"):
            cells = [cell.strip().strip("`*") for cell in line.strip().strip("|").split("|")]
            head = head or cells
            yield from ((name, value, number) for name, value in _of_row(cells, head))
            continue
        head = []
        if found := LINE.match(line):
            text = found["rest"]
            while text.count("[") > text.count("]") and (more := next(rest, None)):
                text += "\n" + more[1]
            yield found["name"], _value(text, path, number), number


def _of_row(cells: list[str], head: list[str]) -> Iterator[tuple[str, str]]:
    """A row of a table: an address and its number; or, if the head counts 1, 2, …, a row of numbers."""
    if cells is head or set("".join(cells)) <= set(":- "):
        return
    columns = head[1:]
    if columns == [str(place) for place in range(1, len(head))] and len(cells) == len(head):
        for column, cell in zip(columns, cells[1:], strict=True):
            yield f"{head[0]}[{cells[0]},{column}]" if cells[0].isdigit() else f"{cells[0]}[{column}]", cell
    elif len(cells) >= 2 and cells[0]:
        yield cells[0], cells[1]


def _value(text: str, path: str, line: int) -> Nested:
    """What stands behind a name: one number as text, or a list of such."""
    if not text.lstrip().startswith("["):
        quoted = re.fullmatch(r"""\s*(["'])(.*?)\1\s*(#.*)?""", text)
        plain = quoted[2] if quoted else re.split(r"(?:\s|^)#", text, maxsplit=1)[0].strip().rstrip(",;")
        return re.split("[=≈＝]", plain)[-1]
    stack: list[list[Nested]] = [[]]
    before = ""
    for found in TOKEN.finditer(text):
        token = found[0]
        if token == "[" and len(stack) <= DEEPEST:
            stack.append([])
        elif token == "]" and len(stack) > 1:
            inner = stack.pop()
            stack[-1].append(inner)
        elif token in ",;，":
            stack[-1] += [""] * (before in ("[", ",", ";", "，"))  # a box left blank
        elif token[0] != "#":
            stack[-1].append(token.strip("\"'"))
        if len(stack) == 1:
            return stack[0][0]
        before = token
    raise InputError("{path}:{line}: a bracket is not closed, or one too many is", path=path, line=line)


def _take(found: Submission, name: str, value: Nested, line: int, path: str, key: Key) -> None:
    """Put what stands behind a name into its boxes."""
    if name.lower() in ABOUT and isinstance(value, str):
        found.about[name.lower()] = value
        return
    try:
        ref, place = key.find(name)
    except UsageError:
        found.passed_over.append(name)
        return
    boxes = found.cells.setdefault(ref, {})
    given = {place: _one(value)} if place is not None else dict(_boxes(found, ref, value, key))
    for each, cell in given.items():
        if each in boxes:
            where = f"{path}:{line}" if line else path
            raise InputError("{where}: {name} is given twice", where=where, name=key.address(ref, each))
        boxes[each] = cell


def _one(value: Nested) -> Cell:
    return read_cell(value) if isinstance(value, str) else Cell("[…]", fault=tr("one number is asked for here"))


def _boxes(found: Submission, ref: str, value: Nested, key: Key) -> Iterator[tuple[tuple[int, ...], Cell]]:
    """The entries of a list, each with its place. A list whose rows are our columns is turned.

    Of a list of another shape nothing can be read.
    """
    shape = np.shape(key.trace[ref])
    given = _shape(value)
    flat = list(_flat(value))
    short = tuple(size for size in shape if size > 1)
    if given == shape or tuple(size for size in given if size > 1) == short:
        yield from zip(np.ndindex(*shape), map(read_cell, flat), strict=True)
    elif len(given) == 2 and given[::-1] == shape[-2:] and len(shape) == 2:
        found.turned.append(ref)
        places = ((column, row) for row, column in np.ndindex(*given))
        yield from zip(places, map(read_cell, flat), strict=True)
    else:
        said = tr(
            "{given} stands here, {needed} is asked for",
            given=_counted(given) if -1 not in given else tr("rows of different lengths"),
            needed=_counted(short),
        )
        yield from ((place, Cell("[…]", fault=said)) for place in np.ndindex(*shape))


def _counted(shape: tuple[int, ...]) -> str:
    """A shape in words: 3 × 4 numbers."""
    return tr("one number") if not shape else tr("a list of {shape}", shape=" × ".join(map(str, shape)))


def _flat(value: Nested) -> Iterator[str]:
    if isinstance(value, list):
        for part in value:
            yield from _flat(part)
    else:
        yield value


def _shape(value: Nested) -> tuple[int, ...]:
    """The shape of nested lists; (-1,) if they are of different lengths."""
    if not isinstance(value, list):
        return ()
    shapes = {_shape(part) for part in value}
    inner = shapes.pop() if len(shapes) == 1 else (-1,) if shapes else ()
    return (len(value), *inner)
