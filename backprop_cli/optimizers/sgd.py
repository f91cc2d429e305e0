"""Plain gradient descent: go downhill, a step in proportion to the slope."""

from typing import Any

from backprop_cli.kernel import kernel
from backprop_cli.optimizers.optimizer import optimizer


@optimizer()
@kernel("w_new[...] = w[...] - lr * dw[...]")
def sgd(w: Any, lr: float, dw: Any) -> Any:
    """Against the gradient, scaled by the learning rate."""
    return w - lr * dw


sgd.mistake("ascent", "w[...] + lr * dw[...]", "That goes uphill: the step is subtracted.")
sgd.mistake("no_learning_rate", "w[...] - dw[...]", "The learning rate is missing as a factor.")
sgd.mistake("step_only", "lr * dw[...]", "That is the step alone; it is subtracted from the old weight.")
sgd.mistake("no_change", "w[...]", "That is the old weight.")
