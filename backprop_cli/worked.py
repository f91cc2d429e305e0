"""The arithmetic a student would write: the formula of one entry with the numbers put in.

    z₁[1] = 0.15·0.05 + 0.2·0.1 + 0.35 = 0.3775

The numbers are shown with a few digits; the result is the engine's own, computed from all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from backprop_cli.notation import ONE, WRITTEN, Notation, Term, number
from backprop_cli.trace import Step


class Leaves:
    """An array whose entries are made when they are asked for: written terms, for instance."""

    def __init__(self, make: Callable[[tuple[int, ...]], Any]) -> None:
        self.make = make

    def __getitem__(self, index: tuple[int, ...]) -> Any:
        return self.make(index)


def leaves(notation: Notation, ref: str, write: Callable[[str, tuple[int, ...]], Term]) -> Any:
    """A value whose entries are written by `write`; a gradient that is 1 by definition is written as nothing."""
    shape = np.shape(notation.trace[ref])
    if ref in notation.ones:
        return Leaves(lambda place: ONE) if shape else ONE
    return Leaves(partial(write, ref)) if shape else write(ref, ())


def with_numbers(notation: Notation, step: Step, index: tuple[int, ...], digits: int) -> str:
    """The right side of one entry with numbers in the place of names: `0.15·0.05 + 0.2·0.1 + 0.35`."""
    return _right_side(notation, step, index, lambda ref, place: number(_at(notation, ref, place), digits))


def with_symbols(notation: Notation, step: Step, index: tuple[int, ...]) -> str:
    """The right side of one entry with each operand by its name: `W₁[1,1]·x[1] + W₁[1,2]·x[2] + b₁[1]`."""
    return _right_side(notation, step, index, lambda ref, place: Term(notation.entry(ref, place)))


def result(notation: Notation, step: Step, index: tuple[int, ...], digits: int) -> str:
    """The engine's value of the entry."""
    return number(_at(notation, step.ref, index), digits).text


def _right_side(
    notation: Notation, step: Step, index: tuple[int, ...], write: Callable[[str, tuple[int, ...]], Term]
) -> str:
    formula = notation.line(step)
    shapes = {name: np.shape(notation.trace[ref]) for name, ref in step.operands.items()}
    operands = {name: leaves(notation, ref, write) for name, ref in step.operands.items()}
    at = dict(zip(formula.target.axes, index, strict=True))
    return str(formula.at(at, operands, WRITTEN, formula.bind(shapes)).text)


def _at(notation: Notation, ref: str, index: tuple[int, ...]) -> Any:
    value = notation.trace[ref]
    return value[index] if np.ndim(value) else value
