"""From what somebody asks for to a training: the problem, the data, the recipe; begun, or gone on with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from backprop_cli.data import Normalize, prepare
from backprop_cli.datasets import Dataset, read_data
from backprop_cli.errors import UsageError
from backprop_cli.language import tr
from backprop_cli.network import Network
from backprop_cli.problem import Problem, load
from backprop_cli.problem_file import DEFAULT_NET, read_source
from backprop_cli.training import Recipe, Training

DATA = 1
"""Each epoch draws from a generator of its own, by its number from 1; data from that of epoch 0 and this number."""
HE = ("relu", "leaky_relu", "elu", "gelu", "silu", "softplus")
"""Activations after which he keeps the size of what flows through; after the others it is xavier."""
SOURCES = {
    (64,): "digits", (1, 8, 8): "digits", (784,): "mnist.npz", (1, 28, 28): "mnist.npz",
    (3072,): "cifar-10-batches-bin", (3, 32, 32): "cifar-10-batches-bin",
}  # fmt: skip
"""The data that are best known, by the shape of a sample."""
WATCHED = 0.1
"""The share for validation, where something depends on it and nobody says how much."""


def begin(
    problem: str | Mapping[str, Any] | None = None,
    data: str | Dataset | None = None,
    recipe: Recipe | None = None,
    validation: float | None = None,
    test: float | None = None,
    normalize: Normalize = "auto",
    **options: Any,
) -> Training:
    """A training, ready to run. `options` are the keys of a problem file; without `data`, its own samples are used.

    Unlike a single step, training counts in float32 and draws parameters as he or xavier, if nothing else is said.
    Raises BackpropError.
    """
    recipe = recipe or Recipe()
    asked, own = load_for_training(problem, **options)
    rng = np.random.default_rng((asked.seed, 0, DATA))
    if "quantize" in asked.network.treatments:
        raise UsageError("--quantize rounds the weights of single steps, to be looked at; leave it out of training")
    if set(asked.params) <= set(asked.frozen):
        raise UsageError("all parameters are frozen; leave some of them free to learn")
    if data is None and not own:
        name = problem if isinstance(problem, str) else asked.net
        raise UsageError(
            "{net} brings no samples: add --data {example}, or --x and --y", net=name, example=_data_for(asked.network)
        )
    if data is None:
        data = Dataset(tr("the problem"), "points", asked.x, asked.y)
    elif isinstance(data, str):
        data = read_data(data, rng)
    if validation is None:
        validation = WATCHED if recipe.patience is not None or "plateau" in recipe.schedule else 0.0
    parts = prepare(asked.network, data, rng, asked.x.dtype, validation, test, normalize)
    return Training(asked, parts, recipe)


def train(
    problem: str | Mapping[str, Any] | None = None, data: str | Dataset | None = None, **options: Any
) -> Training:
    """Train a network. `options` are those of `begin`, and those of a `Recipe`: epochs, batch, schedule, clip, …"""
    recipe = Recipe(**{name: options.pop(name) for name in Recipe._fields if name in options})
    training = begin(problem, data, recipe, **options)
    for _ in training.run():
        pass
    return training


def _data_for(network: Network) -> str:
    """Data that would suit a network, by what it takes: tokens, images, or numbers in a row."""
    if network.vocabulary:
        return "book.txt"
    if network.input in SOURCES:
        return SOURCES[network.input]
    return tr("images.npz (or IDX or CIFAR-10 files)") if network.images else "table.csv"


def load_for_training(source: str | Mapping[str, Any] | None, **options: Any) -> tuple[Problem, bool]:
    """The problem, in float32 and with parameters drawn to suit the activations, unless it says otherwise.

    Also whether it has samples of its own; if not, one was drawn, to which nothing is to be learnt.
    """
    given = {key: value for key, value in options.items() if value is not None}
    if not isinstance(source, Mapping):
        source = read_source(source or given.pop("net", DEFAULT_NET), given.pop("tiny", False))
    table = {"dtype": "float32", **source, **given}
    problem = load(table)
    if "init" not in table:
        problem = load({**table, "init": "he" if set(problem.network.activations) & set(HE) else "xavier"})
    return problem, "x" in table
