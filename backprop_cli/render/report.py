"""The report on a training step: which numbers are shown, in which order, and what is said about them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

from backprop_cli import loops
from backprop_cli.notation import Notation, number
from backprop_cli.problem import Problem
from backprop_cli.remarks import remarks
from backprop_cli.render.blocks import Block, Code, Fact, Formula, Heading, Matrix, Note, Worked
from backprop_cli.render.proof import proof
from backprop_cli.trace import Step, Trace
from backprop_cli.verdict import Check
from backprop_cli.worked import result, with_numbers, with_symbols

Show = Literal["symbols", "numbers", "both", "loops"]

CONVENTIONS = "x is (N, I), W is (outputs, inputs), z~=~a·Wᵀ~+~b, δ~=~∂L/∂z; updates subtract, indices count from 1"
CONVENTIONS = CONVENTIONS.replace("~", "\N{NO-BREAK SPACE}")
FEW = 8
"""Up to so many entries of a value are worked out one by one; of larger ones the first three."""
WIDE, TALL = 10, 16
"""The most columns and rows of a matrix that is printed; larger ones are summarised."""


class View(NamedTuple):
    """What of a step to show, and how."""

    only: str | None = None
    layer: int | None = None
    show: Show = "both"
    digits: int = 6
    verbose: bool = False


class Report:
    """The blocks of one step's report, part by part."""

    def __init__(self, problem: Problem, trace: Trace, view: View) -> None:
        self.problem = problem
        self.trace = trace
        self.view = view
        self.notation = Notation(trace)

    def blocks(self, checks: Iterable[Check] = ()) -> Iterator[Block]:
        """Everything the view asks for. `checks` is drawn from last, so that slow witnesses hold nothing up."""
        if self.view.show == "loops":
            yield from self.loops()
            return
        yield Fact("Conventions", CONVENTIONS)
        yield Fact("Problem", describe(self.problem))
        only = self.view.only
        if only in (None, "forward"):
            yield Heading("FORWARD")
            yield from self.given()
            yield from self.steps("forward")
        if only in (None, "loss") and self.view.layer is None:
            yield Heading("LOSS")
            yield from self.value("y")
            yield from self.steps("loss")
        if only in (None, "backward"):
            yield Heading("BACKWARD")
            yield from self.steps("backward")
        if only in (None, "update"):
            yield Heading("UPDATE")
            yield from self.steps("update")
            yield from self.frozen()
        if only in (None, "check"):
            yield from proof(self.notation, checks, self.view.digits)

    def given(self) -> Iterator[Block]:
        """The input, and with --verbose every parameter."""
        if self.view.layer in (None, 1):
            yield from self.value("x")
        if self.view.verbose:
            for name in self.problem.params:
                if self._wanted(name):
                    yield from self.value(name)

    def value(self, ref: str) -> Iterator[Block]:
        """A value without arithmetic: as numbers in a row, a matrix, or a summary."""
        array = self._table(ref)
        if array.ndim == 1 and array.size <= WIDE:
            yield Fact(self.notation.name(ref), f"[{', '.join(self._number(entry) for entry in array)}]")
        else:
            yield from self._all_at_once(ref)

    def steps(self, phase: Literal["forward", "loss", "backward", "update"]) -> Iterator[Block]:
        """The steps of one phase, with a heading for each layer."""
        heading = ""
        for step in self.trace.of_phase(phase):
            if self.trivial(step) or not self._wanted(step.ref):
                continue
            if phase in ("forward", "backward") and (title := self._layer_title(step)) not in ("", heading):
                heading = title
                yield Heading(title, 2)
            yield from self.step(step)

    def step(self, step: Step) -> Iterator[Block]:
        """One step: its formula, entries worked out, all results, and what is to be said about them."""
        if self.view.show != "numbers":
            yield from self.formula(step)
        if step.kernel.doc and (step.phase == "backward" or self.view.verbose):
            yield Note(step.kernel.doc)
        size = int(np.size(self.trace[step.ref]))
        matrix = self._table(step.ref).ndim > 1 or size > FEW
        few = 1 if matrix and step.phase == "backward" else FEW if step.phase != "update" else 2 * FEW
        count = size if size <= few or (self.view.verbose and size <= TALL * WIDE) else min(3, few)
        shape = np.shape(self.trace[step.ref])
        for flat in range(count):
            yield self._worked(step, tuple(map(int, np.unravel_index(flat, shape))) if shape else ())
        if matrix and (count < size or step.phase == "backward"):
            yield from self._all_at_once(step.ref, count)
        yield from map(Note, remarks(self.notation, step, self.view.digits))

    def formula(self, step: Step) -> Iterator[Block]:
        """A step's formula alone."""
        yield Formula(self.notation.formula(step))

    def frozen(self) -> Iterator[Block]:
        if self.problem.frozen:
            yield Note(f"Frozen, so not updated: {', '.join(map(self.notation.name, self.problem.frozen))}.")

    def loops(self) -> Iterator[Block]:
        """The loop nest of each kernel, once each, as Python that runs.

        A kernel that is used on values with different axes is one function for each, told apart by the axes' letters.
        """
        yield Code("import math\n\nimport numpy as np")
        lines = {step.ref: self.notation.line(step) for step in self.trace.steps}
        several = {
            step.kernel.name
            for step in self.trace.steps
            if len({lines[other.ref] for other in self.trace.steps if other.kernel.name == step.kernel.name}) > 1
        }
        done = set()
        for step in self.trace.steps:
            name, line = step.kernel.name, lines[step.ref]
            if (name, line) not in done and self.view.only in (None, step.phase) and self._wanted(step.ref):
                done.add((name, line))
                name += "_" + "".join(line.target.axes) if name in several else ""
                yield Code("\n\n" + loops.source(name, step.kernel, line))

    def _worked(self, step: Step, index: tuple[int, ...]) -> Worked:
        left = self.notation.entry(step.ref, index)
        value = result(self.notation, step, index, self.view.digits)
        if self.view.show == "symbols":
            middle = with_symbols(self.notation, step, index)
        else:
            middle = with_numbers(self.notation, step, index, self.view.digits)
        return Worked(left, "" if middle == value else middle, value)

    def _all_at_once(self, ref: str, worked: int = 0) -> Iterator[Block]:
        """Every entry in a matrix, or a summary if there are too many; the first `worked` were shown before."""
        table = self._table(ref)
        if table.ndim > 2 or table.shape[-1] > WIDE or table.shape[0] > TALL:
            yield Fact(self.notation.name(ref), self._summary(ref), 4)
            return
        axes = self.notation.axes[ref][-table.ndim :]
        rows = [f"{axes[0]}={row + 1}" for row in range(len(table))] if table.ndim == 2 else [""]
        columns = [f"{axes[-1]}={column + 1}" for column in range(table.shape[-1])]
        indices = [(row, column) for row in range(len(rows)) for column in range(len(columns))]
        names = [self.notation.entry(ref, self._index(ref, place, table.ndim)) for place in indices]
        grid = np.atleast_2d(table)
        width = len(columns)
        yield Matrix(
            self.notation.name(ref),
            tuple(rows),
            tuple(columns),
            tuple(tuple(map(self._number, row)) for row in grid),
            tuple(tuple(names[start : start + width]) for start in range(0, len(names), width)),
            worked,
        )

    def _index(self, ref: str, place: tuple[int, int], ndim: int) -> tuple[int, ...]:
        """The index in the value itself of a place in its table."""
        short = place[-ndim:]
        return (0,) * (np.ndim(self.trace[ref]) - ndim) + short

    def _summary(self, ref: str) -> str:
        value = np.asarray(self.trace[ref], float)
        first = ", ".join(self._number(entry) for entry in value.ravel()[:4])
        return (
            f"{' × '.join(map(str, self._table(ref).shape))} numbers from {self._number(value.min())} to "
            f"{self._number(value.max())}, norm {self._number(np.linalg.norm(value))}; first {first}, …"
        )

    def _table(self, ref: str) -> Any:
        """A value without its sample axis, where there is only one sample."""
        value = np.asarray(self.trace[ref])
        sample = self.notation.axes.get(ref, ())[:1] == ("n",)
        return value[0] if sample and self.notation.single and value.ndim > 1 else np.atleast_1d(value)

    def _number(self, value: Any) -> str:
        return number(value, self.view.digits).text

    def _wanted(self, ref: str) -> bool:
        """Whether --layer asks for this value."""
        return self.view.layer is None or layer_of(ref) == self.view.layer

    def trivial(self, step: Step) -> bool:
        """Steps that say nothing: L of a single sample, and gradients that are 1 by definition."""
        return step.ref in self.notation.ones or (step.ref == "L" and self.notation.loss_is_sample)

    def _layer_title(self, step: Step) -> str:
        if step.phase == "backward" and any(re.fullmatch(r"d[LJ]\d*", ref) for ref in step.operands.values()):
            return "The loss itself"
        layer = layer_of(step.ref)
        weights = self.trace.values.get(f"W{layer}")
        if layer is None or weights is None:
            return ""
        outputs, inputs = weights.shape
        bend = self.problem.network.activations[layer - 1]
        return f"Layer {layer}: {inputs} → {outputs}, {bend}"


def layer_of(ref: str) -> int | None:
    """The layer a value belongs to: 2 for z2, dW2, mW2_new; None for x and L."""
    found = re.search(r"[a-zA-Z](\d+)(_|$)", ref)
    return int(found[1]) if found and not ref.startswith(("J", "dJ", "beta")) else None


def describe(problem: Problem) -> str:
    """A problem in one line."""
    network = problem.network
    count = len(problem.x)
    batch = "1 sample" if count == 1 else f"{network.reduction} over {count} samples"
    options = ", ".join(f"{name} {number(value).text}" for name, value in problem.numbers.items() if name != "lr")
    penalty = f", l2 {network.l2:g}" if network.l2 else ""
    optimizer = f"{problem.optimizer.name} lr {problem.numbers['lr']:g}{f' ({options})' if options else ''}"
    loss = f"loss {_with_options(network.loss.name, network.loss_options)} ({batch}{penalty})"
    bends = (layer for layer in network.layers if layer.kernel.target == "a")
    activations = ", ".join(_with_options(layer.kernel.name, layer.options) for layer in bends)
    return f"{problem.net}; {activations}; {loss}; {optimizer}; seed {problem.seed}"


def _with_options(name: str, options: Mapping[str, float]) -> str:
    """`huber(delta=0.5)`, or the name alone if it has no options."""
    written = ", ".join(f"{option}={number(value).text}" for option, value in options.items())
    return f"{name}({written})" if written else name
