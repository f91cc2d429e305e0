"""What mistakes would make of a value whose numbers are wrong.

Those of the catalogue, on the student's own numbers or on the right ones; and accidents: a factor, an order, a digit,
another box.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from backprop_cli.grading.boxes import NOISE, Boxes
from backprop_cli.grading.hands import Hand
from backprop_cli.grading.key import Key
from backprop_cli.language import later
from backprop_cli.rewrites import Slip

FARTHEST = 20
"""So many values before a number are looked at, the nearest first, where nothing was typed for them."""
NEARBY = 0.05
"""Candidates that are off by more, as a share, need not be computed with all digits."""
ZERO = 0.01
"""How often somebody writes 0 by chance."""
SHARED = ("sign", "factor_2", "mean_over_outputs", "no_mean", "mean_twice")
"""Factors that may be the same number; then no number can tell them apart."""
TOO_LARGE = 8.0
"""A step so many times too large, or too small, is a matter of the decimal point."""

FACTORS: dict[str, str] = {
    "sign": later("The size is right, the sign is not."),
    "factor_2": later("A factor of 2 or ½ is too many or missing; look at the ½ of the loss."),
    "no_mean": later("The mean over the samples is missing: it is n times too large."),
    "mean_twice": later("It was divided by the number of samples once more."),
    "mean_over_outputs": later("Sum and mean over the outputs are mixed up."),
    "decimal_slip": later("The digits are right; the decimal point is not where it belongs."),
}
ORDERED = later("The numbers are right, but not where they stand.")
SWAPPED = later("Two digits are exchanged.")
ELSEWHERE = later("That is the number of another box.")
SCALED = later("The step is many times too large or too small: count the places of lr times the gradient.")


class Candidate(NamedTuple):
    """What a mistake would make of a value: as somebody gets it who rounds, and with all digits.

    A systematic one is a wrong rule, which somebody follows wherever it applies; others are accidents. One that was
    made further back, at `source`, has there the values `deeper`.
    """

    code: str
    text: str
    value: Any
    exact: Any
    rank: int
    systematic: bool = False
    right: bool = False
    source: str = ""
    deeper: tuple[Any, Any] = (None, None)


@dataclass
class Case:
    """Wrong numbers of one value: what was typed, and the hands as they are so far."""

    key: Key
    ref: str
    boxes: Boxes
    wrong: Any
    hands: tuple[Hand, Hand, Hand]
    given: Mapping[str, Boxes]
    candidates: list[Candidate] = field(default_factory=list)
    _like: dict[int, Any] = field(default_factory=dict)

    @property
    def value(self) -> Any:
        """What is typed."""
        return self.boxes.value

    @cached_property
    def right(self) -> tuple[Any, Any]:
        """What it should be by the student's own numbers, as they are rounded and with all digits."""
        own, exact, _ = self.hands
        return np.asarray(own[self.ref], float), np.asarray(exact[self.ref], float)

    def like(self, candidate: Candidate) -> Any:
        """Which boxes hold what a candidate says."""
        if id(candidate) not in self._like:
            like = self._same(candidate.value)
            if candidate.exact is not candidate.value:
                like |= self._same(candidate.exact)
            self._like[id(candidate)] = like
        return self._like[id(candidate)]

    def _same(self, value: Any) -> Any:
        """Which boxes hold a value; 0 is no small number, but none."""
        return self.boxes.near(value) & ((self.value != 0) | (abs(value) <= NOISE))

    def chance(self, candidate: Candidate, where: Any) -> float:
        """How likely it is that one of those tried fits so well by chance."""
        size = np.maximum(abs(self.value), abs(self.right[0]))
        off = np.minimum(abs(self.value - candidate.value), abs(self.value - candidate.exact))
        share = np.minimum(1, 2 * np.maximum(off, self.boxes.half)[where] / size[where])
        share = np.where(self.value[where] == 0, np.minimum(share, ZERO), share)
        return float(min(1.0, max(len(self.candidates), 1) * np.prod(np.nan_to_num(share, nan=1.0))))

    @property
    def step(self) -> Any:
        """What makes the value."""
        return self.key.steps.get(self.ref)


def named(case: Case, left: Any) -> Iterator[Candidate]:
    """The mistakes of the catalogue: at the value itself, and at those before it that nothing was typed for."""
    own, exact, _ = case.hands
    for source in (case.ref, *_hidden(case)):
        yield from _made(case, source, own, exact, left, 0)
        if any(slip.code == "updated_first" for slip in case.key.slips.at(source)):
            yield from _made(case, source, _ahead(case), exact, left, 0)
    yield from _accidents(case, left)


def named_on_right_numbers(case: Case, left: Any) -> Iterator[Candidate]:
    """The same on the right numbers, of somebody who wrote down a wrong one and went on with the right one."""
    own, exact, clean = case.hands
    if not clean.agrees(own):
        for source in (case.ref, *_hidden(case)):
            yield from _made(case, source, clean, exact, left, 2)


def _ahead(case: Case) -> Hand:
    """The student's own hand, if it had updated already what it says it updates to."""
    hand = case.hands[0].copy()
    for ref, boxes in case.given.items():
        if ref.endswith("_new") and boxes.typed.all() and ref not in hand:
            hand[ref] = boxes.value
    return hand


def _made(case: Case, source: str, hand: Hand, exact: Hand, left: Any, rank: int) -> Iterator[Candidate]:
    """What the mistakes at one value come to, by one hand."""

    def reached(slip: Slip, value: Any, by: Hand) -> Any:
        return np.asarray(value if source == case.ref else by.ahead(source, value, case.ref, case.given), float)

    where = left if source == case.ref else None
    for slip, value in case.key.slips.made(source, hand, where):
        found, exactly = reached(slip, value, hand), value
        if not np.isfinite(found[left]).any() or (source != case.ref and np.array_equal(found, hand[case.ref])):
            continue
        better = found
        if (left & (abs(case.value - found) <= case.boxes.room + NEARBY * abs(found))).any():
            exactly = slip.value(exact, where)
            better = reached(slip, exactly, exact)
        back = (source, (value, exactly)) if source != case.ref else ("", (None, None))
        yield Candidate(slip.code, slip.text, found, better, rank, True, slip.right, *back)


def _hidden(case: Case) -> Iterator[str]:
    """The values before this one that nothing was typed for: a mistake there shows only here."""
    todo = list(case.step.operands.values()) if case.step else []
    seen: set[str] = set()
    while todo and len(seen) < FARTHEST:
        ref = todo.pop(0)
        if ref not in seen and ref not in case.given and ref in case.key.steps:
            seen.add(ref)
            yield ref
            todo += case.key.steps[ref].operands.values()


def _of_the_loss(case: Case) -> bool:
    """Whether a value is the loss, or the first of what comes back from it."""
    refs = (case.ref, *_hidden(case))
    return case.ref in ("L", "E") or any("dE" in case.key.steps[ref].operands.values() for ref in refs)


def factors(case: Case, left: Any, rivals: bool = False) -> Iterator[Candidate]:
    """The right number times something that is easily forgotten; those that the catalogue's may be, or the others.

    A sign and a decimal point are lost by accident, in this number and not in that.
    """
    n, k = case.key.samples, case.key.outputs
    factors = [("sign", -1.0), ("factor_2", 2.0), ("factor_2", 0.5)]
    factors += [("no_mean", float(n)), ("mean_twice", 1 / n)] if n > 1 else []
    factors += [("mean_over_outputs", float(k)), ("mean_over_outputs", 1 / k)] if k > 1 and _of_the_loss(case) else []
    factors += [("decimal_slip", 10.0**power) for power in (1, -1, 2, -2, 3, -3, 4, -4)]
    right, better = case.right
    shared = SHARED if _of_the_loss(case) else ("sign",)
    if left.sum() == 1:
        shared = (*shared, "decimal_slip")
    for code, factor in factors:
        if (code in shared) == rivals:
            where = left if code in ("sign", "decimal_slip") else True
            scaled, exactly = (np.where(where, factor * value, value) for value in (right, better))
            rule = code in SHARED and code != "sign"
            yield Candidate(code, FACTORS[code], scaled, exactly, 0 if rivals else 1, systematic=rule)


def orders(case: Case, left: Any) -> Iterator[Candidate]:
    """The right numbers in another order: rows for columns, or any other."""
    right, better = case.right
    if right.ndim == 2 and right.shape[0] == right.shape[1] > 1:
        yield Candidate("index_order", ORDERED, right.T, better.T, 1)
    if left.sum() > 1 and not np.isnan(case.value).any():
        order = np.empty(right.size, int)
        order[np.argsort(case.value, axis=None)] = np.argsort(right, axis=None)
        moved, exactly = (array.ravel()[order].reshape(right.shape) for array in (right, better))
        yield Candidate("index_order", ORDERED, moved, exactly, 2)


def _accidents(case: Case, left: Any) -> Iterator[Candidate]:
    """What happens to one number by itself: its sign, or two digits exchanged; and factors of the loss."""
    yield from factors(case, left, rivals=True)
    if left.sum() == 2:
        yield from (each._replace(rank=0) for each in orders(case, left))
    if left.sum() == 1:
        (place,) = map(tuple, np.argwhere(left))
        for right in case.right:
            swaps = _swaps(case.value[place], case.boxes.half[place])
            if any(abs(other - right[place]) <= case.boxes.room[place] for other in swaps):
                found = np.where(left, case.value, right)
                yield Candidate("digit_swap", SWAPPED, found, found, 0)
                return


def cells(case: Case, left: Any) -> Iterator[Candidate]:
    """The number of another box."""
    right, better = case.right
    for number, other in zip(right.ravel(), better.ravel(), strict=True):
        yield Candidate("wrong_cell", ELSEWHERE, np.where(left, number, right), np.where(left, other, better), 2)
    for ref in dict.fromkeys((*case.given, *case.key.asked)):
        array = case.key.values[ref]
        if ref != case.ref and array.shape == right.shape:
            yield Candidate("wrong_cell", ELSEWHERE, array, array, 3)
    yield from _steps_scaled(case, left, better)


def _swaps(value: float, half: float) -> Iterator[float]:
    """The number with two neighbouring digits exchanged."""
    if half <= 0 or abs(value) / half > 1e15:
        return
    unit = 2 * half
    digits = str(round(abs(value) / unit))
    for place in range(len(digits) - 1):
        if digits[place] != digits[place + 1]:
            other = digits[:place] + digits[place + 1] + digits[place] + digits[place + 2 :]
            yield float(np.copysign(int(other) * unit, value))


def _steps_scaled(case: Case, left: Any, better: Any) -> Iterator[Candidate]:
    """Of an update: the step is in the right direction, and many times too large."""
    if case.step and case.step.phase == "update" and "w" in case.step.operands:
        old = np.asarray(case.hands[0][case.step.operands["w"]], float)
        ratio = ((case.value - old) / (better - old))[left]
        if (ratio > TOO_LARGE).all() or ((ratio > 0) & (ratio < 1 / TOO_LARGE)).all():
            found = np.where(left, case.value, better)
            yield Candidate("decimal_slip", SCALED, found, found, 4, systematic=True)
