"""A step that is shared out: over shards of the batch, over single samples with noise, or over clients that then meet.

All three are the ordinary step, run on a part of the batch, and one more line that puts the parts together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf, sqrt
from typing import Any, NamedTuple

import numpy as np

from backprop_cli.errors import UsageError
from backprop_cli.language import plural
from backprop_cli.problem import Problem
from backprop_cli.trace import Trace


class Part(NamedTuple):
    """A part of the batch: its samples (from 0, the end left out), and its gradients by parameter."""

    first: int
    end: int
    loss: float
    gradients: Mapping[str, Any]

    @property
    def norm(self) -> float:
        """The length of all its gradients together."""
        return sqrt(sum(float((gradient**2).sum()) for gradient in self.gradients.values()))


def part(problem: Problem, first: int, end: int) -> Part:
    """The gradients of some samples alone."""
    trace = replace(problem, x=problem.x[first:end], y=problem.y[first:end]).run()
    gradients = {name: np.asarray(trace[f"d{name}"], float) for name in problem.params}
    return Part(first, end, float(trace["L"]), gradients)


def cut(problem: Problem, count: int) -> Iterator[tuple[int, int]]:
    """The batch in `count` parts, as equal as can be. Raises UsageError if there are fewer samples than parts."""
    samples = len(problem.x)
    if count > samples:
        raise UsageError("{count} parts, but {samples} to share out", count=count, samples=plural(samples, "sample"))
    if problem.network.reduction == "sum" and problem.network.l2:
        raise UsageError("shared out, the penalty would be added once for each part; use --reduction mean")
    edges = [round(samples * at / count) for at in range(count + 1)]
    return pairwise(edges)


def together(problem: Problem, parts: list[Part], name: str) -> Any:
    """The gradient of the whole batch, from those of its parts: with a mean, each counts as much as it has samples."""
    if problem.network.reduction == "sum":
        return sum(each.gradients[name] for each in parts)
    return sum(each.gradients[name] * (each.end - each.first) for each in parts) / len(problem.x)


@dataclass(frozen=True)
class Shards:
    """Data-parallel training: every worker takes a shard, and the gradients are averaged."""

    problem: Problem
    trace: Trace
    parts: list[Part]

    @staticmethod
    def of(problem: Problem, trace: Trace, count: int) -> Shards:
        """A step shared out over `count` workers."""
        return Shards(problem, trace, [part(problem, *edges) for edges in cut(problem, count)])

    def apart(self, name: str) -> float:
        """The largest difference between what the shards give together and the gradient of the whole batch."""
        return float(abs(together(self.problem, self.parts, name) - self.trace[f"d{name}"]).max())


@dataclass(frozen=True)
class Private:
    """DP-SGD: each sample's gradient is clipped to a length, and noise is added to their sum. (Abadi et al. 2016)"""

    problem: Problem
    parts: list[Part]
    clip: float
    noise: float
    drawn: Mapping[str, Any]

    @staticmethod
    def of(problem: Problem, clip: float, noise: float) -> Private:
        """A private step; the noise, of standard deviation noise · clip, is drawn from the problem's seed."""
        rng = np.random.default_rng(problem.seed)
        drawn = {name: rng.normal(0, noise * clip, np.shape(value)) for name, value in problem.params.items()}
        return Private(problem, [part(problem, at, at + 1) for at in range(len(problem.x))], clip, noise, drawn)

    def factor(self, each: Part) -> float:
        """By what a sample's gradient is shortened."""
        return min(1.0, self.clip / each.norm) if each.norm else 1.0

    def clipped(self, name: str) -> Any:
        """The mean of the clipped gradients."""
        return sum(each.gradients[name] * self.factor(each) for each in self.parts) / len(self.parts)

    def gradient(self, name: str) -> Any:
        """What the update uses: with its share of the noise."""
        return self.clipped(name) + self.drawn[name] / len(self.parts)


def read_privacy(text: str) -> tuple[float, float]:
    """`clip=1,noise=0.5` as two numbers. Raises UsageError."""
    found = dict(part.strip().split("=", 1) for part in text.split(",") if "=" in part)
    try:
        clip, noise = float(found.pop("clip")), float(found.pop("noise", 0))
    except (KeyError, ValueError):
        raise UsageError("--dp {text!r}: write it like clip=1,noise=0.5", text=text) from None
    if found or not (0 < clip < inf and 0 <= noise < inf):
        raise UsageError("--dp {text!r}: write it like clip=1,noise=0.5", text=text)
    return clip, noise


@dataclass(frozen=True)
class Federated:
    """Federated averaging: clients take steps of their own; their parameters are averaged. (McMahan et al. 2017)"""

    problem: Problem
    edges: list[tuple[int, int]]
    results: list[Problem]

    @staticmethod
    def of(problem: Problem, clients: int, local: int) -> Federated:
        """One round of `clients`, each taking `local` steps on its own samples."""
        edges = list(cut(problem, clients))
        return Federated(problem, edges, [_walked(problem, first, end, local) for first, end in edges])

    def average(self, name: str) -> Any:
        """A parameter after the round: each client counts as much as it has samples."""
        weights = [end - first for first, end in self.edges]
        return sum(weight * result.params[name] for weight, result in zip(weights, self.results, strict=True)) / sum(
            weights
        )

    @property
    def after(self) -> Problem:
        """The problem with the averaged parameters."""
        return replace(self.problem, params={name: self.average(name) for name in self.problem.params})


def _walked(problem: Problem, first: int, end: int, steps: int) -> Problem:
    """The problem after some steps on a part of its samples."""
    own = replace(problem, x=problem.x[first:end], y=problem.y[first:end])
    for _ in range(steps):
        own = own.after(own.run())
    return own
