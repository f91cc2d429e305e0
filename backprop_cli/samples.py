"""Inputs and targets: read, brought into the shape (samples, numbers), checked, or drawn from a seed."""

from __future__ import annotations

from typing import Any

import numpy as np

from backprop_cli import arrays
from backprop_cli.errors import ShapeError, UsageError
from backprop_cli.language import plural
from backprop_cli.network import Network


def samples(network: Network, x: Any, y: Any, rng: np.random.Generator) -> tuple[Any, Any]:
    """x as (N, inputs) and y as (N, outputs), read, checked, or drawn with two decimals where they are not given."""
    drawn_x = rng.integers(5, 100, (1, network.inputs)) / 100
    x = drawn_x if x is None else _rows(_array(x, "x"), network.inputs, "x", plural(network.inputs, "input"))
    count = len(x)
    y = _drawn_target(network, count, rng) if y is None else _targets(network, _array(y, "y"), count)
    if len(y) != count:
        raise ShapeError("x has {samples}, but y has {count:,}", samples=plural(count, "sample"), count=len(y))
    check_targets(network, y)
    return x, y


def _array(value: Any, name: str) -> Any:
    if isinstance(value, str):
        return arrays.read_array(value, name)
    return arrays.numbers(value, name)


def _rows(array: Any, width: int, name: str, numbers: str) -> Any:
    """One sample or several, as (N, width). A flat list is one sample, or many if each is a single number."""
    if array.ndim == 0:
        array = array.reshape(1)
    if array.ndim == 1:
        array = array.reshape(-1, 1) if width == 1 else array.reshape(1, -1)
    if array.ndim != 2 or array.shape[1] != width:
        raise ShapeError(
            "{name} has shape {shape}, but the net has {numbers}: expected (N, {width})",
            name=name,
            shape=array.shape,
            numbers=numbers,
            width=width,
        )
    return array


def _targets(network: Network, array: Any, count: int) -> Any:
    """Targets as (N, outputs). For cross-entropy, N whole numbers are classes, counted from 0."""
    width = network.outputs
    classes = network.loss.name == "ce" and array.ndim == 1 and len(array) == count != 1
    classes = classes or (network.loss.name == "ce" and array.size == 1 == count and width > 1)
    if not classes:
        return _rows(array, width, "y", plural(width, "output"))
    labels = array.reshape(-1)
    if bad := [label for label in labels if label != int(label) or not 0 <= label < width]:
        raise UsageError("y: class {label:g} is not one of 0 … {last}", label=bad[0], last=width - 1)
    return np.eye(width)[labels.astype(int)]


def _drawn_target(network: Network, count: int, rng: np.random.Generator) -> Any:
    """A target for every sample: one output on, the others off; two decimals where outputs are not squashed."""
    if network.activations[-1] in ("sigmoid", "softmax"):
        classes = max(network.outputs, 1 if network.activations[-1] == "softmax" else 2)
        return np.eye(classes)[rng.integers(0, classes, count)][:, -network.outputs :]
    return rng.integers(-90, 91, (count, network.outputs)) / 100


def check_targets(network: Network, y: Any) -> None:
    """Cross-entropies need targets that are probabilities. Raises UsageError."""
    if network.loss.name not in ("ce", "bce", "bce_sum"):
        return
    outside = np.argwhere((y < 0) | (y > 1))
    if len(outside):
        n, o = outside[0]
        raise UsageError(
            "y[{n};{o}] is {value:g}; loss {loss} needs targets from 0 to 1",
            n=n + 1,
            o=o + 1,
            value=y[n, o],
            loss=network.loss.name,
        )
    sums = y.sum(1)
    wrong = np.flatnonzero(abs(sums - 1) > 1e-6)
    if network.loss.name == "ce" and len(wrong):
        raise UsageError(
            "the targets of sample {number} sum to {total:g}; with a softmax they must sum to 1 "
            "(or give class numbers)",
            number=wrong[0] + 1,
            total=sums[wrong[0]],
        )
