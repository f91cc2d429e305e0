"""Two witnesses that only ever run the network forward: nudge a weight, and see what the loss does.

Finite difference: nudge it up, nudge it down, divide. Complex step: nudge it into the imaginary direction, where
nothing is subtracted and so nothing is lost: L(w + ih) = L(w) + ih·L′(w) + … (Squire & Trapp 1998).

Each replay starts at the step that reads the weight, and many nudges run side by side as an extra leading axis.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from backprop_cli.language import tr
from backprop_cli.trace import Step, Trace, downstream, kernel_for
from backprop_cli.verdict import EXACT, Check, Precision, Which, Witness, choose, judge, skipped

REAL_ONLY = "erf"
"""The function that NumPy has for real numbers only; a formula that uses it has no complex step."""

EPS = float(np.finfo(float).eps)
STEP = EPS ** (1 / 3)
CLOSER = 32
RTOL = 1e-4
BUDGET = 2**18
"""How many numbers one batch of nudges may hold; about what fits a processor's cache."""


def finite_difference(trace: Trace, ref: str, which: Which = None) -> Check:
    """Central differences of L for `ref` (such as W1), at the entries `which` chooses.

    The step is ε^⅓ times the weight's scale, where the two kinds of error balance. The result is uncertain by about
    ε·L / step, so gradients near that are below the floor. What disagrees is looked at again from closer by: the curve
    may bend too much within the first step.
    """
    entries = choose(np.shape(trace[ref]), which)
    slopes = _central(trace, ref, entries, STEP)
    gradient = np.atleast_1d(np.asarray(trace[f"d{ref}"], float)[tuple(entries.T)])
    off = np.flatnonzero(abs(gradient - slopes) > RTOL * np.maximum(abs(gradient), abs(slopes)))
    closer = _central(trace, ref, entries[off], STEP / CLOSER)
    better = abs(gradient[off] - closer) < abs(gradient[off] - slopes[off])
    slopes[off[better]] = closer[better]
    floor = _noise(trace) / RTOL * (CLOSER if better.any() else 1)
    sides = partial(one_sided, trace, ref)
    return judge(trace, f"d{ref}", "finite_difference", entries, slopes, Precision(RTOL, floor), sides)


def complex_step(trace: Trace, ref: str, which: Which = None) -> Check:
    """The imaginary part of L after an imaginary nudge: the slope without subtraction, right to the last digits."""
    witness: Witness = "complex_step"
    steps = trace.of_phase("forward", "loss")
    if blocked := [step.kernel.name for step in steps if REAL_ONLY in step.formula.functions]:
        reason = tr("{kernel} uses erf, which NumPy has for real numbers only", kernel=blocked[0])
        return skipped(trace, f"d{ref}", witness, reason)
    entries = choose(np.shape(trace[ref]), which)
    tiny = 1e-30
    slopes = np.concatenate(
        [_nudged(trace, ref, part, 1j * tiny).imag / tiny for part in _batches(trace, ref, entries)]
    )
    return judge(trace, f"d{ref}", witness, entries, slopes, EXACT, partial(one_sided, trace, ref))


def one_sided(trace: Trace, ref: str, entries: Any) -> tuple[Any, Any, float]:
    """The slopes of L to the left and to the right of some entries of `ref`, and by how much they are uncertain."""
    here = float(trace["L"])
    left, right = [], []
    for up, down, width in _both_sides(trace, ref, entries, STEP / CLOSER):
        left.append((here - down) / width * 2)
        right.append((up - here) / width * 2)
    return np.concatenate(left), np.concatenate(right), CLOSER * _noise(trace)


def _noise(trace: Trace) -> float:
    """The error of a slope that comes from the rounding of L alone, when the step is STEP."""
    return 10 * EPS / STEP * max(abs(float(trace["L"])), 1e-3)


def _central(trace: Trace, ref: str, entries: Any, step: float) -> Any:
    sides = _both_sides(trace, ref, entries, step)
    return np.concatenate([np.zeros(0), *((up - down) / width for up, down, width in sides)])


def _both_sides(trace: Trace, ref: str, entries: Any, step: float) -> Iterator[tuple[Any, Any, Any]]:
    """L after a nudge up, after a nudge down, and how far apart the two really are, batch by batch."""
    for part in _batches(trace, ref, entries):
        value = np.atleast_1d(np.asarray(trace[ref], float)[tuple(part.T)])
        size = step * np.maximum(1, abs(value))
        width = (value + size) - (value - size)
        yield _nudged(trace, ref, part, size).real, _nudged(trace, ref, part, -size).real, width


def _batches(trace: Trace, ref: str, entries: Any) -> Iterator[Any]:
    """The entries in portions whose nudged copies fit the budget."""
    shape = np.shape(trace[ref])
    widest = max(np.size(trace[step.ref]) for step in trace.of_phase("forward", "loss"))
    count = max(1, BUDGET // max(widest, *shape[-1:], 1))
    return (entries[start : start + count] for start in range(0, len(entries), count))


def _nudged(trace: Trace, ref: str, entries: Any, by: Any) -> Any:
    """L for each entry k, had entry k of `ref` been larger by by[k]: shape (K,)."""
    by = np.broadcast_to(by, len(entries))
    copies: dict[str, Any] = {}
    steps = list(trace.of_phase("forward", "loss"))
    still = {step.ref for step in steps} - downstream(steps, ["x"]) if "x" in trace else set()
    with np.errstate(all="ignore"):
        for step in steps:
            if ref in step.operands.values():
                alone = copies.keys().isdisjoint(step.operands.values())
                slices = _slices(step, ref) if alone else None
                copies[step.ref] = (
                    _one_by_one(trace, step, copies, ref, entries, by)
                    if slices is None
                    else _side_by_side(trace, step, slices, ref, entries, by)
                )
            elif not copies.keys().isdisjoint(step.operands.values()):
                if still.isdisjoint(copies.keys() & step.operands.values()):
                    copies[step.ref] = step.kernel.run(step.values({**trace.values, **copies}))
                else:
                    copies[step.ref] = np.stack([_row(trace, step, copies, row) for row in range(len(entries))])
    return copies.get("L", np.full(len(entries), trace["L"]))


def _row(trace: Trace, step: Step, copies: Mapping[str, Any], row: int) -> Any:
    """The step's result for one nudge, where weights were computed that no body takes side by side."""
    here = {ref: copy[row] for ref, copy in copies.items()}
    return step.kernel.run(step.values({**trace.values, **here}))


def _slices(step: Step, ref: str) -> str | None:
    """The one axis that `ref` shares with the step's result, if the formula has such an axis: o, for W[o,i] and z[n,o].

    A nudge of W[o,i] then reaches z[n,o] alone, and that slice can be computed alone. A fused body reads what its
    formula does not name, so its slices are not known.
    """
    reads = [entry for entry in step.formula.reads if step.operands.get(entry.name) == ref]
    shared = set(reads[0].axes) & set(step.formula.target.axes) if len(reads) == 1 else set()
    every = [*step.formula.reads, step.formula.target]
    plain = not any("..." in entry.axes for entry in every) and len({entry.name for entry in every}) == len(every)
    return shared.pop() if len(shared) == 1 and plain and not step.kernel.plain else None


def _side_by_side(trace: Trace, step: Step, axis: str, ref: str, entries: Any, by: Any) -> Any:
    """The step's result for each nudge, with only the nudged slice computed anew.

    The slices of all nudges are laid side by side along `axis`, as if they were so many units of one wide layer.
    """
    formula, rows = step.formula, np.arange(len(entries))
    nudged = next(name for name, source in step.operands.items() if source == ref)
    axes = formula.axes_of(nudged)
    places = dict(zip(axes, entries.T, strict=True))
    operands = {}
    for name, value in step.values(trace.values).items():
        across = formula.axes_of(name)
        operands[name] = np.take(value, places[axis], across.index(axis)) if axis in across else value
    operands[nudged] = operands[nudged].astype(np.result_type(operands[nudged], by, float), copy=False)
    operands[nudged][tuple(rows if name == axis else places[name] for name in axes)] += by
    slices = step.kernel.run(operands)

    along = formula.target.axes.index(axis)
    whole = np.repeat(trace[step.ref][None], len(entries), 0).astype(slices.dtype)
    np.moveaxis(whole, along + 1, 1)[rows, places[axis]] = np.moveaxis(slices, along, 0)
    return whole


def _one_by_one(trace: Trace, step: Step, copies: Mapping[str, Any], ref: str, entries: Any, by: Any) -> Any:
    """The same for a step that has no such axis, or reads another nudged value besides: one nudge after the other."""
    value = np.array(trace[ref], np.result_type(trace[ref], by, float))
    results = []
    for row, entry in enumerate(map(tuple, entries)):
        before = value[entry]
        value[entry] = before + by[row]
        here = {name: copy[row] for name, copy in copies.items()}
        results.append(kernel_for(step, (ref,)).run(step.values({**trace.values, **here, ref: value})))
        value[entry] = before
    return np.stack(results)
