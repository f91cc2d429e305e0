"""Making data fit a network: inputs in its shape, targets in that of its outputs, a text in stretches."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any, NamedTuple

import numpy as np

from backprop_cli.datasets import Dataset
from backprop_cli.errors import ShapeError, UsageError
from backprop_cli.language import plural
from backprop_cli.network import Network
from backprop_cli.samples import check_targets, check_tokens

MOST = 100
"""Whole numbers below this are taken for classes, when a network is to be proposed."""
CONVOLUTION, WINDOW = ("conv8(3)", "relu", "flatten"), 3
"""What a network for images begins with, when one is proposed, and how wide the window is that has to fit in."""


class Part(NamedTuple):
    """Samples x (N, *input) with targets y (N, *output); or with class numbers, that `spelled` turns into targets."""

    x: Any
    y: Any
    spelled: Any = None

    def __len__(self) -> int:
        return len(self.x)

    def at(self, places: Any) -> tuple[Any, Any]:
        """The samples in some places, as the network takes them: x and y."""
        y = self.y.take(places, 0)
        return self.x.take(places, 0), y if self.spelled is None else self.spelled.take(y, 0)

    def pick(self, places: Any) -> Part:
        """The part of this part that lies in some places."""
        return Part(self.x[places], self.y[places], self.spelled)

    def batches(self, size: int) -> Iterator[tuple[Any, Any]]:
        """All samples in order, so many at a time."""
        places = np.arange(len(self))
        return (self.at(places[start : start + size]) for start in range(0, len(self), size))


def fit(network: Network, data: Dataset, x: Any, y: Any) -> Part:
    """Samples of the data in the shapes that the network takes. Raises UsageError or ShapeError."""
    if data.kind == "text":
        x, y = _windows(network, data)
    if prod(x.shape[1:]) != prod(network.input):
        raise ShapeError(
            "the samples of {name} have shape {found}, so {numbers} each, but the net takes {needed}; "
            "a net for them: {example}",
            name=data.name,
            found=_written(x.shape[1:]),
            numbers=plural(prod(x.shape[1:]), "number"),
            needed=_written(network.input),
            example=_example(network, x, y),
        )
    x = _inputs(network, x)
    check_tokens(network, x)
    return _targets(network, x, y, data)


def _windows(network: Network, data: Dataset) -> tuple[Any, Any]:
    """Stretches of a text as long as the network reads, and for each the characters one place further on.

    Where the network knows fewer characters than the text has, the rarest share the last token.
    """
    if not network.vocabulary:
        raise UsageError(
            "{name} is a text, but the net does not begin with an embedding; try gru-lm, or a net like {example}",
            name=data.name,
            example=f"'32 embedding{len(data.names)}x16 gru32 dense{len(data.names)} softmax'",
        )
    tokens = np.minimum(data.x, network.vocabulary - 1)
    length = network.input[0]
    count = (len(tokens) - 1) // length
    if not count:
        raise UsageError(
            "{name} has {found}, but the net reads {length} at a time",
            name=data.name,
            found=plural(len(tokens), "character"),
            length=length,
        )
    x, y = (tokens[first : first + count * length].reshape(count, length) for first in (0, 1))
    return x, y if len(network.output) > 1 else y[:, -1]


def _inputs(network: Network, x: Any) -> Any:
    """x as (N, *input); channels that stand last, as Keras has them, come first."""
    shape = network.input
    if x.ndim == 4 and len(shape) == 3 and x.shape[1:] == (*shape[1:], shape[0]) != shape:
        x = np.moveaxis(x, -1, 1)
    return x.reshape(-1, *shape)


def _example(network: Network, x: Any, y: Any) -> str:
    """A network of the same kind, for images or for numbers in a row, that takes such samples, and what it ends in."""
    classes = y.ndim == 1 and (y == np.floor(y)).all() and y.min() >= 0 and y.max() < MOST
    last = f"dense{int(y.max()) + 1} softmax" if classes else f"dense{prod(y.shape[1:])} identity"
    shape = _channels_first(x.shape[1:])
    if network.images and min(shape[1:], default=0) >= WINDOW:
        return f"'{' '.join(('x'.join(map(str, shape)), *CONVOLUTION, last))}'"
    return f"'{prod(shape)} dense32 relu {last}'"


def _channels_first(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of an image as a network takes it: a grey one has one channel; of 28 × 28 × 3 the last are channels."""
    if len(shape) == 2:
        return (1, *shape)
    return (shape[-1], *shape[:-1]) if len(shape) == 3 and shape[-1] < shape[0] else shape


def _targets(network: Network, x: Any, y: Any, data: Dataset) -> Part:
    """Targets as (N, *output), or class numbers where several outputs share a target."""
    *places, width = network.output
    if width > 1 and np.size(y) == len(x) * prod(places):
        return Part(x, _labels(y.reshape(-1, *places), width, data), np.eye(width))
    if np.size(y) != len(x) * prod(network.output):
        raise ShapeError(
            "the targets of {name} have shape {found}, so {numbers} each, but the net gives {needed}",
            name=data.name,
            found=_written(np.shape(y)[1:]),
            numbers=plural(np.size(y) // len(x), "number"),
            needed=_written(network.output),
        )
    y = y.reshape(-1, *network.output)
    check_targets(network, y, data.place)
    if width > 1 and ((y == 0) | (y == 1)).all() and (y.sum(-1) == 1).all():
        return Part(x, y.argmax(-1), np.eye(width))
    return Part(x, y)


def _labels(y: Any, width: int, data: Dataset) -> Any:
    """Class numbers. Raises UsageError if one is not a whole number from 0, or the network has no output for it."""
    wrong = np.argwhere((y != np.floor(y)) | (y < 0) | (y >= width))
    if len(wrong):
        raise UsageError(
            "{place}: the class is {label:g}, but the net has outputs for 0 … {last}",
            place=data.place(wrong[0][0]),
            label=y[tuple(wrong[0])],
            last=width - 1,
        )
    return y.astype(int)


def _written(shape: tuple[int, ...]) -> str:
    """28 × 28."""
    return " × ".join(map(str, shape)) or "1"
