"""Plain gradient descent: go downhill, a step in proportion to the slope."""

from typing import Any

from backprop_cli.kernel import kernel
from backprop_cli.optimizers.optimizer import optimizer


@optimizer()
@kernel("w_new[...] = w[...] - lr * dw[...]")
def sgd(w: Any, lr: float, dw: Any) -> Any:
    """Against the gradient, scaled by the learning rate."""
    return w - lr * dw
