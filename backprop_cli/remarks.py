"""Sentences worth saying about the numbers of a step: a dead ReLU, a saturated sigmoid, paths that cancel.

Each kernel declares its own, as a formula that says when and a text that says what.
"""

from __future__ import annotations

import numpy as np

from backprop_cli.language import tr
from backprop_cli.notation import Notation, number
from backprop_cli.trace import Step

LARGEST = 4096
"""Values with more entries are not searched for something to say."""


def remarks(notation: Notation, step: Step, digits: int = 6) -> list[str]:
    """What is to be said about a step, a sentence for each remark that applies; further cases are counted."""
    if np.size(notation.trace[step.ref]) > LARGEST:
        return []
    found = []
    operands = {**step.values(notation.trace.values), step.kernel.target: notation.trace[step.ref]}
    for remark in step.kernel.remarks:
        holds = np.argwhere(remark.condition.evaluate(operands))
        if len(holds):
            entry = tuple(map(int, holds[0]))
            names = {
                name: ref
                for name, ref in step.operands.items()
                if np.shape(notation.trace[ref]) == np.shape(operands[step.kernel.target])
            }
            names[step.kernel.target] = step.ref
            values = {
                name: f"{notation.entry(ref, entry)} = {number(notation.trace[ref][entry], digits).text}"
                for name, ref in names.items()
            }
            text, more = tr(remark.text, **values), len(holds) - 1
            found.append(tr("{text} ({more} more like it.)", text=text, more=more) if more else text)
    return found
