"""A training told: epoch by epoch, as curves, what its gradients were like, and what the network makes of the data."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, log
from typing import Any

import numpy as np

from backprop_cli.checkpoint import settings
from backprop_cli.language import enumerated, plural, tr
from backprop_cli.notation import number
from backprop_cli.render.blocks import Block, Curves, Fact, Gauge, Heading, Note, labelled
from backprop_cli.render.flow import flow
from backprop_cli.render.history import evenly
from backprop_cli.render.result import Result, confusion, percent
from backprop_cli.training import Training

MOST = 12
"""The most epochs that get a line; of more, so many are picked evenly."""
WORSE = 3
"""A loss so many times that of guessing was not met on the way down."""


class TrainingReport:
    """What there is to say of a training that is over."""

    def __init__(self, training: Training, digits: int = 4) -> None:
        self.training, self.digits = training, digits
        self.history = training.state.history
        self.result = Result(training, digits)

    def blocks(self) -> Iterator[Block]:
        """The whole report."""
        yield from self.opening()
        yield Heading(tr("EPOCHS"))
        yield from self.epochs()
        if len(self.history) > 1:
            yield Heading(tr("CURVES"))
            yield from self.curves()
        yield Heading(tr("GRADIENTS (MEAN LENGTH IN THE LAST EPOCH; BARS ARE LOGARITHMIC)"))
        yield from flow(self.history, self.digits)
        *told, last = self.result.blocks()
        if told:
            yield Heading(tr("RESULT"))
        yield from (*told, last)

    def opening(self) -> Iterator[Block]:
        """What was trained, on what, and how."""
        training, parts = self.training, self.training.parts
        count = sum(int(np.size(value)) for value in training.problem.params.values())
        told = {"title": training.title, "parameters": plural(count, "parameter")}
        yield Fact(tr("Problem"), tr("{title}; {parameters}", **told))
        yield Fact(tr("Data"), labelled(parts.name, enumerated(self._data())))
        yield Fact(tr("Training"), enumerated(self._recipe()))

    def _recipe(self) -> Iterator[str]:
        training, recipe = self.training, self.training.recipe
        yield tr("{epochs} of {steps}", epochs=plural(recipe.epochs, "epoch"), steps=plural(training.steps, "step"))
        yield tr("batches of {count}", count=min(recipe.batch, len(training.parts.train)))
        if recipe.schedule:
            yield tr("learning rate times {schedule}", schedule=recipe.schedule)
        if recipe.clip is not None:
            yield tr("gradients no longer than {clip:g}", clip=recipe.clip)
        if recipe.patience is not None:
            yield tr("stops after {epochs} without a lower loss", epochs=plural(recipe.patience, "epoch"))
        if recipe.augment:
            yield tr("images changed by {words}", words=recipe.augment)
        if training.problem.frozen:
            yield tr("frozen: {names}", names=", ".join(training.problem.frozen))

    def _data(self) -> Iterator[str]:
        parts = self.training.parts
        yield tr("{samples} to train on", samples=plural(len(parts.train), "sample"))
        if parts.validation:
            yield tr("{count:,} for validation", count=len(parts.validation))
        if parts.test:
            yield tr("{count:,} for the test", count=len(parts.test))
        known, found = self.training.problem.network.vocabulary, len(parts.names)
        if known and found > known:
            yield tr("the {rare} rarest of {found} characters share a token", rare=found - known + 1, found=found)
        if parts.normalized == "unit":
            yield tr("inputs divided by {scale:g}", scale=parts.scaling["scale"])
        if parts.normalized == "standard":
            yield tr("inputs brought to mean 0 and deviation 1")

    def epochs(self) -> Iterator[Block]:
        """A line for each epoch, or for some of them."""
        count = len(self.history)
        highest = max(record["loss"] for record in self.history)
        for at in evenly(count, MOST):
            record = self.history[at]
            label = tr("epoch {number}", number=f"{record['epoch']:>{len(str(count))}}")
            share = record["loss"] / highest if highest > 0 else 0.0
            yield Gauge(label, self._loss(record["loss"]), share, self._more(record))
        yield from self._course()

    def _more(self, record: dict[str, Any]) -> str:
        """What there is besides the loss: the share of right guesses, and the validation part."""
        found = []
        if "accuracy" in record:
            right = percent(record["accuracy"])
            found.append(right if "validation_loss" in record else tr("{percent} right", percent=right))
        if "validation_loss" in record:
            found.append(tr("validation {loss}", loss=number(record["validation_loss"], self.digits).text))
        if "validation_accuracy" in record:
            found.append(percent(record["validation_accuracy"]))
        return enumerated(found) if found else ""

    def _course(self) -> Iterator[Block]:
        """What the losses say: stopped early, learnt by heart, not learnt at all."""
        count = len(self.history)
        first, last = self.history[0], self.history[-1]
        yield from self._best()
        network = self.training.problem.network
        guess = log(network.outputs) if network.loss.name == "ce" else inf
        if last["loss"] > WORSE * guess:
            told = {"loss": number(last["loss"], 4).text, "guess": number(guess, 4).text}
            yield Note(
                tr("A loss of {loss} is far above guessing, {guess}: steps were too large. Try a smaller --lr.", **told)
            )
        elif count > 1 and last["loss"] > 0.99 * first["loss"]:
            yield Note(tr("The loss hardly fell. Try another learning rate (--lr), or more epochs (--epochs)."))

    def _best(self) -> Iterator[Block]:
        """What is to be said of the epoch after which the loss was lowest, if it is not the last."""
        state, best = self.training.state, self.training.state.best_epoch
        watched = "validation_loss" in self.history[-1]
        if best == len(self.history):
            return
        if state.best is not None and watched:
            yield Note(tr("The validation loss was lowest after epoch {best}; its parameters are kept.", best=best))
        elif state.best is not None:
            yield Note(tr("The loss was lowest after epoch {best}; its parameters are kept.", best=best))
        elif watched and self._by_heart(best):
            yield Note(
                tr(
                    "The validation loss was lowest after epoch {best} and rose since, while the training loss fell: "
                    "the network learns its samples by heart (overfitting). --early-stop 5 keeps the best.",
                    best=best,
                )
            )

    def _by_heart(self, best: int) -> bool:
        lowest, last = self.history[best - 1], self.history[-1]
        return bool(last["validation_loss"] > 1.05 * lowest["validation_loss"] and last["loss"] < lowest["loss"])

    def curves(self) -> list[Curves]:
        """The losses, the shares of right guesses, and the learning rate if it changes, over the epochs."""
        xs = tuple(float(record["epoch"]) for record in self.history)
        found = []
        for key, name, factor in (("loss", tr("loss"), 1), ("accuracy", tr("% right"), 100)):
            keys = {tr("training"): key, tr("validation"): f"validation_{key}"}
            lines = tuple(
                (what, tuple(factor * record[name] for record in self.history))
                for what, name in keys.items()
                if name in self.history[0]
            )
            if lines:
                found.append(Curves(tr("epoch"), name, xs, lines))
        if self.training.recipe.schedule:
            rates = tuple(record["lr"] for record in self.history)
            found.append(Curves(tr("epoch"), tr("learning rate"), xs, ((tr("at the end of the epoch"), rates),)))
        return found

    def _loss(self, value: float) -> str:
        return tr("loss {loss}", loss=number(value, self.digits).text)


def train_document(training: Training, report: TrainingReport) -> dict[str, Any]:
    """A training as one JSON document."""
    result = report.result
    counts = confusion(training, result.part, result.judged)
    history = training.state.history
    return {
        "schema": "backprop.train/1",
        "settings": {**settings(training), "epochs": training.recipe.epochs},
        "data": training.parts.name,
        "history": list(history),
        "stopped_early": len(history) < training.recipe.epochs,
        "best_epoch": training.state.best_epoch,
        "seconds_per_step": training.seconds_per_step,
        "judged_on": result.name,
        "loss": result.judged.loss,
        "accuracy": result.judged.accuracy,
        "confusion": None if counts is None else counts.tolist(),
    }
