"""The tape: what it records, what it replays, and that a value used twice gets the sum over its uses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import backprop_cli as bp
from backprop_cli.errors import ShapeError, UsageError
from backprop_cli.kernel import Kernel, kernel
from backprop_cli.layers import KERNELS
from backprop_cli.trace import Trace, backward, paths_added


def slopes(trace: Trace, ref: str, step: float = 1e-6) -> Any:
    """∂L/∂ref by plain central differences of replays, one entry after the other."""
    value = np.asarray(trace[ref], float)
    found = np.zeros(value.shape)
    for place in np.ndindex(*value.shape):
        nudge = np.zeros(value.shape)
        nudge[place] = step
        found[place] = (trace.replay("L", **{ref: value + nudge}) - trace.replay("L", **{ref: value - nudge})) / (
            2 * step
        )
    return found


def test_every_name_is_written_once() -> None:
    trace = Trace(z1=np.zeros((1, 2)))
    trace.run("a1", KERNELS["tanh"], z="z1")
    with pytest.raises(ValueError, match="a1 is on the tape already"):
        trace.run("a1", KERNELS["tanh"], z="z1")


def test_a_body_that_stretches_shapes_is_caught() -> None:
    @kernel("z[n,o] = a[n,o] + b[o]")
    def careless(a: Any, b: Any) -> Any:
        return a + b[:, None]

    trace = Trace(a=np.zeros((1, 2)), b=np.zeros(2))
    with pytest.raises(ShapeError, match=r"bad: careless gave shape \(2, 2\), its formula says \(1, 2\)"):
        trace.run("bad", careless, a="a", b="b")


def test_replay_changes_only_what_depends_on_the_change_and_leaves_the_tape_alone() -> None:
    calls: list[str] = []

    def counted(name: str) -> Kernel:
        plain = KERNELS["tanh"]

        def body(z: Any) -> Any:
            calls.append(name)
            return plain.body(z)

        return Kernel(plain.formula, body)

    trace = Trace(p=np.ones((1, 2)), q=np.ones((1, 2)))
    trace.run("a", counted("a"), z="p")
    trace.run("b", counted("b"), z="q")
    trace.run("c", counted("c"), z="b")
    calls.clear()
    before = trace["c"].copy()
    assert not np.array_equal(trace.replay("c", q=np.zeros((1, 2))), before)
    assert calls == ["b", "c"]
    np.testing.assert_array_equal(trace["c"], before)
    assert trace.replay("c", c=7) == 7


def test_delta_is_another_name_of_dz() -> None:
    t = bp.step("mazur")
    assert t["delta1"] is t["dz1"]
    assert t.replay("delta1", W2=t["W2"] * 0).tolist() == [[0, 0]]
    assert t.replay("dW1", delta1=t["dz1"] * 0).tolist() == [[0, 0], [0, 0]]


def test_a_run_answers_to_addresses_and_guards_its_tape() -> None:
    t = bp.step("mazur")
    assert t["W1[1,2]"] == t["W1"][0, 1]
    with pytest.raises(ValueError, match="read-only"):
        t["W1"][0, 0] = 99
    with pytest.raises(UsageError, match="unknown value 'W9'"):
        t.replay("L", W9=3)
    with pytest.raises(ShapeError, match=r"W1 has shape \(1, 2\), but on the tape it has \(2, 2\)"):
        t.replay("L", W1=[[1, 2]])
    with pytest.raises(UsageError, match="unknown value 'M'"):
        t.replay("M")
    assert repr(t) == "<step 1 of 2-2-2: L = 0.298371>"
    assert t == t
    assert len({t, bp.step("mazur")}) == 2
    assert t.loss_after == t.after()["L"]


def test_the_slope_of_a_saturated_unit_keeps_its_digits() -> None:
    t = bp.step("1-1", x=[30], y=[0], params={"W1": [[1]], "b1": [0]})
    assert t["dz1"][0, 0] == pytest.approx(np.exp(-30), rel=1e-12)
    assert t.replay("dz1", a1=np.array([[0.5]]))[0, 0] == pytest.approx(0.5 * 0.5 * 0.5)


def test_replay_reaches_gradients_and_updates_too() -> None:
    t = bp.step("mazur")
    moved = t.replay("W1_new", W2=t["W2"] * 0)
    np.testing.assert_array_equal(moved, t["W1"])
    assert t.replay("dW1", x=t["x"] * 2)[0, 0] != t["dW1"][0, 0]


@pytest.mark.parametrize("loss", ["ce", "bce"])
def test_a_replaced_output_is_used_although_the_loss_was_fused(loss: str) -> None:
    """A fused loss reads z; whoever replaces a wants the loss and the δ of that a."""
    t = bp.step("3-4-2", loss=loss)
    own = np.array([[0.25, 0.75]])
    y = t["y"]
    expected = -np.log(own[y == 1]).sum() if loss == "ce" else -np.log(own * y + (1 - own) * (1 - y)).mean()
    assert t.replay("L", a2=own) == pytest.approx(expected)
    np.testing.assert_allclose(t.replay("dz2", a2=own), (own - y) / (1 if loss == "ce" else 2))
    assert t.replay("L", z2=t["z2"] + 1.0) != t["L"] or loss == "ce"


def test_a_tied_weight_gets_the_sum_of_its_two_gradients() -> None:
    rng = np.random.default_rng(0)
    trace = Trace(x=rng.normal(size=(3, 4)), y=rng.normal(size=(3, 4)), W=rng.normal(size=(4, 4)))
    trace.run("z1", KERNELS["dense_no_bias"], a="x", W="W")
    trace.run("a1", KERNELS["tanh"], z="z1")
    trace.run("z2", KERNELS["dense_no_bias"], a="a1", W="W")
    trace.run("E", KERNELS["mse"], "loss", a="z2", y="y")
    trace.run("L", KERNELS["mean"], "loss", E="E")
    backward(trace, ["W"])
    np.testing.assert_allclose(trace["dW"], trace["dW_1"] + trace["dW_2"])
    np.testing.assert_allclose(trace["dW"], slopes(trace, "W"), rtol=1e-6, atol=1e-9)
    assert "dx" not in trace


def test_a_residual_connection_adds_the_gradients_of_three_uses() -> None:
    rng = np.random.default_rng(1)
    trace = Trace(x=rng.normal(size=(2, 3)), y=rng.normal(size=(2, 3)), W=rng.normal(size=(3, 3)))
    trace.run("h", KERNELS["dense_no_bias"], a="x", W="W")
    trace.run("a", KERNELS["tanh"], z="h")
    trace.run("s", paths_with_gradients(), d1="h", d2="a")
    trace.run("r", paths_with_gradients(), d1="s", d2="h")
    trace.run("E", KERNELS["mse"], "loss", a="r", y="y")
    trace.run("L", KERNELS["mean"], "loss", E="E")
    backward(trace, ["W", "x"])
    np.testing.assert_allclose(trace["dh"], trace["dh_1"] + trace["dh_2"] + trace["dh_3"])
    np.testing.assert_allclose(trace["dW"], slopes(trace, "W"), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(trace["dx"], slopes(trace, "x"), rtol=1e-6, atol=1e-9)


def paths_with_gradients() -> Kernel:
    """A sum of two values, as a layer would declare it."""
    add = Kernel(paths_added.formula, paths_added.body)

    @add.gradient("dd1[...] = dd[...]")
    def first(dd: Any) -> Any:
        return dd

    @add.gradient("dd2[...] = dd[...]")
    def second(dd: Any) -> Any:
        return dd

    return add


@pytest.mark.parametrize("loss", ["mse", "sse", "half_sse", "mae", "huber"])
def test_an_autoencoder_s_input_is_also_its_target(loss: str) -> None:
    rng = np.random.default_rng(2)
    trace = Trace(x=rng.normal(size=(2, 3)), W=rng.normal(size=(3, 3)), delta=1.0)
    trace.run("z1", KERNELS["dense_no_bias"], a="x", W="W")
    refs = {"a": "z1", "y": "x", "delta": "delta"}
    trace.run("E", KERNELS[loss], "loss", **{name: refs[name] for name in KERNELS[loss].operands})
    trace.run("L", KERNELS["mean"], "loss", E="E")
    backward(trace, ["x"])
    np.testing.assert_allclose(trace["dx"], slopes(trace, "x"), rtol=1e-6, atol=1e-9)


def test_l2_reaches_the_weights_by_a_second_path_and_leaves_biases_alone() -> None:
    plain, penalised = bp.step("3-4-2"), bp.step("3-4-2", l2=0.1)
    squares = sum(float((plain[name] ** 2).sum()) for name in ("W1", "W2"))
    assert penalised["L"] == pytest.approx(plain["L"] + 0.05 * squares)
    for name in ("W1", "W2"):
        np.testing.assert_allclose(penalised[f"d{name}"], plain[f"d{name}"] + 0.1 * plain[name])
    np.testing.assert_allclose(penalised["db1"], plain["db1"])


def test_a_batch_has_the_mean_or_the_sum_of_its_samples_gradients() -> None:
    x, y = [[0.1, 0.2, 0.3], [0.9, 0.8, 0.7]], [[0, 1], [1, 0]]
    single = [bp.step("3-4-2", x=x[n], y=y[n])["dW1"] for n in range(2)]
    np.testing.assert_allclose(bp.step("3-4-2", x=x, y=y)["dW1"], (single[0] + single[1]) / 2)
    np.testing.assert_allclose(bp.step("3-4-2", x=x, y=y, reduction="sum")["dW1"], single[0] + single[1])


@pytest.mark.parametrize("loss", ["ce", "bce", "bce_sum"])
def test_a_step_is_finite_for_logits_of_a_thousand(loss: str) -> None:
    t = bp.step("2-2", x=[1000, -1000], y=[0, 1], loss=loss, params={"W1": [[1, 0], [0, 1]], "b1": [0, 0]})
    assert t["L"] == pytest.approx({"ce": 2000.0, "bce": 1000.0, "bce_sum": 2000.0}[loss])
    assert np.isfinite(t["dW1"]).all()
    assert t["dz1"].tolist() == [[1 if loss != "bce" else 0.5, -1 if loss != "bce" else -0.5]]
