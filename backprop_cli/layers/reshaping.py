"""Layers that only look at numbers in another way: an image as one long row, a token as its row of a table."""

from typing import Any

import numpy as np

from backprop_cli.kernel import kernel
from backprop_cli.layers.layer import Site, layer, steps


@kernel("f[n,o:count] = a[n,o//(rows*columns),o//columns%rows,o%columns]")
def flatten(a: Any, count: int, rows: int, columns: int) -> Any:
    """The channels of an image one after the other, each row by row."""
    return a.reshape(*a.shape[:-3], -1)


@flatten.gradient("da[n,k,i,j] = df[n,k*rows*columns+i*columns+j]")
def flatten_da(df: Any, a: Any, rows: int, columns: int) -> Any:
    return df.reshape(a.shape)


@steps("flatten", weights=False)
def put_flatten(site: Site, a: str) -> str:
    """An image (N, K, H, W) as rows of numbers (N, K·H·W)."""
    site.expect(a, 4, "a[n,k,i,j]")
    _, channels, rows, columns = site.shape(a)
    sizes = {"count": channels * rows * columns, "rows": rows, "columns": columns}
    return site.run(flatten, "f", a=a, **{name: site.leaf(name, size) for name, size in sizes.items()})


@layer("embedding", sizes="po")
@kernel("v[n,t,o] = W[x[n,t],o]")
def embedding(x: Any, W: Any) -> Any:
    """Each token x (N, T) is looked up: v (N, T, O) holds rows of the table W (tokens, O), as in PyTorch."""
    return W[x.astype(int)]


@embedding.gradient("dW[p,o] = sum[n,t](dv[n,t,o] * (x[n,t] == at[p]))")
def embedding_dW(dv: Any, x: Any, W: Any) -> Any:
    gradient = np.zeros(W.shape, dv.dtype)
    np.add.at(gradient, x.astype(int), dv)
    return gradient


embedding_dW.mistake(
    "token_once",
    "sum[n,t](dv[n,t,o] * (x[n,t] == at[p])"
    " * (sum[i,j]((x[i,j] == at[p]) * (at[i] * size[t] + at[j] > at[n] * size[t] + at[t])) == 0))",
    "This token occurs several times; that is the last time alone, and all add up.",
)
embedding_dW.mistake(
    "token_mean",
    "sum[n,t](dv[n,t,o] * (x[n,t] == at[p])) / max(1, sum[n,t](x[n,t] == at[p]))",
    "This token occurs several times; that is the mean over them, and they add up.",
)
