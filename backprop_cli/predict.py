"""Predict before you look: first the sign, then the size, then the digits, and a score that names the weak spot."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from backprop_cli.errors import UsageError, plural
from backprop_cli.notation import Notation, number
from backprop_cli.render.blocks import Block, Fact, Note, Worked
from backprop_cli.signs import sign_argument, sign_of
from backprop_cli.trace import Step
from backprop_cli.typed import read_number
from backprop_cli.worked import with_numbers

STAGES = ("sign", "size", "digits")
CLOSE = 0.01
"""A prediction of the digits may be off by one part in a hundred: it is done by hand."""

POSITIVE = ("+", "plus", "positive", "pos", "正")
NEGATIVE = ("-", "−", "minus", "negative", "neg", "负")
NOTHING = ("0", "zero", "零")


class Prediction:
    """The questions about one number, and the score over all numbers so far."""

    def __init__(self) -> None:
        self.score: dict[tuple[str, str], list[bool]] = {}
        self.stage = 0
        self.step: Step | None = None
        self.place: tuple[int, ...] = ()
        self.notation: Notation | None = None

    def ask_about(self, notation: Notation, step: Step) -> None:
        """Begin with a new number: the largest entry of the step's result."""
        value = np.asarray(notation.trace[step.ref], float)
        self.notation, self.step, self.stage = notation, step, 0
        self.place = tuple(map(int, np.unravel_index(int(abs(value).argmax()), value.shape))) if value.shape else ()

    def arithmetic(self, digits: int) -> Worked:
        """The number's formula with the numbers put in, the result still hidden."""
        assert self.notation
        assert self.step
        middle = with_numbers(self.notation, self.step, self.place, digits)
        return Worked(self.notation.entry(self.step.ref, self.place), middle, "?")

    @property
    def truth(self) -> float:
        assert self.notation
        assert self.step
        return float(np.asarray(self.notation.trace[self.step.ref])[self.place])

    @property
    def question(self) -> str:
        """What is asked now."""
        assert self.notation
        assert self.step
        name = self.notation.entry(self.step.ref, self.place)
        return {
            "sign": f"{name}: +, − or 0? ",
            "size": f"{name}: about how large? a power of ten, such as 0.1 or 1 ",
            "digits": f"{name} = ? ",
        }[STAGES[self.stage]]

    def answer(self, typed: str) -> Iterator[Block]:
        """Judge an answer and go on to the next stage. A text that cannot be read is told so and asked again."""
        try:
            good, verdict = getattr(self, f"_{STAGES[self.stage]}")(typed.strip())
        except UsageError as error:
            yield Note(f"{error} (or just Enter to see it)")
            return
        assert self.step
        self.score.setdefault((_kind(self.step), STAGES[self.stage]), []).append(good)
        yield Note(f"{'Right' if good else 'No'}: {verdict}.")
        nothing = self.truth == 0
        self.stage = len(STAGES) if nothing or self.stage + 1 == len(STAGES) else self.stage + 1

    @property
    def done(self) -> bool:
        """Whether everything about this number has been asked."""
        return self.stage >= len(STAGES)

    def _sign(self, typed: str) -> tuple[bool, str]:
        assert self.notation
        assert self.step
        signs = {**dict.fromkeys(POSITIVE, "+"), **dict.fromkeys(NEGATIVE, "−"), **dict.fromkeys(NOTHING, "0")}
        given = signs.get(typed.lower()) or sign_of(read_number(typed))
        return given == sign_of(self.truth), sign_argument(self.notation, self.step, self.place)

    def _size(self, typed: str) -> tuple[bool, str]:
        given = abs(read_number(typed))
        power = 10.0 ** round(math.log10(abs(self.truth)))
        good = given > 0 and abs(math.log10(given / abs(self.truth))) <= 0.75
        return good, f"it is about {number(power).text}; you said {number(given).text}"

    def _digits(self, typed: str) -> tuple[bool, str]:
        given = read_number(typed)
        off = abs(given - self.truth) / abs(self.truth)
        size = "exact" if off < 1e-5 else f"off by {number(100 * off, 2).text} %"
        return off <= CLOSE, f"you said {number(given).text}, it is {number(self.truth).text} ({size})"

    def summary(self) -> Iterator[Block]:
        """The score by kind of step, and where most was lost."""
        kinds = list(dict.fromkeys(kind for kind, _ in self.score))
        lost = dict.fromkeys(kinds, 0)
        for kind in kinds:
            parts = []
            for stage in STAGES:
                if answers := self.score.get((kind, stage)):
                    parts.append(f"{stage} {sum(answers)} of {len(answers)}")
                    lost[kind] += answers.count(False)
            yield Fact(kind, ", ".join(parts))
        asked = {
            kind: sum(len(answers) for (other, _), answers in self.score.items() if other == kind) for kind in kinds
        }
        worst = max(kinds, key=lambda kind: (lost[kind] / asked[kind], lost[kind]), default="")
        if worst and lost[worst]:
            yield Note(f"The weak spot is {worst}: {lost[worst]} of {plural(asked[worst], 'answer')} went wrong there.")
        elif kinds:
            yield Note("Everything right.")


def _kind(step: Step) -> str:
    """What kind of number a step makes, for the score."""
    target = step.kernel.target
    kinds = {"z": "weighted sums z", "a": "activations a", "E": "the loss", "L": "the loss", "J": "the loss"}
    if step.phase == "update":
        return "updates"
    if step.phase == "backward":
        letter = target.removeprefix("d")
        return {"z": "δ", "a": "∂L/∂a", "W": "∂L/∂W", "b": "∂L/∂b"}.get(letter, "other gradients")
    return kinds.get(target, target)
