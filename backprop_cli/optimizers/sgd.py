"""Plain gradient descent: go downhill, a step in proportion to the slope."""

from typing import Any

from backprop_cli.kernel import kernel
from backprop_cli.optimizers.optimizer import optimizer


@optimizer()
@kernel("w_new[...] = w[...] - lr * dw[...]")
def sgd(w: Any, lr: float, dw: Any) -> Any:
    """Against the gradient, scaled by the learning rate."""
    return w - lr * dw


sgd.mistake("learning_rate_twice", "w[...] - lr**2 * dw[...]", "The learning rate is a factor once.")
sgd.mistake("times_weight", "w[...] * (1 - lr * dw[...])", "The step is subtracted; it is no share of the weight.")
