"""Errors that do not grow with the square, so that one outlier does not rule the step."""

from typing import Annotated, Any

import numpy as np

from backprop_cli.kernel import Range, kernel


@kernel("E[n] = mean[o](abs(a[n,o] - y[n,o]))")
def mae(a: Any, y: Any) -> Any:
    """Mean of the absolute errors; at a = y it has a kink, where the slope 0 is used."""
    return np.maximum(a - y, y - a).mean(-1)


@mae.gradient("da[n,o] = dE[n] * ((a[n,o] > y[n,o]) - (a[n,o] < y[n,o])) / size[o]")
def mae_da(dE: Any, a: Any, y: Any) -> Any:
    return dE[..., None] * np.sign((a - y).real) / a.shape[-1]


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


@huber.gradient("da[n,o] = dE[n] * max(-delta, min(delta, a[n,o] - y[n,o])) / size[o]")
def huber_da(dE: Any, a: Any, y: Any, delta: float) -> Any:
    return dE[..., None] * np.clip(a - y, -delta, delta) / a.shape[-1]


@huber.gradient("dy[n,o] = dE[n] * max(-delta, min(delta, y[n,o] - a[n,o])) / size[o]")
def huber_dy(dE: Any, a: Any, y: Any, delta: float) -> Any:
    return dE[..., None] * np.clip(y - a, -delta, delta) / a.shape[-1]
