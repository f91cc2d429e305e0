"""Predict before you look: first the sign, then the size, then the digits, and a score that names the weak spot."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator

import numpy as np

from backprop_cli.errors import UsageError
from backprop_cli.language import later, plural, tr
from backprop_cli.notation import Notation, number
from backprop_cli.render.blocks import Block, Fact, Note, Worked
from backprop_cli.signs import sign_argument, sign_of
from backprop_cli.trace import Step
from backprop_cli.typed import read_number
from backprop_cli.worked import with_numbers

STAGES = ("sign", "size", "digits")
PROMPTS = (later("{name}: +, − or 0? "), later("{name}: how large? a power of ten: "), later("{name} = ? "))
NEAR = 0.75
"""A prediction of the size may be off by three quarters of a power of ten."""
CLOSE = 0.01
"""A prediction of the digits may be off by one part in a hundred: it is done by hand."""
FAR = 100
"""What is off by more than this many times the number is not told in percent."""

POSITIVE = ("+", "plus", "positive", "pos", "正", "正数")
NEGATIVE = ("-", "−", "minus", "negative", "neg", "负", "负数")
NOTHING = ("0", "zero", "零")


class Question:
    """What is asked about one number: the largest entry of a step's result. `stage` counts what has been answered."""

    def __init__(self, notation: Notation, step: Step) -> None:
        value = np.asarray(notation.trace[step.ref], float)
        self.notation = notation
        self.step = step
        self.place = tuple(map(int, np.unravel_index(int(abs(value).argmax()), value.shape))) if value.shape else ()
        self.truth = float(value[self.place])
        self.stage = 0

    @property
    def done(self) -> bool:
        """Whether everything about this number has been asked; of a 0, only the sign is."""
        return self.stage >= (1 if self.truth == 0 else len(STAGES))

    @property
    def prompt(self) -> str:
        """What is asked now."""
        name = self.notation.entry(self.step.ref, self.place)
        return tr(PROMPTS[self.stage], name=name)

    def arithmetic(self, digits: int) -> Worked:
        """The number's formula with the numbers put in, the result still hidden."""
        middle = with_numbers(self.notation, self.step, self.place, digits)
        return Worked(self.notation.entry(self.step.ref, self.place), middle, "?")

    def judge(self, typed: str) -> tuple[bool, str]:
        """Whether an answer is right, and what is to be said of it. Raises UsageError if it cannot be read."""
        return (self._sign, self._size, self._digits)[self.stage](typed)

    def _sign(self, typed: str) -> tuple[bool, str]:
        return read_sign(typed) == sign_of(self.truth), sign_argument(self.notation, self.step, self.place)

    def _size(self, typed: str) -> tuple[bool, str]:
        given, size = abs(read_number(typed)), math.log10(abs(self.truth))
        powers = range(math.ceil(size - NEAR), math.floor(size + NEAR) + 1)
        good = given > 0 and abs(math.log10(given) - size) <= NEAR
        told = {"about": _rounded(abs(self.truth), 1), "given": number(given).text}
        near = tr(" or ").join(number(float(f"1e{power}")).text for power in powers)
        return good, tr("it is about {about}, so {near} would do; you said {given}", near=near, **told)

    def _digits(self, typed: str) -> tuple[bool, str]:
        given = read_number(typed)
        off = abs(given - self.truth) / abs(self.truth)
        error = tr("off by {percent} %", percent=_rounded(100 * off, 2)) if off < FAR else tr("far off")
        if off < 1e-5:
            error = tr("exact")
        told = {"given": number(given).text, "truth": number(self.truth).text, "error": error}
        return off <= CLOSE, tr("you said {given}, it is {truth} ({error})", **told)


def read_sign(typed: str) -> str:
    """`+`, `−` or `0`, given as a sign, a word or a number. Raises UsageError if it is none."""
    signs = {**dict.fromkeys(POSITIVE, "+"), **dict.fromkeys(NEGATIVE, "−"), **dict.fromkeys(NOTHING, "0")}
    return signs.get(unicodedata.normalize("NFKC", typed).strip().lower()) or sign_of(read_number(typed))


class Prediction:
    """The score over all questions, by the kind of number and the stage."""

    def __init__(self) -> None:
        self.score: dict[tuple[str, str], list[bool]] = {}

    def answer(self, question: Question, typed: str) -> Iterator[Block]:
        """Judge an answer and go on to the next stage. A text that cannot be read is told so and asked again."""
        try:
            good, verdict = question.judge(typed.strip())
        except UsageError as error:
            yield Note(tr("{error} (or just Enter to see it)", error=error))
            return
        self.score.setdefault((_kind(question), STAGES[question.stage]), []).append(good)
        question.stage += 1
        yield Note(tr("Right: {verdict}.", verdict=verdict) if good else tr("No: {verdict}.", verdict=verdict))

    def summary(self) -> Iterator[Block]:
        """The score by kind of step, and where most was lost."""
        every: dict[str, list[bool]] = {}
        for (kind, _), answers in self.score.items():
            every.setdefault(kind, []).extend(answers)
        for kind in every:
            stages = ((stage, self.score[kind, stage]) for stage in STAGES if (kind, stage) in self.score)
            parts = (
                tr("{stage} {right} of {count}", stage=tr(stage), right=sum(answers), count=len(answers))
                for stage, answers in stages
            )
            yield Fact(tr(kind), tr(", ").join(parts))
        lost = {kind: answers.count(False) for kind, answers in every.items()}
        worst = max(every, key=lambda kind: (lost[kind] / len(every[kind]), lost[kind]), default="")
        if worst and lost[worst]:
            told = {"kind": tr(worst), "wrong": lost[worst], "answers": plural(len(every[worst]), "answer")}
            yield Note(tr("The weak spot is {kind}: {wrong} of {answers} went wrong there.", **told))
        elif every:
            yield Note(tr("Everything right."))


def _rounded(value: float, digits: int) -> str:
    """A number rounded to so many digits, and written out: 200 rather than 2e2."""
    return number(float(f"{value:.{digits}g}")).text


def _kind(question: Question) -> str:
    """What kind of number is asked for, for the score."""
    step, target = question.step, question.step.kernel.target
    if "E" not in question.notation.trace:
        return later("gradients") if step.phase == "backward" else later("values v")
    if step.phase == "update":
        return later("updates")
    if step.phase == "backward":
        letter = target.removeprefix("d")
        return {"z": "δ", "a": "∂L/∂a", "W": "∂L/∂W", "b": "∂L/∂b"}.get(letter, later("other gradients"))
    kinds = {"z": later("weighted sums z"), "a": later("activations a"), **dict.fromkeys("ELJ", later("the loss"))}
    return kinds.get(target, target)
