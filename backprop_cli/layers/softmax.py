"""Softmax turns scores into probabilities: each exponential's share of their sum."""

from typing import Any

import numpy as np

from backprop_cli.kernel import kernel


@kernel("a[...,o] = exp(z[...,o]) / sum[j](exp(z[...,j]))")
def softmax(z: Any) -> Any:
    """Shares that are positive and add up to 1. Taking the largest score off first changes nothing but overflow."""
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


@softmax.gradient("dz[...,o] = a[...,o] * (da[...,o] - sum[j](da[...,j] * a[...,j]))")
def softmax_dz(da: Any, a: Any) -> Any:
    return a * (da - (da * a).sum(-1, keepdims=True))


softmax.mistake(
    "softmax_unnormalised", "exp(z[...,o])", "That is the exponential; it is divided by the sum of all of them."
)
softmax.mistake(
    "sigmoid_for_softmax", "1 / (1 + exp(-z[...,o]))", "That is a sigmoid of this z alone; a softmax takes all of them."
)
softmax.mistake("no_activation", "z[...,o]", "That is z itself; the softmax is missing.")
softmax.mistake(
    "double_softmax",
    "exp(exp(z[...,o]) / sum[j](exp(z[...,j]))) / sum[i](exp(exp(z[...,i]) / sum[j](exp(z[...,j]))))",
    "The softmax was taken twice.",
)
softmax.mistake(
    "softmax_axis",
    "exp(z[...,o]) / sum[n](exp(z[n,o]))",
    "That adds up to 1 over the samples; the outputs of each sample add up to 1.",
)
softmax_dz.mistake("no_sigma_prime", "da[...,o]", "The slopes of the softmax are missing.")
softmax_dz.mistake(
    "sigmoid_for_softmax",
    "da[...,o] * a[...,o] * (1 - a[...,o])",
    "Each z moves all outputs: the other paths are missing.",
)
softmax.remark("a[...,o] > 0.99", "{a}: the softmax is all but certain.")


def log_softmax(z: Any) -> Any:
    """log(softmax(z)) without ever taking the log of a number that underflowed."""
    shifted = z - z.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
