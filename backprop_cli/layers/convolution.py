"""Convolution: a small window of weights looks at every place of an image. What lies outside counts as 0.

The bodies see an image with its channels last, as it then lies in memory: what a window sees of one row is one run of
numbers, and copying the windows out costs little beside multiplying them.
"""

from typing import Annotated, Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from backprop_cli.kernel import Range, kernel
from backprop_cli.layers.layer import layer

Stride = Annotated[int, Range(1)]
Pad = Annotated[int, Range(0)]


@layer("conv", sizes="o", window="uv")
@kernel("z[n,o,r,s] = sum[k,u,v](W[o,k,u,v] * a[n,k,stride*r+u-pad,stride*s+v-pad]) + b[o]")
def conv2d(a: Any, W: Any, b: Any, stride: Stride = 1, pad: Pad = 0) -> Any:
    """a (N, K, H, W), W (O, K, U, V), b (O,) give z (N, O, R, S), as PyTorch's Conv2d lays them out."""
    seen = _windows(a, W.shape[2:], stride, pad)
    weights = W.transpose(2, 3, 1, 0).reshape(-1, W.shape[0])
    z = seen.reshape(-1, len(weights)) @ weights + b
    return _channels_second(z.reshape(*seen.shape[:-3], -1))


@conv2d.gradient("dW[o,k,u,v] = sum[n,r,s](dz[n,o,r,s] * a[n,k,stride*r+u-pad,stride*s+v-pad])")
def conv2d_dW(dz: Any, a: Any, W: Any, stride: int, pad: int) -> Any:
    out, channels, rows, columns = W.shape
    seen = _windows(a, (rows, columns), stride, pad).reshape(-1, rows * columns * channels)
    gradient = _channels_last(dz).reshape(-1, out).T @ seen
    return gradient.reshape(out, rows, columns, channels).transpose(0, 3, 1, 2)


@conv2d.gradient("db[o] = sum[n,r,s](dz[n,o,r,s])")
def conv2d_db(dz: Any) -> Any:
    return dz.sum((-4, -2, -1))


@conv2d.gradient("da[n,k,i,j] = sum[o,r,s](dz[n,o,r,s] * W[o,k,i-stride*r+pad,j-stride*s+pad])")
def conv2d_da(dz: Any, W: Any, a: Any, stride: int, pad: int) -> Any:
    # each weight of the window hands dz on to the places that it looked at
    flowing = _channels_last(dz)
    *_, rows, columns, out = flowing.shape
    height, width = (size + 2 * pad for size in a.shape[-2:])
    da = np.zeros((*a.shape[:-3], height, width, a.shape[-3]), np.result_type(dz, W))
    weights = np.ascontiguousarray(W.transpose(2, 3, 0, 1))
    for u, v in np.ndindex(*W.shape[2:]):
        part = (flowing.reshape(-1, out) @ weights[u, v]).reshape(*flowing.shape[:-1], -1)
        da[..., u : u + stride * rows : stride, v : v + stride * columns : stride, :] += part
    return _channels_second(da[..., pad : height - pad, pad : width - pad, :])


def _windows(a: Any, size: tuple[int, ...], stride: int, pad: int) -> Any:
    """What the window sees at every place: (..., K, H, W) as (..., R, S, U, V, K)."""
    image = np.ascontiguousarray(_channels_last(a))
    if pad:
        image = np.pad(image, [(0, 0)] * (a.ndim - 3) + [(pad, pad), (pad, pad), (0, 0)])
    seen = sliding_window_view(image, size, (-3, -2))[..., ::stride, ::stride, :, :, :]
    return np.moveaxis(seen, -3, -1)


def _channels_last(image: Any) -> Any:
    return np.moveaxis(image, -3, -1)


def _channels_second(image: Any) -> Any:
    return np.moveaxis(image, -1, -3)
