"""Networks, presets, problem files and data: what is understood, and what is refused in which words."""

from __future__ import annotations

import json
import pickle
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import backprop_cli as bp
from backprop_cli import files
from backprop_cli.building import build
from backprop_cli.errors import BackpropError, InputError, ShapeError, UsageError
from backprop_cli.layers import ACTIVATIONS
from backprop_cli.parameters import draw
from backprop_cli.problem import load
from backprop_cli.problem_file import preset_names

MAZUR = """
net = "2-2-2"
activation = "sigmoid"
loss = "half_sse"
optimizer = "sgd"
lr = 0.5
x = [0.05, 0.10]
y = [0.01, 0.99]
[params]
W1 = [[0.15, 0.20], [0.25, 0.30]]
b1 = [0.35, 0.35]
W2 = [[0.40, 0.45], [0.50, 0.55]]
b2 = [0.60, 0.60]
"""


def test_the_short_form_and_the_general_form_are_the_same_network() -> None:
    short, general = build("3-4-2", ["relu", "softmax"]), build("3 dense4 relu dense2 softmax")
    assert short == general
    assert short.shapes == {"W1": (4, 3), "b1": (4,), "W2": (2, 4), "b2": (2,)}
    assert (short.input, short.outputs, short.loss.name) == ((3,), 2, "ce")


def test_defaults_of_the_short_form() -> None:
    assert build("3-4-2").activations == ["sigmoid", "sigmoid"]
    assert build("3-4-2", loss="ce").activations == ["sigmoid", "softmax"]
    assert build("3-4-2").loss.name == "half_sse"
    assert build("3-4-2", bias=False).shapes == {"W1": (4, 3), "W2": (2, 4)}


def test_a_layer_without_activation_gets_the_identity_so_that_every_z_has_its_a() -> None:
    assert build("3 dense4 dense2").activations == ["identity", "identity"]
    assert build("3-2", ["linear"]).activations == ["identity"]


def test_options_in_brackets_reach_the_kernel() -> None:
    t = bp.step("2 dense2 leaky_relu(0.2) dense1", x=[-5, -5], params={"W1": [[1, 1], [1, 1]], "b1": [0, 0]})
    assert t["a1"].tolist() == [[-2.0, -2.0]]
    assert load("2-1", loss="huber(delta=0.5)").network.loss_options == {"delta": 0.5}
    assert load("2-1", optimizer="adam(beta1=0.8, eps=1e-6)").numbers["beta1"] == 0.8


@given(st.lists(st.integers(1, 6), min_size=2, max_size=5), st.data())
@settings(max_examples=40, deadline=None)
def test_any_short_net_runs_and_has_the_shapes_it_says(sizes: list[int], data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(sorted(ACTIVATIONS)), min_size=len(sizes) - 1, max_size=len(sizes) - 1))
    loss = None if names[-1] == "softmax" else "mse"
    t = bp.step("-".join(map(str, sizes)), activation=names, loss=loss)
    for layer, (inputs, outputs) in enumerate(pairwise(sizes), 1):
        assert t[f"W{layer}"].shape == t[f"dW{layer}"].shape == t[f"W{layer}_new"].shape == (outputs, inputs)
        assert t[f"a{layer}"].shape == (1, outputs)


@given(st.text(alphabet="0123456789-x densrelu()=.,", max_size=25))
@settings(max_examples=150, deadline=None)
def test_any_text_is_a_network_or_one_clear_message(text: str) -> None:
    try:
        network = build(text)
    except UsageError as error:
        assert str(error)
    else:
        assert network.outputs >= 1


BAD_NETS = {
    "3-x-2": "'x' is not a number of units; write a net like 3-4-2",
    "3-0-2": "a layer of 0 units",
    "3--2": "is not a number of units",
    "": "is not a number of units",
    "3": "has no layer",
    "3 relu": "has no layer",
    "3-1000000000-2": "a layer of 1,000,000,000 units",
    "3-99999999999999999999-2": "units",
    "20000-20000-2": "400,060,002 parameters; the most",
    "3 dens4": "unknown layer 'dens'; did you mean dense",
    "3 dense": "needs a size",
    "3 dense4 relu tanh": "two activations in a row",
    "3 dense-4": "cannot read 'dense-4'",
    "3 dense4(": "a bracket is not closed",
    "3 relu5": "an activation has no size",
    "3 dense4 leaky_relu(alhpa=1)": "unknown option of leaky_relu 'alhpa'; did you mean alpha",
    "3 dense4 leaky_relu(1, 2)": "takes alpha; it was given 2 numbers",
    "3 dense4 relu(1)": "takes no options",
    "3 dense4 leaky_relu(big)": "'big' is not a number",
    "mazr": "did you mean mazur",
    "3 dense4(foo=1)": "its size is one whole number",
    "3 dense(4.7) relu": "its size is one whole number",
    "some/where": "ends in .toml or .json",
}


@pytest.mark.parametrize(("net", "message"), BAD_NETS.items())
def test_a_bad_net_is_refused_with_the_bad_part_named(net: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(net)
    assert message in str(caught.value)


BAD_OPTIONS: list[tuple[dict[str, Any], str]] = [
    ({"loss": "mes"}, "unknown loss 'mes'; did you mean mse"),
    ({"activation": "sigmod"}, "unknown activation 'sigmod'; did you mean sigmoid"),
    ({"activation": "relu,relu,relu"}, "has 2 layers, but there are 3 activations"),
    ({"optimizer": "adm"}, "unknown optimizer 'adm'; did you mean adam"),
    ({"optimizer": "sgd(mu=1)"}, "sgd takes no options"),
    ({"reduction": "men"}, "unknown reduction 'men'; did you mean mean"),
    ({"init": "glorot"}, "unknown init 'glorot'"),
    ({"dtype": "float16"}, "unknown dtype"),
    ({"lr": -1.0}, "lr = -1: expected a finite number that is not negative"),
    ({"lr": float("nan")}, "lr = nan"),
    ({"l2": float("inf")}, "l2 = inf"),
    ({"seed": -1}, "seed = -1"),
    ({"seed": "one"}, "seed = 'one': expected a whole number"),
    ({"frozen": ["b9"]}, "unknown parameter to freeze 'b9'"),
    ({"loss": "ce", "activation": "relu"}, "loss ce needs a softmax output, not relu"),
    ({"loss": "bce", "activation": "tanh"}, "needs outputs between 0 and 1"),
    ({"x": "1,2"}, "x has shape (1, 2), but the net has 3 inputs: expected (N, 3)"),
    ({"x": "1,two,3"}, "expected numbers such as 1,2,3"),
    ({"x": "1,nan,3"}, "x[2] is nan; every number must be finite"),
    ({"x": "1,2,inf"}, "x[3] is inf"),
    ({"x": "1,2,3;4,5"}, "rows of different lengths"),
    ({"x": []}, "x: empty"),
    ({"x": [[]]}, "x: empty"),
    ({"x": ["a", 1, 2]}, "expected numbers, found 'a'"),
    ({"x": [True, False, True]}, "expected numbers"),
    ({"y": "1,2,3"}, "y has shape (1, 3), but the net has 2 outputs"),
    ({"x": "1,2,3;4,5,6", "y": "0,1"}, "x has 2 samples, but y has 1"),
    ({"loss": "ce", "y": "0.5,0.4"}, "sample 1: the targets sum to 0.9"),
    ({"loss": "ce", "y": "1.5,-0.5"}, "y[1;1] is 1.5; loss ce needs targets from 0 to 1"),
    ({"loss": "ce", "x": "1,2,3;4,5,6", "y": "0,2"}, "class 2 is not one of 0 … 1"),
    ({"loss": "ce", "x": "1,2,3;4,5,6", "y": "0,0.5"}, "class 0.5 is not one of"),
    ({"loss": "bce", "y": "0,2"}, "y[1;2] is 2; loss bce needs targets from 0 to 1"),
    ({"params": {"W1": [[1, 2], [3, 4]]}}, "W1 has shape (2, 2), but layer 1 of the net needs (4, 3)"),
    ({"params": {"W3": [[1]]}}, "unknown parameter 'W3'"),
    ({"params": {"b1": [1, 2, float("nan"), 4]}}, "b1[3] is nan"),
    ({"loss": "huber(-1)"}, "huber(delta=-1): delta must be above 0"),
    ({"loss": ""}, "cannot read ''"),
    ({"optimizer": "adam(beta1=2)"}, "beta1 must be at least 0 and below 1"),
    ({"optimizer": "adamw(weight_decay=-3)"}, "weight_decay must be at least 0"),
    ({"optimizer": "momentum(mu=.9,mu=.3)"}, "mu is given twice"),
    ({"activation": "leaky_relu(nan)"}, "alpha must be a finite number"),
    ({"speed": 1}, "unknown key 'speed'; did you mean seed"),
    ({"x": "1e300,1e300,1e300", "activation": "linear", "loss": "mse"}, "overflows"),
]


@pytest.mark.parametrize(("options", "message"), BAD_OPTIONS, ids=[str(options)[:60] for options, _ in BAD_OPTIONS])
def test_a_bad_option_is_refused_in_clear_words(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        bp.step("3-4-2", **options)
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_problem_file_is_read_and_options_override_it(tmp_path: Path) -> None:
    path = tmp_path / "problem.toml"
    path.write_text(MAZUR)
    assert bp.step(str(path))["L"] == pytest.approx(0.298371109, abs=5e-10)
    assert bp.step(str(path), lr=0.0)["W1_new"].tolist() == [[0.15, 0.2], [0.25, 0.3]]
    as_json = tmp_path / "problem.json"
    as_json.write_text(json.dumps({"net": "mazur", "lr": 0.25}))
    assert load(str(as_json)).numbers["lr"] == 0.25
    assert bp.step(str(as_json))["L"] == bp.step("mazur")["L"]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 10**30) | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["W1", "b1", "W2", "q"]), inner, max_size=3)
    ),
    max_leaves=8,
)
SENSIBLE = {
    "net": st.sampled_from(["2-2", "2-3-1", "mazur", "2 dense2 relu", "2-0", "x"]),
    "activation": st.sampled_from(["relu", "softmax", ["tanh", "sigmoid"], "elu(2)"]),
    "loss": st.sampled_from(["mse", "ce", "bce", "huber(0.1)"]),
    "optimizer": st.sampled_from(["adam", "sgd", "momentum(2)"]),
    "x": st.lists(st.floats(-5, 5), min_size=1, max_size=3) | st.just("1,2;3,4"),
    "y": st.lists(st.integers(0, 1), min_size=1, max_size=3),
    "lr": st.floats(0, 1),
    "frozen": st.lists(st.sampled_from(["W1", "b2"]), max_size=2),
}


@given(st.fixed_dictionaries({}, optional={key: good | ANYTHING for key, good in SENSIBLE.items()} | dict.fromkeys(
    ["params", "seed", "init", "l2", "bias", "dtype", "reduction", "nonsense"], ANYTHING)))  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_any_problem_runs_or_is_one_clear_message(table: dict[str, Any]) -> None:
    try:
        trace = load({"net": "2-2", **table}).run()
    except BackpropError as error:
        assert str(error)
        assert "\x1b" not in str(error)
    else:
        assert np.isfinite(trace["L"])


def test_parameters_that_are_missing_are_drawn_and_do_not_depend_on_the_others() -> None:
    drawn = load("3-4-2", seed=5)
    given_one = load("3-4-2", seed=5, params={"W1": np.zeros((4, 3))})
    np.testing.assert_array_equal(given_one.params["W2"], drawn.params["W2"])
    np.testing.assert_array_equal(given_one.x, drawn.x)
    assert not given_one.params["W1"].any()


def test_parameters_come_from_files_by_name_or_in_order(tmp_path: Path) -> None:
    params = load("mazur").params
    np.savez(tmp_path / "ours.npz", **params)
    np.savez(
        tmp_path / "theirs.npz", **dict(zip(["0.weight", "0.bias", "2.weight", "2.bias"], params.values(), strict=True))
    )
    problem = tmp_path / "problem.toml"
    for name in ("ours", "theirs"):
        problem.write_text(f'net = "2-2-2"\nparams = "{name}.npz"\n')  # beside the problem file
        for ref, value in load(str(problem)).params.items():
            np.testing.assert_array_equal(value, params[ref])
    np.savez(tmp_path / "few.npz", foo=np.zeros(2))
    with pytest.raises(UsageError, match=r"holds 1 array \(foo\)"):
        load("2-2-2", params=str(tmp_path / "few.npz"))


def test_class_numbers_become_one_hot_rows() -> None:
    assert load("3-4-2", loss="ce", x=[[1, 2, 3], [4, 5, 6]], y=[1, 0]).y.tolist() == [[0, 1], [1, 0]]
    assert load("3-4-2", loss="ce", y=[1]).y.tolist() == [[0, 1]]
    assert load("3-4-2", loss="ce", y=[0.25, 0.75]).y.tolist() == [[0.25, 0.75]]


@pytest.mark.parametrize("suffix", ["json", "csv", "npy", "npz"])
def test_data_from_every_kind_of_file(tmp_path: Path, suffix: str) -> None:
    x = np.array([[1.0, 2, 3], [4, 5, 6.5]])
    path = tmp_path / f"data.{suffix}"
    if suffix == "json":
        path.write_text(json.dumps({"x": x.tolist(), "y": [[0, 1], [1, 0]]}))
    elif suffix == "csv":
        path.write_text("height,width,depth\n1,2,3\n4,5,6.5\n")
    elif suffix == "npy":
        np.save(path, x)
    else:
        np.savez(path, x=x, y=np.eye(2))
    np.testing.assert_array_equal(load("3-4-2", x=str(path)).x, x)


BAD_FILES = {
    "missing.toml": (None, "cannot be read: No such file"),
    "broken.toml": (b'net = "3-4-2"\nlr = = 3\n', "broken.toml:2: not valid TOML"),
    "broken.json": (b'{"net": "3-4-2",\n "lr": }', "broken.json:2: not valid JSON"),
    "twice.json": (b'{"net": "3-4-2", "net": "2-2"}', "'net' is given twice"),
    "list.json": (b"[1, 2]", "expected named values"),
    "deep.json": (b"[" * 100_000, "deeply"),
    "latin.toml": ('net = "é"'.encode("latin-1"), "not UTF-8 text"),
}


@pytest.mark.parametrize(("name", "content", "message"), [(name, *rest) for name, rest in BAD_FILES.items()])
def test_a_problem_file_that_cannot_be_read(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        load(str(tmp_path / name))
    assert caught.value.exit_code == 3


def test_every_fault_of_a_file_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "faulty.toml"
    path.write_text('net = "3-4-2"\nlearning_rate = 0.1\nseed = "one"\nactivation = [1, 2]\n[parms]\nW1 = 1\n')
    with pytest.raises(UsageError) as caught:
        load(str(path))
    text = str(caught.value)
    assert "faulty.toml:2: unknown key 'learning_rate'" in text
    assert "faulty.toml:3: seed = 'one': expected a whole number" in text
    assert "faulty.toml:4: activation = [1, 2]: expected a list of names" in text
    assert "faulty.toml:5: unknown key 'parms'; did you mean params?" in text


@pytest.mark.parametrize("content", ["", "lr = 0.1\n", "x = [1, 2]\n"])
def test_a_file_that_names_no_net_is_told_so(tmp_path: Path, content: str) -> None:
    (tmp_path / "p.toml").write_text(content)
    with pytest.raises(UsageError, match=r"p\.toml: it names no net"):
        load(str(tmp_path / "p.toml"))


def test_a_fault_of_a_file_s_contents_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text('net = "2-2"\nx = [1, 2, 3]\n')
    with pytest.raises(ShapeError, match=r"p\.toml: x has shape"):
        load(str(tmp_path / "p.toml"))


def test_a_table_is_as_good_as_a_file() -> None:
    assert bp.step({"net": "2-2", "lr": 0.5}, seed=3).problem.numbers["lr"] == 0.5


def test_a_pickle_is_refused_and_never_loaded(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "exploded",))

    np.save(tmp_path / "object.npy", np.array([Bomb()], object), allow_pickle=True)
    (tmp_path / "bare.npy").write_bytes(pickle.dumps(Bomb()))
    np.savez(tmp_path / "object.npz", x=np.array([Bomb()], object))
    for name in ("object.npy", "bare.npy", "object.npz"):
        with pytest.raises(InputError, match=r"pickled Python objects, which are never loaded|not a valid"):
            load("3-4-2", x=str(tmp_path / name))
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *[("a.npy", b""), ("a.npy", b"\x93NUMPY\x01\x00garbage"), ("a.json", b'{"W1": "text"}')],
        *[("a.npz", b"PK\x03\x04broken"), ("a.npz", b"not a zip"), ("a.safetensors", b"\xff" * 20)],
        ("a.safetensors", b"\x02\x00\x00\x00\x00\x00\x00\x00[]"),
        ("a.safetensors", (10**15).to_bytes(8, "little") + b"{}"),
        (
            "a.safetensors",
            (73).to_bytes(8, "little") + b'{"W1": {"dtype": "F32", "shape": [100], "data_offsets": [0, 400]}}       ',
        ),
        ("a.json", b"{}"),
    ],
)
def test_a_broken_file_of_numbers_is_one_message(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BackpropError):
        load("3-4-2", params=str(tmp_path / name))


def test_a_csv_cell_that_is_no_number_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("a,b,c\n1,2,3\n4,oops,6\n")
    with pytest.raises(InputError, match=r"data\.csv:3: 'oops' is not a number"):
        load("3-4-2", x=str(tmp_path / "data.csv"))


def test_a_file_over_the_limit_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LIMIT", 2**20)
    (tmp_path / "big.json").write_bytes(b" " * (2**20 + 1))
    with pytest.raises(InputError, match="larger than the limit of 1 MiB"):
        load("3-4-2", x=str(tmp_path / "big.json"))
    np.savez_compressed(tmp_path / "bomb.npz", x=np.zeros(2**18))
    with pytest.raises(InputError, match="unpacks to more than the limit"):
        load("3-4-2", x=str(tmp_path / "bomb.npz"))


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_runs(name: str) -> None:
    t = bp.step(name)
    assert np.isfinite(t["L"])
    assert t.after()["L"] <= t["L"]


def test_the_article_s_network_has_its_own_x_y_and_weights() -> None:
    t = bp.step("article-3-4-2")
    assert t["x"].tolist() == [[1, 2, 3]]
    assert t["y"].tolist() == [[0, 1]]
    assert t["z1"][0, [0, 3]] == pytest.approx([0.2, 1.7])
    assert t["a1"][0, 3] == pytest.approx(0.845535, abs=5e-7)
    assert t["W2"].tolist() == [[0.1, 0.2, 0.3, 0.4]] * 2
    np.testing.assert_allclose(t["dz2"], t["a2"] - t["y"])
    article = t.replay("z2", a1=np.array([[0.532, 0.697, 0.865, 0.952]]))
    assert article[0] == pytest.approx([1.3329, 1.3329])


def test_the_logistic_neuron_of_the_article() -> None:
    t = bp.step("logistic")
    assert t["z1"][0, 0] == pytest.approx(3.5)
    assert t["a1"][0, 0] == pytest.approx(0.970688, abs=5e-7)


def test_xor_is_learned_to_a_hundred_percent() -> None:
    t = bp.step("xor").after(1000)
    np.testing.assert_array_equal(t["a2"].round(), t["y"])
    assert t["L"] < 0.01


@pytest.mark.parametrize(("init", "spread"), [("xavier", (6 / 300) ** 0.5 / 3**0.5), ("he", (2 / 200) ** 0.5)])
def test_initialisations_have_the_spread_of_their_papers(init: str, spread: float) -> None:
    weights = draw(init, (100, 200), np.random.default_rng(0))
    assert weights.std() == pytest.approx(spread, rel=0.02)
    assert not draw(init, (100,), np.random.default_rng(0)).any()


def test_nice_numbers_have_two_decimals_and_are_never_zero() -> None:
    weights = draw("nice", (50, 50), np.random.default_rng(0))
    np.testing.assert_allclose(weights, weights.round(2), atol=1e-12)
    assert (weights != 0).all()
    assert abs(weights).max() <= 0.9


@pytest.mark.parametrize(
    ("name", "text"), [("p.json", '{"net": "3-4-2", "seed": %s}'), ("p.toml", 'net = "3-4-2"\nseed = %s')]
)
def test_a_number_with_thousands_of_digits_is_refused(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text % ("1" * 5000))
    with pytest.raises(InputError, match="too many digits"):
        bp.step(str(tmp_path / name))


def test_a_name_in_the_wrong_case_gets_the_right_one() -> None:
    with pytest.raises(UsageError, match="did you mean W1"):
        bp.step("mazur").why("w1[1,1]")


def test_classes_stand_in_a_row_or_one_below_the_other() -> None:
    row, column = (bp.step("2-3", loss="ce", x=[[1, 2], [3, 4]], y=y) for y in ("2,0", "2;0"))
    np.testing.assert_array_equal(row["y"], [[0, 0, 1], [1, 0, 0]])
    np.testing.assert_array_equal(row["y"], column["y"])
