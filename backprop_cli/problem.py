"""A problem is everything one training step needs: a network, data, parameters, and the rule that updates them.

It comes from a description (`3-4-2`), from a preset (`mazur`), or from a TOML or JSON file; options override the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np

from backprop_cli import files
from backprop_cli.errors import ShapeError, UsageError, unknown
from backprop_cli.network import Network, build
from backprop_cli.optimizers import OPTIMIZERS, Optimizer
from backprop_cli.spec import read_word
from backprop_cli.trace import Trace, backward

PRESETS = Path(__file__).parent / "presets"
KEYS = {
    "net": str, "activation": (str, list), "loss": str, "reduction": str, "optimizer": str, "lr": (int, float),
    "x": None, "y": None, "params": (dict, str), "seed": int, "init": str, "l2": (int, float), "frozen": list,
    "bias": bool, "dtype": str,
}  # fmt: skip
"""What a problem file may say, and the types each value may have."""

INITS = ("nice", "xavier", "he")
DTYPES = {"float64": np.float64, "float32": np.float32}


@dataclass(frozen=True)
class Problem:
    """One step, ready to run. x is (N, inputs), y is (N, outputs); `step` counts from 1."""

    net: str
    network: Network
    optimizer: Optimizer
    numbers: Mapping[str, float]
    seed: int
    x: Any
    y: Any
    params: Mapping[str, Any]
    state: Mapping[str, Any]
    frozen: tuple[str, ...] = ()
    step: int = 1

    def run(self, wrt: Sequence[str] = ()) -> Trace:
        """The whole step: forward, loss, backward, update. `wrt` names further values whose gradient is wanted.

        Raises UsageError where a number overflows.
        """
        with np.errstate(all="ignore"):
            trace = self.network.forward(self.params, self.x, self.y)
            backward(trace, [*self.params, *wrt])
            names = [name for name in self.params if name not in self.frozen]
            self.optimizer.update(trace, names, self.state, **self.numbers, t=self.step)
        for step in trace.steps:
            if not np.isfinite(trace[step.ref]).all():
                raise UsageError(
                    f"{step.ref} overflows: it is no longer a finite number; use smaller inputs, weights or learning rate"
                )
        return trace

    def after(self, trace: Trace) -> Problem:
        """The problem as the step in `trace` leaves it: moved parameters, and what the optimizer remembers."""
        return replace(
            self,
            params={name: trace.values.get(f"{name}_new", value) for name, value in self.params.items()},
            state={name: trace.values.get(f"{name}_new", value) for name, value in self.state.items()},
            step=self.step + 1,
        )


def load(source: str | None = None, **options: Any) -> Problem:
    """The problem named by `source`: a description, a preset, a .toml or .json file, or `-` for standard input.

    `options` are the keys of a problem file; those that are not None override it. Raises UsageError or InputError.
    """
    given = {key: value for key, value in options.items() if value is not None}
    table, folder = _table(source if source is not None else given.get("net", "3-4-2"))
    return _from_table({**table, **{key: value for key, value in given.items() if key != "net"}}, folder)


def preset_names() -> list[str]:
    """The presets that come with the program."""
    return sorted(path.stem for path in PRESETS.glob("*.toml"))


def _table(source: str) -> tuple[dict[str, Any], Path]:
    """What a source says, as the keys of a problem file, and the folder that its own file names start from."""
    presets = preset_names()
    if source in presets:
        path = PRESETS / f"{source}.toml"
    elif source == "-" or source.endswith((".toml", ".json")):
        path = Path(source)
    elif source[:1].isalpha() and " " not in source:
        raise unknown("preset", source, presets)
    else:
        return {"net": source}, Path()
    table = files.read_table(str(path))
    for key, value in table.items():
        kinds = KEYS.get(key, ())
        if key not in KEYS:
            raise _located(path, unknown("key", key, KEYS))
        if kinds and (not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool)):
            raise UsageError(f"{path}: {key} = {value!r}: expected {_kind(kinds)}")
    inner = table.get("net", "3-4-2")
    if inner in presets:
        table = {**files.read_table(str(PRESETS / f"{inner}.toml")), **{k: v for k, v in table.items() if k != "net"}}
    return table, path.parent


def _located(path: Path, error: UsageError) -> UsageError:
    return UsageError(f"{path}: {error}")


def _kind(kinds: Any) -> str:
    names = {str: "text", list: "a list", dict: "a table", int: "a whole number", float: "a number", bool: "true or false"}
    return " or ".join(dict.fromkeys(names[kind] for kind in (kinds if isinstance(kinds, tuple) else (kinds,))))


def _from_table(table: Mapping[str, Any], folder: Path) -> Problem:
    net = table.get("net", "3-4-2")
    activation = table.get("activation")
    names = [part.strip() for part in _outside_brackets(activation)] if isinstance(activation, str) else activation
    l2 = _positive(table, "l2", 0.0)
    network = build(net, names, table.get("loss"), table.get("reduction", "mean"), table.get("bias", True), l2)

    word = read_word(table.get("optimizer", "sgd"))
    if word.name not in OPTIMIZERS:
        raise unknown("optimizer", word.name, OPTIMIZERS)
    optimizer = OPTIMIZERS[word.name]
    numbers = {"lr": _positive(table, "lr", 0.1), **word.settings(optimizer.options)}

    dtype = table.get("dtype", "float64")
    if dtype not in DTYPES:
        raise unknown("dtype", dtype, DTYPES)
    seed = table.get("seed", 0)
    rng = np.random.default_rng(seed)
    params = _params(network, table.get("params", {}), table.get("init", "nice"), rng, folder)
    x, y = _data(network, table.get("x"), table.get("y"), rng, folder)

    frozen = tuple(table.get("frozen", ()))
    for name in frozen:
        if name not in params:
            raise unknown("parameter to freeze", str(name), params)
    cast = DTYPES[dtype]
    params = {name: value.astype(cast) for name, value in params.items()}
    state = optimizer.start(params)
    return Problem(net, network, optimizer, numbers, seed, x.astype(cast), y.astype(cast), params, state, frozen)


def _outside_brackets(text: str) -> list[str]:
    """`relu,leaky_relu(0.1)` in parts; a comma inside brackets does not part."""
    depth, parts = 0, [""]
    for character in text:
        depth += (character == "(") - (character == ")")
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _positive(table: Mapping[str, Any], key: str, default: float) -> float:
    value = float(table.get(key, default))
    if not (0 <= value < np.inf):
        raise UsageError(f"{key} = {value:g}: expected a finite number that is not negative")
    return value


# --- parameters -----------------------------------------------------------------------------------------------------


def draw(init: str, shape: tuple[int, ...], rng: np.random.Generator) -> Any:
    """Parameters to start with. A weight is (outputs, inputs); a bias has one axis.

    xavier: uniform in ±√(6 / (inputs + outputs)) (Glorot & Bengio 2010). he: normal, σ = √(2 / inputs) (He et al.
    2015). nice: like xavier, rounded to two decimals and never 0, for hand work. Biases are 0, except for nice.
    """
    if init not in INITS:
        raise unknown("init", init, INITS)
    outputs, inputs = (*shape, 1)[:2]
    bound = sqrt(6 / (inputs + outputs))
    if init == "nice":
        steps = max(5, min(90, int(100 * bound)))
        return rng.integers(1, steps + 1, shape) * rng.choice([-1, 1], shape) / 100
    if len(shape) == 1:
        return np.zeros(shape)
    return rng.uniform(-bound, bound, shape) if init == "xavier" else rng.normal(0, sqrt(2 / inputs), shape)


def _params(network: Network, given: Any, init: str, rng: np.random.Generator, folder: Path) -> dict[str, Any]:
    """Every parameter: the given ones, and the others drawn. A parameter drawn does not depend on which are given."""
    shapes = network.shapes
    drawn = {name: draw(init, shape, rng) for name, shape in shapes.items()}
    if isinstance(given, str):
        given = _named_in_order(files.read_tensors(str(folder / given)), shapes, given)
    for name, value in given.items():
        if name not in shapes:
            raise unknown("parameter", name, shapes)
        array = files.numbers(value, name)
        if array.shape != shapes[name]:
            raise ShapeError(
                f"{name} has shape {array.shape}, but layer {name[1:]} of the net needs {shapes[name]} "
                f"({'outputs, inputs' if len(shapes[name]) == 2 else 'outputs'})"
            )
        drawn[name] = array
    return drawn


def _named_in_order(tensors: Mapping[str, Any], shapes: Mapping[str, Any], path: str) -> dict[str, Any]:
    """A file's arrays under our names: by name where they match, else in order (PyTorch's 0.weight, 0.bias, …)."""
    if set(tensors) <= set(shapes):
        return dict(tensors)
    if len(tensors) != len(shapes):
        raise UsageError(
            f"{path} holds {len(tensors)} arrays ({', '.join(tensors)}), but the net has {len(shapes)} parameters "
            f"({', '.join(shapes)})"
        )
    return dict(zip(shapes, tensors.values(), strict=True))


# --- data -----------------------------------------------------------------------------------------------------------


def _data(network: Network, x: Any, y: Any, rng: np.random.Generator, folder: Path) -> tuple[Any, Any]:
    """x as (N, inputs) and y as (N, outputs), read, checked, or drawn with two decimals where they are not given."""
    drawn_x = rng.integers(5, 100, (1, network.inputs)) / 100
    x = drawn_x if x is None else _samples(_array(x, "x", folder), network.inputs, "x", "inputs")
    count = len(x)
    y = _drawn_target(network, count, rng) if y is None else _targets(network, _array(y, "y", folder), count)
    if len(y) != count:
        raise ShapeError(f"x has {count} samples, but y has {len(y)}")
    _check_targets(network, y)
    return x, y


def _array(value: Any, name: str, folder: Path) -> Any:
    if isinstance(value, str):
        is_file = Path(value).suffix in (".json", ".csv", ".npy", ".npz")
        return files.read_array(str(folder / value) if is_file else value, name)
    return files.numbers(value, name)


def _samples(array: Any, width: int, name: str, what: str) -> Any:
    """One sample or several, as (N, width). A flat list is one sample, or many if each is a single number."""
    if array.ndim == 0:
        array = array.reshape(1)
    if array.ndim == 1:
        array = array.reshape(-1, 1) if width == 1 else array.reshape(1, -1)
    if array.ndim != 2 or array.shape[1] != width:
        raise ShapeError(f"{name} has shape {array.shape}, but the net has {width} {what}: expected (N, {width})")
    return array


def _targets(network: Network, array: Any, count: int) -> Any:
    """Targets as (N, outputs). For cross-entropy, N whole numbers are classes, counted from 0."""
    width = network.outputs
    classes = network.loss.name == "ce" and array.ndim == 1 and len(array) == count != 1
    classes = classes or (network.loss.name == "ce" and array.size == 1 == count and width > 1)
    if not classes:
        return _samples(array, width, "y", "outputs")
    labels = array.reshape(-1)
    if bad := [label for label in labels if label != int(label) or not 0 <= label < width]:
        raise UsageError(f"y: class {bad[0]:g} is not one of 0 … {width - 1}")
    return np.eye(width)[labels.astype(int)]


def _drawn_target(network: Network, count: int, rng: np.random.Generator) -> Any:
    """A target for every sample: one output on, the others off; two decimals where outputs are not squashed."""
    if network.activations[-1] in ("sigmoid", "softmax"):
        classes = max(network.outputs, 2)
        return np.eye(classes)[rng.integers(0, classes, count)][:, -network.outputs :]
    return rng.integers(-90, 91, (count, network.outputs)) / 100


def _check_targets(network: Network, y: Any) -> None:
    """Cross-entropies need targets that are probabilities. Raises UsageError."""
    if network.loss.name not in ("ce", "bce", "bce_sum"):
        return
    outside = np.argwhere((y < 0) | (y > 1))
    if len(outside):
        n, o = outside[0]
        raise UsageError(f"y[{n + 1};{o + 1}] is {y[n, o]:g}; loss {network.loss.name} needs targets from 0 to 1")
    sums = y.sum(1)
    wrong = np.flatnonzero(abs(sums - 1) > 1e-6)
    if network.loss.name == "ce" and len(wrong):
        raise UsageError(
            f"the targets of sample {wrong[0] + 1} sum to {sums[wrong[0]]:g}; with a softmax they must sum to 1 "
            "(or give class numbers)"
        )
