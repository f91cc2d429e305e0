"""Attention: every place of a sequence asks all places, and takes from each as much as that one's key fits its query.

Query, key and value are three dense layers on the same input. A score is how far a query and a key point the same way;
a softmax makes weights of the scores, and the context is the values' mean by these weights. (Vaswani et al. 2017)

Several heads do this side by side, each on its own part of the units: head h has the units from h·width on.
"""

from typing import Annotated, Any

import numpy as np

from backprop_cli.errors import UsageError
from backprop_cli.kernel import Range, kernel
from backprop_cli.layers.dense import dense_each
from backprop_cli.layers.layer import Site, steps
from backprop_cli.layers.softmax import softmax

NO_SCALE = "The factor 1/√d is missing; d is the width of a head."
ROW = "Rows and columns are exchanged: the row of a place says what it takes from the others."
COLUMN = "Rows and columns are exchanged: what comes back to a place comes through its column."
Heads = Annotated[int, Range(1)]
Flag = Annotated[int, Range(0, 2)]


@kernel("score[n,h:heads,t,u] = sum[e:width](q[n,t,h*width+e] * k[n,u,h*width+e]) / sqrt(width)")
def scores(q: Any, k: Any, heads: int, width: int) -> Any:
    """How well place t's query fits place u's key. The root keeps scores from growing with the width of a head."""
    return _apart(q, width) @ _apart(k, width).mT / width**0.5


scores.mistake(
    "no_scale",
    "sum[e:width](q[n,t,h*width+e] * k[n,u,h*width+e])",
    NO_SCALE,
)
scores.mistake(
    "no_root",
    "sum[e:width](q[n,t,h*width+e] * k[n,u,h*width+e]) / width",
    "The root is missing: the score is divided by √d.",
)


@scores.gradient("dq[n,t,o] = sum[u](dscore[n,o//width,t,u] * k[n,u,o]) / sqrt(width)")
def scores_dq(dscore: Any, k: Any, width: int) -> Any:
    return _together(dscore @ _apart(k, width)) / width**0.5


scores_dq.mistake("no_scale", "sum[u](dscore[n,o//width,t,u] * k[n,u,o])", NO_SCALE)
scores_dq.mistake("not_transposed", "sum[u](dscore[n,o//width,u,t] * k[n,u,o]) / sqrt(width)", ROW)


@scores.gradient("dk[n,u,o] = sum[t](dscore[n,o//width,t,u] * q[n,t,o]) / sqrt(width)")
def scores_dk(dscore: Any, q: Any, width: int) -> Any:
    return _together(dscore.mT @ _apart(q, width)) / width**0.5


scores_dk.mistake("no_scale", "sum[t](dscore[n,o//width,t,u] * q[n,t,o])", NO_SCALE)
scores_dk.mistake("not_transposed", "sum[t](dscore[n,o//width,u,t] * q[n,t,o]) / sqrt(width)", COLUMN)


@kernel("w[n,h,t,u] = (at[u] <= at[t]) * exp(score[n,h,t,u]) / sum[j]((at[j] <= at[t]) * exp(score[n,h,t,j]))")
def causal_softmax(score: Any) -> Any:
    """A softmax that looks back only: what comes after place t gets the weight 0 there, and the rest share 1."""
    seen = np.tri(*score.shape[-2:])
    return softmax.body(np.where(seen, score, -np.inf))


causal_softmax.mistake(
    "no_mask",
    "exp(score[n,h,t,u]) / sum[j](exp(score[n,h,t,j]))",
    "That looks ahead; what comes after a place gets the weight 0.",
)
causal_softmax.mistake(
    "not_renormalised",
    "(at[u] <= at[t]) * exp(score[n,h,t,u]) / sum[j](exp(score[n,h,t,j]))",
    "What comes after is left out only above the line: the weights that remain must add up to 1.",
)


@causal_softmax.gradient("dscore[n,h,t,u] = w[n,h,t,u] * (dw[n,h,t,u] - sum[j](dw[n,h,t,j] * w[n,h,t,j]))")
def causal_softmax_dscore(dw: Any, w: Any) -> Any:
    return w * (dw - (dw * w).sum(-1, keepdims=True))


causal_softmax_dscore.mistake("no_sigma_prime", "dw[n,h,t,u]", "The slopes of the softmax are missing.")
causal_softmax_dscore.mistake(
    "sigmoid_for_softmax",
    "dw[n,h,t,u] * w[n,h,t,u] * (1 - w[n,h,t,u])",
    "Each score moves all weights of its row: the other paths are missing.",
)


@kernel("c[n,t,o] = sum[u](w[n,o//width,t,u] * v[n,u,o])")
def context(w: Any, v: Any, width: int) -> Any:
    """What place t takes along: the values of all places, each by its weight."""
    return _together(w @ _apart(v, width))


context.mistake("not_transposed", "sum[u](w[n,o//width,u,t] * v[n,u,o])", ROW)


@context.gradient("dw[n,h,t,u] = sum[e:width](dc[n,t,h*width+e] * v[n,u,h*width+e])")
def context_dw(dc: Any, v: Any, w: Any, width: int) -> Any:
    return _apart(dc, width) @ _apart(v, width).mT


context_dw.mistake(
    "not_transposed",
    "sum[e:width](dc[n,u,h*width+e] * v[n,t,h*width+e])",
    "Rows and columns are exchanged: the row says who asks, the column whose value it is.",
)


@context.gradient("dv[n,u,o] = sum[t](w[n,o//width,t,u] * dc[n,t,o])")
def context_dv(dc: Any, w: Any, width: int) -> Any:
    return _together(w.mT @ _apart(dc, width))


context_dv.mistake("not_transposed", "sum[t](w[n,o//width,u,t] * dc[n,t,o])", COLUMN)


@steps("attention")
def put_attention(site: Site, a: str, heads: Heads = 1, causal: Flag = 0) -> str:
    """Self-attention on (N, T, D), with weights of (D, D) and biases of (D,); D must be a multiple of `heads`.

    PyTorch's MultiheadAttention has Wq, Wk, Wv one above the other as in_proj_weight, bq, bk, bv as in_proj_bias, and
    Wo, bo as out_proj. With `causal`, no place sees those after it. bk has no gradient: it raises all scores of a
    query by the same amount, which a softmax does not notice.
    """
    site.expect(a, 3, "a[n,t,i]")
    size = site.shape(a)[-1]
    if size % heads:
        raise UsageError("{size} units cannot be shared out evenly among {heads} heads", size=size, heads=heads)
    width = site.leaf("width", size // heads)

    def project(part: str, name: str, a: str) -> str:
        W, b = site.param(f"W{part}", size, size), site.param(f"b{part}", size)
        return site.run(dense_each, name, a=a, W=W, b=b)

    q, k, v = (project(name, name, a) for name in "qkv")
    score = site.run(scores, q=q, k=k, width=width)
    w = site.run(causal_softmax, score=score) if causal else site.run(softmax, "w", z=score)
    return project("o", "out", site.run(context, w=w, v=v, width=width))


def _apart(a: Any, width: int) -> Any:
    """The heads side by side: (..., T, D) as (..., heads, T, width)."""
    return a.reshape(*a.shape[:-1], -1, width).swapaxes(-3, -2)


def _together(heads: Any) -> Any:
    """The heads in a row again: (..., heads, T, width) as (..., T, D)."""
    *rest, count, places, width = heads.shape
    return heads.swapaxes(-3, -2).reshape(*rest, places, count * width)
