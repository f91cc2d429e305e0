"""Adam: a running mean of the gradient gives the direction, a running mean of its square the step size.

Both start at 0 and would be too small at first; m̂ and v̂ correct that. (Kingma & Ba 2015, algorithm 1)
"""

from typing import Any

import numpy as np

from backprop_cli.kernel import kernel
from backprop_cli.optimizers.optimizer import NotNegative, Share, optimizer


@kernel("m_new[...] = beta1 * m[...] + (1 - beta1) * dw[...]")
def first_moment(m: Any, dw: Any, beta1: Share = 0.9) -> Any:
    """A running mean of the gradients: where they point on the whole."""
    return beta1 * m + (1 - beta1) * dw


@kernel("v_new[...] = beta2 * v[...] + (1 - beta2) * dw[...]**2")
def second_moment(v: Any, dw: Any, beta2: Share = 0.999) -> Any:
    """A running mean of the squared gradients: how large they usually are."""
    return beta2 * v + (1 - beta2) * dw**2


@kernel("mhat[...] = m_new[...] / (1 - beta1**t)")
def first_corrected(m_new: Any, beta1: float, t: float) -> Any:
    """What began at 0 is too small at first; this makes up for it."""
    return m_new / (1 - beta1**t)


@kernel("vhat[...] = v_new[...] / (1 - beta2**t)")
def second_corrected(v_new: Any, beta2: float, t: float) -> Any:
    """What began at 0 is too small at first; this makes up for it."""
    return v_new / (1 - beta2**t)


MOMENTS = (first_moment, second_moment, first_corrected, second_corrected)


@optimizer(*MOMENTS)
@kernel("w_new[...] = w[...] - lr * mhat[...] / (sqrt(vhat[...]) + eps)")
def adam(w: Any, lr: float, mhat: Any, vhat: Any, eps: NotNegative = 1e-8) -> Any:
    """The mean over the root of the mean square: about ±lr while the gradient keeps its sign."""
    return w - lr * mhat / (np.sqrt(vhat) + eps)


adam.mistake(
    "no_bias_correction",
    "w[...] - lr * m_new[...] / (sqrt(v_new[...]) + eps)",
    "m and v are used as they are; m̂ and v̂ belong here.",
)
adam.mistake("ascent", "w[...] + lr * mhat[...] / (sqrt(vhat[...]) + eps)", "That goes uphill: the step is subtracted.")


@optimizer(*MOMENTS)
@kernel("w_new[...] = w[...] * (1 - lr * weight_decay) - lr * mhat[...] / (sqrt(vhat[...]) + eps)")
def adamw(w: Any, lr: float, mhat: Any, vhat: Any, eps: NotNegative = 1e-8, weight_decay: NotNegative = 0.01) -> Any:
    """Adam whose weights also shrink a little by themselves, apart from the gradient. (Loshchilov & Hutter 2019)"""
    return w * (1 - lr * weight_decay) - lr * mhat / (np.sqrt(vhat) + eps)
