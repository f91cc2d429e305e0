"""Adagrad and RMSprop: every weight has its own step size, smaller where its gradients have been large.

`v` remembers the squares of past gradients: Adagrad all of them, RMSprop mostly the recent ones.
"""

from typing import Any

import numpy as np

from backprop_cli.kernel import kernel
from backprop_cli.optimizers.optimizer import NotNegative, Share, optimizer


@kernel("v_new[...] = v[...] + dw[...]**2")
def sum_of_squares(v: Any, dw: Any) -> Any:
    """The sum of all squared gradients so far."""
    return v + dw**2


@optimizer(sum_of_squares)
@kernel("w_new[...] = w[...] - lr * dw[...] / (sqrt(v_new[...]) + eps)")
def adagrad(w: Any, lr: float, dw: Any, v_new: Any, eps: NotNegative = 1e-10) -> Any:
    """Steps shrink as the squares add up. (Duchi et al. 2011)"""
    return w - lr * dw / (np.sqrt(v_new) + eps)


@kernel("v_new[...] = rho * v[...] + (1 - rho) * dw[...]**2")
def fading_squares(v: Any, dw: Any, rho: Share = 0.99) -> Any:
    """A running mean of the squared gradients: how large they usually are."""
    return rho * v + (1 - rho) * dw**2


@optimizer(fading_squares)
@kernel("w_new[...] = w[...] - lr * dw[...] / (sqrt(v_new[...]) + eps)")
def rmsprop(w: Any, lr: float, dw: Any, v_new: Any, eps: NotNegative = 1e-8) -> Any:
    """Adagrad that forgets. (Hinton 2012; PyTorch's defaults)"""
    return w - lr * dw / (np.sqrt(v_new) + eps)
