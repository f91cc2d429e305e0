"""The fast path: a tape recorded once, and run again and again on other numbers, by the kernels' bodies alone.

Nothing is checked here and nothing is kept that nobody asks for. It is the same tape that is stepped and explained, so
what is trained is what is taught.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np

from backprop_cli.trace import Trace


class Line(NamedTuple):
    """One step: what its body takes, where its result goes, and the values that nobody needs after it."""

    result: str
    body: Any
    takes: tuple[str, ...]
    done_with: tuple[str, ...]


class Program:
    """The steps of a tape that lead to the values in `wanted`, in order."""

    def __init__(self, trace: Trace, wanted: Collection[str]) -> None:
        needed, steps = set(wanted), []
        for step in reversed(trace.steps):
            if step.ref in needed:
                steps.append(step)
                needed |= {step.operands[name] for name in step.kernel.parameters}
        self.wanted = tuple(wanted)
        self.leaves = {ref: value for ref, value in trace.values.items() if ref in needed and not trace.producer(ref)}
        last: dict[str, int] = {}
        taken = [tuple(step.operands[name] for name in step.kernel.parameters) for step in reversed(steps)]
        for number, takes in enumerate(taken):
            last |= dict.fromkeys(takes, number)
        made = [step.ref for step in reversed(steps)]
        self.lines = [
            Line(
                step.ref,
                step.kernel.body,
                takes,
                tuple(ref for ref in dict.fromkeys(takes) if last[ref] == number and ref in made and ref not in wanted),
            )
            for number, (step, takes) in enumerate(zip(reversed(steps), taken, strict=True))
        ]

    def run(self, changed: Mapping[str, Any]) -> dict[str, Any]:
        """The wanted values, had the leaves in `changed` been different. Shapes as on the tape, batch size too."""
        values = {**self.leaves, **changed}
        with np.errstate(all="ignore"):
            for result, body, takes, done_with in self.lines:
                values[result] = body(*[values[ref] for ref in takes])
                for ref in done_with:
                    del values[ref]
        return {ref: values[ref] for ref in self.wanted}
