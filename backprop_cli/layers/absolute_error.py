"""Errors that do not grow with the square, so that one outlier does not rule the step."""

from typing import Annotated, Any

import numpy as np

from backprop_cli.kernel import Range, kernel
from backprop_cli.layers.squared_error import NOT_DIVIDED, SUM


@kernel("E[n] = mean[o](abs(a[n,o] - y[n,o]))")
def mae(a: Any, y: Any) -> Any:
    """Mean of the absolute errors; at a = y it has a kink, where the slope 0 is used."""
    return np.maximum(a - y, y - a).mean(-1)


mae.mistake("mean_over_outputs", "sum[o](abs(a[n,o] - y[n,o]))", SUM)
mae.mistake(
    "square_for_abs", "mean[o]((a[n,o] - y[n,o])**2)", "That has the squares of the errors; this loss has their size."
)
mae.mistake("no_abs", "mean[o](a[n,o] - y[n,o])", "Errors of different signs cancel there; this loss takes their size.")


@mae.gradient("da[n,o] = dE[n] * ((a[n,o] > y[n,o]) - (a[n,o] < y[n,o])) / size[o]")
def mae_da(dE: Any, a: Any, y: Any) -> Any:
    return dE[..., None] * np.sign((a - y).real) / a.shape[-1]


mae_da.mistake(
    "error_for_sign",
    "dE[n] * (a[n,o] - y[n,o]) / size[o]",
    "That has the error itself; the slope of its size is only its sign.",
)
mae_da.mistake("mean_over_outputs", "dE[n] * ((a[n,o] > y[n,o]) - (a[n,o] < y[n,o]))", NOT_DIVIDED)


@mae.gradient("dy[n,o] = dE[n] * ((a[n,o] < y[n,o]) - (a[n,o] > y[n,o])) / size[o]")
def mae_dy(dE: Any, a: Any, y: Any) -> Any:
    return dE[..., None] * np.sign((y - a).real) / a.shape[-1]


@kernel(
    "E[n] = mean[o](where(abs(a[n,o] - y[n,o]) <= delta, (a[n,o] - y[n,o])**2 / 2,"
    " delta * (abs(a[n,o] - y[n,o]) - delta / 2)))"
)
def huber(a: Any, y: Any, delta: Annotated[float, Range(0, open=True)] = 1.0) -> Any:
    """Squared near the target, straight far from it, so that one outlier does not rule the step. (Huber 1964)"""
    error = np.maximum(a - y, y - a)
    return np.where(error.real <= delta, error**2 / 2, delta * (error - delta / 2)).mean(-1)


huber.mistake(
    "mean_over_outputs",
    "sum[o](where(abs(a[n,o] - y[n,o]) <= delta, (a[n,o] - y[n,o])**2 / 2,"
    " delta * (abs(a[n,o] - y[n,o]) - delta / 2)))",
    SUM,
)
huber.mistake(
    "not_clipped", "mean[o]((a[n,o] - y[n,o])**2) / 2", "Farther away than delta, this loss is straight, not squared."
)


@huber.gradient("da[n,o] = dE[n] * max(-delta, min(delta, a[n,o] - y[n,o])) / size[o]")
def huber_da(dE: Any, a: Any, y: Any, delta: float) -> Any:
    return dE[..., None] * np.clip(a - y, -delta, delta) / a.shape[-1]


huber_da.mistake(
    "not_clipped",
    "dE[n] * (a[n,o] - y[n,o]) / size[o]",
    "Farther away than delta, the slope stays at delta, however large the error is.",
)
huber_da.mistake("mean_over_outputs", "dE[n] * max(-delta, min(delta, a[n,o] - y[n,o]))", NOT_DIVIDED)


@huber.gradient("dy[n,o] = dE[n] * max(-delta, min(delta, y[n,o] - a[n,o])) / size[o]")
def huber_dy(dE: Any, a: Any, y: Any, delta: float) -> Any:
    return dE[..., None] * np.clip(y - a, -delta, delta) / a.shape[-1]
