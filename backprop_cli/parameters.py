"""Where a network's parameters come from: a file, a problem's own table, or a seed."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod, sqrt
from typing import Any

import numpy as np

from backprop_cli import arrays
from backprop_cli.errors import ShapeError, UsageError, unknown
from backprop_cli.language import plural, tr
from backprop_cli.naming import from_torch, remembered
from backprop_cli.network import Network
from backprop_cli.refs import layer_of

Values = dict[str, Any]
INITS = ("nice", "xavier", "he")


def draw(init: str, shape: tuple[int, ...], rng: np.random.Generator) -> Any:
    """Parameters to start with. A weight is (outputs, inputs), and each has a window of places; a bias has one axis.

    xavier: uniform in ±√(6 / (inputs + outputs)) (Glorot & Bengio 2010). he: normal, σ = √(2 / inputs) (He et al.
    2015). nice: like xavier, rounded to two decimals and never 0, for hand work. Biases are 0, except for nice.
    """
    if init not in INITS:
        raise unknown("init", init, INITS)
    places = prod(shape[2:])
    outputs, inputs = (size * places for size in (*shape, 1)[:2])
    bound = sqrt(6 / (inputs + outputs))
    if init == "nice":
        steps = max(5, min(90, int(100 * bound)))
        return rng.integers(1, steps + 1, shape) * rng.choice([-1, 1], shape) / 100
    if len(shape) == 1:
        return np.zeros(shape)
    return rng.uniform(-bound, bound, shape) if init == "xavier" else rng.normal(0, sqrt(2 / inputs), shape)


def parameters(network: Network, given: Any, init: str, rng: np.random.Generator) -> tuple[Values, Values, Values]:
    """Every parameter, and what layers remember: the given ones; of the others parameters are drawn.

    `given` is a table, or the path of a file. A parameter drawn does not depend on which are given. The third table is
    `shift` and `scale` of the inputs, if the parameters were trained with such and the file says so.
    """
    shapes, starts = network.shapes, network.needs.starts
    params = {
        name: np.full(shape, starts[name]) if name in starts else draw(init, shape, rng)
        for name, shape in shapes.items()
    }
    scaling = {}
    if isinstance(given, str):
        tensors = arrays.read_tensors(given)
        scaling = {
            name: arrays.numbers(tensors.pop(key), f"{given}: {key}")
            for name, key in arrays.SCALING.items()
            if key in tensors
        }
        given = from_torch(network, tensors) or _named_in_order(network, tensors, given)
    known = {**shapes, **{name: network.needs.memory[name][0] for name in remembered(network)}}
    found = {name: _shaped(value, name, known) for name, value in given.items()}
    params |= {name: value for name, value in found.items() if name in shapes}
    return params, {name: found.get(name, value) for name, value in network.memory(params).items()}, scaling


def _shaped(value: Any, name: str, shapes: Mapping[str, tuple[int, ...]]) -> Any:
    """A value as an array. Raises UsageError if the network has none of this name, ShapeError for another shape."""
    if name not in shapes:
        raise unknown("parameter", name, shapes)
    array = arrays.numbers(value, name)
    if array.shape != shapes[name]:
        raise ShapeError(
            "{name} has shape {shape}, but layer {number} of the net needs {needed} ({axes})",
            name=name,
            shape=array.shape,
            number=layer_of(name),
            needed=shapes[name],
            axes=tr("outputs, inputs") if len(shapes[name]) == 2 else tr("outputs"),
        )
    return array


def _named_in_order(network: Network, tensors: Mapping[str, Any], path: str) -> dict[str, Any]:
    """A file's arrays under our names: by name where they match, else in order (PyTorch's 0.weight, 0.bias, …)."""
    shapes = network.shapes
    if set(tensors) <= {*shapes, *remembered(network)}:
        return dict(tensors)
    if len(tensors) != len(shapes):
        raise UsageError(
            "{path} holds {arrays} ({found}), but the net has {parameters} ({needed})",
            path=path,
            arrays=plural(len(tensors), "array"),
            found=", ".join(tensors),
            parameters=plural(len(shapes), "parameter"),
            needed=", ".join(shapes),
        )
    return dict(zip(shapes, tensors.values(), strict=True))
