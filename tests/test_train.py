"""Training: the same tape as a single step, schedules, clipping, early stopping; checkpoints, files, what is told."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, Run
from safetensors.numpy import load_file, save_file

import backprop_cli as bp
from backprop_cli import checkpoint, engine
from backprop_cli.datasets import Dataset
from backprop_cli.errors import InputError, ShapeError, UsageError
from backprop_cli.keeping import Keep
from backprop_cli.lines import cells
from backprop_cli.problem import load
from backprop_cli.render import plain, terminal
from backprop_cli.render.blocks import Curves, Fact, Heading, Matrix, Note, Outcome
from backprop_cli.render.curves import curves_svg, drawn, facts
from backprop_cli.render.flow import by_layer, flow
from backprop_cli.render.screen import Screen
from backprop_cli.render.training import TrainingReport, train_document
from backprop_cli.schedules import SCHEDULES, Moment, read_schedule
from backprop_cli.session import begin, train
from backprop_cli.training import Recipe, State, Training
from backprop_cli.weights import save_weights

TORCH = json.loads((ROOT / "tests" / "golden" / "torch" / "training.json").read_text())
MNIST = ROOT.parent / "shared" / "data" / "mnist10k.npz"
SMALL = "2 dense6 tanh dense2 softmax"


def small(epochs: int = 4, **options: Any) -> Training:
    """A quick training with something of everything random in it."""
    recipe = Recipe(epochs, batch=16, **{name: options.pop(name) for name in Recipe._fields if name in options})
    return begin(SMALL, "moons(60)", recipe, **{"optimizer": "adam", "lr": 0.02, "seed": 3, **options})


def run(training: Training) -> Training:
    for _ in training.run():
        pass
    return training


def same(first: Training, second: Training) -> None:
    """Bit for bit, the history too, except for the time it took."""
    for name, value in first.state.values.items():
        np.testing.assert_array_equal(value, second.state.values[name], err_msg=name)
    histories = ([{**record, "seconds_per_step": 0} for record in each.state.history] for each in (first, second))
    assert next(histories) == next(histories)


# --- the loop --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_training_is_the_step_again_and_again(optimizer: str, reduction: str) -> None:
    """All samples in one batch: an epoch is a step of the problem, to the last bit but the samples' order."""
    options = {"optimizer": optimizer, "l2": 0.01, "dtype": "float64", "init": "nice", "reduction": reduction}
    training = run(begin("xor", None, Recipe(epochs=5), **options))
    stepped = bp.step("xor", **options).after(5).problem
    for name, value in stepped.params.items():
        np.testing.assert_allclose(training.values[name], value, rtol=1e-12, atol=1e-14)
    size = 1 if reduction == "mean" else 4
    first = bp.step("xor", **options)
    assert training.state.history[0]["loss"] == pytest.approx(first["L"] / size)
    last = bp.step("xor", **options).after(4)
    for name, norm in training.state.history[-1]["gradient_norms"].items():
        assert norm == pytest.approx(np.linalg.norm(last[f"d{name}"]), rel=1e-9)
    assert training.judge(training.parts.train).loss == pytest.approx(last.loss_after / size)


def grid(*shape: int) -> Any:
    return np.sin(np.arange(1, math.prod(shape) + 1) * 0.7).reshape(shape)


def as_torch(**recipe: Any) -> Training:
    shapes = {"W1": (5, 4), "W2": (3, 5)}
    params = {name: grid(*shape) for name, shape in shapes.items()} | {"b1": np.zeros(5), "b2": np.zeros(3)}
    data = Dataset("grid", "points", 2 * grid(6, 4), np.arange(6) % 3)
    options = {"params": params, "optimizer": "adam", "lr": 0.05, "dtype": "float64"}
    return run(begin("4 dense5 tanh dense3 softmax", data, Recipe(40, 6, **recipe), **options))


@pytest.mark.parametrize(
    ("name", "recipe", "exact"),
    [
        ("plain", {}, 1e-11),
        ("clip", {"clip": 0.05}, 1e-4),  # PyTorch adds 1e-6 to the length it divides by
        ("step", {"schedule": "step(7, 0.3)"}, 1e-11),
        ("cosine", {"schedule": "cosine"}, 1e-11),
    ],
)
def test_a_training_is_pytorch_s(name: str, recipe: dict[str, Any], exact: float) -> None:
    training, theirs = as_torch(**recipe), TORCH[name]
    history = training.state.history
    np.testing.assert_allclose([record["lr"] for record in history], theirs["rates"], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose([record["loss"] for record in history], theirs["losses"], rtol=exact)
    np.testing.assert_allclose(training.values["W1"], theirs["W1"], rtol=exact, atol=exact)
    np.testing.assert_allclose(training.values["b2"], theirs["b2"], rtol=exact, atol=exact)
    if name == "clip":
        assert not np.allclose(TORCH["plain"]["W1"], theirs["W1"], rtol=0.01)


def test_a_plateau_is_pytorch_s() -> None:
    rate = read_schedule("plateau(2, 0.5)")
    losses = TORCH["plateau"]["losses"]
    found = [rate(Moment(at, 99, at, tuple(losses[:at]))) for at in range(len(losses))]
    assert found == TORCH["plateau"]["rates"]
    assert min(found) < 1


def test_schedules_multiply_and_warm_up_in_a_straight_line() -> None:
    rate = read_schedule("warmup(4) step(2, factor=0.5)")
    assert [rate(Moment(step, 9, epoch)) for step, epoch in ((0, 0), (3, 0), (4, 2), (5, 4))] == [0.25, 1, 0.5, 0.25]
    assert read_schedule("")(Moment(3, 9, 1)) == 1
    assert read_schedule("cosine(floor=0.1)")(Moment(9, 9, 1)) == pytest.approx(0.1)
    assert set(SCHEDULES) == {"step", "cosine", "warmup", "plateau"}
    with pytest.raises(UsageError, match="unknown schedule 'cosin'; did you mean cosine"):
        read_schedule("cosin")
    with pytest.raises(UsageError, match="every must be a whole number"):
        read_schedule("step(1.5)")


def test_clipping_shortens_all_gradients_by_one_factor() -> None:
    gradients = {"dW1": np.array([[3.0, 0]]), "db1": np.array([4.0])}
    short = engine.clipped(gradients, 1.0)
    assert sum(float((value**2).sum()) for value in short.values()) == pytest.approx(1)
    np.testing.assert_allclose(short["dW1"], [[0.6, 0]])
    assert engine.clipped(gradients, 5.0) is gradients


def test_the_same_seed_gives_the_same_training_and_another_does_not() -> None:
    same(run(small()), run(small()))
    assert small().state.values["W1"].dtype == np.float32
    assert run(small(seed=4)).state.history[-1]["loss"] != run(small()).state.history[-1]["loss"]


def test_every_epoch_has_an_order_of_its_own_and_misses_nobody() -> None:
    training = small(epochs=2)
    seen: list[Any] = []
    step = training.engine.step

    def spy(values: Any, x: Any, y: Any, lr: float, t: int) -> Any:
        seen.append(x)
        return step(values, x, y, lr, t)

    training.engine.step = spy  # type: ignore[method-assign]
    run(training)
    assert [len(x) for x in seen] == [16, 16, 16, 12] * 2
    first, second = (np.concatenate(seen[at : at + 4]) for at in (0, 4))
    assert (first != second).any()
    for epoch in (first, second):
        assert sorted(map(tuple, epoch)) == sorted(map(tuple, training.parts.train.x))


def test_what_is_frozen_stays_and_the_rest_moves() -> None:
    training = run(small(frozen=["W1", "b1"]))
    before = small(frozen=["W1", "b1"]).state.values
    np.testing.assert_array_equal(training.values["W1"], before["W1"])
    assert (training.values["W2"] != before["W2"]).all()
    assert "W1" not in training.state.history[0]["gradient_norms"]


def test_early_stopping_keeps_the_best() -> None:
    training = run(small(epochs=60, patience=3, lr=0.3, validation=0.4))
    losses, epochs = training.state.losses, len(training.state.history)
    assert epochs < 60
    assert epochs - training.state.best_epoch == 3
    assert training.parts.validation
    assert training.judge(training.parts.validation).loss == pytest.approx(min(losses), rel=1e-6)


def test_what_needs_a_validation_part_gets_one() -> None:
    assert small().parts.validation is None
    assert len(small(patience=2).parts.validation or ()) == 6
    assert len(small(schedule="plateau").parts.validation or ()) == 6


def test_accuracy_is_the_share_of_right_guesses() -> None:
    training = run(small(epochs=1))
    judged = training.judge(training.parts.train)
    assert judged.accuracy == np.mean(judged.outputs.argmax(1) == training.parts.train.y)
    sine = run(begin("1 dense4 tanh dense1 identity", "sine(20)", Recipe(1), loss="mse"))
    assert sine.judge(sine.parts.train).accuracy is None
    assert "accuracy" not in sine.state.history[0]


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_loss_of_an_epoch_is_that_of_all_its_samples(reduction: str) -> None:
    """Without a learning rate nothing moves, so the batches of 16, 16, 16 and 12 add up to what all give at once."""
    training = run(small(epochs=1, lr=0.0, reduction=reduction))
    judged, (record,) = training.judge(training.parts.train), training.state.history
    assert record["loss"] == pytest.approx(judged.loss, rel=1e-6)
    assert record["accuracy"] == pytest.approx(judged.accuracy)
    assert judged.loss == pytest.approx(-np.log(judged.outputs[np.arange(60), training.parts.train.y]).mean(), rel=1e-5)


def test_large_parts_are_evaluated_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    training = small()
    whole = training.judge(training.parts.train)
    monkeypatch.setattr(engine, "CHUNK", 7)
    pieces = small().judge(training.parts.train)
    assert pieces.loss == pytest.approx(whole.loss, rel=1e-6)
    np.testing.assert_allclose(pieces.outputs, whole.outputs, rtol=1e-5)


def test_images_are_augmented_in_training_alone() -> None:
    net, recipe = "64 dense16 relu dense10 softmax", {"optimizer": "adam", "lr": 0.01}
    plainly, varied = (run(begin(net, "digits", Recipe(2, augment=words), **recipe)) for words in ("", "shift(1)"))
    assert varied.state.history[-1]["loss"] > plainly.state.history[-1]["loss"]
    np.testing.assert_array_equal(varied.parts.train.x, plainly.parts.train.x)


def test_how_parameters_are_drawn_suits_the_activations_unless_it_is_said() -> None:
    def spread(net: str, **options: Any) -> Any:
        return begin(net, Dataset("d", "points", np.ones((2, 4)), np.ones((2, 1))), Recipe(1), **options).state.values

    he, xavier = (load("4 dense3 relu dense1 identity", init=init, dtype="float32").params for init in ("he", "xavier"))
    np.testing.assert_array_equal(spread("4 dense3 relu dense1 identity")["W1"], he["W1"])
    np.testing.assert_array_equal(spread("4 dense3 tanh dense1 identity")["W1"], xavier["W1"])
    np.testing.assert_array_equal(spread("4 dense3 relu dense1 identity", init="xavier")["W1"], xavier["W1"])
    assert spread("4 dense3 relu dense1", dtype="float64")["W1"].dtype == np.float64


# --- trained for real ------------------------------------------------------------------------------------------------


def test_xor_is_learnt() -> None:
    training = train("xor", "xor", epochs=500)
    assert training.judge(training.parts.train).accuracy == 1


@pytest.mark.parametrize("data", ["spirals", "moons", "blobs(classes=2)"])
def test_the_points_are_learnt(data: str) -> None:
    options = {"optimizer": "adam", "lr": 0.02, "epochs": 60}
    training = train("2 dense16 tanh dense16 tanh dense2 softmax", data, **options)
    assert training.parts.test
    assert (training.judge(training.parts.test).accuracy or 0) > 0.9


def test_the_digits_inside_are_learnt() -> None:
    training = train("64 dense32 relu dense10 softmax", "digits", optimizer="adam", lr=0.005)
    assert training.parts.test
    assert (training.judge(training.parts.test).accuracy or 0) >= 0.95


@pytest.mark.skipif(not MNIST.exists(), reason="the 10,000 MNIST digits are not part of the project")
def test_mnist_is_learnt_as_well_as_with_pytorch() -> None:
    """PyTorch reaches 91.8 % with these settings."""
    training = train("mnist-mlp", str(MNIST), epochs=5, batch=128)
    assert training.parts.test
    assert (len(training.parts.train), len(training.parts.test)) == (9000, 1000)
    assert (training.judge(training.parts.test).accuracy or 0) >= 0.91


# --- checkpoints -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"schedule": "warmup(5) cosine"},
        {"schedule": "plateau(1)", "validation": 0.2},
        {"patience": 2, "lr": 0.3, "validation": 0.3, "epochs": 12},
        {"clip": 0.1, "optimizer": "momentum"},
    ],
    ids=str,
)
@pytest.mark.parametrize("done", [0, 1, 3])
def test_a_training_goes_on_bit_for_bit(tmp_path: Path, options: dict[str, Any], done: int) -> None:
    path = str(tmp_path / "run.npz")
    whole, begun, resumed = small(**options), small(**options), small(**options)
    steps = begun.run()
    for _ in range(done):
        next(steps)
    checkpoint.save(path, begun)
    resumed.state = checkpoint.load(path, resumed)
    same(run(whole), run(resumed))
    for name, value in whole.values.items():
        np.testing.assert_array_equal(value, resumed.values[name])


@pytest.mark.parametrize("clip", [None, 0.5])
def test_what_layers_draw_and_remember_goes_on_too(tmp_path: Path, clip: float | None) -> None:
    def fresh() -> Training:
        net = "2 dense8 batchnorm tanh dropout(0.3) dense2 softmax"
        return begin(net, "moons(60)", Recipe(4, 16, clip=clip), optimizer="adam", lr=0.02)

    path, begun, resumed = str(tmp_path / "run.npz"), fresh(), fresh()
    next(begun.run())
    checkpoint.save(path, begun)
    resumed.state = checkpoint.load(path, resumed)
    same(run(fresh()), run(resumed))
    before, after = fresh().state.values["running_mean2"], resumed.values["running_mean2"]
    assert (before != after).all()
    x, y = resumed.parts.train.at(np.arange(16))
    first, again, other = (resumed.engine.step(resumed.values, x, y, 0.1, t).loss for t in (7, 7, 8))
    assert first == again != other  # each step draws anew, by its number
    judged = resumed.judge(resumed.parts.train)
    assert judged.loss == resumed.judge(resumed.parts.train).loss


def test_a_checkpoint_is_plain_arrays(tmp_path: Path) -> None:
    checkpoint.save(str(tmp_path / "run.npz"), run(small()))
    with np.load(tmp_path / "run.npz", allow_pickle=False) as content:
        assert {"W1", "mW1", "vW1", "about"} <= set(content)
        assert json.loads(content["about"].tobytes())["history"][0]["epoch"] == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"lr": 0.5}, "made with lr 0.02, not 0.5"),
        ({"optimizer": "sgd"}, "made with optimizer adam, not sgd"),
        ({"schedule": "cosine"}, "made with schedule"),
        ({"validation": 0.5}, r"made with samples \[60\], not \[30, 30\]"),
        ({"normalize": "standard"}, "made with normalize none"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path, options: dict[str, Any], said: str) -> None:
    path = str(tmp_path / "run.npz")
    checkpoint.save(path, run(small()))
    with pytest.raises(UsageError, match=said):
        checkpoint.load(path, small(**options))
    checkpoint.load(path, small(epochs=99))


def test_a_checkpoint_of_another_network_or_data_or_of_nothing_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "run.npz")
    checkpoint.save(path, run(small()))
    with pytest.raises(UsageError, match=r"a checkpoint of another network: 2 dense6 .*, not 2-3-2"):
        checkpoint.load(path, begin("2-3-2", "moons(60)", Recipe()))
    other = Dataset("moons", "points", small().parts.train.x + 1, small().parts.train.y)
    with pytest.raises(UsageError, match="made with other data"):
        checkpoint.load(path, begin(SMALL, other, Recipe(batch=16), optimizer="adam", lr=0.02, seed=3))
    np.savez(path, W1=np.ones(3))
    with pytest.raises(InputError, match="not a checkpoint of this program"):
        checkpoint.load(path, small())
    np.savez(path, W1=np.ones(3), about=np.ones(3))
    with pytest.raises(InputError, match="not a checkpoint of this program"):
        checkpoint.load(path, small())
    checkpoint.save(path, small())
    content = Path(path).read_bytes()
    for cut in (0, 10, len(content) // 2, len(content) - 5):
        Path(path).write_bytes(content[:cut])
        with pytest.raises(InputError, match=r"not a valid \.npz file"):
            checkpoint.load(path, small())


def test_a_checkpoint_is_never_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The earlier file is not touched: the new one takes its place when it is safely on the disk."""
    path = tmp_path / "run.npz"
    checkpoint.save(str(path), small())
    before, number, seen = path.read_bytes(), path.stat().st_ino, []
    monkeypatch.setattr(os, "fsync", lambda file: seen.append(path.read_bytes()))
    checkpoint.save(str(path), run(small()))
    assert seen == [before]
    assert path.stat().st_ino != number
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_checkpoint_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.npz"
    training = small()
    checkpoint.save(str(path), training)
    before = path.read_bytes()
    run(training)

    def full(file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError, match=r"run\.npz: cannot be written: No space left on device"):
        checkpoint.save(str(path), training)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are not there on Windows")
def test_a_disk_that_is_really_full_is_one_message(tmp_path: Path) -> None:
    command = 'ulimit -f 12; exec "$@"'
    arguments = ["train", "64 dense32 relu dense10 softmax", "--data", "digits", "--checkpoint", "run.npz"]
    found = subprocess.run(
        ["bash", "-c", command, "bash", sys.executable, "-m", "backprop_cli", *arguments],
        capture_output=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
    )
    assert found.returncode == 2
    assert b"run.npz: cannot be written: File too large" in found.stderr
    assert not found.stderr.count(b"Traceback")
    assert list(tmp_path.iterdir()) == [tmp_path / "run.npz"]  # the one before the first step, which was smaller
    with np.load(tmp_path / "run.npz") as content:
        assert json.loads(content["about"].tobytes())["history"] == []


def test_a_network_too_large_to_be_read_again_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backprop_cli.files.LIMIT", 100)
    with pytest.raises(UsageError, match="more than the 0 MiB that could be read again"):
        checkpoint.save(str(tmp_path / "run.npz"), small())


def wait_for(path: Path, running: subprocess.Popen[bytes]) -> None:
    while not path.exists():
        assert running.poll() is None
        time.sleep(0.01)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL on Windows")
def test_a_training_that_is_killed_goes_on_as_if_nothing_had_been(tmp_path: Path) -> None:
    arguments = [sys.executable, "-m", "backprop_cli", "train", SMALL, "--data", "moons(2000)", "--epochs", "40"]
    arguments += ["--schedule", "cosine", "--optimizer", "adam", "--lr", "0.01", "-q"]
    settings = {"env": {**os.environ, "PYTHONPATH": str(ROOT)}, "cwd": tmp_path}
    subprocess.run([*arguments, "--save", "whole.npz"], check=True, timeout=60, stdout=subprocess.DEVNULL, **settings)  # type: ignore[call-overload]
    resume: list[str] = []
    for pause in (0.4, 1.1):
        kept = [*arguments, "--checkpoint", "run.npz", *resume]
        running = subprocess.Popen(kept, stdout=subprocess.DEVNULL, **settings)  # type: ignore[call-overload]
        wait_for(tmp_path / "run.npz", running)
        time.sleep(pause)
        running.send_signal(signal.SIGKILL)
        running.wait()
        resume = ["--resume"]
    end = [*arguments, "--checkpoint", "run.npz", "--resume", "--save", "parts.npz"]
    subprocess.run(end, check=True, timeout=60, stdout=subprocess.DEVNULL, **settings)  # type: ignore[call-overload]
    with np.load(tmp_path / "whole.npz") as whole, np.load(tmp_path / "parts.npz") as parts:
        assert set(whole) == set(parts)
        for name in whole:
            np.testing.assert_array_equal(whole[name], parts[name])


# --- parameters ------------------------------------------------------------------------------------------------------


def test_saved_parameters_are_those_of_the_step(tmp_path: Path) -> None:
    training = run(begin("xor", "xor", Recipe(20)))
    for ending in (".npz", ".safetensors"):
        path = str(tmp_path / f"weights{ending}")
        Keep(save=path).finish(training, str)
        stepped = bp.step("xor", params=path, dtype="float32")
        assert stepped["L"] == pytest.approx(training.judge(training.parts.train).loss, rel=1e-6)
        for name, value in training.values.items():
            if name in stepped.problem.params:
                np.testing.assert_array_equal(stepped[name], value)


NETS = {
    "4 dense3 relu dense2 softmax": {"0.weight": (3, 4), "0.bias": (3,), "2.weight": (2, 3), "2.bias": (2,)},
    "1x6x6 conv2(3) relu pool(2) flatten dense2 softmax": {
        "0.weight": (2, 1, 3, 3), "0.bias": (2,), "4.weight": (2, 8), "4.bias": (2,)
    },
    "3 embedding5x4 attention(heads=2) dense5 softmax": {
        "0.weight": (5, 4), "1.in_proj_weight": (12, 4), "1.in_proj_bias": (12,), "1.out_proj.weight": (4, 4),
        "1.out_proj.bias": (4,), "2.weight": (5, 4), "2.bias": (5,),
    },
    "3 embedding5x4 gru4 dense5 softmax": {
        "0.weight": (5, 4), "1.weight_ih_l0": (12, 4), "1.weight_hh_l0": (12, 4), "1.bias_ih_l0": (12,),
        "1.bias_hh_l0": (12,), "2.weight": (5, 4), "2.bias": (5,),
    },
    "4 dense3 batchnorm relu residual(dense3) dense2 softmax": {
        "0.weight": (3, 4), "0.bias": (3,), "1.weight": (3,), "1.bias": (3,), "1.running_mean": (3,),
        "1.running_var": (3,), "3.0.weight": (3, 3), "3.0.bias": (3,), "4.weight": (2, 3), "4.bias": (2,),
    },
}  # fmt: skip


@pytest.mark.parametrize("net", NETS)
def test_safetensors_carry_pytorch_s_names_and_come_back(tmp_path: Path, net: str) -> None:
    problem = load(net, init="xavier", dtype="float32")
    data = Dataset("d", "points", np.zeros((2, *problem.network.input)), np.zeros((2, *problem.network.output[:-1])))
    training = begin(net, data, Recipe(), seed=2)
    path = str(tmp_path / "net.safetensors")
    Keep(save=path).finish(training, str)
    tensors = load_file(path)
    assert {name: tensor.shape for name, tensor in tensors.items()} == NETS[net]
    shuffled = {name: tensors[name] for name in sorted(tensors, reverse=True)}
    save_file(shuffled, path)
    read = load(net, params=path, dtype="float32")
    for name, value in training.problem.params.items():
        np.testing.assert_array_equal(read.params[name], value, err_msg=name)


# --- what goes wrong -------------------------------------------------------------------------------------------------


def test_numbers_that_grow_beyond_all_bounds_are_named() -> None:
    with pytest.raises(UsageError, match=r"step 2 \(epoch 1\).*first z2 of layer 2.*smaller learning rate than 1e\+30"):
        train("2 dense3 identity dense1 identity", "moons", lr=1e30, loss="mse", epochs=2)
    with pytest.raises(UsageError, match=r"step \d+ .*first W\d of layer \d, which the update moved too far"):
        train("2 dense16 relu dense16 relu dense2 softmax", "moons", lr=1e5, epochs=2)


def test_numbers_that_overflow_in_the_last_step_are_found_too() -> None:
    data = Dataset("d", "points", np.full((1, 1), 1e30), np.full((1, 1), -1e30))
    with pytest.raises(UsageError, match=r"step 1 .*first W1 of layer 1"):
        train("1 dense1 identity", data, lr=1e30, loss="mae", epochs=1, normalize="none", params={"W1": [[1.0]]})


def test_a_problem_without_samples_asks_for_data() -> None:
    with pytest.raises(UsageError, match=r"brings no samples: add --data mnist\.npz"):
        begin("mnist-mlp")
    assert len(begin("2-1", x=[[1, 2], [3, 4]], y=[[0], [1]], loss="bce").parts.train) == 2


@pytest.mark.parametrize(
    ("net", "said"),
    [
        ("lenet-cifar", "cifar-10-batches-bin"),
        ("small-cnn", "mnist.npz"),
        ("1x8x8 conv2(3) relu flatten dense2 softmax", "digits"),
        ("2x8x8 conv2(3) relu flatten dense2 softmax", "images.npz (or IDX or CIFAR-10 files)"),
        ("2x4x8 flatten dense2 softmax", "images.npz"),
        ("3-2", "table.csv"),
        ("gru-lm", "book.txt"),
    ],
)
def test_the_data_that_are_proposed_are_of_the_kind_that_the_network_takes(net: str, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"add --data {said}")):
        begin(net)


@pytest.mark.parametrize(
    ("keep", "said"),
    [
        ({"save": "w.pt"}, "saved as .npz, or as .safetensors"),
        ({"checkpoint": "run.ckpt"}, "a checkpoint is an .npz file"),
        ({"plot": "curves.png"}, "saved as .svg"),
        ({"resume": True}, "name it: --checkpoint FILE"),
        ({"save": "folder.npz"}, "is a folder"),
        ({"plot": "nowhere/c.svg"}, "there is no folder nowhere"),
        ({"save": "there.npz"}, "add --force to overwrite"),
        ({"plot": "there.svg"}, "add --force to overwrite"),
        ({"save": "there.npz", "checkpoint": "run.npz", "resume": True}, "add --force to overwrite"),
        ({"checkpoint": "there.npz"}, "--resume goes on from it, --force begins anew"),
        ({"save": "w.npz", "checkpoint": "w.npz"}, "w.npz: --save and --checkpoint name one file; give each its own"),
        ({"save": "folder.npz/../w.npz", "checkpoint": "./w.npz"}, "--save and --checkpoint name one file"),
        ({"save": "w.npz", "checkpoint": "link/w.npz"}, "--save and --checkpoint name one file"),
        ({"save": "there.npz", "checkpoint": "there.npz", "resume": True, "force": True}, "name one file"),
        ({"plot": "c.svg", "report": "./c.svg"}, "--plot and --output name one file"),
        ({"save": "w.npz", "report": "w.npz"}, "--save and --output name one file"),
    ],
)
def test_files_that_cannot_be_meant_are_refused_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: dict[str, Any], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("there.npz", "there.svg"):
        (tmp_path / name).write_text("")
    (tmp_path / "folder.npz").mkdir()
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(UsageError, match=said):
        Keep(**keep)
    if said.endswith(("overwrite", "anew")) and "resume" not in keep:
        Keep(**keep, force=True)


# --- what is told ----------------------------------------------------------------------------------------------------


def told(training: Training) -> list[Any]:
    return list(TrainingReport(training).blocks())


def test_the_confusion_matrix_counts_every_sample() -> None:
    training = train("64 dense10 softmax", "digits", epochs=1, optimizer="adam")
    report = TrainingReport(training)
    (matrix,) = (block for block in report.blocks() if isinstance(block, Matrix))
    counts = np.array([list(map(int, row)) for row in matrix.cells])
    assert training.parts.test
    truth, guess = training.parts.test.y, report.result.judged.outputs.argmax(1)
    assert counts.sum() == 180
    assert counts[3, 5] == np.sum((truth == 3) & (guess == 5))
    assert np.trace(counts) / 180 == pytest.approx(report.result.judged.accuracy)
    wrong = counts - np.diag(np.diag(counts))
    assert any(f"{wrong.max()} times" in block.text for block in report.blocks() if isinstance(block, Note))


def test_classes_go_by_their_names(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,kind\n1,cat\n2,dog\n3,dog\n")
    training = train("1 dense2 softmax", str(tmp_path / "t.csv"), epochs=1)
    (matrix,) = (block for block in told(training) if isinstance(block, Matrix))
    assert matrix.rows == ("cat", "dog")


def history(*norms: dict[str, float]) -> list[dict[str, Any]]:
    return [{"gradient_norms": each} for each in norms]


@pytest.mark.parametrize(
    ("norms", "said"),
    [
        ({"W1": 1e-5, "W2": 1e-3, "W3": 0.2}, "Vanishing gradients: in layer 1 they are 20,000 times shorter than in"),
        ({"W1": 5000.0, "W2": 1.0}, "Exploding gradients: in layer 1 they are 5,000 times longer than in layer 2"),
        ({"W1": 0.0, "W2": 0.0, "W3": 0.2}, "No gradient reaches layer 2"),
        ({"W1": 0.2, "W2": 0.1}, "neither vanish nor explode"),
        ({"W1": 0.0, "W2": 0.0}, "All gradients are 0"),
        ({"W1": 0.2, "W2": 0.0}, "Exploding"),
    ],
)
def test_vanishing_and_exploding_gradients_are_named(norms: dict[str, float], said: str) -> None:
    notes = [block.text for block in flow(history(norms, norms), 4) if isinstance(block, Note)]
    assert len(notes) == 1
    assert said in notes[0]


def test_a_layer_s_gradient_is_that_of_all_its_parameters() -> None:
    assert by_layer({"W1": 3.0, "b1": 4.0, "W10": 1.0}) == {1: 5.0, 10: 1.0}


def test_many_sigmoids_in_a_row_are_seen_to_vanish() -> None:
    training = train("2-8-8-8-8-8-8-1", "moons", loss="bce", epochs=2)
    assert any("Vanishing gradients" in block.text for block in told(training) if isinstance(block, Note))


def course(losses: list[float], validation: list[float] | None = None, **recipe: Any) -> list[str]:
    """What is noted about a course of losses."""
    training = small(validation=0.2 if validation else 0.0, **recipe)
    records = [{**record} for record in run(small(epochs=len(losses))).state.history]
    for at, record in enumerate(records):
        record["loss"] = losses[at]
        if validation:
            record |= {"validation_loss": validation[at], "validation_accuracy": 0.5}
    training.state = State(training.state.values, tuple(records), training.state.values if recipe else None)
    return [block.text for block in TrainingReport(training).epochs() if isinstance(block, Note)]


def test_what_the_losses_mean_is_said() -> None:
    assert course([3, 2, 1]) == []
    assert "hardly fell" in course([1, 1.1, 1])[0]
    assert "learns its samples by heart" in course([3, 2, 1], [3, 2, 2.5])[0]
    assert course([3, 2, 1], [3, 2, 2.01]) == []
    kept = "oss was lowest after epoch 2; its parameters are kept."
    assert course([3, 2, 1], [3, 2, 2.5], patience=1) == [f"The validation l{kept}"]
    assert course([1, 0.5, 0.7], patience=1) == [f"The l{kept}"]


@pytest.mark.parametrize(("net", "data", "heading"), [("1-4-1", "sine", False), ("xor", "xor", True)])
def test_a_result_of_one_line_has_no_heading(net: str, data: str, heading: bool) -> None:
    blocks = told(run(begin(net, data, Recipe(2))))
    assert (Heading("RESULT") in blocks) == heading
    assert isinstance(blocks[-1], Outcome)


@pytest.mark.parametrize(("data", "said"), [("blobs(3)", "0 taken for 2, 1 time."), ("blobs(6)", ", 2 times.")])
def test_what_was_confused_once_was_confused_one_time(data: str, said: str) -> None:
    notes = [block.text for block in told(train("2 dense3 softmax", data, epochs=1)) if isinstance(block, Note)]
    assert any(text.startswith("Most often confused: ") and text.endswith(said) for text in notes)


CURVES = Curves("epoch", "loss", (1.0, 2.0, 3.0), (("training", (3.0, 2.0, 1.0)), ("validation", (3.0, 2.5, 2.5))))


@pytest.mark.parametrize("width", [20, 40, 80])
def test_curves_fit_and_show_both_ends(width: int) -> None:
    lines = list(drawn(CURVES, width))
    assert max(map(cells, lines)) <= width
    assert lines[0].startswith("3 │•")
    assert lines[11].startswith("1 │")
    assert "•" in lines[11]
    assert any("◇" in line for line in lines)
    assert list(facts(CURVES))[1] == "loss, training, lowest: 1 at epoch 3"


def test_flat_curves_can_be_drawn() -> None:
    flat = CURVES._replace(lines=(("training", (2.0, 2.0, 2.0)),))
    assert any("•" in line for line in drawn(flat, 40))
    assert "NaN" not in curves_svg([flat])


def test_the_picture_is_well_formed() -> None:
    import xml.etree.ElementTree as tree

    root = tree.fromstring(curves_svg([CURVES, CURVES]))
    lines = [element for element in root.iter() if element.tag.endswith("polyline")]
    assert len(lines) == 4
    assert lines[0].attrib["points"].split()[0] == "80.0,24.0"
    assert lines[0].attrib["points"].split()[-1] == "616.0,236.0"


@pytest.mark.parametrize("width", [40, 80])
def test_the_report_fits(width: int) -> None:
    blocks = told(run(small(epochs=3, validation=0.2, schedule="cosine", clip=1.0)))
    screen = Screen(width, "utf-8", colour=False, plain=False)
    assert max(cells(str(line)) for block in blocks for line in terminal.lines(block, screen)) <= width
    spoken = "".join(line for block in blocks for line in plain.lines(block))
    assert spoken.isascii()
    assert isinstance(blocks[-1], Outcome)


def test_the_document_is_the_history(tmp_path: Path) -> None:
    training = run(small(validation=0.2))
    document = train_document(training, TrainingReport(training))
    text = json.dumps(document, allow_nan=False)
    assert json.loads(text)["history"] == list(training.state.history)
    assert document["schema"] == "backprop.train/1"
    assert document["judged_on"] == "validation"
    assert np.sum(document["confusion"]) == 12
    assert document["settings"]["batch"] == 16


# --- the command -----------------------------------------------------------------------------------------------------


def test_the_command_trains_saves_and_draws(backprop: Run, tmp_path: Path) -> None:
    arguments = ["train", "xor", "--data", "xor", "--epochs", "300"]
    found = backprop(*arguments, "--save", "w.npz", "--plot", "c.svg", "--checkpoint", "run.npz")
    assert found.returncode == 0, found.stderr.decode()
    assert not found.stderr
    text = found.stdout.decode()
    assert all(part in text for part in ("EPOCHS", "CURVES", "GRADIENTS", "RESULT", "100 % of 4 samples right"))
    assert (tmp_path / "c.svg").read_text(encoding="utf-8").startswith("<svg")
    assert backprop("step", "xor", "--params", "w.npz", "--no-check").returncode == 0
    assert backprop(*arguments, "--checkpoint", "run.npz").returncode == 2
    again = backprop(*arguments, "--checkpoint", "run.npz", "--resume", "--json")
    assert len(json.loads(again.stdout)["history"]) == 300


def test_the_command_in_chinese_and_plain(backprop: Run) -> None:
    quick = ["train", "xor", "--data", "xor", "--epochs", "2"]
    assert backprop(*quick, env={"BACKPROP_LANG": "zh"}).returncode == 0
    assert backprop(*quick, "--plain").stdout.isascii()
    assert backprop(*quick, "-q").stdout.decode().count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["xor", "--expr", "f = x"], "--expr"),
        (["xor", "--quantize", "8"], "--quantize"),
        (["xor", "--epochs", "1", "--plot", "c.svg"], "at least 2 epochs"),
        (["xor", "--frozen", "layer1-2"], "all parameters are frozen"),
        (["xor", "--frozen", "layer9"], "no parameters in layer9"),
        (["3-4-2", "--data", "digits"], "a net for them: '64 dense32 relu dense10 softmax'"),
        (["xor", "--data", "none.csv"], "cannot be read"),
        (["xor", "--validation", "1"], "--validation"),
    ],
)
def test_the_command_says_what_is_wrong_in_one_message(backprop: Run, arguments: list[str], said: str) -> None:
    found = backprop("train", *arguments)
    assert found.returncode in (2, 3)
    assert said in found.stderr.decode()
    assert b"bug" not in found.stderr
    assert not found.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is no signal on Windows")
def test_ctrl_c_says_how_to_go_on(tmp_path: Path) -> None:
    arguments = [sys.executable, "-m", "backprop_cli", "train", SMALL, "--data", "moons(5000)", "--epochs", "5000"]
    running = subprocess.Popen(
        [*arguments, "--checkpoint", "run.npz"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    wait_for(tmp_path / "run.npz", running)
    time.sleep(1)
    running.send_signal(signal.SIGINT)
    _, stderr = running.communicate(timeout=30)
    assert running.returncode == 130
    assert b"the same with --resume goes on" in stderr


@pytest.mark.parametrize("name", ["w.npz", "w.safetensors"])
def test_what_batch_normalization_remembers_is_saved_and_read(tmp_path: Path, name: str) -> None:
    net = "3 dense2 batchnorm relu dense2 softmax"
    rng = np.random.default_rng(0)
    training = train(net, x=rng.normal(size=(8, 3)), y=rng.integers(0, 2, 8), epochs=4, batch=4)
    save_weights(str(tmp_path / name), training.problem, training.values, training.parts.scaling)
    again = load(net, params=str(tmp_path / name), dtype="float32")
    kept = ["running_mean2", "running_var2"]
    assert sorted(again.state) == kept
    for ref in kept:
        assert abs(again.state[ref] - (ref == kept[1])).max() > 0.01
        np.testing.assert_array_equal(again.state[ref], training.values[ref])


@pytest.mark.parametrize("name", ["w.npz", "w.safetensors"])
@pytest.mark.parametrize("normalize", ["standard", "unit", "none"])
def test_saved_parameters_take_the_inputs_as_the_data_had_them(tmp_path: Path, name: str, normalize: Any) -> None:
    rng = np.random.default_rng(0)
    data = Dataset("made", "table", rng.normal(50, 20, (30, 3)), rng.integers(0, 2, 30).astype(float))
    training = run(begin("3 dense2 tanh dense1 sigmoid", data, test=0.0, normalize=normalize))
    save_weights(str(tmp_path / name), training.problem, training.values, training.parts.scaling)
    stepped = bp.step("3 dense2 tanh dense1 sigmoid", params=str(tmp_path / name), x=data.x, y=data.y, dtype="float32")
    assert float(stepped["L"]) == pytest.approx(training.judge(training.parts.train).loss, rel=1e-5)
    told = [block.label for block in stepped.blocks() if isinstance(block, Fact)]
    assert ("Inputs" in told) == (normalize != "none")


@pytest.mark.parametrize("name", ["w.npz", "w.safetensors"])
def test_a_scaling_of_other_inputs_is_refused(tmp_path: Path, name: str) -> None:
    problem = load("3-2", dtype="float32")
    save_weights(str(tmp_path / name), problem, problem.params, {"shift": np.zeros(4), "scale": np.ones(4)})
    with pytest.raises(ShapeError, match=r"x_shift has shape \(4,\) and x_scale \(4,\), but an input has \(3,\)"):
        load("3-2", params=str(tmp_path / name), x=[1, 2, 3])
    assert load("3-2", params=str(tmp_path / name)).scaled is False


@pytest.mark.parametrize(
    ("scale", "said"),
    [([1, np.nan, 1], "x_scale[2] is nan; every number must be finite"), (["a", "b", "c"], "expected numbers")],
)
def test_a_scaling_that_is_no_number_is_one_clear_message(tmp_path: Path, scale: Any, said: str) -> None:
    problem = load("3-2")
    np.savez(tmp_path / "w.npz", **problem.params, x_shift=0.0, x_scale=np.array(scale))
    with pytest.raises(UsageError, match="x_scale") as caught:
        load("3-2", params=str(tmp_path / "w.npz"), x=[1, 2, 3])
    assert said in str(caught.value)


def test_training_with_dropout_counts_in_float32() -> None:
    training = train("2 dense8 relu dropout(0.5) dense2 softmax", "moons(40)", epochs=1)
    assert {str(value.dtype) for value in training.values.values()} == {"float32"}


def test_lengths_of_gradients_are_those_of_whole_batches() -> None:
    """Not of the one sample that is left over at the end of an epoch."""
    options = {"epochs": 1, "lr": 1e-9, "test": 0.0}
    (whole,) = train("2 dense16 tanh dense2 softmax", "moons(256)", batch=256, **options).state.history
    (rest,) = train("2 dense16 tanh dense2 softmax", "moons(257)", batch=256, **options).state.history
    assert rest["gradient_norms"]["W1"] == pytest.approx(whole["gradient_norms"]["W1"], rel=0.2)


def test_a_cosine_goes_on_only_to_the_end_it_was_made_for(backprop: Run) -> None:
    start = ["train", "xor", "--schedule", "cosine", "--checkpoint", "c.npz"]
    assert backprop(*start, "--epochs", "2").returncode == 0
    found = backprop(*start, "--epochs", "4", "--resume")
    assert found.returncode == 2
    assert b"made with epochs 2, not 4" in found.stderr


def test_a_text_that_is_not_learnt_at_all_has_its_result_too(here: Run, tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text("the cat sat on the mat. " * 40)
    found = here("train", "4 embedding16x4 gru4 dense16 softmax", "--data", "book.txt", "--lr", "1e5", "--epochs", "2")
    assert (found.returncode, b"bug" in found.stderr) == (0, False)
    assert b"A loss of" in found.stdout


def test_bytes_are_divided_by_255_whatever_is_the_largest() -> None:
    images = np.full((20, 1, 2, 2), 200, np.uint8)
    training = begin("1x2x2 flatten dense2 softmax", Dataset("bytes", "images", images, np.arange(20) % 2), test=0.0)
    assert training.parts.train.x.max() == pytest.approx(200 / 255)


def test_a_training_that_was_thrown_off_is_told_so() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 3)), rng.integers(0, 4, 40)
    training = train("3 dense8 relu dense4 softmax", x=x, y=y, lr=20.0, epochs=3)
    notes = " ".join(block.text for block in TrainingReport(training).blocks() if isinstance(block, Note))
    assert "far above guessing, 1.386" in notes
    assert "hardly fell" not in notes
