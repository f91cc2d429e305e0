"""Trains a small network with PyTorch, with clipping and with each schedule, and writes training.json beside this file.

python tests/golden/torch/make_training.py      (PyTorch 2.13, CPU)
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, ReduceLROnPlateau, StepLR

torch.set_default_dtype(torch.float64)
STEPS = 40
LOSSES = [1, 0.9, 0.9, 0.95, 0.9, 0.91, 0.8, 0.8, 0.8, 0.8, 0.8, 0.79999, 0.8, 0.7, 0.7]


def grid(*shape: int) -> Any:
    """Numbers that another program can make as well."""
    count = torch.tensor(shape).prod()
    return torch.sin(torch.arange(1, int(count) + 1) * 0.7).reshape(shape)


def train(clip: float | None, schedule: Any) -> dict[str, Any]:
    net = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
    with torch.no_grad():
        for name, param in net.named_parameters():
            param.copy_(grid(*param.shape) if name.endswith("weight") else torch.zeros_like(param))
    x, y = 2 * grid(6, 4), torch.arange(6) % 3
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
    scheduler = schedule(optimizer) if schedule else None
    losses, rates = [], []
    for _ in range(STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        loss = nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(net.parameters(), clip)
        optimizer.step()
        if scheduler:
            scheduler.step()
        losses.append(loss.item())
    return {"losses": losses, "rates": rates, "W1": net[0].weight.tolist(), "b2": net[2].bias.tolist()}


def plateau() -> list[float]:
    """The rates that follow a row of losses."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = ReduceLROnPlateau(optimizer, factor=0.5, patience=2)
    rates = []
    for loss in LOSSES:
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step(loss)
    return rates


runs = {
    "plain": train(None, None),
    "clip": train(0.05, None),
    "cosine": train(None, lambda optimizer: CosineAnnealingLR(optimizer, STEPS)),
    "step": train(None, lambda optimizer: StepLR(optimizer, 7, 0.3)),
    "plateau": {"losses": LOSSES, "rates": plateau()},
}
Path(__file__).with_name("training.json").write_text(json.dumps(runs) + "\n")
