"""The report on a training step: which numbers are shown, in which order, and what is said about them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from backprop_cli import loops
from backprop_cli.kernel import Kernel
from backprop_cli.language import tr
from backprop_cli.notation import Notation, number
from backprop_cli.refs import layer_of
from backprop_cli.remarks import remarks
from backprop_cli.render.blocks import Block, Code, Fact, Formula, Graph, Heading, Matrix, Note, Worked
from backprop_cli.render.proof import proof
from backprop_cli.render.titles import Titles
from backprop_cli.trace import PHASES, Phase, Step, Trace
from backprop_cli.verdict import Check
from backprop_cli.worked import result, with_numbers, with_symbols

Show = Literal["symbols", "numbers", "both", "loops"]

FEW = 8
"""Up to so many entries of a value are worked out one by one; of larger ones the first three."""
WIDE, TALL = 16, 16
"""The most columns and rows of a matrix that is printed; larger ones are summarised."""
MANY = 400
"""Of a network with more parameters than these, the update is worked out for the first of its arrays only."""


class View(NamedTuple):
    """What of a step to show, and how."""

    only: str | None = None
    layer: int | None = None
    show: Show = "both"
    digits: int = 6
    verbose: bool = False


class Asked(Protocol):
    """What a report needs to know of a problem, be it a network's or an expression's."""

    @property
    def title(self) -> str: ...
    @property
    def inputs(self) -> tuple[str, ...]: ...
    @property
    def params(self) -> Mapping[str, Any]: ...
    @property
    def state(self) -> Mapping[str, Any]: ...
    @property
    def frozen(self) -> tuple[str, ...]: ...
    @property
    def settings(self) -> dict[str, Any]: ...
    @property
    def words(self) -> Mapping[int, Sequence[str]]: ...
    @property
    def scaled(self) -> bool: ...


class Report:
    """The blocks of one step's report, part by part."""

    def __init__(self, problem: Asked, trace: Trace, view: View) -> None:
        self.problem = problem
        self.trace = trace
        self.view = view
        self.notation = Notation(trace)
        self.titles = Titles(trace, problem.words)

    def blocks(self, checks: Iterable[Check] = ()) -> Iterator[Block]:
        """Everything the view asks for. `checks` is drawn from last, so that slow witnesses hold nothing up."""
        if self.view.show == "loops":
            yield from self.loops()
            return
        yield from self.opening()
        if "E" not in self.trace and self.view.only is None:
            yield Heading(tr("GRAPH"))
            yield self.graph("L")
        for phase in PHASES:
            steps = [step for step in self.trace.of_phase(phase) if not self.trivial(step)]
            belongs = self.view.layer is None or phase != "loss"
            if steps and belongs and self.view.only in (None, phase):
                yield Heading(tr(phase).upper())
                yield from self.given(phase)
                yield from self.steps(phase)
        if self.view.only in (None, "check"):
            yield from proof(self.notation, checks, self.view.digits)

    def opening(self) -> Iterator[Block]:
        """The conventions, and the problem in one line."""
        yield Fact(tr("Conventions"), conventions() if "E" in self.trace else self._meaning())
        yield Fact(tr("Problem"), self.problem.title)
        if self.problem.scaled:
            yield Fact(tr("Inputs"), tr("brought to scale as for the training that the parameters come from"))

    def _meaning(self) -> str:
        """What the names in an expression's report stand for."""
        return tr(
            "∂{f}/∂v says how fast the result changes with v; the steps are v₁, v₂, … in the order of computation",
            f=self.trace.outcome,
        )

    def given(self, phase: Phase) -> Iterator[Block]:
        """What a phase begins with: the inputs, the targets; with --verbose every parameter."""
        if phase == "forward" and self.view.layer in (None, 1):
            for ref in self.problem.inputs:
                yield from self.value(ref)
        if phase == "loss":
            yield from self.value("y")
        if phase == "forward" and self.view.verbose:
            for name in self.problem.params:
                if self._wanted(name) and name not in self.problem.inputs:
                    yield from self.value(name)

    def graph(self, ref: str) -> Graph:
        """A value and what it is computed from, each with its gradient: small enough to be drawn."""
        step = self.trace.producer(ref)
        gradient = self._number(self.trace[f"d{ref}"]) if f"d{ref}" in self.trace else ""
        sources = tuple(self.graph(source) for source in step.operands.values()) if step else ()
        name = self.notation.name(ref)
        return Graph(name, step.kernel.name if step else "", self._number(self.trace[ref]), gradient, sources)

    def value(self, ref: str) -> Iterator[Block]:
        """A value without arithmetic: as numbers in a row, a matrix, or a summary."""
        array = self._table(ref)
        if np.ndim(self.trace[ref]) == 0:
            yield Fact(self.notation.name(ref), self._number(self.trace[ref]))
        elif array.ndim == 1 and array.size <= WIDE:
            yield Fact(self.notation.name(ref), f"[{', '.join(self._number(entry) for entry in array)}]")
        else:
            yield from self._all_at_once(ref)

    def steps(self, phase: Phase) -> Iterator[Block]:
        """The steps of one phase, with a heading for each layer."""
        said: set[Block | None] = set()
        rules: set[Kernel] = set()
        heading = ""
        for step in self.trace.of_phase(phase):
            if self.trivial(step) or not self._wanted(step.ref):
                continue
            if not self.view.verbose and (alike := self.titles.alike(step)):
                blocks: Iterable[Block] = [Note(tr("Time steps {first} to {last} go the same way.", **alike))]
            elif phase == "update" and step.kernel in rules and self._of_many(step):
                moved = step.ref.removesuffix("_new") in self.problem.params
                same = Note(tr("The other parameters go by the same rule; -v works it out for each."))
                blocks = [same, *self._all_at_once(step.ref)] if moved else []
            else:
                if (title := self.titles.of(step)) not in ("", heading):
                    heading = title
                    yield Heading(title, 2)
                blocks = self.step(step)
            for block in blocks:
                if not (isinstance(block, Note) and block in said):
                    yield block
                said.add(block)
            rules.add(step.kernel)
        if phase == "update":
            yield from self.frozen()

    def _of_many(self, step: Step) -> bool:
        """Whether an update belongs to one parameter of many, so that its rule need not be worked out once more."""
        params = self.problem.params
        many = sum(map(np.size, params.values())) > MANY
        return many and not self.view.verbose and step.ref.removesuffix("_new").endswith(tuple(params))

    def step(self, step: Step) -> Iterator[Block]:
        """One step: its formula, entries worked out, all results, and what is to be said about them."""
        if self.view.show != "numbers":
            yield from self.formula(step)
        if step.kernel.doc and (step.phase == "backward" or self.view.verbose):
            yield Note(tr(step.kernel.doc))
        size = int(np.size(self.trace[step.ref]))
        matrix = self._table(step.ref).ndim > 1 or size > FEW
        few = 1 if matrix and step.phase == "backward" else FEW if step.phase != "update" else 2 * FEW
        count = size if size <= few or (self.view.verbose and size <= TALL * WIDE) else min(3, few)
        shape = np.shape(self.trace[step.ref])
        for flat in range(count):
            place = tuple(map(int, np.unravel_index(flat, shape))) if shape else ()
            yield worked_out(self.notation, step, place, self.view.digits, symbols=self.view.show == "symbols")
        if matrix and (count < size or step.phase == "backward"):
            yield from self._all_at_once(step.ref, count)
        yield from map(Note, remarks(self.notation, step, self.view.digits))

    def formula(self, step: Step) -> Iterator[Block]:
        """A step's formula alone."""
        yield Formula(self.notation.formula(step))

    def frozen(self) -> Iterator[Block]:
        if self.problem.frozen:
            names = ", ".join(map(self.notation.name, self.problem.frozen))
            yield Note(tr("Frozen, so not updated: {names}.", names=names))

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

    def _all_at_once(self, ref: str, worked: int = 0) -> Iterator[Block]:
        """Every entry in a matrix, or in several; a summary if there are too many. The first `worked` were shown."""
        table = self._table(ref)
        (rows, columns), many = np.atleast_2d(table).shape[-2:], table.ndim > 2
        if columns > WIDE or rows > TALL or (many and table.size > WIDE * TALL):
            yield Fact(self.notation.name(ref), self._summary(ref), 4)
            return
        for lead in np.ndindex(table.shape[:-2]):
            yield self._matrix(ref, table[lead], lead, worked)
            worked = 0

    def _matrix(self, ref: str, table: Any, lead: tuple[int, ...], worked: int) -> Matrix:
        """The entries of a value in rows and columns; `lead` says where on the axes before these."""
        axes = self.notation.axes[ref][-table.ndim :]
        before = (0,) * (np.ndim(self.trace[ref]) - table.ndim - len(lead)) + lead
        rows = [f"{axes[0]}={row + 1}" for row in range(len(table))] if table.ndim == 2 else [""]
        columns = [f"{axes[-1]}={column + 1}" for column in range(table.shape[-1])]
        names = np.array([self.notation.entry(ref, before + place) for place in np.ndindex(table.shape)])
        which = self.notation.index(ref, (*(place + 1 for place in before), "·", "·")) if lead else ""
        return Matrix(
            self.notation.name(ref, which),
            tuple(rows),
            tuple(columns),
            tuple(tuple(map(self._number, row)) for row in np.atleast_2d(table)),
            tuple(map(tuple, names.reshape(len(rows), len(columns)).tolist())),
            worked,
        )

    def _summary(self, ref: str) -> str:
        value = np.asarray(self.trace[ref], float)
        return tr(
            "{shape} numbers from {low} to {high}, norm {norm}; first {first}, …",
            shape=" × ".join(map(str, self._table(ref).shape)),
            low=self._number(value.min()),
            high=self._number(value.max()),
            norm=self._number(np.linalg.norm(value)),
            first=", ".join(self._number(entry) for entry in value.ravel()[:4]),
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
        return self.notation.trivial(step.ref)


def conventions() -> str:
    """How a network's values are laid out and counted; a formula in it does not break at the end of a line."""
    text = tr("x is (N, I), W is (outputs, inputs), z~=~a·Wᵀ~+~b, δ~=~∂L/∂z; updates subtract, indices count from 1")
    return text.replace("~", "\N{NO-BREAK SPACE}")


def worked_out(notation: Notation, step: Step, place: tuple[int, ...], digits: int, symbols: bool = False) -> Worked:
    """One entry of a step's result with the numbers put in, or the symbols; what would only repeat is left out."""
    value = result(notation, step, place, digits)
    middle = with_symbols(notation, step, place) if symbols else with_numbers(notation, step, place, digits)
    return Worked(notation.entry(step.ref, place), "" if middle == value else middle, value)
