"""PyTorch's values and gradients of its RNN, GRU and LSTM, written to recurrent.npz; run with a Python that has torch.

A batch of 2, inputs of 3 numbers, 3 units, 4 time steps or 1; then a linear layer of 2 outputs and cross-entropy, at
every time step (0) or at the last one (1). The arrays are called like gru-4-0/weight_hh_l0.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch


def example(kind: str, times: int, last: int) -> dict[str, torch.Tensor]:
    """Parameters, inputs, targets, the loss, the memory, and the gradients, by PyTorch's names."""
    torch.manual_seed(times)
    layer = getattr(torch.nn, kind.upper())(3, 3, batch_first=True)
    dense = torch.nn.Linear(3, 2)
    x = torch.randn(2, times, 3, requires_grad=True)
    target = torch.randint(2, (2,) if last else (2, times))
    memory, state = layer(x)
    z = dense(memory[:, -1] if last else memory)
    loss = torch.nn.functional.cross_entropy(z.reshape(-1, 2), target.reshape(-1))
    loss.backward()
    params = {**dict(layer.named_parameters()), **dict(dense.named_parameters())}
    found = {"x": x, "target": target, "memory": memory, "loss": loss, "d/x": x.grad}
    if kind == "lstm":
        found["cell"] = state[1][0]
    return found | params | {f"d/{name}": param.grad for name, param in params.items()}


if __name__ == "__main__":
    torch.set_default_dtype(torch.float64)
    arrays = {
        f"{kind}-{times}-{last}/{name}": value.detach().numpy()
        for kind in ("rnn", "gru", "lstm")
        for times in (4, 1)
        for last in (0, 1)
        for name, value in example(kind, times, last).items()
    }
    np.savez_compressed(Path(__file__).parent / "recurrent.npz", **arrays)
