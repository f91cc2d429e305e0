"""What a witness says about a gradient: agree, disagree, kink or skipped, and the entry where it is furthest off.

Two numbers agree if they differ by a small part of the larger one, or if both are so small that the witness cannot
tell them from 0. That floor is part of the verdict, so that nobody has to guess it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from backprop_cli.trace import Trace

Witness = Literal["symbolic", "finite_difference", "complex_step", "claimed"]
Verdict = Literal["agree", "disagree", "kink", "skipped"]
WITNESSES: tuple[Witness, ...] = ("symbolic", "finite_difference", "complex_step")


class Entry(NamedTuple):
    """One entry of a gradient: where it is (from 0), what the engine says, what the witness says."""

    place: tuple[int, ...]
    engine: float
    witness: float

    @property
    def abs_error(self) -> float:
        return abs(self.engine - self.witness)

    @property
    def rel_error(self) -> float:
        larger = max(abs(self.engine), abs(self.witness))
        return self.abs_error / larger if larger else 0.0


class Precision(NamedTuple):
    """How good a witness is: relative to the larger number, and the size below which it can tell nothing."""

    rtol: float
    floor: float


class Check(NamedTuple):
    """What one witness says about one gradient. `checked` of its `total` entries were looked at."""

    ref: str
    witness: Witness
    verdict: Verdict
    reason: str = ""
    checked: int = 0
    total: int = 0
    max_abs_error: float = 0.0
    max_rel_error: float = 0.0
    floor: float = 0.0
    worst: Entry | None = None
    slopes: tuple[float, float] | None = None

    @property
    def summary(self) -> str:
        """What was looked at, and how large the error is."""
        if self.verdict == "skipped":
            return self.reason
        seen = f"{self.checked}" if self.checked == self.total else f"{self.checked} of {self.total}"
        text = f"{seen} {'entry' if self.total == 1 else 'entries'}, relative error ≤ {self.max_rel_error:.1e}"
        return f"{text}; {self.reason}" if self.reason else text


class Checks:
    """Checks as they come in, and whether all was well so far."""

    def __init__(self, source: Iterable[Check]) -> None:
        self._source = source
        self.exit_code = 0

    def __iter__(self) -> Iterator[Check]:
        for check in self._source:
            if check.verdict == "disagree":
                self.exit_code = 1
            yield check


EXACT = Precision(rtol=1e-9, floor=1e-14)
"""A witness that loses no digits."""

Sides = Callable[[Any], tuple[Any, Any]]
"""The slopes of L to the left and to the right of some entries."""


def judge(
    trace: Trace, ref: str, witness: Witness, entries: Any, values: Any, precision: Precision, sides: Sides
) -> Check:
    """Hold the engine's gradient `ref` against a witness's `values` at some `entries` (K, number of axes).

    Where they disagree, L may have a kink: `sides` then gives both slopes, and anything between them is right.
    `max_rel_error` is over the entries where either number is above the floor: below it, no ratio means anything.
    A gradient computed in single precision is given the room that its digits need.
    """
    gradient = np.asarray(trace[ref], float)
    eps = float(np.finfo(np.asarray(trace[ref]).dtype).eps)
    rtol, floor = max(precision.rtol, 1e4 * eps), max(precision.floor, 10 * eps)
    engine = gradient[tuple(entries.T)]
    relative = _relative(engine, values, floor)
    off = np.flatnonzero(relative > rtol)
    slopes = None
    if len(off):
        left, right = sides(entries[off])
        gap = floor * rtol + 1e-3 * np.maximum(abs(left), abs(right))
        low, high = np.minimum(left, right) - gap, np.maximum(left, right) + gap
        kinks = (abs(right - left) > gap) & (low <= engine[off]) & (engine[off] <= high)
        if kinks.all():
            slopes = (float(left[0]), float(right[0]))
        values = np.array(values)
        values[off[kinks]] = engine[off[kinks]]
        relative = _relative(engine, values, floor)
    apart = abs(engine - values)
    at = off[0] if slopes else int(np.lexsort((apart, relative))[-1])
    worst = Entry(tuple(map(int, entries[at])), float(engine[at]), float(values[at]))
    verdict: Verdict = "kink" if slopes else "disagree" if (relative > rtol).any() else "agree"
    errors = float(apart.max()), float(relative.max())
    return Check(ref, witness, verdict, "", len(entries), gradient.size, *errors, floor, worst, slopes)


def _relative(engine: Any, values: Any, floor: float) -> Any:
    """How far apart two numbers are for their size; 0 where both are below the floor."""
    larger = np.maximum(abs(engine), abs(values))
    return np.divide(abs(engine - values), larger, out=np.zeros_like(larger), where=larger > floor)


def skipped(trace: Trace, ref: str, witness: Witness, reason: str) -> Check:
    """No verdict, and why."""
    return Check(ref, witness, "skipped", reason, 0, np.size(trace[ref]))


Which = int | tuple[int, ...] | None
"""Which entries to look at: so many, spread evenly from first to last; this one (from 0); or all."""


def choose(shape: tuple[int, ...], which: Which) -> Any:
    """The entries that `which` means in an array of this shape, (K, number of axes)."""
    if isinstance(which, tuple):
        return np.array([which], int).reshape(1, len(shape))
    size = int(np.prod(shape))
    flat = np.arange(size) if which is None or which >= size else np.unique(np.linspace(0, size - 1, which).astype(int))
    return np.stack(np.unravel_index(flat, shape), axis=-1).reshape(len(flat), len(shape))


def worst_first(checks: Sequence[Check]) -> list[Check]:
    """Disagreements before kinks before agreements, and the larger error first."""
    order = {"disagree": 0, "kink": 1, "agree": 2, "skipped": 3}
    return sorted(checks, key=lambda check: (order[check.verdict], -check.max_rel_error))
