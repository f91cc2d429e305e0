"""The engine from Python: run a step, look at its numbers, replay it, check it.

    t = bp.step("3-4-2", seed=7)
    t["dW1"]

Everything here is available from the package itself, as `bp.step` after `import backprop_cli as bp`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from io import StringIO
from typing import Any

import numpy as np

from backprop_cli import claims, numeric
from backprop_cli.addresses import read_address
from backprop_cli.errors import ShapeError, UsageError, unknown
from backprop_cli.expression import Expression, read_expression
from backprop_cli.language import tr
from backprop_cli.notation import Notation
from backprop_cli.paths import completed, unfused
from backprop_cli.problem import Problem, load
from backprop_cli.refs import canonical
from backprop_cli.render import terminal
from backprop_cli.render.blocks import Block
from backprop_cli.render.report import Report, View
from backprop_cli.render.screen import Screen
from backprop_cli.render.whatif import WhatIf, read_change
from backprop_cli.render.why import Why
from backprop_cli.trace import Trace, downstream, held
from backprop_cli.verdict import WITNESSES, Check, Witness, skipped

SMALL = 400
"""A network with at most so many parameters has every entry checked numerically during a step."""
SAMPLE = 200
"""Of a larger one, so many entries of each gradient."""
MOST_PATHS = 400
"""The most paths of one number that algebra is asked about, at a few hundredths of a second each."""


@dataclass(frozen=True, eq=False, repr=False)
class Run:
    """One training step that has been run. `run["dW1"]` is a value on its tape: an array, or a number.

    Values go by the names of the tape, W1, z1, dW1, W1_new, or by an address, W1[2,3], counted from 1. δ goes by
    either of its names, dz1 and delta1. The arrays cannot be changed: ask `replay` what would be, had they been
    different.
    """

    problem: Problem | Expression
    trace: Trace

    def __repr__(self) -> str:
        if isinstance(self.problem, Expression):
            return f"<{self.problem.text}: {self.trace['L']:.6g}>"
        return f"<step {self.problem.step} of {self.problem.net}: L = {self.trace['L']:.6g}>"

    def __getitem__(self, address: str) -> Any:
        ref, place = read_address(address, Notation(self.trace))
        return self.trace[ref] if place is None or "[" not in address else self.trace[ref][place]

    def replay(self, until: str, **changed: Any) -> Any:
        """The value of `until`, had the values in `changed` been different. Shapes as on the tape.

        Raises UsageError for a name that is not on the tape, ShapeError for another shape.
        """
        values = {}
        for name, value in changed.items():
            ref, array = canonical(name), np.asarray(value, float)
            if ref not in self.trace:
                raise unknown("value", name, self.trace.values)
            if array.shape != np.shape(self.trace[ref]):
                raise ShapeError(
                    "{name} has shape {shape}, but on the tape it has {needed}",
                    name=name,
                    shape=array.shape,
                    needed=np.shape(self.trace[ref]),
                )
            values[ref] = array
        if canonical(until) not in self.trace:
            raise unknown("value", until, self.trace.values)
        return self.trace.replay(canonical(until), **values)

    @property
    def name(self) -> str:
        """What was run: a network's description, or an expression."""
        return self.problem.text if isinstance(self.problem, Expression) else self.problem.net

    def check_layer(self, number: int) -> None:
        """Raises UsageError if there is no layer of this number."""
        self._network.network.check_layer(number)

    @property
    def _network(self) -> Problem:
        """The problem, if it is a network's, whose parameters can move. Raises UsageError."""
        if isinstance(self.problem, Expression):
            raise UsageError("an expression has no parameters that move, so there is one step only")
        return self.problem

    @property
    def loss_after(self) -> float:
        """The loss once the step is taken."""
        return float(self._network.after(self.trace).forward()["L"])

    def walk(self, steps: int) -> Iterator[Run]:
        """This run and those that follow, so many in all."""
        run = self
        for step in range(steps):
            run = _run(run._network.after(run.trace)) if step else run
            yield run

    def after(self, steps: int = 1) -> Run:
        """The run so many steps later."""
        run = self
        for run in self.walk(steps + 1):  # noqa: B007  the last one is wanted
            pass
        return run

    def check(self, witnesses: Iterable[Witness] = WITNESSES, sample: int | None = None) -> list[Check]:
        """What the witnesses say about every gradient: all entries, or `sample` of each."""
        return list(self.checks(witnesses, sample, exhaustive=True))

    def checks(
        self, witnesses: Iterable[Witness] = WITNESSES, sample: int | None = None, exhaustive: bool = False
    ) -> Iterator[Check]:
        """The same one by one, the quick ones first.

        Without `sample`, a large network is checked on a sample unless `exhaustive`; even then, algebra that would
        take minutes is done on a sample. Each check says how much it looked at.
        """
        witnesses = tuple(witnesses)
        for name in witnesses:
            if name not in WITNESSES:
                raise unknown("witness", name, WITNESSES)
        params = self.problem.params
        size = sum(map(np.size, params.values()))
        most = sample if sample is not None or exhaustive or size <= SMALL else SAMPLE
        trace = held(self.trace)
        if "finite_difference" in witnesses:
            yield from (_told(trace, numeric.finite_difference(trace, name, most)) for name in params)
        if "complex_step" in witnesses:
            yield from (_told(trace, numeric.complex_step(trace, name, most)) for name in params)
        if "symbolic" in witnesses:
            from backprop_cli import symbolic  # sympy is slow to load, and not needed for anything above

            sympy = symbolic.Sympy(trace, symbolic.PATIENT if exhaustive else symbolic.QUICK)
            if sample is None:
                sample = sympy.affordable(params)
            yield from (_told(trace, sympy.check(name, sample)) for name in params)

    def why(self, address: str, digits: int = 6, most: int = 8, depth: int = 1) -> Why:
        """The explanation of one number; `address` as people write it, W1[2,3] or delta1[2]. Raises UsageError."""
        trace = self._whole
        notation = Notation(trace)
        ref, place = read_address(address, notation)
        if place is None:
            shape = np.shape(trace[ref])
            raise UsageError(
                "{address} is a whole array of shape {shape}; ask about one entry, such as {example}",
                address=address,
                shape=shape,
                example=notation.address(ref, (0,) * len(shape)),
            )
        return Why(trace, ref, place, digits, most, depth)

    @cached_property
    def _whole(self) -> Trace:
        """The tape with the gradients of all that can be asked about: of the inputs and the targets too."""
        if isinstance(self.problem, Expression):
            return self.trace
        return completed(self.trace, [*self.problem.params, "x", "y"])

    def whatif(self, *changes: str, digits: int = 6) -> WhatIf:
        """This step with some numbers changed, each written like `W2[2,1]=-0.5`. Raises UsageError."""
        notation = Notation(self.trace)
        return WhatIf(self.trace, [read_change(change, notation) for change in changes], digits)

    def checks_of(self, why: Why) -> Iterator[Check]:
        """What the witnesses say about the one gradient that an explanation is about, if there is one."""
        if why.source:
            trace = held(unfused(why.trace, why.source))
            yield _told(trace, numeric.finite_difference(trace, why.source, why.place))
            yield _told(trace, numeric.complex_step(trace, why.source, why.place))
            if why.paths.number > MOST_PATHS:
                reason = tr(
                    "along {count:,} paths algebra would take too long; the other witnesses have no such limit",
                    count=why.paths.number,
                )
                yield skipped(trace, f"d{why.source}", "symbolic", reason)
                return
            from backprop_cli.symbolic import Sympy

            yield _told(trace, Sympy(trace).check(why.source, why.place))

    def compare(self, path: str) -> list[Check]:
        """The gradients claimed in a .npz, .json or .safetensors file, against this run's."""
        claimed = claims.read_claims(path, self.problem.params)
        return [
            claims.compare(self.trace, name, claimed[name])
            if name in claimed
            else skipped(self.trace, f"d{name}", "claimed", tr("not in the file"))
            for name in self.problem.params
        ]

    def blocks(self, view: View | None = None, checks: Iterable[Check] = ()) -> Iterator[Block]:
        """The report on the step, block by block."""
        return Report(self.problem, self.trace, view or View()).blocks(checks)

    def __str__(self) -> str:
        text = StringIO()
        terminal.write(self.blocks(), Screen(80, "utf-8", colour=False, plain=False), text)
        return text.getvalue().rstrip()

    def _repr_html_(self) -> str:
        """How a notebook shows it."""
        return terminal.html(self.blocks())


def _told(trace: Trace, check: Check) -> Check:
    """A check that says so, if its way to the loss leads through a rounding that was held fixed."""
    shifted = {step.ref for step in trace.of_phase("forward") if "off" in step.operands}
    if check.verdict == "skipped" or shifted.isdisjoint(downstream(trace.steps, {check.ref.removeprefix("d")})):
        return check
    return check.noting(tr("the rounding held fixed"))


def step(problem: str | Mapping[str, Any] | None = None, **options: Any) -> Run:
    """Run one training step.

    `problem` is a description (`"3-4-2"`), a preset (`"mazur"`), the path of a problem file, or what would stand in
    one; `options` are the keys of such a file, as lists, arrays or text, as in
    `bp.step("2-2-1", x=[[1, 2]], loss="mse", seed=7)`. Raises BackpropError.
    """
    expr, at = options.pop("expr", None), options.pop("at", None)
    if expr is None:
        if at is not None:
            raise UsageError('--at gives the variables of an expression; add --expr, such as --expr "f = x * y"')
        return _run(load(problem, **options))
    if problem is not None or any(value is not None for value in options.values()):
        raise UsageError("an expression stands alone: leave the network and its options out")
    return _run(read_expression(expr, at or ""))


def check(
    problem: str | Mapping[str, Any] | None = None,
    witnesses: Iterable[Witness] = WITNESSES,
    sample: int | None = None,
    **options: Any,
) -> list[Check]:
    """Run one step and hold every gradient against the witnesses, in every entry or in `sample` of each."""
    return step(problem, **options).check(witnesses, sample)


def _run(problem: Problem | Expression) -> Run:
    return Run(problem, problem.run())
