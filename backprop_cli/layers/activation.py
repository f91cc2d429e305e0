"""Activations bend each number by itself; without them a stack of layers is one straight line."""

from math import erf, pi, sqrt
from typing import Any

import numpy as np

from backprop_cli.kernel import kernel

HALF_A_PRODUCT = "The activation is a product with z as one factor, so its slope has two terms; the second is missing."
LARGEST = 709.0
"""The exponential of more overflows, and that of a complex number would be no number; 1/(1 + it) is 1e-308 here."""


@kernel("a[...] = z[...]")
def identity(z: Any) -> Any:
    """No bend at all: the output is the weighted sum itself."""
    return z


@identity.gradient("dz[...] = da[...]")
def identity_dz(da: Any) -> Any:
    return da


@kernel("a[...] = 1 / (1 + exp(-z[...]))")
def sigmoid(z: Any) -> Any:
    """Squashes any number into (0, 1)."""
    return 1 / (1 + _exp(-z))


@sigmoid.gradient("dz[...] = da[...] * a[...] * (1 - a[...])")
def sigmoid_dz(da: Any, a: Any) -> Any:
    return da * a * (1 - a)


@sigmoid_dz.fused(sigmoid)
def sigmoid_dz_from_z(da: Any, a: Any, z: Any) -> Any:
    # 1 − a has few digits left where a is all but 1; the sigmoid of −z is the same, and has all of them
    return da * a / (1 + _exp(z))


sigmoid.gradients["z"] = sigmoid_dz_from_z
sigmoid.mistake("no_activation", "z[...]", "That is z itself; the sigmoid is missing.")
sigmoid.mistake("sign_in_exponent", "1 / (1 + exp(z[...]))", "The sign in the exponent is turned: it is e^(−z).")
sigmoid.mistake("wrong_activation", "tanh(z[...])", "That is tanh; here it is the sigmoid.")
sigmoid.mistake("double_activation", "1 / (1 + exp(-1 / (1 + exp(-z[...]))))", "The sigmoid was taken twice.")
sigmoid_dz_from_z.mistake("no_sigma_prime", "da[...]", "The slope of the sigmoid, a(1 − a), is missing as a factor.")
sigmoid_dz_from_z.mistake("f_for_fprime", "da[...] * a[...]", "That has a as a factor, not the slope a(1 − a).")
sigmoid_dz_from_z.mistake(
    "wrong_fprime", "da[...] * (1 - a[...])", "That has 1 − a as a factor, not the slope a(1 − a)."
)
sigmoid_dz_from_z.mistake(
    "wrong_fprime", "da[...] * (1 - a[...]**2)", "1 − a² is the slope of tanh; here it is a(1 − a)."
)
sigmoid_dz_from_z.mistake(
    "wrong_fprime", "da[...] * a[...] * (1 + a[...])", "The slope is a(1 − a): there is a minus in it."
)
sigmoid_dz_from_z.mistake(
    "wrong_fprime",
    "da[...] * (1 - z[...]**2)",
    "That is the slope of tanh, with z where a belongs; here it is a(1 − a).",
)
sigmoid_dz_from_z.mistake(
    "z_in_sigma_prime", "da[...] * z[...] * (1 - z[...])", "The slope a(1 − a) has z where a belongs."
)
sigmoid_dz_from_z.mistake(
    "sigma_prime_of_a",
    "da[...] / (1 + exp(-a[...])) * (1 - 1 / (1 + exp(-a[...])))",
    "The slope was taken at a; it belongs at z, where it is a(1 − a).",
)
sigmoid.remark("a[...] * (1 - a[...]) < 0.01", "{a} is saturated: its slope a(1 − a) is under 0.01.")


@kernel("a[...] = tanh(z[...])")
def tanh(z: Any) -> Any:
    """Squashes any number into (−1, 1), and 0 stays 0."""
    return np.tanh(z)


@tanh.gradient("dz[...] = da[...] * (1 - a[...]**2)")
def tanh_dz(da: Any, a: Any) -> Any:
    return da * (1 - a * a)


@tanh_dz.fused(tanh)
def tanh_dz_from_z(da: Any, z: Any) -> Any:
    # from z, for 1 − a² has few digits left where a is all but ±1
    small = _exp_minus_abs(2 * z)
    return da * 4 * small / (1 + small) ** 2


tanh.gradients["z"] = tanh_dz_from_z
tanh.mistake("no_activation", "z[...]", "That is z itself; tanh is missing.")
tanh.mistake("wrong_activation", "1 / (1 + exp(-z[...]))", "That is the sigmoid; here it is tanh.")
tanh.mistake("double_activation", "tanh(tanh(z[...]))", "tanh was taken twice.")
tanh_dz_from_z.mistake("no_sigma_prime", "da[...]", "The slope of tanh, 1 − a², is missing as a factor.")
tanh_dz_from_z.mistake("f_for_fprime", "da[...] * a[...]", "That has a as a factor, not the slope 1 − a².")
tanh_dz_from_z.mistake("wrong_fprime", "da[...] * (1 - a[...])", "The slope of tanh is 1 − a²: the square is missing.")
tanh_dz_from_z.mistake("wrong_fprime", "da[...] * (1 + a[...]**2)", "The slope is 1 − a²: there is a minus in it.")
tanh_dz_from_z.mistake(
    "sigma_prime_of_a",
    "da[...] * (1 - tanh(a[...])**2)",
    "The slope was taken at a; it belongs at z, where it is 1 − a².",
)
tanh_dz_from_z.mistake(
    "wrong_fprime", "da[...] * a[...] * (1 - a[...])", "a(1 − a) is the slope of the sigmoid; here it is 1 − a²."
)
tanh_dz_from_z.mistake("z_in_sigma_prime", "da[...] * (1 - z[...]**2)", "The slope 1 − a² has z where a belongs.")
tanh.remark("1 - a[...]**2 < 0.01", "{a} is saturated: its slope 1 − a² is under 0.01.")


@kernel("a[...] = max(z[...], 0)")
def relu(z: Any) -> Any:
    """Lets positive numbers pass and stops the rest."""
    return np.maximum(z, 0)


@relu.gradient("dz[...] = da[...] * (z[...] > 0)")
def relu_dz(da: Any, z: Any) -> Any:
    return da * (z > 0)


relu.mistake("no_activation", "z[...]", "That is z itself; ReLU lets nothing negative through.")
relu_dz.mistake("no_sigma_prime", "da[...]", "This unit is off: its slope is 0, and so nothing passes.")
relu_dz.mistake("relu_times_z", "da[...] * max(z[...], 0)", "The slope of ReLU is 1 or 0, not z.")
relu_dz.mistake(
    "relu_sign", "da[...] * ((z[...] > 0) - (z[...] < 0))", "The slope of ReLU is 0 below 0; that has −1 there."
)
relu_dz.mistake(
    "relu_mask_on_delta", "max(da[...], 0)", "What passes is up to the sign of z, not to that of the gradient."
)
relu_dz.convention(
    "relu_at_zero", "da[...] * (z[...] >= 0)", "z sits on the kink of ReLU, where the slope 1 is right, too."
)
relu.remark("z[...] < 0", "{z} is negative, so ReLU outputs 0: this unit is off and passes no gradient back.")
relu.remark(
    "(z[...] >= 0) * (z[...] <= 0)", "{z} sits on the kink of ReLU: slope 0 to the left, 1 to the right; 0 is used."
)


@kernel("a[...] = where(z[...] > 0, z[...], alpha * z[...])")
def leaky_relu(z: Any, alpha: float = 0.01) -> Any:
    """A ReLU that lets a little of the negative side through."""
    return np.where(z > 0, z, alpha * z)


@leaky_relu.gradient("dz[...] = da[...] * where(z[...] > 0, 1, alpha)")
def leaky_relu_dz(da: Any, z: Any, alpha: float) -> Any:
    return da * np.where(z > 0, 1, alpha).astype(z.dtype)


leaky_relu.mistake("relu_for_leaky", "max(z[...], 0)", "That is a plain ReLU; this one lets α·z through below 0.")
leaky_relu_dz.mistake(
    "wrong_fprime", "da[...] * (z[...] > 0)", "That is the slope of a plain ReLU; here it is α below 0."
)
leaky_relu_dz.convention(
    "relu_at_zero",
    "da[...] * where(z[...] >= 0, 1, alpha)",
    "z sits on the kink of ReLU, where the slope 1 is right, too.",
)
leaky_relu.remark("z[...] < 0", "{z} is negative: only the small slope α lets any gradient through.")


@kernel("a[...] = where(z[...] > 0, z[...], alpha * (exp(z[...]) - 1))")
def elu(z: Any, alpha: float = 1.0) -> Any:
    """Straight above 0; below, it bends smoothly towards −alpha. (Clevert et al. 2016)"""
    return np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0)))


@elu.gradient("dz[...] = da[...] * where(z[...] > 0, 1, alpha * exp(z[...]))")
def elu_dz(da: Any, z: Any, alpha: float) -> Any:
    return da * np.where(z > 0, 1, alpha * np.exp(np.minimum(z, 0)))


elu_dz.mistake(
    "wrong_fprime", "da[...] * where(z[...] > 0, 1, a[...])", "Below 0 that has a as the slope; it is a + α there."
)


@kernel("a[...] = z[...] * (1 + erf(z[...] / sqrt(2))) / 2")
def gelu(z: Any) -> Any:
    """z times the probability that a standard normal number is below z. (Hendrycks & Gimpel 2016, the exact form)"""
    return z * _below(z)


@gelu.gradient("dz[...] = da[...] * ((1 + erf(z[...] / sqrt(2))) / 2 + z[...] * exp(-z[...]**2 / 2) / sqrt(2 * pi))")
def gelu_dz(da: Any, z: Any) -> Any:
    return da * (_below(z) + z * np.exp(-z * z / 2) / sqrt(2 * pi))


gelu_dz.mistake("wrong_fprime", "da[...] * (1 + erf(z[...] / sqrt(2))) / 2", HALF_A_PRODUCT)


@kernel("a[...] = z[...] / (1 + exp(-z[...]))")
def silu(z: Any) -> Any:
    """z times its own sigmoid, also called swish."""
    return z * sigmoid.body(z)


@silu.gradient("dz[...] = da[...] * (1 + z[...] * (1 - 1 / (1 + exp(-z[...])))) / (1 + exp(-z[...]))")
def silu_dz(da: Any, z: Any) -> Any:
    s = sigmoid.body(z)
    return da * s * (1 + z * (1 - s))


silu_dz.mistake("wrong_fprime", "da[...] / (1 + exp(-z[...]))", HALF_A_PRODUCT)


@kernel("a[...] = log(1 + exp(z[...]))")
def softplus(z: Any) -> Any:
    """A ReLU with its corner rounded off; its slope is the sigmoid."""
    return np.maximum(z, 0) + np.log1p(_exp_minus_abs(z))


@softplus.gradient("dz[...] = da[...] / (1 + exp(-z[...]))")
def softplus_dz(da: Any, z: Any) -> Any:
    return da * sigmoid.body(z)


softplus.mistake("relu_for_softplus", "max(z[...], 0)", "That is a ReLU; softplus rounds its corner off.")
softplus_dz.mistake(
    "wrong_fprime",
    "da[...] / (1 + exp(-z[...])) * (1 - 1 / (1 + exp(-z[...])))",
    "That is the slope of the sigmoid; here the slope is the sigmoid itself.",
)

for _bent in (leaky_relu, elu, gelu, silu, softplus):
    _bent.mistake("no_activation", "z[...]", "That is z itself; the activation is missing.")
    _slope = _bent.gradients["z"]
    _slope.mistake("no_sigma_prime", "da[...]", "The slope of the activation is missing as a factor.")
    _slope.mistake("f_for_fprime", "da[...] * a[...]", "That has a as a factor, not the slope of the activation.")


def _exp(z: Any) -> Any:
    """e^z, or ∞; of complex numbers only as much as still is a number."""
    return np.exp(np.minimum(z, LARGEST) if z.dtype.kind == "c" else z)


def _exp_minus_abs(z: Any) -> Any:
    """e^(−|z|), with the sign taken from the real part."""
    return np.exp(np.minimum(z, -z))


def _below(z: Any) -> Any:
    """Φ(z): the share of a standard normal distribution below z. NumPy has no erf; the standard library's is used."""
    return ((1 + np.frompyfunc(erf, 1, 1)(z / sqrt(2))) / 2).astype(z.dtype)
