"""What a sheet asks for, and the numbers that come of it: a key file, a problem file, or a preset."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from backprop_cli.addresses import read_address
from backprop_cli.errors import InputError, UsageError, unknown
from backprop_cli.grading.slopes import with_slopes
from backprop_cli.mistakes import Slips
from backprop_cli.notation import Notation
from backprop_cli.problem import Problem, load
from backprop_cli.problem_file import is_file, read_source
from backprop_cli.refs import spoken
from backprop_cli.trace import Step, Trace

Place = tuple[int, ...]
DIGITS = 4
"""The significant digits a sheet asks for, where it does not say; of a bare problem, fewer are enough."""
FEWEST = 3
PARTS = ("forward", "loss", "backward", "update")
ASKED = frozenset(("id", "student", "ask", "digits", "points"))
TINY = 1e-300
NOTHING = 1e-13
"""A number so much smaller than what it is the sum of is 0."""


@dataclass(frozen=True, eq=False)
class Key:
    """A problem, run, and what is asked of it. `sheet` is the table of that name in a key file."""

    problem: Problem
    trace: Trace
    sheet: Mapping[str, Any] = field(default_factory=dict)
    _rows: dict[tuple[str, ...], Any] = field(default_factory=dict)
    _addresses: dict[str, tuple[str, Place | None]] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The name of this variant; empty for a bare problem."""
        return str(self.sheet.get("id", ""))

    @cached_property
    def digits(self) -> int:
        """How many significant digits are asked for."""
        return int(self.sheet.get("digits", DIGITS if self.sheet else FEWEST))

    @cached_property
    def notation(self) -> Notation:
        """How its values are written."""
        return Notation(self.trace)

    @cached_property
    def slips(self) -> Slips:
        """What can go wrong."""
        return Slips(self.trace)

    @cached_property
    def steps(self) -> dict[str, Step]:
        """What made each value."""
        return {step.ref: step for step in self.trace.steps}

    @cached_property
    def values(self) -> dict[str, Any]:
        """Each value as an array; what is 0 but for rounding is 0."""
        arrays = {ref: np.asarray(value, float) for ref, value in self.trace.values.items()}
        return {ref: np.where(abs(array) > NOTHING, array, 0.0) for ref, array in arrays.items()}

    def in_a_row(self, refs: tuple[str, ...]) -> Any:
        """The numbers of some values, one after another."""
        if refs not in self._rows:
            self._rows[refs] = np.concatenate([self.values[ref].ravel() for ref in refs])
        return self._rows[refs]

    @cached_property
    def asked(self) -> dict[str, Any]:
        """The boxes of the sheet: for each value that is asked for, which of its entries."""
        found: dict[str, Any] = {}
        for text in self.sheet.get("ask", ()):
            for ref, place in self._meant(str(text)):
                if ref not in self.steps:
                    raise UsageError("{name} is given, so it cannot be asked for", name=text)
                boxes = found.setdefault(ref, np.zeros(np.shape(self.trace[ref]), bool))
                boxes[place if place is not None else ...] = True
        return {ref: found[ref] for ref in self.trace.values if ref in found}

    def _meant(self, text: str) -> Iterator[tuple[str, Place | None]]:
        if text in ("all", *PARTS):
            yield from ((ref, None) for ref in asked_of(self.trace, PARTS if text == "all" else (text,)))
        else:
            yield self.find(text)

    def points(self, ref: str, place: Place) -> float:
        """What a box is worth."""
        table = self.sheet.get("points", {})
        return float(next((table[name] for name in self._names(ref, place) if name in table), 1))

    def _names(self, ref: str, place: Place) -> Iterator[str]:
        yield from (self.address(ref, place), self.notation.address(ref, place), spoken(ref), ref)

    def find(self, text: str) -> tuple[str, Place | None]:
        """The value that an address names, and the entry; None if it is the whole value. Raises UsageError."""
        if text not in self._addresses:
            self._addresses[text] = read_address(text, self.notation)
        return self._addresses[text]

    def address(self, ref: str, place: Place) -> str:
        """A box as people call it: delta1[2]."""
        return spoken(ref) + self.notation.address(ref, place)[len(ref) :]

    @cached_property
    def samples(self) -> int:
        """How many samples there are."""
        return len(np.atleast_1d(self.trace["x"])) if "x" in self.trace else 1

    @cached_property
    def outputs(self) -> int:
        """How many outputs there are."""
        return int(np.shape(self.trace["y"])[-1]) if "y" in self.trace and np.ndim(self.trace["y"]) > 1 else 1


def half_unit(value: Any, digits: int) -> Any:
    """Half a unit of the last of so many significant digits; of 0, next to nothing."""
    power = np.floor(np.log10(abs(value) + TINY)) - digits + 1
    return np.maximum(0.5 * 10.0**power, NOTHING)


def asked_of(trace: Trace, parts: Iterable[str]) -> list[str]:
    """What there is to ask of each part of a step: every z and a; L; every δ and gradient; every update."""
    parts = tuple(parts)
    owned = {step.ref.removesuffix("_new") for step in trace.of_phase("update")} & set(trace.values)
    found = []
    for step in trace.steps:
        if step.phase == "backward":
            wanted = re.fullmatch(r"dz[a-z]?\d+(@\d+)?", step.ref) or step.ref[1:] in owned
        else:
            wanted = step.ref == "L" if step.phase == "loss" else not step.ref.startswith("slope")
        if step.phase in parts and wanted:
            found.append(step.ref)
    return found


def read_key(source: str) -> Key:
    """A key: a file with a table [sheet], or any problem. Raises UsageError or InputError."""
    table = read_source(source)
    sheet = table.pop("sheet", {})
    try:
        problem = load(table)
    except UsageError as error:
        raise type(error)(f"{source}: {error}") if is_file(source) else error from None
    for name in sheet:
        if name not in ASKED:
            raise unknown("key", name, ASKED)
    key = Key(problem, with_slopes(problem.run()), sheet)
    try:
        key.asked, key.digits  # noqa: B018  what is asked for is looked at now, not while marking
    except (TypeError, ValueError, UsageError) as error:
        raise InputError("{path}: [sheet]: {why}", path=source, why=error) from None
    return key
