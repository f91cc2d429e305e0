"""How fast, as ratios: machines differ and are noisy, so nothing here asserts a time.

Run alone, on a quiet machine, from an installed package whose bytecode is compiled:

    python -m pytest tests/benchmarks -o addopts=-q -s

Each test prints its ratio and the ratio that was promised. PyTorch is compared with where it is installed; set
BACKPROP_TORCH_PYTHON to the Python of an environment that has it.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import backprop_cli as bp
from backprop_cli.numeric import finite_difference

ROUNDS = 9
BARE = [sys.executable, "-c", "pass"]
NUMBERS = [sys.executable, "-c", "import numpy, click, rich.console"]
ALGEBRA = [sys.executable, "-c", "import numpy, sympy, rich.console"]
STEP = [sys.executable, "-m", "backprop_cli", "step", "--net", "3-4-2"]


def whole(command: list[str]) -> float:
    """Seconds from the start of a process to its end."""
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def until(command: list[str], text: bytes) -> float:
    """Seconds from the start of a process to the first line that holds `text`."""
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        next(line for line in process.stdout if text in line)
        seconds = time.perf_counter() - start
        process.stdout.read()
    return seconds


def ratio(benchmark: BenchmarkFixture, ours: Callable[[], float], theirs: Callable[[], float], promised: float) -> None:
    """Time the two in turn, and print the median of the pairwise ratios beside what was promised."""
    pairs = [(ours(), theirs()) for _ in range(ROUNDS)]
    found = statistics.median(one / other for one, other in pairs)
    benchmark.extra_info.update(ratio=round(found, 2), promised=promised)
    print(f"\n{benchmark.name}: {found:.2f} times (promised: at most {promised:g})")
    benchmark.pedantic(ours, rounds=1)


def test_help(benchmark: BenchmarkFixture) -> None:
    ratio(benchmark, lambda: whole([sys.executable, "-m", "backprop_cli", "--help"]), lambda: whole(BARE), 3)


def test_first_number(benchmark: BenchmarkFixture) -> None:
    ratio(benchmark, lambda: until(STEP, "z₁[1] = ".encode()), lambda: whole(NUMBERS), 1.5)


def test_everything(benchmark: BenchmarkFixture) -> None:
    ratio(benchmark, lambda: whole(STEP), lambda: whole(ALGEBRA), 2)


def algebra(net: str) -> float:
    """Seconds that the symbolic check of every gradient takes, imports apart, in a process of its own."""
    script = f"""
import time, backprop_cli as bp
from backprop_cli.symbolic import Sympy
run = bp.step({net!r})
start = time.perf_counter()
witness = Sympy(run.trace)
assert all(witness.check(name).verdict == "agree" for name in run.problem.params)
print(time.perf_counter() - start)
"""
    return float(subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout)


@pytest.mark.parametrize(("net", "promised"), [("8-8-4", 8), ("3-5-5-2", 6)])
def test_symbolic_growth(benchmark: BenchmarkFixture, net: str, promised: float) -> None:
    ratio(benchmark, lambda: algebra(net), lambda: algebra("3-4-2"), promised)


def nudge_all() -> float:
    """Seconds that central differences of all 101,770 weights take."""
    run = bp.step("784-128-10")
    start = time.perf_counter()
    assert all(finite_difference(run.trace, name).verdict == "agree" for name in run.problem.params)
    return time.perf_counter() - start


TORCH = """
import time, torch
from torch.func import functional_call
torch.set_default_dtype(torch.float64)
torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Linear(784, 128), torch.nn.Sigmoid(), torch.nn.Linear(128, 10), torch.nn.Sigmoid())
names, values = zip(*((name, value.detach().requires_grad_()) for name, value in net.named_parameters()))
x, y = torch.rand(1, 784), torch.eye(10)[:1]
def loss(*values):
    return ((functional_call(net, dict(zip(names, values)), (x,)) - y) ** 2).sum() / 2
start = time.perf_counter()
assert torch.autograd.gradcheck(loss, values)
print(time.perf_counter() - start)
"""


def test_finite_differences_against_gradcheck(benchmark: BenchmarkFixture) -> None:
    python = os.environ.get("BACKPROP_TORCH_PYTHON", sys.executable)
    if subprocess.run([python, "-c", "import torch"], capture_output=True).returncode:
        pytest.skip("PyTorch is not installed; name a Python that has it in BACKPROP_TORCH_PYTHON")
    ours = statistics.median(nudge_all() for _ in range(ROUNDS))
    theirs = float(subprocess.run([python, "-c", TORCH], capture_output=True, check=True).stdout)
    benchmark.extra_info.update(ratio=round(theirs / ours, 1), promised=50)
    print(f"\nours {ours:.2f} s, gradcheck {theirs:.1f} s: {theirs / ours:.0f} times faster (promised: at least 50)")
    benchmark.pedantic(nudge_all, rounds=1)
