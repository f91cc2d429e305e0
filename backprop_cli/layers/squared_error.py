"""Squared errors: a loss says with one number how far the outputs are from the targets.

Each loss gives E[n], the loss of one sample; `mean` or `total` (see reduction.py) then makes L of them. Every loss
declares the gradient of the target y as well: an autoencoder's target is its own input.
"""

from typing import Any

import numpy as np

from backprop_cli.kernel import kernel

SUM = "That is the sum; this loss is the mean over the outputs."
MEAN = "That is the mean; this loss is the sum over the outputs."
NOT_DIVIDED = "This loss is the mean over the outputs; divide by how many there are."
NO_HALF = "The 2 of the square is missing; this loss has no ½ to cancel it."
DIVIDED = "This loss sums over the outputs; do not divide by how many there are."


@kernel("E[n] = mean[o]((a[n,o] - y[n,o])**2)")
def mse(a: Any, y: Any) -> Any:
    """Mean of the squared errors over the outputs (PyTorch, Keras)."""
    return _squares(a - y) / a.shape[-1]


mse.mistake("mean_over_outputs", "sum[o]((a[n,o] - y[n,o])**2)", SUM)
mse.mistake("factor_2", "mean[o]((a[n,o] - y[n,o])**2) / 2", "This loss has no ½.")


@mse.gradient("da[n,o] = dE[n] * 2 * (a[n,o] - y[n,o]) / size[o]")
def mse_da(dE: Any, a: Any, y: Any) -> Any:
    return dE[..., None] * 2 * (a - y) / a.shape[-1]


mse_da.mistake("factor_2", "dE[n] * (a[n,o] - y[n,o]) / size[o]", NO_HALF)
mse_da.mistake("mean_over_outputs", "dE[n] * 2 * (a[n,o] - y[n,o])", NOT_DIVIDED)


@mse.gradient("dy[n,o] = dE[n] * 2 * (y[n,o] - a[n,o]) / size[o]")
def mse_dy(dE: Any, a: Any, y: Any) -> Any:
    return dE[..., None] * 2 * (y - a) / a.shape[-1]


@kernel("E[n] = sum[o]((a[n,o] - y[n,o])**2)")
def sse(a: Any, y: Any) -> Any:
    """Sum of the squared errors over the outputs."""
    return _squares(a - y)


sse.mistake("factor_2", "sum[o]((a[n,o] - y[n,o])**2) / 2", "This loss has no ½.")
sse.mistake("mean_over_outputs", "mean[o]((a[n,o] - y[n,o])**2)", MEAN)


@sse.gradient("da[n,o] = dE[n] * 2 * (a[n,o] - y[n,o])")
def sse_da(dE: Any, a: Any, y: Any) -> Any:
    return dE[..., None] * 2 * (a - y)


sse_da.mistake("factor_2", "dE[n] * (a[n,o] - y[n,o])", NO_HALF)
sse_da.mistake("mean_over_outputs", "dE[n] * 2 * (a[n,o] - y[n,o]) / size[o]", DIVIDED)


@sse.gradient("dy[n,o] = dE[n] * 2 * (y[n,o] - a[n,o])")
def sse_dy(dE: Any, a: Any, y: Any) -> Any:
    return dE[..., None] * 2 * (y - a)


@kernel("E[n] = sum[o]((a[n,o] - y[n,o])**2) / 2")
def half_sse(a: Any, y: Any) -> Any:
    """Half the sum of the squared errors: the half cancels the 2 of the derivative (most textbooks)."""
    return _squares(a - y) / 2


half_sse.mistake("factor_2", "sum[o]((a[n,o] - y[n,o])**2)", "The ½ of this loss is missing.")
half_sse.mistake(
    "mean_over_outputs",
    "mean[o]((a[n,o] - y[n,o])**2)",
    "This loss sums over the outputs and halves; that is their mean.",
)


@half_sse.gradient("da[n,o] = dE[n] * (a[n,o] - y[n,o])")
def half_sse_da(dE: Any, a: Any, y: Any) -> Any:
    return dE[..., None] * (a - y)


half_sse_da.mistake("factor_2", "dE[n] * 2 * (a[n,o] - y[n,o])", "The ½ of this loss cancels the 2 of the square.")
half_sse_da.mistake("mean_over_outputs", "dE[n] * (a[n,o] - y[n,o]) / size[o]", DIVIDED)


@half_sse.gradient("dy[n,o] = dE[n] * (y[n,o] - a[n,o])")
def half_sse_dy(dE: Any, a: Any, y: Any) -> Any:
    return dE[..., None] * (y - a)


def _squares(error: Any) -> Any:
    """The sum of the squares over the last axis. (vecdot conjugates what it is given first.)"""
    return np.vecdot(error.conj(), error)
