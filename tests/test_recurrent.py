"""Recurrent layers: PyTorch's numbers, the witnesses' verdicts, and how time steps are written, typed and shown."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import backprop_cli as bp
from backprop_cli import numeric
from backprop_cli.errors import UsageError
from backprop_cli.formula import Formula
from backprop_cli.glyphs import spell
from backprop_cli.layers.gates import both
from backprop_cli.layers.recurrent import heard, recall, stack
from backprop_cli.notation import Notation
from backprop_cli.program import Program
from backprop_cli.render import plain, terminal
from backprop_cli.render.screen import Screen
from backprop_cli.symbolic import Sympy

TORCH = dict(np.load(Path(__file__).parent / "golden" / "torch" / "recurrent.npz"))
EXAMPLES = sorted({name.partition("/")[0] for name in TORCH})
PYTORCH = {
    "W1": "weight_ih_l0", "U1": "weight_hh_l0", "b1": "bias_ih_l0", "v1": "bias_hh_l0", "W2": "weight", "b2": "bias",
}  # fmt: skip
KINDS = ("rnn", "gru", "lstm")


def example(name: str) -> tuple[bp.Run, dict[str, Any]]:
    """A step on PyTorch's numbers, and what PyTorch makes of them."""
    kind, times, last = name.split("-")
    torch = {key.partition("/")[2]: value for key, value in TORCH.items() if key.startswith(f"{name}/")}
    params = {ours: torch[theirs] for ours, theirs in PYTORCH.items()}
    y = np.eye(2)[torch["target"]]
    return bp.step(f"{times}x3 {kind}3(last={last}) dense2 softmax", x=torch["x"], y=y, params=params), torch


def shown(run: bp.Run, **view: Any) -> str:
    stream = io.StringIO()
    terminal.write(run.blocks(bp.View(**view)), Screen(80, "utf-8", False, False), stream)
    return stream.getvalue()


# --- values and gradients -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXAMPLES)
def test_values_and_gradients_are_pytorch_s(name: str) -> None:
    run, torch = example(name)
    times = torch["x"].shape[1]
    assert run["L"] == pytest.approx(float(torch["loss"]), rel=1e-12)
    for time in range(times):
        np.testing.assert_allclose(run[f"h1@{time + 1}"], torch["memory"][:, time], rtol=1e-12, atol=1e-15)
    if name.startswith("lstm"):
        np.testing.assert_allclose(run[f"c1@{times}"], torch["cell"], rtol=1e-12, atol=1e-15)
    for ours, theirs in PYTORCH.items():
        np.testing.assert_allclose(run[f"d{ours}"], torch[f"d/{theirs}"], rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_gradient_of_the_inputs_is_pytorch_s(name: str) -> None:
    run, torch = example(name)
    np.testing.assert_allclose(run.problem.run(["x"])["dx"], torch["d/x"], rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("net", ["2x2 rnn1 dense2 softmax", "2x2 gru1 dense2 softmax", "2x1 lstm1(last=1) dense1"])
def test_every_witness_agrees_on_a_tiny_network(net: str) -> None:
    verdicts = {(check.ref, check.witness): check.verdict for check in bp.check(net, seed=3)}
    assert set(verdicts.values()) == {"agree"}
    assert ("dU1", "symbolic") in verdicts


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("last", [0, 1])
def test_two_witnesses_agree_on_a_batch_of_tokens(kind: str, last: int) -> None:
    net = f"5 embedding4x2 {kind}3 {kind}2(last={last}) dense3 softmax"
    checks = bp.check(net, ["finite_difference", "complex_step"], x=[[0, 1, 2, 3, 1], [2, 2, 0, 1, 3]])
    assert len(checks) == 22
    assert {check.verdict for check in checks} == {"agree"}


@pytest.mark.parametrize("kind", KINDS)
def test_all_uses_at_once_come_to_the_sum_over_the_uses(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    net, x = f"4x3 {kind}2 dense2 softmax", np.linspace(-1, 1, 24).reshape(2, 4, 3)
    at_once = bp.step(net, x=x)
    for kernel in (both, heard, recall):
        for operand in list(kernel.joint):
            monkeypatch.delitem(kernel.joint, operand)
    by_parts = bp.step(net, x=x)
    assert "dU1_4" in by_parts.trace
    assert "dU1_1" not in at_once.trace
    for ref in at_once.trace.values:
        np.testing.assert_allclose(at_once.trace[ref], by_parts.trace[ref], rtol=1e-10, atol=1e-15)


def test_a_nudge_of_a_value_in_the_middle_of_time_goes_on_side_by_side() -> None:
    run = bp.step("4x2 gru2 dense2 softmax", x=np.linspace(-1, 1, 16).reshape(2, 4, 2))
    for witness in (numeric.finite_difference, numeric.complex_step):
        assert witness(run.trace, "h1@2").verdict == "agree"
    copies = stack(2).body(np.zeros((3, 2)), np.ones((5, 3, 2)))
    assert copies.shape == (5, 3, 2, 2)
    assert copies[:, :, 1].all()


def test_a_weight_that_serves_two_kinds_of_step_still_gets_both_gradients() -> None:
    run = bp.step("3x2 residual(gru2) dense2 softmax", l2=0.1)
    assert {check.verdict for check in run.check(["complex_step"])} == {"agree"}


def test_a_recurrent_layer_wants_a_sequence() -> None:
    with pytest.raises(UsageError, match=r"layer gru: it takes a\[n,t,i\], but what comes in has shape \(N, 3\)"):
        bp.step("3 gru4")
    with pytest.raises(UsageError, match="last must be"):
        bp.step("3x2 gru4(last=2) dense2 softmax")


def test_the_fast_path_runs_a_recorded_sequence_on_other_numbers() -> None:
    first, other = (bp.step("4x2 lstm3 dense2 softmax", seed=2, x=np.full((2, 4, 2), value)) for value in (0.5, -0.7))
    found = Program(first.trace, ["dU1", "L"]).run({"x": other["x"], "y": other["y"]})
    np.testing.assert_allclose(found["dU1"], other["dU1"], rtol=1e-12)
    single = bp.step("4x2 gru3 dense2 softmax", dtype="float32").trace
    assert all(np.asarray(single[step.ref]).dtype == np.float32 for step in single.of_phase("forward", "backward"))


# --- pick -----------------------------------------------------------------------------------------------------------


def test_pick_takes_the_term_that_an_axis_says() -> None:
    formula = Formula("h[n,t] = 2 * pick[t](a[n], b[n])")
    values = {"a": np.array([1.0, 2.0, 3.0]), "b": np.array([4.0, 5.0, 6.0])}
    np.testing.assert_array_equal(formula.evaluate(values), [[2, 8], [4, 10], [6, 12]])
    sizes = formula.sizes(values)
    assert sizes["t"] == 2
    assert list(formula.places("b", {"n": 1, "t": 1}, sizes)) == [(1,)]
    assert list(formula.places("b", {"n": 1, "t": 0}, sizes)) == []
    assert Formula("L = sum[t](pick[t](a, b, c))").evaluate({"a": 1.0, "b": 2.0, "c": 3.0}) == 6


# --- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ref", "written", "spelled"),
    [("h1@2", "h₁⁽²⁾", "h1@2"), ("dh1@12", "∂L/∂h₁⁽¹²⁾", "dh1@12"), ("dh1@11_2", "∂L/∂h₁⁽¹¹⁾ through h₁⁽¹²⁾", None),
     ("zr1@2", "zr₁⁽²⁾", "zr1@2"), ("dzr1@2", "δr₁⁽²⁾", "deltar1@2"), ("mU1", "m_U₁", "m_U1"), ("v1", "v₁", "v1"),
     ("mhatv1", "m̂_v₁", "mhat_v1"), ("U1_new", "U₁′", "U1_new")],
)  # fmt: skip
def test_a_value_at_a_time_step_is_written_with_the_time_above(ref: str, written: str, spelled: str | None) -> None:
    run = bp.step("12x2 gru2 dense2 softmax", optimizer="adam")
    assert Notation(run.trace).name(ref) == written
    if spelled:
        assert spell(written) == spelled


def test_a_square_is_no_time_step() -> None:
    assert spell("h₁⁽²⁾² = h₁⁽ᵗ⁻¹⁾[k]") == "h1@2^2 = h1@t-1[k]"
    assert spell("h₁⁽²⁾²", "cp1252") == "h1@2²"


@pytest.mark.parametrize(
    ("typed", "ref", "place"),
    [("h1@2[2;1]", "h1@2", (1, 0)), ("h₁⁽²⁾[2;1]", "h1@2", (1, 0)), ("∂L/∂h₁⁽³⁾[1;2]", "dh1@3", (0, 1)),
     ("δr₁⁽²⁾[1;1]", "dzr1@2", (0, 0)), ("deltar1@2[1;1]", "dzr1@2", (0, 0)), ("h1[2;3,1]", "h1", (1, 2, 0))],
)  # fmt: skip
def test_addresses_with_a_time_step(typed: str, ref: str, place: tuple[int, ...]) -> None:
    run = bp.step("3x2 gru2 dense2 softmax", x=np.linspace(-1, 1, 12).reshape(2, 3, 2))
    assert run[typed] == run.trace[ref][place]


def test_delta_without_a_letter_is_the_rnn_s_own_z() -> None:
    run = bp.step("3x2 rnn2 dense2 softmax")
    assert run["delta1@2[1]"] == run["dz1@2"][0, 0]
    assert Notation(run.trace).name("dz1@2") == "δ₁⁽²⁾"


# --- what is shown --------------------------------------------------------------------------------------------------


def test_a_step_is_told_time_step_by_time_step() -> None:
    text = shown(bp.step("3x2 gru2 dense2 softmax"))
    forward, backward = text.split("BACKWARD")
    titles = ["Layer 1: gru, 3×2 → 3×2", *(f"Layer 1, time step {time} of 3" for time in (1, 2, 3))]
    assert re.findall(r"^Layer 1.*", forward, re.MULTILINE) == [*titles, titles[0]]
    assert re.findall(r"^Layer 1.*", backward, re.MULTILINE) == [titles[0], *reversed(titles[1:]), titles[0]]
    for line in (
        "  p₁[t,o] = Σᵢ W₁[o,i]·x[t,i] + b₁[o]",
        "  q₁⁽²⁾[j] = Σₖ U₁[j,k]·h₁⁽¹⁾[k] + v₁[j]",
        "  zu₁⁽²⁾[k] = p₁[2,k+2] + q₁⁽²⁾[k+2]",
        "  zn₁⁽²⁾[k] = p₁[2,k+4] + r₁⁽²⁾[k]·q₁⁽²⁾[k+4]",
        "  h₁⁽²⁾[k] = (1 − u₁⁽²⁾[k])·n₁⁽²⁾[k] + u₁⁽²⁾[k]·h₁⁽¹⁾[k]",
        "  h₁[t,k] = h₁⁽ᵗ⁾[k]",
        "  ∂L/∂q₁⁽²⁾[j] = δr₁⁽²⁾[j] + δu₁⁽²⁾[j−2] + δn₁⁽²⁾[j−4]·r₁⁽²⁾[j−4]",
        "  ∂L/∂U₁[j,k] = Σₜ ∂L/∂q₁⁽ᵗ⁾[j]·h₁⁽ᵗ⁻¹⁾[k]",
        "  ∂L/∂p₁[t,j] = δr₁⁽ᵗ⁾[j] + δu₁⁽ᵗ⁾[j−2] + δn₁⁽ᵗ⁾[j−4]",
    ):
        assert f"{line}\n" in text
    assert "before" not in text


def test_a_sentence_is_said_once_and_not_at_every_time_step() -> None:
    text = " ".join(shown(bp.step("4x2 gru2 dense2 softmax"), only="backward").split())
    assert text.count("A value that is used several times gets the gradients of all its uses.") == 1
    assert text.count("∂L/∂h₁⁽²⁾[k] through h₁⁽³⁾ + ∂L/∂h₁⁽²⁾[k] through q₁⁽³⁾") == 1


def test_a_long_sequence_is_shown_at_its_ends() -> None:
    text = shown(bp.step("12x1 rnn2 dense2 softmax"))
    assert re.findall(r"time step (\d+) of 12", text) == ["1", "2", "12", "12", "2", "1"]
    assert text.count("Time steps 3 to 11 go the same way.") == 2
    assert "Time steps" not in shown(bp.step("12x1 rnn2(last=1) dense1"), verbose=True)


@pytest.mark.parametrize(
    ("net", "title"),
    [("1x6x6 conv2(3) relu dense_", "Layer 1: conv, 1×6×6 → 2×4×4, relu"), ("3 dense2 tanh", "Layer 1: 3 → 2, tanh"),
     ("3 embedding4x2 dense3 softmax", "Layer 1: embedding, 3 → 3×2"), ("2x2 lstm3(last=1) dense1", "lstm, 2×2 → 3")],
)  # fmt: skip
def test_a_layer_s_title_names_what_it_is(net: str, title: str) -> None:
    assert title in shown(bp.step(net.replace("dense_", "flatten dense1")))


def test_values_with_three_axes_are_printed_matrix_by_matrix() -> None:
    run = bp.step("2x3 rnn2 dense2 softmax", x=np.arange(12).reshape(2, 2, 3) / 10)
    text = shown(run)
    assert "    x[1;·,·]  i=1  i=2  i=3\n         t=1    0  0.1  0.2\n         t=2  0.3  0.4  0.5\n" in text
    assert "x[2;·,·]" in text
    lines = [line for block in run.blocks() for line in plain.lines(block)]
    assert "x[2;2,3] = 1.1" in lines
    assert all(line.isascii() for line in lines)
    assert "p₁: 2 × 30 × 6 numbers" in shown(bp.step("30x1 rnn6 dense2 softmax", x=np.zeros((2, 30, 1))))


@pytest.mark.parametrize("kind", KINDS)
def test_loops_of_a_recurrent_layer_are_one_program(kind: str) -> None:
    run = bp.step(f"3x2 {kind}2 dense2 softmax")
    text = shown(run, show="loops")
    names = re.findall(r"^def (\w+)", text, re.MULTILINE)
    assert len(names) == len(set(names))
    namespace: dict[str, Any] = {}
    exec(text, namespace)
    user = "z" if kind == "rnn" else "q"
    found = namespace["every_dU"](*(run[f"d{user}1@{t}"] for t in (1, 2, 3)), *(run[f"h1@{t}"] for t in (0, 1, 2)))
    np.testing.assert_allclose(found, run["dU1"])


@pytest.mark.parametrize("address", ["W1[1,1]", "U1[2,1]", "h1@2[1]", "h1@0[1]", "zr1@1[2]", "h1[2,1]", "dU1[1,2]"])
def test_why_follows_a_number_through_time(address: str) -> None:
    why = bp.step("3x2 gru2 dense2 softmax").why(address)
    lines = "\n".join(line for block in why.blocks() for line in plain.lines(block))
    assert "before" not in lines
    if why.source:
        assert why.paths.total == pytest.approx(float(why.trace[f"d{why.source}"][why.place]), rel=1e-9)


def test_what_if_shows_the_later_time_steps_move() -> None:
    found = bp.step("3x2 lstm2 dense2 softmax").whatif("h1@1[1]=0.5")
    moved = {ref for ref, _ in found.moved()}
    assert {"q1@2", "c1@3", "h1", "L"} <= moved
    assert not moved & {"q1@1", "c1@1"}


def test_algebra_is_cut_short_where_it_would_grow_too_long_and_left_out_where_it_would_take_minutes() -> None:
    checks = {check.ref: check for check in bp.step("20x8 gru16(last=1) dense3").checks(["symbolic"])}
    recurrent = [checks[ref] for ref in ("dW1", "dU1", "db1", "dv1")]
    assert all(check.verdict == "skipped" and "terms" in check.reason for check in recurrent)
    assert checks["dW2"].verdict == checks["db2"].verdict == "agree"
    long = Sympy(bp.step("5x1 gru1(last=1) dense1").trace).check("U1", 1)
    assert (long.verdict, long.reason) == ("agree", "composed step by step, as it is long")
    assert not long.under
