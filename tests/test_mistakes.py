"""Typical mistakes: each rule can be computed, gives another number than the right one, and is known by it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import backprop_cli as bp
from backprop_cli.kernel import Kernel, Mistake
from backprop_cli.layers import KERNELS
from backprop_cli.mistakes import mistakes_at
from backprop_cli.optimizers import OPTIMIZERS

NETWORKS: list[dict[str, Any]] = [
    {"net": "2-3-3"},
    {"net": "2-3-2", "activation": ["tanh", "sigmoid"], "loss": "bce", "optimizer": "momentum"},
    {"net": "2-3-2", "activation": ["relu", "sigmoid"], "loss": "bce_sum", "optimizer": "adam"},
    {"net": "2-3-3", "activation": ["relu", "softmax"], "loss": "ce", "x": [[0.3, -0.7], [0.9, 0.2]], "y": [0, 2]},
    {"net": "2-2", "activation": ["softmax"], "loss": "mse"},
    {"net": "2-2", "activation": ["tanh"], "loss": "sse"},
]


def declared() -> dict[str, Mistake]:
    """Every mistake of every kernel, by its kernel's name, its code, and its rule."""
    todo: list[Kernel] = [*KERNELS.values(), *(rule for each in OPTIMIZERS.values() for rule in each.rules)]
    found: dict[str, Mistake] = {}
    for kernel in todo:
        found |= {f"{kernel.name} {mistake.code} {mistake.rule}": mistake for mistake in kernel.mistakes}
        todo += [
            other for other in (*kernel.gradients.values(), kernel.plain, kernel.inner) if other and other not in todo
        ]
    return found


@pytest.fixture(scope="module")
def apart() -> set[int]:
    """The mistakes that made another number of some entry of some network."""
    found: set[int] = set()
    for options in NETWORKS:
        for seed in range(1, 4):
            trace = bp.step(**options, seed=seed).after(1).trace
            for step in trace.steps:
                value = np.asarray(trace[step.ref], float)
                for place in np.ndindex(*value.shape):
                    right = float(value[place])
                    wrongs = mistakes_at(trace, step.ref, place)
                    found |= {id(mistake.rule) for mistake, wrong in wrongs if abs(wrong - right) > 1e-6 * abs(right)}
    return found


@pytest.mark.parametrize("name", declared())
def test_a_mistake_makes_another_number(apart: set[int], name: str) -> None:
    assert id(declared()[name].rule) in apart


def test_the_mistake_of_a_number_is_computed_from_what_stands_around() -> None:
    run = bp.step("mazur")
    (da, a) = (float(run[ref][0, 0]) for ref in ("da1", "a1"))
    found = {mistake.code: value for mistake, value in mistakes_at(run.trace, "dz1", (0, 0))}
    assert found["no_sigma_prime"] == pytest.approx(da)
    assert found["f_for_fprime"] == pytest.approx(da * a)
    assert found["sigma_prime_of_a"] == pytest.approx(da / (1 + np.exp(-a)) * (1 - 1 / (1 + np.exp(-a))))
    assert list(mistakes_at(run.trace, "x", (0, 0))) == []
    adam = bp.step("mazur", optimizer="adam").trace
    (wrong,) = (value for each, value in mistakes_at(adam, "W1_new", (0, 0)) if each.code == "no_bias_correction")
    m, v = (float(adam[ref][0, 0]) for ref in ("mW1_new", "vW1_new"))
    assert wrong == pytest.approx(0.15 - float(adam["lr"]) * m / (np.sqrt(v) + 1e-8))
