"""PyTorch's training steps, for test_training.py to time: this file runs in an environment that has PyTorch.

A line `name count` on standard input takes that many steps; the answer is how many seconds they took.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import nn

torch.set_num_threads(2)
torch.manual_seed(0)


class Last(nn.Module):
    """What a GRU gives for every token, without its last state."""

    def __init__(self, size: int, hidden: int) -> None:
        super().__init__()
        self.gru = nn.GRU(size, hidden, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.gru(x)[0]


def dense(*sizes: int) -> nn.Module:
    layers = [part for pair in pairwise(sizes) for part in (nn.Linear(*pair), nn.Sigmoid())]
    return nn.Sequential(*layers)


def mnist_cnn() -> nn.Module:
    return nn.Sequential(
        *[nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)],
        *[nn.Conv2d(64, 64, 3), nn.ReLU(), nn.Flatten(), nn.Linear(576, 64), nn.ReLU(), nn.Linear(64, 10)],
    )


def lenet() -> nn.Module:
    return nn.Sequential(
        *[nn.Conv2d(3, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)],
        *[nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)],
    )


def squares(output: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return (output - y).square().sum(1).mean() / 2


def entropy(output: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return nn.functional.cross_entropy(output.flatten(0, -2), y.flatten())


def stepper(model: nn.Module, loss: Callable, optimizer: str, x: torch.Tensor, y: torch.Tensor) -> Callable[[], None]:
    params = model.parameters()
    rule: torch.optim.Optimizer = {
        "sgd": lambda: torch.optim.SGD(params, 0.1),
        "momentum": lambda: torch.optim.SGD(params, 0.001, momentum=0.9),
        "adam": lambda: torch.optim.Adam(params, 0.001),
    }[optimizer]()

    def step() -> None:
        rule.zero_grad(set_to_none=True)
        loss(model(x), y).backward()
        rule.step()

    return step


def classes(count: int, *shape: int) -> torch.Tensor:
    return torch.randint(0, count, shape)


CASES: dict[str, Callable[[], Callable[[], None]]] = {
    "xor": lambda: stepper(dense(2, 2, 1), squares, "sgd", torch.rand(4, 2), torch.rand(4, 1)),
    "3-4-2": lambda: stepper(dense(3, 4, 2), squares, "sgd", torch.rand(1, 3), torch.rand(1, 2)),
    "mnist-mlp": lambda: stepper(
        nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10)),
        entropy, "adam", torch.rand(128, 784), classes(10, 128),
    ),
    "lenet-cifar": lambda: stepper(lenet(), entropy, "momentum", torch.rand(100, 3, 32, 32), classes(10, 100)),
    "mnist-cnn": lambda: stepper(mnist_cnn(), entropy, "adam", torch.rand(32, 1, 28, 28), classes(10, 32)),
    "gru-lm": lambda: stepper(
        nn.Sequential(nn.Embedding(64, 32), Last(32, 64), nn.Linear(64, 64)),
        entropy, "adam", classes(64, 16, 32), classes(64, 16, 32),
    ),
}  # fmt: skip

steps: dict[str, Callable[[], None]] = {}
for line in sys.stdin:
    name, count = line.split()
    step = steps.setdefault(name, None) or CASES[name]()
    steps[name] = step
    start = time.perf_counter()
    for _ in range(int(count)):
        step()
    print(time.perf_counter() - start, flush=True)
