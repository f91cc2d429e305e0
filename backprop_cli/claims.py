"""Somebody else's gradients against ours: which tensor, which entry, by how much, and what the ratio gives away."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from backprop_cli import arrays
from backprop_cli.errors import ShapeError, UsageError
from backprop_cli.language import tr
from backprop_cli.notation import number
from backprop_cli.numeric import one_sided
from backprop_cli.trace import Trace
from backprop_cli.verdict import Check, Precision, choose, judge

RTOL = 1e-5
"""Claims may come from single precision, whose sums are off by about this much."""


def read_claims(path: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """The gradients in a file, by parameter: named W1 or dW1, or in order (PyTorch's 0.weight, 0.bias, …).

    The JSON that `backprop step --json` prints is understood too.
    """
    tensors = arrays.read_tensors(path, under="gradients")
    named = {name.removeprefix("d") if name not in params else name: value for name, value in tensors.items()}
    if set(named) <= set(params):
        return named
    if len(tensors) != len(params):
        raise UsageError(
            "{path} holds {found}; expected gradients named {names}, or {count} arrays in that order",
            path=path,
            found=", ".join(tensors) or tr("nothing"),
            names=", ".join(f"d{name}" for name in params),
            count=len(params),
        )
    return dict(zip(params, tensors.values(), strict=True))


def compare(trace: Trace, name: str, claimed: Any) -> Check:
    """A claimed gradient of the parameter `name` against the engine's; `reason` says what the difference looks like."""
    gradient = trace[f"d{name}"]
    claimed = arrays.numbers(claimed, f"d{name}").astype(float)
    if claimed.shape != gradient.shape:
        fault = tr(
            "{ref}: the file has shape {shape}, the net needs {needed}",
            ref=f"d{name}",
            shape=claimed.shape,
            needed=gradient.shape,
        )
        turned = claimed.T.shape == gradient.shape
        raise ShapeError("{fault}; it looks transposed", fault=fault) if turned else ShapeError(fault)
    entries = choose(gradient.shape, None)
    floor = 1e-7 * float(abs(gradient).max(initial=0)) + 1e-12
    sides = partial(one_sided, trace, name)
    check = judge(trace, f"d{name}", "claimed", entries, claimed[tuple(entries.T)], Precision(RTOL, floor), sides)
    if check.verdict != "disagree":
        return check
    samples, outputs = trace["y"].shape
    return check._replace(reason=_pattern(np.asarray(gradient, float), claimed, samples, outputs, floor))


def _pattern(engine: Any, claimed: Any, samples: int, outputs: int, floor: float) -> str:
    """What the claim has to do with the truth, if that can be said in a few words."""
    if engine.ndim == 2 and engine.shape[0] == engine.shape[1] and np.allclose(claimed.T, engine, RTOL, floor):
        return tr("it is the transpose of the gradient")
    large = abs(engine) > floor
    if not large.any() or (abs(claimed[~large]) > floor).any():
        return ""
    ratios = claimed[large] / engine[large]
    factor = float(np.median(ratios))
    if abs(ratios - factor).max() > 1e-4 * max(abs(factor), 1e-9):
        wrong = int((abs(ratios - 1) > RTOL).sum())
        return tr("{count} of {total} entries differ", count=wrong, total=engine.size)
    if abs(factor) < 1e-9:
        return tr("it is 0 everywhere")
    return tr("it is {factor} times the gradient, everywhere", factor=_name(factor, samples, outputs))


def _name(factor: float, samples: int, outputs: int) -> str:
    """A factor by the name that explains it."""
    known = {
        "−1": -1,
        "2": 2,
        "½": 1 / 2,
        tr("N = {count}, the number of samples,", count=samples): samples,
        tr("1/N, N = {count} being the number of samples,", count=samples): 1 / samples,
        tr("{count}, the number of outputs,", count=outputs): outputs,
        tr("1/{count}, {count} being the number of outputs,", count=outputs): 1 / outputs,
        **{f"10^{power}": 10.0**power for power in (-3, -2, -1, 1, 2, 3)},
    }
    return next((name for name, value in known.items() if abs(factor / value - 1) < 1e-4), number(factor).text)
