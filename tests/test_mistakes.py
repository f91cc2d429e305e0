"""Typical mistakes: each rule can be computed, gives another number than the right one, and is known by it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import backprop_cli as bp
from backprop_cli.grading.catalogue import every_kernel
from backprop_cli.kernel import Mistake
from backprop_cli.layers.gates import filtered_gates_dq
from backprop_cli.layers.recurrent import every_dU, every_dv
from backprop_cli.mistakes import Slips, mistakes_at
from backprop_cli.trace import Trace

X = [[0.3, -0.7], [0.9, 0.2]]
SEQUENCES = np.sin(np.arange(12)).reshape(2, 3, 2)
IMAGE = "1x6x6 conv2(3, stride=2, pad=1) relu conv2(2)"
NETWORKS: list[dict[str, Any]] = [
    {"net": "2-3-3"},
    {"net": "2-2-2", "x": X},
    {"net": "2-3", "x": [[0.3, -0.7], [0.9, 0.2], [0.4, 0.8]]},
    {"net": "2-2-2", "bias": False, "x": X, "l2": 0.1, "prune": 0.5},
    {"net": "2-2", "quantize": 3},
    {"net": "2-3-2", "activation": ["tanh", "sigmoid"], "loss": "bce", "optimizer": "momentum"},
    {"net": "2-3-2", "activation": ["relu", "sigmoid"], "loss": "bce_sum", "optimizer": "adam(eps=0.1)"},
    {"net": "2-3-3", "activation": ["relu", "softmax"], "loss": "ce", "x": X, "y": [0, 2]},
    {"net": "2-2", "activation": ["softmax"], "loss": "mse", "x": X},
    {"net": "2-2", "activation": ["tanh"], "loss": "sse"},
    {"net": "2-3-3", "activation": ["leaky_relu", "elu"], "loss": "half_sse", "optimizer": "nesterov"},
    {"net": "2-3-3", "activation": ["gelu", "silu"], "loss": "mae", "optimizer": "rmsprop(eps=0.1)"},
    {"net": "2-3-3", "activation": ["softplus", "tanh"], "loss": "huber(0.1)", "optimizer": "adagrad(eps=0.1)"},
    {"net": "2-3-3", "activation": ["tanh", "softmax"], "loss": "bce", "optimizer": "adamw(eps=0.1)"},
    {"net": "2-3-3", "activation": ["tanh", "softmax"], "loss": "bce_sum"},
    {"net": "2-2-1", "activation": ["relu", "identity"], "bias": False, "x": [[0, 0]]},
    {"net": "2-2-1", "activation": ["leaky_relu", "identity"], "bias": False, "x": [[0, 0]]},
    {"net": f"{IMAGE} pool(2) flatten dense2", "x": np.linspace(-1, 1, 72).reshape(2, 1, 6, 6) ** 2, "l2": 0.1},
    {"net": f"{IMAGE} relu pool(2) flatten dense2", "prune": 0.5},
    {"net": f"{IMAGE} batchnorm avgpool(2) flatten dense2", "x": np.eye(12, 6).reshape(2, 1, 6, 6), "quantize": 3},
    {"net": "3x2 rnn3 dense3 softmax"},
    {"net": "3x2 gru2 dense3 softmax"},
    {"net": "3x2 lstm2(last=1) dense2"},
    {"net": "3 embedding4x2 positional attention(heads=2) dense2 softmax", "x": [[1, 2, 1], [0, 3, 3]]},
    {"net": "3x2 dense3 residual(layernorm attention(causal=1)) dense2 softmax", "x": SEQUENCES},
    {"net": "2 dense3 layernorm dropout(0.5) dense3 batchnorm dense2", "x": X},
]
EXPRESSIONS = {"f = p / q + sqrt(p) * log(q)": "p=2,q=3", "f = p**3 + sin(p) * exp(q) * cos(q)": "p=2,q=0.3"}


def declared() -> dict[str, Mistake]:
    """Every mistake and convention of every kernel, by its kernel's name, its code, and its rule."""
    found: dict[str, Mistake] = {}
    for kernel in (*every_kernel(), every_dU(3), every_dv(3), filtered_gates_dq):
        mistakes = (*kernel.mistakes, *kernel.conventions)
        found |= {f"{kernel.name} {mistake.code} {mistake.rule}": mistake for mistake in mistakes}
    return found


def traces() -> Iterator[Trace]:
    """The second step of every network, with three sets of parameters each, and every expression."""
    for options in NETWORKS:
        yield from (bp.step(**options, seed=seed).after(1).trace for seed in range(1, 4))
    yield from (bp.step(expr=text, at=at).trace for text, at in EXPRESSIONS.items())


@pytest.fixture(scope="module")
def apart() -> set[int]:
    """The mistakes that made another number of some entry of some network."""
    found: set[int] = set()
    for trace in traces():
        slips = Slips(trace)
        for step in trace.steps:
            right = np.asarray(trace[step.ref], float)
            for slip, wrong in slips.made(step.ref, trace.values):
                if np.any(abs(wrong - right) > 1e-6 * abs(right)):
                    found.add(id(slip.rule))
    return found


@pytest.mark.parametrize("name", declared())
def test_a_mistake_makes_another_number(apart: set[int], name: str) -> None:
    assert id(declared()[name].rule) in apart


def test_of_a_large_image_only_the_number_asked_about_is_computed() -> None:
    run = bp.step("small-cnn", seed=1)
    codes = {slip.code for slip, _ in mistakes_at(run.trace, "z1", (0, 0, 3, 3))}
    assert "no_bias" in codes and "kernel_flipped" in codes


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


def wrong(trace: Trace, ref: str, code: str) -> Any:
    """What the first mistake of this code makes of a value."""
    return next(value for slip, value in Slips(trace).made(ref, trace.values) if slip.code == code)


def test_a_window_is_turned_around_where_it_should_not_be_and_left_where_it_should() -> None:
    trace = bp.step("1x5x5 conv2(2) conv2(3, stride=2, pad=1) flatten dense2").trace
    turned = trace["W2"][..., ::-1, ::-1]
    np.testing.assert_allclose(wrong(trace, "z2", "kernel_flipped"), trace.replay("z2", W2=turned))
    back = trace.replay("da1", W2=turned, dz2=trace["dz2"])
    np.testing.assert_allclose(wrong(trace, "da1", "kernel_not_flipped"), back)


def test_a_token_that_occurs_twice_is_counted_once() -> None:
    trace = bp.step("3 embedding4x2 dense2 softmax", x=[[1, 2, 1], [0, 3, 3]]).trace
    once = np.zeros((4, 2))
    once[trace["x"].astype(int)] += trace["dv1"]  # NumPy adds once for each place, too
    np.testing.assert_allclose(wrong(trace, "dW1", "token_once"), once)


def test_a_softmax_over_the_samples_adds_up_to_1_in_each_column() -> None:
    trace = bp.step("2-2", activation=["softmax"], x=X).trace
    np.testing.assert_allclose(wrong(trace, "a1", "softmax_axis").sum(0), 1)
    np.testing.assert_allclose(wrong(trace, "a1", "double_softmax"), trace.replay("a1", z1=trace["a1"]))


def test_either_slope_at_a_kink_is_right() -> None:
    trace = bp.step("2-2-1", activation=["relu", "identity"], bias=False, x=[[0, 0]]).trace
    (convention,) = (slip for slip in Slips(trace).at("dz1") if slip.right)
    np.testing.assert_allclose(convention.value(trace.values), trace["da1"])
    assert not any(slip.right for slip, _ in mistakes_at(trace, "dz1", (0, 0)))
