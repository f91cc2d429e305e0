"""Smaller networks: weights that are pruned count as 0, weights that are quantized lie on a grid.

Neither is a layer of its own: the layers find `prunedW1` or `gridW1` where W1 was asked for. Which weights are pruned,
and how fine the grid is, stands on the tape as an operand, so that gradients and replays need to know nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from backprop_cli.kernel import kernel
from backprop_cli.layers.layer import Site


@kernel("p[o,i] = W[o,i] * mask[o,i]")
def pruned(W: Any, mask: Any) -> Any:
    """Where the mask is 0 the weight counts as 0, and no gradient comes back to it. (Han et al. 2015)"""
    return W * mask


@pruned.gradient("dW[o,i] = dp[o,i] * mask[o,i]")
def pruned_dW(dp: Any, mask: Any) -> Any:
    return dp * mask


@kernel("p[o,k,u,v] = W[o,k,u,v] * mask[o,k,u,v]")
def pruned_each(W: Any, mask: Any) -> Any:
    """The same for the windows of a convolution."""
    return W * mask


@pruned_each.gradient("dW[o,k,u,v] = dp[o,k,u,v] * mask[o,k,u,v]")
def pruned_each_dW(dp: Any, mask: Any) -> Any:
    return dp * mask


@kernel("q[o,i] = W[o,i] + off[o,i]")
def shifted(W: Any, off: Any) -> Any:
    """A rounding as its gradient sees it: what it adds is held fixed."""
    return W + off


@shifted.gradient("dW[o,i] = dq[o,i]")
def shifted_dW(dq: Any) -> Any:
    return dq


@kernel("q[o,i] = round(W[o,i] / spacing) * spacing", held=shifted)
def quantized(W: Any, spacing: Any) -> Any:
    """The weight rounded to the nearest mark of a grid. The gradient goes straight through, as if nothing were rounded.

    (The straight-through estimator: Bengio, Léonard & Courville 2013. The slope itself is 0 nearly everywhere.)
    """
    return np.round(W / spacing) * spacing


@quantized.gradient("dW[o,i] = dq[o,i]")
def quantized_dW(dq: Any) -> Any:
    return dq


@kernel("q[o,k,u,v] = W[o,k,u,v] + off[o,k,u,v]")
def shifted_each(W: Any, off: Any) -> Any:
    """The same for the windows of a convolution."""
    return W + off


@shifted_each.gradient("dW[o,k,u,v] = dq[o,k,u,v]")
def shifted_each_dW(dq: Any) -> Any:
    return dq


@kernel("q[o,k,u,v] = round(W[o,k,u,v] / spacing) * spacing", held=shifted_each)
def quantized_each(W: Any, spacing: Any) -> Any:
    """The same for the windows of a convolution."""
    return np.round(W / spacing) * spacing


@quantized_each.gradient("dW[o,k,u,v] = dq[o,k,u,v]")
def quantized_each_dW(dq: Any) -> Any:
    return dq


PRUNED = "This weight is pruned: it counts as 0."
NOTHING = "This weight is pruned: no gradient comes back to it."
pruned.mistake("no_mask", "W[o,i]", PRUNED)
pruned_each.mistake("no_mask", "W[o,k,u,v]", PRUNED)
pruned_dW.mistake("no_mask", "dp[o,i]", NOTHING)
pruned_each_dW.mistake("no_mask", "dp[o,k,u,v]", NOTHING)
quantized.mistake("not_rounded", "W[o,i]", "That is the weight itself; here it is rounded to the grid.")
quantized_each.mistake("not_rounded", "W[o,k,u,v]", "That is the weight itself; here it is rounded to the grid.")
pruned.remark("mask[o,i] == 0", "{W} is pruned: it counts as 0, and no gradient comes back to it.")
pruned_each.remark("mask[o,k,u,v] == 0", "{W} is pruned: it counts as 0, and no gradient comes back to it.")
ROUNDED = "{W} is rounded to a grid; the gradient goes straight through."
quantized.remark("abs(round(W[o,i] / spacing) * spacing - W[o,i]) > 0", ROUNDED)
quantized_each.remark("abs(round(W[o,k,u,v] / spacing) * spacing - W[o,k,u,v]) > 0", ROUNDED)


def prune(share: float, site: Site, name: str, ref: str) -> str:
    """What a layer is given in the place of its weights: the smallest of them, so large a share, count as 0.

    Which they are is settled before the first step and kept.
    """
    made, shape = site.ref(f"pruned{name}"), site.shape(ref)
    if made in site.trace:
        return made
    mask = site.keep(f"mask{name}", *shape, start=partial(_largest, ref, 1 - share))
    return site.run(pruned if len(shape) == 2 else pruned_each, f"pruned{name}", W=ref, mask=mask)


def _largest(ref: str, share: float, params: Mapping[str, Any]) -> Any:
    """1 for the largest weights of `ref`, so large a share of them, and 0 for the others."""
    weights = abs(np.asarray(params[ref]))
    mask = np.zeros(weights.size)
    mask[np.argsort(-weights, axis=None, kind="stable")[: round(share * weights.size)]] = 1
    return mask.reshape(weights.shape)


def quantize(bits: int, site: Site, name: str, ref: str) -> str:
    """What a layer is given in the place of its weights: so many bits each, 2^bits − 1 marks from −max to max."""
    made, weights = site.ref(f"grid{name}"), site.trace[ref]
    if made in site.trace:
        return made
    spacing = abs(weights).max() / (2 ** (bits - 1) - 1) or 1.0
    given = {"W": ref, "spacing": site.leaf(f"spacing{name}", spacing)}
    return site.run(quantized if np.ndim(weights) == 2 else quantized_each, f"grid{name}", **given)


TREATMENTS: Mapping[str, Callable[..., str]] = {"prune": prune, "quantize": quantize}
"""What can be done to weights before a layer gets them, in this order; each takes one number."""
