"""The boxes of one value: what is typed into them, how exact that is, and what is found of each."""

from __future__ import annotations

from typing import Any

import numpy as np

from backprop_cli.grading.key import half_unit

EXACT = 1 + 1e-9
NOISE = 1e-12
"""What the arithmetic of a computer may add, as a share of a number, or of 1."""


class Boxes:
    """Arrays of the value's shape. `value` is NaN where nothing is typed, `half` is half a unit of the last digit.

    Every box that is typed ends up as one of right, carried, short (right as far as it goes, but too few digits), or
    wrong.
    """

    def __init__(self, value: Any, half: Any, digits: int) -> None:
        self.value, self.half = value, half
        self.typed = ~np.isnan(value)
        self.asked = half_unit(value, digits) * EXACT + np.maximum(abs(value), 1) * NOISE
        self.room = np.maximum(half * EXACT, self.asked)
        self.right, self.carried, self.short = (np.zeros(np.shape(value), bool) for _ in range(3))

    @property
    def wrong(self) -> Any:
        """What is typed, and none of the others."""
        return np.array(self.typed & ~self.right & ~self.carried & ~self.short)

    def near(self, wanted: Any) -> Any:
        """Where the number typed is this one, as far as its digits go."""
        return abs(self.value - wanted) <= self.room

    def enough(self, wanted: Any) -> Any:
        """Where its digits are as many as are asked for, or the number is as exact all the same."""
        return (self.half <= self.asked) | (abs(self.value - wanted) <= self.asked)

    def settle(self, found: Any, wanted: Any, where: Any = True) -> None:
        """Count what is near to a number as right or as carried; what has too few digits for that, as short."""
        near = np.array(self.near(wanted) & self.typed & ~self.right & ~self.carried & where)
        if near.any():
            enough = self.enough(wanted)
            found |= near & enough
            self.short |= near & ~enough
        self.short &= ~self.right & ~self.carried
