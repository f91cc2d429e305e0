"""Cross-entropies: how surprised the network is by the truth.

Taken from the probabilities, a loss loses everything once one of them rounds to 0 or 1. So each is also declared fused
with the activation before it: the same formula, computed from the logits z.
"""

from typing import Any

import numpy as np

from backprop_cli.kernel import Kernel, kernel
from backprop_cli.layers.activation import sigmoid, softplus
from backprop_cli.layers.softmax import log_softmax, softmax
from backprop_cli.layers.squared_error import DIVIDED, MEAN, NOT_DIVIDED, SUM

ONE_SIDED = "The second term, of 1 − y, is missing."
MINUS_BETWEEN = "The two terms add up; that has a minus between them."
MINUS_BETWEEN_SLOPES = "The sign between the two terms is wrong: one pulls up, the other down."
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


sigmoid_bce.remark("sum[o]((a[n,o] <= 0) + (a[n,o] >= 1)) > 0", ROUNDED)


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


sigmoid_bce_sum.remark("sum[o]((a[n,o] <= 0) + (a[n,o] >= 1)) > 0", ROUNDED)


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


softmax_ce.remark("sum[o](a[n,o] <= 0) > 0", ROUNDED)


@softmax_ce.gradient("dz[n,o] = dE[n] * (a[n,o] - y[n,o])")
def softmax_ce_dz(dE: Any, a: Any, y: Any) -> Any:
    """The softmax's slopes do not appear: the targets sum to 1, and ∂L/∂a times those slopes comes to a − y."""
    return dE[..., None] * (a - y)


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


# --- typical mistakes: each loss, then δ where an activation is fused with it, and ∂L/∂a where none is --------------


def _wrong_loss(loss: Kernel, plus: str) -> None:
    """The minus and the logarithm; `plus` is the formula without its minus."""
    loss.mistake("missing_minus", plus, "The minus in front is missing.")
    loss.mistake("wrong_log", f"-{plus} / log(10)", "That is a logarithm to the base 10; here it is the natural one.")
    loss.mistake("wrong_log", f"-{plus} / log(2)", "That is a logarithm to the base 2; here it is the natural one.")


for _loss, _over, _other, _text in (
    (bce, "mean", "sum", SUM),
    (sigmoid_bce, "mean", "sum", SUM),
    (bce_sum, "sum", "mean", MEAN),
    (sigmoid_bce_sum, "sum", "mean", MEAN),
):
    _two = "(y[n,o] * log(a[n,o]) + (1 - y[n,o]) * log(1 - a[n,o]))"
    _wrong_loss(_loss, f"{_over}[o]{_two}")
    _loss.mistake("mean_over_outputs", f"-{_other}[o]{_two}", _text)
    _loss.mistake("bce_one_sided", f"-{_over}[o](y[n,o] * log(a[n,o]))", ONE_SIDED)
    _loss.mistake("bce_sign", f"-{_over}[o](y[n,o] * log(a[n,o]) - (1 - y[n,o]) * log(1 - a[n,o]))", MINUS_BETWEEN)

for _slope, _count, _other, _text in (
    (sigmoid_bce_dz, " / size[o]", "", NOT_DIVIDED),
    (sigmoid_bce_sum_dz, "", " / size[o]", DIVIDED),
):
    _error = "dE[n] * (a[n,o] - y[n,o])"
    _slope.mistake(
        "extra_sigma_prime",
        f"{_error} * a[n,o] * (1 - a[n,o]){_count}",
        "With a cross-entropy the slope of the sigmoid cancels; it is a factor too many here.",
    )
    _slope.mistake(
        "dLda_for_dLdz",
        f"{_error} / (a[n,o] * (1 - a[n,o])){_count}",
        "That is ∂L/∂a; times the slope a(1 − a) it is δ.",
    )
    _slope.mistake("mean_over_outputs", f"{_error}{_other}", _text)
    _slope.mistake("bce_one_sided", f"-dE[n] * y[n,o] * (1 - a[n,o]){_count}", ONE_SIDED)
    _slope.mistake(
        "bce_sign", f"-dE[n] * (y[n,o] * (1 - a[n,o]) + (1 - y[n,o]) * a[n,o]){_count}", MINUS_BETWEEN_SLOPES
    )

for _slope, _count, _other, _text in ((bce_da, " / size[o]", "", NOT_DIVIDED), (bce_sum_da, "", " / size[o]", DIVIDED)):
    _slope.mistake("mean_over_outputs", f"dE[n] * (a[n,o] - y[n,o]) / (a[n,o] * (1 - a[n,o])){_other}", _text)
    _slope.mistake("bce_one_sided", f"-dE[n] * y[n,o] / a[n,o]{_count}", ONE_SIDED)
    _slope.mistake(
        "bce_sign", f"-dE[n] * (y[n,o] / a[n,o] + (1 - y[n,o]) / (1 - a[n,o])){_count}", MINUS_BETWEEN_SLOPES
    )

for _loss, _slope, _at, _over, _count in (
    (softmax_ce, softmax_ce_dz, "n", "", ""),
    (softmax_ce_each, softmax_ce_each_dz, "n,t", "mean[t]", " / size[t]"),
):
    _wrong_loss(_loss, f"{_over}(sum[o](y[{_at},o] * log(a[{_at},o])))")
    _loss.mistake("mean_over_outputs", f"-{_over}(mean[o](y[{_at},o] * log(a[{_at},o])))", MEAN)
    _error = f"dE[n] * (a[{_at},o] - y[{_at},o]){_count}"
    _slope.mistake("mean_over_outputs", f"{_error} / size[o]", DIVIDED)
    _slope.mistake(
        "extra_sigma_prime",
        f"{_error} * a[{_at},o] * (1 - a[{_at},o])",
        "With a cross-entropy the softmax's slopes cancel; a(1 − a) is a factor too many here.",
    )
    _slope.mistake(
        "dLda_for_dLdz",
        f"-dE[n] * y[{_at},o] / a[{_at},o]{_count}",
        "That is ∂L/∂a; with the slopes of the softmax it becomes a − y.",
    )

softmax_ce_each.mistake(
    "mean_over_places",
    "-sum[t](sum[o](y[n,t,o] * log(a[n,t,o])))",
    "That is the sum; this loss is the mean over the places.",
)
softmax_ce_each_dz.mistake(
    "mean_over_places",
    "dE[n] * (a[n,t,o] - y[n,t,o])",
    "This loss is the mean over the places; divide by how many there are.",
)
