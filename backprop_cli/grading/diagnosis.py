"""Which mistake makes the numbers that are wrong; and if several come to the same number, that is said.

Naming the wrong one is worse than silence, so a name must explain more than chance would.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from backprop_cli.grading.candidates import (
    SCALED,
    Candidate,
    Case,
    cells,
    factors,
    named,
    named_on_right_numbers,
    orders,
)
from backprop_cli.grading.key import Place, half_unit
from backprop_cli.language import later, tr
from backprop_cli.refs import spoken

CERTAIN = 0.9
"""A mistake is named if chance would have made the same numbers less than once in ten times."""
MOSTLY = 0.5
"""A wrong rule shows in most of the wrong boxes, not in one among many."""
HALF = 0.5
"""How sure a mistake is of which only the size tells."""
TELLING = 0.1
"""Of a number with fewer than two digits nothing can be guessed."""
NEARLY = 0.02
CLOSE = 0.005
"""So close, as a share, a number may be to that of a mistake to be worth a hint."""
SAME = {"sign": {"missing_minus", "ascent"}, "mean_twice": {"db_mean"}, "digit_swap": {"decimal_slip"}}
"""What is the same mistake by a more telling name."""
CONSTANT = later("All are off by the same factor.")


@dataclass
class Cause:
    """A mistake that shows at `ref`: the candidates it may be, in which boxes it shows, and how sure that is."""

    ref: str
    candidates: tuple[Candidate, ...]
    where: Any
    confidence: float
    same_as: str = ""

    @property
    def first(self) -> Candidate:
        """The one that it is taken for, to go on with."""
        return self.candidates[0]

    @property
    def codes(self) -> tuple[str, ...]:
        """What it may be called."""
        return tuple(candidate.code for candidate in self.candidates if candidate.code)

    @property
    def texts(self) -> tuple[str, ...]:
        """What may be said of it."""
        return tuple(candidate.text for candidate in self.candidates)

    @property
    def value(self) -> Any:
        """What it makes of the numbers, with all digits."""
        return self.first.exact

    @property
    def right(self) -> bool:
        """Whether it is only another right way."""
        return self.first.right

    @property
    def evidence(self) -> int:
        """In how many boxes it shows."""
        return int(self.where.sum())


def diagnosed(case: Case) -> Iterator[Cause]:
    """The mistakes that explain the wrong numbers, the one that explains most first."""
    left = case.wrong.copy()
    others = case.boxes.typed & ~left
    for find in (named, named_on_right_numbers, factors, orders, cells):
        case.candidates += find(case, left)
        if (cause := _best(case, left)) and (cause.where | (others & case.like(cause.first)) == case.boxes.typed).all():
            yield cause
            return
    while left.any() and (cause := _best(case, left)):
        yield cause
        left &= ~cause.where
    if left.any():
        yield from _off_alike(case, left)


def _best(case: Case, left: Any) -> Cause | None:
    """The candidate that explains most of what is left; with others that explain just the same."""
    shown = [(candidate, case.like(candidate) & left) for candidate in case.candidates]
    others = case.boxes.typed & ~case.wrong

    def weight(found: tuple[Candidate, Any]) -> tuple[int, int, int]:
        candidate, where = found
        return int(where.sum()), int((others & case.like(candidate)).sum()), -candidate.rank

    most = MOSTLY * case.wrong.sum()
    shown = [(each, where) for each, where in shown if where.any() and (where.sum() >= most or not each.systematic)]
    if not shown:
        return None
    first, where = max(shown, key=weight)
    best = weight((first, where))
    rivals = {c.code: c for c, w in reversed(shown) if weight((c, w)) == best and (w == where).all()}
    rivals = {code: rival for code, rival in rivals.items() if not SAME.get(code, set()) & rivals.keys()}
    if any(rival.right for rival in rivals.values()):
        rivals = {code: rival for code, rival in rivals.items() if rival.right}
    named = tuple(reversed(rivals.values()))
    sure = 1 - case.chance(first, where)
    if sure < CERTAIN:
        return None
    likely = sure if named[0].text != SCALED else min(sure, HALF)
    return Cause(case.ref, named, where, round(likely / len(named), 3))


class Collision(NamedTuple):
    """Two mistakes, or a mistake and what is right (no code), that come to the same numbers of a value."""

    ref: str
    codes: tuple[str, str]


def collisions(case: Case) -> Iterator[Collision]:
    """What no number of this value tells apart, by the digits that are asked for. All boxes must be marked wrong."""
    right = case.right[0]
    made = [Candidate("", "", right, right, 0), *named(case, case.wrong)]
    halves = [half_unit(each.value, case.key.digits) for each in made]
    for at, one in enumerate(made):
        for other, half in zip(made[at + 1 :], halves[at + 1 :], strict=True):
            unlike = one.code != other.code and not other.right and one.code not in SAME.get(other.code, set())
            if unlike and (abs(one.value - other.value) <= halves[at] + half)[case.wrong].all():
                first, second = sorted((one.code, other.code))
                yield Collision(spoken(case.ref), (first, second))


def hint(case: Case, place: Place) -> tuple[str, str]:
    """What can be said of a wrong number that no mistake explains, without saying what is right; perhaps nothing.

    And the code of a mistake that it may be, if it looks like one.
    """
    value, right = float(case.value[place]), float(case.right[0][place])
    kernel = case.step.kernel.name if case.step else ""
    if case.ref in ("L", "E") and value < 0 <= right:
        return "missing_minus", tr("A loss is never negative here. Is the minus in front missing?")
    if kernel in ("sigmoid", "softmax") and not 0 <= value <= 1:
        return "", tr("What comes out of {kernel} lies between 0 and 1.", kernel=kernel)
    if kernel == "slope" and value > 0.25 and "a[...] * (1 - a[...])" in case.step.formula.text:
        return "", tr("The slope of the sigmoid is at most ¼.")
    if abs(value - right) <= NEARLY * abs(right):
        return "", tr("Nearly right: a slip in the arithmetic, or numbers rounded on the way.")
    told = 2 * case.boxes.half[place] <= TELLING * abs(value)
    for candidate in filter(lambda each: told and each.systematic, case.candidates):
        found = float(candidate.value[place])
        if case.like(candidate)[place]:
            return candidate.code, tr("Perhaps: {text}", text=tr(candidate.text))
        if abs(value - found) <= CLOSE * abs(found):
            return candidate.code, tr("Close to, but not the same as: {text}", text=tr(candidate.text))
    if twin := _twin(case, place):
        return "", tr("What goes in is the same as for {twin}, so this must be the same as well.", twin=twin)
    if value * right < 0:
        return "", tr("The sign is not the one that follows from your own numbers.")
    return "", ""


def _twin(case: Case, place: Place) -> str:
    """Another box of the same value that holds another number, though it is computed from the same numbers."""
    ref = case.step.operands[case.step.kernel.parameters[0]] if case.step else ""
    if not case.step or "[...]" not in case.step.formula.text or ref not in case.given:
        return ""
    before, right = np.asarray(case.hands[0][ref], float), case.right[0]
    for other in np.ndindex(*right.shape):
        same = other != place and before[other] == before[place] and right[other] == right[place]
        if same and case.boxes.typed[other] and case.value[other] != case.value[place]:
            return case.key.address(case.ref, other)
    return ""


def _off_alike(case: Case, left: Any) -> Iterator[Cause]:
    """What nobody has a name for, but is one mistake: all are off by the same factor."""
    right = case.right[0]
    same = all(np.ptp(array[left]) == 0 for array in (case.value, right))
    if left.sum() > 2 or (left.sum() == 2 and same):
        ratio = (case.value / right)[left]
        middle = float(np.median(ratio))
        if middle and np.isfinite(middle) and case.boxes.near(middle * right)[left].all():
            found = np.where(left, case.value, right)
            yield Cause(case.ref, (Candidate("", CONSTANT, found, found, 5),), left.copy(), 0.0)
