"""The engine from Python: run a step, look at its numbers, replay it, check it.

    t = bp.step("3-4-2", seed=7)
    t["dW1"]

Everything here is available from the package itself, as `bp.step` after `import backprop_cli as bp`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import StringIO
from typing import Any

import numpy as np

from backprop_cli import claims, numeric
from backprop_cli.addresses import read_address
from backprop_cli.errors import UsageError
from backprop_cli.notation import Notation
from backprop_cli.problem import Problem, load
from backprop_cli.render import terminal
from backprop_cli.render.blocks import Block
from backprop_cli.render.report import Report, View
from backprop_cli.render.screen import Screen
from backprop_cli.render.why import Why
from backprop_cli.trace import Trace, canonical
from backprop_cli.verdict import WITNESSES, Check, Witness

SMALL = 400
"""A network with at most so many parameters has every entry checked numerically during a step."""
SAMPLE = 200
"""Of a larger one, so many entries of each gradient."""
QUICK, PATIENT = 80, 2000
"""How much algebra a step, and an exhaustive check, may ask for: units times their uses in the composed loss."""


@dataclass(frozen=True)
class Run:
    """One training step that has been run. `run["dW1"]` is a value on its tape: an array, or a number.

    δ goes by either of its names, dz1 and delta1.
    """

    problem: Problem
    trace: Trace

    def __getitem__(self, ref: str) -> Any:
        name = canonical(ref)
        if name not in self.trace:
            raise KeyError(f"no {ref} on the tape; there are {', '.join(self.trace.values)}")
        return self.trace[name]

    def replay(self, until: str, **changed: Any) -> Any:
        """The value of `until`, had the values in `changed` been different. Shapes as on the tape."""
        return self.trace.replay(canonical(until), **{canonical(ref): value for ref, value in changed.items()})

    def walk(self, steps: int) -> Iterator[Run]:
        """This run and those that follow, so many in all."""
        run = self
        for step in range(steps):
            run = _run(run.problem.after(run.trace)) if step else run
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
        params = self.problem.params
        size = sum(map(np.size, params.values()))
        most = sample if sample is not None or exhaustive or size <= SMALL else SAMPLE
        if "finite_difference" in witnesses:
            yield from (numeric.finite_difference(self.trace, name, most) for name in params)
        if "complex_step" in witnesses:
            yield from (numeric.complex_step(self.trace, name, most) for name in params)
        if "symbolic" in witnesses:
            from backprop_cli.symbolic import Sympy  # sympy is slow to load, and not needed for anything above

            sympy = Sympy(self.trace)
            if sample is None:
                sample = sympy.affordable(params, PATIENT if exhaustive else QUICK)
            yield from (sympy.check(name, sample) for name in params)

    def why(self, address: str, digits: int = 6, most: int = 8, depth: int = 1) -> Why:
        """The explanation of one number; `address` as people write it, W1[2,3] or delta1[2]. Raises UsageError."""
        ref, place = read_address(address, Notation(self.trace))
        if place is None:
            shape = np.shape(self.trace[ref])
            example = Notation(self.trace).address(ref, (0,) * len(shape))
            raise UsageError(
                f"{address} is a whole array of shape {shape}; ask about one entry of it, such as {example}"
            )
        return Why(self.trace, ref, place, digits, most, depth)

    def checks_of(self, why: Why) -> Iterator[Check]:
        """What the witnesses say about the one gradient that an explanation is about, if there is one."""
        if why.source:
            yield numeric.finite_difference(self.trace, why.source, why.place)
            yield numeric.complex_step(self.trace, why.source, why.place)
            from backprop_cli.symbolic import Sympy

            yield Sympy(self.trace).check(why.source, why.place)

    def compare(self, path: str) -> list[Check]:
        """The gradients claimed in a .npz, .json or .safetensors file, against this run's."""
        claimed = claims.read_claims(path, self.problem.params)
        return [claims.compare(self.trace, name, value) for name, value in claimed.items()]

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


def step(problem: str | None = None, **options: Any) -> Run:
    """Run one training step.

    `problem` is a description (`"3-4-2"`), a preset (`"mazur"`) or the path of a problem file; `options` are the keys
    of such a file, as lists, arrays or text: `bp.step("2-2-1", x=[[1, 2]], loss="mse", seed=7)`. Raises BackpropError.
    """
    return _run(load(problem, **options))


def check(problem: str | None = None, sample: int | None = None, **options: Any) -> list[Check]:
    """Run one step and hold every gradient against all witnesses, in every entry or in `sample` of each."""
    return step(problem, **options).check(sample=sample)


def _run(problem: Problem) -> Run:
    return Run(problem, problem.run())
