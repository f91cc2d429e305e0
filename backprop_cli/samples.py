"""Inputs and targets: read, brought into the shape (samples, numbers), checked, or drawn from a seed."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from backprop_cli import arrays
from backprop_cli.errors import ShapeError, UsageError
from backprop_cli.language import plural, tr
from backprop_cli.network import Network


def samples(network: Network, x: Any, y: Any, rng: np.random.Generator) -> tuple[Any, Any]:
    """x as (N, *input) and y as (N, *output), read, checked, or drawn with two decimals where they are not given."""
    drawn_x = _drawn_input(network, rng)
    x = drawn_x if x is None else _shaped(_array(x, "x"), network.input, "x", plural(prod(network.input), "input"))
    check_tokens(network, x)
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


def _shaped(array: Any, shape: tuple[int, ...], name: str, numbers: str) -> Any:
    """One sample or several, as (N, *shape). A flat list is one sample, or many if each is a single number.

    As many numbers as the shape has are taken for it: an image may come as 784 numbers, and go into a dense layer.
    """
    size = prod(shape)
    if array.shape == shape and not (array.ndim == 1 and size == 1):
        array = array[None]
    if array.ndim < 2:
        array = array.reshape(-1, 1) if size == 1 else array.reshape(1, -1)
    if array.ndim >= 2 and prod(array.shape[1:]) == size:
        array = array.reshape(-1, *shape)
    if array.shape[1:] != shape:
        raise ShapeError(
            "{name} has shape {shape}, but the net has {numbers}: expected ({needed})",
            name=name,
            shape=array.shape,
            numbers=numbers,
            needed=", ".join(map(str, ("N", *shape))),
        )
    return array


def _targets(network: Network, array: Any, count: int) -> Any:
    """Targets as (N, *output). For cross-entropy, whole numbers are classes, counted from 0."""
    *places, width = network.output
    size = prod(places)
    numbered = array.size == count * size and (array.ndim < 2 + len(places) or array.shape[-1] == 1)
    if network.loss.name == "ce" and width > 1 and numbered:
        return _one_hot(array.reshape(count, *places), width)
    return _shaped(array, network.output, "y", plural(prod(network.output), "output"))


def _one_hot(labels: Any, width: int) -> Any:
    """Classes as probabilities: 1 for the class, 0 for the others, along a last axis of `width`."""
    if bad := [label for label in labels.ravel() if label != int(label) or not 0 <= label < width]:
        raise UsageError("y: class {label:g} is not one of 0 … {last}", label=bad[0], last=width - 1)
    return np.eye(width)[labels.astype(int)]


def _drawn_input(network: Network, rng: np.random.Generator) -> Any:
    """One sample: two decimals between 0.05 and 0.99, or tokens."""
    if network.vocabulary:
        return rng.integers(0, network.vocabulary, (1, *network.input)).astype(float)
    return rng.integers(5, 100, (1, *network.input)) / 100


def _drawn_target(network: Network, count: int, rng: np.random.Generator) -> Any:
    """A target for every sample: one output on, the others off; two decimals where outputs are not squashed."""
    last = network.activations[-1] if network.activations else ""
    if last in ("sigmoid", "softmax"):
        classes = max(network.outputs, 1 if last == "softmax" else 2)
        labels = rng.integers(0, classes, (count, *network.output[:-1]))
        return np.eye(classes)[labels][..., -network.outputs :]
    return rng.integers(-90, 91, (count, *network.output)) / 100


def check_tokens(network: Network, x: Any) -> None:
    """Tokens are whole numbers from 0, as many as the table has rows. Raises UsageError."""
    if network.vocabulary and (len(bad := x[(x != np.floor(x)) | (x < 0) | (x >= network.vocabulary)])):
        raise UsageError(
            "{ref}: token {token:g} is not one of 0 … {last}", ref="x", token=bad.flat[0], last=network.vocabulary - 1
        )


def check_targets(network: Network, y: Any, place: Callable[[int], str] | None = None) -> None:
    """Cross-entropies need targets that are probabilities. Raises UsageError.

    `place` says where a sample, counted from 0, stands in a set of data.
    """
    if network.loss.name not in ("ce", "bce", "bce_sum"):
        return
    outside = np.argwhere((y < 0) | (y > 1))
    if len(outside):
        n, *rest = outside[0] + 1
        entry = f"y[{n};{','.join(map(str, rest))}]"
        raise UsageError(
            "{target} is {value:g}; loss {loss} needs targets from 0 to 1",
            target=tr("{place}: the target", place=place(n - 1)) if place else entry,
            value=y[tuple(outside[0])],
            loss=network.loss.name,
        )
    sums = y.sum(-1)
    wrong = np.argwhere(abs(sums - 1) > 1e-6)
    if network.loss.name == "ce" and len(wrong):
        number = wrong[0][0]
        raise UsageError(
            "{place}: the targets sum to {total:g}; with a softmax they must sum to 1 (or give class numbers)",
            place=place(number) if place else tr("sample {number}", number=number + 1),
            total=sums[tuple(wrong[0])],
        )
