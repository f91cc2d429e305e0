"""What is found of one sheet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from backprop_cli.grading.boxes import Boxes
from backprop_cli.grading.diagnosis import Cause
from backprop_cli.grading.key import Key, Place
from backprop_cli.grading.submission import Submission


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


def boxes_of(key: Key, submission: Submission) -> Iterator[tuple[str, Place]]:
    """Every box of a sheet in order: those that are asked for, and those that were filled besides."""
    for ref in key.trace.values:
        asked = key.asked.get(ref)
        filled = submission.cells.get(ref, {})
        if asked is not None or filled:
            for place in np.ndindex(*np.shape(key.trace[ref])):
                if place in filled or (asked is not None and asked[place]):
                    yield ref, place
