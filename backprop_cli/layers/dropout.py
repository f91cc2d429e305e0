"""Dropout: in training each number is left out by chance, so that none can rely on another."""

from typing import Annotated, Any

from backprop_cli.errors import UsageError
from backprop_cli.kernel import Range, kernel
from backprop_cli.layers.layer import Site, steps


@kernel("kept[...] = mask[...] * a[...]")
def dropout(a: Any, mask: Any) -> Any:
    """The mask is 0 for what is left out, and larger than 1 for the rest, which makes up for it."""
    return mask * a


@dropout.gradient("da[...] = dkept[...] * mask[...]")
def dropout_da(dkept: Any, mask: Any) -> Any:
    return dkept * mask


dropout.remark("mask[...] == 0", "{a} is left out by chance in this step, and gets no gradient back.")


@steps("dropout", weights=False)
def put_dropout(site: Site, a: str, p: Annotated[float, Range(0)] = 0.5) -> str:
    """In training each number is left out with probability p, and the rest multiplied by 1/(1 − p), as in PyTorch.

    (Srivastava et al. 2014; they multiply when the network is used instead.)
    With p = 0 the mask is 1 everywhere, with p = 1 it is 0 everywhere. A network that is used drops nothing, and there
    is no step. The mask is given, not computed: whoever replays the step keeps it.
    """
    if p > 1:
        raise UsageError("p is the share that is left out, from 0 to 1, not {p:g}", p=p)
    if site.draw is None:
        return a
    share, dtype = 1 / (1 - p) if p < 1 else 0.0, site.trace[a].dtype
    mask = site.chance("mask", site.draw(site.shape(a)), lambda numbers: ((numbers >= p) * share).astype(dtype))
    return site.run(dropout, a=a, mask=mask)
