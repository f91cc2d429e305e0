"""A filled sheet: which boxes it fills with what.

A box that holds no number harms no other box. Names that mean nothing to the key are passed over, and said to be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

import numpy as np

from backprop_cli.errors import InputError, UsageError
from backprop_cli.grading.cells import Cell, read_cell
from backprop_cli.grading.key import Key, Place
from backprop_cli.grading.reading import Nested, pairs
from backprop_cli.language import tr

Given = Mapping[str, tuple[Any, Any]]
"""What is typed for each value, and half a unit of the last digit of each number."""
ABOUT = frozenset(("sheet", "student", "name", "date", "digits"))
"""What a sheet says of itself."""


@dataclass
class Submission:
    """What was handed in: cells by value and place, what the sheet says of itself, and what was passed over.

    `turned` are the values whose rows were typed as columns.
    """

    name: str
    about: dict[str, str] = field(default_factory=dict)
    cells: dict[str, dict[Place, Cell]] = field(default_factory=dict)
    passed_over: list[str] = field(default_factory=list)
    turned: list[str] = field(default_factory=list)

    def given(self, key: Key) -> Given:
        """The numbers typed for each value, in the order of the step."""
        return {ref: self._arrays(ref, np.shape(key.trace[ref])) for ref in key.trace.values if ref in self.cells}

    def _arrays(self, ref: str, shape: tuple[int, ...]) -> tuple[Any, Any]:
        """The numbers typed for a value, NaN where there is none, and half a unit of the last digit of each."""
        value, half = np.full(shape, np.nan), np.zeros(shape)
        for place, cell in self.cells[ref].items():
            value[place], half[place] = cell.value, cell.half
        return value, half


def read_sheet(text: str, path: str, key: Key) -> Submission:
    """A filled sheet. Raises InputError for a text that cannot be read, with the line."""
    found = Submission(PurePath(path).name if path != "-" else "-")
    if "\0" in text:
        raise InputError("{path}: not a text file", path=path)
    for name, value, line in pairs(text, path):
        where = f"{path}:{line}" if line else path
        _take(found, name, value, where, key)
    return found


def sheet_id(text: str, path: str) -> str:
    """The name of the sheet that was filled, if it says so."""
    names = (value for name, value, _ in pairs(text, path) if name.lower() == "sheet")
    return next((value for value in names if isinstance(value, str)), "")


def _take(found: Submission, name: str, value: Nested, where: str, key: Key) -> None:
    """Put what stands behind a name into its boxes. What is given is no answer, though it may stand there."""
    if name.lower() in ABOUT and isinstance(value, str):
        found.about.setdefault(name.lower(), value)
        return
    try:
        ref, place = key.find(name)
    except UsageError:
        found.passed_over.append(name)
        return
    if key.asked and ref not in key.asked and ref in key.notation.leaves:
        return
    boxes = found.cells.setdefault(ref, {})
    given = {place: _one(value)} if place is not None else dict(_boxes(found, ref, value, key))
    for each, cell in given.items():
        if each in boxes:
            raise InputError("{where}: {name} is given twice", where=where, name=key.address(ref, each))
        boxes[each] = cell


def _one(value: Nested) -> Cell:
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return read_cell(value) if isinstance(value, str) else Cell("[…]", fault=tr("one number is asked for here"))


def _boxes(found: Submission, ref: str, value: Nested, key: Key) -> Iterator[tuple[Place, Cell]]:
    """The entries of a list, each with its place. A list whose rows are our columns is turned.

    Of a list of another shape nothing can be read.
    """
    shape, given = np.shape(key.trace[ref]), _shape(value)
    short = tuple(size for size in shape if size > 1)
    if given and min(given) > 0 and tuple(size for size in given if size > 1) == short:
        yield from zip(np.ndindex(*shape), map(read_cell, _flat(value)), strict=True)
    elif len(given) == 2 and given[::-1] == shape:
        found.turned.append(ref)
        places = ((column, row) for row, column in np.ndindex(*given))
        yield from zip(places, map(read_cell, _flat(value)), strict=True)
    else:
        typed = tr("rows of different lengths") if -1 in given else _counted(given)
        said = tr("here: {given}; asked for: {needed}", given=typed, needed=_counted(short))
        yield from ((place, Cell("[…]", fault=said)) for place in np.ndindex(*shape))


def _counted(shape: tuple[int, ...]) -> str:
    """A shape in words: a list of 3 × 4."""
    return tr("one number") if not shape else tr("a list of {shape}", shape=" × ".join(map(str, shape)))


def _flat(value: Nested) -> Iterator[str]:
    if isinstance(value, list):
        for part in value:
            yield from _flat(part)
    else:
        yield value


def _shape(value: Nested) -> tuple[int, ...]:
    """The shape of nested lists; with −1 in it if they are of different lengths."""
    if not isinstance(value, list):
        return ()
    shapes = {_shape(part) for part in value}
    inner = shapes.pop() if len(shapes) == 1 else (-1,) if shapes else ()
    return (len(value), *inner)
