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
ONE_PLACE = "That is the first place alone; the window looks at all places, and all add up."
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


conv2d.mistake("no_bias", "sum[k,u,v](W[o,k,u,v] * a[n,k,stride*r+u-pad,stride*s+v-pad])", "The bias is missing.")
conv2d.mistake(
    "stride_forgotten",
    "sum[k,u,v](W[o,k,u,v] * a[n,k,r+u-pad,s+v-pad]) + b[o]",
    "The window moves on by the stride, not by 1.",
)
conv2d.mistake(
    "padding_forgotten",
    "sum[k,u,v](W[o,k,u,v] * a[n,k,stride*r+u,stride*s+v]) + b[o]",
    "The first window begins in the padding, not at the first number of the image.",
)
conv2d.mistake(
    "kernel_flipped",
    "sum[k,u,v,i,j](W[o,k,u,v] * a[n,k,i,j] * (at[i] == stride * at[r] - pad + size[u] - 1 - at[u])"
    " * (at[j] == stride * at[s] - pad + size[v] - 1 - at[v])) + b[o]",
    "The window was turned around first; here it is laid on the image as it is.",
)


@conv2d.gradient("dW[o,k,u,v] = sum[n,r,s](dz[n,o,r,s] * a[n,k,stride*r+u-pad,stride*s+v-pad])")
def conv2d_dW(dz: Any, a: Any, W: Any, stride: int, pad: int) -> Any:
    out, channels, rows, columns = W.shape
    if _few_channels(a, W, stride, pad):
        return _row_by_row_dW(dz, a, W, stride, pad)
    seen = _windows(a, (rows, columns), stride, pad).reshape(-1, rows * columns * channels)
    gradient = _channels_last(dz).reshape(-1, out).T @ seen
    return gradient.reshape(out, rows, columns, channels).transpose(0, 3, 1, 2)


conv2d_dW.mistake(
    "delta_only", "sum[n,r,s](dz[n,o,r,s])", "That is δ alone; what each weight saw is missing as a factor."
)
conv2d_dW.mistake(
    "first_sample_only",
    "sum[n,r,s](dz[n,o,r,s] * a[n,k,stride*r+u-pad,stride*s+v-pad] * (at[n] == 0))",
    "That is the first sample alone; all samples add up.",
)
conv2d_dW.mistake(
    "one_place_only",
    "sum[n,r,s](dz[n,o,r,s] * a[n,k,stride*r+u-pad,stride*s+v-pad] * (at[r] + at[s] == 0))",
    ONE_PLACE,
)
conv2d_dW.mistake(
    "stride_forgotten",
    "sum[n,r,s](dz[n,o,r,s] * a[n,k,r+u-pad,s+v-pad])",
    "The window moves on by the stride, not by 1.",
)


@conv2d.gradient("db[o] = sum[n,r,s](dz[n,o,r,s])")
def conv2d_db(dz: Any) -> Any:
    return dz.sum((-2, -1)).sum(-2)


conv2d_db.mistake("db_not_summed", "sum[n,r,s](dz[n,o,r,s] * (at[r] + at[s] == 0))", ONE_PLACE)
conv2d_db.mistake(
    "db_mean", "mean[n,r,s](dz[n,o,r,s])", "The δ are summed here, over samples and places; that is their mean."
)
conv2d_db.mistake(
    "no_bias", "0 * sum[n,r,s](dz[n,o,r,s])", "The bias moves the output too: its gradient is the sum of δ, not 0."
)


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


conv2d_da.mistake(
    "kernel_not_flipped",
    "sum[o,r,s,u,v](dz[n,o,r,s] * W[o,k,u,v] * (at[u] == size[u] - 1 - at[i] + stride * at[r] - pad)"
    " * (at[v] == size[v] - 1 - at[j] + stride * at[s] - pad))",
    "The way back takes the window turned around: the first weight meets the δ of the last place that saw this number.",
)
conv2d_da.mistake(
    "abs_weights",
    "sum[o,r,s](dz[n,o,r,s] * abs(W[o,k,i-stride*r+pad,j-stride*s+pad]))",
    "The weights' signs are lost.",
)
conv2d_da.mistake(
    "one_path_only",
    "sum[o,r,s](dz[n,o,r,s] * W[o,k,i-stride*r+pad,j-stride*s+pad] * (at[o] == 0))",
    "That is the path through the first output alone; all paths add up.",
)


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
