"""Normalization: mean 0 and variance 1, over whom, and what batch normalization remembers."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import backprop_cli as bp
from backprop_cli.errors import UsageError
from backprop_cli.problem import load

X = np.random.default_rng(0).normal(2, 3, size=(4, 3))
IMAGES = np.random.default_rng(1).normal(2, 3, size=(2, 3, 4, 5))


@pytest.mark.parametrize(("net", "x", "axes"), [
    ("3 layernorm dense2", X, -1),
    ("3 batchnorm dense2", X, 0),
    ("3x4x5 batchnorm flatten dense2", IMAGES, (0, 2, 3)),
    ("3x4 layernorm dense2 softmax", IMAGES[..., 0], -1),
])  # fmt: skip
def test_what_belongs_together_has_mean_0_and_variance_1(net: str, x: Any, axes: Any) -> None:
    t = bp.step(net, x=x)
    np.testing.assert_allclose(t["xhat1"].mean(axes), 0, atol=1e-12)
    np.testing.assert_allclose(t["xhat1"].var(axes), 1, rtol=1e-4)
    assert t["mu1"].shape == t["var1"].shape == x.mean(axes).shape


def test_numbers_that_are_all_the_same_become_0() -> None:
    t = bp.step("3 layernorm dense2", x=[[5, 5, 5]])
    assert not t["xhat1"].any() and np.isfinite(t["dg1"]).all()
    with pytest.raises(UsageError, match="overflows"):
        bp.step("3 layernorm(eps=0) dense2", x=[[5, 5, 5]])


def test_a_batch_of_one_is_refused_but_an_image_has_many_pixels() -> None:
    """As PyTorch: one number per unit is its own mean, and has no variance."""
    with pytest.raises(UsageError, match="cannot train on one sample"):
        bp.step("3 batchnorm dense2")
    with pytest.raises(UsageError, match="cannot train on one sample"):
        bp.step("3x1x1 batchnorm flatten dense2")
    t = bp.step("3x4x5 batchnorm flatten dense2", x=IMAGES[:1])
    np.testing.assert_allclose(t["running_var1_new"], 0.9 + 0.1 * IMAGES[0].var((1, 2), ddof=1))


def test_running_statistics_are_carried_from_step_to_step() -> None:
    run = bp.step("3 batchnorm(momentum=0.2) dense2", x=X, lr=0)
    mean, var = np.zeros(3), np.ones(3)
    for step in run.walk(3):
        np.testing.assert_allclose(step["running_mean1"], mean)
        np.testing.assert_allclose(step["running_var1"], var)
        mean, var = 0.8 * mean + 0.2 * X.mean(0), 0.8 * var + 0.2 * X.var(0, ddof=1)
    np.testing.assert_allclose(step.problem.after(step.trace).state["running_var1"], var)


def test_the_loss_does_not_know_what_is_remembered_until_the_network_is_used() -> None:
    problem = load("3 batchnorm dense2", x=X)
    trace = problem.run()
    assert trace.replay("L", running_mean1=np.full(3, 9.0)) == trace["L"]
    used = problem.network.forward(problem.params, X[:1], problem.y[:1], state={"running_mean1": X[0]})
    assert not used["xhat1"].any() and "mu1" not in used
    fresh = problem.network.forward(problem.params, X, problem.y)
    np.testing.assert_allclose(fresh["xhat1"], X / np.sqrt(1 + 1e-5))


def test_what_is_remembered_can_be_set_and_is_told(backprop: Any) -> None:
    found = backprop("step", "3 batchnorm dense2", "--x", "1,2,3;4,6,8", "--json")
    document = json.loads(found.stdout)
    assert document["optimizer_state"]["running_mean1"] == pytest.approx([0.25, 0.4, 0.55])
    assert [step["phase"] for step in document["steps"]][-6:] == ["update"] * 6
    problem = load("3 batchnorm dense2", x=X)
    moved = replace(problem, state={**problem.state, "running_mean1": np.ones(3)})
    np.testing.assert_allclose(moved.run()["running_mean1_new"], 0.9 + 0.1 * X.mean(0))


def test_a_bias_before_batch_normalization_does_nothing() -> None:
    t = bp.step("3 dense4 batchnorm relu dense2", x=X)
    np.testing.assert_allclose(t["db1"], 0, atol=1e-15)
    assert t.replay("L", b1=t["b1"] + 7) == pytest.approx(t["L"], rel=1e-9)


@pytest.mark.parametrize("net", ["3 layernorm dense2", "3 batchnorm dense2"])
def test_single_precision_stays_single(net: str) -> None:
    t = bp.step(net, x=X, dtype="float32")
    for ref in ("xhat1", "norm1", "dg1", "db1", "W2_new"):
        assert t[ref].dtype == np.float32
    assert all(value.dtype == np.float32 for value in t.problem.after(t.trace).state.values())


@pytest.mark.parametrize(("net", "message"), [
    ("3x4 batchnorm dense2 softmax", "it takes a[n,o], a[n,k,r,s], but what comes in has shape"),
    ("3x4x5 layernorm flatten dense2", "it takes a[n,o], a[n,t,o], but what comes in has shape"),
    ("3 batchnorm(momentum=1) dense2", "momentum must be at least 0 and below 1"),
    ("3 layernorm(eps=-1) dense2", "eps must be at least 0"),
])  # fmt: skip
def test_what_does_not_fit_is_refused(net: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        bp.step(net)
    assert message in str(caught.value)
