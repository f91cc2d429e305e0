"""Layers in their place: PyTorch's numbers, which number a layer goes by, what training has that use has not."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, Run

import backprop_cli as bp
from backprop_cli.building import build
from backprop_cli.errors import UsageError
from backprop_cli.layers import Needs, Site
from backprop_cli.layers.convolution import _few_channels, conv2d
from backprop_cli.play import Play
from backprop_cli.trace import Trace, backward

TORCH: dict[str, Any] = json.loads((Path(__file__).parent / "golden/torch/layers.json").read_text(encoding="utf-8"))


def as_pytorch_ran_it(name: str) -> Trace:
    """Our tape of one of PyTorch's cases: forward, backward, and what layers carry on."""
    case = TORCH[name]
    network = build(case["net"])
    values = {ref: np.array(value, float) for ref, value in case["values"].items()}
    state = {ref: values[ref] for ref in network.needs.memory}
    masks = iter([np.where(values[ref] > 0, 0.9, 0.1) for ref in network.needs.chances])
    draw = None if case.get("used") else lambda shape: next(masks)
    params = {ref: np.array(value) for ref, value in case["params"].items()}
    y = np.eye(network.outputs)[np.array(case["y"])]
    trace = network.forward(params, np.array(case["x"], float), y, draw, state)
    backward(trace, case["gradients"])
    if draw:
        network.renew(trace)
    return trace


@pytest.mark.parametrize("name", TORCH)
def test_values_and_gradients_are_those_of_pytorch(name: str) -> None:
    case, trace = TORCH[name], as_pytorch_ran_it(name)
    assert set(case["params"]) == set(build(case["net"]).shapes)
    for ref, value in case["values"].items():
        np.testing.assert_allclose(trace[ref], value, rtol=1e-10, atol=1e-13, err_msg=ref)
    for ref, gradient in case["gradients"].items():
        np.testing.assert_allclose(trace[f"d{ref}"], gradient, rtol=1e-9, atol=1e-13, err_msg=f"d{ref}")


def forward_refs(net: str, **options: Any) -> list[str]:
    return [step.ref for step in bp.step(net, **options).trace.of_phase("forward")]


@pytest.mark.parametrize(("net", "refs"), {
    "4 residual(dense4 relu dense4) dense2": "z1 a1 z2 a2 sum2 z3 a3",
    "4 residual(residual(dense4 tanh dense4)) dense2": "z1 a1 z2 a2 sum2 sum3 z4 a4",
    "4 residual(tanh) residual(tanh) dense2": "a1 sum1 a2 sum2 z3 a3",
    "4 dense3 dropout dropout(0.2) dense2": "z1 kept1 kept2 z3 a3",
    "1x8x8 pool(2) pool(2) flatten dense2": "p1 p2 f1 z1 a1",
    "4 dense3 relu dropout dense2 relu": "z1 a1 kept1 z2 a2",
}.items())  # fmt: skip
def test_a_layer_with_weights_begins_a_number_and_no_name_is_taken_twice(net: str, refs: str) -> None:
    assert " ".join(forward_refs(net)) == refs


def test_what_one_layer_brings_along_is_not_taken_for_what_another_does() -> None:
    site = Site(Trace(), 1, Needs())
    assert site.leaf("rows", 2) == site.leaf("rows", 2) == "rows1"
    with pytest.raises(ValueError, match="already"):
        site.leaf("rows", 3)


def test_what_stands_in_brackets_counts_as_layers() -> None:
    network = build("4 residual(dense4 relu dense4) dense2 softmax")
    assert network.activations == ["relu", "identity", "softmax"]
    assert list(network.shapes) == ["W1", "b1", "W2", "b2", "W3", "b3"]
    network.check_layer(3)


@pytest.mark.parametrize(("net", "message"), {
    "4 residual(dense3) dense2": "layer residual: shape (4,) goes in and (3,) comes out",
    "5 embedding7x4 residual(dense3) dense2 softmax": "shape (5, 4) goes in and (5, 3) comes out",
    "4 residual dense2": "its brackets hold the layers",
    "4 residual() dense2": "its brackets hold the layers",
    "4 residual(dens4)": "unknown layer 'dens'; did you mean dense",
    "4 residual(dense4": "a bracket is not closed",
    "4 dropout(1.5) dense2": "from 0 to 1, not 1.5",
    "4 dropout(-1) dense2": "p must be at least 0",
    "4 positional dense2": "it takes a[n,t,o], but what comes in has shape",
    "3x4 positional(sine=2) dense2 softmax": "sine must be at least 0 and below 2",
}.items())  # fmt: skip
def test_layers_that_do_not_fit_are_refused_in_clear_words(net: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        bp.step(net)
    assert message in str(caught.value)


def test_a_residual_adds_what_comes_in_and_the_gradient_takes_both_ways() -> None:
    t = bp.step("3 residual(dense3 tanh) dense2", x=[[1, 2, 3], [0, 1, 0]])
    np.testing.assert_array_equal(t["sum1"], t.trace["x"] + t["a1"])
    np.testing.assert_array_equal(t["da1"], t["dsum1"])


# --- dropout ---------------------------------------------------------------------------------------------------------


def test_dropout_is_given_by_the_seed_and_the_step() -> None:
    first, again, other = (bp.step("8 dropout dense2", seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first["mask1"], again["mask1"])
    assert (first["mask1"] != other["mask1"]).any()
    masks = [run["mask1"] for run in first.walk(3)]
    assert (masks[0] != masks[1]).any() and (masks[1] != masks[2]).any()
    assert set(np.unique(masks)) == {0.0, 2.0}
    assert first.loss_after == first.after(1)["L"]


def test_dropout_keeps_the_mean() -> None:
    trace = build("20000 dropout(0.3) dense1").forward(
        {"W1": np.ones((1, 20000)), "b1": np.zeros(1)},
        np.ones((1, 20000)),
        np.zeros((1, 1)),
        np.random.default_rng(0).random,
    )
    assert trace["mask1"].mean() == pytest.approx(1, abs=0.02)
    assert sorted(set(trace["mask1"].ravel())) == [0, pytest.approx(1 / 0.7)]


def test_dropout_of_nothing_and_of_everything() -> None:
    nothing, everything = bp.step("4 dropout(0) dense2"), bp.step("4 dropout(1) dense2")
    np.testing.assert_array_equal(nothing["kept1"], nothing["x"])
    assert not everything["kept1"].any() and not everything["dW1"].any()
    np.testing.assert_array_equal(everything["z1"][0], everything["b1"])


def test_a_network_in_use_drops_nothing() -> None:
    problem = bp.step("4 dropout dense2").problem
    used = problem.network.forward(problem.params, problem.x, problem.y)
    assert "mask1" not in used and "kept1" not in used
    np.testing.assert_allclose(used["z1"], problem.x @ problem.params["W1"].T + problem.params["b1"])


def test_replays_and_witnesses_keep_the_mask() -> None:
    t = bp.step("5 dense6 tanh dropout(0.4) dense2 softmax", seed=3)
    assert t.replay("L", W2=t["W2"]) == t["L"]
    assert {check.verdict for check in t.check()} == {"agree"}


@pytest.mark.parametrize(("channels", "width"), [(1, 9), (4, 6)])
@pytest.mark.parametrize(("stride", "pad"), [(1, 0), (2, 1), (3, 2)])
def test_both_ways_to_convolve_are_the_formula(channels: int, width: int, stride: int, pad: int) -> None:
    """One goes by images of few channels, the other by images of many."""
    rng = np.random.default_rng(0)
    a, W = rng.normal(size=(2, channels, 7, width)), rng.normal(size=(3, channels, 2, 3))
    assert _few_channels(a, W, stride, pad) == (channels == 1)
    given = {"a": a, "W": W, "b": rng.normal(size=3), "stride": stride, "pad": pad}
    z = conv2d.formula.evaluate(given)
    np.testing.assert_allclose(conv2d.run(given), z, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(
        conv2d.run({**given, "a": a[None] * 1j}).imag[0], conv2d.run({**given, "b": 0 * given["b"]})
    )
    dz = rng.normal(size=z.shape)
    for name in "aWb":
        gradient = conv2d.gradients[name]
        expected = gradient.formula.evaluate({**given, "dz": dz})
        np.testing.assert_allclose(gradient.run({**given, "dz": dz}), expected, rtol=1e-12, atol=1e-13)


# --- conventions -----------------------------------------------------------------------------------------------------


def test_pixels_that_tie_for_the_largest_share_the_gradient() -> None:
    """PyTorch gives all of it to the first of them; with shares, L falls whichever way the tie is broken."""
    t = bp.step(
        "1x2x2 pool(2) flatten dense1", x=[[[[1.0, 3.0], [3.0, 2.0]]]], params={"W1": [[2.0]], "b1": [0.0]}, y=[5.0]
    )
    run = t.problem.run(["x"])
    np.testing.assert_array_equal(run["dx"], [[[[0, 1], [1, 0]]]])
    assert run["dp1"].item() == 2


def test_relu_at_zero_has_the_slope_zero_on_an_image_too() -> None:
    t = bp.step("1x2x2 relu flatten dense1", x=[[[[0.0, 1.0], [-1.0, 0.0]]]], params={"W1": [[1, 1, 1, 1.0]]}, y=[9.0])
    assert (t.problem.run(["x"])["dx"] != 0).tolist() == [[[[False, True], [False, False]]]]


def test_a_word_that_does_not_occur_has_no_gradient_and_stays() -> None:
    t = bp.step("3 embedding5x2 dense2 softmax", x=[[4, 1, 4]])
    assert (t["dW1"] != 0).any(1).tolist() == [False, True, False, False, True]
    np.testing.assert_array_equal(t["W1_new"][[0, 2, 3]], t["W1"][[0, 2, 3]])
    twice = t["dv1"][0, 0] + t["dv1"][0, 2]
    np.testing.assert_allclose(t["dW1"][4], twice)


def test_places_that_a_pooling_leaves_over_get_no_gradient() -> None:
    run = bp.step("1x3x3 avgpool(2) flatten dense1").problem.run(["x"])
    assert not run["dx"][0, 0, 2].any() and not run["dx"][0, 0, :, 2].any()


@pytest.mark.parametrize("init", ["nice", "xavier", "he"])
def test_a_gain_starts_at_one_and_its_bias_at_zero(init: str) -> None:
    t = bp.step("4 dense3 layernorm dense2", init=init)
    assert t["g2"].tolist() == [1, 1, 1] and t["b2"].tolist() == [0, 0, 0]
    assert not np.array_equal(t["W3"], np.zeros((2, 3)))


def test_waves_tell_places_apart() -> None:
    """Vaswani et al. 2017, section 3.5: sines at the even units, cosines at the odd ones."""
    t = bp.step("3x4 positional(sine=1) dense2 softmax")
    P = t.trace["P1"]
    np.testing.assert_array_equal(P[0], [0, 1, 0, 1])
    np.testing.assert_allclose(P[2], [np.sin(2), np.cos(2), np.sin(2 / 100), np.cos(2 / 100)])
    assert "P1" not in t.problem.params and "dP1" not in t.trace
    assert "P1" in bp.step("3x4 positional dense2 softmax").problem.params


# --- whole networks --------------------------------------------------------------------------------------------------

BLOCK = TORCH["transformer_block"]["net"]
IMAGE = "1x6x6 conv2(3) batchnorm relu pool(2) flatten dropout(0.5) dense2 softmax"
IMAGES = np.random.default_rng(0).integers(-90, 90, (3, 1, 6, 6)) / 100


@pytest.mark.parametrize(("net", "options"), [(BLOCK, {}), (IMAGE, {"x": IMAGES}), (IMAGE, {"x": IMAGES[:1]})])
def test_the_witnesses_agree_on_whole_networks(net: str, options: dict[str, Any]) -> None:
    checks = bp.step(net, **options).check()
    assert {check.verdict for check in checks if check.witness != "symbolic"} == {"agree"}
    symbolic = [check.verdict for check in checks if check.witness == "symbolic"]
    assert set(symbolic) <= {"agree", "skipped"} and "agree" in symbolic


@pytest.mark.parametrize("net", [
    "2 residual(dense2 tanh) dense1", "2 layernorm dense1", "2 dropout(0.2) dense2 softmax",
    "2x1 attention dense2 softmax", "2x1 attention(causal=1) dense2 softmax", "2x2 layernorm dense2 softmax",
    "2x1 positional dense2 softmax", "2 dense2 batchnorm dense1",
])  # fmt: skip
def test_all_three_witnesses_agree_on_tiny_networks(net: str) -> None:
    options = {"x": [[1, 2], [-1, 0.5]]} if "batchnorm" in net else {}
    assert {check.verdict for check in bp.check(net, **options)} == {"agree"}


@pytest.mark.parametrize("arguments", [
    ["step", "--plain"], ["step", "--json"], ["step", "--show", "loops"], ["step", "--lang", "zh"], ["check"],
    ["why", "Wq4[1,1]"], ["why", "score4[1,2,1]", "--lang", "zh"], ["whatif", "P2[1,2]=1"], ["step", "--steps", "3"],
])  # fmt: skip
def test_every_command_takes_a_transformer(here: Any, arguments: list[str]) -> None:
    command, *rest = arguments
    places = [word for word in rest if "[" in word]
    found = here(command, *places, BLOCK, *(word for word in rest if word not in places))
    assert found.returncode == 0 and found.stdout and b"bug" not in found.stderr


def test_a_transformer_can_be_walked_through(backprop: Any) -> None:
    found = backprop("play", BLOCK, stdin=b"\n" * 200 + b"list\nset P2[1,1]=0.5\ngo w4[1,1,1]\nwhy\nq\n")
    assert found.returncode == 0 and b"was the last step" in found.stdout


def test_a_token_that_the_table_does_not_have_is_refused_wherever_it_is_typed() -> None:
    run = bp.step("3 embedding5x2 dense5 softmax")
    session = Play(run)
    for value in ("9", "5", "-1", "1.5"):
        with pytest.raises(UsageError, match=r"x: token .* is not one of 0 … 4"):
            run.whatif(f"x[1]={value}")
        (said,) = session.answer(f"set x[1]={value}")
        assert "is not one of 0 … 4" in said.text
    assert {ref for ref, _ in run.whatif("x[1]=4").moved()} >= {"x", "v1", "L"}
    assert run.whatif("x[1]=1").sweep(0, 4, 5).xs == (0, 1, 2, 3, 4)
    with pytest.raises(UsageError, match=r"token 0\.5"):
        run.whatif("x[1]=1").sweep(0, 4, 9)


NEW_LAYER = '''
"""A gate for each number: how much of it gets through is learned."""

from typing import Any

from backprop_cli.kernel import kernel
from backprop_cli.layers.layer import layer


@layer("scale")
@kernel("s[n,o] = a[n,o] * g[o] + a[n,o]**3 * c[o]")
def scale(a: Any, g: Any, c: Any) -> Any:
    """Each number by a factor of its own, and bent a little."""
    return a * g + a**3 * c


@scale.gradient("da[n,o] = ds[n,o] * (g[o] + 3 * a[n,o]**2 * c[o])")
def scale_da(ds: Any, a: Any, g: Any, c: Any) -> Any:
    return ds * (g + 3 * a**2 * c)


@scale.gradient("dg[o] = sum[n](ds[n,o] * a[n,o])")
def scale_dg(ds: Any, a: Any) -> Any:
    return (ds * a).sum(-2)


@scale.gradient("dc[o] = sum[n](ds[n,o] * a[n,o]**3)")
def scale_dc(ds: Any, a: Any) -> Any:
    return (ds * a**3).sum(-2)
'''


def test_a_new_layer_is_one_new_file(backprop: Run, tmp_path: Path) -> None:
    copytree(ROOT / "backprop_cli", tmp_path / "backprop_cli")
    (tmp_path / "backprop_cli" / "layers" / "scale.py").write_text(NEW_LAYER)
    net, env = "2 dense3 tanh scale dense1", {"PYTHONPATH": str(tmp_path)}
    said = {
        ("check", net): "All witnesses agree on 6 gradients:",
        ("step", net, "--no-check"): "s₂[o] = a₁[o]·g₂[o] + a₁[o]^3·c₂[o]",
        ("step", net, "--show", "loops"): "for o in range(",
        ("step", net, "--json"): '"dg2"',
        ("why", "c2[2]", net): "FROM c₂[2] TO THE LOSS: 1 path",
        ("whatif", "g2[1]=2", net): "s₂[1]",
        ("play", net): "Enter goes forward",
        ("train", net, "--x", "1,2;3,4", "--y", "0;1", "--epochs", "5"): "2 samples",
    }
    for arguments, words in said.items():
        found = backprop(*arguments, env=env)
        text = " ".join(found.stdout.decode().split())
        assert (found.returncode, words in text) == (0, True), (arguments, text[-500:], found.stderr)


@pytest.mark.parametrize("net", ["4 gru2x3", "4 dense2x3", "3x2 lstm2x2", "3 embedding4x2x2 dense2"])
def test_too_many_sizes_are_said_to_be(net: str) -> None:
    with pytest.raises(UsageError, match=r"it takes [12] sizes?, as in"):
        build(net)


def test_a_step_can_be_seen_as_the_network_is_used() -> None:
    net, x = "2 dense3 batchnorm dropout(0.5) dense1", [[1, 2], [3, 4], [0, 1]]
    trained, used = bp.step(net, x=x), bp.step(net, x=x, eval=True)
    assert {"mask2", "running_mean2_new"} <= trained.trace.values.keys()
    assert not {"mask2", "running_mean2_new"} & used.trace.values.keys()
    np.testing.assert_allclose(used["xhat2"], used["z1"] / np.sqrt(1 + 1e-5))
    assert {check.verdict for check in used.check()} == {"agree"}
    assert used.problem.settings["eval"] is True
    assert "as used" in used.problem.title
