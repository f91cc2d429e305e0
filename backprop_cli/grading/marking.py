"""Box by box, in the order of the step: right, carried on from an earlier slip, or wrong.

A box is held against the key first; then against what follows from the numbers in the boxes before it, as somebody
rounds who works by hand; then, if some of those are wrong, against what follows from them all the same. Only what
nothing explains is wrong, and is looked into: which mistake makes this number? What follows from it costs no more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from backprop_cli.grading.boxes import EXACT, Boxes
from backprop_cli.grading.customs import readings
from backprop_cli.grading.diagnosis import Case, Cause, diagnosed, hint
from backprop_cli.grading.hands import Hand
from backprop_cli.grading.key import Key, Place, half_unit
from backprop_cli.grading.submission import Submission
from backprop_cli.language import tr
from backprop_cli.trace import Step, kernel_for

MODEST = 0.05
"""What rounding may add up to, as a share of a number; with more, the digits say too little."""
TWO_DIGITS = 0.1
"""The last digit of a number of two digits counts at most a tenth of it."""


@dataclass
class Marks:
    """What is found of one sheet: its boxes by value, the mistakes that explain the wrong ones, and what to say.

    `expected` is what follows from the student's own numbers, `own` all of these; `early` holds the boxes that are
    explained by rounding to so few digits on the way; `suspected` the codes of mistakes that some look like; `custom`
    is a convention of the student's own.
    """

    key: Key
    boxes: dict[str, Boxes]
    causes: list[Cause] = field(default_factory=list)
    notes: dict[tuple[str, Place], str] = field(default_factory=dict)
    suspected: dict[tuple[str, Place], str] = field(default_factory=dict)
    early: dict[tuple[str, Place], int] = field(default_factory=dict)
    expected: dict[str, Any] = field(default_factory=dict)
    own: Mapping[str, Any] = field(default_factory=dict)
    custom: str = ""

    @property
    def lost(self) -> int:
        """How many boxes cost something: one for each mistake, and each that nothing explains."""
        named = [cause for cause in self.causes if not cause.same_as and not cause.right]
        return len(named) + sum(int(left.sum()) for left in self.unexplained.values())

    @property
    def unexplained(self) -> dict[str, Any]:
        """Of each value, the boxes that are wrong and that no mistake explains."""
        left = {ref: boxes.wrong for ref, boxes in self.boxes.items()}
        for cause in self.causes:
            left[cause.ref] &= ~cause.where
        return {ref: wrong for ref, wrong in left.items() if wrong.any()}


Given = Mapping[str, tuple[Any, Any]]
"""What is typed for each value, and half a unit of the last digit of each number."""


def mark(key: Key, submission: Submission) -> Marks:
    """The marks of a sheet. What is only a different convention counts as such, if the sheet is better for it."""
    shapes = {ref: np.shape(key.trace[ref]) for ref in key.trace.values if ref in submission.cells}
    given: Given = {ref: submission.arrays(ref, shape) for ref, shape in shapes.items()}
    with np.errstate(all="ignore"):
        marks = _marked(key, given)
        if marks.causes:
            wrong: dict[str, set[str]] = {}
            for cause in marks.causes:
                wrong.setdefault(cause.ref, set()).update(cause.codes)
            right = _rights(key, given)
            for custom, read in readings(key, given, wrong):
                if _rights(key, read) <= right:
                    continue
                other = _marked(key, read)
                if len(other.causes) < len(marks.causes) and other.lost < marks.lost:
                    other.custom, marks = custom, other
    return marks


def _marked(key: Key, given: Given) -> Marks:
    """The marks of one reading of a sheet. Where all is as in the key, there is nothing to follow."""
    marks = Marks(key, _by_key(key, given))
    if not all((boxes.right | ~boxes.typed).all() for boxes in marks.boxes.values()):
        _Walk(marks).run()
    return marks


def _rights(key: Key, given: Given) -> int:
    """How many boxes are right by the key alone."""
    return sum(int(boxes.right.sum()) for boxes in _by_key(key, given).values())


def by_key(key: Key, submission: Submission) -> dict[str, Boxes]:
    """The boxes of a sheet, as they are by the key alone."""
    shapes = {ref: np.shape(key.trace[ref]) for ref in key.trace.values if ref in submission.cells}
    with np.errstate(all="ignore"):
        return _by_key(key, {ref: submission.arrays(ref, shape) for ref, shape in shapes.items()})


def _by_key(key: Key, given: Given) -> dict[str, Boxes]:
    """All boxes at once, laid in a row, against the key's numbers."""
    if not given:
        return {}
    value, half = (np.concatenate([pair[part].ravel() for pair in given.values()]) for part in (0, 1))
    sheet = Boxes.of(value, half, key.digits)
    sheet.settle(sheet.right, key.in_a_row(tuple(given)))
    return sheet.parts({ref: pair[0].shape for ref, pair in given.items()})


class _Walk:
    """One way through the tape, with all hands."""

    def __init__(self, marks: Marks) -> None:
        self.marks, self.key = marks, marks.key
        self.own, self.exact = Hand(self.key.trace), Hand(self.key.trace)
        self.clean = self.own  # until something is wrong
        marks.own = self.own
        self.halves: dict[str, Any] = {}
        self.idle: set[str] = set()

    def run(self) -> None:
        for ref in self.marks.boxes.keys() - self.key.steps.keys():
            self._go_on(ref)
        for step in self.key.trace.steps:
            self.own.follow(step)
            self.exact.follow(step)
            if self.clean is not self.own:
                self.clean.follow(step)
            idle = not self.idle.isdisjoint(step.operands.values())
            if step.ref in self.marks.boxes:
                self._judge(step, idle)
                self._go_on(step.ref, idle)
            elif idle:
                self.idle.add(step.ref)

    def _judge(self, step: Step, idle: bool) -> None:
        """Settle the boxes of one value. What follows from numbers that say nothing is worth nothing."""
        ref, boxes = step.ref, self.marks.boxes[step.ref]
        self.marks.expected[ref] = np.asarray(self.own[ref], float)
        if (boxes.right | ~boxes.typed).all():
            self._right_after_all(ref, boxes)
            return
        if ref in self.clean:
            boxes.settle(boxes.right, self.clean[ref])
        if ref in self.exact and not idle:
            boxes.settle(boxes.carried, self.exact[ref])
        if ref in self.own and self.own is not self.clean and not idle:
            boxes.settle(boxes.carried, self.own[ref])
        if boxes.wrong.any() and not idle:
            self._with_slack(step, boxes)
        if boxes.short.any():
            self._settle_short(ref, boxes)
        self._right_after_all(ref, boxes)
        if boxes.wrong.any() and not idle:
            self._look_into(ref, boxes)

    def _right_after_all(self, ref: str, boxes: Boxes) -> None:
        """Whoever makes mistakes and has a number right that would be wrong by them, goes on with the right one."""
        if ref in self.exact:
            self.exact.put(ref, boxes.right & ~boxes.near(self.exact[ref]), self.key.values[ref])

    def _with_slack(self, step: Step, boxes: Boxes) -> None:
        """What somebody may get who wrote rounded numbers into the boxes before, and went on with better ones."""
        slack = self._slack(step)
        for hand, found in ((self.clean, boxes.right), (self.own, boxes.carried)):
            wanted = np.asarray(hand[step.ref], float)
            near = abs(boxes.value - wanted) <= boxes.room + np.minimum(slack, MODEST * abs(wanted))
            found |= boxes.wrong & near

    def _rounded_early(self, step: Step, boxes: Boxes, left: Any) -> None:
        """What comes of rounding the numbers of this very step to fewer digits than are asked for: no mistake."""
        for digits in range(self.key.digits - 1, 1, -1):
            for hand, found in ((self.clean, boxes.right), (self.own, boxes.carried)):
                values = {
                    name: _rounded(hand[source], digits) if source in self.key.steps else hand[source]
                    for name, source in step.operands.items()
                }
                near = boxes.wrong & left & boxes.near(kernel_for(step, self.key.steps).run(values))
                self._forgive(step.ref, found, near, digits)

    def _perhaps_rounded(self, step: Step, boxes: Boxes, left: Any) -> None:
        """What no mistake explains may be as far off as such rounding can make it."""
        for digits in range(self.key.digits - 1, 1, -1):
            for hand, found in ((self.clean, boxes.right), (self.own, boxes.carried)):
                wanted = np.asarray(hand[step.ref], float)
                sources = (ref for ref in step.operands.values() if ref in self.key.steps)
                slack = hand.slack(step, {ref: half_unit(np.asarray(hand[ref], float), digits) for ref in sources})
                near = abs(boxes.value - wanted) <= boxes.room + np.minimum(slack, MODEST * abs(wanted))
                self._forgive(step.ref, found, boxes.wrong & left & near, digits)

    def _forgive(self, ref: str, found: Any, where: Any, digits: int) -> None:
        """Count as right, or as carried, what is explained by rounding to so few digits; and say so."""
        found |= where
        for place in map(tuple, np.argwhere(where)):
            self.marks.early[ref, place] = digits
            self.marks.notes[ref, place] = tr(
                "Explained by rounding to {few} digits on the way; keep {digits}.", few=digits, digits=self.key.digits
            )

    def _settle_short(self, ref: str, boxes: Boxes) -> None:
        """Fewer digits than are asked for are enough, if they are two and no mistake comes to the same."""
        for place in map(tuple, np.argwhere(boxes.short)):
            two = 2 * boxes.half[place] <= TWO_DIGITS * abs(boxes.value[place])
            if two and not self._ambiguous(ref, boxes, place):
                boxes.right[place], boxes.short[place] = True, False
                self.marks.notes[ref, place] = tr("Fewer digits than are asked for, but enough to tell.")
            else:
                self.marks.notes[ref, place] = tr(
                    "Right as far as it goes, but that is too few digits to judge; give {digits}.",
                    digits=self.key.digits,
                )

    def _ambiguous(self, ref: str, boxes: Boxes, place: Place) -> bool:
        """Whether a mistake comes to the same number, as far as the digits go."""
        right = self.key.values[ref][place]
        made = (value[place] for slip, value in self.key.slips.made(ref, Hand(self.key.trace)) if not slip.right)
        apart = (value for value in made if abs(value - right) > half_unit(right, self.key.digits) * EXACT)
        return any(abs(value - boxes.value[place]) <= boxes.room[place] for value in apart)

    def _look_into(self, ref: str, boxes: Boxes) -> None:
        """Find out what made the wrong numbers of a value, and what they would be with all digits."""
        self._part()
        hands = (self.own, self.exact, self.clean)
        case = Case(self.key, ref, boxes, boxes.wrong, hands, self.marks.boxes)
        left = boxes.wrong
        for cause in diagnosed(case):
            if not cause.codes:
                self._hint(case, cause.where)
            self._first_of_its_kind(cause)
            self.marks.causes.append(cause)
            self.exact.put(ref, cause.where, cause.value)
            for hand, value in zip((self.own, self.exact), cause.first.deeper, strict=True):
                if value is not None and len(cause.codes) == 1:
                    hand.amend(cause.first.source, value, ref, self.marks.boxes)
            left &= ~cause.where
        if not left.any():
            return
        self._rounded_early(self.key.steps[ref], boxes, left)
        self._perhaps_rounded(self.key.steps[ref], boxes, left)
        left &= boxes.wrong
        self._hint(case, left)
        self.exact.put(ref, left, boxes.value)

    def _hint(self, case: Case, where: Any) -> None:
        """Say what can be said of wrong numbers that have no name."""
        for place in map(tuple, np.argwhere(where)):
            self.marks.suspected[case.ref, place], self.marks.notes[case.ref, place] = hint(case, place)

    def _first_of_its_kind(self, cause: Cause) -> None:
        """A rule that is wrong in several places is one mistake, and costs once."""
        for other in self.marks.causes:
            alike = set(cause.codes) & set(other.codes)
            if cause.first.systematic and other.first.systematic and alike and not cause.right:
                cause.same_as = cause.same_as or other.ref

    def _go_on(self, ref: str, idle: bool = False) -> None:
        """What is in the boxes is what one goes on with; who makes no mistakes, only with what is right."""
        boxes = self.marks.boxes[ref]
        doubtful = boxes.typed & ~boxes.right
        if doubtful.any():
            self._part()
            explained = sum((cause.where for cause in self.marks.causes if cause.ref == ref), np.zeros_like(doubtful))
            left = doubtful & ~boxes.carried & ~explained.astype(bool)
            several = left.sum() > 1 or (left.any() and boxes.typed.sum() == 1)
            if (idle and left.any()) or (several and _says_nothing(boxes.value[left], self.key.values[ref][left])):
                self.idle.add(ref)
        if self.clean is not self.own:
            self.clean.put(ref, boxes.right, boxes.value)
        self.own.put(ref, boxes.typed, boxes.value)

    def _part(self) -> None:
        """From here on, what is in the boxes is no longer all right."""
        if self.clean is self.own:
            self.clean = self.own.copy()

    def _slack(self, step: Step) -> Any:
        """How far off a value may be because the boxes before are rounded."""
        return self.own.slack(step, {ref: self._half(ref) for ref in step.operands.values()})

    def _half(self, ref: str) -> Any:
        """How far off a number may be that one goes on with: half a unit where it is typed."""
        if ref not in self.halves:
            step, boxes = self.key.steps.get(ref), self.marks.boxes.get(ref)
            if boxes and (boxes.typed.all() or step is None):
                self.halves[ref] = boxes.half
            else:
                slack = self._slack(step) if step else None
                self.halves[ref] = np.where(boxes.typed, boxes.half, slack) if boxes else slack
        return self.halves[ref]


def _rounded(value: Any, digits: int) -> Any:
    """Numbers rounded to so many significant digits."""
    unit = 2 * half_unit(np.asarray(value, float), digits)
    return np.round(value / unit) * unit


def _says_nothing(value: Any, key: Any) -> bool:
    """Whether numbers are just zeros, or all the same, where the key's are not."""
    if np.size(value) < 2:
        return bool(np.all(value == 0) and np.any(key))
    return bool(np.ptp(value) == 0 and np.ptp(key) > 0)


def boxes_of(key: Key, submission: Submission) -> Iterator[tuple[str, Place]]:
    """Every box of a sheet in order: those that are asked for, and those that were filled besides."""
    for ref in key.trace.values:
        asked = key.asked.get(ref)
        filled = submission.cells.get(ref, {})
        if asked is not None or filled:
            for place in np.ndindex(*np.shape(key.trace[ref])):
                if place in filled or (asked is not None and asked[place]):
                    yield ref, place
