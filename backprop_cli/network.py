"""A network is layers in a row and a loss at the end; run forward, it leaves a trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from backprop_cli.errors import UsageError
from backprop_cli.kernel import Kernel
from backprop_cli.layers import KERNELS, Layer, Needs, Site, Treatment
from backprop_cli.layers.compression import TREATMENTS
from backprop_cli.layers.layer import IMAGE
from backprop_cli.trace import Trace

Draw = Callable[[tuple[int, ...]], Any]
Shape = tuple[int, ...]
Treatments = Sequence[Treatment]


class Placed(NamedTuple):
    """A layer in its place: the number it goes by, its sizes, its options' values, and the layers in its brackets."""

    layer: Layer
    number: int
    sizes: Mapping[str, int] = {}
    options: Mapping[str, float] = {}
    inner: tuple[Placed, ...] = ()

    def run(
        self, trace: Trace, incoming: str, needs: Needs, draw: Draw | None = None, treatments: Treatments = ()
    ) -> str:
        """Put the layer on the tape. Returns the name of what it gives; `needs` takes down what it asks for."""

        def inner(ref: str) -> str:
            for placed in self.inner:
                ref = placed.run(trace, ref, needs, draw, treatments)
            return ref

        site = Site(trace, self.number, needs, self.options, draw, inner, treatments)
        return self.layer.put(site, incoming, **self.sizes, **self.options)

    def all(self) -> Iterator[Placed]:
        """The layers in its brackets, and itself."""
        for placed in self.inner:
            yield from placed.all()
        yield self


@dataclass(frozen=True)
class Network:
    """Layers, and the loss that judges what comes out of the last of them. `input` is the shape of one sample."""

    input: Shape
    layers: tuple[Placed, ...]
    loss: Kernel
    loss_options: Mapping[str, float]
    needs: Needs
    output: Shape
    reduction: str = "mean"
    l2: float = 0.0
    treatments: Mapping[str, float] = field(default_factory=dict)

    @property
    def shapes(self) -> Mapping[str, Shape]:
        """The shape of every parameter."""
        return self.needs.shapes

    def memory(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """What layers carry from one training step to the next, as it is before the first."""
        memory = self.needs.memory.items()
        return {name: start(params) if callable(start) else np.full(shape, start) for name, (shape, start) in memory}

    @property
    def bends(self) -> list[Placed]:
        """Every activation, in order."""
        return [placed for outer in self.layers for placed in outer.all() if placed.layer.bends]

    @property
    def activations(self) -> list[str]:
        """The activation of each layer, by name."""
        return [placed.layer.word for placed in self.bends]

    @property
    def vocabulary(self) -> int:
        """How many tokens there are, if the first layer looks its input up in a table; else 0."""
        first = self.layers[0].layer.kernel
        if first is None or first.parameters[0] not in first.formula.indexed:
            return 0
        return next(iter(self.shapes.values()))[0]

    @property
    def images(self) -> bool:
        """Whether a sample is an image: channels, rows and columns."""
        return len(self.input) + 1 == IMAGE

    @property
    def outputs(self) -> int:
        """How many numbers come out for each sample, or for each place of a sequence."""
        return self.output[-1]

    def check_layer(self, number: int) -> None:
        """Raises UsageError if the network has no layer of this number."""
        last = max(placed.number for placed in self.layers)
        if number > last:
            raise UsageError("there is no layer {number}; the net has layers 1 to {last}", number=number, last=last)

    def forward(
        self,
        params: Mapping[str, Any],
        x: Any,
        y: Any,
        draw: Draw | None = None,
        state: Mapping[str, Any] | None = None,
    ) -> Trace:
        """The forward pass and the loss: x is (N, *input), y is (N, *output).

        With `draw`, the network is trained: it gives the random numbers that some layers want, from 0 to 1. Without,
        the network is used: nothing is dropped, and batch normalization goes by what it remembers. `state` holds that.
        """
        memory = {name: value for name, value in (state or {}).items() if name in self.needs.memory}
        trace = Trace(x=x, y=y, **params, **memory)
        ref = "x"
        for placed in self.layers:
            ref = placed.run(trace, ref, Needs(), draw, made(self.treatments))
        self._run_loss(trace, ref)
        return trace

    def renew(self, trace: Trace) -> None:
        """Put on the tape of a training step what layers carry to the next: `running_mean1_new` and the like."""
        for step in self.needs.renewals:
            trace.run(step.ref, step.kernel, step.phase, **step.operands)

    def _run_loss(self, trace: Trace, output: str) -> None:
        """The loss of each sample, one number for the batch, and what large weights cost."""
        loss = for_rank(self.loss, np.ndim(trace[output]))
        made = trace.producer(output)
        last = made.kernel if made else None
        kernel = next((found for found in KERNELS.values() if (found.plain, found.inner) == (loss, last)), loss)
        refs = {"a": output, "y": "y"} | ({"z": made.operands["z"]} if made and "z" in made.operands else {})
        refs |= {name: trace.leaf(name, value) for name, value in self.loss_options.items()}
        trace.run("E", kernel, "loss", **{name: refs[name] for name in kernel.operands})

        weights = [name for name, shape in self.shapes.items() if len(shape) > 1] if self.l2 else []
        names = [f"J{number}" for number in range(len(weights))] + ["L"]
        trace.run(names[0], KERNELS["total" if self.reduction == "sum" else "mean"], "loss", E="E")
        if weights:
            trace.leaf("l2", self.l2)
        for weight, before, after in zip(weights, names, names[1:], strict=False):
            penalty = for_rank(KERNELS["weight_penalty"], len(self.shapes[weight]), "W")
            trace.run(after, penalty, "loss", J=before, W=weight, l2="l2")


def for_rank(kernel: Kernel, rank: int, operand: str = "a") -> Kernel:
    """The kernel itself, or the one of the same kind for an operand with more axes: ce_each for a sequence."""
    alike = (found for name, found in KERNELS.items() if name.startswith(f"{kernel.name}_each"))
    return next((found for found in (kernel, *alike) if len(found.formula.axes_of(operand)) == rank), kernel)


def made(treatments: Mapping[str, float]) -> Treatments:
    """What is to be done to the weights, ready to be done."""
    return [partial(TREATMENTS[name], amount) for name, amount in treatments.items()]
