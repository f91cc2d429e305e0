"""Positional embedding: to each place of a sequence is added where it is, for attention itself cannot tell."""

from typing import Annotated, Any

import numpy as np

from backprop_cli.kernel import Range, kernel
from backprop_cli.layers.dense import FIRST
from backprop_cli.layers.layer import Site, steps


@kernel("pos[n,t,o] = a[n,t,o] + P[t,o]")
def positional(a: Any, P: Any) -> Any:
    """Row t of P is added to place t."""
    return a + P


positional.mistake("no_position", "a[n,t,o]", "Where it is was not added.")


@positional.gradient("da[n,t,o] = dpos[n,t,o]")
def positional_da(dpos: Any) -> Any:
    return dpos


@positional.gradient("dP[t,o] = sum[n](dpos[n,t,o])")
def positional_dP(dpos: Any) -> Any:
    return dpos.sum(-3)


positional_dP.mistake("first_sample_only", "sum[n](dpos[n,t,o] * (at[n] == 0))", FIRST)
positional_dP.mistake(
    "db_mean", "mean[n](dpos[n,t,o])", "The samples are summed here, not averaged: the mean is in L already."
)


@steps("positional")
def put_positional(site: Site, a: str, sine: Annotated[int, Range(0, 2)] = 0) -> str:
    """On (N, T, D). P (T, D) is learned; with `sine` it is given, sines and cosines of the place."""
    site.expect(a, 3, "a[n,t,o]")
    _, places, size = site.shape(a)
    fixed = waves(places, size).astype(site.trace[a].dtype)
    return site.run(positional, a=a, P=site.leaf("P", fixed) if sine else site.param("P", places, size))


def waves(places: int, size: int) -> Any:
    """P[t,2i] = sin(t / 10000^(2i/D)) and P[t,2i+1] = cos of the same, t from 0: (T, D). (Vaswani et al. 2017, 3.5)"""
    t, o = np.arange(places)[:, None], np.arange(size)
    angle = t / 10000 ** (o // 2 * 2 / size)
    return np.where(o % 2, np.cos(angle), np.sin(angle))
