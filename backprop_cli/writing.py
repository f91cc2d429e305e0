"""A network that has read a text writes one of its own, character by character."""

from __future__ import annotations

import numpy as np

from backprop_cli.fitting import Part
from backprop_cli.training import Training


def write(training: Training, count: int, rng: np.random.Generator) -> str:
    """So many characters, each drawn by the probabilities that the network gives it after those before it."""
    names, (_, part) = training.parts.names, training.parts.judged
    window, found = part.x[:1], []
    for _ in range(count):
        judged = training.judge(Part(window, part.y[:1], part.spelled))
        chances = judged.outputs.reshape(-1, len(part.spelled))[-1].astype(float)
        token = rng.choice(len(chances), p=chances / chances.sum())
        window = np.append(window[:, 1:], [[token]], 1).astype(part.x.dtype)
        found.append(names[token] if token < len(names) else "")
    return "".join(found)
