"""Elementary operations on single numbers: what a written expression such as (x + y) * z is made of."""

from typing import Any

import numpy as np

from backprop_cli.kernel import kernel

OTHER_FACTOR = "In a product each factor gets the gradient times the other factor."


@kernel("s = p + q")
def add(p: Any, q: Any) -> Any:
    """A sum hands its gradient on to both terms unchanged."""
    return p + q


@add.gradient("dp = ds")
def add_dp(ds: Any) -> Any:
    return ds


@add.gradient("dq = ds")
def add_dq(ds: Any) -> Any:
    return ds


@kernel("s = p - q")
def subtract(p: Any, q: Any) -> Any:
    """A difference turns the sign of the gradient for what is taken away."""
    return p - q


@subtract.gradient("dp = ds")
def subtract_dp(ds: Any) -> Any:
    return ds


@subtract.gradient("dq = -ds")
def subtract_dq(ds: Any) -> Any:
    return -ds


@kernel("s = p * q")
def multiply(p: Any, q: Any) -> Any:
    """In a product each factor gets the gradient times the other factor."""
    return p * q


multiply.mistake("sum_for_product", "p + q", "That is the sum; here it is the product.")


@multiply.gradient("dp = ds * q")
def multiply_dp(ds: Any, q: Any) -> Any:
    return ds * q


multiply_dp.mistake("own_factor", "ds * p", OTHER_FACTOR)
multiply_dp.mistake("delta_only", "ds", OTHER_FACTOR)


@multiply.gradient("dq = ds * p")
def multiply_dq(ds: Any, p: Any) -> Any:
    return ds * p


multiply_dq.mistake("own_factor", "ds * q", OTHER_FACTOR)
multiply_dq.mistake("delta_only", "ds", OTHER_FACTOR)


@kernel("s = p / q")
def divide(p: Any, q: Any) -> Any:
    """A quotient."""
    return p / q


@divide.gradient("dp = ds / q")
def divide_dp(ds: Any, q: Any) -> Any:
    return ds / q


@divide.gradient("dq = -ds * p / q**2")
def divide_dq(ds: Any, p: Any, q: Any) -> Any:
    return -ds * p / q**2


divide_dq.mistake("no_square", "-ds * p / q", "The square is missing: the slope of 1/q is −1/q².")


@kernel("s = p**q")
def power(p: Any, q: Any) -> Any:
    """A power; for the gradient of the exponent the base must be positive."""
    return p**q


@power.gradient("dp = ds * q * p**(q - 1)")
def power_dp(ds: Any, p: Any, q: Any) -> Any:
    return ds * q * p ** (q - 1)


power_dp.mistake("no_exponent", "ds * p**(q - 1)", "The exponent is missing as a factor.")
power_dp.mistake("exponent_kept", "ds * q * p**q", "The exponent goes down by 1.")


@power.gradient("dq = ds * p**q * log(p)")
def power_dq(ds: Any, p: Any, q: Any) -> Any:
    return ds * p**q * np.log(p)


@kernel("s = -p")
def negative(p: Any) -> Any:
    """The other sign, for the gradient too."""
    return -p


@negative.gradient("dp = -ds")
def negative_dp(ds: Any) -> Any:
    return -ds


@kernel("s = exp(p)")
def exponential(p: Any) -> Any:
    """Its slope is its own value."""
    return np.exp(p)


@exponential.gradient("dp = ds * s")
def exponential_dp(ds: Any, s: Any) -> Any:
    return ds * s


exponential_dp.mistake("no_sigma_prime", "ds", "The slope of the exponential, its own value, is missing as a factor.")


@kernel("s = log(p)")
def logarithm(p: Any) -> Any:
    """The natural logarithm, of a positive number."""
    return np.log(p)


@logarithm.gradient("dp = ds / p")
def logarithm_dp(ds: Any, p: Any) -> Any:
    return ds / p


logarithm_dp.mistake("f_for_fprime", "ds * s", "That has the logarithm itself; its slope is 1/p.")


@kernel("s = sin(p)")
def sine(p: Any) -> Any:
    """The sine, of an angle in radians."""
    return np.sin(p)


@sine.gradient("dp = ds * cos(p)")
def sine_dp(ds: Any, p: Any) -> Any:
    return ds * np.cos(p)


sine_dp.mistake("f_for_fprime", "ds * s", "That has the sine itself; its slope is the cosine.")


@kernel("s = cos(p)")
def cosine(p: Any) -> Any:
    """The cosine, of an angle in radians."""
    return np.cos(p)


@cosine.gradient("dp = -ds * sin(p)")
def cosine_dp(ds: Any, p: Any) -> Any:
    return -ds * np.sin(p)


cosine_dp.mistake("f_for_fprime", "ds * s", "That has the cosine itself; its slope is minus the sine.")


@kernel("s = sqrt(p)")
def square_root(p: Any) -> Any:
    """The square root, of a positive number."""
    return np.sqrt(p)


@square_root.gradient("dp = ds / (2 * s)")
def square_root_dp(ds: Any, s: Any) -> Any:
    return ds / (2 * s)


square_root_dp.mistake("f_for_fprime", "ds * s", "That has the root itself; its slope is 1 over twice the root.")


@kernel("s = abs(p)")
def absolute(p: Any) -> Any:
    """The amount without the sign; at 0 it has a kink, where the slope 0 is used."""
    return np.maximum(p, -p)


@absolute.gradient("dp = ds * ((p > 0) - (p < 0))")
def absolute_dp(ds: Any, p: Any) -> Any:
    return ds * np.sign(p)


@kernel("s = max(p, q)")
def larger(p: Any, q: Any) -> Any:
    """The larger of two numbers; the gradient goes to it alone."""
    return np.maximum(p, q)


@larger.gradient("dp = ds * (p > q)")
def larger_dp(ds: Any, p: Any, q: Any) -> Any:
    return ds * (p > q)


@larger.gradient("dq = ds * (p <= q)")
def larger_dq(ds: Any, p: Any, q: Any) -> Any:
    return ds * (p <= q)
