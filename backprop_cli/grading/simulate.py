"""Students made up to try out a marking scheme: honest ones who round, and ones with a single mistake each.

What they did is known, so it can be seen whether the marks say so: no honest box may be lost, and no mistake may be
called by another's name.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np

from backprop_cli.grading.cells import Cell, read_cell
from backprop_cli.grading.diagnosis import SAME
from backprop_cli.grading.hands import Hand
from backprop_cli.grading.key import PARTS, Key, asked_of
from backprop_cli.grading.marking import mark
from backprop_cli.grading.marks import Marks
from backprop_cli.grading.submission import Submission
from backprop_cli.language import later

Habit = Literal["carry", "exact"]
HABITS: tuple[Habit, ...] = ("carry", "exact")
"""Somebody goes on with the rounded number in the box, or keeps all digits and rounds only what is written."""

Outcome = Literal["named", "ambiguous", "silent", "misnamed", "unseen"]
OUTCOMES: dict[Outcome, str] = {
    "named": later("named"),
    "ambiguous": later("said to be one of several"),
    "silent": later("wrong, without a name"),
    "misnamed": later("called by a wrong name"),
    "unseen": later("makes no other number"),
}


class Error(NamedTuple):
    """A mistake that somebody makes at a value: what comes of it, by what they have so far."""

    code: str
    ref: str
    made: Callable[[Hand], Any]


@dataclass
class Tally:
    """How a marking scheme did: boxes of honest students, and what became of each mistake."""

    boxes: int = 0
    rejected: list[str] = field(default_factory=list)
    outcomes: dict[Outcome, list[str]] = field(default_factory=dict)
    pairs: set[tuple[str, ...]] = field(default_factory=set)
    uncarried: list[str] = field(default_factory=list)

    def count(self, outcome: Outcome) -> int:
        """How many mistakes came out so."""
        return len(self.outcomes.get(outcome, ()))


def refs_of(key: Key) -> Collection[str]:
    """The values a student fills in: what is asked for, or all that there is to ask."""
    return list(key.asked) or asked_of(key.trace, PARTS)


def filled(key: Key, habit: Habit, digits: int, errors: Collection[Error] = ()) -> Submission:
    """The sheet of a student who rounds to so many significant digits, and makes these errors."""
    hand = Hand(key.trace)
    wrong: dict[str, list[Error]] = {}
    for error in errors:
        wrong.setdefault(error.ref, []).append(error)
    refs = frozenset(refs_of(key))
    sheet = Submission("")
    with np.errstate(all="ignore"):
        for step in key.trace.steps:
            hand.follow(step)
            for error in wrong.get(step.ref, ()):
                hand[step.ref] = error.made(hand)
            if step.ref in refs:
                written = cells(hand[step.ref], digits)
                sheet.cells[step.ref] = written
                if habit == "carry":
                    value = np.array(hand[step.ref], float)
                    for place, cell in written.items():
                        value[place] = cell.value
                    hand[step.ref] = value[()]
    return sheet


def cells(value: Any, digits: int) -> dict[tuple[int, ...], Cell]:
    """Numbers as they are written with so many significant digits."""
    array = np.asarray(value, float)
    return {place: read_cell(f"{array[place] + 0.0:#.{digits}g}") for place in np.ndindex(*array.shape)}


def honest(key: Key, digits: int, tally: Tally) -> None:
    """Mark honest students of both habits."""
    for habit in HABITS:
        marks = mark(key, filled(key, habit, digits))
        for ref, boxes in marks.boxes.items():
            tally.boxes += boxes.right.size
            lost = (key.address(ref, tuple(place)) for place in np.argwhere(~boxes.right))
            tally.rejected += [f"{address} ({habit}, {digits})" for address in lost]


def single(key: Key, digits: int, tally: Tally, rng: np.random.Generator, habits: Collection[Habit] = HABITS) -> None:
    """Mark a student for each mistake at each place."""
    for habit in habits:
        for error in errors_of(key, rng):
            judge(key, [error], habit, digits, tally)


def pairs(key: Key, digits: int, tally: Tally, rng: np.random.Generator, count: int) -> None:
    """Mark so many students who make two mistakes each, at random."""
    known = list(errors_of(key, rng))
    for _ in range(count):
        one, two = rng.choice(len(known), 2, replace=False)
        if known[one].ref != known[two].ref:
            judge(key, [known[one], known[two]], HABITS[int(rng.integers(2))], digits, tally)


def judge(key: Key, errors: Collection[Error], habit: Habit, digits: int, tally: Tally) -> None:
    """Mark one sheet whose errors are known, and put down what became of them."""
    marks = mark(key, filled(key, habit, digits, errors))
    told = " and ".join(f"{error.code} at {error.ref} ({habit})" for error in errors)
    outcome = _outcome(marks, errors)
    tally.outcomes.setdefault(outcome, []).append(told + ("" if outcome == "named" else f" → {_said(marks)}"))
    if outcome == "ambiguous":
        tally.pairs |= {cause.codes for cause in marks.causes if len(cause.codes) > 1}
    if len(errors) == 1 and outcome in ("named", "ambiguous") and marks.lost > 1:
        tally.uncarried.append(told + f" → {_said(marks)}, {marks.lost} lost")


def _outcome(marks: Marks, errors: Collection[Error]) -> Outcome:
    made = {error.code for error in errors}
    made |= {code for each in made for code in SAME.get(each, ())}
    named = {code for cause in marks.causes for code in cause.codes[: len(cause.codes) == 1]}
    maybe = {code for cause in marks.causes for code in cause.codes}
    if not marks.causes and not marks.unexplained and not any(boxes.carried.any() for boxes in marks.boxes.values()):
        return "unseen"
    if named - made:
        return "misnamed"
    if maybe - named:
        return "ambiguous" if maybe & made else "misnamed"
    return "named" if named and (len(errors) > 1 or named & made) else "silent"


def _said(marks: Marks) -> str:
    return "; ".join(f"{'|'.join(cause.codes) or '?'} at {cause.ref}" for cause in marks.causes) or "nothing"


def errors_of(key: Key, rng: np.random.Generator) -> Iterator[Error]:
    """Every mistake that can be made on the way to what is asked for: the catalogue's, and accidents."""
    asked = refs_of(key)
    for step in key.trace.steps:
        for slip, _ in key.slips.made(step.ref, Hand(key.trace)):
            if not slip.right:
                yield Error(slip.code, step.ref, slip.value)
        if step.ref in asked:
            yield from _accidents(key, step.ref, rng)


def _accidents(key: Key, ref: str, rng: np.random.Generator) -> Iterator[Error]:
    """A sign, a decimal point, two digits, another box: what happens to a single number, or to all of them."""
    yield Error("sign", ref, lambda hand: -np.asarray(hand[ref]))
    shape = np.shape(key.trace[ref])
    place = tuple(int(rng.integers(size)) for size in shape)

    def one(change: Callable[[float], float]) -> Callable[[Hand], Any]:
        def made(hand: Hand) -> Any:
            value = np.array(hand[ref], float)
            value[place] = change(float(value[place]))
            return value[()]

        return made

    power = float(rng.choice([10.0, 0.1, 100.0]))
    yield Error("decimal_slip", ref, one(lambda number: number * power))
    yield Error("sign", ref, one(lambda number: -number))
    yield Error("digit_swap", ref, one(lambda number: _swapped(number, key.digits)))
    if sum(size > 1 for size in shape) and np.size(key.trace[ref]) > 2:
        flat = rng.permutation(int(np.prod(shape)))
        yield Error("index_order", ref, lambda hand: np.asarray(hand[ref]).ravel()[flat].reshape(shape))
        other = tuple((at + 1) % size for at, size in zip(place, shape, strict=True))
        yield Error("wrong_cell", ref, lambda hand: one(lambda _: float(np.asarray(hand[ref])[other]))(hand))


def _swapped(number: float, digits: int) -> float:
    """The number with its second and third digit exchanged."""
    text = f"{abs(number):.{digits - 1}e}"
    plain, _, power = text.partition("e")
    figures = plain.replace(".", "")
    other = figures[0] + figures[2] + figures[1] + figures[3:] if len(figures) > 2 else figures[::-1]
    return float(np.copysign(float(f"{other[0]}.{other[1:]}e{power}"), number))
