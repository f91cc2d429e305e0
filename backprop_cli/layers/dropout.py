"""Dropout: in training each number is left out by chance, so that none can rely on another."""

from typing import Annotated, Any

from backprop_cli.errors import UsageError
from backprop_cli.kernel import Range, kernel
from backprop_cli.layers.layer import Site, steps

NOT_RESCALED = "What is kept is multiplied by 1/(1 − p), to make up for what is left out."


@kernel("kept[...] = mask[...] * a[...]")
def dropout(a: Any, mask: Any) -> Any:
    """The mask is 0 for what is left out, and larger than 1 for the rest, which makes up for it."""
    return mask * a


dropout.mistake("no_mask", "a[...]", "Nothing is left out there: the mask is missing as a factor.")
dropout.mistake("not_rescaled", "a[...] * (mask[...] > 0)", NOT_RESCALED)


@dropout.gradient("da[...] = dkept[...] * mask[...]")
def dropout_da(dkept: Any, mask: Any) -> Any:
    return dkept * mask


dropout_da.mistake("no_mask", "dkept[...]", "What was left out gets no gradient back: the mask is missing as a factor.")
dropout_da.mistake("not_rescaled", "dkept[...] * (mask[...] > 0)", NOT_RESCALED)


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
