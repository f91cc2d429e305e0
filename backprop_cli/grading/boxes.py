"""The boxes of a sheet, value by value: what is typed into them, how exact that is, and what is found of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from backprop_cli.grading.key import half_unit

EXACT = 1 + 1e-9
WHOLE = 0.5
"""Half a unit of a whole number. A 0 without a point is no rounded number: it says 0."""
NOISE = 1e-12
"""What the arithmetic of a computer may add, as a share of a number, or of 1."""


@dataclass
class Boxes:
    """Arrays of one shape. `value` is NaN where nothing is typed, `half` is half a unit of the last digit typed.

    A number within `room` of another is the same, as far as its digits go; within `asked`, as far as is asked. Every
    box that is typed ends up as one of right, carried, short (right as far as it goes, but too few digits), or wrong.
    """

    value: Any
    half: Any
    typed: Any
    asked: Any
    room: Any
    right: Any
    carried: Any
    short: Any

    @classmethod
    def of(cls, value: Any, half: Any, digits: int) -> Boxes:
        """Boxes of which nothing is known yet."""
        asked = half_unit(value, digits) * EXACT + np.maximum(abs(value), 1) * NOISE
        right, carried, short = np.zeros((3, *value.shape), bool)
        coarse = np.where((value == 0) & (half >= WHOLE), 0.0, half)
        return cls(value, coarse, ~np.isnan(value), asked, np.maximum(coarse * EXACT, asked), right, carried, short)

    def parts(self, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Boxes]:
        """These boxes, which lie in a row, as those of each value: the same arrays, seen in its shape."""
        found, start = {}, 0
        for ref, shape in shapes.items():
            end = start + prod(shape)
            found[ref] = Boxes(*(array[start:end].reshape(shape) for array in vars(self).values()))
            start = end
        return found

    @property
    def wrong(self) -> Any:
        """What is typed, and none of the others."""
        return np.asarray(self.typed & ~(self.right | self.carried | self.short))

    @property
    def all_right(self) -> bool:
        """Whether nothing that is typed needs looking into."""
        return bool((self.right | ~self.typed).all())

    def near(self, wanted: Any, slack: Any = 0.0) -> Any:
        """Where the number typed is this one, as far as its digits go; `slack` is what may come on top of that."""
        return abs(self.value - wanted) <= self.room + slack

    def enough(self, wanted: Any) -> Any:
        """Where its digits are as many as are asked for, or the number is as exact all the same."""
        return (self.half <= self.asked) | (abs(self.value - wanted) <= self.asked)

    def settle(self, found: Any, wanted: Any) -> None:
        """Count what is near to a number as right or as carried; what has too few digits for that, as short."""
        near = self.near(wanted) & ~(self.right | self.carried)
        if near.any():
            enough = self.enough(wanted)
            found |= near & enough
            self.short |= near & ~enough
            self.short &= ~(self.right | self.carried)
