"""Help with a question, a little more each time: the author's hints, the formula, the numbers put in, the answer.

And what a wrong number gives away: the mistake that makes it, the factor that it lacks, the entry that it really is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from backprop_cli.course.numbers import Numbers, unit_of
from backprop_cli.course.prose import Ask
from backprop_cli.course.questions import Order, Question, Spot
from backprop_cli.course.variant import Variant
from backprop_cli.language import tr
from backprop_cli.mistakes import mistakes_at
from backprop_cli.notation import Notation
from backprop_cli.render.blocks import Block, Fact, Formula, Note, Worked, labelled
from backprop_cli.render.report import worked_out
from backprop_cli.trace import Step
from backprop_cli.worked import with_numbers

SPOKEN = re.compile(r"[\w.,\[\]+*/() -]{1,40}")
"""An expression short enough to be read by a learner."""
NEAR, FARTHEST = 1e-3, 6e-3
"""Two numbers are taken for the same if they differ by less than such a share; which, the digits typed say."""
EXACTLY = 1e-9
FACTORS = {"2": 2.0, "½": 0.5}


def ladder(question: Question, ask: Ask, variant: Variant) -> list[list[Block]]:
    """All hints, from the least to the answer."""
    rungs: list[list[Block]] = [[Note(variant.filled(hint))] for hint in ask.hints]
    if found := _asked(question, variant):
        notation, step, (place, *_) = found
        rungs.append([Formula(notation.formula(step))])
        middle = _without_the_last(with_numbers(notation, step, place, 6))
        rungs.append([Worked(notation.entry(step.ref, place), middle, "?")])
    return [*rungs, list(solution(question, ask, variant))]


def solution(question: Question, ask: Ask, variant: Variant) -> Iterator[Block]:
    """The answer, with the steps that lead to it."""
    if found := _asked(question, variant):
        notation, step, places = found
        yield Formula(notation.formula(step))
        yield from (worked_out(notation, step, place, 6) for place in places)
    else:
        yield Fact(tr("Answer"), _in_words(question, ask, variant))
        if isinstance(question, Numbers) and not question.address and SPOKEN.fullmatch(str(question.answer)):
            yield Fact(tr("Computed as"), str(question.answer))
    if said := ask.said("right"):
        yield Note(variant.filled(said))


def _in_words(question: Question, ask: Ask, variant: Variant) -> str:
    """An answer by letters with what they stand for; any other as one would type it."""
    model = question.model(variant)
    texts = {fact.label: fact.text for fact in question.shown(variant, ask)}
    if isinstance(question, Order):
        return f"{model} ({' → '.join(texts[letter] for letter in model)})"
    return labelled(model, texts[model]) if model in texts else model


def _asked(question: Question, variant: Variant) -> tuple[Notation, Step, list[tuple[int, ...]]] | None:
    """The step of the tape that makes what is asked for, and which entries of it, if it is a value of the tape."""
    name = question.entry.address if isinstance(question, Spot) else question.address
    if name is None:
        return None
    network, ref, place = variant.where(name)
    notation = variant.notation(network)
    if ref == "L" and notation.trivial("L"):
        ref, place = "E", (0,)
    step = notation.trace.producer(ref)
    rest = np.shape(notation.trace[ref])[len(place) :]
    return (notation, step, [(*place, *more) for more in np.ndindex(*rest)]) if step else None


def _without_the_last(arithmetic: str) -> str:
    """An arithmetic without its last term or factor; one that is in brackets as a whole stays."""
    for sign in (" + ", " − ", "·"):
        before, found, _ = arithmetic.rpartition(sign)
        if found and before.count("(") == before.count(")"):
            return f"{before}{sign}…"
    return arithmetic


def given_away(question: Question, variant: Variant, text: str, typed: Any) -> str:
    """What a wrong number tells of how it came about, as exactly as it was typed; nothing if it tells nothing."""
    found = _asked(question, variant)
    if not found or not isinstance(question, Numbers) or np.shape(typed) != () or not typed:
        return ""
    notation, step, (place, *_) = found
    value, truth = float(typed), float(notation.trace.entry(step.ref, place))
    near = min(FARTHEST, max(NEAR, unit_of(text) / abs(value)))
    return (
        _slip(notation, step.ref, place, value, near)
        or _factor(notation, step, place, truth / value, near)
        or _neighbour(notation, step.ref, place, value, near)
    )


def exact_slip(question: Question, variant: Variant, typed: Any) -> str:
    """The mistake that makes exactly this number; what looks like a rounded answer may be one."""
    found = _asked(question, variant)
    if not found or np.shape(typed) != ():
        return ""
    notation, step, (place, *_) = found
    return _slip(notation, step.ref, place, float(typed), EXACTLY)


def _slip(notation: Notation, ref: str, place: tuple[int, ...], value: float, near: float) -> str:
    """The typical mistake that makes this number."""
    truth = float(notation.trace.entry(ref, place))
    for mistake, wrong in mistakes_at(notation.trace, ref, place):
        if _same(value, wrong, near) and not _same(wrong, truth, near):
            return tr(mistake.text)
    return ""


def _factor(notation: Notation, step: Step, place: tuple[int, ...], ratio: float, near: float) -> str:
    """The factor by which a number is off, if it is one that stands around, as a question."""
    if not ratio:
        return ""
    if _same(ratio, -1, near):
        return tr("The size is right. What about the sign?")
    power = round(math.log10(abs(ratio)))
    if power and _same(ratio, 10.0**power, near):
        return tr("The digits are right. Where does the decimal point belong?")
    formula, sizes = notation.line(step), notation.sizes(step)
    factors = dict(FACTORS)
    for operand, ref in step.operands.items():
        for at in formula.places(operand, formula.index(place), sizes):
            factors[notation.entry(ref, at)] = float(notation.trace.entry(ref, at))
    for name, factor in factors.items():
        if factor and not _same(abs(factor), 1, near):
            if _same(ratio, factor, near):
                return tr("Your number lacks a factor of {name}. Where does it come in?", name=name)
            if _same(ratio, 1 / factor, near):
                return tr("Your number has a factor of {name} too many. Does it belong there?", name=name)
    return ""


def _neighbour(notation: Notation, ref: str, place: tuple[int, ...], value: float, near: float) -> str:
    """The other entry of the same array that it is."""
    array = np.asarray(notation.trace[ref], float)
    for at in np.argwhere(abs(array - value) <= near * abs(array)):
        if tuple(at) != place and array[tuple(at)]:
            name, wanted = notation.entry(ref, tuple(at)), notation.entry(ref, place)
            return tr("That is {name}. What changes for {wanted}?", name=name, wanted=wanted)
    return ""


def _same(one: float, other: float, near: float) -> bool:
    return abs(one - other) <= near * max(abs(one), abs(other))
