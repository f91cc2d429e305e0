"""An optimizer is a few kernels in a row; the last one moves the weight.

Their operands are w (a parameter), dw (its gradient), what was remembered from the step before (m, v, …), and plain
numbers: lr, the step's count t, and options such as beta1. A kernel that gives `m_new` says that m is remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from backprop_cli.kernel import Kernel, Range
from backprop_cli.trace import Trace

Share = Annotated[float, Range(0, 1)]
"""An option that says how much of the past is kept."""

NO_ROOT = "The root is missing: the step is divided by the root of the mean square."
INSIDE = "ε stands inside the root; here it is added to the root."

NotNegative = Annotated[float, Range(0)]


@dataclass(frozen=True, eq=False)
class Optimizer:
    """The rules of one optimizer, in the order in which they are computed."""

    rules: tuple[Kernel, ...]

    @property
    def name(self) -> str:
        return self.rules[-1].name

    @property
    def doc(self) -> str:
        return self.rules[-1].doc

    @property
    def state(self) -> tuple[str, ...]:
        """What is remembered from step to step: ('m', 'v') for Adam."""
        return tuple(
            rule.target.removesuffix("_new")
            for rule in self.rules
            if rule.target.endswith("_new") and rule.target != "w_new"
        )

    @property
    def options(self) -> dict[str, float]:
        """Its numbers and their usual values; lr and t are not among them."""
        return {name: value for rule in self.rules for name, value in rule.options.items()}

    @property
    def ranges(self) -> dict[str, Range]:
        """What each of these numbers may be."""
        return {name: found for rule in self.rules for name, found in rule.ranges.items()}

    def start(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """What is remembered before the first step: zeros."""
        return {f"{slot}{name}": np.zeros_like(value) for name, value in params.items() for slot in self.state}

    def update(self, trace: Trace, names: Collection[str], state: Mapping[str, Any], **numbers: float) -> None:
        """Put the update of every parameter in `names` on the tape: `W1_new`, and `mW1_new` and so on before it.

        `numbers` are lr, t and any option that differs from its usual value.
        """
        known = {**self.options, **numbers}
        for name in names:
            for rule in self.rules:
                operands = {part: self._ref(part, name) for part in rule.operands}
                for part, ref in operands.items():
                    if ref not in trace:
                        trace.leaf(ref, known[part] if part in known else state[ref])
                trace.run(self._ref(rule.target, name), rule, "update", **operands)

    def _ref(self, part: str, name: str) -> str:
        """How an operand is called on the tape, for the parameter `name`: w is W1, dw is dW1, m_new is mW1_new."""
        if part in ("lr", "t") or part in self.options:
            return part
        slot, new, _ = part.partition("_new")
        return {"w": "", "dw": "d"}.get(slot, slot) + name + new


OPTIMIZERS: dict[str, Optimizer] = {}
"""Every optimizer by its name; each file of this folder adds its own."""


def optimizer(*before: Kernel) -> Callable[[Kernel], Kernel]:
    """Declare an optimizer by its last rule, which gives it its name and reads `… - lr * step`; `before` come first."""

    def declare(last: Kernel) -> Kernel:
        OPTIMIZERS[last.name] = Optimizer((*before, last))
        kept, _, step = last.formula.text.partition(" = ")[2].rpartition(" - lr * ")
        last.mistake("ascent", f"{kept} + lr * {step}", "That goes uphill: the step is subtracted.")
        last.mistake("no_learning_rate", f"{kept} - {step}", "The learning rate is missing as a factor.")
        last.mistake("step_only", f"lr * {step}", "That is the step alone; it is subtracted from the old weight.")
        last.mistake("step_only", f"-lr * {step}", "That is how far the weight moves; it is added to the old weight.")
        last.mistake("no_change", "w[...]", "That is the old weight.")
        return last

    return declare
