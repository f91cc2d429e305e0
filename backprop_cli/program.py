"""The fast path: a tape recorded once, and run again and again on other numbers, by the kernels' bodies alone.

Nothing is checked here and nothing is kept that nobody asks for: the steps become the lines of one Python function,
`v7 = f3(v1, v4)`, and the tape's values its local variables. It is the same tape that is stepped and explained, so
what is trained is what is taught.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from backprop_cli.trace import Step, Trace


class Program:
    """The steps of a tape that lead to the values in `wanted`, in order.

    What the formulas make of the values in `fixed` alone is taken from the tape, and not computed again.
    """

    def __init__(self, trace: Trace, wanted: Collection[str], fixed: Collection[str] = ()) -> None:
        needed, steps = set(wanted), []
        known = _settled(trace, fixed)
        for step in reversed(trace.steps):
            if step.ref in needed and step.ref not in known:
                steps.append(step)
                needed |= set(_takes(step))
        made = {step.ref for step in steps}
        self.wanted = tuple(wanted)
        self.leaves = {ref: value for ref, value in trace.values.items() if ref in needed and ref not in made}
        self._function = _compiled(steps[::-1], tuple(self.leaves), self.wanted)

    def run(self, changed: Mapping[str, Any]) -> dict[str, Any]:
        """The wanted values, had the leaves in `changed` been different. Shapes as on the tape, batch size too.

        NumPy warns of overflow unless the caller says np.errstate, once for many runs.
        """
        return dict(zip(self.wanted, self._function({**self.leaves, **changed}), strict=True))


def _settled(trace: Trace, fixed: Collection[str]) -> set[str]:
    """What follows from `fixed` alone. A step reads what its formula speaks of; its body may take more, for a shape."""
    known = set(fixed)
    for step in trace.steps:
        if all(step.operands[name] in known for name in step.kernel.formula.operands):
            known.add(step.ref)
    return known


def _compiled(
    steps: list[Step], leaves: tuple[str, ...], wanted: tuple[str, ...]
) -> Callable[[Mapping[str, Any]], Any]:
    """The steps as a function from the leaves, by name, to the wanted values, in a row."""
    made = [step.ref for step in steps]
    local = {ref: f"v{number}" for number, ref in enumerate([*leaves, *made])}
    bodies = {f"f{number}": step.kernel.body for number, step in enumerate(steps)}
    last = {ref: number for number, step in enumerate(steps) for ref in _takes(step)}

    def lines() -> Iterator[str]:
        yield from (f"{local[ref]} = values[{ref!r}]" for ref in leaves)
        for number, step in enumerate(steps):
            yield f"{local[step.ref]} = f{number}({', '.join(local[ref] for ref in _takes(step))})"
            done_with = [ref for ref in dict.fromkeys(_takes(step)) if last[ref] == number and ref not in wanted]
            if done_with:  # what nobody needs any more makes room
                yield f"del {', '.join(local[ref] for ref in done_with)}"
        yield f"return ({', '.join(local[ref] for ref in wanted)},)"

    exec("def function(values):\n    " + "\n    ".join(lines()), bodies)  # names made here, nothing that anybody typed
    function: Callable[[Mapping[str, Any]], Any] = bodies["function"]
    return function


def _takes(step: Step) -> list[str]:
    """The values that a step's body takes, in order."""
    return [step.operands[name] for name in step.kernel.parameters]
