"""Adagrad and RMSprop: every weight has its own step size, smaller where its gradients have been large.

`v` remembers the squares of past gradients: Adagrad all of them, RMSprop mostly the recent ones.
"""

from typing import Any

import numpy as np

from backprop_cli.kernel import kernel
from backprop_cli.optimizers.optimizer import INSIDE, NO_ROOT, NotNegative, Share, optimizer


@kernel("v_new[...] = v[...] + dw[...]**2")
def sum_of_squares(v: Any, dw: Any) -> Any:
    """The sum of all squared gradients so far."""
    return v + dw**2


@optimizer(sum_of_squares)
@kernel("w_new[...] = w[...] - lr * dw[...] / (sqrt(v_new[...]) + eps)")
def adagrad(w: Any, lr: float, dw: Any, v_new: Any, eps: NotNegative = 1e-10) -> Any:
    """Steps shrink as the squares add up. (Duchi et al. 2011)"""
    return w - lr * dw / (np.sqrt(v_new) + eps)


sum_of_squares.mistake("no_square", "v[...] + dw[...]", "That adds the gradient; its square belongs here.")


@kernel("v_new[...] = rho * v[...] + (1 - rho) * dw[...]**2")
def fading_squares(v: Any, dw: Any, rho: Share = 0.99) -> Any:
    """A running mean of the squared gradients: how large they usually are."""
    return rho * v + (1 - rho) * dw**2


@optimizer(fading_squares)
@kernel("w_new[...] = w[...] - lr * dw[...] / (sqrt(v_new[...]) + eps)")
def rmsprop(w: Any, lr: float, dw: Any, v_new: Any, eps: NotNegative = 1e-8) -> Any:
    """Adagrad that forgets. (Hinton 2012; PyTorch's defaults)"""
    return w - lr * dw / (np.sqrt(v_new) + eps)


fading_squares.mistake(
    "no_square", "rho * v[...] + (1 - rho) * dw[...]", "That adds the gradient; its square belongs here."
)
fading_squares.mistake(
    "momentum_damped",
    "rho * v[...] + dw[...]**2",
    "1 − ρ is missing before the squared gradient: this is a mean, not a sum.",
)

for _rule in (adagrad, rmsprop):
    _rule.mistake("no_root", "w[...] - lr * dw[...] / (v_new[...] + eps)", NO_ROOT)
    _rule.mistake("epsilon_inside_root", "w[...] - lr * dw[...] / sqrt(v_new[...] + eps)", INSIDE)
    _rule.mistake(
        "no_scaling", "w[...] - lr * dw[...]", "That is plain gradient descent; the root of v divides the step."
    )
