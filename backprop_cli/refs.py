"""The names of the values on a tape, and what they tell: z2 belongs to layer 2, h1@5 to layer 1 and time step 5."""

from __future__ import annotations

import re


def canonical(ref: str) -> str:
    """A value's name on the tape: `delta1` is dz1, `delta1@2` is dz1@2; every other name is itself."""
    return re.sub(r"^delta(?=(\d+|[a-z]?\d+@\d+)$)", "dz", ref)


def spoken(ref: str) -> str:
    """The other way: a value as people call it, delta1 for dz1."""
    return re.sub(r"^dz(?=\d+($|@|_))", "delta", ref)


def layer_of(ref: str) -> int | None:
    """The layer a value belongs to: 2 for z2, dW2, mW2_new and h2@5; None for x and L."""
    found = re.search(r"[a-zA-Z](\d+)(@|_|$)", ref)
    return int(found[1]) if found and not ref.startswith(("J", "dJ", "beta")) else None


def time_of(ref: str) -> int:
    """The time step a value belongs to: 5 for h2@5 and dh2@5_1; 0 for all others."""
    found = re.search(r"@(\d+)", ref)
    return int(found[1]) if found else 0
