"""Explanations of one number: its address, its paths to the loss, the words about it."""

from __future__ import annotations

import io
import json
import re
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from conftest import Run
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

import backprop_cli as bp
from backprop_cli.addresses import read_address
from backprop_cli.errors import UsageError
from backprop_cli.notation import Notation, Term
from backprop_cli.paths import paths, written_slope
from backprop_cli.render import plain, terminal
from backprop_cli.render.blocks import Gauge, Outcome
from backprop_cli.render.progress import patiently
from backprop_cli.render.proof import outcome
from backprop_cli.render.screen import Screen
from backprop_cli.words import pulls, sentences


def text_of(run: bp.Run, address: str, width: int = 80, **options: Any) -> str:
    stream = io.StringIO()
    terminal.write(run.why(address, **options).blocks(), Screen(width, "utf-8", False, False), stream)
    return stream.getvalue()


# --- addresses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "ref", "place"),
    [
        *[("W1[2,1]", "W1", (1, 0)), ("z2[1]", "z2", (0, 0)), ("delta1[2]", "dz1", (0, 1)), ("L", "L", ())],
        *[("δ₁[2]", "dz1", (0, 1)), ("∂L/∂W₁[2,1]", "dW1", (1, 0)), ("dL/dW1[2, 1]", "dW1", (1, 0))],
        *[("W1", "W1", None), ("aL[2]", "a2", (0, 1)), ("deltaL[1]", "dz2", (0, 0)), ("m1[1,2]", "mW1_new", (0, 1))],
        *[("W1'[1,1]", "W1_new", (0, 0)), ("z2[1;2]", "z2", (0, 1)), ("W₁′[1,1]", "W1_new", (0, 0))],
        *[("Ｗ１［１，２］", "W1", (0, 1)), ("b1[2]", "b1", (1,)), ("E", "E", (0,))],
    ],
)  # fmt: skip
def test_an_address_is_read_as_people_write_it(typed: str, ref: str, place: tuple[int, ...] | None) -> None:
    run = bp.step("mazur", optimizer="adam", frozen=[])
    assert read_address(typed, Notation(run.trace)) == (ref, place)


def test_with_several_samples_the_sample_comes_first() -> None:
    notation = Notation(bp.step("xor").trace)
    assert read_address("z1[3;2]", notation) == ("z1", (2, 1))
    assert read_address("E[4]", notation) == ("E", (3,))


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        *[("W3[1,1]", "unknown value 'W3'"), ("W1[3,1]", "there is no 3; W1 has shape (2, 2)")],
        *[("W1[0,1]", "there is no 0"), ("W1[-1,1]", "there is no -1"), ("W1[a,b]", "whole numbers")],
        *[("W1[1]", "of W1 has 2 numbers, one for each axis of (2, 2), as in W1[1,1]")],
        ("z1[1;2;3]", "an index of z1 has 1 number, one for each axis of (2,), as in z1[1]"),
        *[("W1[1,1", "cannot read the address"), ("", "cannot read the address")],
    ],
)
def test_a_bad_address_is_one_clear_message(typed: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_address(typed, Notation(bp.step("mazur").trace))
    assert message in str(caught.value)


@given(st.text(max_size=20))
def test_any_text_is_an_address_or_one_message(typed: str) -> None:
    run = bp.step("mazur")
    try:
        ref, place = read_address(typed, Notation(run.trace))
    except UsageError:
        return
    assert ref in run.trace
    assert place is None or np.ndim(run[ref][place] if place else run[ref]) == 0


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_every_written_address_is_read_back(data: st.DataObject) -> None:
    run = bp.step(data.draw(st.sampled_from(["mazur", "xor", "3-4-2"])))
    notation = Notation(run.trace)
    ref = data.draw(st.sampled_from(sorted(run.trace.values)))
    shape = np.shape(run[ref])
    place = tuple(data.draw(st.integers(0, size - 1)) for size in shape)
    assert read_address(notation.address(ref, place), notation) == (ref, place)
    if not (notation.loss_is_sample and ref in ("E", "dE")):
        assert read_address(notation.entry(ref, place), notation) in ((ref, place), (ref, None))


# --- paths ----------------------------------------------------------------------------------------------------------


def test_mazur_s_first_weight_has_the_two_paths_everybody_knows() -> None:
    found = paths(bp.step("mazur").trace, "W1", (0, 0))
    assert found.number == 2
    assert [path.product for path in found.largest] == pytest.approx([0.000668396, -0.000229828], abs=5e-10)
    assert found.total == pytest.approx(0.000438568, abs=5e-10)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(1, 4), min_size=2, max_size=5),
    st.sampled_from(
        ["sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "softmax", "identity"]
    ),
    st.sampled_from([{"loss": "mse"}, {"loss": "huber"}, {"loss": "ce"}, {"loss": "bce"}, {"loss": "sse", "l2": 0.1}]),
    st.integers(1, 3),
    st.integers(0, 1000),
)
def test_path_products_sum_to_the_gradient(
    sizes: list[int], activation: str, options: dict[str, Any], samples: int, seed: int
) -> None:
    last = {"ce": "softmax", "bce": "sigmoid"}.get(options["loss"], activation)
    names = [activation] * (len(sizes) - 2) + [last]
    x = np.random.default_rng(seed).normal(size=(samples, sizes[0]))
    run = bp.step("-".join(map(str, sizes)), activation=names, x=x, seed=seed, **options)
    for ref in [*run.problem.params, "z1"]:
        place = tuple(size - 1 for size in run[ref].shape)
        found = paths(run.trace, ref, place, most=100_000)
        assert found.number == len(found.largest)
        engine = float(run[f"d{ref}"][place])
        scale = sum(abs(path.product) for path in found.largest)
        assert found.total == pytest.approx(engine, rel=1e-9, abs=1e-12 * max(1, scale))
        assert sum(path.product for path in found.largest) == pytest.approx(engine, rel=1e-9, abs=1e-12 * max(1, scale))


def test_only_the_largest_are_kept_but_all_are_counted() -> None:
    run = bp.step("2-5-5-3")
    everything = paths(run.trace, "W1", (0, 0), most=1000)
    few = paths(run.trace, "W1", (0, 0), most=4)
    assert (everything.number, few.number, len(few.largest)) == (15, 15, 4)
    assert few.total == pytest.approx(everything.total)
    assert [path.product for path in few.largest] == [path.product for path in everything.largest[:4]]


@pytest.mark.parametrize(("address", "count"), [("x[1,1,1]", 2), ("x[1,2,2]", 8), ("x[1,1,2]", 4), ("W1[1,1,1,2]", 4)])
def test_a_path_runs_only_where_the_window_has_been(address: str, count: int) -> None:
    """A 2×2 window with two channels sees a corner of 3×3 pixels once each, the middle four times each."""
    why = bp.step("1x3x3 conv2(2) relu flatten dense1").why(address)
    assert why.paths.number == count
    assert why.paths.total == pytest.approx(why.trace.entry(f"d{why.source}", why.place))


def test_paths_that_are_all_worth_0_are_said_to_be() -> None:
    run = bp.step("2-1-20", activation=["relu", "sigmoid"], params={"W1": [[-1, -1]], "b1": [0]}, x=[[1, 1]])
    assert "20 paths, worth 0" in text_of(run, "W1[1,1]")


def test_what_is_long_in_coming_says_what_is_being_done(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("backprop_cli.render.progress.PATIENCE", 0.01)
    slow = (time.sleep(pause) or pause for pause in (0.0, 0.2))
    assert list(patiently(slow, "following")) == [0.0, 0.2]
    assert capfd.readouterr().err == "following ...\n"
    assert list(patiently((time.sleep(0.1) for _ in "a"), "following", quiet=True)) == [None]
    assert capfd.readouterr().err == ""


def test_written_slopes_come_to_the_slopes() -> None:
    """With the numbers at full length, each written slope is read with Python's eyes."""
    for options in ({}, {"loss": "ce"}, {"activation": ["relu", "softmax"], "loss": "mse"}, {"l2": 0.1}):
        run = bp.step("2-3-2", x=[[0.5, -1], [2, 1]], **options)
        notation = Notation(run.trace)

        def write(ref: str, place: tuple[int, ...], run: bp.Run = run) -> Term:
            return Term(repr(float(run[ref][place] if place else run[ref])), 1)

        for path in paths(run.trace, "W1", (1, 1), most=50).largest:
            for link in path.links:
                text = written_slope(notation, link, write).text
                python = (
                    text.replace("·", "*").replace("−", "-").replace("²", "**2").replace("[", "(").replace("]", ")")
                )
                assert eval(python) == pytest.approx(link.slope, rel=1e-12), text


# --- words ----------------------------------------------------------------------------------------------------------


def words_about(run: bp.Run, ref: str, place: tuple[int, ...]) -> list[str]:
    return list(sentences(Notation(run.trace), ref, place, 6))


def test_the_words_say_which_output_wins() -> None:
    first, second, last = words_about(bp.step("mazur"), "W1", (0, 0))
    assert "a₂[1] = 0.751365 is too high (its target is 0.01), and raising W₁[1,1] pushes it up: that raises" in first
    assert "a₂[2] = 0.772928 is too low (its target is 0.99), and raising W₁[1,1] pushes it up: that lowers" in second
    assert last == "a₂[1] wins: raising W₁[1,1] raises the loss, so the update lowers it."


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from([{"loss": "mse"}, {"loss": "ce"}, {"loss": "bce"}, {"loss": "sse", "l2": 0.1}]),
    st.sampled_from(["2-3-2", "2-3-3-3", "2-2-2-3-2"]),
    st.integers(1, 2),
)
def test_the_words_agree_with_the_numbers(seed: int, options: dict[str, Any], net: str, samples: int) -> None:
    """Each push against a difference of replays, all parts together against the gradient, the verdict against both."""
    rng = np.random.default_rng(seed)
    run = bp.step(net, x=rng.normal(size=(samples, 2)), seed=seed, **options)
    found = pulls(Notation(run.trace), "W1", (0, 1))
    gradient = float(run["dW1"][0, 1])
    assert sum(pull.worth for pull in found) == pytest.approx(gradient, rel=1e-9, abs=1e-12)
    for pull in found:
        ref, place = pull.node
        moved = run["W1"].copy()
        moved[0, 1] += 1e-6
        slope = (run.replay(ref, W1=moved)[place] - run[ref][place]) / 1e-6
        assert pull.push == pytest.approx(slope, rel=1e-3, abs=1e-7)
    *each, last = words_about(run, "W1", (0, 1))
    for sentence in each:
        if said := re.search(r"= (\S+) is too (high|low) \(its target is (\S+)\)", sentence):
            value, target = (float(text.replace("−", "-")) for text in (said[1], said[3]))
            assert value == target or (value > target) == (said[2] == "high")
    assert ("raises the loss" in last) == (gradient > 0)
    if winners := re.match(r"(.*) wins?: ", last):
        weights = {pull: pull.worth for pull in found if pull.worth * gradient > 0}
        assert len(re.split(r", | and ", winners[1])) == len(weights)


def test_a_softmax_is_spoken_of_by_its_scores() -> None:
    text = " ".join(words_about(bp.step("3-4-2", loss="ce"), "W1", (0, 0)))
    assert "pushes its score z₂[1] down" in text
    assert "pushes its score z₂[2] down" in text


def test_the_penalty_has_its_say() -> None:
    words = words_about(bp.step("2-3-2", l2=0.1), "W1", (2, 0))
    assert "The weight penalty pulls W₁[3,1] towards 0" in words[0]
    assert words[-1] == "The penalty and a₂[2] win: raising W₁[3,1] raises the loss, so the update lowers it."


def test_the_update_is_spoken_of_as_it_is() -> None:
    frozen = words_about(bp.step("mazur", frozen=["W1"]), "W1", (0, 0))
    assert frozen[-1].endswith("raises the loss.")
    assert words_about(bp.step("mazur"), "z1", (0, 0))[-1].endswith("raises the loss.")
    rolling = bp.step("mazur", optimizer="momentum").after(1)
    away = rolling.problem.state["vW1"] * 0 - 9
    again = with_velocity(rolling, away)
    assert "yet the update raises it" in words_about(again, "W1", (0, 0))[-1]


def with_velocity(run: bp.Run, velocity: np.ndarray) -> bp.Run:
    problem = replace(run.problem, state={**run.problem.state, "vW1": velocity})
    return bp.Run(problem, problem.run())


def test_a_dead_unit_lets_nothing_through_and_is_named() -> None:
    run = bp.step("1 dense1 relu dense1", x=[1], params={"W1": [[-1]], "b1": [0]})
    assert words_about(run, "W1", (0, 0)) == ["Nothing gets through: the slope from z₁[1] to a₁[1] is 0."]
    met = bp.step("1 dense1", x=[1], y=[0.5], params={"W1": [[0.5]], "b1": [0]})
    assert words_about(met, "W1", (0, 0)) == ["Nothing gets through: a₁[1] meets its target."]


def test_a_sample_of_its_own_is_explained_not_the_first() -> None:
    text = text_of(bp.step("xor"), "E[2]")
    assert "E[2] = " in text.split("WHERE IT COMES FROM")[1]
    assert "E[1] = " not in text


def test_parts_of_a_gradient_and_deep_networks_can_be_asked_about() -> None:
    assert "through" in text_of(bp.step("2-2-1", l2=0.1), "dW1_1[1,1]")
    deep = bp.step("-".join("1" * 300), activation=["tanh"])
    assert paths(deep.trace, "W1", (0, 0)).total == pytest.approx(deep["dW1"][0, 0])


# --- the report -----------------------------------------------------------------------------------------------------


def test_a_weight_is_explained_with_sketch_paths_words_and_a_nudge() -> None:
    text = text_of(bp.step("mazur"), "W1[1,1]")
    assert "W₁[1,1] → z₁[1] → a₁[1] ┬→ z₂[1] → a₂[1] → L" in text
    assert "x[1]·a₁[1]·(1 − a₁[1])·W₂[1,1]·a₂[1]·(1 − a₂[1])·(a₂[1] − y[1])" in text
    assert "total: +0.000438568; the engine has +0.000438568" in text
    assert "the slope promises: 0.01·0.000438568 = +4.38568e-6" in text
    assert "the loss changes by: +4.38553e-6" in text


def test_a_forward_value_is_followed_back_as_far_as_asked() -> None:
    run = bp.step("mazur")
    assert "a₁[1] =" not in text_of(run, "z2[1]", depth=0)
    assert "a₁[1] = 1/(1 + e^(−0.3775)) = 0.59327" in text_of(run, "z2[1]", depth=1)
    assert "z₁[2] = 0.25·0.05 + 0.3·0.1 + 0.35 = 0.3925" in text_of(run, "z2[1]", depth=2)
    assert text_of(run, "z2[1]", depth=2) == text_of(run, "z2[1]", depth=50)


@pytest.mark.parametrize(("loss", "long"), [("bce", "(a₂[o] − y[o])/(a₂[o]·(1 − a₂[o]))/O"), ("ce", "−y[o]/a₂[o]")])
def test_the_slope_that_cancels_is_shown_with_the_algebra(loss: str, long: str) -> None:
    text = text_of(bp.step("3-4-2", loss=loss), "W1[1,1]")
    assert "THE SLOPE THAT DOES NOT APPEAR" in text
    assert f"∂L/∂a₂[o] = {long}" in text
    lines = text.split("THE SLOPE")[1].splitlines()
    results = [line.split(" = ")[-1] for line in lines if re.match(r"    δ₂\[\d\] = ", line)]
    assert len(results) == 2
    assert results[0] == results[1]


@pytest.mark.parametrize(
    "address",
    [
        *["L", "E", "y[1]", "x[1]", "z1[1]", "a2[2]", "dz1[2]", "da1[1]", "db2[1]", "W1_new[1,1]"],
        *["mW1[1,1]", "mhatW1[1,1]", "lr", "dL", "b1[1]"],
    ],
)
def test_every_quantity_can_be_asked_about(address: str) -> None:
    run = bp.step("2-2-2", optimizer="adam")
    assert text_of(run, address).strip()
    assert all(line.isascii() and len(line) <= 80 for block in run.why(address).blocks() for line in plain.lines(block))


@pytest.mark.parametrize("loss", ["half_sse", "mse", "mae", "huber", "bce", "bce_sum", "ce"])
@pytest.mark.parametrize("address", ["x[1]", "dx[1]", "x[2;2]", "y[1]", "dy[2;1]", "a2[1]", "a2[2;2]", "da2[1]"])
def test_inputs_targets_and_outputs_are_explained_like_weights(loss: str, address: str) -> None:
    """Paths that come to the gradient, words, a nudge that keeps what it promises, and witnesses."""
    samples = [[0.5, -1], [2, 1]] if ";" in address else [[0.5, -1]]
    run = bp.step("2-3-2", x=samples, loss=loss, seed=3)
    why = run.why(address)
    assert why.paths.total == pytest.approx(why.trace.entry(f"d{why.source}", why.place), rel=1e-12)
    assert why.truth == pytest.approx(0.01 * why.paths.total, rel=0.05, abs=2e-5)
    assert [check.verdict for check in run.checks_of(why)] == ["agree"] * 3
    text = text_of(run, address)
    assert text.index("FROM ") < text.index("IN WORDS") < text.index("WERE 0.01 LARGER")
    assert "total: " in text


def test_the_words_about_a_target_and_about_an_output_alone_are_true() -> None:
    target = "y[1] is the target of a₂[1] = 0.751365: raising it lowers the loss."
    assert target in " ".join(text_of(bp.step("mazur"), "y[1]").split())
    run = bp.step("3-4-2", loss="ce", y=[0, 1])
    assert "alone changes nothing" in text_of(run, "a2[1]")
    assert "the loss changes by: 0\n" in text_of(run, "a2[1]")
    assert "alone lowers the loss" in text_of(run, "a2[2]")
    assert "too high (its target is 0)" in text_of(bp.step("3-4-2", loss="bce", y=[0, 1]), "a2[1]")


def test_what_a_fused_loss_goes_past_is_shown_the_long_way() -> None:
    text = text_of(bp.step("3-4-2", loss="bce"), "a2[1]")
    assert "the engine goes past a₂ and does not need it" in text
    assert "THE SLOPE THAT DOES NOT APPEAR" in text
    assert "∂L/∂a₂[1] = (0.327069 − 0)/(0.327069·(1 − 0.327069))/2 = 0.743019" in text
    assert "THE SLOPE" not in text_of(bp.step("3-4-2", loss="bce"), "y[1]")


def test_a_gradient_that_is_not_finite_is_left_out_and_breaks_nothing() -> None:
    run = bp.step("1-1", loss="bce", x=[1], y=[1], params={"W1": [[900]], "b1": [0]})
    assert run["a1"][0, 0] == 1
    assert "FROM a₁" not in text_of(run, "a1[1]")
    assert "FROM W₁[1,1]" in text_of(run, "W1[1,1]")


@pytest.mark.parametrize("address", ["W1_new[1,2]", "mW1_new[1,2]", "vhatW1[1,2]"])
def test_what_the_optimizer_makes_of_a_gradient_is_told_and_leads_to_it(address: str) -> None:
    text = " ".join(text_of(bp.step("xor"), address).split())
    assert "raising W₁[1,2]" in text
    assert "It comes from ∂L/∂W₁[1,2]; why dW1[1,2] shows its paths." in text
    assert "what the optimizer remembers" in text_of(bp.step("xor"), "mW1[1,2]")
    assert "IN WORDS" not in text_of(bp.step("xor"), "lr")


def vias(run: bp.Run, address: str, **options: Any) -> list[str]:
    return [block.more for block in run.why(address, **options).blocks() if isinstance(block, Gauge)]


def test_what_is_said_of_a_path_tells_it_from_the_others() -> None:
    softmax = bp.step("2 dense3 relu dense3 softmax", loss="mse")
    assert sorted(vias(softmax, "W2[1,1]")) == [f"through z₂[1] → a₂[{output}]" for output in (1, 2, 3)]
    assert vias(bp.step("mazur"), "W1[1,1]") == ["through z₁[1] → z₂[1]", "through z₁[1] → z₂[2]"]
    square = bp.step(expr="f = x * x", at="x=-2")
    assert vias(square, "x") == ["through f (operand 1)", "through f (operand 2)"]
    for run, address in ((softmax, "W1[1,1]"), (bp.step("2-3-3-2", l2=0.1), "x[1]"), (square, "x")):
        every = vias(run, address, most=1000)
        assert len(set(every)) == len(every)


def test_arithmetic_that_would_only_repeat_the_result_is_left_out() -> None:
    text = text_of(bp.step(expr="f = x * x", at="x=-2"), "x")
    assert "    path 1 = −2\n" in text
    assert "    path 1 = +3\n" in text_of(bp.step(expr="f = x * y", at="x=2,y=3"), "x")


def test_a_single_entry_that_was_asked_about_is_no_sample() -> None:
    run = bp.step("mazur")
    checks = list(run.checks_of(run.why("W1[1,1]")))
    last = list(run.why("W1[1,1]").blocks(checks))[-1]
    assert last == Outcome(True, "All witnesses agree on 1 gradient: finite difference, complex step, symbolic.")
    assert outcome(checks).text.endswith("(on a sample).")


def test_algebra_is_not_asked_about_too_many_paths() -> None:
    run = bp.step("3-60-10")
    *_, last = run.checks_of(run.why("x[1]"))
    assert (last.witness, last.verdict) == ("symbolic", "skipped")
    assert "600 paths" in last.reason


def test_on_a_narrow_screen_the_sketch_is_still_a_tree() -> None:
    sketch = text_of(bp.step("mazur"), "W1[1,1]", 40).split("2 paths")[1].splitlines()[1:4]
    assert sketch == ["  W₁[1,1] → z₁[1] → a₁[1]", "  ├→ z₂[1] → a₂[1] → L", "  └→ z₂[2] → a₂[2] → L"]
    nested = text_of(bp.step("mazur"), "x[1]", 40).split("4 paths")[1].splitlines()[1:8]
    assert [line[2:8] for line in nested] == ["x[1]", "├→ z₁[", "│  ├→ ", "│  └→ ", "└→ z₁[", "   ├→ ", "   └→ "]


@pytest.mark.parametrize("width", [40, 50, 80, 120])
def test_nothing_is_wider_than_the_screen(width: int) -> None:
    for net, options in (("2-4-4-2", {}), ("2-3-2", {"x": [[1, 2], [3, 4]], "loss": "ce"})):
        text = text_of(bp.step(net, **options), "W1[1,1]", width)
        assert max(map(cell_len, text.splitlines())) <= width


def test_the_command_shows_checks_and_gives_json(here: Run) -> None:
    found = here("why", "W1[1,1]", "mazur")
    assert found.returncode == 0
    assert "All witnesses agree on 1 gradient" in found.stdout.decode()
    document = json.loads(here("why", "delta1[2]", "mazur", "--json").stdout)
    assert document["schema"] == "backprop.why/1"
    assert document["address"] == "dz1[2]"
    assert document["paths"]["count"] == 2
    assert document["paths"]["total"] == pytest.approx(document["paths"]["engine"])
    assert [check["verdict"] for check in document["checks"]] == ["agree"] * 3
    assert here("why", "W1", "mazur").returncode == 2
    assert b"ask about one entry, such as W1[1,1]" in here("why", "W1", "mazur").stderr
    assert json.loads(here("why", "L", "mazur", "--json").stdout)["paths"] is None
    quiet = here("why", "W1[1,1]", "mazur", "-q", "--no-check").stdout.decode()
    assert quiet == "W₁[1,1]: 0.15\n"
