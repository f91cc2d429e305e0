"""Training: step after step over the data, epoch after epoch, until the epochs are over or nothing gets better."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from backprop_cli.augment import read_augmentation
from backprop_cli.data import Parts
from backprop_cli.engine import Engine
from backprop_cli.errors import UsageError
from backprop_cli.fitting import Part
from backprop_cli.problem import Problem
from backprop_cli.schedules import Moment, read_schedule

LOOKS = 8
"""In so many steps of an epoch, evenly apart, the lengths of the gradients are taken, and the mean is told."""

Record = dict[str, Any]
"""One epoch: its number, the steps so far, lr, losses, accuracies, gradient norms, seconds per step."""


class Recipe(NamedTuple):
    """How to train. `patience`: stop when for so many epochs the loss has not been lower; then the best one counts."""

    epochs: int = 10
    batch: int = 32
    schedule: str = ""
    clip: float | None = None
    patience: int | None = None
    augment: str = ""


class State(NamedTuple):
    """How far a training has come; with it, it can go on. `values` are parameters and what the optimizer remembers."""

    values: Mapping[str, Any]
    history: tuple[Record, ...] = ()
    best: Mapping[str, Any] | None = None

    @property
    def step(self) -> int:
        """How many steps were taken."""
        return int(self.history[-1]["steps"]) if self.history else 0

    @property
    def losses(self) -> tuple[float, ...]:
        """The loss after each epoch by which training is steered: on the validation part, if there is one."""
        watched = "validation_loss" if self.history and "validation_loss" in self.history[0] else "loss"
        return tuple(float(record[watched]) for record in self.history)

    @property
    def best_epoch(self) -> int:
        """The epoch, from 1, after which that loss was lowest."""
        return int(np.argmin(self.losses)) + 1


@dataclass(frozen=True, eq=False)
class Judged:
    """What a network gives for a part of the data: the loss, the outputs, and how often they are right."""

    loss: float
    outputs: Any
    accuracy: float | None


class Training:
    """A problem, data that fit it, and a recipe; `state` is how far it has come."""

    def __init__(self, problem: Problem, parts: Parts, recipe: Recipe, state: State | None = None) -> None:
        self.problem, self.parts, self.recipe = problem, parts, recipe
        self.state = state or State({**problem.params, **problem.state})
        self.engine = Engine(problem, recipe.clip)
        self.guess = guesser(problem, parts.train)
        self._rate = read_schedule(recipe.schedule)
        self._augment = read_augmentation(recipe.augment, parts.shape)

    @property
    def steps(self) -> int:
        """How many steps an epoch has."""
        return -(-len(self.parts.train) // self.recipe.batch)

    @property
    def _looks(self) -> set[int]:
        """The steps of an epoch, from 1, at which the gradients are looked at: those of whole batches only."""
        whole = max(1, len(self.parts.train) // self.recipe.batch)
        return set(np.linspace(1, whole, min(LOOKS, whole)).astype(int).tolist())

    @property
    def title(self) -> str:
        """The problem in one line, with a batch of the data."""
        x, y = self.parts.train.at(np.arange(min(self.recipe.batch, len(self.parts.train))))
        return replace(self.problem, x=x, y=y).title

    @property
    def seconds_per_step(self) -> float:
        """The median over the epochs."""
        return float(np.median([record["seconds_per_step"] for record in self.state.history]))

    @property
    def stopped(self) -> bool:
        """Whether the loss has not been lower for so long that going on makes no sense."""
        history, patience = self.state.history, self.recipe.patience
        return bool(history) and patience is not None and len(history) - self.state.best_epoch >= patience

    @property
    def values(self) -> Mapping[str, Any]:
        """The parameters that count in the end: the last, or with early stopping the best."""
        return self.state.best or self.state.values

    def run(self, tell: Callable[[int, float], None] = lambda step, loss: None) -> Iterator[Record]:
        """Train to the end, epoch by epoch; `tell` hears the number and the loss of every step.

        Raises UsageError if a number grows beyond all bounds.
        """
        for size in {min(self.recipe.batch, len(self.parts.train)), len(self.parts.train) % self.recipe.batch} - {0}:
            self.engine.record(*self.parts.train.at(np.arange(size)))
        while len(self.state.history) < self.recipe.epochs and not self.stopped:
            self._epoch(tell)
            yield self.state.history[-1]

    def judge(self, part: Part, values: Mapping[str, Any] | None = None) -> Judged:
        """How good the parameters in `values`, or those that count in the end, are on a part of the data."""
        loss, outputs = self.engine.evaluate(values or self.values, part)
        return Judged(loss, outputs, float(np.mean(self.guess(outputs) == self.truth(part))) if self.guess else None)

    @np.errstate(all="ignore")
    def _epoch(self, tell: Callable[[int, float], None]) -> None:
        """Every sample once, in an order of the epoch's own."""
        before, number = self.state, len(self.state.history) + 1
        rng = np.random.default_rng((self.problem.seed, number))
        values, step, lr, losses = before.values, before.step, 0.0, before.losses
        total, right, begun, looking, norms, looks = 0.0, 0, perf_counter(), 0.0, [], self._looks
        for x, y in self._batches(rng):
            lr = self._lr(step, losses)
            step += 1
            if step - before.step in looks:
                looked = perf_counter()
                norms.append(self.engine.gradient_norms(values, x, y, step))
                looking += perf_counter() - looked
            taken = self.engine.step(values, x, y, lr, step)
            if not isfinite(taken.loss):
                raise self._fault(values, x, y, step, number, lr)
            total += taken.loss * self.engine.weight(len(x))
            right += self._right(taken.output, y)
            values = taken.values
            tell(step, taken.loss)
        seconds = (perf_counter() - begun - looking) / self.steps
        if not all(np.isfinite(values[name]).all() for name in self.problem.params):
            raise self._fault(values, x, y, step, number, lr)
        record: Record = {"epoch": number, "steps": step, "lr": lr, "loss": total / len(self.parts.train)}
        if self.guess:
            record["accuracy"] = right / guesses(self.parts.train)
        record |= {**self._watched(values), "gradient_norms": _mean(norms), "seconds_per_step": seconds}
        after = State(values, (*before.history, record), before.best)
        best = self.recipe.patience is not None and after.best_epoch == number
        self.state = after._replace(best=values) if best else after

    def _batches(self, rng: np.random.Generator) -> Iterator[tuple[Any, Any]]:
        """All samples in random order, a batch at a time; images in a variant of their own."""
        part, batch = self.parts.train, self.recipe.batch
        order = rng.permutation(len(part))
        for start in range(0, len(part), batch):
            x, y = part.at(order[start : start + batch])
            yield self._augment(x, rng) if self._augment else x, y

    def _lr(self, step: int, losses: tuple[float, ...]) -> float:
        """The learning rate of a step, counted from 0."""
        lr = float(self.problem.numbers["lr"])
        at = Moment(step, self.steps * self.recipe.epochs, len(losses), losses)
        return lr * self._rate(at) if self.recipe.schedule else lr

    def _watched(self, values: Mapping[str, Any]) -> Record:
        """Loss and accuracy on the validation part."""
        if self.parts.validation is None:
            return {}
        judged = self.judge(self.parts.validation, values)
        accuracy = {} if judged.accuracy is None else {"validation_accuracy": judged.accuracy}
        return {"validation_loss": judged.loss, **accuracy}

    def _right(self, output: Any, y: Any) -> int:
        """How many guesses of a batch are right."""
        return int(np.count_nonzero(self.guess(output) == self.guess(y))) if self.guess else 0

    def truth(self, part: Part) -> Any:
        """What the guesses on a part of the data should be."""
        assert self.guess
        return part.y if part.spelled is not None else self.guess(part.y)

    def _fault(self, values: Mapping[str, Any], x: Any, y: Any, step: int, epoch: int, lr: float) -> UsageError:
        return UsageError(
            "step {step} (epoch {epoch}): the numbers have grown beyond all bounds, first {fault}. "
            "Try a smaller learning rate than {lr:g}, --clip 1, or inputs nearer 0 (--normalize standard)",
            step=step,
            epoch=epoch,
            fault=self.engine.fault(values, x, y),
            lr=lr,
        )


def _mean(norms: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of several looks at the lengths of the gradients."""
    return {name: float(np.mean([each[name] for each in norms])) for name in norms[0]}


def guesser(problem: Problem, part: Part) -> Callable[[Any], Any] | None:
    """What outputs, or targets, come down to: the number of a class, yes or no; None where they are just numbers."""
    if part.spelled is not None:
        return lambda a: a.argmax(-1)
    last = problem.network.activations[-1:]
    return (lambda a: a > 0.5) if last == ["sigmoid"] and ((part.y == 0) | (part.y == 1)).all() else None


def guesses(part: Part) -> int:
    """How many guesses a part of the data asks for: one a sample, or one a place of a sequence."""
    return int(np.size(part.y))
