"""What a trained network makes of data: how often it is right, what it takes for what, what it writes."""

from __future__ import annotations

from collections.abc import Iterator
from math import exp
from typing import Any

import numpy as np

from backprop_cli.fitting import Part
from backprop_cli.language import later, plural, tr
from backprop_cli.notation import number
from backprop_cli.render.blocks import Block, Fact, Heading, Matrix, Note, Outcome
from backprop_cli.training import Judged, Training, guesses
from backprop_cli.writing import write

CLASSES = 20
"""The most classes of which there is a table."""
LONGEST = 700.0
"""The exponential of a larger loss is too large for a float."""
WRITTEN = 160
"""So many characters are written by a network that has read a text."""
FEW = 8
"""Of so few samples, each is shown with what the network makes of it."""
PARTS = {"test": later("test"), "validation": later("validation"), "training": later("training")}


class Result:
    """What a network makes of the part of its data on which it is judged."""

    def __init__(self, training: Training, digits: int = 4) -> None:
        self.training, self.digits = training, digits
        self.name, self.part = training.parts.judged
        self.judged = training.judge(self.part)

    def blocks(self) -> Iterator[Block]:
        """The samples if they are few, the classes, the text; and the last word."""
        if len(self.part) <= FEW and self.training.problem.network.outputs <= FEW:
            yield from self._samples()
        confused = confusion(self.training, self.part, self.judged)
        if confused is not None:
            yield from self._confusion(confused)
        yield from self._language()
        yield Outcome(True, self.summary())

    def summary(self) -> str:
        """The last word: on which part, how good, in what time."""
        judged, training = self.judged, self.training
        told = {
            "part": tr(PARTS[self.name]),
            "samples": self._asked(),
            "loss": number(judged.loss, self.digits).text,
            "steps": plural(training.state.step, "step"),
            "time": duration(training.seconds_per_step),
        }
        if judged.accuracy is None:
            return tr("{part}: loss {loss} over {samples}; {steps}, {time} each", **told)
        return tr(
            "{part}: {percent} of {samples} right, loss {loss}; {steps}, {time} each",
            percent=percent(judged.accuracy),
            **told,
        )

    def _asked(self) -> str:
        """How many answers were asked of the network, and what each is for."""
        count = guesses(self.part) if self.training.guess else len(self.part)
        if count == len(self.part):
            return plural(count, "sample")
        return plural(count, "token") if self.training.problem.network.vocabulary else plural(count, "output")

    def _samples(self) -> Iterator[Block]:
        xs, ys = self.part.at(np.arange(len(self.part)))
        for place, (x, y, a) in enumerate(zip(xs, ys, self.judged.outputs, strict=True), 1):
            shown = f"x = {self._row(x)}" if np.size(x) <= FEW else tr("sample {number}", number=place)
            yield Fact(shown, tr("gives {output}, wanted {target}", output=self._row(a), target=self._row(y)))

    def _row(self, values: Any) -> str:
        return ", ".join(number(value, self.digits).text for value in np.ravel(values))

    def _confusion(self, counts: Any) -> Iterator[Block]:
        names = class_names(self.training, len(counts))
        if len(counts) <= CLASSES:
            yield Heading(tr("Rows: what it is; columns: what it was taken for"), 2)
            cells = tuple(tuple(map(str, row)) for row in counts)
            entries = tuple(tuple(tr("{truth} taken for {guess}", truth=p, guess=q) for q in names) for p in names)
            yield Matrix("", names, names, cells, entries)
        wrong = counts - np.diag(np.diag(counts))
        if wrong.any() and len(counts) > 2:
            truth, guess = np.unravel_index(wrong.argmax(), wrong.shape)
            told = tr("{truth} taken for {guess}", truth=names[truth], guess=names[guess])
            times = plural(int(wrong.max()), "time")
            yield Note(tr("Most often confused: {told}, {times}.", told=told, times=times))

    def _language(self) -> Iterator[Block]:
        """For a text: what the loss means, and what guessing by frequency alone would give."""
        training = self.training
        if not training.problem.network.vocabulary or self.part.spelled is None:
            return
        counts = np.bincount(np.ravel(training.parts.train.y), minlength=len(self.part.spelled)) + 1
        alone = -float(np.log(counts / counts.sum())[self.part.y].mean())
        yield Note(
            tr(
                "A loss of {loss:.3f} is like choosing between {choices:.1f} equally likely tokens; going by how often "
                "each occurs would give {alone:.3f}, like {more:.1f}.",
                loss=self.judged.loss,
                choices=exp(min(self.judged.loss, LONGEST)),
                alone=alone,
                more=exp(alone),
            )
        )
        if training.parts.names:
            rng = np.random.default_rng(training.problem.seed)
            yield Fact(tr("It writes"), write(training, WRITTEN, rng))


def confusion(training: Training, part: Part, judged: Judged) -> Any:
    """How often each class (row) was taken for each (column); None where there are no classes, or places of a text."""
    if training.guess is None or np.size(part.y) != len(part):
        return None
    truth, guess = (np.ravel(each).astype(int) for each in (training.truth(part), training.guess(judged.outputs)))
    classes = len(part.spelled) if part.spelled is not None else 2
    return np.bincount(classes * truth + guess, minlength=classes**2).reshape(classes, classes)


def class_names(training: Training, count: int) -> tuple[str, ...]:
    """What the classes are called: by their names, or else by their numbers."""
    names = training.parts.names
    return names if len(names) == count else tuple(map(str, range(count)))


def percent(share: float) -> str:
    """0.9333 as 93.3 %."""
    return f"{100 * share:.1f} %".replace(".0 %", " %")


def duration(seconds: float) -> str:
    """A time in milliseconds, or from one second on in seconds."""
    if seconds >= 1:
        return tr("{number:.3g} s", number=seconds)
    return tr("{number:.3g} ms", number=1000 * seconds)
