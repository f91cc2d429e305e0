"""A long short-term memory has a cell behind the memory, which nothing but a gate multiplies.

i = σ(p + q), f = σ(p + q), g = tanh(p + q), o = σ(p + q), c′ = f·c + i·g, h′ = o·tanh(c′), each gate with its own part
of p and q. (Hochreiter & Schmidhuber 1997; the gate f: Gers, Schmidhuber & Cummins 2000)
"""

from typing import Any

import numpy as np

from backprop_cli.kernel import kernel
from backprop_cli.layers.activation import tanh
from backprop_cli.layers.gates import NO_GATE, gate
from backprop_cli.layers.layer import Site, steps
from backprop_cli.layers.recurrent import Last, cell, recall


@kernel("c[n,k] = f[n,k] * m[n,k] + i[n,k] * g[n,k]")
def lstm_cell(f: Any, m: Any, i: Any, g: Any) -> Any:
    """The gate f keeps what was in the cell, m, and the gate i lets in what is new."""
    return f * m + i * g


lstm_cell.mistake(
    "gate_exchanged", "i[n,k] * m[n,k] + f[n,k] * g[n,k]", "The gates are exchanged: f is for the old, i for the new."
)
lstm_cell.mistake("no_gate", "m[n,k] + i[n,k] * g[n,k]", "The gate f is missing: it says how much of the old is kept.")


@lstm_cell.gradient("df[n,k] = dc[n,k] * m[n,k]")
def lstm_cell_df(dc: Any, m: Any) -> Any:
    return dc * m


lstm_cell_df.mistake(
    "gate_exchanged", "dc[n,k] * g[n,k]", "f is a factor of the old cell, so the old cell belongs here."
)


@lstm_cell.gradient("dm[n,k] = dc[n,k] * f[n,k]")
def lstm_cell_dm(dc: Any, f: Any) -> Any:
    """While the gate f is open, the gradient goes back in time undiminished."""
    return dc * f


lstm_cell_dm.mistake("gate_exchanged", "dc[n,k] * i[n,k]", "The old cell has f as its gate, not i.")
lstm_cell_dm.mistake("no_gate", "dc[n,k]", NO_GATE)


@lstm_cell.gradient("di[n,k] = dc[n,k] * g[n,k]")
def lstm_cell_di(dc: Any, g: Any) -> Any:
    return dc * g


lstm_cell_di.mistake("gate_exchanged", "dc[n,k] * m[n,k]", "i is a factor of what is new, so g belongs here.")


@lstm_cell.gradient("dg[n,k] = dc[n,k] * i[n,k]")
def lstm_cell_dg(dc: Any, i: Any) -> Any:
    return dc * i


lstm_cell_dg.mistake("gate_exchanged", "dc[n,k] * f[n,k]", "What is new has i as its gate, not f.")
lstm_cell_dg.mistake("no_gate", "dc[n,k]", NO_GATE)


@kernel("h[n,k] = o[n,k] * tanh(c[n,k])")
def lstm_memory(o: Any, c: Any) -> Any:
    """The gate o shows as much of the cell as is wanted now."""
    return o * np.tanh(c)


lstm_memory.mistake("no_activation", "o[n,k] * c[n,k]", "That has the cell itself; its tanh is shown.")


@lstm_memory.gradient("do[n,k] = dh[n,k] * tanh(c[n,k])")
def lstm_memory_do(dh: Any, c: Any) -> Any:
    return dh * np.tanh(c)


lstm_memory_do.mistake("no_activation", "dh[n,k] * c[n,k]", "That has the cell itself; its tanh is shown.")


@lstm_memory.gradient("dc[n,k] = dh[n,k] * o[n,k] * (1 - tanh(c[n,k])**2)")
def lstm_memory_dc(dh: Any, o: Any, c: Any) -> Any:
    return dh * o * (1 - np.tanh(c) ** 2)


lstm_memory_dc.mistake("no_sigma_prime", "dh[n,k] * o[n,k]", "The slope of tanh, 1 − tanh²(c), is missing as a factor.")
lstm_memory_dc.mistake(
    "wrong_fprime", "dh[n,k] * o[n,k] * (1 - h[n,k]**2)", "h has the gate o in it; the slope of tanh is 1 − tanh²(c)."
)
lstm_memory_dc.mistake("no_gate", "dh[n,k] * (1 - tanh(c[n,k])**2)", NO_GATE)


@steps("lstm")
def put_lstm(site: Site, x: str, units: int, last: Last = 0) -> str:
    """At each time step the gates i, f and o, g, which is new, the cell c and the memory h. The cell begins at 0, too.

    As PyTorch's LSTM: W is weight_ih_l0 (4H, I), U weight_hh_l0 (4H, H), b bias_ih_l0 (4H,), v bias_hh_l0 (4H,), with
    the rows of i first, then those of f, g and o.
    """
    lstm = cell(site, x, units, gates=4)
    h, c, memory = lstm.start("h"), lstm.start("c"), []
    for t in lstm.times():
        q = site.run(recall, f"q@{t}", h=h, **lstm.weights)
        i = gate(lstm, "i", 0, t, q=q)
        f = gate(lstm, "f", 1, t, q=q)
        g = gate(lstm, "g", 2, t, tanh, q=q)
        o = gate(lstm, "o", 3, t, q=q)
        c = site.run(lstm_cell, f"c@{t}", f=f, m=c, i=i, g=g)
        h = site.run(lstm_memory, f"h@{t}", o=o, c=c)
        memory.append(h)
    return lstm.result(memory, last)
