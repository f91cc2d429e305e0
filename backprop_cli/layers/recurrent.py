"""Recurrent layers read a sequence one time step after the other, and remember: h@2 is the memory after time step 2.

At each time step there is what the input says, p = W·x + b, and what the memory says, U·h + v. This file holds what all
such layers have in common, and the plainest of them. Each gives its memory after every time step, (N, T, H), or with
`last` only after the last one, (N, H). It begins at 0. U is used again and again; its gradient sums over time.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Annotated, Any, NamedTuple

import numpy as np

from backprop_cli.formula import Formula
from backprop_cli.kernel import Joint, Kernel, Range, Use, kernel
from backprop_cli.language import later
from backprop_cli.layers.activation import tanh
from backprop_cli.layers.dense import TURNED, TURNED_BACK, TURNED_OUTER, dense_each
from backprop_cli.layers.layer import Site, steps

LAST_STEP = later("That is the last time step alone; the same weights are used at every one, and all add up.")
Last = Annotated[int, Range(0, 2)]


@kernel("z[n,j] = sum[k](U[j,k] * h[n,k]) + v[j]")
def recall(h: Any, U: Any, v: Any) -> Any:
    """What the memory says."""
    return h @ U.T + v


recall.mistake("no_bias", "sum[k](U[j,k] * h[n,k])", "The bias is missing.")


@recall.gradient("dU[j,k] = sum[n](dz[n,j] * h[n,k])")
def recall_dU(dz: Any, h: Any) -> Any:
    return dz.mT @ h


@recall.gradient("dv[j] = sum[n](dz[n,j])")
def recall_dv(dz: Any) -> Any:
    return dz.sum(-2)


@recall.gradient("dh[n,k] = sum[j](dz[n,j] * U[j,k])")
def recall_dh(dz: Any, U: Any) -> Any:
    return dz @ U


recall_dh.mistake("no_weights", "sum[j](dz[n,j])", "That is the sum of the δ; each comes back through its weight.")
recall_dh.mistake("abs_weights", "sum[j](dz[n,j] * abs(U[j,k]))", "The weights' signs are lost.")
recall_dh.mistake("w_not_transposed", "sum[j](dz[n,j] * U[k,j])", TURNED_BACK)
recall_dh.mistake(
    "one_path_only",
    "sum[j](dz[n,j] * U[j,k] * (at[j] == 0))",
    "That is the path through the first output alone; all paths add up.",
)


@kernel("z[n,j] = p[n,before,j] + sum[k](U[j,k] * h[n,k]) + v[j]")
def heard(p: Any, h: Any, U: Any, v: Any, before: int) -> Any:
    """What the input says at one time step, and what the memory says."""
    return p[..., before, :] + h @ U.T + v


heard.mistake("no_memory", "p[n,before,j]", "What the memory says is missing.")
heard.mistake("no_input", "sum[k](U[j,k] * h[n,k]) + v[j]", "What the input says is missing.")
heard.mistake("no_bias", "p[n,before,j] + sum[k](U[j,k] * h[n,k])", "The bias is missing.")
heard.mistake("w_transposed_forward", "p[n,before,j] + sum[k](U[k,j] * h[n,k]) + v[j]", TURNED)

heard.gradients.update(recall.gradients)


@heard.gradient("dp[n,t,j] = dz[n,j] * (at[t] == before)")
def heard_dp(dz: Any, p: Any, before: int) -> Any:
    dp = np.zeros(p.shape, dz.dtype)
    dp[..., before, :] = dz
    return dp


def side_by_side(*parts: Any) -> Any:
    """The time steps in one sequence."""
    if len({part.shape for part in parts}) > 1:  # only some of them are many copies side by side
        parts = np.broadcast_arrays(*parts)
    return np.stack(parts, -2)


def _part(number: int) -> Callable[[Any], Any]:
    def part(dh: Any) -> Any:
        return dh[..., number, :]

    part.__name__ = f"side_by_side_dh{number + 1}"
    return part


@cache
def stack(count: int) -> Kernel:
    """The memory after each of so many time steps as one sequence: h1 to h4, each (N, H), give h (N, 4, H)."""
    takes = numbered("h", count)
    stacked = Kernel(Formula(f"h[n,t,k] = {picked(takes, 'n,k')}"), side_by_side, takes=takes)
    for number, name in enumerate(takes):
        stacked.gradient(f"d{name}[n,k] = dh[n,{number},k]")(_part(number))
    return stacked


def numbered(name: str, count: int) -> tuple[str, ...]:
    """The names of so many operands of a kind: dz1, dz2, dz3."""
    return tuple(f"{name}{number}" for number in range(1, count + 1))


def picked(names: Sequence[str], axes: str) -> str:
    """That operand which the time step says."""
    return f"pick[t]({', '.join(f'{name}[{axes}]' for name in names)})"


stack_of_three = stack(3)


# --- the gradient of what is used at every time step ----------------------------------------------------------------


@cache
def every_dp(count: int) -> Kernel:
    """Each time step has its part of the sequence."""
    takes = numbered("dz", count)
    return Kernel(Formula(f"dp[n,t,j] = {picked(takes, 'n,j')}"), side_by_side, takes=takes)


@cache
def every_dU(count: int) -> Kernel:
    """Each time step adds what it hands back, times the memory that it found."""
    dz, h = numbered("dz", count), numbered("h", count)

    def every_dU(*parts: Any) -> Any:
        return np.concatenate(parts[:count], -2).mT @ np.concatenate(parts[count:], -2)

    deltas, memories = picked(dz, "n,j"), picked(h, "n,k")
    whole = Kernel(Formula(f"dU[j,k] = sum[n,t]({deltas} * {memories})"), every_dU, takes=(*dz, *h))
    whole.mistake("last_step_only", f"sum[n]({dz[-1]}[n,j] * {h[-1]}[n,k])", LAST_STEP)
    whole.mistake("delta_only", f"sum[n,t]({deltas})", later("That is δ alone; the memory is missing as a factor."))
    whole.mistake("dw_transposed", f"sum[n,t]({picked(dz, 'n,k')} * {picked(h, 'n,j')})", TURNED_OUTER)
    whole.mistake(
        "outer_of_sums",
        f"sum[n,t]({deltas}) * sum[n,t]({memories})",
        later("That is a product of two sums; multiply within each time step first, then add up."),
    )
    return whole


@cache
def every_dv(count: int) -> Kernel:
    """The same for the bias."""
    takes = numbered("dz", count)

    def every_dv(*parts: Any) -> Any:
        return np.concatenate(parts, -2).sum(-2)

    whole = Kernel(Formula(f"dv[j] = sum[n,t]({picked(takes, 'n,j')})"), every_dv, takes=takes)
    whole.mistake("last_step_only", f"sum[n]({takes[-1]}[n,j])", LAST_STEP)
    whole.mistake(
        "db_mean",
        f"mean[n,t]({picked(takes, 'n,j')})",
        later("The δ of all samples and time steps are summed here; that is their mean."),
    )
    return whole


def _every(make: Callable[[int], Kernel]) -> Joint:
    """At every time step a value is used in the same way; in other company its uses are added up as everywhere."""

    def joint(uses: Sequence[Use]) -> Kernel | None:
        return make(len(uses)) if len({use.kernel for use in uses}) == 1 else None

    return joint


for _user in (recall, heard):
    _user.joint.update(U=_every(every_dU), v=_every(every_dv))
heard.joint["p"] = _every(every_dp)


# --- a layer --------------------------------------------------------------------------------------------------------


class Cell(NamedTuple):
    """A recurrent layer at its site: what the input says, (N, T, rows), its weights, and how many units it has."""

    site: Site
    p: str
    weights: dict[str, str]
    units: int

    def start(self, name: str) -> str:
        """The memory before the first time step."""
        p = self.site.trace[self.p]
        return self.site.leaf(f"{name}@0", np.zeros((len(p), self.units), p.dtype))

    def times(self) -> Iterator[int]:
        """The time steps, counted from 1."""
        return iter(range(1, self.site.shape(self.p)[1] + 1))

    def heard(self, time: int) -> dict[str, str]:
        """What the input says, and where: how many time steps came before."""
        return {"p": self.p, "before": self.site.leaf(f"before@{time}", time - 1)}

    def result(self, memory: list[str], last: int) -> str:
        """The memory after the last time step, or after every one of them."""
        if last:
            return memory[-1]
        kernel = stack(len(memory))
        return self.site.run(kernel, **dict(zip(kernel.takes, memory, strict=True)))


def cell(site: Site, x: str, units: int, gates: int = 1) -> Cell:
    """A recurrent layer for x (N, T, I), with weights W (gates·H, I), U (gates·H, H) and biases b, v (gates·H,)."""
    site.expect(x, 3, "a[n,t,i]")
    rows = gates * units
    W, U = site.param("W", rows, site.shape(x)[-1]), site.param("U", rows, units)
    b, v = site.param("b", rows), site.param("v", rows)
    return Cell(site, site.run(dense_each, "p", a=x, W=W, b=b), {"U": U, "v": v}, units)


@steps("rnn")
def put_rnn(site: Site, x: str, units: int, last: Last = 0) -> str:
    """h = tanh(p + U·h + v). (Elman 1990)

    As PyTorch's RNN: W is weight_ih_l0 (H, I), U weight_hh_l0 (H, H), b bias_ih_l0 (H,), v bias_hh_l0 (H,).
    """
    rnn = cell(site, x, units)
    h, memory = rnn.start("h"), []
    for t in rnn.times():
        z = site.run(heard, f"z@{t}", h=h, **rnn.heard(t), **rnn.weights)
        h = site.run(tanh, f"h@{t}", z=z)
        memory.append(h)
    return rnn.result(memory, last)
