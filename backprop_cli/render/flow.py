"""How the gradient flows back through the layers: how long it is in each, and whether it vanishes or explodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import log10, sqrt
from typing import Any

from backprop_cli.language import tr
from backprop_cli.notation import number
from backprop_cli.refs import layer_of
from backprop_cli.render.blocks import Block, Gauge, Note

FAR = 100
"""A gradient so many times shorter in the first layer than in the last has vanished; so many times longer, exploded."""
TINY = 1e-12
"""Below this, how much longer is of no interest."""
DECADES = 6
"""A bar is empty for a gradient so many powers of ten below the longest."""


def by_layer(norms: Mapping[str, float]) -> dict[int, float]:
    """The length of the gradient of all parameters of each layer together."""
    squares: dict[int, float] = {}
    for name, norm in norms.items():
        layer = layer_of(name) or 0
        squares[layer] = squares.get(layer, 0.0) + norm**2
    return {layer: sqrt(square) for layer, square in sorted(squares.items())}


def flow(history: Sequence[dict[str, Any]], digits: int) -> Iterator[Block]:
    """The lengths in the last epoch as bars, each a power of ten apart, and what is to be said about them."""
    lengths = [by_layer(record["gradient_norms"]) for record in history]
    longest = max(lengths[-1].values(), default=0.0)
    for layer, length in lengths[-1].items():
        share = max(0.0, 1 + log10(length / longest) / DECADES) if length > 0 else 0.0
        first = number(lengths[0][layer], digits).text
        text = number(length, digits).text
        yield Gauge(tr("layer {number}", number=layer), text, share, tr("in the first epoch {length}", length=first))
    if len(lengths[-1]) > 1:
        yield from _said(lengths, digits)


def _said(lengths: Sequence[Mapping[int, float]], digits: int) -> Iterator[Block]:
    """Vanishing, exploding, or all well: by the first layer's share of the last one's gradient, in the last epoch."""
    now = lengths[-1]
    first, *_, last = now
    told = {"first": first, "last": last}
    if not any(now.values()):
        yield Note(
            tr(
                "All gradients are 0: nothing is learnt any more. Either every loss is 0, or units are switched off or "
                "saturated; then try a smaller learning rate, smaller weights or another seed."
            )
        )
    elif dead := [layer for layer, length in now.items() if length == 0 and now[last]]:
        yield Note(
            tr(
                "No gradient reaches layer {number}: units after it are switched off or saturated (a ReLU below 0, a "
                "sigmoid or tanh far from 0), or left out. Try a smaller learning rate, smaller weights or another "
                "seed.",
                number=dead[-1],
            )
        )
    elif now[first] * FAR < now[last]:
        yield Note(
            tr(
                "Vanishing gradients: in layer {first} they are {times:,} times shorter than in layer {last}, so it "
                "hardly learns. Try relu, --init he, fewer layers, a residual or a normalization.",
                times=_about(now[last] / now[first]),
                **told,
            )
        )
    elif now[first] > FAR * now[last]:
        yield Note(
            tr(
                "Exploding gradients: in layer {first} they are {times:,} times longer than in layer {last}. "
                "Try smaller weights to start with (--init xavier), or --clip 1.",
                times=_about(now[first] / max(now[last], TINY)),
                **told,
            )
        )
    else:
        yield Note(tr("On their way back the gradients neither vanish nor explode."))


def _about(times: float) -> int:
    """A large number in two digits."""
    return int(float(f"{times:.1e}"))
