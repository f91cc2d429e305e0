"""Convolution: a small window of weights looks at every place of an image. What lies outside counts as 0.

What the windows see is copied out, and then it is one product of matrices. Copying is quick if it goes in long runs. So
with many channels the bodies see an image with its channels last: what a window sees of one row is one run. With few
channels it is the other way round: what one weight of the window sees along a row of the image is one run.
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
CACHE = 2**19
"""So many numbers are worked on at a time."""


@layer("conv", sizes="o", window="uv")
@kernel("z[n,o,r,s] = sum[k,u,v](W[o,k,u,v] * a[n,k,stride*r+u-pad,stride*s+v-pad]) + b[o]")
def conv2d(a: Any, W: Any, b: Any, stride: Stride = 1, pad: Pad = 0) -> Any:
    """a (N, K, H, W), W (O, K, U, V), b (O,) give z (N, O, R, S), as PyTorch's Conv2d lays them out."""
    if _few_channels(a, W, stride, pad):
        return _row_by_row(a, W, b, stride, pad)
    seen = _windows(a, W.shape[2:], stride, pad)
    weights = W.transpose(2, 3, 1, 0).reshape(-1, W.shape[0])
    z = seen.reshape(-1, len(weights)) @ weights + b
    return _channels_second(z.reshape(*seen.shape[:-3], -1))


@conv2d.gradient("dW[o,k,u,v] = sum[n,r,s](dz[n,o,r,s] * a[n,k,stride*r+u-pad,stride*s+v-pad])")
def conv2d_dW(dz: Any, a: Any, W: Any, stride: int, pad: int) -> Any:
    out, channels, rows, columns = W.shape
    if _few_channels(a, W, stride, pad):
        return _row_by_row_dW(dz, a, W, stride, pad)
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


def _row_by_row(a: Any, W: Any, b: Any, stride: int, pad: int) -> Any:
    """Each row of the window meets each row of the images; the sums of these, shifted, are z.

    A product of (U·O, K·V) and (K·V, H·S) an image; a whole window would take U times the copying.
    """
    out, _, height, _ = W.shape
    rows, columns = ((size + 2 * pad - of) // stride + 1 for size, of in zip(a.shape[-2:], W.shape[2:], strict=True))
    weights = W.transpose(2, 0, 1, 3).reshape(height * out, -1)
    z = np.empty((prod(a.shape[:-3]), out, rows, columns), np.result_type(a, W, b))
    for part, seen in _rows(a, W, stride, pad):
        met = (weights @ seen).reshape(len(seen), height, out, -1, columns)
        z[part] = b[:, None, None]
        for u in range(height):
            z[part] += met[:, u, :, u : u + stride * rows : stride]
    return z.reshape(*a.shape[:-3], *z.shape[1:])


def _row_by_row_dW(dz: Any, a: Any, W: Any, stride: int, pad: int) -> Any:
    """The way back: each row of the window gets dz, shifted to the rows that it met."""
    out, channels, height, width = W.shape
    *_, rows, columns = dz.shape
    images = dz.reshape(-1, out, rows, columns)
    gradient = np.zeros((height * out, channels * width), np.result_type(dz, a))
    for part, seen in _rows(a, W, stride, pad):
        met = np.zeros((len(seen), height, out, a.shape[-2] + 2 * pad, columns), dz.dtype)
        for u in range(height):
            met[:, u, :, u : u + stride * rows : stride] = images[part]
        gradient += (met.reshape(len(seen), height * out, -1) @ seen.mT).sum(0)
    return gradient.reshape(height, out, channels, width).transpose(1, 2, 0, 3)


def _rows(a: Any, W: Any, stride: int, pad: int) -> Iterator[tuple[slice, Any]]:
    """What each weight of a window's row sees along the rows of images: (N, K·V, H·S). The next few overwrite it."""
    images = a.reshape(-1, *a.shape[-3:])
    if pad:
        images = np.pad(images, [(0, 0), (0, 0), (pad, pad), (pad, pad)])
    seen = sliding_window_view(images, W.shape[-1], -1)[..., ::stride, :].transpose(0, 1, 4, 2, 3)
    _, channels, width, height, columns = seen.shape
    few = max(1, CACHE // (height * columns * (channels * width + len(W) * W.shape[2])))
    copied = np.empty((min(few, len(images)), *seen.shape[1:]), a.dtype)
    for start in range(0, len(images), few):
        part = slice(start, start + few)
        some = copied[: len(seen[part])]
        some[...] = seen[part]
        yield part, some.reshape(len(some), channels * width, height * columns)


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
