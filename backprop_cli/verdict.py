"""What a witness says about a gradient: agree, disagree, kink or skipped, and the entry where it is furthest off.

Two numbers agree if they differ by a small part of the larger one, or if both are so small that the witness cannot
tell them from 0. That floor is part of the verdict, so that nobody has to guess it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from backprop_cli.language import tr
from backprop_cli.trace import Trace

Witness = Literal["symbolic", "finite_difference", "complex_step", "claimed"]
Verdict = Literal["agree", "disagree", "kink", "skipped"]
LONGEST = 1_000_000
"""The most numbers in an array for which rounding is measured: longer numbers are slow."""
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
    """What one witness says about one gradient. `checked` of its `total` entries were looked at.

    Of these, `under` were too small to tell: below the `floor`, on both sides.
    """

    ref: str
    witness: Witness
    verdict: Verdict
    reason: str = ""
    checked: int = 0
    total: int = 0
    max_abs_error: float = 0.0
    max_rel_error: float = 0.0
    floor: float = 0.0
    under: int = 0
    worst: Entry | None = None
    slopes: tuple[float, float] | None = None

    def noting(self, more: str) -> Check:
        """The same with something more to say of it."""
        return self._replace(reason=tr("{facts}; {reason}", facts=self.reason, reason=more) if self.reason else more)

    @property
    def summary(self) -> str:
        """What was looked at, and how large the error is."""
        if self.verdict == "skipped":
            return self.reason
        facts = tr(", ").join(self._facts())
        return tr("{facts}; {reason}", facts=facts, reason=self.reason) if self.reason else facts

    def _facts(self) -> Iterator[str]:
        """How many entries were looked at, how far off they are, and how many are too small to tell."""
        if self.total == 1:
            yield tr("1 entry")
        elif self.checked == self.total:
            yield tr("{count:,} entries", count=self.total)
        else:
            yield tr("{count:,} of {total:,} entries", count=self.checked, total=self.total)
        if self.under < self.checked:
            error = self.max_rel_error
            yield tr("relative error ≤ {error:.1e}", error=error) if error else tr("no error at all")
        if self.under == self.checked:
            yield tr("all under the floor of {floor:.0e}, where nothing can be told", floor=self.floor)
        elif self.under:
            yield tr(
                "{count:,} of them under the floor of {floor:.0e}, where nothing can be told",
                count=self.under,
                floor=self.floor,
            )


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


EXACT = Precision(rtol=1e-6, floor=1e-14)
"""A witness that loses no digits; what the engine itself has lost is measured."""

Sides = Callable[[Any], tuple[Any, Any, float]]
"""The slopes of L to the left and to the right of some entries, and by how much they are uncertain."""


def judge(
    trace: Trace, ref: str, witness: Witness, entries: Any, values: Any, precision: Precision, sides: Sides
) -> Check:
    """Hold the engine's gradient `ref` against a witness's `values` at some `entries` (K, number of axes).

    Where they disagree, L may have a kink: `sides` then gives both slopes, and anything between them is right. It is
    the engine that must lie between them, or, where a gradient is claimed, the claim. `max_rel_error` is over the
    entries where either number is above the floor: below it, no ratio means anything.
    """
    gradient = np.asarray(trace[ref], float)
    eps = float(np.finfo(np.asarray(trace[ref]).dtype).eps)
    rtol = max(precision.rtol, 1e4 * eps)
    floor = max(precision.floor, 10 * eps, 16 * rounding(trace, ref) / rtol)
    engine = np.atleast_1d(gradient[tuple(entries.T)])
    relative = _relative(engine, values, floor)
    off = np.flatnonzero(relative > rtol)
    slopes = None
    if len(off):
        left, right, noise = sides(entries[off])
        gap = noise + floor * rtol + 1e-3 * np.maximum(abs(left), abs(right))
        judged = values[off] if witness == "claimed" else engine[off]
        between = (np.minimum(left, right) - gap <= judged) & (judged <= np.maximum(left, right) + gap)
        kinks = (abs(right - left) > 4 * gap) & between
        if kinks.all():
            slopes = (float(left[0]), float(right[0]))
        values = np.array(values)
        values[off[kinks]] = engine[off[kinks]]
        relative = _relative(engine, values, floor)
    apart = abs(engine - values)
    at = off[0] if slopes else int(np.lexsort((apart, relative))[-1])
    worst = Entry(tuple(map(int, entries[at])), float(engine[at]), float(values[at]))
    verdict: Verdict = "kink" if slopes else "disagree" if (relative > rtol).any() else "agree"
    return Check(
        ref,
        witness,
        verdict,
        checked=len(entries),
        total=gradient.size,
        max_abs_error=float(apart.max()),
        max_rel_error=float(relative.max()),
        floor=floor,
        under=int((np.maximum(abs(engine), abs(values)) <= floor).sum()),
        worst=worst,
        slopes=slopes,
    )


def _relative(engine: Any, values: Any, floor: float) -> Any:
    """How far apart two numbers are for their size; 0 where both are below the floor."""
    larger = np.maximum(abs(engine), abs(values))
    return np.divide(abs(engine - values), larger, out=np.zeros_like(larger), where=larger > floor)


def rounding(trace: Trace, ref: str) -> float:
    """How many digits the engine itself has lost: how much `ref` changes when it is computed with longer numbers.

    A saturated sigmoid's 1 − a, or an output that all but meets its target, leaves few digits of a small gradient.
    Where the machine has no longer numbers than float64 this is 0.
    """
    leaves = {name: value for name, value in trace.values.items() if trace.producer(name) is None and np.ndim(value)}
    if max(map(np.size, leaves.values()), default=0) > LONGEST:
        return 0.0
    with np.errstate(all="ignore"):
        longer = trace.replay(ref, **{name: np.asarray(value, np.longdouble) for name, value in leaves.items()})
    lost = abs(np.asarray(longer - trace[ref], float))
    return float(lost.max(initial=0)) if np.isfinite(lost).all() else 0.0


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
    if not shape:
        return np.zeros((1, 0), int)
    flat = np.arange(size) if which is None or which >= size else np.unique(np.linspace(0, size - 1, which).astype(int))
    return np.stack(np.unravel_index(flat, shape), axis=-1).reshape(len(flat), len(shape))


def worst_first(checks: Sequence[Check]) -> list[Check]:
    """Disagreements before kinks before agreements, and the larger error first."""
    order = {"disagree": 0, "kink": 1, "agree": 2, "skipped": 3}
    return sorted(checks, key=lambda check: (order[check.verdict], -check.max_rel_error))
