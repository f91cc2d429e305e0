"""From a description to a network: the layers' numbers, their sizes, and what cannot go together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from math import prod
from typing import Any

import numpy as np

from backprop_cli.errors import UsageError, unknown
from backprop_cli.language import plural
from backprop_cli.layers import ACTIVATIONS, LAYERS, LOSSES, Layer, Needs
from backprop_cli.network import Network, Placed, Shape, for_rank, made
from backprop_cli.spec import EXAMPLE, LARGEST, Word, read_net, read_word
from backprop_cli.trace import Plan

SAMPLES = 2
"""So many samples a network is planned with; in a message they are called N."""


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
    plan, needs = Plan(x=np.broadcast_to(0.0, (SAMPLES, *shape))), Needs()
    layers, ref = _place(words, bias, plan, "x", needs)
    if treatments:
        needs, plan, ref = Needs(), Plan(x=plan["x"]), "x"
        for placed in layers:
            ref = placed.run(plan, ref, needs, _half, made(treatments))
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
    if len(for_rank(kernel, 1 + len(output)).formula.axes_of("a")) != 1 + len(output):
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
            fault = f"{error}".replace(f"({SAMPLES}, ", "(N, ")
            raise UsageError("layer {word}: {fault}", word=word, fault=fault) from None
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


def _half(shape: Shape) -> Any:
    """What a plan draws: no numbers at random, and none that take room."""
    return np.broadcast_to(0.5, shape)


def _is_sum(plan: Plan, ref: str) -> bool:
    """Whether a value is a weighted sum z, which wants an activation."""
    step = plan.producer(ref)
    return step is not None and step.kernel.target == "z" and ref[0] == "z"


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
    if len(word.sizes) > len(layer.sizes):
        raise UsageError(
            "layer {name}: it takes {count}, as in {example}",
            name=word.name + "x".join(map(str, word.sizes)),
            count=plural(len(layer.sizes), "size"),
            example=word.name + "x".join(["64"] * len(layer.sizes)),
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
