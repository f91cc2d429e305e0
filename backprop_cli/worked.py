"""The arithmetic a student would write: the formula of one entry with the numbers put in.

    z₁[1] = 0.15·0.05 + 0.2·0.1 + 0.35 = 0.3775

The numbers are shown with a few digits; the result is the engine's own, computed from all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from backprop_cli.formula import NUMBERS, Algebra
from backprop_cli.notation import ONE, WRITTEN, Notation, Term, number
from backprop_cli.syntax import REDUCTIONS
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


class Worked(NamedTuple):
    """A number and how it is written: formulas are computed in both at once, so that a branch is known when met."""

    value: Any
    term: Term


def _both(op: str) -> Callable[..., Worked]:
    def apply(*args: Worked) -> Worked:
        value = NUMBERS[op](*[arg.value for arg in args])
        if op == "where":
            return args[1] if args[0].value else args[2]
        return Worked(value, WRITTEN[op](*[arg.term for arg in args]))

    return apply


def _over_all(op: str) -> Callable[[Iterator[Worked]], Worked]:
    def apply(terms: Iterator[Worked]) -> Worked:
        both = list(terms)
        return Worked(NUMBERS[op](each.value for each in both), WRITTEN[op](each.term for each in both))

    return apply


BOTH: Algebra = {
    **{op: _both(op) for op in NUMBERS},
    **{op: _over_all(op) for op in REDUCTIONS},
    "number": lambda value: Worked(value, WRITTEN["number"](value)),
}
"""Numbers and written terms side by side; of a piecewise formula, only the branch that is taken is written."""


def with_numbers(notation: Notation, step: Step, index: tuple[int, ...], digits: int) -> str:
    """The right side of one entry with numbers in the place of names: `0.15·0.05 + 0.2·0.1 + 0.35`."""
    return right_side(notation, step, index, lambda ref, place: number(notation.trace.entry(ref, place), digits))


def with_symbols(notation: Notation, step: Step, index: tuple[int, ...]) -> str:
    """The right side of one entry with each operand by its name: `W₁[1,1]·x[1] + W₁[1,2]·x[2] + b₁[1]`."""
    return right_side(notation, step, index, lambda ref, place: Term(notation.entry(ref, place)))


def result(notation: Notation, step: Step, index: tuple[int, ...], digits: int) -> str:
    """The engine's value of the entry."""
    return number(notation.trace.entry(step.ref, index), digits).text


def right_side(
    notation: Notation, step: Step, index: tuple[int, ...], write: Callable[[str, tuple[int, ...]], Term]
) -> str:
    """The right side of one entry, each operand's entry as `write` has it."""

    def leaf(ref: str, place: tuple[int, ...]) -> Worked:
        return Worked(notation.trace.entry(ref, place), ONE if ref in notation.ones else write(ref, place))

    formula = notation.line(step)
    shapes = {name: np.shape(notation.trace[ref]) for name, ref in step.operands.items()}
    operands = {
        name: Leaves(partial(leaf, ref)) if shapes[name] else leaf(ref, ()) for name, ref in step.operands.items()
    }
    at = dict(zip(formula.target.axes, index, strict=True))
    with np.errstate(all="ignore"):
        found = formula.at(at, operands, BOTH, notation.sizes(step))
    return str(found.term.text)
