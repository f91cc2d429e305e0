"""From the losses of the samples to one number L: their mean or sum, and what large weights cost."""

from typing import Any

import numpy as np

from backprop_cli.kernel import kernel

NO_HALF = "The ½ before λ is missing."
NO_PENALTY = "What these weights cost is missing."
CANCELS = "The ½ before λ cancels the 2 of the square."


@kernel("L = mean[n](E[n])")
def mean(E: Any) -> Any:
    """The mean over the batch."""
    return E.sum(-1) / E.shape[-1]


@mean.gradient("dE[n] = dL / size[n]")
def mean_dE(dL: Any, E: Any) -> Any:
    return np.full_like(E, dL / E.shape[-1])


@kernel("L = sum[n](E[n])")
def total(E: Any) -> Any:
    """The sum over the batch."""
    return E.sum(-1)


@total.gradient("dE[n] = dL")
def total_dE(dL: Any, E: Any) -> Any:
    return np.full_like(E, dL)


@kernel("L = J + l2 / 2 * sum[o,i](W[o,i]**2)")
def weight_penalty(J: Any, W: Any, l2: float) -> Any:
    """Large weights cost: half λ times the sum of their squares is added to the loss J so far."""
    return J + l2 / 2 * (W**2).sum((-2, -1))


weight_penalty.mistake("factor_2", "J + l2 * sum[o,i](W[o,i]**2)", NO_HALF)
weight_penalty.mistake("no_penalty", "J", NO_PENALTY)


@weight_penalty.gradient("dJ = dL")
def weight_penalty_dJ(dL: Any) -> Any:
    return dL


@weight_penalty.gradient("dW[o,i] = dL * l2 * W[o,i]")
def weight_penalty_dW(dL: Any, W: Any, l2: float) -> Any:
    return dL * l2 * W


weight_penalty_dW.mistake("factor_2", "dL * 2 * l2 * W[o,i]", CANCELS)


@kernel("L = J + l2 / 2 * sum[o,k,u,v](W[o,k,u,v]**2)")
def weight_penalty_each(J: Any, W: Any, l2: float) -> Any:
    """The same for the windows of a convolution."""
    return J + l2 / 2 * (W**2).sum((-4, -3, -2, -1))


weight_penalty_each.mistake("factor_2", "J + l2 * sum[o,k,u,v](W[o,k,u,v]**2)", NO_HALF)
weight_penalty_each.mistake("no_penalty", "J", NO_PENALTY)


@weight_penalty_each.gradient("dJ = dL")
def weight_penalty_each_dJ(dL: Any) -> Any:
    return dL


@weight_penalty_each.gradient("dW[o,k,u,v] = dL * l2 * W[o,k,u,v]")
def weight_penalty_each_dW(dL: Any, W: Any, l2: float) -> Any:
    return dL * l2 * W


weight_penalty_each_dW.mistake("factor_2", "dL * 2 * l2 * W[o,k,u,v]", CANCELS)
