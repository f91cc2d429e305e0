"""Residual: what some layers make of a value is added to the value itself."""

from typing import Any

from backprop_cli.errors import UsageError
from backprop_cli.kernel import kernel
from backprop_cli.layers.layer import Site, steps

HALVED = "The two ways do not share the gradient; each gets all of it."


@kernel("sum[...] = a[...] + f[...]")
def residual(a: Any, f: Any) -> Any:
    """The gradient goes both ways: through the layers, and past them undiminished."""
    return a + f


residual.mistake("no_skip", "f[...]", "That is what the layers make of it alone; the value itself is added.")


@residual.gradient("da[...] = dsum[...]")
def residual_da(dsum: Any) -> Any:
    """Past the layers the gradient comes back as it is."""
    return dsum


residual_da.mistake("halved", "dsum[...] / 2", HALVED)


@residual.gradient("df[...] = dsum[...]")
def residual_df(dsum: Any) -> Any:
    return dsum


residual_df.mistake("halved", "dsum[...] / 2", HALVED)


@steps("residual", weights=False)
def put_residual(site: Site, a: str) -> str:
    """`residual(layernorm attention)`: the layers in its brackets, and a way past them, end in one sum.

    (He et al. 2016)
    """
    f = site.inner(a)
    if f == a:
        raise UsageError("its brackets hold the layers that it goes past, as in residual(dense4 tanh dense4)")
    (_, *before), (_, *after) = site.shape(a), site.shape(f)
    if before != after:
        raise UsageError(
            "shape {before} goes in and {after} comes out of its layers; a sum needs the same shape",
            before=tuple(before),
            after=tuple(after),
        )
    return site.run(residual, a=a, f=f)
