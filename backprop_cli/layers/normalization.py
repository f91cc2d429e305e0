"""Normalization: numbers that belong together are moved to mean 0 and stretched to variance 1.

Then a gain and a bias give each unit a scale of its own again. Layer normalization takes together the units of one
place (Ba et al. 2016), batch normalization the samples of one unit, or of one channel (Ioffe & Szegedy 2015). Apart
from that they are the same four kernels, which are written once here, in a group's own letters.
"""

from collections.abc import Callable
from math import prod
from typing import Annotated, Any, NamedTuple

import numpy as np

from backprop_cli.errors import UsageError
from backprop_cli.kernel import Body, Kernel, Range, kernel
from backprop_cli.layers.dense import FIRST
from backprop_cli.layers.layer import Site, steps

Small = Annotated[float, Range(0)]
Share = Annotated[float, Range(0, 1)]
SHARE = "Each number has only a share in the mean: divide by how many there are."
EXCHANGED = "Old and new are exchanged: the momentum is the share of the new."


class Group(NamedTuple):
    """Which entries of a[every] belong together: those along `over`. Each `unit` has a gain and a bias of its own."""

    name: str
    every: str
    over: str
    unit: str

    def kernel(self, text: str) -> Callable[[Body], Kernel]:
        """Declare a kernel whose formula has the group's letters in its braces."""
        return lambda body: kernel(self._lettered(text))(_named(body, self.name))

    def gradient(self, of: Kernel, text: str) -> Callable[[Body], Kernel]:
        """Declare a gradient likewise."""
        return lambda body: of.gradient(self._lettered(text))(_named(body, of.name))

    def mistake(self, of: Kernel, code: str, rule: str, text: str) -> None:
        """Declare a typical mistake likewise."""
        of.mistake(code, self._lettered(rule), text)

    def axes(self, letters: str) -> tuple[int, ...]:
        """Axes as NumPy counts them from the end."""
        return tuple(self.every.index(letter) - len(self.every) for letter in letters)

    def spread(self, each: Any) -> Any:
        """A number for all that belong together, laid beside them."""
        return np.expand_dims(each, self.axes(self.over))

    def spread_unit(self, each: Any) -> Any:
        """A number for each unit, laid beside all of that unit."""
        return np.expand_dims(each, self.axes(self.every.partition(self.unit)[2]))

    @property
    def rest(self) -> str:
        """All axes but the unit's."""
        return self.every.replace(self.unit, "")

    def _lettered(self, text: str) -> str:
        kept = [letter for letter in self.every if letter not in self.over]
        letters = {"every": self.every, "over": self.over, "kept": kept, "rest": self.rest, "unit": self.unit}
        count = " * ".join(f"size[{letter}]" for letter in self.over)
        return text.format(
            count=count if len(self.over) == 1 else f"({count})",
            **{name: ",".join(found) for name, found in letters.items()},
        )


def _named(body: Body, before: str) -> Body:
    body.__name__ = f"{before}_{body.__name__}"
    return body


def means(group: Group) -> Kernel:
    """mu = mean(a)."""
    over = group.axes(group.over)

    @group.kernel("mu[{kept}] = mean[{over}](a[{every}])")
    def mean(a: Any) -> Any:
        """The mean of the numbers that belong together."""
        return a.mean(over)

    @group.gradient(mean, "da[{every}] = dmu[{kept}] / {count}")
    def da(dmu: Any, a: Any) -> Any:
        return np.broadcast_to(group.spread(dmu / prod(a.shape[axis] for axis in over)), a.shape)

    group.mistake(da, "not_divided", "dmu[{kept}]", SHARE)

    return mean


def variances(group: Group) -> Kernel:
    """var = mean((a − mu)²)."""
    over = group.axes(group.over)

    @group.kernel("var[{kept}] = mean[{over}]((a[{every}] - mu[{kept}])**2)")
    def variance(a: Any, mu: Any) -> Any:
        """How far the numbers are from their mean: the mean of the squares."""
        return ((a - group.spread(mu)) ** 2).mean(over)

    @group.gradient(variance, "da[{every}] = dvar[{kept}] * 2 * (a[{every}] - mu[{kept}]) / {count}")
    def da(dvar: Any, a: Any, mu: Any) -> Any:
        return group.spread(dvar * 2 / prod(a.shape[axis] for axis in over)) * (a - group.spread(mu))

    group.mistake(
        variance,
        "variance_n_minus_1",
        "sum[{over}]((a[{every}] - mu[{kept}])**2) / ({count} - 1)",
        "That divides by one less; here the variance is the plain mean of the squares.",
    )
    group.mistake(
        variance,
        "not_divided",
        "sum[{over}]((a[{every}] - mu[{kept}])**2)",
        "That is the sum of the squares; the variance is their mean.",
    )
    group.mistake(
        variance,
        "standard_deviation",
        "sqrt(mean[{over}]((a[{every}] - mu[{kept}])**2))",
        "That is the root of the variance; it is taken later.",
    )
    group.mistake(da, "not_divided", "dvar[{kept}] * 2 * (a[{every}] - mu[{kept}])", SHARE)
    group.mistake(
        da, "factor_2", "dvar[{kept}] * (a[{every}] - mu[{kept}]) / {count}", "The 2 of the square is missing."
    )

    @group.gradient(variance, "dmu[{kept}] = -dvar[{kept}] * 2 * mean[{over}](a[{every}] - mu[{kept}])")
    def dmu(dvar: Any, a: Any, mu: Any) -> Any:
        """What lies above a mean and what lies below add up to 0: nothing comes back this way, but for rounding."""
        return -dvar * 2 * (a - group.spread(mu)).mean(over)

    return variance


def normalisers(group: Group) -> Kernel:
    """xhat = (a − mu) / √(var + eps)."""
    over = group.axes(group.over)

    @group.kernel("xhat[{every}] = (a[{every}] - mu[{kept}]) / sqrt(var[{kept}] + eps)")
    def normalised(a: Any, mu: Any, var: Any, eps: float) -> Any:
        """Moved to mean 0 and stretched to variance 1; without ε, numbers that are all the same would give 0/0."""
        return (a - group.spread(mu)) / np.sqrt(group.spread(var) + eps)

    group.mistake(
        normalised,
        "no_root",
        "(a[{every}] - mu[{kept}]) / (var[{kept}] + eps)",
        "That divides by the variance; its root belongs there.",
    )
    group.mistake(normalised, "not_centered", "a[{every}] / sqrt(var[{kept}] + eps)", "The mean was not taken off.")

    @group.gradient(normalised, "da[{every}] = dxhat[{every}] / sqrt(var[{kept}] + eps)")
    def da(dxhat: Any, var: Any, eps: float) -> Any:
        return dxhat / np.sqrt(group.spread(var) + eps)

    group.mistake(
        da, "no_root", "dxhat[{every}] / (var[{kept}] + eps)", "That divides by the variance; its root belongs there."
    )
    group.mistake(
        da, "no_scale", "dxhat[{every}]", "What was divided by √(var + ε) on the way forward is so on the way back."
    )

    @group.gradient(normalised, "dmu[{kept}] = -sum[{over}](dxhat[{every}]) / sqrt(var[{kept}] + eps)")
    def dmu(dxhat: Any, var: Any, eps: float) -> Any:
        return -dxhat.sum(over) / np.sqrt(var + eps)

    @group.gradient(
        normalised, "dvar[{kept}] = -sum[{over}](dxhat[{every}] * xhat[{every}]) / (2 * (var[{kept}] + eps))"
    )
    def dvar(dxhat: Any, xhat: Any, var: Any, eps: float) -> Any:
        return -(dxhat * xhat).sum(over) / (2 * (var + eps))

    group.mistake(
        dvar,
        "factor_2",
        "-sum[{over}](dxhat[{every}] * xhat[{every}]) / (var[{kept}] + eps)",
        "The ½ of the root is missing.",
    )

    return normalised


def scales(group: Group) -> Kernel:
    """norm = g · xhat + b."""
    rest = group.axes(group.rest)

    @group.kernel("norm[{every}] = g[{unit}] * xhat[{every}] + b[{unit}]")
    def scaled(xhat: Any, g: Any, b: Any) -> Any:
        """A gain and a bias for each unit: it may have the scale that suits it."""
        return group.spread_unit(g) * xhat + group.spread_unit(b)

    group.mistake(scaled, "no_gain", "xhat[{every}] + b[{unit}]", "The gain is missing as a factor.")
    group.mistake(scaled, "no_bias", "g[{unit}] * xhat[{every}]", "The bias is missing.")

    @group.gradient(scaled, "dg[{unit}] = sum[{rest}](dnorm[{every}] * xhat[{every}])")
    def dg(dnorm: Any, xhat: Any) -> Any:
        return (dnorm * xhat).sum(rest)

    group.mistake(
        dg,
        "delta_only",
        "sum[{rest}](dnorm[{every}])",
        "That is the gradient of the bias; for the gain x̂ is a factor.",
    )
    group.mistake(dg, "first_sample_only", "sum[{rest}](dnorm[{every}] * xhat[{every}] * (at[n] == 0))", FIRST)

    @group.gradient(scaled, "db[{unit}] = sum[{rest}](dnorm[{every}])")
    def db(dnorm: Any) -> Any:
        return dnorm.sum(rest)

    group.mistake(
        db,
        "db_times_x",
        "sum[{rest}](dnorm[{every}] * xhat[{every}])",
        "That is the gradient of the gain; for the bias x̂ is no factor.",
    )
    group.mistake(db, "db_not_summed", "sum[{rest}](dnorm[{every}] * (at[n] == 0))", FIRST)

    @group.gradient(scaled, "dxhat[{every}] = dnorm[{every}] * g[{unit}]")
    def dxhat(dnorm: Any, g: Any) -> Any:
        return dnorm * group.spread_unit(g)

    group.mistake(dxhat, "no_gain", "dnorm[{every}]", "The gain is missing as a factor.")
    return scaled


Four = tuple[Kernel, Kernel, Kernel, Kernel]


def kernels(group: Group) -> Four:
    """The four kernels of a group."""
    return means(group), variances(group), normalisers(group), scales(group)


row_mean, row_variance, row_normalised, row_scaled = ROW = kernels(Group("row", "no", "o", "o"))
place_mean, place_variance, place_normalised, place_scaled = PLACE = kernels(Group("place", "nto", "o", "o"))
unit_mean, unit_variance, unit_normalised, unit_scaled = UNIT = kernels(Group("unit", "no", "n", "o"))
channel_mean, channel_variance, channel_normalised, channel_scaled = CHANNEL = kernels(
    Group("channel", "nkrs", "nrs", "k")
)


@kernel("running_mean_new[...] = (1 - momentum) * running_mean[...] + momentum * mu[...]")
def running_mean(running_mean: Any, mu: Any, momentum: float) -> Any:
    """The mean over the batches so far, in which older ones fade; it stands in for mu when the network is used."""
    return (1 - momentum) * running_mean + momentum * mu


running_mean.mistake("momentum_exchanged", "momentum * running_mean[...] + (1 - momentum) * mu[...]", EXCHANGED)


@kernel("running_var_new[...] = (1 - momentum) * running_var[...] + momentum * var[...] * entries / (entries - 1)")
def running_variance(running_var: Any, var: Any, momentum: float, entries: int) -> Any:
    """The same for the variance, divided by one less: a sample lies closer to its own mean than to the true one."""
    return (1 - momentum) * running_var + momentum * var * entries / (entries - 1)


running_variance.mistake(
    "momentum_exchanged",
    "momentum * running_var[...] + (1 - momentum) * var[...] * entries / (entries - 1)",
    EXCHANGED,
)
running_variance.mistake(
    "variance_n",
    "(1 - momentum) * running_var[...] + momentum * var[...]",
    "What is remembered is the variance divided by one less than there are numbers.",
)


@steps("layernorm")
def put_layernorm(site: Site, a: str, eps: Small = 1e-5) -> str:
    """Over the units of each sample (N, D), or of each place of a sequence (N, T, D).

    PyTorch's LayerNorm has g as weight and b as bias; they begin at 1 and 0 there too.
    """
    mean, variance, normalised, scaled = _fitting(site, a, {"a[n,o]": ROW, "a[n,t,o]": PLACE})
    mu = site.run(mean, a=a)
    xhat = site.run(normalised, a=a, mu=mu, var=site.run(variance, a=a, mu=mu))
    return _scaled(site, scaled, xhat, site.shape(a)[-1])


@steps("batchnorm")
def put_batchnorm(site: Site, a: str, eps: Small = 1e-5, momentum: Share = 0.1) -> str:
    """Over the samples, for each unit of (N, D), or over samples and places for each channel of (N, K, H, W).

    In training by the batch's mean and variance (divided by N); what is remembered of these, running_mean and
    running_var (divided by N − 1), begins at 0 and 1 and is used when the network is. As PyTorch's BatchNorm, whose
    weight is g and whose bias is b. A single number has no variance to remember: training on it is refused.
    """
    shape = site.shape(a)
    mean, variance, normalised, scaled = _fitting(site, a, {"a[n,o]": UNIT, "a[n,k,r,s]": CHANNEL})
    mu, var = (site.keep(f"running_{name}", shape[1], start=start) for name, start in (("mean", 0.0), ("var", 1.0)))
    if site.draw:
        entries = prod(shape) // shape[1]
        if entries == 1:
            raise UsageError("batchnorm cannot train on one sample, which is its own mean; give two or more (--x)")
        batch_mu = site.run(mean, a=a)
        batch_var = site.run(variance, a=a, mu=batch_mu)
        site.renew(running_mean, running_mean=mu, mu=batch_mu)
        site.renew(running_variance, running_var=var, var=batch_var, entries=site.leaf("entries", entries))
        mu, var = batch_mu, batch_var
    return _scaled(site, scaled, site.run(normalised, a=a, mu=mu, var=var), shape[1])


def _fitting(site: Site, a: str, kinds: dict[str, Four]) -> Four:
    """The kernels for as many axes as `a` has."""
    shape = site.shape(a)
    for entry, found in kinds.items():
        if entry.count(",") + 1 == len(shape):
            return found
    raise UsageError("it takes {wanted}, but what comes in has shape {shape}", wanted=", ".join(kinds), shape=shape)


def _scaled(site: Site, scaled: Kernel, xhat: str, size: int) -> str:
    return site.run(scaled, xhat=xhat, g=site.param("g", size, start=1.0), b=site.param("b", size, start=0.0))
