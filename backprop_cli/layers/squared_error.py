"""Squared errors: a loss says with one number how far the outputs are from the targets.

Each loss gives E[n], the loss of one sample; `mean` or `total` (see reduction.py) then makes L of them. Every loss
declares the gradient of the target y as well: an autoencoder's target is its own input.
"""

from typing import Any

import numpy as np

from backprop_cli.kernel import kernel


@kernel("E[n] = mean[o]((a[n,o] - y[n,o])**2)")
def mse(a: Any, y: Any) -> Any:
    """Mean of the squared errors over the outputs (PyTorch, Keras)."""
    return _squares(a - y) / a.shape[-1]


mse.mistake(
    "mean_over_outputs", "sum[o]((a[n,o] - y[n,o])**2)", "That is the sum; this loss is the mean over the outputs."
)
mse.mistake("factor_2", "mean[o]((a[n,o] - y[n,o])**2) / 2", "This loss has no ½.")


@mse.gradient("da[n,o] = dE[n] * 2 * (a[n,o] - y[n,o]) / size[o]")
def mse_da(dE: Any, a: Any, y: Any) -> Any:
    return dE[..., None] * 2 * (a - y) / a.shape[-1]


@mse.gradient("dy[n,o] = dE[n] * 2 * (y[n,o] - a[n,o]) / size[o]")
def mse_dy(dE: Any, a: Any, y: Any) -> Any:
    return dE[..., None] * 2 * (y - a) / a.shape[-1]


@kernel("E[n] = sum[o]((a[n,o] - y[n,o])**2)")
def sse(a: Any, y: Any) -> Any:
    """Sum of the squared errors over the outputs."""
    return _squares(a - y)


sse.mistake("factor_2", "sum[o]((a[n,o] - y[n,o])**2) / 2", "This loss has no ½.")


@sse.gradient("da[n,o] = dE[n] * 2 * (a[n,o] - y[n,o])")
def sse_da(dE: Any, a: Any, y: Any) -> Any:
    return dE[..., None] * 2 * (a - y)


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


@half_sse.gradient("dy[n,o] = dE[n] * (y[n,o] - a[n,o])")
def half_sse_dy(dE: Any, a: Any, y: Any) -> Any:
    return dE[..., None] * (y - a)


def _squares(error: Any) -> Any:
    """The sum of the squares over the last axis. (vecdot conjugates what it is given first.)"""
    return np.vecdot(error.conj(), error)
