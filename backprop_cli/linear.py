"""Formulas that are linear in one of their operands, as every gradient is in the gradient it reads: its coefficients.

With the numbers of a tape for the other operands, dx[1] = Σⱼ W[j,1]·dz[j] is 0.4·dz[1] + 0.3·dz[2]: a sum of unknowns.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from backprop_cli.formula import NUMBERS, Algebra


class Linear(dict[tuple[int, ...], float]):
    """A sum of unknowns, one for each entry of an array, each times a number: dz[1]·0.4 + dz[2]·0.3."""

    __array_ufunc__ = None  # NumPy's numbers leave their arithmetic with it to it

    def __add__(self, other: Any) -> Any:
        return _gathered((self, other))

    __radd__ = __add__

    def __mul__(self, factor: Any) -> Any:
        if isinstance(factor, int) and not factor:  # what lies outside an array
            return 0
        return Linear({place: value * factor for place, value in self.items()})

    __rmul__ = __mul__

    def __truediv__(self, divisor: Any) -> Linear:
        return Linear({place: value / divisor for place, value in self.items()})

    def __neg__(self) -> Linear:
        return Linear({place: -value for place, value in self.items()})

    def __sub__(self, other: Any) -> Any:
        return self + -other

    def __rsub__(self, other: Any) -> Any:
        return -self + other


def _gathered(terms: Iterable[Any]) -> Any:
    """The sum of terms, of which any may be 0 instead of a sum of unknowns; and of numbers the number."""
    unknowns, rest = Linear(), 0
    for term in terms:
        if isinstance(term, Linear):
            for place, value in term.items():
                unknowns[place] = unknowns.get(place, 0.0) + value
        else:
            rest += term
    return unknowns or rest


def _averaged(terms: Iterable[Any]) -> Any:
    every = list(terms)
    return _gathered(every) / len(every)


COEFFICIENTS: Algebra = {
    **NUMBERS,
    "sum": _gathered,
    "mean": _averaged,
    "==": lambda p, q: int(p == q) if isinstance(p, int) and isinstance(q, int) else float(p == q),
}
"""Numbers and sums of unknowns. A 0 that is an int is no number on the tape: what it multiplies is not read at all."""
