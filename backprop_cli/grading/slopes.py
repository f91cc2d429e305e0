"""σ′ as a quantity of its own: slope1, slope2, … beside a1, a2, …, for sheets that ask for it, or print it."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from backprop_cli.formula import Formula
from backprop_cli.kernel import Kernel
from backprop_cli.trace import Trace


@cache
def slope_of(activation: Kernel) -> Kernel | None:
    """The slope of an activation: its gradient for ∂L/∂a = 1. None for what does not act on each number by itself."""
    gradient = activation.gradients.get("z")
    plain = gradient and (gradient.plain or gradient)
    if plain is None or "[...]" not in plain.formula.text or "da" not in plain.formula.operands:
        return None
    _, _, right = plain.formula.text.partition("= ")
    text = right.replace("da[...] * ", "").replace("da[...]", "1")
    if text == "1":
        return None
    takes = tuple(name for name in plain.parameters if name != "da")

    def slope(*values: Any) -> Any:
        """How much a moves when z moves."""
        return plain.run({"da": 1.0, **dict(zip(takes, values, strict=True))})

    return Kernel(Formula(f"slope[...] = {text}"), slope, takes=takes)


def with_slopes(trace: Trace) -> Trace:
    """The same tape with the slope of each activation behind it."""
    other = Trace()
    other.outcome = trace.outcome
    made = {step.ref: step for step in trace.steps}
    for ref, value in trace.values.items():
        other.values[ref] = value
        if step := made.get(ref):
            other.steps.append(step)
            kernel = slope_of(step.kernel) if re.fullmatch(r"a\d+", ref) else None
            if kernel:
                known = {**step.operands, step.kernel.target: ref}
                operands = {name: known[name] for name in kernel.operands}
                other.run(f"slope{ref[1:]}", kernel, "forward", **operands)
    return other
