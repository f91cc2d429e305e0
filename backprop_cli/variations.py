"""A step that is shared out: over shards of the batch, over single samples with noise, or over clients that then meet.

All three are the ordinary step, run on a part of the batch, and one more line that puts the parts together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass, replace
from itertools import pairwise
from math import sqrt
from typing import Any, NamedTuple

import numpy as np

from backprop_cli.errors import UsageError
from backprop_cli.kernel import Range
from backprop_cli.language import plural
from backprop_cli.problem import Problem, check_finite
from backprop_cli.spec import read_word
from backprop_cli.trace import Trace

PRIVACY = {"clip": 1.0, "noise": 0.0}
RANGES = {"clip": Range(0, open=True), "noise": Range(0)}


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


def moved(trace: Trace, gradients: Mapping[str, Any]) -> Trace:
    """The step's tape with other gradients of the parameters, and what the optimizer's rules make of these.

    What else is renewed at the end of a step, such as batchnorm's running mean, is of the whole batch and left out.
    """
    given = {f"d{name}": np.asarray(value, trace[f"d{name}"].dtype) for name, value in gradients.items()}
    with np.errstate(all="ignore"):
        changed = trace.retrace("", **given)
    other = copy(trace)
    other.values = {**trace.values, **changed}
    other.steps = [step for step in trace.steps if step.phase != "update" or step.ref in changed]
    check_finite(other)
    return other


@dataclass(frozen=True)
class Shards:
    """Data-parallel training: every worker takes a shard, and their gradients are put together."""

    problem: Problem
    trace: Trace
    parts: list[Part]

    @staticmethod
    def of(problem: Problem, trace: Trace, count: int) -> Shards:
        """A step shared out over `count` workers."""
        return Shards(problem, trace, [part(problem, *edges) for edges in cut(problem, count)])

    @property
    def added(self) -> bool:
        """Whether the gradients are plainly added up, because the loss is a sum over the samples."""
        return self.problem.network.reduction == "sum"

    def gradient(self, name: str) -> Any:
        """The gradient of the whole batch, from those of its shards: a mean, in which each counts by its samples."""
        if self.added:
            return sum(each.gradients[name] for each in self.parts)
        return sum(each.gradients[name] * (each.end - each.first) for each in self.parts) / len(self.problem.x)

    def apart(self, name: str) -> float:
        """The largest difference between what the shards give together and the gradient of the whole batch."""
        return float(abs(self.gradient(name) - self.trace[f"d{name}"]).max())

    @property
    def after(self) -> Trace:
        """The tape with the update that the gradient of all shards makes."""
        return moved(self.trace, {name: self.gradient(name) for name in self.problem.params})


@dataclass(frozen=True)
class Private:
    """DP-SGD: each sample's gradient is clipped to a length, and noise is added to their sum. (Abadi et al. 2016)"""

    problem: Problem
    trace: Trace
    parts: list[Part]
    clip: float
    noise: float
    drawn: Mapping[str, Any]

    @staticmethod
    def of(problem: Problem, trace: Trace, clip: float, noise: float) -> Private:
        """A private step; the noise, of standard deviation noise · clip, is drawn from the problem's seed."""
        rng = np.random.default_rng(problem.seed)
        drawn = {name: rng.normal(0, noise * clip, np.shape(value)) for name, value in problem.params.items()}
        parts = [part(problem, *edges) for edges in cut(problem, len(problem.x))]
        return Private(problem, trace, parts, clip, noise, drawn)

    @property
    def divisor(self) -> int:
        """By what the sum over the samples is divided: by their number, or where the loss is a sum by nothing."""
        return 1 if self.problem.network.reduction == "sum" else len(self.parts)

    def factor(self, each: Part) -> float:
        """By what a sample's gradient is shortened."""
        return min(1.0, self.clip / each.norm) if each.norm else 1.0

    def clipped(self, name: str) -> Any:
        """The mean of the clipped gradients, or their sum."""
        return sum(each.gradients[name] * self.factor(each) for each in self.parts) / self.divisor

    def noise_in(self, name: str) -> Any:
        """The noise in that: drawn once for the sum over the samples."""
        return self.drawn[name] / self.divisor

    def gradient(self, name: str) -> Any:
        """What the update uses: with its share of the noise."""
        return self.clipped(name) + self.noise_in(name)

    @property
    def after(self) -> Trace:
        """The tape with the update that the private gradient makes."""
        return moved(self.trace, {name: self.gradient(name) for name in self.problem.params})


def read_privacy(text: str) -> tuple[float, float]:
    """`clip=1,noise=0.5` as two numbers. Raises UsageError."""
    word = read_word(f"dp({text})")._replace(name="--dp")
    found = word.settings(PRIVACY, RANGES)
    if not (word.args or "clip" in word.options):
        raise UsageError(
            "--dp {text!r}: it lacks clip, the longest that a sample's gradient may be; write it like clip=1,noise=0.5",
            text=text,
        )
    return found["clip"], found["noise"]


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
