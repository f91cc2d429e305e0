"""Momentum: a heavy ball keeps rolling where it rolled before.

`v` is the velocity: a sum of past gradients in which the older ones fade. (Polyak 1964; PyTorch's form, no damping)
"""

from typing import Any

from backprop_cli.kernel import kernel
from backprop_cli.optimizers.optimizer import Share, optimizer


@kernel("v_new[...] = mu * v[...] + dw[...]")
def velocity(v: Any, dw: Any, mu: Share = 0.9) -> Any:
    """The sum of all gradients so far, in which the older ones fade."""
    return mu * v + dw


velocity.mistake(
    "momentum_damped",
    "mu * v[...] + (1 - mu) * dw[...]",
    "That has 1 − μ before the gradient; in this form it counts in full.",
)


@optimizer(velocity)
@kernel("w_new[...] = w[...] - lr * v_new[...]")
def momentum(w: Any, lr: float, v_new: Any) -> Any:
    """The step follows the velocity, not the gradient alone."""
    return w - lr * v_new


momentum.mistake("no_momentum", "w[...] - lr * dw[...]", "That goes by the gradient alone; the velocity belongs here.")


@optimizer(velocity)
@kernel("w_new[...] = w[...] - lr * (dw[...] + mu * v_new[...])")
def nesterov(w: Any, lr: float, dw: Any, v_new: Any, mu: float) -> Any:
    """Momentum that looks one step ahead. (Nesterov 1983; PyTorch's form)"""
    return w - lr * (dw + mu * v_new)


nesterov.mistake(
    "no_momentum", "w[...] - lr * dw[...]", "That goes by the gradient alone; the velocity belongs here, too."
)
nesterov.mistake(
    "no_look_ahead",
    "w[...] - lr * v_new[...]",
    "That is plain momentum; here the gradient is added to μ times the velocity.",
)
