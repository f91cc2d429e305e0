"""Pruned and quantized weights: what the layers see, what comes back, and that nobody has to know."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import Run
from hypothesis import given, settings
from hypothesis import strategies as st

import backprop_cli as bp
from backprop_cli.errors import UsageError
from backprop_cli.session import train
from backprop_cli.trace import held
from backprop_cli.weights import save_weights


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 100), st.floats(0, 1))
def test_pruned_weights_count_as_0_and_get_no_gradient(seed: int, share: float) -> None:
    run = bp.step("3-4-2", seed=seed, prune=share)
    for name in ("W1", "W2"):
        weights, mask = run[name], run[f"mask{name}"]
        assert mask.sum() == round((1 - share) * mask.size)
        assert abs(weights[mask == 1]).min(initial=np.inf) >= abs(weights[mask == 0]).max(initial=0)
        assert not run[f"d{name}"][mask == 0].any()
    other = bp.step("3-4-2", x=run["x"], y=run["y"], params={
        **{f"b{n}": run[f"b{n}"] for n in (1, 2)}, **{f"W{n}": run[f"W{n}"] * run[f"maskW{n}"] for n in (1, 2)}
    })  # fmt: skip
    assert run["L"] == other["L"]
    np.testing.assert_array_equal(run["dW1"], other["dW1"] * run["maskW1"])


@pytest.mark.parametrize("bits", [2, 3, 8])
def test_quantized_weights_lie_on_a_grid_and_the_gradient_goes_straight_through(bits: int) -> None:
    run = bp.step("3-4-2", quantize=bits)
    spacing = abs(run["W1"]).max() / (2 ** (bits - 1) - 1)
    marks = run["gridW1"] / spacing
    np.testing.assert_allclose(marks, np.round(marks), atol=1e-12)
    assert abs(run["gridW1"] - run["W1"]).max() <= spacing / 2 + 1e-15
    np.testing.assert_array_equal(run["dW1"], run["dgridW1"])
    assert len(np.unique(np.round(marks))) <= 2**bits - 1


def test_what_if_and_a_nudge_go_by_the_rounded_weights() -> None:
    run = bp.step("3-2-2", quantize=4)
    spacing = float(run["spacingW1"])
    moved = run.replay("gridW1", W1=run["W1"] + 0.6 * spacing)
    np.testing.assert_allclose(moved / spacing, np.round(moved / spacing), atol=1e-12)
    why = run.why("W1[1,2]")
    assert why.truth == 0 != why.paths.total


def test_the_witnesses_hold_the_rounding_and_say_so() -> None:
    run = bp.step("3-2-2", quantize=4)
    assert {step.kernel.name for step in held(run.trace).steps} & {"shifted", "quantized"} == {"shifted"}
    plain = bp.step("3-2-2").trace
    assert held(plain) is plain
    assert {check.reason for check in run.check() if check.ref == "dW1"} == {"the rounding held fixed"}
    assert {check.reason for check in bp.check("3-2-2")} == {""}


@pytest.mark.parametrize(
    "net", ["2-3-2", "1x4x4 conv2(3) pool(2) flatten dense2", "2 embedding3x2 gru2 dense3 softmax"]
)
def test_every_witness_agrees_without_knowing(net: str) -> None:
    checks = bp.check(net, sample=2, prune=0.4, quantize=3)
    assert {check.verdict for check in checks if check.witness != "symbolic"} == {"agree"}
    assert {check.verdict for check in checks if check.witness == "symbolic"} <= {"agree", "skipped"}
    assert "agree" in {check.verdict for check in checks if check.witness == "symbolic"}
    assert any(not check.under for check in checks)


def test_a_way_through_both_is_explained() -> None:
    why = bp.step("mazur", prune=0.25, quantize=4).why("W1[2,1]")
    assert why.paths.number == 2
    assert [link.step.ref for link in why.paths.largest[0].links][:3] == ["prunedW1", "gridW1", "z1"]
    assert why.paths.total == pytest.approx(why.trace.entry("dW1", (1, 0)))


def test_what_is_pruned_is_settled_before_the_first_step() -> None:
    first = bp.step("3-4-2", prune=0.5, lr=5.0)
    later = first.after(30)
    np.testing.assert_array_equal(first["maskW1"], later["maskW1"])
    np.testing.assert_array_equal(first["W1"][first["maskW1"] == 0], later["W1"][first["maskW1"] == 0])
    assert (abs(later["W1"]) * later["maskW1"]).max() != abs(first["W1"]).max()


def test_quantized_weights_are_rounded_anew_in_every_step() -> None:
    later = bp.step("3-4-2", quantize=3, lr=5.0).after(30)
    spacing = abs(later["W1"]).max() / 3
    np.testing.assert_allclose(later["gridW1"] / spacing, np.round(later["gridW1"] / spacing), atol=1e-12)


def test_a_pruned_network_is_trained_and_saved_with_its_zeros(tmp_path: Path) -> None:
    training = train("xor", epochs=20, prune=0.5)
    save_weights(str(tmp_path / "w.npz"), training.problem, training.values, training.parts.scaling)
    with np.load(tmp_path / "w.npz") as saved:
        assert (saved["W1"] == 0).sum() == 4
        assert sorted(saved) == ["W1", "W2", "b1", "b2"]


@pytest.mark.parametrize(("key", "value"), [("prune", 1.5), ("prune", -0.1), ("quantize", 1), ("quantize", 17)])
def test_what_makes_no_sense_is_refused(key: str, value: float) -> None:
    with pytest.raises(UsageError, match=key):
        bp.step("3-4-2", **{key: value})


def test_layers_are_frozen_by_number() -> None:
    assert bp.step("3-4-2", frozen=["layer1"]).problem.frozen == ("W1", "b1")
    assert bp.step("3-4-4-2", frozen=["layer2-3", "b1", "W2"]).problem.frozen == ("W2", "b2", "W3", "b3", "b1")
    with pytest.raises(UsageError, match="layer9"):
        bp.step("3-4-2", frozen=["layer9"])


def test_it_is_said(backprop: Run) -> None:
    found = backprop("step", "3-4-2", "--prune", "0.5", "--quantize", "4", "--no-check")
    text = " ".join(found.stdout.decode().split())
    assert "prune 0.5, quantize 4" in text
    assert "is pruned: it counts as 0" in text
    assert "pruned_W₁[o,i] = W₁[o,i]·mask_W₁[o,i]" in text
    assert "grid_W₁[o,i] = round(pruned_W₁[o,i]/spacing_W₁)·spacing_W₁" in text
