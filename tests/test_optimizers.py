"""Update rules: by hand for the first two steps, and what they remember in between."""

from __future__ import annotations

import math

import numpy as np
import pytest

import backprop_cli as bp
from backprop_cli.optimizers import OPTIMIZERS

LR = 0.1


def two_steps(optimizer: str) -> tuple[list[float], list[float]]:
    """The weight before each of three steps and the gradients of the first two, for L = ½(w·1 − 0)², so g = w."""
    problem = {"net": "1 dense1", "bias": False, "x": [1], "y": [0], "params": {"W1": [[2.0]]}, "lr": LR}
    t = bp.step(problem.pop("net"), optimizer=optimizer, **problem)
    runs = [t, t.after(), t.after(2)]
    return [float(run["W1"][0, 0]) for run in runs], [float(run["dW1"][0, 0]) for run in runs[:2]]


def test_sgd() -> None:
    (w0, w1, w2), (g1, g2) = two_steps("sgd")
    assert (w1, w2) == pytest.approx((w0 - LR * g1, w1 - LR * g2))


def test_momentum_and_nesterov() -> None:
    (w0, w1, w2), (g1, g2) = two_steps("momentum(mu=0.8)")
    assert (w1, w2) == pytest.approx((w0 - LR * g1, w1 - LR * (0.8 * g1 + g2)))
    (w0, w1, w2), (g1, g2) = two_steps("nesterov(mu=0.8)")
    v2 = 0.8 * g1 + g2
    assert (w1, w2) == pytest.approx((w0 - LR * (g1 + 0.8 * g1), w1 - LR * (g2 + 0.8 * v2)))


def test_adagrad_and_rmsprop() -> None:
    (w0, w1, w2), (g1, g2) = two_steps("adagrad")
    assert (w1, w2) == pytest.approx((w0 - LR * 1, w1 - LR * g2 / math.sqrt(g1**2 + g2**2)))
    (w0, w1, w2), (g1, g2) = two_steps("rmsprop(rho=0.9)")
    v1 = 0.1 * g1**2
    v2 = 0.9 * v1 + 0.1 * g2**2
    assert (w1, w2) == pytest.approx((w0 - LR * g1 / math.sqrt(v1), w1 - LR * g2 / math.sqrt(v2)))


def test_adam_and_adamw() -> None:
    (w0, w1, w2), (g1, g2) = two_steps("adam")
    m2 = (0.9 * 0.1 * g1 + 0.1 * g2) / (1 - 0.9**2)
    v2 = (0.999 * 0.001 * g1**2 + 0.001 * g2**2) / (1 - 0.999**2)
    assert (w1, w2) == pytest.approx((w0 - LR, w1 - LR * m2 / math.sqrt(v2)))
    (w0, w1, w2), (g1, g2) = two_steps("adamw(weight_decay=0.5)")
    m2 = (0.9 * 0.1 * g1 + 0.1 * g2) / (1 - 0.9**2)
    v2 = (0.999 * 0.001 * g1**2 + 0.001 * g2**2) / (1 - 0.999**2)
    assert (w1, w2) == pytest.approx((w0 * 0.95 - LR, w1 * 0.95 - LR * m2 / math.sqrt(v2)))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_inner_state_is_on_the_tape_and_carried_on(name: str) -> None:
    t = bp.step("3-4-2", optimizer=name)
    for slot in OPTIMIZERS[name].state:
        assert not t[f"{slot}W1"].any()
        np.testing.assert_array_equal(t.after()[f"{slot}W1"], t[f"{slot}W1_new"])
    assert t.after(3).problem.step == 4
    assert t.after(20)["L"] < t["L"]


def test_frozen_parameters_stay_but_have_gradients() -> None:
    t = bp.step("3-4-2", frozen=["b1", "W2"])
    assert "b1_new" not in t.trace
    assert t["db1"].any()
    np.testing.assert_array_equal(t.after()["b1"], t["b1"])
    assert (t.after()["W1"] != t["W1"]).any()


def test_single_precision_is_kept_through_updates() -> None:
    for name in OPTIMIZERS:
        t = bp.step("3-4-2", optimizer=name, dtype="float32", loss="ce")
        assert {t[ref].dtype for ref in ("z1", "dW1", "W1_new", "L")} == {np.dtype(np.float32)}
