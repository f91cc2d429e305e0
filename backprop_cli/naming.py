"""What PyTorch calls the parameters of a network: `0.weight` for W1, if the layers stand in an nn.Sequential.

The layouts are PyTorch's already. Where it keeps several of our arrays in one, they lie one above the other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from backprop_cli.network import Network, Placed

TORCH = {
    "W": "weight", "b": "bias", "g": "weight", "P": "weight", "Wo": "out_proj.weight", "bo": "out_proj.bias",
    **dict.fromkeys(("Wq", "Wk", "Wv"), "in_proj_weight"), **dict.fromkeys(("bq", "bk", "bv"), "in_proj_bias"),
}  # fmt: skip
"""Our names without the layer's number, and theirs; what is not listed keeps its name."""

RECURRENT = {"W": "weight_ih_l0", "U": "weight_hh_l0", "b": "bias_ih_l0", "v": "bias_hh_l0"}
"""The same in a layer that has a U: a recurrent one."""


def torch_names(network: Network, refs: Collection[str]) -> dict[str, list[str]]:
    """PyTorch's names for some parameters, and which of them lie in each, in order."""
    places = dict(_places(network.layers))
    found: dict[str, list[str]] = {}
    for ref in refs:
        name = ref.rstrip("0123456789")
        number = ref.removeprefix(name)
        theirs = RECURRENT if f"U{number}" in network.shapes else TORCH
        found.setdefault(f"{places[int(number)]}.{theirs.get(name, name)}", []).append(ref)
    return found


def remembered(network: Network) -> list[str]:
    """What the layers remember and a file of parameters holds too: a running mean, but not which weights are pruned."""
    return [ref for ref, (_, start) in network.needs.memory.items() if not callable(start)]


def to_torch(network: Network, values: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters, and what the layers remember, under PyTorch's names."""
    names = torch_names(network, (*network.shapes, *remembered(network)))
    return {name: np.concatenate([values[ref] for ref in refs]) for name, refs in names.items()}


def from_torch(network: Network, tensors: Mapping[str, Any]) -> dict[str, Any] | None:
    """Parameters, and what is remembered, under our names, if all parameters stand under PyTorch's; else None."""
    if not torch_names(network, network.shapes).keys() <= tensors.keys():
        return None
    names = torch_names(network, (*network.shapes, *remembered(network)))
    names = {name: refs for name, refs in names.items() if name in tensors}
    parts = {name: np.array_split(np.atleast_1d(tensors[name]), len(refs)) for name, refs in names.items()}
    return {ref: part for name, refs in names.items() for ref, part in zip(refs, parts[name], strict=True)}


def _places(layers: Sequence[Placed], before: str = "") -> Iterator[tuple[int, str]]:
    """The number of each layer with parameters, and where it stands. An identity that is not written does not count."""
    counted = [placed for placed in layers if placed.layer.word != "identity"]
    for place, placed in enumerate(counted):
        yield from _places(placed.inner, f"{before}{place}.")
        if placed.layer.weights:
            yield placed.number, f"{before}{place}"
