"""Cross-entropies: how surprised the network is by the truth.

Taken from the probabilities, a loss loses everything once one of them rounds to 0 or 1. So each is also declared fused
with the activation before it: the same formula, computed from the logits z.
"""

from typing import Any

import numpy as np

from backprop_cli.kernel import kernel
from backprop_cli.layers.activation import sigmoid, softplus
from backprop_cli.layers.softmax import log_softmax, softmax

ROUNDED = "A probability has rounded to 0 or 1, and ln(0) is infinite; L is computed from z, which loses nothing."


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


sigmoid_bce.mistake("bce_one_sided", "-mean[o](y[n,o] * log(a[n,o]))", "The second term, of 1 − y, is missing.")
sigmoid_bce.mistake(
    "missing_minus", "mean[o](y[n,o] * log(a[n,o]) + (1 - y[n,o]) * log(1 - a[n,o]))", "The minus in front is missing."
)
sigmoid_bce.remark("sum[o]((a[n,o] <= 0) + (a[n,o] >= 1)) > 0", ROUNDED)


@sigmoid_bce.gradient("dz[n,o] = dE[n] * (a[n,o] - y[n,o]) / size[o]")
def sigmoid_bce_dz(dE: Any, a: Any, y: Any) -> Any:
    """σ′ does not appear: ∂L/∂a has a(1 − a) below the line, and the slope σ′ = a(1 − a) cancels it."""
    return dE[..., None] * (a - y) / a.shape[-1]


sigmoid_bce_dz.mistake(
    "extra_sigma_prime",
    "dE[n] * (a[n,o] - y[n,o]) * a[n,o] * (1 - a[n,o]) / size[o]",
    "With a cross-entropy the slope of the sigmoid cancels; it is a factor too many here.",
)


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


sigmoid_bce_sum.mistake("bce_one_sided", "-sum[o](y[n,o] * log(a[n,o]))", "The second term, of 1 − y, is missing.")
sigmoid_bce_sum.mistake(
    "missing_minus", "sum[o](y[n,o] * log(a[n,o]) + (1 - y[n,o]) * log(1 - a[n,o]))", "The minus in front is missing."
)
sigmoid_bce_sum.remark("sum[o]((a[n,o] <= 0) + (a[n,o] >= 1)) > 0", ROUNDED)


@sigmoid_bce_sum.gradient("dz[n,o] = dE[n] * (a[n,o] - y[n,o])")
def sigmoid_bce_sum_dz(dE: Any, a: Any, y: Any) -> Any:
    """σ′ does not appear: ∂L/∂a has a(1 − a) below the line, and the slope σ′ = a(1 − a) cancels it."""
    return dE[..., None] * (a - y)


sigmoid_bce_sum_dz.mistake(
    "extra_sigma_prime",
    "dE[n] * (a[n,o] - y[n,o]) * a[n,o] * (1 - a[n,o])",
    "With a cross-entropy the slope of the sigmoid cancels; it is a factor too many here.",
)


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


softmax_ce.mistake("missing_minus", "sum[o](y[n,o] * log(a[n,o]))", "The minus in front is missing.")
softmax_ce.mistake(
    "wrong_log",
    "-sum[o](y[n,o] * log(a[n,o])) / log(10)",
    "That is a logarithm to the base 10; here it is the natural one.",
)
softmax_ce.remark("sum[o](a[n,o] <= 0) > 0", ROUNDED)


@softmax_ce.gradient("dz[n,o] = dE[n] * (a[n,o] - y[n,o])")
def softmax_ce_dz(dE: Any, a: Any, y: Any) -> Any:
    """The softmax's slopes do not appear: the targets sum to 1, and ∂L/∂a times those slopes comes to a − y."""
    return dE[..., None] * (a - y)


softmax_ce_dz.mistake(
    "extra_sigma_prime",
    "dE[n] * (a[n,o] - y[n,o]) * a[n,o] * (1 - a[n,o])",
    "With a cross-entropy the softmax's slopes cancel; a(1 − a) is a factor too many here.",
)


@softmax_ce.gradient("dy[n,o] = -dE[n] * log(exp(z[n,o]) / sum[j](exp(z[n,j])))")
def softmax_ce_dy(dE: Any, z: Any) -> Any:
    return -dE[..., None] * log_softmax(z)


@kernel("E[n] = -mean[t](sum[o](y[n,t,o] * log(a[n,t,o])))")
def ce_each(a: Any, y: Any) -> Any:
    """The mean of the cross-entropies at every place of a sequence."""
    return -_times_log(y, a).sum(-1).mean(-1)


@ce_each.gradient("da[n,t,o] = -dE[n] * y[n,t,o] / a[n,t,o] / size[t]")
def ce_each_da(dE: Any, a: Any, y: Any) -> Any:
    return -dE[..., None, None] * y / a / a.shape[-2]


@ce_each.gradient("dy[n,t,o] = -dE[n] * log(a[n,t,o]) / size[t]")
def ce_each_dy(dE: Any, a: Any) -> Any:
    return -dE[..., None, None] * np.log(a) / a.shape[-2]


@ce_each.fused(softmax)
def softmax_ce_each(z: Any, y: Any) -> Any:
    """The same from the logits, exact however large they are."""
    return -(y * log_softmax(z)).sum(-1).mean(-1)


@softmax_ce_each.gradient("dz[n,t,o] = dE[n] * (a[n,t,o] - y[n,t,o]) / size[t]")
def softmax_ce_each_dz(dE: Any, a: Any, y: Any) -> Any:
    """The softmax's slopes do not appear: the targets sum to 1, and ∂L/∂a times those slopes comes to a − y."""
    return dE[..., None, None] * (a - y) / a.shape[-2]


@softmax_ce_each.gradient("dy[n,t,o] = -dE[n] * log(exp(z[n,t,o]) / sum[j](exp(z[n,t,j]))) / size[t]")
def softmax_ce_each_dy(dE: Any, z: Any) -> Any:
    return -dE[..., None, None] * log_softmax(z) / z.shape[-2]


def _times_log(p: Any, q: Any) -> Any:
    """p · log(q), where 0 · log(0) is 0."""
    return np.where(p == 0, 0, p * np.log(np.where(p == 0, 1, q)))
