"""Mistakes in the order of steps: the right line of mathematics, but it reads the wrong value of the tape.

Each is the same kernel with another operand, or, of a value that is used several times, without one of its ways.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from backprop_cli.formula import Formula
from backprop_cli.kernel import Kernel
from backprop_cli.language import later
from backprop_cli.trace import Step, Trace

MOST_PLACES = 100
"""So many entries are computed one by one, where they must be."""
ADDED = ("paths_added", "parts_added")
"""The kernels that add up what comes back through several uses of a value."""


class Slip(NamedTuple):
    """A mistake at one step: under which code it is known, what to say of it, and the kernel and operands it has."""

    code: str
    text: str
    rule: Formula | Kernel
    operands: Mapping[str, str]
    right: bool = False

    @property
    def slow(self) -> bool:
        """Whether it must be computed entry by entry."""
        return isinstance(self.rule, Formula) and not self.rule.plain

    def value(self, tape: Mapping[str, Any], where: Any = None) -> Any:
        """What comes of it, the whole array. Raises ShapeError where the rule does not fit the shapes.

        Of a rule that must be computed entry by entry, such as a convolution's, only the first `where` are: the others
        are NaN.
        """
        values = {name: tape[ref] for name, ref in self.operands.items()}
        if not isinstance(self.rule, Formula):
            return self.rule.run(values)
        if self.rule.plain:
            return self.rule.everywhere(values)
        return self.rule.at_places(values, None if where is None else np.argwhere(where)[:MOST_PLACES])


Reread = Callable[[Trace, Step], Iterator[dict[str, str]]]


class Rewrite(NamedTuple):
    """A mistake in the order of steps: which other values of the tape a step is given."""

    code: str
    text: str
    operands: Reread


REWRITES: list[Rewrite] = []


def rewrite(code: str, text: str) -> Callable[[Reread], Reread]:
    """Declare a mistake that reads other values of the tape: a generator of operands to be changed."""

    def declare(reread: Reread) -> Reread:
        REWRITES.append(Rewrite(code, text, reread))
        return reread

    return declare


@rewrite("updated_first", "The weights had been updated already; δ comes back through the old ones.")
def updated_first(trace: Trace, step: Step) -> Iterator[dict[str, str]]:
    """What comes back through a weight that has moved."""
    if step.phase == "backward":
        moved = {name: f"{ref}_new" for name, ref in step.operands.items() if f"{ref}_new" in trace}
        if moved:
            yield moved


@rewrite("z_for_a", "z stands where a belongs; the activation comes first.")
def z_for_a(trace: Trace, step: Step) -> Iterator[dict[str, str]]:
    """What came before the activation, in a layer or in the gradient of its weights."""
    for name, ref in _fed(trace, step):
        before = trace.producer(ref)
        if before and before.phase == "forward" and before.kernel.target == "a":
            yield {name: before.operands[before.kernel.parameters[0]]}


@rewrite("wrong_layer_input", "That uses another layer's activation.")
def wrong_layer_input(trace: Trace, step: Step) -> Iterator[dict[str, str]]:
    """The activation of some other layer, if it has as many numbers; of a gradient also the layer's own output."""
    for name, ref in _fed(trace, step):
        for other in trace.values:
            known = step.phase == "backward" or _before(trace, other, step.ref)
            if known and other != ref and re.fullmatch(r"x|a\d+", other) and (other == "x" or trace.producer(other)):
                yield {name: other}


@rewrite("wrong_layer_delta", "That uses the δ of another layer, or ∂L/∂a where δ belongs.")
def wrong_layer_delta(trace: Trace, step: Step) -> Iterator[dict[str, str]]:
    """In the gradient of a parameter: another δ, or what comes before the activation's slope."""
    if step.phase == "backward" and step.ref[1:] in trace and trace.producer(step.ref[1:]) is None:
        for name, ref in step.operands.items():
            if re.fullmatch(r"dz\d+", ref):
                yield from ({name: other} for other in trace.values if other != ref and re.fullmatch(r"dz\d+", other))
                before = trace.producer(ref)
                yield from (
                    {name: other} for other in (before.operands.values() if before else ()) if other[:2] == "da"
                )


NEXT = ("recurrent_path_forgotten", later("The way through the next time step is missing."))
COST = ("penalty_path_forgotten", later("What the penalty on large weights hands back is missing."))
WAYS = {
    "mean": ("mean_path_forgotten", later("The way through the mean is missing: every number moves it.")),
    "variance": ("variance_path_forgotten", later("The way through the variance is missing: every number moves it.")),
    "residual": (
        "skip_path_forgotten",
        later("The way past the layers is missing; there the gradient stays as it is."),
    ),
    **dict.fromkeys(("heard", "recall", "gru_memory", "lstm_cell"), NEXT),
    **dict.fromkeys(("penalty", "penalty_each"), COST),
}
"""What a forgotten way is called, by how the name of the kernel on that way ends."""
ANY_WAY = ("one_path_forgotten", later("This value is used several times; what comes back on one way is missing."))
ONE_WAY = ("one_path_only", later("That is what comes back on one way alone; all ways add up."))


def ways_left_out(trace: Trace, step: Step) -> Iterator[Slip]:
    """Of a value that is used several times: what comes back without one of its uses, or from one of them alone."""
    if step.kernel.name in ADDED:
        for name, ref in step.operands.items():
            others = {other: part for other, part in step.operands.items() if other != name}
            rule = Formula(f"d[...] = {' + '.join(f'{other}[...]' for other in others)}")
            yield Slip(*_forgotten(trace, ref), rule, others)
            if len(others) > 1:
                yield Slip(*ONE_WAY, Formula(f"d[...] = {name}[...]"), {name: ref})


def other_slips() -> Iterator[tuple[str, str]]:
    """The codes and texts of what is found on a tape besides what kernels declare and what rewrites."""
    yield from dict.fromkeys((*WAYS.values(), ANY_WAY, ONE_WAY, ("double_activation", BENT)))


def _forgotten(trace: Trace, ref: str) -> tuple[str, str]:
    """How it is called to leave out the part of a gradient that is `ref`."""
    part = trace.producer(ref)
    user = owner_of(trace, part) if part else None
    return next((way for end, way in WAYS.items() if user and user.kernel.name.endswith(end)), ANY_WAY)


BENT = later("That is what comes out of the activation; z is what goes into it.")


def bent_already(trace: Trace, step: Step) -> Iterator[Slip]:
    """Of a weighted sum: its activation, so that the next step would take it twice."""
    after = next((other for other in trace.steps if other.operands.get("z") == step.ref), None)
    if after and step.phase == after.phase == "forward" and after.kernel.parameters == ("z",):
        bend = after.kernel.body
        kernel = Kernel(step.formula, lambda *values: bend(step.kernel.body(*values)), takes=step.kernel.parameters)
        yield Slip("double_activation", BENT, kernel, step.operands)


def _fed(trace: Trace, step: Step) -> Iterator[tuple[str, str]]:
    """What a layer with weights is fed, in the layer itself and in the gradients of its weights: operand and value."""
    owner = step if step.phase == "forward" else owner_of(trace, step)
    if owner and owner.kernel.weights:
        fed = owner.operands[owner.kernel.parameters[0]]
        yield from ((name, ref) for name, ref in step.operands.items() if ref == fed)


def _before(trace: Trace, one: str, other: str) -> bool:
    """Whether a value is on the tape before another."""
    order = list(trace.values)
    return order.index(one) < order.index(other)


def owner_of(trace: Trace, step: Step) -> Step | None:
    """The step that a gradient belongs to: dW1 belongs to that which made z1 of W1."""
    source = step.ref[1:].partition("_")[0]
    for other in trace.steps:
        own = [name for name, kernel in other.kernel.gradients.items() if kernel is step.kernel]
        if any(other.operands[name] == source for name in own):
            return other
    return None
