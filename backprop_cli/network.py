"""A network is layers in a row and a loss at the end; run forward, it leaves a trace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

from backprop_cli.errors import UsageError, unknown
from backprop_cli.kernel import Kernel
from backprop_cli.language import tr
from backprop_cli.layers import ACTIVATIONS, KERNELS, LAYERS, LOSSES, Layer
from backprop_cli.spec import EXAMPLE, LARGEST, Word, read_net, read_word
from backprop_cli.trace import Trace


class Placed(NamedTuple):
    """A layer in its place: the number it goes by, its sizes, and its options' values."""

    kernel: Kernel
    number: int
    sizes: Mapping[str, int]
    options: Mapping[str, float]

    def shapes(self, incoming: tuple[int, ...]) -> tuple[dict[str, tuple[int, ...]], tuple[int, ...]]:
        """The shapes of its parameters, by their names on the tape, and of what it gives for `incoming`."""
        formula = self.kernel.formula
        activation, *weights = self.kernel.parameters
        sizes = formula.bind({activation: incoming}, **self.sizes)
        shapes = {
            f"{name}{self.number}": tuple(sizes[axis] for axis in formula.axes_of(name))
            for name in weights
            if name not in self.kernel.options
        }
        return shapes, formula.shape(formula.target, sizes)

    def run(self, trace: Trace, incoming: str) -> str:
        """Put the layer on the tape. Returns the name of what it gives."""
        activation, *others = self.kernel.parameters
        refs = {activation: incoming} | {name: f"{name}{self.number}" for name in others}
        for name, value in self.options.items():
            trace.leaf(refs[name], value)
        return trace.run(f"{self.kernel.target}{self.number}", self.kernel, "forward", **refs)


@dataclass(frozen=True)
class Network:
    """Layers, and the loss that judges what comes out of the last of them."""

    inputs: int
    layers: tuple[Placed, ...]
    loss: Kernel
    loss_options: Mapping[str, float]
    reduction: str = "mean"
    l2: float = 0.0

    @property
    def activations(self) -> list[str]:
        """The activation of each layer, by name."""
        return [layer.kernel.name for layer in self.layers if layer.kernel.target == "a"]

    def check_layer(self, number: int) -> None:
        """Raises UsageError if the network has no layer of this number."""
        if number > self.layers[-1].number:
            last = self.layers[-1].number
            raise UsageError("there is no layer {number}; the net has layers 1 to {last}", number=number, last=last)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Every parameter's shape by name, in order: W1, b1, W2, …"""
        return self._walk()[0]

    @property
    def outputs(self) -> int:
        """How many numbers come out for each sample."""
        return self._walk()[1][-1]

    def _walk(self) -> tuple[dict[str, tuple[int, ...]], tuple[int, ...]]:
        shapes: dict[str, tuple[int, ...]] = {}
        current: tuple[int, ...] = (1, self.inputs)
        for layer in self.layers:
            more, current = layer.shapes(current)
            shapes |= more
        return shapes, current

    def forward(self, params: Mapping[str, Any], x: Any, y: Any) -> Trace:
        """The forward pass and the loss: x is (N, inputs), y is (N, outputs)."""
        trace = Trace(x=x, y=y, **params)
        ref = "x"
        for layer in self.layers:
            ref = layer.run(trace, ref)
        self._run_loss(trace, ref)
        return trace

    def _run_loss(self, trace: Trace, output: str) -> None:
        """The loss of each sample, one number for the batch, and what large weights cost."""
        last = self.layers[-1].kernel
        kernel = next(
            (found for found in KERNELS.values() if (found.plain, found.inner) == (self.loss, last)), self.loss
        )
        refs = {"a": output, "z": f"z{self.layers[-1].number}", "y": "y"}
        refs |= {name: trace.leaf(name, value) for name, value in self.loss_options.items()}
        trace.run("E", kernel, "loss", **{name: refs[name] for name in kernel.operands})

        weights = [name for name, shape in self.shapes.items() if len(shape) > 1] if self.l2 else []
        names = [f"J{number}" for number in range(len(weights))] + ["L"]
        trace.run(names[0], KERNELS["total" if self.reduction == "sum" else "mean"], "loss", E="E")
        if weights:
            trace.leaf("l2", self.l2)
        for weight, before, after in zip(weights, names, names[1:], strict=False):
            trace.run(after, KERNELS["weight_penalty"], "loss", J=before, W=weight, l2="l2")


def build(
    net: str,
    activation: Sequence[str] | None = None,
    loss: str | None = None,
    reduction: str = "mean",
    bias: bool = True,
    l2: float = 0.0,
) -> Network:
    """The network that a description stands for.

    `activation` holds one name for all layers or one for each; only the short form (`3-4-2`) uses it. Without a loss,
    a softmax output gets cross-entropy and any other half the sum of squares. Raises UsageError.
    """
    judge = None if loss is None else read_word(loss)
    for name in activation or ():
        if read_word(name).name not in ACTIVATIONS:
            raise unknown("activation", read_word(name).name, ACTIVATIONS)
    inputs, words = read_net(net, activation, last="softmax" if judge and judge.name == "ce" else "sigmoid")
    layers = _place(words, bias)
    if not any(layer.sizes for layer in layers):
        raise UsageError("net {net!r} has no layer; write a net like {example}", net=net, example=tr(EXAMPLE))
    last = layers[-1].kernel.name
    judge = judge or Word("ce" if last == "softmax" else "half_sse")
    if judge.name not in LOSSES:
        raise unknown("loss", judge.name, LOSSES)
    _check_loss(judge.name, last)
    if reduction not in ("mean", "sum"):
        raise unknown("reduction", reduction, ("mean", "sum"))
    kernel = LOSSES[judge.name]
    network = Network(inputs, layers, kernel, judge.settings(kernel.options, kernel.ranges), reduction, l2)
    count = sum(map(prod, network.shapes.values()))
    if count > LARGEST:
        raise UsageError(
            "net {net!r} has {count:,} parameters; the most this program takes is {most:,}",
            net=net,
            count=count,
            most=LARGEST,
        )
    return network


def _place(words: Sequence[Word], bias: bool) -> tuple[Placed, ...]:
    """Number the layers, and give each one that lacks an activation the identity, so that every z has its a."""
    placed: list[Placed] = []
    number = 0
    for word in words:
        layer = LAYERS.get(word.name if bias else f"{word.name}_no_bias") or LAYERS.get(word.name)
        if layer is None:
            raise unknown("layer", word.name, [name for name in LAYERS if not name.endswith("_no_bias")])
        bends = layer.kernel.target == "a"
        if placed and (placed[-1].kernel.target == "a") == bends:
            if bends:
                raise UsageError(
                    "{first} {second}: two activations in a row; put a layer between them",
                    first=placed[-1].kernel.name,
                    second=word.name,
                )
            placed.append(Placed(KERNELS["identity"], number, {}, {}))
        number += not bends
        sizes = _sizes(layer, word)
        placed.append(
            Placed(
                layer.kernel, number, sizes, {} if sizes else word.settings(layer.kernel.options, layer.kernel.ranges)
            )
        )
    if placed and placed[-1].kernel.target != "a":
        placed.append(Placed(KERNELS["identity"], number, {}, {}))
    return tuple(placed)


def _sizes(layer: Layer, word: Word) -> dict[str, int]:
    """The sizes a word gives its layer: dense64 has 64 outputs. Raises UsageError."""
    if layer.sizes and (word.options or any(size != int(size) for size in word.args)):
        raise UsageError(
            "layer {name}: its size is one whole number, as in {name}64, and it has no options", name=word.name
        )
    given = [*([] if word.size is None else [word.size]), *map(int, word.args)] if layer.sizes else []
    if word.size is not None and not layer.sizes:
        raise UsageError("{name}{size}: an activation has no size; write {name}", name=word.name, size=word.size)
    if len(given) != len(layer.sizes):
        raise UsageError("layer {name!r} needs a size, e.g. {name}64", name=word.name)
    if not all(1 <= size <= LARGEST for size in given):
        raise UsageError(
            "layer {name}{size}: a layer has from 1 to {most:,} units", name=word.name, size=given[0], most=LARGEST
        )
    return dict(zip(layer.sizes, given, strict=True))


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
