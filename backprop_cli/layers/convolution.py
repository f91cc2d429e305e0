"""Convolution: a small window of weights looks at every place of an image. What lies outside counts as 0.

What the windows see is copied out, and then it is one product of matrices. Copying is quick if it goes in long runs. So
with many channels the bodies see an image with its channels last: what a window sees of one row is one run. With few
channels it is the other way round: what one weight of the window sees in a row of windows is one run.
"""

from collections.abc import Iterator
from math import prod
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
    if _few_channels(a, W, stride, pad):
        return _one_image_after_the_other(a, W, stride, pad) + b[:, None, None]
    seen = _windows(a, W.shape[2:], stride, pad)
    weights = W.transpose(2, 3, 1, 0).reshape(-1, W.shape[0])
    z = seen.reshape(-1, len(weights)) @ weights + b
    return _channels_second(z.reshape(*seen.shape[:-3], -1))


@conv2d.gradient("dW[o,k,u,v] = sum[n,r,s](dz[n,o,r,s] * a[n,k,stride*r+u-pad,stride*s+v-pad])")
def conv2d_dW(dz: Any, a: Any, W: Any, stride: int, pad: int) -> Any:
    out, channels, rows, columns = W.shape
    if _few_channels(a, W, stride, pad):
        each = zip(dz.reshape(-1, out, dz.shape[-2] * dz.shape[-1]), _images(a, W, stride, pad), strict=True)
        return sum(one @ seen.T for one, seen in each).reshape(W.shape)
    seen = _windows(a, (rows, columns), stride, pad).reshape(-1, rows * columns * channels)
    gradient = _channels_last(dz).reshape(-1, out).T @ seen
    return gradient.reshape(out, rows, columns, channels).transpose(0, 3, 1, 2)


@conv2d.gradient("db[o] = sum[n,r,s](dz[n,o,r,s])")
def conv2d_db(dz: Any) -> Any:
    return dz.sum((-2, -1)).sum(-2)


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


def _few_channels(a: Any, W: Any, stride: int, pad: int) -> bool:
    """Whether a run along a row of windows is longer than one along a row of a window, with all its channels."""
    _, channels, _, columns = W.shape
    return channels * columns < (a.shape[-1] + 2 * pad - columns) // stride + 1


def _one_image_after_the_other(a: Any, W: Any, stride: int, pad: int) -> Any:
    """The weighted sums without the bias: for each image a product of (O, K·U·V) and (K·U·V, R·S)."""
    rows, columns = (
        (size + 2 * pad - width) // stride + 1 for size, width in zip(a.shape[-2:], W.shape[2:], strict=True)
    )
    weights, shape = W.reshape(len(W), -1), (*a.shape[:-3], len(W), rows, columns)
    z = np.empty((prod(a.shape[:-3]), len(W), rows * columns), np.result_type(a, W))
    for one, seen in zip(z, _images(a, W, stride, pad), strict=True):
        np.matmul(weights, seen, out=one)
    return z.reshape(shape)


def _images(a: Any, W: Any, stride: int, pad: int) -> Iterator[Any]:
    """For each image what each weight of the window sees, place by place: (K·U·V, R·S). The next one overwrites it."""
    images = a.reshape(-1, *a.shape[-3:])
    if pad:
        images = np.pad(images, [(0, 0), (0, 0), (pad, pad), (pad, pad)])
    seen = sliding_window_view(images, W.shape[2:], (-2, -1))[:, :, ::stride, ::stride].transpose(0, 1, 4, 5, 2, 3)
    copied = np.empty(seen.shape[1:], a.dtype)
    flat = copied.reshape(prod(seen.shape[1:4]), -1)
    for image in seen:
        copied[...] = image
        yield flat


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
