"""One way through the tape, box by box in the order of the step, with all hands.

A box is held against what follows from the numbers in the boxes before it, as somebody rounds who works by hand; then,
if some of those are wrong, against what follows from them all the same. Only what nothing explains is wrong, and is
looked into: which mistake makes this number? What follows from it costs no more.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from backprop_cli.grading.boxes import EXACT, Boxes
from backprop_cli.grading.candidates import Case
from backprop_cli.grading.diagnosis import Cause, diagnosed, hint
from backprop_cli.grading.hands import Hand
from backprop_cli.grading.key import Place, half_unit
from backprop_cli.grading.marks import Marks
from backprop_cli.language import tr
from backprop_cli.trace import Step, kernel_for

MODEST = 0.05
"""What rounding may add up to, as a share of a number; with more, the digits say too little."""
TWO_DIGITS = 0.1
"""The last digit of a number of two digits counts at most a tenth of it."""


class Walk:
    """A sheet on its way; what is found is put into its marks."""

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
        if boxes.all_right:
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
            found |= boxes.wrong & _within(boxes, hand[step.ref], slack)

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
                sources = (ref for ref in step.operands.values() if ref in self.key.steps)
                slack = hand.slack(step, {ref: half_unit(np.asarray(hand[ref], float), digits) for ref in sources})
                near = boxes.wrong & left & _within(boxes, hand[step.ref], slack)
                self._forgive(step.ref, found, near, digits)

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


def _within(boxes: Boxes, wanted: Any, slack: Any) -> Any:
    """Where the numbers typed are as near to others as rounding explains, as long as that is not much."""
    return boxes.near(wanted, np.minimum(slack, MODEST * abs(np.asarray(wanted, float))))


def _rounded(value: Any, digits: int) -> Any:
    """Numbers rounded to so many significant digits."""
    unit = 2 * half_unit(np.asarray(value, float), digits)
    return np.round(value / unit) * unit


def _says_nothing(value: Any, key: Any) -> bool:
    """Whether numbers are just zeros, or all the same, where the key's are not."""
    if np.size(value) < 2:
        return bool(np.all(value == 0) and np.any(key))
    return bool(np.ptp(value) == 0 and np.ptp(key) > 0)
