"""What typical mistakes would make of a number, so that a mistake is known by its result.

Those that concern one line of mathematics are declared beside it, as another line: `sigmoid_dz.mistake(…)`; those that
concern the order of steps are in rewrites.py. All are computed on the numbers of the tape, or on somebody's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from backprop_cli.errors import ShapeError
from backprop_cli.rewrites import MOST_PLACES, REWRITES, Slip, bent_already, owner_of, ways_left_out
from backprop_cli.trace import Step, Trace


@dataclass(frozen=True, eq=False)
class Slips:
    """All that can typically go wrong on a tape, step by step; found once, computed on any numbers."""

    trace: Trace
    _found: dict[str, list[Slip]] = field(default_factory=dict)

    def at(self, ref: str) -> list[Slip]:
        """What can go wrong in the step that makes `ref`; and other right ways to do it, such as a slope at a kink."""
        if ref not in self._found:
            step = self.trace.producer(ref)
            self._found[ref] = list(self._of(step)) if step else []
        return self._found[ref]

    def made(self, ref: str, tape: Mapping[str, Any], where: Any = None) -> Iterator[tuple[Slip, Any]]:
        """What each makes of `ref`, computed on `tape`: arrays of the shape it should have. See `Slip.value`."""
        shape = np.shape(self.trace[ref])
        for slip in self.at(ref):
            if where is None and slip.slow and prod(shape) > MOST_PLACES:
                continue
            try:
                with np.errstate(all="ignore"):
                    value = np.asarray(slip.value(tape, where))
            except ShapeError:
                continue  # rows and columns can be mixed up only where there are as many of both
            if value.shape == shape:
                yield slip, value

    def _of(self, step: Step) -> Iterator[Slip]:
        around = _around(self.trace, step)
        for found, right in ((step.kernel.conventions, True), (step.kernel.mistakes, False)):
            for mistake in found:
                if set(mistake.rule.operands) <= around.keys():
                    names = (*mistake.rule.operands, mistake.rule.name)
                    yield Slip(mistake.code, mistake.text, mistake.rule, {name: around[name] for name in names}, right)
        yield from ways_left_out(self.trace, step)
        yield from bent_already(self.trace, step)
        for rewrite in REWRITES:
            for changed in rewrite.operands(self.trace, step):
                operands = {**step.operands, **changed}
                if all(
                    np.shape(self.trace[operands[name]]) == np.shape(self.trace[step.operands[name]])
                    for name in changed
                ):
                    kernel = step.kernel.plain or step.kernel
                    yield Slip(rewrite.code, rewrite.text, kernel, operands)


def mistakes_at(trace: Trace, ref: str, place: tuple[int, ...]) -> Iterator[tuple[Slip, float]]:
    """The mistakes that are typical of a number, entry `place` (from 0) of `ref`, and what each would make of it."""
    where = np.zeros(np.shape(trace[ref]), bool)
    where[place] = True
    for slip, value in Slips(trace).made(ref, trace.values, where):
        if np.isfinite(value[place]) and not slip.right:
            yield slip, float(value[place])


def _around(trace: Trace, step: Step) -> dict[str, str]:
    """The values that a rule may speak of, by its names for them, and their names on the tape.

    Those that the step reads; of a gradient also those of the step it belongs to, and `after`, which is what the next
    step made of that one's result; and those read just before.
    """
    found = {**step.operands, step.kernel.target: step.ref}
    if owner := owner_of(trace, step):
        found = {**owner.operands, owner.kernel.target: owner.ref, **found}
        after = [other.ref for other in trace.steps if other.operands.get(other.kernel.parameters[0]) == owner.ref]
        found = {**({"after": after[0]} if after else {}), **found}
    for ref in tuple(found.values()):
        before = trace.producer(ref)
        found = {**(before.operands if before else {}), **found}
    return found
