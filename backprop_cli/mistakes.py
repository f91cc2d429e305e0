"""What typical mistakes would make of a number: each kernel declares its own, as one line of mathematics.

The rules are computed on the numbers of the tape, or on somebody's own, so that a mistake is known by its result.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from backprop_cli.formula import NUMBERS
from backprop_cli.kernel import Mistake
from backprop_cli.trace import Step, Trace


def mistakes_at(trace: Trace, ref: str, place: tuple[int, ...]) -> Iterator[tuple[Mistake, float]]:
    """The mistakes that are typical of a number, entry `place` (from 0) of `ref`, and what each would make of it."""
    step = trace.producer(ref)
    if step is None:
        return
    operands = {name: trace[source] for name, source in _around(trace, step).items()}
    for mistake in step.kernel.mistakes:
        if set(mistake.rule.operands) <= operands.keys():
            found = _at(mistake, operands, place)
            if np.isfinite(found):
                yield mistake, found


def _at(mistake: Mistake, operands: Mapping[str, Any], place: tuple[int, ...]) -> float:
    rule = mistake.rule
    sizes = rule.sizes({name: operands[name] for name in rule.operands})
    with np.errstate(all="ignore"):
        return float(rule.at(rule.index(place), operands, NUMBERS, sizes))


def _around(trace: Trace, step: Step) -> dict[str, str]:
    """The values that a rule may speak of, by its names for them, and their names on the tape.

    Those that the step reads; of a gradient also those of the step it belongs to; and those read just before.
    """
    found = dict(step.operands)
    source = step.ref[1:]
    for other in trace.steps:
        own = [name for name, kernel in other.kernel.gradients.items() if kernel is step.kernel]
        if any(other.operands[name] == source for name in own):
            found = {**other.operands, other.kernel.target: other.ref, **found}
    for ref in tuple(found.values()):
        before = trace.producer(ref)
        found = {**(before.operands if before else {}), **found}
    return found
