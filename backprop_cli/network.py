"""A network is layers in a row and a loss at the end; run forward, it leaves a trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from math import prod
from typing import Any, NamedTuple

import numpy as np

from backprop_cli.errors import UsageError, unknown
from backprop_cli.kernel import Kernel
from backprop_cli.layers import ACTIVATIONS, KERNELS, LAYERS, LOSSES, Layer, Needs, Site, Treatment
from backprop_cli.layers.compression import TREATMENTS
from backprop_cli.spec import EXAMPLE, LARGEST, Word, read_net, read_word
from backprop_cli.trace import Plan, Trace

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
            ref = placed.run(trace, ref, Needs(), draw, _made(self.treatments))
        self._run_loss(trace, ref)
        return trace

    def renew(self, trace: Trace) -> None:
        """Put on the tape of a training step what layers carry to the next: `running_mean1_new` and the like."""
        for step in self.needs.renewals:
            trace.run(step.ref, step.kernel, step.phase, **step.operands)

    def _run_loss(self, trace: Trace, output: str) -> None:
        """The loss of each sample, one number for the batch, and what large weights cost."""
        loss = _for_rank(self.loss, np.ndim(trace[output]))
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
            penalty = _for_rank(KERNELS["weight_penalty"], len(self.shapes[weight]), "W")
            trace.run(after, penalty, "loss", J=before, W=weight, l2="l2")


def _for_rank(kernel: Kernel, rank: int, operand: str = "a") -> Kernel:
    """The kernel itself, or the one of the same kind for an operand with more axes: ce_each for a sequence."""
    alike = (found for name, found in KERNELS.items() if name.startswith(f"{kernel.name}_each"))
    return next((found for found in (kernel, *alike) if len(found.formula.axes_of(operand)) == rank), kernel)


def build(
    net: str,
    activation: Sequence[str] | None = None,
    loss: str | None = None,
    reduction: str = "mean",
    bias: bool = True,
    l2: float = 0.0,
    treatments: Mapping[str, float] | None = None,
) -> Network:
    """The network that a description stands for.

    `activation` holds one name for all layers or one for each; only the short form (`3-4-2`) uses it. Without a loss,
    a softmax output gets cross-entropy and any other half the sum of squares. Raises UsageError.
    """
    judge = None if loss is None else read_word(loss)
    for name in activation or ():
        if read_word(name).name not in ACTIVATIONS:
            raise unknown("activation", read_word(name).name, ACTIVATIONS)
    shape, words = read_net(net, activation, last="softmax" if judge and judge.name == "ce" else "sigmoid")
    plan, needs = Plan(x=np.broadcast_to(0.0, (2, *shape))), Needs()
    layers, ref = _place(words, bias, plan, "x", needs)
    if treatments:
        needs, plan, ref = Needs(), Plan(x=plan["x"]), "x"
        for placed in layers:
            ref = placed.run(plan, ref, needs, _half, _made(treatments))
    if not any(not placed.layer.bends for placed in layers):
        raise UsageError("net {net!r} has no layer; write a net like {example}", net=net, example=EXAMPLE)
    last = layers[-1].layer.word
    judge = judge or Word("ce" if last == "softmax" else "half_sse")
    if judge.name not in LOSSES:
        raise unknown("loss", judge.name, LOSSES)
    _check_loss(judge.name, last)
    if reduction not in ("mean", "sum"):
        raise unknown("reduction", reduction, ("mean", "sum"))
    kernel = LOSSES[judge.name]
    output = np.shape(plan[ref])[1:]
    if len(_for_rank(kernel, 1 + len(output)).formula.axes_of("a")) != 1 + len(output):
        raise UsageError(
            "loss {loss} takes one row of outputs for each sample, not shape {shape}; a flatten may be missing",
            loss=judge.name,
            shape=output,
        )
    settings = judge.settings(kernel.options, kernel.ranges)
    network = Network(shape, layers, kernel, settings, needs, output, reduction, l2, treatments or {})
    count = sum(map(prod, needs.shapes.values()))
    if count > LARGEST:
        raise UsageError(
            "net {net!r} has {count:,} parameters; the most this program takes is {most:,}",
            net=net,
            count=count,
            most=LARGEST,
        )
    return network


def _place(
    words: Sequence[Word], bias: bool, plan: Plan, ref: str, needs: Needs, number: int = 0
) -> tuple[tuple[Placed, ...], str]:
    """Number the layers and run them on the plan; each weighted sum that lacks an activation gets the identity.

    A layer with weights begins a new number; one without goes by the number of the layer before it, or of the last in
    its brackets. Where another of its kind has that number, it gets the next.
    """
    placed: list[Placed] = []

    def add(one: Placed, word: str) -> int:
        nonlocal ref
        try:
            one = one._replace(number=_free(one, plan, ref))
            ref = one.run(plan, ref, needs, _half)
        except UsageError as error:
            raise UsageError("layer {word}: {fault}", word=word, fault=error) from None
        placed.append(one)
        return one.number

    for word in words:
        layer = LAYERS.get(word.name if bias else f"{word.name}_no_bias") or LAYERS.get(word.name)
        if layer is None:
            raise unknown("layer", word.name, [name for name in LAYERS if not name.endswith("_no_bias")])
        if layer.bends and placed and placed[-1].layer.bends:
            raise UsageError(
                "{first} {second}: two activations in a row; put a layer between them",
                first=placed[-1].layer.word,
                second=word.name,
            )
        if layer.kernel and layer.kernel.target == "z" and _is_sum(plan, ref):
            add(Placed(LAYERS["identity"], number), "identity")
        sizes, options = _sizes(layer, word)
        # what is in brackets is planned on a tape of its own, for the numbers; then once more as part of the layer
        inner, _ = _place(word.inner, bias, Plan(**plan.values), ref, Needs(), number)
        own = max(number + 1 if layer.weights else max(number, 1), *(part.number for part in inner), 0)
        own = add(Placed(layer, own, sizes, options, inner), word.name)
        number = own if layer.weights or inner or number else 0
    if _is_sum(plan, ref):
        add(Placed(LAYERS["identity"], number), "identity")
    return tuple(placed), ref


def _made(treatments: Mapping[str, float]) -> Treatments:
    """What is to be done to the weights, ready to be done."""
    return [partial(TREATMENTS[name], amount) for name, amount in treatments.items()]


def _half(shape: Shape) -> Any:
    """What a plan draws: no numbers at random, and none that take room."""
    return np.broadcast_to(0.5, shape)


def _is_sum(plan: Plan, ref: str) -> bool:
    """Whether a value is a weighted sum z, which wants an activation."""
    made = plan.producer(ref)
    return made is not None and made.kernel.target == "z" and ref[0] == "z"


def _free(one: Placed, plan: Plan, ref: str) -> int:
    """The first number, from its own on, under which a layer can be put on the plan: no name is taken."""
    for number in range(one.number, one.number + len(plan.values)):
        with suppress(ValueError):
            one._replace(number=number).run(Plan(**plan.values), ref, Needs(), _half)
            return number
    return one.number + len(plan.values)


def _sizes(layer: Layer, word: Word) -> tuple[dict[str, int], dict[str, float]]:
    """The sizes a word gives its layer, dense64 or conv32(3), and its options' values. Raises UsageError."""
    if word.sizes and not layer.sizes:
        raise UsageError("{name}{size}: an activation has no size; write {name}", name=word.name, size=word.sizes[0])
    given = [*word.sizes, *word.args[: max(0, len(layer.sizes) - len(word.sizes))]]
    if any(size != int(size) for size in given) or (layer.sizes and not layer.options and word.options):
        raise UsageError(
            "layer {name}: its size is one whole number, as in {name}64, and it has no options", name=word.name
        )
    if len(given) < len(layer.sizes):
        raise UsageError("layer {name!r} needs a size, e.g. {name}64", name=word.name)
    if not all(1 <= size <= LARGEST for size in given):
        raise UsageError(
            "layer {name}{size}: a layer has from 1 to {most:,} units", name=word.name, size=given[0], most=LARGEST
        )
    rest = word._replace(args=word.args[len(given) - len(word.sizes) :])
    return dict(zip(layer.sizes, map(int, given), strict=True)), rest.settings(layer.options, layer.ranges)


def _check_loss(loss: str, activation: str) -> None:
    """Cross-entropies need outputs that are probabilities. Raises UsageError."""
    if loss == "ce" and activation != "softmax":
        raise UsageError(
            "loss ce needs a softmax output, not {activation}; use softmax, or bce_sum with sigmoid",
            activation=activation,
        )
    if loss in ("bce", "bce_sum") and activation not in ("sigmoid", "softmax"):
        raise UsageError(
            "loss {loss} needs outputs between 0 and 1, so a sigmoid output, not {activation}",
            loss=loss,
            activation=activation,
        )
