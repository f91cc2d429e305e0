"""How a shared step is told: what each part says, what they come to together, and what one batch would have said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from backprop_cli.language import plural, tr
from backprop_cli.notation import Notation, number
from backprop_cli.render.blocks import Block, Fact, Heading, Matrix, Note, Outcome
from backprop_cli.render.report import Report, View, conventions
from backprop_cli.trace import Trace
from backprop_cli.variations import Federated, Part, Private, Shards

MOST = 6
"""The most entries of a parameter that are shown in a row."""
SAME = 1e-12
"""Gradients closer than this, for numbers of ordinary size, differ by rounding alone."""


class Table:
    """A few entries of a parameter, one line for each part that has something to say about them."""

    def __init__(self, trace: Trace, digits: int) -> None:
        self.notation = Notation(trace)
        self.digits = digits

    def __call__(self, ref: str, lines: Mapping[str, Any]) -> Matrix:
        """`lines` are arrays of the shape of the value `ref`, each with its label."""
        shape = np.shape(next(iter(lines.values())))
        places = [tuple(map(int, place)) for place in list(np.ndindex(*shape))[:MOST]]
        columns = tuple(self.notation.index(ref, tuple(at + 1 for at in place)) for place in places)
        cells = tuple(tuple(self.number(value[place]) for place in places) for value in lines.values())
        names = tuple(tuple(f"{label}, {self.notation.entry(ref, place)}" for place in places) for label in lines)
        return Matrix(self.notation.name(ref), tuple(lines), columns, cells, names)

    def number(self, value: Any) -> str:
        """A number with as many digits as are asked for."""
        return number(value, self.digits).text


def shards(step: Shards, digits: int) -> Iterator[Block]:
    """Each worker's gradients, their mean, and the gradient of the whole batch beside it."""
    table = Table(step.trace, digits)
    yield from _opening(step.problem.title)
    yield Heading(tr("SHARDS"))
    labels = [tr("shard {number}", number=at) for at in range(1, len(step.parts) + 1)]
    yield from (Fact(label, _part(each, table)) for label, each in zip(labels, step.parts, strict=True))
    yield Heading(tr("GRADIENTS"))
    for name in step.problem.params:
        lines = dict(zip(labels, (each.gradients[name] for each in step.parts), strict=True))
        lines[tr("together")] = step.gradient(name)
        lines[tr("whole batch")] = np.asarray(step.trace[f"d{name}"], float)
        yield table(f"d{name}", lines)
    told = tr("Each shard counts as much as it has samples; that is all a server of workers has to compute.")
    added = tr("The loss is a sum, so the gradients are added up; that is all a server of workers has to compute.")
    yield Note(added if step.added else told)
    yield from _update(step, tr("The update as ever, by the gradient of all shards together."), digits)
    yield _same(step)


def _same(step: Shards) -> Outcome:
    """Whether the shards together say what the whole batch says."""
    worst = max(map(step.apart, step.problem.params))
    if worst <= SAME * max(1.0, abs(float(step.trace["L"]))):
        text = tr("Shared out or not, the gradient is the same: the largest difference is {worst:.1e}.", worst=worst)
        return Outcome(True, text)
    text = tr(
        "Shared out, the gradient is another, by up to {worst:.1e}: a layer looks at the batch as a whole, or draws "
        "anew for each shard, as batchnorm and dropout do.",
        worst=worst,
    )
    return Outcome(False, text)


def private(step: Private, digits: int) -> Iterator[Block]:
    """How long each sample's gradient is, by what it is shortened, the noise, the private gradient and its update."""
    table = Table(step.trace, digits)
    yield from _opening(step.problem.title)
    yield Heading(tr("CLIPPING"))
    for at, each in enumerate(step.parts, 1):
        told = {"norm": table.number(each.norm), "factor": table.number(step.factor(each))}
        yield Fact(tr("sample {number}", number=at), tr("length of its gradient {norm}, times {factor}", **told))
    yield Note(tr("No sample moves the sum of all by more than {clip:g}.", clip=step.clip))
    yield Heading(tr("NOISE"))
    yield from _noise(step)
    for name in step.problem.params:
        lines = {
            tr("clipped sum") if step.divisor == 1 else tr("clipped mean"): step.clipped(name),
            tr("noise"): step.noise_in(name),
            tr("private gradient"): step.gradient(name),
            tr("plain gradient"): np.asarray(step.trace[f"d{name}"], float),
        }
        yield table(f"d{name}", lines)
    yield from _update(step, tr("The update as ever, by the private gradient."), digits)


def _noise(step: Private) -> Iterator[Block]:
    """How much noise there is, and what it is for."""
    if not step.noise:
        yield Note(tr("There is none, so nothing is hidden: clipping alone keeps no secret. Add noise=1."))
        return
    told = {"noise": step.noise, "clip": step.clip, "deviation": step.noise * step.clip}
    yield Note(
        tr(
            "Each entry of the sum gets noise of standard deviation {noise:g} · {clip:g} = {deviation:g}, so that "
            "no sample can be told from it for sure.",
            **told,
        )
    )
    if step.divisor > 1:
        yield Note(tr("The loss is a mean, so the sum is then divided by {count}.", count=step.divisor))


def federated(step: Federated, trace: Trace, digits: int) -> Iterator[Block]:
    """What each client made of the parameters, their average, and what one step on all samples would have made."""
    table = Table(trace, digits)
    yield from _opening(step.problem.title)
    yield Heading(tr("CLIENTS"))
    labels = [tr("client {number}", number=at) for at in range(1, len(step.results) + 1)]
    for label, (first, end), result in zip(labels, step.edges, step.results, strict=True):
        steps = plural(result.step - step.problem.step, "step")
        yield Fact(label, tr("{samples}, {steps} of its own", samples=_samples(first, end), steps=steps))
    yield Heading(tr("PARAMETERS"))
    for name in step.problem.params:
        lines = {tr("before"): step.problem.params[name]}
        lines |= dict(zip(labels, (result.params[name] for result in step.results), strict=True))
        lines[tr("average")] = step.average(name)
        yield table(name, lines)
    after = step.after
    loss = float(after.network.forward(after.params, after.x, after.y)["L"])
    losses = {"before": table.number(trace["L"]), "after": table.number(loss)}
    yield Note(tr("Only parameters travel, never samples. L goes from {before} to {after}.", **losses))


def _opening(title: str) -> Iterator[Block]:
    yield Fact(tr("Conventions"), conventions())
    yield Fact(tr("Problem"), title)


def _update(step: Shards | Private, whose: str, digits: int) -> Iterator[Block]:
    """The part UPDATE of a step's report, by another gradient; `whose` says by which."""
    trace = step.after
    if any(trace.of_phase("update")):
        yield Heading(tr("update").upper())
        yield Note(whose)
        yield from Report(step.problem, trace, View(digits=digits)).steps("update")


def _part(each: Part, table: Table) -> str:
    """The samples of a part, and their loss."""
    return tr("{samples}, L = {loss}", samples=_samples(each.first, each.end), loss=table.number(each.loss))


def _samples(first: int, end: int) -> str:
    """`samples 1 to 4`, counted from 1, or one sample alone."""
    if end - first == 1:
        return tr("sample {number}", number=end)
    return tr("samples {first} to {last}", first=first + 1, last=end)
