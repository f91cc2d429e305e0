"""Several steps in a row: the loss after each, and what moved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from backprop_cli.notation import Notation, number
from backprop_cli.render.blocks import Block, Fact, Gauge, Heading, Note
from backprop_cli.render.report import CONVENTIONS, Report, View, describe
from backprop_cli.verdict import Check

if TYPE_CHECKING:
    from backprop_cli.api import Run

MOST = 40
"""The most steps that get a line; of more, so many are picked evenly. --verbose shows all."""


class History:
    """What each step did: {"step", "loss", "gradient_norm", "moved": address, "by"}."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []

    def follow(self, run: Run, steps: int) -> Run:
        """Run so many steps, the first of which is `run`. Returns the last."""
        self.records.append(record(run))
        for _ in range(steps - 1):
            run = run.after()
            self.records.append(record(run))
        return run

    def blocks(self, last: Run, checks: Iterable[Check], view: View) -> Iterator[Block]:
        """A line for each step, and the checks of the last one."""
        yield Fact("Conventions", CONVENTIONS)
        yield Fact("Problem", describe(last.problem))
        yield Heading("STEPS")
        count = len(self.records)
        picked = (
            range(count)
            if view.verbose
            else sorted({round(place) for place in np.linspace(0, count - 1, min(count, MOST))})
        )
        highest = max(record["loss"] for record in self.records)
        for place in picked:
            found = self.records[place]
            share = found["loss"] / highest if highest > 0 else 0.0
            loss, by = number(found["loss"], view.digits).text, number(found["by"], 3).text
            yield Gauge(f"step {found['step']}", f"L = {loss}", share, f"moved most: {found['moved']} by {by}")
        first, final = self.records[0]["loss"], self.records[-1]["loss"]
        change = "had fallen to" if final < first else "had risen to" if final > first else "was still"
        start, end = (number(loss, view.digits).text for loss in (first, final))
        yield Note(f"Before step 1 the loss was {start}; before step {count} it {change} {end}.")
        yield from Report(last.problem, last.trace, view).checked(checks)


def record(run: Run) -> dict[str, Any]:
    """One step's line: the loss before it, the gradient's length, and the parameter that moved most."""
    moves = {
        name: run.trace[f"{name}_new"] - run.trace[name] for name in run.problem.params if f"{name}_new" in run.trace
    }
    gradients = [np.asarray(run.trace[f"d{name}"], float) for name in run.problem.params]
    found = {"step": run.problem.step, "loss": float(run.trace["L"]), "moved": "nothing", "by": 0.0}
    found["gradient_norm"] = float(np.sqrt(sum((gradient**2).sum() for gradient in gradients)))
    if moves:
        name = max(moves, key=lambda each: abs(moves[each]).max())
        index = tuple(map(int, np.unravel_index(abs(moves[name]).argmax(), moves[name].shape)))
        found |= {"moved": Notation(run.trace).address(name, index), "by": float(moves[name][index])}
    return found
