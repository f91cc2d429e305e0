"""Attention: who looks where, what heads share, and what a mask hides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import backprop_cli as bp
from backprop_cli.building import build
from backprop_cli.errors import UsageError

X = np.random.default_rng(1).normal(size=(2, 4, 6))


def run(net: str, x: Any = X, **options: Any) -> bp.Run:
    return bp.step(f"{x.shape[1]}x{x.shape[2]} {net} dense3 softmax", x=x, y=np.zeros(x.shape[:2]), **options)


def test_its_steps_stand_on_the_tape_by_name() -> None:
    t = run("attention(heads=2, causal=1)").trace
    assert [step.ref for step in t.of_phase("forward")][:7] == ["q1", "k1", "v1", "score1", "w1", "c1", "out1"]
    assert np.shape(t["score1"]) == (2, 2, 4, 4)
    shapes = build("4x6 attention dense3 softmax").shapes
    assert [shapes[f"W{part}1"] for part in "qkvo"] == [(6, 6)] * 4
    assert [shapes[f"b{part}1"] for part in "qkvo"] == [(6,)] * 4


@pytest.mark.parametrize("heads", [1, 2, 3, 6])
def test_each_head_is_one_attention_on_its_own_units(heads: int) -> None:
    t = run(f"attention(heads={heads})")
    width = 6 // heads
    for head in range(heads):
        own = slice(head * width, (head + 1) * width)
        q, k, v = (t[f"{name}1"][..., own] for name in "qkv")
        scores = np.einsum("nte,nue->ntu", q, k) / np.sqrt(width)
        weights = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
        np.testing.assert_allclose(t["w1"][:, head], weights)
        np.testing.assert_allclose(t["c1"][..., own], weights @ v)


@pytest.mark.parametrize("causal", [0, 1])
def test_weights_are_shares(causal: int) -> None:
    weights = run(f"attention(heads=2, causal={causal})")["w1"]
    np.testing.assert_allclose(weights.sum(-1), 1)
    assert (weights >= 0).all()


def test_with_a_causal_mask_no_place_sees_what_comes_after_it() -> None:
    t = run("attention(heads=2, causal=1)")
    assert not np.triu(t["w1"], 1).any()
    x = X.copy()
    x[:, 2] += 5
    later = t.replay("out1", x=x)
    np.testing.assert_array_equal(later[:, :2], t["out1"][:, :2])
    assert (later[:, 2:] != t["out1"][:, 2:]).all()
    np.testing.assert_array_equal(t["dscore1"] * np.triu(np.ones((4, 4)), 1), 0)


def test_a_score_that_is_hidden_may_be_huge() -> None:
    t = run("attention(causal=1)")
    scores = np.where(np.tri(4, dtype=bool), t["score1"], 1e6)
    np.testing.assert_array_equal(t.replay("w1", score1=scores), t["w1"])


def test_without_positions_the_order_does_not_matter_and_with_them_it_does() -> None:
    order = [2, 0, 3, 1]
    t, p = run("attention(heads=2)"), run("positional attention(heads=2)")
    np.testing.assert_allclose(t.replay("out1", x=X[:, order]), t["out1"][:, order])
    assert not np.allclose(p.replay("out2", x=X[:, order]), p["out2"][:, order])


@pytest.mark.parametrize("causal", [0, 1])
def test_one_place_alone_looks_at_itself(causal: int) -> None:
    """The one weight is 1 whatever the score, so that queries and keys learn nothing."""
    t = run(f"attention(heads=2, causal={causal})", X[:, :1])
    assert (t["w1"] == 1).all()
    np.testing.assert_array_equal(t["c1"], t["v1"])
    assert not t["dWq1"].any() and not t["dWk1"].any() and t["dWv1"].all()
    assert {check.verdict for check in t.check(["finite_difference", "complex_step"])} == {"agree"}


def test_the_bias_of_the_keys_does_nothing() -> None:
    t = run("attention(heads=2)")
    np.testing.assert_allclose(t["dbk1"], 0, atol=1e-15)
    assert t.replay("L", bk1=t["bk1"] + 3) == pytest.approx(t["L"], rel=1e-12)


@pytest.mark.parametrize(("net", "message"), [
    ("3x4 attention(heads=3)", "4 units cannot be shared out evenly among 3 heads"),
    ("3x4 attention(heads=0)", "heads must be at least 1"),
    ("3x4 attention(heads=1.5)", "heads must be a whole number"),
    ("3x4 attention(causal=2)", "causal must be at least 0 and below 2"),
    ("4 attention", "layer attention: it takes a[n,t,i], but what comes in has shape (N, 4)"),
])  # fmt: skip
def test_what_does_not_fit_is_refused(net: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        bp.step(f"{net} dense2 softmax")
    assert message in str(caught.value)
