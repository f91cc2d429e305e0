"""How somebody got from box to box. Each way of working is a hand, and a hand is a tape that differs in places.

own      went on with the numbers in the boxes, as they were rounded there
clean    the same, but with what is wrong put right
exact    made the same mistakes, and kept all digits
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np

from backprop_cli.trace import Step, Trace, kernel_for

MOST = 500
"""So many numbers are nudged one by one; with more, a rounding hardly shows."""


class Hand(dict[str, Any]):
    """The values in which a hand differs from the key, by their names; what is not there is the key's."""

    def __init__(self, trace: Trace) -> None:
        super().__init__()
        self.trace = trace

    def __missing__(self, ref: str) -> Any:
        return self.trace.values[ref]

    def copy(self) -> Hand:
        """Another hand, with the same numbers so far."""
        other = Hand(self.trace)
        other.update(self)
        return other

    def follow(self, step: Step) -> None:
        """Take one step, if it reads something that differs."""
        if not self.keys().isdisjoint(step.operands.values()):
            self[step.ref] = kernel_for(step, self).run(self._values(step))

    def agrees(self, other: Hand) -> bool:
        """Whether it has the same numbers as another."""
        return self.keys() == other.keys() and all(
            np.array_equal(self[ref], other[ref], equal_nan=True) for ref in self
        )

    def put(self, ref: str, where: Any, value: Any) -> None:
        """Replace the entries that `where` marks."""
        if where.all():
            self[ref] = value
        elif where.any():
            self[ref] = np.where(where, value, self[ref])

    def ahead(self, source: str, value: Any, until: str, fixed: Collection[str]) -> Any:
        """What `until` would be, had `source` been another value, and those in `fixed` what they are."""
        other = self.copy()
        other.amend(source, value, until, fixed)
        return other[until]

    def amend(self, source: str, value: Any, until: str, fixed: Collection[str]) -> None:
        """Go back and change a value, and what follows from it as far as `until`; those in `fixed` stay."""
        self[source] = value
        moved = {source}
        for step in self.trace.steps:
            if not moved.isdisjoint(step.operands.values()) and (step.ref == until or step.ref not in fixed):
                self[step.ref] = kernel_for(step, self).run(self._values(step))
                moved.add(step.ref)
            if step.ref == until:
                break

    def _values(self, step: Step) -> dict[str, Any]:
        return {name: self[ref] for name, ref in step.operands.items()}

    def slack(self, step: Step, halves: Mapping[str, Any]) -> Any:
        """How far off a step may be, if each number it reads may be off by so much; an array of its shape.

        The derivative by each entry, times what that is off by, all added up: by nudging one after another.
        """
        values = self._values(step)
        kernel = kernel_for(step, self)
        middle = np.asarray(kernel.run(values), float)
        total = np.zeros_like(middle)
        for name, ref in step.operands.items():
            for nudged in _nudged(values[name], halves.get(ref)):
                total += abs(kernel.run({**values, name: nudged}) - middle)
        return total


def _nudged(value: Any, half: Any) -> Iterator[Any]:
    """The value with one entry after another off by what it may be off by."""
    if half is not None and np.size(half) <= MOST:
        for place in map(tuple, np.argwhere(half)):
            other = np.array(value, float)
            other[place] += np.asarray(half)[place]
            yield other[()]
