"""Data from files of named arrays, of rows, and of plain text."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from backprop_cli import arrays, files
from backprop_cli.datasets.dataset import Dataset
from backprop_cli.errors import InputError
from backprop_cli.language import tr


def read_npz(path: str) -> Dataset:
    """Arrays named as in Keras's mnist.npz (x_train, y_train, x_test, y_test), or x and y, perhaps with a test."""
    tensors = arrays.read_tensors(path)
    pairs = (("x_train", "y_train"), ("x", "y"))
    pair = next((pair for pair in pairs if tensors.keys() >= set(pair)), None)
    if pair is None:
        raise InputError(
            "{path}: holds {names}; expected x and y, or x_train, y_train, x_test and y_test",
            path=path,
            names=", ".join(tensors),
        )
    x, y = _pair(path, tensors, *pair)
    test = _pair(path, tensors, "x_test", "y_test") if {"x_test", "y_test"} <= tensors.keys() else None
    return Dataset(path, "images" if x.dtype == np.uint8 else "points", x, y, test)


def _pair(path: str, tensors: dict[str, Any], x_name: str, y_name: str) -> tuple[Any, Any]:
    x, y = (np.atleast_1d(arrays.numbers(tensors[name], f"{path}: {name}")) for name in (x_name, y_name))
    if len(x) != len(y):
        raise InputError(
            "{path}: {x_name} has {samples:,} samples, but {y_name} has {targets:,}",
            path=path,
            x_name=x_name,
            samples=len(x),
            y_name=y_name,
            targets=len(y),
        )
    return x, y


def read_table(path: str) -> Dataset:
    """Rows of a .csv or .tsv file, a header first; the last column is the target: a number, or the name of a class."""
    text = files.read_text(path)
    sign = next((sign for sign in "\t;," if sign in text.partition("\n")[0]), ",")
    rows = [(number, row) for number, row in files.parse_csv(text, path, sign) if any(row)]
    header = rows.pop(0)[1] if rows and not any(map(arrays.is_number, rows[0][1])) else []
    if not rows:
        raise InputError("{path}: holds no rows of data", path=path)
    width = len(header or rows[0][1])
    if width < 2:
        raise InputError("{path}: one column only; the last column is the target, the others are inputs", path=path)
    names = header or [tr("column {number}", number=number) for number in range(1, width + 1)]
    for line, row in rows:
        _check_row(f"{path}:{line}", row, names)
    x = np.array([[float(cell) for cell in row[:-1]] for _, row in rows])
    y, classes = _targets([row[-1].strip() for _, row in rows])
    places = tuple(line for line, _ in rows)
    return Dataset(path, "table", arrays.numbers(x, path), arrays.numbers(y, path), names=classes, lines=places)


def _check_row(place: str, row: list[str], names: list[str]) -> None:
    """Raises InputError if a row has too few or too many cells, or a word among the inputs."""
    if len(row) != len(names):
        raise InputError(
            "{place}: {found} cells in this row, but {count} columns", place=place, found=len(row), count=len(names)
        )
    for name, cell in zip(names[:-1], row, strict=False):
        if not arrays.is_number(cell):
            raise InputError("{place}: {name} is {cell!r}, not a number", place=place, name=name, cell=cell)


def _targets(cells: list[str]) -> tuple[Any, tuple[str, ...]]:
    """Numbers as they are; words as classes, in the order of the alphabet."""
    if all(map(arrays.is_number, cells)):
        return np.array([float(cell) for cell in cells]), ()
    classes = sorted(set(cells))
    numbers = {name: number for number, name in enumerate(classes)}
    return np.array([numbers[cell] for cell in cells]), tuple(classes)


def read_text(path: str) -> Dataset:
    """The characters of a text as tokens, the most frequent one being 0."""
    text = files.read_text(path)
    if len(text) < 2:
        raise InputError("{path}: too short to learn which character follows which", path=path)
    names = tuple(sign for sign, _ in Counter(text).most_common())
    numbers = {sign: number for number, sign in enumerate(names)}
    return Dataset(path, "text", np.array([numbers[sign] for sign in text]), None, names=names)
