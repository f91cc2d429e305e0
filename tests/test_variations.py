"""A step that is shared out: over shards, over samples with noise, over clients."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from conftest import Run
from hypothesis import given, settings
from hypothesis import strategies as st

from backprop_cli.errors import UsageError
from backprop_cli.problem import Problem, load
from backprop_cli.variations import Federated, Private, Shards, cut, read_privacy


def batch(samples: int, seed: int = 0, reduction: str = "mean") -> Problem:
    x = np.random.default_rng(seed).uniform(-1, 1, (samples, 3)).tolist()
    return load("3-4-2", x=x, y=np.eye(2)[np.arange(samples) % 2].tolist(), seed=seed, reduction=reduction)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 12), st.data(), st.integers(0, 100), st.sampled_from(["mean", "sum"]))
def test_shards_together_give_the_gradient_of_the_whole_batch(
    samples: int, data: st.DataObject, seed: int, reduction: str
) -> None:
    problem = batch(samples, seed, reduction)
    step = Shards.of(problem, problem.run(), data.draw(st.integers(1, samples)))
    assert all(step.apart(name) < 1e-15 for name in problem.params)


def test_parts_are_as_equal_as_can_be_and_leave_nothing_out() -> None:
    edges = list(cut(batch(10), 4))
    assert [first for first, _ in edges[1:]] == [end for _, end in edges[:-1]]
    assert (edges[0][0], edges[-1][1]) == (0, 10)
    assert {end - first for first, end in edges} == {2, 3}
    with pytest.raises(UsageError, match="4 parts, but 3 samples"):
        list(cut(batch(3), 4))


def test_a_private_step_clips_every_sample_and_adds_noise() -> None:
    problem = batch(5)
    trace = problem.run()
    step = Private.of(problem, trace, clip=0.05, noise=0.0)
    for each in step.parts:
        assert each.norm * step.factor(each) == pytest.approx(min(0.05, each.norm))
    rough, again = (Private.of(problem, trace, clip=0.05, noise=2.0) for _ in range(2))
    for name in problem.params:
        np.testing.assert_array_equal(rough.gradient(name), again.gradient(name))
        np.testing.assert_allclose(rough.gradient(name) - step.gradient(name), rough.drawn[name] / 5)
    large = load("40-40-2")
    drawn = np.concatenate([value.ravel() for value in Private.of(large, large.run(), 0.5, 3.0).drawn.values()])
    assert np.std(drawn) == pytest.approx(1.5, rel=0.05)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_without_clipping_and_noise_a_private_step_is_the_plain_one(reduction: str) -> None:
    problem = batch(5, reduction=reduction)
    trace = problem.run()
    step = Private.of(problem, trace, clip=1e6, noise=0.0)
    for name in problem.params:
        np.testing.assert_allclose(step.gradient(name), trace[f"d{name}"], rtol=1e-12, atol=1e-16)
        np.testing.assert_allclose(step.after[f"{name}_new"], trace[f"{name}_new"], rtol=1e-12)


def test_noise_is_added_to_the_sum_and_divided_only_with_it() -> None:
    for reduction, share in (("mean", 5), ("sum", 1)):
        problem = batch(5, reduction=reduction)
        step = Private.of(problem, problem.run(), clip=1.0, noise=2.0)
        np.testing.assert_array_equal(step.noise_in("W1"), step.drawn["W1"] / share)
        np.testing.assert_allclose(step.gradient("W1"), step.clipped("W1") + step.drawn["W1"] / share)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_the_update_is_the_optimizer_s_by_the_gradient_of_the_parts(optimizer: str) -> None:
    problem = load("2-3-1", optimizer=optimizer, x=[[1, 2], [3, 4], [5, 6]], y=[[0], [1], [1]], frozen=["b2"])
    trace = problem.run()
    shared = Shards.of(problem, trace, 2).after
    private = Private.of(problem, trace, 0.1, 1.0)
    for name in ("W1", "b1", "W2"):
        np.testing.assert_allclose(shared[f"{name}_new"], trace[f"{name}_new"], rtol=1e-9)
        given = {f"d{name}": private.gradient(name)}
        np.testing.assert_array_equal(private.after[f"{name}_new"], trace.replay(f"{name}_new", **given))
        assert not np.allclose(private.after[f"{name}_new"], trace[f"{name}_new"], rtol=1e-6)
    assert "b2_new" not in private.after


def test_what_a_layer_remembers_of_the_whole_batch_is_no_part_of_the_update() -> None:
    problem = load("2 batchnorm dense1 sigmoid", x=[[1, 2], [3, 4], [5, 7], [0, 1]], y=[[0], [1], [1], [0]])
    after = Shards.of(problem, problem.run(), 2).after
    assert "running_mean1_new" in {step.ref for step in problem.run().of_phase("update")}
    assert {step.ref for step in after.of_phase("update")} == {f"{name}_new" for name in problem.params}


def test_an_update_that_overflows_is_one_message() -> None:
    problem = batch(2)
    with pytest.raises(UsageError, match="overflows"):
        _ = Private.of(problem, problem.run(), 1e308, 1e308).after


def test_one_local_step_each_is_one_step_on_all_samples() -> None:
    """With plain gradient descent and equal parts the average of the steps is the step of the average."""
    problem = batch(6)
    round_, plain = Federated.of(problem, 3, 1), problem.after(problem.run())
    for name in problem.params:
        np.testing.assert_allclose(round_.average(name), plain.params[name], rtol=1e-13)
    several = Federated.of(problem, 3, 4)
    assert all(result.step == 5 for result in several.results)
    assert not np.allclose(several.average("W1"), plain.params["W1"])
    assert several.after.params["W1"].shape == problem.params["W1"].shape


def test_what_cannot_be_shared_out_is_refused() -> None:
    with pytest.raises(UsageError, match="once for each part"):
        list(cut(replace(batch(4), network=replace(batch(4, reduction="sum").network, l2=0.1)), 2))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("clip=0", r"--dp\(clip=0\): clip must be above 0"),
        ("clip=-1", "clip must be above 0"),
        ("clip=1,noise=nan", "noise must be at least 0"),
        ("noise=1", "it lacks clip, the longest that a sample's gradient may be; write it like clip=1,noise=0.5"),
        ("foo=1", "unknown option of --dp 'foo'; known: clip, noise"),
        ("clip=1,nose=2", "unknown option of --dp 'nose'; did you mean noise"),
        ("clip=x", "'clip=x' is not a number or name=number"),
        ("clip", "'clip' is not a number or name=number"),
        ("clip=1,clip=2", "clip is given twice"),
    ],
)
def test_what_is_wrong_with_the_privacy_asked_for_is_said(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_privacy(text)


def test_privacy_is_read_as_options_are() -> None:
    assert read_privacy("clip=2") == read_privacy("2") == (2.0, 0.0)
    assert read_privacy("clip=1, noise=0.5") == (1.0, 0.5)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--shards", "2"], "the gradient is the same"),
        (["--dp", "clip=1,noise=0.5"], "private gradient"),
        (["--clients", "2", "--local", "3"], "Only parameters travel"),
    ],
)
def test_the_step_command_tells_each(backprop: Run, options: list[str], says: str) -> None:
    for more in ([], ["--plain"]):
        found = backprop("step", "xor", *options, *more)
        assert (found.returncode, found.stderr) == (0, b"")
        assert says in found.stdout.decode()


BATCH = ("step", "--net", "2-3-1", "--x", "1,2;3,4;5,6", "--y", "0;1;1")


@pytest.mark.parametrize("options", [["--shards", "3"], ["--dp", "clip=1000"]])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_shared_step_ends_with_the_update_of_an_ordinary_one(here: Run, options: list[str], reduction: str) -> None:
    ask = (*BATCH, "--reduction", reduction)
    plain = here(*ask, "--only", "update").stdout.decode().partition("UPDATE")[2].splitlines()[1:]
    shared = here(*ask, *options).stdout.decode()
    assert any("W₁′[1,1] = " in line for line in plain)
    assert set(plain) <= set(shared.splitlines())


def test_with_a_sum_it_is_said_to_be_one(here: Run) -> None:
    def said(*options: str) -> str:
        return " ".join(here(*BATCH, *options).stdout.decode().split())

    assert "Each shard counts as much as it has samples" in said("--shards", "2")
    summed = said("--shards", "2", "--reduction", "sum")
    assert "The loss is a sum, so the gradients are added up" in summed
    assert "Each shard counts" not in summed
    assert "the sum is then divided by 3" in said("--dp", "clip=1,noise=1")
    summed = said("--dp", "clip=1,noise=1", "--reduction", "sum")
    assert "clipped sum" in summed
    assert "divided" not in summed


def test_one_sample_and_one_step_are_spoken_of_as_one(here: Run) -> None:
    def said(options: str) -> str:
        return here(*BATCH, *options.split()).stdout.decode()

    assert "client 1: sample 1, 1 step of its own" in said("--clients 3")
    assert "client 1: samples 1 to 2, 4 steps of its own" in said("--clients 2 --local 4")
    assert "shard 1: sample 1, L = " in said("--shards 3")


def test_the_step_command_refuses_what_does_not_go_together(backprop: Run) -> None:
    for options in (["--shards", "2", "--clients", "2"], ["--shards", "5"]):
        assert backprop("step", "xor", *options).returncode == 2
    assert backprop("step", "--expr", "f=x*y", "--at", "x=1,y=2", "--shards", "1").returncode == 2


@pytest.mark.parametrize(("options", "key"), [("--shards 2", "together"), ("--dp clip=9", "private")])
def test_json_holds_the_parts_and_what_they_come_to(backprop: Run, options: str, key: str) -> None:
    document = json.loads(backprop("step", "xor", *options.split(), "--json").stdout)
    assert document["schema"] == "backprop.shared/1"
    assert [part["samples"] for part in document["parts"]][-1][1] == 4
    for name, gradient in document["gradients"].items():
        np.testing.assert_allclose(document[key][name], gradient, rtol=1e-12, atol=1e-15)
    plain = json.loads(backprop("step", "xor", "--json").stdout)
    for name, value in plain["updated"].items():
        np.testing.assert_allclose(document["updated"][name], value, atol=1e-9)


def test_json_of_a_federated_round(backprop: Run) -> None:
    document = json.loads(backprop("step", "xor", "--clients", "2", "--local", "3", "--json").stdout)
    clients = [np.array(client["params"]["W1"]) for client in document["clients"]]
    np.testing.assert_allclose(document["average"]["W1"], sum(clients) / 2)


def test_what_looks_at_the_whole_batch_is_not_the_same_in_shards(backprop: Run) -> None:
    x, y = "1,2,3,4;2,1,0,3;5,5,1,1;0,0,1,2", "0;1;1;0"
    found = backprop("step", "--net", "4 batchnorm dense2 softmax", "--x", x, "--y", y, "--shards", "2")
    assert "✗ Shared out, the gradient is another" in found.stdout.decode()


def test_clipping_without_noise_promises_no_secrecy(backprop: Run) -> None:
    assert "clipping alone keeps no secret" in " ".join(
        backprop("step", "xor", "--dp", "clip=1").stdout.decode().split()
    )
    noisy = " ".join(backprop("step", "xor", "--dp", "clip=2,noise=0.5").stdout.decode().split())
    assert "standard deviation 0.5 · 2 = 1" in noisy


@pytest.mark.parametrize("options", ["--shards 2 --steps 5", "--dp clip=1 --only loss", "--local 3"])
def test_options_that_would_be_ignored_are_refused(backprop: Run, options: str) -> None:
    assert backprop("step", "xor", *options.split()).returncode == 2
