"""Gates are numbers from 0 to 1 that say how much of something gets through; each has its own rows of the weights.

The rows of the gates in W, U, b and v stand one below the other, and so do their parts of p, what the input says, and
of q, what the memory says. At every time step each gate listens to its part of both.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from backprop_cli.formula import Formula
from backprop_cli.kernel import Kernel, Use, kernel
from backprop_cli.layers.activation import sigmoid
from backprop_cli.layers.recurrent import Cell, numbered, picked

NO_GATE = "The gate is missing as a factor: what goes forward through it comes back through it."


@kernel("z[n,k:units] = p[n,before,gate*units+k] + q[n,gate*units+k]")
def both(p: Any, q: Any, units: int, gate: int, before: int) -> Any:
    """What input and memory say to one gate."""
    return _part(p[..., before, :], units, gate) + _part(q, units, gate)


both.mistake("no_memory", "p[n,before,gate*units+k]", "What the memory says is missing.")
both.mistake("no_input", "q[n,gate*units+k]", "What the input says is missing.")


@both.gradient("dp[n,t,j] = dz[n,j-gate*units] * (at[t] == before)")
def both_dp(dz: Any, p: Any, units: int, gate: int, before: int) -> Any:
    dp = np.zeros(p.shape, dz.dtype)
    _part(dp[..., before, :], units, gate)[...] = dz
    return dp


@both.gradient("dq[n,j] = dz[n,j-gate*units]")
def both_dq(dz: Any, q: Any, units: int, gate: int) -> Any:
    return _alone(q, units, gate, dz)


@kernel("z[n,k] = p[n,before,gate*units+k] + r[n,k] * q[n,gate*units+k]")
def filtered(p: Any, q: Any, r: Any, units: int, gate: int, before: int) -> Any:
    """The same, but where the gate r is closed the memory has no say."""
    return _part(p[..., before, :], units, gate) + r * _part(q, units, gate)


filtered.mistake(
    "no_gate",
    "p[n,before,gate*units+k] + q[n,gate*units+k]",
    "The gate r is missing as a factor of what the memory says.",
)
filtered.mistake(
    "gate_on_input",
    "r[n,k] * (p[n,before,gate*units+k] + q[n,gate*units+k])",
    "The gate r is for what the memory says; the input goes past it.",
)
filtered.gradients["p"] = both_dp


@filtered.gradient("dq[n,j] = dz[n,j-gate*units] * r[n,j-gate*units]")
def filtered_dq(dz: Any, r: Any, q: Any, units: int, gate: int) -> Any:
    return _alone(q, units, gate, dz * r)


@filtered.gradient("dr[n,k] = dz[n,k] * q[n,gate*units+k]")
def filtered_dr(dz: Any, q: Any, units: int, gate: int) -> Any:
    return dz * _part(q, units, gate)


filtered_dr.mistake("delta_only", "dz[n,k]", "That is δ alone; what the memory says is missing as a factor.")


def _part(z: Any, units: int, gate: int) -> Any:
    """The part of z that belongs to a gate."""
    return z[..., gate * units : (gate + 1) * units]


def _alone(z: Any, units: int, gate: int, part: Any) -> Any:
    """Zeros in the shape of z, but for the part that belongs to a gate."""
    whole = np.zeros(z.shape, part.dtype)
    _part(whole, units, gate)[...] = part
    return whole


# --- the gradients of p and q, from all gates at once ---------------------------------------------------------------


@cache
def gates_dp(gates: int, times: int) -> Kernel:
    """Each gate at each time step has its part of the sequence."""
    takes = numbered("dz", gates * times)
    terms = (picked(takes[gate::gates], f"n,j-{gate}*units") for gate in range(gates))

    def gates_dp(*parts: Any) -> Any:
        moments = [np.concatenate(parts[start : start + gates], -1) for start in range(0, gates * times, gates)]
        return np.stack(moments, -2)

    return Kernel(Formula(f"dp[n,t,j] = {' + '.join(terms)}"), gates_dp, takes=(*takes, "p"))


@cache
def gates_dq(gates: int) -> Kernel:
    """Each gate has its part."""
    takes = numbered("dz", gates)
    terms = (f"{name}[n,j-{gate}*units]" for gate, name in enumerate(takes))

    def gates_dq(*parts: Any) -> Any:
        return np.concatenate(parts[:-1], -1)

    return Kernel(Formula(f"dq[n,j] = {' + '.join(terms)}"), gates_dq, takes=(*takes, "q"))


@kernel("dq[n,j] = dz1[n,j-0*units] + dz2[n,j-units] + dz3[n,j-2*units] * r[n,j-2*units]")
def filtered_gates_dq(dz1: Any, dz2: Any, dz3: Any, r: Any, q: Any) -> Any:
    return np.concatenate([dz1, dz2, dz3 * r], -1)


filtered_gates_dq.mistake(
    "no_gate",
    "dz1[n,j-0*units] + dz2[n,j-units] + dz3[n,j-2*units]",
    NO_GATE,
)


def _joint_dp(uses: Sequence[Use]) -> Kernel | None:
    gates = len({use.operands["gate"] for use in uses})
    return gates_dp(gates, len(uses) // gates) if {use.kernel for use in uses} <= {both, filtered} else None


def _joint_dq(uses: Sequence[Use]) -> Kernel | None:
    kernels = [use.kernel for use in uses]
    if kernels == [both, both, filtered]:
        return filtered_gates_dq
    return gates_dq(len(uses)) if set(kernels) == {both} else None


both.joint.update(p=_joint_dp, q=_joint_dq)


# --- at a time step -------------------------------------------------------------------------------------------------


def gate(cell: Cell, name: str, number: int, time: int, bend: Kernel = sigmoid, **heard: str) -> str:
    """A gate at a time step, by its name and its number in the weights' rows; `heard` is q, and r if that filters q."""
    site = cell.site
    own = {"units": site.leaf("units", cell.units), "gate": site.leaf(f"gate{name}", number)}
    kernel = filtered if "r" in heard else both
    return site.run(bend, f"{name}@{time}", z=site.run(kernel, f"z{name}@{time}", **cell.heard(time), **heard, **own))
