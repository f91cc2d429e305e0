"""What-if: numbers as people type them, what moves and what does not, forecasts, and the swept curve."""

from __future__ import annotations

import io
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Run
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

import backprop_cli as bp
from backprop_cli.errors import UsageError
from backprop_cli.notation import Notation
from backprop_cli.render import plain, terminal
from backprop_cli.render.plot import drawn, plot_svg
from backprop_cli.render.screen import Screen
from backprop_cli.render.whatif import read_sweep
from backprop_cli.typed import read_number


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        *[(".37", 0.37), ("3.7e-1", 0.37), ("3/8", 0.375), ("0.59*(1-0.59)", 0.59 * 0.41), ("−2", -2), ("−0.5·4", -2)],
        *[("０．５", 0.5), ("0,25", 0.25), ("2^3", 8), ("2**-1", 0.5), ("½", 0.5), ("3×4", 12), (" 7 ", 7), ("+1", 1)],
        *[("1½", 1.5), ("exp(0)", 1), ("ln(e)", 1), ("sqrt(16)", 4), ("tanh(0)", 0), ("3²", 9), ("= 4", 4), ("--1", 1)],
    ],
)
def test_numbers_are_read_kindly(typed: str, value: float) -> None:
    assert read_number(typed) == pytest.approx(value)


@pytest.mark.parametrize(
    "typed",
    [
        *[
            "",
            "x",
            "1/0",
            "9**9**9**9",
            "2**99999",
            "1e999",
            "nan",
            "inf",
            "__import__('os')",
            "(1).real",
            "[1]",
            "1;2",
        ],
        *[
            "True",
            "a" * 500,
            "(" * 300,
            "1 if 1 else 2",
            "lambda: 1",
            "1j",
            "'1'",
            "exp(1000)",
            "log(-1)",
            "exp(1, 2)",
            "1,000",
        ],
    ],
)
def test_what_is_no_number_is_refused_and_never_run(typed: str) -> None:
    with pytest.raises(UsageError):
        read_number(typed)


@given(st.text(max_size=40))
def test_any_text_is_a_number_or_one_message(typed: str) -> None:
    try:
        assert math.isfinite(read_number(typed))
    except UsageError as error:
        assert str(error)


@given(st.floats(-1e6, 1e6))
def test_a_printed_number_is_read_back(value: float) -> None:
    assert read_number(repr(value)) == pytest.approx(value)


def text_of(run: bp.Run, *changes: str, width: int = 80) -> str:
    stream = io.StringIO()
    terminal.write(run.whatif(*changes).blocks(), Screen(width, "utf-8", False, False), stream)
    return stream.getvalue()


def test_what_moved_is_what_a_new_step_says() -> None:
    """The changed tape equals the tape of a problem that had the number from the start."""
    run = bp.step("mazur")
    weights = run["W2"].copy()
    weights[1, 0] = -0.5
    fresh = bp.step("mazur", params={**run.problem.params, "W2": weights})
    found = run.whatif("W2[2,1]=-0.5")
    for ref in run.trace.values:
        np.testing.assert_allclose(found.now.get(ref, run[ref]), fresh[ref], err_msg=ref)
    moved = dict(found.moved())
    assert set(moved) == {ref for ref in run.trace.values if not np.array_equal(run[ref], fresh[ref])}
    assert moved["z2"] == [(0, 1)]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.sampled_from(["W1", "b1", "W2", "x", "z1"]), st.sampled_from(["mse", "ce", "bce"]))
def test_for_a_small_change_the_forecast_is_the_truth(seed: int, ref: str, loss: str) -> None:
    run = bp.step("2-3-2", seed=seed, loss=loss, activation=None)
    place = tuple(size - 1 for size in run[ref].shape)
    index = ",".join(str(part + 1) for part in (place[1:] if ref in "xz1" else place))
    value = float(run[ref][place])
    found = run.whatif(f"{ref}[{index}]={value + 1e-6!r}")
    assert found.truth == pytest.approx(found.forecast, rel=1e-2, abs=1e-11)


def test_several_changes_at_once() -> None:
    run = bp.step("mazur")
    both = run.whatif("W1[1,1]=1", "W2[1,1]=0")
    assert both.forecast == pytest.approx(0.85 * run["dW1"][0, 0] - 0.4 * run["dW2"][0, 0])
    assert both.now["W1"].tolist() == [[1, 0.2], [0.25, 0.3]]


def test_the_report_says_what_moved_what_did_not_and_why() -> None:
    text = text_of(bp.step("mazur"), "W2[2,1]=-0.5")
    assert "W₂[2,1]: 0.5 → −0.5" in text
    assert re.search(r"z₂\[2\] +1.22492 +0.631651 +−0.59327", text)
    assert "z₁, a₁: not computed from what was changed." in text
    assert "Of W₂, z₂, a₂, ∂L/∂a₂, δ₂, ∂L/∂W₂, ∂L/∂b₂, W₂′ only the entries above moved." in " ".join(text.split())
    assert "the slope promised a change of: 0.0226025" in text
    assert "now: 0.331641, a change of 0.0332704" in text


def test_a_change_to_the_present_value_is_told() -> None:
    text = text_of(bp.step("mazur"), "W1[1,1]=0.15")
    assert "Nothing changes: it has this value already." in text
    assert "came out the same" not in text


def test_a_change_that_is_stopped_on_the_way_is_told() -> None:
    run = bp.step("1 dense1 relu dense1", x=[1], params={"W1": [[-1]], "b1": [0]})
    text = " ".join(text_of(run, "W1[1,1]=-2").split())
    assert "a₁, z₂, a₂, L" in text
    assert "came out the same; the change was stopped at a₁, δ₁." in text
    assert run.whatif("W1[1,1]=-2").truth == 0


@pytest.mark.parametrize(
    ("net", "options", "change"),
    [("mazur", {}, "E=2"), ("mazur", {}, "L=1"), ("xor", {}, "L=1"), ("xor", {}, "E[2]=1"),
     ("2-2-1", {"x": [[1, 2], [3, 4]], "y": [[0], [1]], "loss": "bce"}, "x[2;1]=0.5")],
)  # fmt: skip
def test_what_reads_only_how_many_there_are_stops_nothing(net: str, options: dict[str, Any], change: str) -> None:
    """∂L/∂E is 1/N, whatever the losses are; and what was changed is not among what did not move."""
    still = text_of(bp.step(net, **options), change).split("WHAT DID NOT")[1].split("THE LOSS")[0]
    assert "came out the same" not in still
    assert change.split("[")[0].split("=")[0] not in re.split(r"[\s,]+", still.split(":")[0])
    if len(options.get("x", [[]])) > 1:
        assert "∂L/∂E: not computed from what was changed." in still


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 1000),
    st.sampled_from(["relu", "tanh", "leaky_relu"]),
    st.sampled_from([{"loss": "mse"}, {"loss": "ce"}, {"loss": "sse", "l2": 0.1}]),
    st.integers(1, 2),
    st.data(),
)
def test_every_value_moved_or_did_not_for_a_reason_that_is_true(
    seed: int, activation: str, options: dict[str, Any], samples: int, data: st.DataObject
) -> None:
    last = "softmax" if options["loss"] == "ce" else activation
    x = np.random.default_rng(seed).normal(size=(samples, 2))
    run = bp.step("2-3-2", activation=[activation, last], x=x, seed=seed, **options)
    ref = data.draw(st.sampled_from(["W1", "b1", "x", "z1", "a1", "W2", "dz2", "lr", "E", "L"]))
    place = tuple(0 for _ in np.shape(run[ref]))
    found = run.whatif(f"{found_address(run, ref)}={data.draw(st.sampled_from([-3.0, 0.0, 2.5]))}")
    moved = dict(found.moved())
    if not moved:
        return
    apart, same, stops = found._still(moved)
    told = {ref, *moved, *apart, *same}
    assert {step.ref for step in run.trace.steps if not found.notation.trivial(step.ref)} - {"E"} <= told
    assert not set(moved) & {*apart, *same} and not set(apart) & set(same) and set(stops) <= set(same)
    assert bool(stops) == bool(same)
    for stop in stops:
        sources = run.trace.producer(stop).operands.values()
        assert any(source in moved for source in sources)
    other = np.array(run[ref], float)
    for shift in (0.3, -0.7):
        other[place] = run.trace.entry(ref, place) + shift
        again = run.trace.retrace(**{ref: other[()]})
        for name in apart:
            np.testing.assert_array_equal(again.get(name, run[name]), run[name])


def found_address(run: bp.Run, ref: str) -> str:
    """The first entry of a value, as people type it."""
    return Notation(run.trace).address(ref, tuple(0 for _ in np.shape(run[ref])))


def test_of_two_changes_one_that_changes_nothing_moves_nothing() -> None:
    text = text_of(bp.step("mazur"), "W1[1,1]=0.15", "W2[1,1]=3")
    assert "z₁, a₁: not computed from what was changed." in text
    assert "stopped" not in text


def test_an_expression_s_result_goes_by_its_own_name() -> None:
    run = bp.step(expr="f = x * x", at="x=1")
    text = text_of(run, "x=3")
    assert "THE VALUE OF f" in text
    assert "The forecast is off: f bends on the way." in text
    assert "f is nearly straight" in text_of(run, "x=1.01")
    assert "loss" not in text.lower()
    assert "loss" not in plot_svg(run.whatif("x=3").sweep(0, 4, 5))


def test_where_a_table_does_not_fit_each_number_is_a_line() -> None:
    narrow = text_of(bp.step("mazur"), "W1[1,1]=1", width=40)
    assert "    z₁[1]: 0.3775 → 0.42 (+0.0425)\n" in narrow
    assert "    W₁[1,1]    0.15       1    0.85\n" in narrow
    assert narrow.count("∂L/∂W₁[1,1]") == 1
    assert "(+" not in text_of(bp.step("mazur"), "W1[1,1]=1")


def test_a_forward_value_or_the_learning_rate_may_be_changed_too() -> None:
    run = bp.step("mazur")
    assert run.whatif("a2[1]=0.01").now["dz2"][0, 0] == 0
    rate = run.whatif("lr=0")
    assert [ref for ref, _ in rate.moved()] == ["lr", "W1_new", "W2_new"]
    assert rate.forecast == rate.truth == 0
    output = run.whatif("a2[1]=0.76")
    assert output.truth == pytest.approx(output.forecast, rel=0.02)


@pytest.mark.parametrize(
    ("change", "message"),
    [("W1[1,1]", "write a change as an address and a value"), ("W1=3", "change one entry of it, such as W1[1,1]=3"),
     ("W1[1,1]=abc", "is not a number"), ("W9[1]=3", "unknown value 'W9'"), ("W1[9,9]=3", "there is no 9")],
)  # fmt: skip
def test_a_bad_change_is_one_message(change: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        bp.step("mazur").whatif(change)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["W1[1,1]=3", "W1[1,1]=4"], "W1[1,1] is changed twice"),
        (["z2[1]=5", "W2[1,1]=9"], "z2 is computed from W2; change one of them at a time"),
    ],
)
def test_changes_that_contradict_each_other_are_refused(changes: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        bp.step("mazur").whatif(*changes)
    assert message in str(caught.value)


def test_targets_of_a_softmax_must_go_on_summing_to_one() -> None:
    run = bp.step("3-4-2", loss="ce")
    with pytest.raises(UsageError, match="must sum to 1"):
        run.whatif("y[1]=0.5")
    assert run.whatif("y[1]=0.5", "y[2]=0.5").truth != 0


def test_a_sweep_of_two_numbers_or_beyond_all_bounds_is_refused() -> None:
    run = bp.step("1-1", activation=["identity"])
    with pytest.raises(UsageError, match="one change only"):
        run.whatif("W1[1,1]=1", "b1[1]=1").sweep(0, 1, 3)
    with pytest.raises(UsageError, match="no finite value"):
        run.whatif("W1[1,1]=1").sweep(-1e200, 1e200, 5)


def test_the_tangent_of_an_input_is_no_flat_line() -> None:
    plot = bp.step("mazur").whatif("x[1]=0.3").sweep(0, 0.1, 3)
    assert (plot.tangent[2] - plot.tangent[0]) == pytest.approx(plot.ys[2] - plot.ys[0], rel=0.05)
    assert plot.tangent[2] != plot.tangent[0]


@pytest.mark.parametrize("text", ["1:2", "a:b:c", "2:1:5", "0:1:1", "0:1:999999", "0:1:2.5", ""])
def test_a_bad_sweep_is_one_message(text: str) -> None:
    with pytest.raises(UsageError):
        read_sweep(text)


def test_the_swept_curve_is_the_loss_and_touches_its_tangent() -> None:
    run = bp.step("mazur")
    plot = run.whatif("W2[2,1]=0.5").sweep(*read_sweep("0:1:11"))
    assert plot.point == (0.5, pytest.approx(0.298371109, abs=5e-10))
    assert plot.ys[5] == pytest.approx(plot.tangent[5])
    weights = run["W2"].copy()
    weights[1, 0] = 0.0
    assert plot.ys[0] == pytest.approx(float(run.replay("L", W2=weights)))
    assert plot.tangent[10] - plot.tangent[0] == pytest.approx(run["dW2"][1, 0])


def test_the_new_value_is_marked_beside_the_present_one() -> None:
    found = bp.step("mazur").whatif("W2[2,1]=-0.5")
    plot = found.sweep(-1, 1, 5)
    assert plot.new == (-0.5, pytest.approx(float(found.now["L"])))
    *lines, legend = drawn(plot, 60)
    (new,) = [line.index("◇") for line in lines if "◇" in line]
    (present,) = [line.index("◆") for line in lines if "◆" in line]
    assert new < present
    assert legend.endswith("◆ at present   ◇ new")
    assert "◇" not in "".join(drawn(found.sweep(0, 1, 5), 60))
    assert plot_svg(plot).count("<circle") == 2
    assert any(line.startswith("new: W2[2,1] = -0.5 gives L = 0.33164") for line in plain.lines(plot))


@pytest.mark.parametrize("width", [40, 50, 80, 120, 200])
def test_the_plot_fits_any_width(width: int) -> None:
    plot = bp.step("mazur").whatif("W2[2,1]=0.5").sweep(-4, 4, 41)
    lines = list(drawn(plot, width))
    assert max(map(cell_len, lines)) <= width
    assert sum(line.count("◆") for line in lines[:-1]) == 1
    assert max(map(cell_len, text_of(bp.step("3-4-2"), "W1[1,1]=2", width=width).splitlines())) <= width


def test_a_flat_curve_can_be_drawn() -> None:
    run = bp.step("1 dense1 relu dense1", x=[1], params={"W1": [[-1]], "b1": [0]})
    plot = run.whatif("W1[1,1]=-2").sweep(-3, -1, 5)
    assert any("•" in line or "◆" in line for line in drawn(plot, 60))
    assert plot_svg(plot).startswith("<svg")


def test_plain_mode_is_ascii() -> None:
    found = bp.step("mazur").whatif("W2[2,1]=-0.5")
    blocks = [*found.blocks(), found.sweep(-1, 1, 5)]
    lines = [line for block in blocks for line in plain.lines(block)]
    assert all(line.isascii() and len(line) <= 80 for line in lines)
    (lowest,) = [line for line in lines if line.startswith("lowest: ")]
    weights = bp.step("mazur")["W2"].copy()
    weights[1, 0] = 1
    assert lowest == f"lowest: W2[2,1] = 1 gives L = {bp.step('mazur').replay('L', W2=weights):.6g}"


def test_the_command_in_all_its_forms(here: Run, tmp_path: Path) -> None:
    found = here("whatif", "W2[2,1]=-0.5", "mazur", "--sweep", "-4:4:81")
    assert found.returncode == 0
    assert "◆ at present" in found.stdout.decode()
    document = json.loads(here("whatif", "W2[2,1]=-1/2", "mazur", "--sweep", "0:1:3", "--json").stdout)
    assert document["schema"] == "backprop.whatif/1"
    assert document["loss"]["change"] == pytest.approx(document["loss"]["now"] - document["loss"]["was"])
    assert document["moved"][0] == {"address": "W2[2,1]", "was": 0.5, "now": -0.5}
    assert document["sweep"]["x"] == [0, 0.5, 1]
    assert document["sweep"]["new"] == [-0.5, pytest.approx(document["loss"]["now"])]
    quiet = here("whatif", "W2[2,1]=-0.5", "mazur", "-q").stdout.decode()
    assert quiet == "was: 0.298371\nnow: 0.331641, a change of 0.0332704\n"
    assert here("whatif", "W1[1,1]=1", "mazur", "--sweep", "-1:1:9", "-o", "loss.svg").returncode == 0
    assert (tmp_path / "loss.svg").read_text().startswith("<svg")
    assert here("whatif", "W1[1,1]=1", "--net", "2-2-1", "x[1]=0").returncode == 0
    assert here("whatif", "mazur").returncode == 2


def test_where_there_is_no_slope_none_is_invented() -> None:
    text = text_of(bp.step("4 dense3 dropout(0.5) dense2 softmax"), "mask1[1]=0")
    assert "the loss has no slope" in " ".join(text.split())
    assert "the slope promised" not in text
