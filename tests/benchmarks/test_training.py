"""How fast a training step is beside PyTorch's, as a table of ratios. See test_speed.py for how to run it.

The same work in float32 on the same machine, both with two threads, a few steps of one and a few of the other in turn.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from backprop_cli.engine import Engine
from backprop_cli.problem import load

ROUNDS = 15
ROUND = 0.15
"""Seconds that a round takes, about."""


class Case(NamedTuple):
    """A network, how many samples it is given, and how many times as fast as PyTorch it ought to be."""

    net: str
    optimizer: str
    samples: int
    goal: float


CASES = {
    "xor": Case("2-2-1", "sgd", 4, 10),
    "3-4-2": Case("3-4-2", "sgd", 1, 10),
    "mnist-mlp": Case("mnist-mlp", "adam", 128, 1.3),
    "lenet-cifar": Case("lenet-cifar", "momentum", 100, 1.0),
    "mnist-cnn": Case("mnist-cnn", "adam", 32, 1.0),
    "gru-lm": Case("gru-lm", "adam", 16, 1.5),
}


class Ours:
    """Training steps of this engine, on numbers that mean nothing."""

    def __init__(self, case: Case) -> None:
        self.problem = load(case.net, optimizer=case.optimizer, dtype="float32", init="he", reduction="mean")
        network, rng = self.problem.network, np.random.default_rng(0)
        shape = (case.samples, *network.input)
        self.x = rng.integers(0, network.vocabulary, shape) if network.vocabulary else rng.random(shape)
        self.x = self.x.astype(np.float32)
        hot = rng.integers(0, network.outputs, (case.samples, *network.output[:-1]))
        self.y = np.eye(network.outputs, dtype=np.float32)[hot]
        self.engine = Engine(self.problem)
        self.values = {**self.problem.params, **self.problem.state}
        self.t = 0

    def __call__(self, count: int) -> float:
        start = time.perf_counter()
        with np.errstate(all="ignore"):
            for _ in range(count):
                self.t += 1
                self.values = self.engine.step(self.values, self.x, self.y, 0.001, self.t).values
        return time.perf_counter() - start


@pytest.fixture(scope="module")
def torch() -> Iterator[subprocess.Popen[str]]:
    python = os.environ.get("BACKPROP_TORCH_PYTHON")
    if not python:
        pytest.skip("BACKPROP_TORCH_PYTHON is not set")
    script = str(Path(__file__).with_name("torch_steps.py"))
    with subprocess.Popen([python, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        assert process.stdin
        process.stdin.close()


@pytest.mark.parametrize("name", CASES)
def test_a_training_step(benchmark: BenchmarkFixture, torch: subprocess.Popen[str], name: str) -> None:
    ours = Ours(CASES[name])

    def theirs(count: int) -> float:
        assert torch.stdin
        assert torch.stdout
        print(name, count, file=torch.stdin, flush=True)
        return float(torch.stdout.readline())

    ours(3), theirs(3)
    count = max(1, round(ROUND / (ours(3) / 3)))
    pairs = [(ours(count) / count, theirs(count) / count) for _ in range(ROUNDS)]
    found = statistics.median(other / one for one, other in pairs)
    mine, other = (statistics.median(times) for times in zip(*pairs, strict=True))
    benchmark.extra_info.update(ratio=round(found, 2), goal=CASES[name].goal)
    print(f"\n{name:12} {mine * 1e3:9.3f} ms, PyTorch {other * 1e3:9.3f} ms: {found:6.2f} (goal {CASES[name].goal:g})")
    benchmark.pedantic(ours, args=(1,), rounds=1)
