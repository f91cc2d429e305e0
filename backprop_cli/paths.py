"""Every path along which one number reaches the loss, and what each is worth.

A path is a chain of entries, W1[1,1] → z1[1] → a1[1] → z2[2] → L. What it is worth is the product of the slopes along
it; the gradient is the sum over all paths. The slopes are read off the kernels' gradient formulas: those are linear in
the gradient of the result, and an entry's slope is what it is multiplied by.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from copy import copy
from functools import lru_cache
from heapq import nlargest
from typing import Any, NamedTuple

import numpy as np

from backprop_cli.formula import Algebra
from backprop_cli.kernel import Kernel
from backprop_cli.linear import COEFFICIENTS, Linear
from backprop_cli.notation import ONE, WRITTEN, Notation, Term, number
from backprop_cli.trace import Step, Trace, backward, kernel_for
from backprop_cli.worked import Leaves, leaves

Place = tuple[int, ...]
Node = tuple[str, Place]
"""One entry of the tape."""


class Link(NamedTuple):
    """One step of a path: into entry `place` of what `step` gives, by its operand's entry `source`."""

    step: Step
    kernel: Kernel
    operand: str
    source: Place
    place: Place
    slope: float


class Path(NamedTuple):
    """Links from a number to the loss, and their slopes multiplied."""

    links: tuple[Link, ...]
    product: float


class Paths(NamedTuple):
    """All paths of a number: their sum, how many there are, and the largest of them, the largest first."""

    total: float
    number: int
    largest: list[Path]


def paths(trace: Trace, ref: str, place: Place, most: int = 8) -> Paths:
    """The paths from the entry `ref[place]` (from 0) to L, the `most` largest of them one by one.

    Paths along which nothing flows at all, because a formula ignores the entry, are not counted; one through a dead
    unit is, and is worth 0.
    """
    found: dict[Node, Paths] = {("L", ()): Paths(1.0, 1, [Path((), 1.0)])}
    for node, links in reversed(list(ways(trace, ref, place).items())):
        rests = [(link, found[link.step.ref, link.place]) for link in links]
        longer = [(link.slope * path.product, link, path) for link, rest in rests for path in rest.largest]
        largest = nlargest(most, longer, key=lambda way: abs(way[0]))
        found[node] = Paths(
            total=sum(link.slope * rest.total for link, rest in rests),
            number=sum(rest.number for _, rest in rests),
            largest=[Path((link, *path.links), product) for product, link, path in largest],
        )
    return found[ref, place]


def flow(trace: Trace, ref: str, place: Place) -> dict[Node, float]:
    """How much every entry on the way to L is pushed by the entry `ref[place]`: its slope, over all paths."""
    network = ways(trace, ref, place)
    pushed: dict[Node, float] = dict.fromkeys(network, 0.0)
    pushed[ref, place] = 1.0
    for node, links in network.items():
        for link in links:
            if (link.step.ref, link.place) in pushed:
                pushed[link.step.ref, link.place] += pushed[node] * link.slope
    return pushed


@lru_cache(maxsize=100)  # asked by everything below and above, and slow where an input enters a thousand units
def ways(trace: Trace, ref: str, place: Place) -> Mapping[Node, list[Link]]:
    """Every entry between `ref[place]` and L, in the order of the tape, and where each goes next."""
    steps = list(trace.of_phase("forward", "loss"))
    order = {step.ref: number for number, step in enumerate(steps)}
    readers: dict[str, list[tuple[Step, Kernel, str]]] = {}
    for step in steps:
        kernel = kernel_for(step, (ref,))  # a fused loss goes past its activation, unless that is where we start
        for operand in kernel.gradients:
            readers.setdefault(step.operands[operand], []).append((step, kernel, operand))
    found: dict[Node, list[Link]] = {}
    waiting = {(ref, place)}
    while waiting:
        node = waiting.pop()
        found[node] = list(_links(trace, readers.get(node[0], []), node[1])) if node[0] != "L" else []
        waiting.update(goal for link in found[node] if (goal := (link.step.ref, link.place)) not in found)
    found.pop(("L", ()), None)
    return dict(sorted(found.items(), key=lambda item: order.get(item[0][0], -1)))


def _links(trace: Trace, readers: list[tuple[Step, Kernel, str]], place: Place) -> Iterator[Link]:
    """Where an entry goes next: each entry of a later result that has a slope in it."""
    for step, kernel, operand in readers:
        formula, values = kernel.gradients[operand].formula, _values(trace, step)
        sizes = formula.sizes(values)
        index = formula.index(place)
        outgoing = f"d{kernel.target}"
        shaped = bool(np.shape(trace[step.ref]))
        values[outgoing] = Leaves(lambda target: Linear({target: 1.0})) if shaped else Linear({(): 1.0})
        slopes = formula.at(index, values, COEFFICIENTS, sizes)
        if isinstance(slopes, Linear):
            for target, slope in slopes.items():
                yield Link(step, kernel, operand, place, target, float(slope))


def _values(trace: Trace, step: Step) -> dict[str, Any]:
    """What a step's gradients may read: its operands, its result, and something of the result's shape for dout."""
    result = trace[step.ref]
    return {**step.values(trace.values), step.kernel.target: result, f"d{step.kernel.target}": result}


# --- gradients that a step has no need of ---------------------------------------------------------------------------


def fused(trace: Trace) -> Step | None:
    """The step of a loss that goes past the activation before it, if this one does."""
    return next((step for step in trace.of_phase("loss") if step.kernel.plain), None)


def unfused(trace: Trace, ref: str) -> Trace:
    """The same tape, with the plain loss in the place of a fused one that goes past `ref`."""

    def plain(step: Step) -> Step:
        kernel = kernel_for(step, (ref,))
        return step._replace(kernel=kernel, operands={name: step.operands[name] for name in kernel.operands})

    other = copy(trace)
    other.steps = [plain(step) for step in trace.steps]
    return other


def completed(trace: Trace, wrt: Collection[str]) -> Trace:
    """The same step with the gradients of all values in `wrt` on its tape, and of the activation that a loss goes past.

    A gradient that is not finite is left out.
    """
    made = {step.ref for step in trace.of_phase("backward")} | {"dL"}
    whole = Trace(**{ref: value for ref, value in trace.values.items() if ref not in made})
    whole.outcome, whole.steps = trace.outcome, list(trace.of_phase("forward", "loss"))
    with np.errstate(all="ignore"):
        backward(whole, wrt)
        step = fused(trace)
        if step and step.kernel.plain and step.kernel.inner and f"d{step.ref}" in whole:
            skipped = step.kernel.inner.target
            kernel, refs = step.kernel.plain.gradients[skipped], {**step.operands, "E": step.ref, "dE": f"d{step.ref}"}
            whole.run(f"d{refs[skipped]}", kernel, "backward", **{name: refs[name] for name in kernel.operands})
    for step in whole.steps:
        if not np.isfinite(whole[step.ref]).all():
            del whole.values[step.ref]
    whole.steps = [step for step in whole.steps if step.ref in whole] + list(trace.of_phase("update"))
    return whole


# --- a slope as text ------------------------------------------------------------------------------------------------

ZERO = Term("0")
"""The number 0, which takes everything it is multiplied with along."""


def _sum(terms: Iterator[Term]) -> Term:
    kept = [term for term in terms if term is not ZERO]
    return WRITTEN["sum"](iter(kept)) if kept else ZERO


def _mean(terms: Iterator[Term]) -> Term:
    values = list(terms)
    total = _sum(iter(values))
    return total if total is ZERO or len(values) == 1 else WRITTEN["/"](total, Term(str(len(values))))


def _minus(p: Term, q: Term) -> Term:
    if q is ZERO:
        return p
    return WRITTEN["neg"](q) if p is ZERO else WRITTEN["-"](p, q)


SLOPE: Algebra = {
    **WRITTEN,
    "*": lambda p, q: ZERO if p is ZERO or q is ZERO else WRITTEN["*"](p, q),
    "/": lambda p, q: ZERO if p is ZERO else WRITTEN["/"](p, q),
    "neg": lambda p: ZERO if p is ZERO else WRITTEN["neg"](p),
    "+": lambda p, q: _sum(iter((p, q))),
    "-": _minus,
    "==": lambda p, q: ONE if p.text == q.text else WRITTEN["=="](p, q),
    "sum": _sum,
    "mean": _mean,
}
"""Written mathematics from which the terms of all other entries fall out."""


def _as_number(notation: Notation) -> Callable[[str, Place], Term]:
    return lambda ref, place: number(notation.trace.entry(ref, place))


def written_slope(notation: Notation, link: Link, write: Callable[[str, Place], Term]) -> Term:
    """A link's slope as a student would write it; `write` gives the operands, by name or by number."""
    step = link.step
    gradient = link.kernel.gradients[link.operand]
    outgoing = f"d{step.kernel.target}"
    refs = {**step.operands, step.kernel.target: step.ref}
    formula = gradient.formula
    where = dict.fromkeys(step.formula.indexed, _as_number(notation))  # a place in an array is a number, not a name
    operands: Mapping[str, Any] = {
        **{name: leaves(notation, ref, where.get(name, write)) for name, ref in refs.items()},
        outgoing: Leaves(lambda at: ONE if at == link.place else ZERO) if link.place else ONE,
    }
    term = formula.at(formula.index(link.source), operands, SLOPE, formula.sizes(_values(notation.trace, step)))
    assert isinstance(term, Term)
    return term
