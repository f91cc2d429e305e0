"""A gated recurrent unit has two gates: r says what of the memory is heard, u what of it is kept.

r = σ(p + q), u = σ(p + q), n = tanh(p + r·q), h′ = (1 − u)·n + u·h, each with its own part of p and q. This is
PyTorch's form, in which r multiplies all of q = U·h + v. (Cho et al. 2014)
"""

from typing import Any

from backprop_cli.kernel import kernel
from backprop_cli.layers.activation import tanh
from backprop_cli.layers.gates import NO_GATE, gate
from backprop_cli.layers.layer import Site, steps
from backprop_cli.layers.recurrent import Last, cell, recall


@kernel("h[n,k] = (1 - u[n,k]) * g[n,k] + u[n,k] * m[n,k]")
def gru_memory(u: Any, g: Any, m: Any) -> Any:
    """Where the gate u is open the memory m stays as it was; where it is closed, the new takes its place."""
    return (1 - u) * g + u * m


gru_memory.mistake(
    "gate_exchanged",
    "u[n,k] * g[n,k] + (1 - u[n,k]) * m[n,k]",
    "u and 1 − u are exchanged: u is for the old, 1 − u for the new.",
)


@gru_memory.gradient("du[n,k] = dh[n,k] * (m[n,k] - g[n,k])")
def gru_memory_du(dh: Any, m: Any, g: Any) -> Any:
    return dh * (m - g)


gru_memory_du.mistake(
    "gate_exchanged",
    "dh[n,k] * (g[n,k] - m[n,k])",
    "u is a factor of the old and 1 − u of the new, so it is the old minus the new.",
)
gru_memory_du.mistake(
    "one_path_only", "dh[n,k] * m[n,k]", "The gate also stands before the new, as 1 − u; that path is missing."
)


@gru_memory.gradient("dg[n,k] = dh[n,k] * (1 - u[n,k])")
def gru_memory_dg(dh: Any, u: Any) -> Any:
    return dh * (1 - u)


gru_memory_dg.mistake("gate_exchanged", "dh[n,k] * u[n,k]", "u is a factor of the old; the new has 1 − u.")
gru_memory_dg.mistake("no_gate", "dh[n,k]", NO_GATE)


@gru_memory.gradient("dm[n,k] = dh[n,k] * u[n,k]")
def gru_memory_dm(dh: Any, u: Any) -> Any:
    """While the gate u is open, the gradient goes back in time undiminished."""
    return dh * u


gru_memory_dm.mistake("gate_exchanged", "dh[n,k] * (1 - u[n,k])", "1 − u is a factor of the new; the old has u.")
gru_memory_dm.mistake("no_gate", "dh[n,k]", NO_GATE)


@steps("gru")
def put_gru(site: Site, x: str, units: int, last: Last = 0) -> str:
    """At each time step the gates r and u, n, which is new, and the memory h.

    As PyTorch's GRU: W is weight_ih_l0 (3H, I), U weight_hh_l0 (3H, H), b bias_ih_l0 (3H,), v bias_hh_l0 (3H,), with
    the rows of r first, then those of u, which PyTorch calls z, then those of n.
    """
    gru = cell(site, x, units, gates=3)
    h, memory = gru.start("h"), []
    for t in gru.times():
        q = site.run(recall, f"q@{t}", h=h, **gru.weights)
        r = gate(gru, "r", 0, t, q=q)
        u = gate(gru, "u", 1, t, q=q)
        n = gate(gru, "n", 2, t, tanh, q=q, r=r)
        h = site.run(gru_memory, f"h@{t}", u=u, g=n, m=h)
        memory.append(h)
    return gru.result(memory, last)
