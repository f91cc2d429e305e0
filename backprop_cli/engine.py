"""One training step after another: the tape of a step, recorded once for each size of batch, and then only replayed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any, NamedTuple

import numpy as np

from backprop_cli.fitting import Part
from backprop_cli.language import tr
from backprop_cli.problem import Problem
from backprop_cli.program import Program
from backprop_cli.refs import layer_of
from backprop_cli.trace import Trace

CHUNK = 200
"""So many samples at a time are evaluated."""


class Taken(NamedTuple):
    """What a step leaves: the moved parameters and what the optimizer remembers, the loss, and the output before it."""

    values: dict[str, Any]
    loss: float
    output: Any


@dataclass(frozen=True, eq=False)
class Tape:
    """The programs for one size of batch. With clipping, a step is in two: up to the gradients, and the update.

    `moved` are the names of what a step moves, before and after it; `chances` the shapes of what is drawn for it.
    """

    step: Program
    update: Program | None
    gradients: Program
    chances: Mapping[str, tuple[int, ...]]
    moved: list[tuple[str, str]]


class Engine:
    """Takes steps of one problem, on whatever samples it is given. `clip` is the longest a gradient may be."""

    def __init__(self, problem: Problem, clip: float | None = None) -> None:
        self.problem, self.clip = problem, clip
        self.moving = [name for name in problem.params if name not in problem.frozen]
        self.output = ""
        self._tapes: dict[int, Tape] = {}
        self._forward: dict[int, Program] = {}

    def record(self, x: Any, y: Any) -> Tape:
        """The tape for batches of this size. Raises UsageError where a number overflows before the update."""
        trace = replace(self.problem, x=x, y=y, numbers={**self.problem.numbers, "lr": 0.0}).run()
        self.output = _output(trace)
        gradients = [f"d{name}" for name in self.moving]
        moved = [f"{ref}_new" for ref in (*self.moving, *self.problem.state) if f"{ref}_new" in trace]
        carried = [f"{ref}_new" for ref in self.problem.network.needs.memory if f"{ref}_new" in trace]
        first, update = moved, None
        if self.clip is not None:
            first = [*gradients, *carried]
            update = Program(_last_part(trace), [ref for ref in moved if ref not in carried])
        step = Program(trace, [*first, "L", self.output], fixed=["dL"])
        after = [(ref.removesuffix("_new"), ref) for ref in moved]
        chances = {ref: np.shape(trace[ref]) for ref in step.leaves if ref in self.problem.network.needs.chances}
        tape = Tape(step, update, Program(trace, gradients, fixed=["dL"]), chances, after)
        self._tapes[len(x)] = tape
        return tape

    def step(self, values: Mapping[str, Any], x: Any, y: Any, lr: float, t: int) -> Taken:
        """The step number `t` (from 1), from parameters and optimizer state in `values`, under np.errstate."""
        tape = self._tapes.get(len(x)) or self.record(x, y)
        given = {**values, "x": x, "y": y, "lr": np.asarray(lr, x.dtype), "t": t, **self._drawn(tape, t)}
        found = tape.step.run(given)
        loss, output = float(found["L"]), found[self.output]
        if tape.update and self.clip is not None:
            gradients = {f"d{name}": found[f"d{name}"] for name in self.moving}
            found |= tape.update.run({**given, **clipped(gradients, self.clip)})
        return Taken({**values, **{ref: found[new] for ref, new in tape.moved}}, loss, output)

    @np.errstate(all="ignore")
    def gradient_norms(self, values: Mapping[str, Any], x: Any, y: Any, t: int) -> dict[str, float]:
        """How long the gradient of each parameter is, before clipping: the root of the sum of squares."""
        tape = self._tapes.get(len(x)) or self.record(x, y)
        found = tape.gradients.run({**values, "x": x, "y": y, **self._drawn(tape, t)})
        return {name: float(np.linalg.norm(found[f"d{name}"])) for name in self.moving}

    @np.errstate(all="ignore")
    def evaluate(self, values: Mapping[str, Any], part: Part) -> tuple[float, Any]:
        """The loss of a part of the data, and the network's outputs; nothing random happens here."""
        total, outputs = 0.0, []
        for x, y in part.batches(CHUNK):
            if len(x) not in self._forward:
                trace = self.problem.network.forward(self.problem.params, x, y)
                self._forward[len(x)] = Program(trace, ["L", _output(trace)])
            loss, output = self._forward[len(x)].run({**values, "x": x, "y": y}).values()
            total += float(loss) * self.weight(len(x))
            outputs.append(output)
        return total / len(part), np.concatenate(outputs)

    def weight(self, size: int) -> int:
        """What the loss of a batch counts in a mean over samples: a sum counts once."""
        return size if self.problem.network.reduction == "mean" else 1

    @np.errstate(all="ignore")
    def fault(self, values: Mapping[str, Any], x: Any, y: Any) -> str:
        """The first value that is no number any more, from the inputs to the loss, and where it belongs."""
        params = {name: values[name] for name in self.problem.params}
        trace = self.problem.network.forward(params, x, y, state=values)
        ref = next((ref for ref, value in trace.values.items() if not np.isfinite(value).all()), "L")
        number = layer_of(ref)
        if ref in params:
            return tr("{ref} of layer {number}, which the update moved too far", ref=ref, number=number)
        return tr("{ref} of layer {number}", ref=ref, number=number) if number else ref

    def _drawn(self, tape: Tape, t: int) -> dict[str, Any]:
        """The random numbers of step `t`, the same that `backprop step` draws for it."""
        if not tape.chances:
            return {}
        draw = np.random.default_rng((self.problem.seed, t)).random
        make = self.problem.network.needs.chances
        return {ref: make[ref](draw(shape)).astype(self.problem.x.dtype) for ref, shape in tape.chances.items()}


def clipped(gradients: Mapping[str, Any], longest: float) -> Mapping[str, Any]:
    """All gradients, shortened by one factor so that together they are no longer than `longest`.

    (Pascanu, Mikolov & Bengio 2013; clip_grad_norm_ in PyTorch)
    """
    length = sqrt(sum(float(np.vdot(gradient, gradient)) for gradient in gradients.values()))
    if not length > longest:
        return gradients
    return {name: gradient * (longest / length) for name, gradient in gradients.items()}


def _last_part(trace: Trace) -> Trace:
    """The update alone; what came before it, the gradients too, is given from outside."""
    part = Trace()
    part.values, part.steps = trace.values, list(trace.of_phase("update"))
    return part


def _output(trace: Trace) -> str:
    """What comes out of the network: what the loss judges."""
    made = trace.producer("E")
    assert made is not None
    return made.operands["a"]
