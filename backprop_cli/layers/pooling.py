"""Pooling keeps one number of each window: the largest, or the mean. Windows stand side by side; a rest is left out."""

from collections.abc import Iterator
from functools import reduce
from typing import Annotated, Any

import numpy as np

from backprop_cli.kernel import Range, kernel
from backprop_cli.layers.layer import layer

Window = Annotated[int, Range(1)]


@layer("pool")
@kernel("p[n,k,r,s] = largest[u:width,v:width](a[n,k,width*r+u,width*s+v])")
def maxpool(a: Any, width: Window = 2) -> Any:
    """The largest number of each window; where several are largest they share the gradient."""
    return reduce(np.maximum, [a[place] for place in _places(a, width)])


maxpool.mistake(
    "mean_for_max",
    "mean[u:width,v:width](a[n,k,width*r+u,width*s+v])",
    "That is the mean of the window; here it is the largest number.",
)


@maxpool.gradient(
    "da[n,k,i,j] = dp[n,k,i//width,j//width] * (a[n,k,i,j] >= p[n,k,i//width,j//width])"
    " / sum[u:width,v:width](a[n,k,i//width*width+u,j//width*width+v] >= p[n,k,i//width,j//width])"
)
def maxpool_da(dp: Any, a: Any, p: Any, width: int) -> Any:
    places = list(_places(a, width))
    largest = [a[place] >= p for place in places]
    share = dp / sum(hit.astype(dp.dtype) for hit in largest)
    da = np.zeros_like(a, share.dtype)
    for place, hit in zip(places, largest, strict=True):
        np.multiply(share, hit, out=da[place])
    return da


maxpool_da.mistake(
    "max_to_all",
    "dp[n,k,i//width,j//width]",
    "Only the largest number of the window gets the gradient; the others get 0.",
)
maxpool_da.mistake(
    "mean_for_max",
    "dp[n,k,i//width,j//width] / width**2",
    "That shares the gradient out evenly; the largest number of the window gets all of it.",
)
maxpool_da.mistake(
    "max_ties",
    "dp[n,k,i//width,j//width] * (a[n,k,i,j] >= p[n,k,i//width,j//width])",
    "Several are largest, and each got the whole gradient; they share it.",
)
maxpool_da.remark(
    "(abs(dp[n,k,i//width,j//width]) > 0) * (a[n,k,i,j] >= p[n,k,i//width,j//width])"
    " * (sum[u:width,v:width](a[n,k,i//width*width+u,j//width*width+v] >= p[n,k,i//width,j//width]) > 1)",
    "{a} is the largest of its window, but not alone: all that are as large share the gradient equally.",
)


@layer("avgpool")
@kernel("p[n,k,r,s] = mean[u:width,v:width](a[n,k,width*r+u,width*s+v])")
def avgpool(a: Any, width: Window = 2) -> Any:
    """The mean of each window."""
    return sum(a[place] for place in _places(a, width)) / width**2


avgpool.mistake(
    "mean_not_divided",
    "sum[u:width,v:width](a[n,k,width*r+u,width*s+v])",
    "That is the sum of the window; divide by how many numbers it has.",
)
avgpool.mistake(
    "max_for_mean",
    "largest[u:width,v:width](a[n,k,width*r+u,width*s+v])",
    "That is the largest number of the window; here it is the mean.",
)


@avgpool.gradient("da[n,k,i,j] = dp[n,k,i//width,j//width] / width**2")
def avgpool_da(dp: Any, a: Any, width: int) -> Any:
    da = np.zeros_like(a, dp.dtype)
    for place in _places(a, width):
        da[place] = dp / width**2
    return da


avgpool_da.mistake(
    "mean_not_divided",
    "dp[n,k,i//width,j//width]",
    "Each number of the window has only a share in the mean: divide by how many there are.",
)


def _places(a: Any, width: int) -> Iterator[tuple[Any, ...]]:
    """For each place (u, v) of the window, where that place of all windows lies in an image (..., H, W)."""
    height, across = (length // width * width for length in a.shape[-2:])
    return ((..., slice(u, height, width), slice(v, across, width)) for u, v in np.ndindex(width, width))
