"""The witnesses: they agree with a right engine on any network, and catch a wrong one by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import backprop_cli as bp
from backprop_cli import claims
from backprop_cli.errors import ShapeError, UsageError
from backprop_cli.kernel import Kernel
from backprop_cli.layers import ACTIVATIONS, KERNELS
from backprop_cli.numeric import complex_step, finite_difference
from backprop_cli.problem_file import preset_names
from backprop_cli.symbolic import Sympy
from backprop_cli.verdict import Precision, choose, judge

LOSSES = ["mse", "sse", "half_sse", "mae", "huber"]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", LOSSES)
def test_all_agree_on_every_activation_and_loss(activation: str, loss: str) -> None:
    checks = bp.check("3-4-2", activation=[activation, "tanh"], loss=loss, seed=3)
    assert {check.verdict for check in checks} <= ({"agree", "skipped"} if activation == "gelu" else {"agree"})
    assert all(check.checked == check.total for check in checks if check.verdict == "agree")


@pytest.mark.parametrize("options", [
    {"loss": "ce"}, {"loss": "bce"}, {"loss": "bce_sum"}, {"l2": 0.1}, {"bias": False}, {"reduction": "sum"},
    {"loss": "bce", "activation": ["tanh", "softmax"]}, {"loss": "ce", "x": [[1, 2, 3], [4, 5, 6]], "l2": 0.01},
    {"net": "3-5-5-2"}, {"net": "1-1"}, {"dtype": "float32"}, {"optimizer": "adam", "frozen": ["W1"]},
])  # fmt: skip
def test_all_agree_on_every_kind_of_problem(options: dict[str, Any]) -> None:
    checks = bp.check(options.pop("net", "3-4-2"), **options)
    assert [check.verdict for check in checks] == ["agree"] * len(checks)


LARGE = {"mnist-mlp", "tabular"}
"""Presets too large to be checked in every entry here, without a small version."""
SMALL = {"article-3-4-2", "logistic", "mazur", "xor"}
"""Presets that are small as they are."""


@pytest.mark.parametrize("name", sorted(set(preset_names()) - LARGE))
def test_all_agree_on_every_small_preset(name: str) -> None:
    checks = bp.check(name, sample=None if name in SMALL else 1, tiny=name not in SMALL)
    assert {check.verdict for check in checks} == {"agree"}


@settings(max_examples=8, deadline=None)
@given(
    st.lists(st.integers(1, 5), min_size=2, max_size=4),
    st.sampled_from(["sigmoid", "tanh", "softplus", "silu", "elu"]),
    st.integers(0, 10_000),
    st.integers(1, 3),
)
def test_all_agree_on_any_small_network(sizes: list[int], activation: str, seed: int, samples: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(samples, sizes[0])), rng.normal(size=(samples, sizes[-1]))
    run = bp.step("-".join(map(str, sizes)), activation=[activation], x=x, y=y, seed=seed, init="xavier")
    assert {check.verdict for check in run.check(sample=2)} <= {"agree", "skipped"}


def planted(monkeypatch: pytest.MonkeyPatch, kernel: str, operand: str, body: Any) -> None:
    """Put a wrong body in the place of a gradient's."""
    right = KERNELS[kernel].gradients[operand]
    monkeypatch.setitem(KERNELS[kernel].gradients, operand, Kernel(right.formula, body))


def test_a_planted_wrong_entry_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(dz: Any, a: Any) -> Any:
        gradient = dz.mT @ a
        if gradient.shape == (4, 3):
            gradient[2, 1] += 1e-3
        return gradient

    planted(monkeypatch, "dense", "W", wrong)
    run = bp.step("3-4-2")
    for check in (finite_difference(run.trace, "W1"), complex_step(run.trace, "W1"), Sympy(run.trace).check("W1")):
        assert check.verdict == "disagree", check
        assert check.worst is not None
        assert check.worst.place == (2, 1)
        assert check.worst.engine - check.worst.witness == pytest.approx(1e-3, rel=1e-4)
    assert finite_difference(run.trace, "W2").verdict == "agree"


@pytest.mark.parametrize("factor", [-1, 0.5, 1 + 1e-3])
def test_a_wrong_factor_is_caught_by_each_witness(monkeypatch: pytest.MonkeyPatch, factor: float) -> None:
    planted(monkeypatch, "sigmoid", "z", lambda da, a: factor * da * a * (1 - a))
    run = bp.step("3-4-2", activation=["sigmoid", "identity"])
    for check in (finite_difference(run.trace, "W1"), complex_step(run.trace, "W1"), Sympy(run.trace).check("W1")):
        assert check.verdict == "disagree", check
        assert check.max_rel_error == pytest.approx(abs(1 - factor) / max(1, abs(factor)), rel=1e-3)


def test_a_kink_is_told_with_both_slopes() -> None:
    at_zero = {"W1": [[1, 1]], "b1": [0]}
    run = bp.step("2 dense1 relu", x=[1, -1], y=[-0.5], params=at_zero)
    check = finite_difference(run.trace, "W1")
    assert check.verdict == "kink"
    assert check.slopes == pytest.approx((0.0, 0.5), abs=1e-6)
    assert finite_difference(run.trace, "b1").verdict == "kink"


def test_a_gradient_outside_the_kink_s_slopes_is_still_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    planted(monkeypatch, "relu", "z", lambda da, z: da * 2)
    run = bp.step("2 dense1 relu", x=[1, -1], y=[-0.5], params={"W1": [[1, 1]], "b1": [0]})
    assert finite_difference(run.trace, "W1").verdict == "disagree"


def test_the_kink_of_an_absolute_error_is_no_disagreement() -> None:
    run = bp.step("1 dense1", x=[1], y=[0.5], loss="mae", params={"W1": [[0.5]], "b1": [0]})
    verdicts = [check.verdict for check in run.check()]
    assert "disagree" not in verdicts
    assert "kink" in verdicts


def test_tiny_gradients_do_not_hide_a_wrong_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Below the floor nothing can be told; the complex step has practically no floor, and tells."""
    planted(monkeypatch, "sigmoid", "z", lambda da, a: 2 * da * a * (1 - a))
    run = bp.step("1-1-1", x=[1], y=[0], params={"W1": [[20]], "b1": [0], "W2": [[1]], "b2": [0]})
    assert abs(run["dW1"][0, 0]) < 1e-8
    assert complex_step(run.trace, "W1").verdict == "disagree"


def test_gelu_has_no_complex_step_and_says_why() -> None:
    check = complex_step(bp.step("2-2", activation=["gelu"]).trace, "W1")
    assert (check.verdict, check.checked) == ("skipped", 0)
    assert "erf" in check.reason


def test_a_large_network_is_sampled_and_says_so() -> None:
    run = bp.step("784-128-10")
    checks = list(run.checks())
    assert {check.verdict for check in checks} == {"agree"}
    numeric = next(check for check in checks if check.ref == "dW1" and check.witness == "finite_difference")
    assert (numeric.checked, numeric.total) == (200, 100_352)
    assert "200 of 100,352" in numeric.summary
    algebra = next(check for check in checks if check.ref == "dW1" and check.witness == "symbolic")
    assert 1 <= algebra.checked <= 8


def test_an_exhaustive_check_looks_at_every_weight() -> None:
    checks = bp.step("784-128-10").check(["finite_difference"])
    assert [check.checked for check in checks] == [100_352, 128, 1280, 10]
    assert {check.verdict for check in checks} == {"agree"}


def test_many_nudges_at_once_are_the_same_as_one_by_one() -> None:
    run = bp.step("3-4-2", x=[[1, 2, 3], [4, 5, 6]], l2=0.1, loss="ce")
    for name in ("W1", "b1", "W2", "b2"):
        assert complex_step(run.trace, name).max_rel_error < 1e-12


def test_algebra_that_would_explode_is_cut_short() -> None:
    check = Sympy(bp.step("2-9-9-9-9-2").trace).check("W1", 3)
    assert (check.verdict, check.reason) == ("agree", "composed step by step, as it is long")
    assert check.max_rel_error < 1e-12
    assert check.under < 3


@pytest.mark.parametrize(
    ("shape", "most", "count"), [((3, 4), None, 12), ((3, 4), 5, 5), ((3, 4), 50, 12), ((100,), 7, 7)]
)
def test_a_sample_is_spread_from_first_to_last(shape: tuple[int, ...], most: int | None, count: int) -> None:
    entries = choose(shape, most)
    assert entries.shape == (count, len(shape))
    assert entries[0].tolist() == [0] * len(shape)
    assert entries[-1].tolist() == [size - 1 for size in shape]


@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
@pytest.mark.parametrize("x", [[20, 10, 8], [10, 20, 30], [12, 15, 9]])
def test_saturated_units_are_no_disagreement(activation: str, x: list[float]) -> None:
    """There 1 − a has few digits left; the engine takes the slope from z, and what is lost besides is measured."""
    for seed in range(6):
        checks = bp.check("3-4-2", witnesses=["complex_step", "symbolic"], x=x, seed=seed, activation=[activation])
        assert {check.verdict for check in checks} == {"agree"}


@pytest.mark.parametrize(("loss", "z"), [("ce", 1000), ("bce", 1000), ("bce_sum", 40), ("ce", 720), ("bce", -1000)])
def test_algebra_follows_logits_of_a_thousand(loss: str, z: float) -> None:
    run = bp.step("1-2", loss=loss, x=[1], y=[0, 1], params={"W1": [[z], [-z]], "b1": [0, 0]})
    assert {check.verdict for check in run.check()} == {"agree"}
    beyond = bp.step("1-2", loss=loss, x=[100], y=[0, 1], params={"W1": [[z * 10], [-z * 10]], "b1": [0, 0]})
    assert [check.verdict for check in beyond.check(["symbolic"])] == ["skipped"] * 2


def test_a_gradient_below_the_floor_is_said_to_be_so() -> None:
    checks = bp.check("-".join("1" * 12), witnesses=["finite_difference"])
    first = checks[0]
    assert (first.under, first.checked) == (1, 1)
    assert "all under the floor of" in first.summary


def test_an_unknown_witness_is_refused() -> None:
    with pytest.raises(UsageError, match="did you mean symbolic"):
        bp.check("mazur", witnesses=["symbolicc"])  # type: ignore[list-item]


# --- claims of others -----------------------------------------------------------------------------------------------

X = [[0.1, 0.2, 0.3], [0.9, 0.1, 0.5], [0.2, 0.8, 0.4]]


def claim(tmp_path: Path, **changed: Any) -> tuple[bp.Run, str]:
    run = bp.step("3-4-2", x=X, y=[[0, 1], [1, 0], [1, 1]])
    path = tmp_path / "claims.npz"
    np.savez(path, **{f"d{name}": changed.get(name, run[f"d{name}"]) for name in run.problem.params})
    return run, str(path)


def test_right_claims_agree_even_in_single_precision(tmp_path: Path) -> None:
    run, path = claim(tmp_path, W1=bp.step("3-4-2", x=X, y=[[0, 1], [1, 0], [1, 1]])["dW1"].astype(np.float32))
    assert {check.verdict for check in run.compare(path)} == {"agree"}


@pytest.mark.parametrize(
    ("factor", "words"),
    [(-1, "−1 times"), (0.5, "½ times"), (2, "2 times"), (3, "N = 3, the number of samples, times"), (1.7, "1.7 times"),
     (1 / 3, "1/N, N = 3 being the number of samples, times"), (0.1, "10^-1 times"), (0, "0 everywhere")],
)  # fmt: skip
def test_a_constant_factor_is_named(tmp_path: Path, factor: float, words: str) -> None:
    run = bp.step("3-4-2", x=X, y=[[0, 1], [1, 0], [1, 1]])
    check = claims.compare(run.trace, "W1", factor * run["dW1"])
    assert check.verdict == "disagree"
    assert words in check.reason


def test_a_claim_at_a_kink_must_lie_between_the_slopes() -> None:
    at_zero = {"W1": [[1, 1]], "b1": [0]}
    run = bp.step("2 dense1 relu", x=[1, -1], y=[-0.5], params=at_zero)
    verdicts = {
        factor: claims.compare(run.trace, "b1", np.array([factor])).verdict for factor in (0.0, 0.3, 0.5, 0.7, -1)
    }
    assert verdicts == {0.0: "agree", 0.3: "kink", 0.5: "kink", 0.7: "disagree", -1: "disagree"}


def test_a_large_loss_is_no_excuse_for_a_wrong_claim() -> None:
    """The slopes on both sides then differ by rounding alone, which must not look like a kink."""
    for seed in range(20):
        run = bp.step("3-5-2", activation=["sigmoid", "identity"], loss="sse", y=[300, -200], seed=seed)
        for name in run.problem.params:
            wrong = run[f"d{name}"].copy()
            place = np.unravel_index(abs(wrong).argmin(), wrong.shape)
            wrong[place] *= -1
            assert claims.compare(run.trace, name, wrong).verdict == "disagree"


def test_slopes_that_differ_by_their_noise_are_no_kink() -> None:
    trace = bp.step("1-1").trace
    gradient = float(trace["dW1"][0, 0])
    entries, claimed = choose((1, 1), None), np.array([gradient * 1.5])
    for noise, verdict in ((0.0, "kink"), (abs(gradient), "disagree")):
        sides = (np.array([gradient * 0.5]), np.array([gradient * 2]), noise)
        check = judge(trace, "dW1", "claimed", entries, claimed, Precision(1e-5, 1e-12), lambda _, sides=sides: sides)
        assert check.verdict == verdict


def test_what_is_not_in_the_file_is_said(tmp_path: Path) -> None:
    run = bp.step("mazur")
    np.savez(tmp_path / "one.npz", dW1=run["dW1"])
    assert [check.verdict for check in run.compare(str(tmp_path / "one.npz"))] == [
        "agree",
        "skipped",
        "skipped",
        "skipped",
    ]


def test_one_wrong_entry_is_found_in_the_right_tensor(tmp_path: Path) -> None:
    run = bp.step("3-4-2", x=X, y=[[0, 1], [1, 0], [1, 1]])
    wrong = run["dW1"].copy()
    wrong[3, 1] += 0.01
    run, path = claim(tmp_path, W1=wrong)
    bad = [check for check in run.compare(path) if check.verdict == "disagree"]
    assert [(check.ref, check.worst.place) for check in bad if check.worst] == [("dW1", (3, 1))]
    assert bad[0].reason == "1 of 12 entries differ"


def test_a_transposed_gradient_is_recognised() -> None:
    square = bp.step("3-3", x=X)
    assert "transpose" in claims.compare(square.trace, "W1", square["dW1"].T).reason
    oblong = bp.step("3-4-2")
    with pytest.raises(
        ShapeError, match=r"dW1: the file has shape \(3, 4\), the net needs \(4, 3\); it looks transposed"
    ):
        claims.compare(oblong.trace, "W1", oblong["dW1"].T)


def test_names_of_pytorch_are_taken_in_order(tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.numpy")
    run = bp.step("3-4-2")
    path = tmp_path / "model.safetensors"
    names = ["0.weight", "0.bias", "2.weight", "2.bias"]
    gradients = [run[f"d{name}"].astype(np.float32) for name in run.problem.params]
    safetensors.save_file(dict(zip(names, gradients, strict=True)), path)
    assert {check.verdict for check in run.compare(str(path))} == {"agree"}


def test_our_own_json_is_understood(tmp_path: Path) -> None:
    run = bp.step("mazur")
    document = bp.step_document(run.problem, run.trace, (), [])
    path = tmp_path / "step.json"
    path.write_text(json.dumps(document))
    assert {check.verdict for check in run.compare(str(path))} == {"agree"}


def test_claims_that_fit_no_parameter_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "odd.npz"
    np.savez(path, foo=np.zeros(3))
    with pytest.raises(UsageError, match="holds foo; expected gradients named dW1, db1, dW2, db2"):
        bp.step("3-4-2").compare(str(path))
