"""Several steps in a row: the loss after each, and what moved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from backprop_cli.language import plural, tr
from backprop_cli.notation import Notation, number
from backprop_cli.problem import Problem
from backprop_cli.render.blocks import Block, Fact, Gauge, Heading, Note
from backprop_cli.render.proof import proof
from backprop_cli.render.report import View, conventions
from backprop_cli.trace import Trace
from backprop_cli.verdict import Check

MOST = 40
"""The most steps that get a line; of more, so many are picked evenly. --verbose shows all."""


class History:
    """What each step did: {"step", "loss", "gradient_norm", "moved": address, "by"}."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []

    def add(self, problem: Problem, trace: Trace) -> None:
        """Take note of a step."""
        self.records.append(record(problem, trace))

    def blocks(
        self, problem: Problem, trace: Trace, after: float, checks: Iterable[Check], view: View
    ) -> Iterator[Block]:
        """A line for each step, the loss `after` the last one, and the checks of the last step, which is given."""
        notation, count = Notation(trace), len(self.records)
        yield Fact(tr("Conventions"), conventions())
        yield Fact(tr("Problem"), problem.title)
        yield Heading(tr("STEPS"))
        picked = range(count) if view.verbose else evenly(count, MOST)
        highest = max(record["loss"] for record in self.records)
        for at in picked:
            found = self.records[at]
            share = found["loss"] / highest if highest > 0 else 0.0
            loss, by = number(found["loss"], view.digits).text, number(found["by"], 3).text
            ref, bracket, index = found["moved"].partition("[")
            name = f"{notation.name(ref)}{bracket}{index}"
            moved = tr("moved most: {name} by {by}", name=name, by=by) if bracket else tr("nothing moved")
            step = tr("step {number}", number=f"{found['step']:>{len(str(count))}}")
            yield Gauge(step, f"L = {loss}", share, moved)
        first = self.records[0]["loss"]
        change = tr("fell") if after < first else tr("rose") if after > first else tr("stayed")
        start, end = (number(loss, view.digits).text for loss in (first, after))
        told = {"steps": plural(count, "step"), "change": change, "start": start, "end": end}
        yield Note(tr("L is the loss before the step. Over {steps} it {change} from {start} to {end}.", **told))
        yield from proof(notation, checks, view.digits)


def evenly(count: int, most: int) -> list[int]:
    """At most so many of the places from 0 to `count` - 1, the first and the last among them."""
    return sorted({round(at) for at in np.linspace(0, count - 1, min(count, most))})


def record(problem: Problem, trace: Trace) -> dict[str, Any]:
    """One step's line: the loss before it, the gradient's length, and the parameter that moved most."""
    names = [name for name in problem.params if f"{name}_new" in trace]
    moves = {name: trace[f"{name}_new"] - trace[name] for name in names}
    gradients = [np.asarray(trace[f"d{name}"], float) for name in problem.params]
    found = {"step": problem.step, "loss": float(trace["L"]), "moved": "", "by": 0.0}
    found["gradient_norm"] = float(np.sqrt(sum((gradient**2).sum() for gradient in gradients)))
    if moves:
        name = max(moves, key=lambda each: abs(moves[each]).max())
        place = tuple(map(int, np.unravel_index(abs(moves[name]).argmax(), moves[name].shape)))
        found |= {"moved": Notation(trace).address(name, place), "by": float(moves[name][place])}
    return found
