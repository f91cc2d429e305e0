"""A trace is the tape of one training step: every value, in the order in which it came to be.

It is a straight-line program. Each step names its kernel and the earlier values it reads; every name is written once.
All that the rest of the program does, it does by reading a trace or by asking one question of it: what would `until`
have been, had some earlier values been different? That is `replay`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from copy import copy
from functools import cache
from typing import Any, Literal, NamedTuple

import numpy as np

from backprop_cli.errors import ShapeError
from backprop_cli.formula import Formula
from backprop_cli.kernel import Kernel, kernel

Phase = Literal["forward", "loss", "backward", "update"]
PHASES: tuple[Phase, ...] = ("forward", "loss", "backward", "update")


class Step(NamedTuple):
    """One line of the tape: `ref` is what `kernel` makes of the values that `operands` names."""

    ref: str
    kernel: Kernel
    operands: Mapping[str, str]
    phase: Phase

    @property
    def formula(self) -> Formula:
        return self.kernel.formula

    def values(self, tape: Mapping[str, Any]) -> dict[str, Any]:
        """The operands' values, under the names that the formula uses."""
        return {name: tape[ref] for name, ref in self.operands.items()}

    def sizes(self, tape: Mapping[str, Any]) -> dict[str, Any]:
        """The size of every axis of the formula. Raises ShapeError where the operands do not fit."""
        return self.formula.sizes(self.values(tape))

    def checked(self, tape: Mapping[str, Any]) -> Any:
        """The step's value; raises ShapeError where the formula and the shapes disagree.

        NumPy stretches shapes silently, a formula does not: the result is held against the formula as well.
        """
        operands = self.values(tape)
        try:
            sizes = self.sizes(tape)
        except ShapeError as error:
            raise ShapeError(f"{self.ref}: {error}") from None
        value = self.kernel.run(operands)
        shape = self.formula.shape(self.formula.target, sizes)
        if np.shape(value) != shape:
            raise ShapeError(
                "{ref}: {kernel} gave shape {found}, its formula says {shape}",
                ref=self.ref,
                kernel=self.kernel.name,
                found=np.shape(value),
                shape=shape,
            )
        return value


class Trace:
    """The tape of one step: `leaves` come from outside, every other value from a `Step`.

    The value that everything is differentiated for is L; `outcome` is what it is called on paper.
    """

    def __init__(self, **leaves: Any) -> None:
        self.outcome = "L"
        self.values: dict[str, Any] = {}
        self.steps: list[Step] = []
        for ref, value in leaves.items():
            self.leaf(ref, value)

    def __getitem__(self, ref: str) -> Any:
        return self.values[ref]

    def __contains__(self, ref: str) -> bool:
        return ref in self.values

    def entry(self, ref: str, place: tuple[int, ...]) -> Any:
        """One number: entry `place` (from 0) of an array, or the value itself where it is a single number."""
        return np.asarray(self.values[ref])[place]

    def of_phase(self, *phases: Phase) -> Iterator[Step]:
        """The steps of some phases, in order."""
        return (step for step in self.steps if step.phase in phases)

    def producer(self, ref: str) -> Step | None:
        """The step that made `ref`; None for a leaf."""
        return next((step for step in self.steps if step.ref == ref), None)

    def leaf(self, ref: str, value: Any) -> str:
        """Put a value from outside on the tape. Returns its name."""
        if ref in self.values:
            raise ValueError(f"{ref} is on the tape already; every name is written once")
        if isinstance(value, np.ndarray):
            value = value.view()
            value.flags.writeable = False  # what was computed from it would no longer be true
        self.values[ref] = value
        return ref

    def run(self, ref: str, kernel: Kernel, phase: Phase = "forward", **operands: str) -> str:
        """Run a kernel on earlier values and put the result on the tape as `ref`. Returns `ref`."""
        step = Step(ref, kernel, operands, phase)
        self.leaf(ref, step.checked(self.values))
        self.steps.append(step)
        return ref

    def replay(self, until: str, **changed: Any) -> Any:
        """The value of `until`, had the values in `changed` been different.

        Only what depends on a change is computed again, by the kernels' bodies alone. The tape itself stays as it is.
        """
        return self.retrace(until, **changed).get(until, self.values[until])

    def retrace(self, until: str = "", **changed: Any) -> dict[str, Any]:
        """The changed values and every other that would then be different, as far as `until` or to the end."""
        stale = dict(changed)
        values = {**self.values, **changed}
        for step in self.steps:
            if until in stale:
                break
            if step.ref not in changed and not stale.keys().isdisjoint(step.operands.values()):
                values[step.ref] = stale[step.ref] = kernel_for(step, changed).run(step.values(values))
        return stale


class Plan(Trace):
    """A tape of shapes: steps are taken down and not computed, and every value is a 0 that takes no room."""

    def run(self, ref: str, kernel: Kernel, phase: Phase = "forward", **operands: str) -> str:
        """Take a step down, and the shape that its formula gives it."""
        step = Step(ref, kernel, operands, phase)
        self.leaf(ref, np.broadcast_to(0.0, kernel.formula.shape(kernel.formula.target, step.sizes(self.values))))
        self.steps.append(step)
        return ref


def kernel_for(step: Step, changed: Collection[str]) -> Kernel:
    """The step's kernel, or the plain one if a value that the fused body skips over was replaced."""
    kernel = step.kernel
    if kernel.plain and kernel.inner and step.operands[kernel.inner.target] in changed:
        return kernel.plain
    return kernel


def held(trace: Trace) -> Trace:
    """The same tape for those who ask for slopes: what a rounding adds is held fixed. Without one, the tape itself."""
    if not any(step.kernel.held for step in trace.steps):
        return trace
    other = copy(trace)
    other.values, other.steps = dict(trace.values), []
    for step in trace.steps:
        if step.kernel.held:
            name = step.kernel.parameters[0]
            source, off = step.operands[name], f"off{step.ref}"
            other.values[off] = trace[step.ref] - trace[source]
            step = step._replace(kernel=step.kernel.held, operands={name: source, "off": off})
        other.steps.append(step)
    return other


def downstream(steps: list[Step], refs: Collection[str]) -> set[str]:
    """`refs` and every value that depends on one of them."""
    reached = set(refs)
    for step in steps:
        if not reached.isdisjoint(step.operands.values()):
            reached.add(step.ref)
    return reached


def backward(trace: Trace, wrt: Collection[str], of: str = "L") -> None:
    """Back-propagation: put ∂of/∂v on the tape, as `dv`, for every value v between `wrt` and `of`.

    The steps are taken in reverse. Each hands a gradient to every operand that has one; a value that was used more
    than once gets the sum over its uses, part by part or, where their kernels know how, in one line.
    """
    forward = list(trace.steps)
    wanted = downstream(forward, wrt)
    uses: dict[str, list[tuple[Step, str]]] = {}
    span: dict[str, tuple[int, int]] = {}
    for number, step in enumerate(reversed(forward)):
        if step.ref == of or step.ref in uses:
            for operand in step.kernel.gradients:
                source = step.operands[operand]
                if source in wanted:
                    uses.setdefault(source, []).append((step, operand))
                    span[source] = (number, span.get(source, (0, -number))[1])

    trace.leaf(f"d{of}", 1.0)
    for source in sorted(span, key=span.__getitem__):  # when all its uses are met; what was used last goes first
        _hand_back(trace, source, uses[source])


def _hand_back(trace: Trace, source: str, uses: list[tuple[Step, str]]) -> None:
    """Put the gradient of a value on the tape; its uses, the last one first, have theirs already."""
    users = [user for user, _ in uses[::-1]]
    make = users[0].kernel.joint.get(uses[-1][1])
    if make and (joint := make(users)):
        trace.run(f"d{source}", joint, "backward", **_found(joint, users))
        return
    parts = [f"d{source}_{number}" for number in range(1, len(uses) + 1)] if len(uses) > 1 else [f"d{source}"]
    for part, (step, operand) in zip(parts, uses, strict=True):
        gradient = step.kernel.gradients[operand]
        trace.run(part, gradient, "backward", **_found(gradient, [step]))
    if len(uses) > 1:
        trace.run(f"d{source}", added(len(uses)), "backward", **{f"d{n}": part for n, part in enumerate(parts, 1)})


def _found(gradient: Kernel, steps: list[Step]) -> dict[str, str]:
    """What a gradient reads: each step's operands, result and its gradient, by name; z2 is the z of the second step."""
    found: dict[str, str] = {}
    for number, step in enumerate(steps, 1):
        own = {**step.operands, step.kernel.target: step.ref, f"d{step.kernel.target}": f"d{step.ref}"}
        found |= own | {f"{name}{number}": ref for name, ref in own.items()}
    return {name: found[name] for name in gradient.operands}


@cache
def added(count: int) -> Kernel:
    """The kernel that adds up the gradients of so many uses of a value."""
    if count == 2:
        return paths_added
    takes = tuple(f"d{part}" for part in range(1, count + 1))

    def parts_added(*parts: Any) -> Any:
        """A value that is used several times gets the gradients of all its uses."""
        return sum(parts[1:], parts[0])

    picked = ", ".join(f"{name}[...]" for name in takes)
    return Kernel(Formula(f"d[...] = sum[m](pick[m]({picked}))"), parts_added, takes=takes)


@kernel("d[...] = d1[...] + d2[...]")
def paths_added(d1: Any, d2: Any) -> Any:
    """A value that is used twice gets the gradients of both its uses."""
    return d1 + d2
