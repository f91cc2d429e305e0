"""How a shared step is told: what each part says, what they come to together, and what one batch would have said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from backprop_cli.language import tr
from backprop_cli.notation import Notation, number
from backprop_cli.render.blocks import Block, Fact, Heading, Matrix, Note, Outcome
from backprop_cli.render.report import conventions
from backprop_cli.trace import Trace
from backprop_cli.variations import Federated, Part, Private, Shards, together

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
    yield from (Fact(label, _samples(each, table)) for label, each in zip(labels, step.parts, strict=True))
    yield Heading(tr("GRADIENTS"))
    for name in step.problem.params:
        lines = dict(zip(labels, (each.gradients[name] for each in step.parts), strict=True))
        lines[tr("together")] = together(step.problem, step.parts, name)
        lines[tr("whole batch")] = np.asarray(step.trace[f"d{name}"], float)
        yield table(f"d{name}", lines)
    yield Note(tr("Each shard counts as much as it has samples; that is all a server of workers has to compute."))
    worst = max(map(step.apart, step.problem.params))
    if worst <= SAME * max(1.0, abs(float(step.trace["L"]))):
        text = tr("Shared out or not, the gradient is the same: the largest difference is {worst:.1e}.", worst=worst)
        yield Outcome(True, text)
        return
    text = tr(
        "Shared out, the gradient is another, by up to {worst:.1e}: a layer looks at the batch as a whole, or draws "
        "anew for each shard, as batchnorm and dropout do.",
        worst=worst,
    )
    yield Outcome(False, text)


def private(step: Private, trace: Trace, digits: int) -> Iterator[Block]:
    """How long each sample's gradient is, by what it is shortened, the noise, and the private gradient."""
    table = Table(trace, digits)
    yield from _opening(step.problem.title)
    yield Heading(tr("CLIPPING"))
    for at, each in enumerate(step.parts, 1):
        told = {"norm": table.number(each.norm), "factor": table.number(step.factor(each))}
        yield Fact(tr("sample {number}", number=at), tr("length of its gradient {norm}, times {factor}", **told))
    yield Note(tr("No sample moves the sum of all by more than {clip:g}.", clip=step.clip))
    yield Heading(tr("NOISE"))
    if step.noise:
        yield Note(
            tr(
                "Each entry of the sum gets noise of standard deviation {noise:g} · {clip:g} = {deviation:g}, so that "
                "no sample can be told from it for sure; the sum is then divided by {count}.",
                noise=step.noise,
                clip=step.clip,
                deviation=step.noise * step.clip,
                count=len(step.parts),
            )
        )
    else:
        yield Note(tr("There is none, so nothing is hidden: clipping alone keeps no secret. Add noise=1."))
    for name in step.problem.params:
        lines = {
            tr("clipped mean"): step.clipped(name),
            tr("noise"): step.drawn[name] / len(step.parts),
            tr("private gradient"): step.gradient(name),
            tr("plain gradient"): np.asarray(trace[f"d{name}"], float),
        }
        yield table(f"d{name}", lines)


def federated(step: Federated, trace: Trace, digits: int) -> Iterator[Block]:
    """What each client made of the parameters, their average, and what one step on all samples would have made."""
    table = Table(trace, digits)
    yield from _opening(step.problem.title)
    yield Heading(tr("CLIENTS"))
    labels = [tr("client {number}", number=at) for at in range(1, len(step.results) + 1)]
    for label, (first, end), result in zip(labels, step.edges, step.results, strict=True):
        told = {"first": first + 1, "last": end, "steps": result.step - step.problem.step}
        yield Fact(label, tr("samples {first} to {last}, {steps} steps of its own", **told))
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


def _samples(each: Part, table: Table) -> str:
    told = {"first": each.first + 1, "last": each.end, "loss": table.number(each.loss)}
    return tr("samples {first} to {last}, L = {loss}", **told)
