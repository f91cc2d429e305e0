"""What a witness says about a gradient: agree, disagree, kink or skipped, and the entry where it is furthest off.

Two numbers agree if they differ by a small part of the larger one, or if both are so small that the witness cannot
tell them from 0. That floor is part of the verdict, so that nobody has to guess it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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
    rtol: float = 0.0
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


def judge(
    trace: Trace, ref: str, witness: Witness, entries: Any, values: Any, rtol: float, floor: float, reason: str = ""
) -> Check:
    """Hold the engine's gradient `ref` against a witness's `values` at some `entries` (K, number of axes).

    `max_rel_error` is over the entries where either number is above the floor: below it, no ratio means anything.
    A gradient computed in single precision is given the room that its digits need.
    """
    precision = float(np.finfo(np.asarray(trace[ref]).dtype).eps)
    rtol, floor = max(rtol, 1e4 * precision), max(floor, 10 * precision)
    gradient = np.asarray(trace[ref], float)
    engine = gradient[tuple(entries.T)]
    apart, larger = abs(engine - values), np.maximum(abs(engine), abs(values))
    relative = np.divide(apart, larger, out=np.zeros_like(apart), where=larger > floor)
    at = int(np.lexsort((apart, relative))[-1])
    worst = Entry(tuple(map(int, entries[at])), float(engine[at]), float(values[at]))
    agree = bool((relative <= rtol).all())
    return Check(
        ref, witness, "agree" if agree else "disagree", reason, len(entries), gradient.size,
        float(apart.max()), float(relative.max()), floor, rtol, worst,
    )  # fmt: skip


def skipped(trace: Trace, ref: str, witness: Witness, reason: str) -> Check:
    """No verdict, and why."""
    return Check(ref, witness, "skipped", reason, 0, np.size(trace[ref]))


def choose(shape: tuple[int, ...], most: int | None) -> Any:
    """Which entries to look at, (K, number of axes): all, or `most` of them spread evenly from first to last."""
    size = int(np.prod(shape))
    flat = np.arange(size) if most is None or most >= size else np.unique(np.linspace(0, size - 1, most).astype(int))
    return np.stack(np.unravel_index(flat, shape), axis=-1).reshape(len(flat), len(shape))


def worst_first(checks: Sequence[Check]) -> list[Check]:
    """Disagreements before kinks before agreements, and the larger error first."""
    order = {"disagree": 0, "kink": 1, "agree": 2, "skipped": 3}
    return sorted(checks, key=lambda check: (order[check.verdict], -check.max_rel_error))
