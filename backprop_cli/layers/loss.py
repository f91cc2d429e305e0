"""A loss says with one number how far the outputs are from the targets.

Each kernel gives E[n], the loss of one sample; `mean` or `total` then makes L of them. Every loss declares the gradient
of the target y as well: an autoencoder's target is its own input.
"""

from typing import Any

import numpy as np

from backprop_cli.kernel import kernel
from backprop_cli.layers.activation import sigmoid, softplus
from backprop_cli.layers.softmax import log_softmax, softmax

# --- squared errors -------------------------------------------------------------------------------------------------


@kernel("E[n] = mean[o]((a[n,o] - y[n,o])**2)")
def mse(a: Any, y: Any) -> Any:
    """Mean of the squared errors over the outputs (PyTorch, Keras)."""
    return ((a - y) ** 2).mean(-1)


@mse.gradient("da[n,o] = dE[n] * 2 * (a[n,o] - y[n,o]) / size[o]")
def mse_da(dE: Any, a: Any, y: Any) -> Any:
    return dE[..., None] * 2 * (a - y) / a.shape[-1]


@mse.gradient("dy[n,o] = dE[n] * 2 * (y[n,o] - a[n,o]) / size[o]")
def mse_dy(dE: Any, a: Any, y: Any) -> Any:
    return dE[..., None] * 2 * (y - a) / a.shape[-1]


@kernel("E[n] = sum[o]((a[n,o] - y[n,o])**2)")
def sse(a: Any, y: Any) -> Any:
    """Sum of the squared errors over the outputs."""
    return ((a - y) ** 2).sum(-1)


@sse.gradient("da[n,o] = dE[n] * 2 * (a[n,o] - y[n,o])")
def sse_da(dE: Any, a: Any, y: Any) -> Any:
    return dE[..., None] * 2 * (a - y)


@sse.gradient("dy[n,o] = dE[n] * 2 * (y[n,o] - a[n,o])")
def sse_dy(dE: Any, a: Any, y: Any) -> Any:
    return dE[..., None] * 2 * (y - a)


@kernel("E[n] = sum[o]((a[n,o] - y[n,o])**2) / 2")
def half_sse(a: Any, y: Any) -> Any:
    """Half the sum of the squared errors: the half cancels the 2 of the derivative (most textbooks)."""
    return ((a - y) ** 2).sum(-1) / 2


@half_sse.gradient("da[n,o] = dE[n] * (a[n,o] - y[n,o])")
def half_sse_da(dE: Any, a: Any, y: Any) -> Any:
    return dE[..., None] * (a - y)


@half_sse.gradient("dy[n,o] = dE[n] * (y[n,o] - a[n,o])")
def half_sse_dy(dE: Any, a: Any, y: Any) -> Any:
    return dE[..., None] * (y - a)


# --- errors that do not grow with the square ------------------------------------------------------------------------


@kernel("E[n] = mean[o](abs(a[n,o] - y[n,o]))")
def mae(a: Any, y: Any) -> Any:
    """Mean of the absolute errors; at a = y it has a kink, where the slope 0 is used."""
    return np.maximum(a - y, y - a).mean(-1)


@mae.gradient("da[n,o] = dE[n] * ((a[n,o] > y[n,o]) - (a[n,o] < y[n,o])) / size[o]")
def mae_da(dE: Any, a: Any, y: Any) -> Any:
    return dE[..., None] * np.sign((a - y).real) / a.shape[-1]


@mae.gradient("dy[n,o] = dE[n] * ((a[n,o] < y[n,o]) - (a[n,o] > y[n,o])) / size[o]")
def mae_dy(dE: Any, a: Any, y: Any) -> Any:
    return dE[..., None] * np.sign((y - a).real) / a.shape[-1]


@kernel(
    "E[n] = mean[o](where(abs(a[n,o] - y[n,o]) <= delta, (a[n,o] - y[n,o])**2 / 2,"
    " delta * (abs(a[n,o] - y[n,o]) - delta / 2)))"
)
def huber(a: Any, y: Any, delta: float = 1.0) -> Any:
    """Squared near the target, straight far from it, so that one outlier does not rule the step. (Huber 1964)"""
    error = np.maximum(a - y, y - a)
    return np.where(error.real <= delta, error**2 / 2, delta * (error - delta / 2)).mean(-1)


@huber.gradient("da[n,o] = dE[n] * max(-delta, min(delta, a[n,o] - y[n,o])) / size[o]")
def huber_da(dE: Any, a: Any, y: Any, delta: float) -> Any:
    return dE[..., None] * np.clip(a - y, -delta, delta) / a.shape[-1]


@huber.gradient("dy[n,o] = dE[n] * max(-delta, min(delta, y[n,o] - a[n,o])) / size[o]")
def huber_dy(dE: Any, a: Any, y: Any, delta: float) -> Any:
    return dE[..., None] * np.clip(y - a, -delta, delta) / a.shape[-1]


# --- cross-entropies ------------------------------------------------------------------------------------------------


@kernel("E[n] = -mean[o](y[n,o] * log(a[n,o]) + (1 - y[n,o]) * log(1 - a[n,o]))")
def bce(a: Any, y: Any) -> Any:
    """Binary cross-entropy, the mean over the outputs (PyTorch, Keras)."""
    return -(_times_log(y, a) + _times_log(1 - y, 1 - a)).mean(-1)


@bce.gradient("da[n,o] = dE[n] * (a[n,o] - y[n,o]) / (a[n,o] * (1 - a[n,o])) / size[o]")
def bce_da(dE: Any, a: Any, y: Any) -> Any:
    return dE[..., None] * (a - y) / (a * (1 - a)) / a.shape[-1]


@bce.gradient("dy[n,o] = dE[n] * (log(1 - a[n,o]) - log(a[n,o])) / size[o]")
def bce_dy(dE: Any, a: Any) -> Any:
    return dE[..., None] * (np.log(1 - a) - np.log(a)) / a.shape[-1]


@bce.fused(sigmoid)
def sigmoid_bce(z: Any, y: Any) -> Any:
    """The same from the logits: log(1 + e^z) − y·z, exact however large z is."""
    return (softplus.body(z) - y * z).mean(-1)


@sigmoid_bce.gradient("dz[n,o] = dE[n] * (a[n,o] - y[n,o]) / size[o]")
def sigmoid_bce_dz(dE: Any, a: Any, y: Any) -> Any:
    """σ′ does not appear: ∂L/∂a has a(1 − a) below the line, and the slope σ′ = a(1 − a) cancels it."""
    return dE[..., None] * (a - y) / a.shape[-1]


@sigmoid_bce.gradient("dy[n,o] = -dE[n] * z[n,o] / size[o]")
def sigmoid_bce_dy(dE: Any, z: Any) -> Any:
    return -dE[..., None] * z / z.shape[-1]


@kernel("E[n] = -sum[o](y[n,o] * log(a[n,o]) + (1 - y[n,o]) * log(1 - a[n,o]))")
def bce_sum(a: Any, y: Any) -> Any:
    """Binary cross-entropy, the sum over the outputs (article 4)."""
    return -(_times_log(y, a) + _times_log(1 - y, 1 - a)).sum(-1)


@bce_sum.gradient("da[n,o] = dE[n] * (a[n,o] - y[n,o]) / (a[n,o] * (1 - a[n,o]))")
def bce_sum_da(dE: Any, a: Any, y: Any) -> Any:
    return dE[..., None] * (a - y) / (a * (1 - a))


@bce_sum.gradient("dy[n,o] = dE[n] * (log(1 - a[n,o]) - log(a[n,o]))")
def bce_sum_dy(dE: Any, a: Any) -> Any:
    return dE[..., None] * (np.log(1 - a) - np.log(a))


@bce_sum.fused(sigmoid)
def sigmoid_bce_sum(z: Any, y: Any) -> Any:
    """The same from the logits."""
    return (softplus.body(z) - y * z).sum(-1)


@sigmoid_bce_sum.gradient("dz[n,o] = dE[n] * (a[n,o] - y[n,o])")
def sigmoid_bce_sum_dz(dE: Any, a: Any, y: Any) -> Any:
    """σ′ does not appear: ∂L/∂a has a(1 − a) below the line, and the slope σ′ = a(1 − a) cancels it."""
    return dE[..., None] * (a - y)


@sigmoid_bce_sum.gradient("dy[n,o] = -dE[n] * z[n,o]")
def sigmoid_bce_sum_dy(dE: Any, z: Any) -> Any:
    return -dE[..., None] * z


@kernel("E[n] = -sum[o](y[n,o] * log(a[n,o]))")
def ce(a: Any, y: Any) -> Any:
    """Cross-entropy between the targets and a softmax's probabilities."""
    return -_times_log(y, a).sum(-1)


@ce.gradient("da[n,o] = -dE[n] * y[n,o] / a[n,o]")
def ce_da(dE: Any, a: Any, y: Any) -> Any:
    return -dE[..., None] * y / a


@ce.gradient("dy[n,o] = -dE[n] * log(a[n,o])")
def ce_dy(dE: Any, a: Any) -> Any:
    return -dE[..., None] * np.log(a)


@ce.fused(softmax)
def softmax_ce(z: Any, y: Any) -> Any:
    """The same from the logits, exact however large they are."""
    return -(y * log_softmax(z)).sum(-1)


@softmax_ce.gradient("dz[n,o] = dE[n] * (a[n,o] - y[n,o])")
def softmax_ce_dz(dE: Any, a: Any, y: Any) -> Any:
    """The softmax's slopes do not appear: the targets sum to 1, and ∂L/∂a times those slopes comes to a − y."""
    return dE[..., None] * (a - y)


@softmax_ce.gradient("dy[n,o] = -dE[n] * log(exp(z[n,o]) / sum[j](exp(z[n,j])))")
def softmax_ce_dy(dE: Any, z: Any) -> Any:
    return -dE[..., None] * log_softmax(z)


def _times_log(p: Any, q: Any) -> Any:
    """p · log(q), where 0 · log(0) is 0."""
    return np.where(p == 0, 0, p * np.log(np.where(p == 0, 1, q)))


# --- from samples to one number -------------------------------------------------------------------------------------


@kernel("L = mean[n](E[n])")
def mean(E: Any) -> Any:
    """The mean over the batch."""
    return E.mean(-1)


@mean.gradient("dE[n] = dL / size[n]")
def mean_dE(dL: Any, E: Any) -> Any:
    return dL / E.shape[-1] * np.ones_like(E)


@kernel("L = sum[n](E[n])")
def total(E: Any) -> Any:
    """The sum over the batch."""
    return E.sum(-1)


@total.gradient("dE[n] = dL")
def total_dE(dL: Any, E: Any) -> Any:
    return dL * np.ones_like(E)


@kernel("L = J + l2 / 2 * sum[o,i](W[o,i]**2)")
def weight_penalty(J: Any, W: Any, l2: float) -> Any:
    """Large weights cost: half λ times the sum of their squares is added to the loss J so far."""
    return J + l2 / 2 * (W**2).sum((-2, -1))


@weight_penalty.gradient("dJ = dL")
def weight_penalty_dJ(dL: Any) -> Any:
    return dL


@weight_penalty.gradient("dW[o,i] = dL * l2 * W[o,i]")
def weight_penalty_dW(dL: Any, W: Any, l2: float) -> Any:
    return dL * l2 * W
