"""Saving parameters, for `--params` of every command and for PyTorch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from backprop_cli.arrays import SCALING
from backprop_cli.checkpoint import write_whole
from backprop_cli.errors import UsageError
from backprop_cli.naming import remembered, to_torch
from backprop_cli.problem import Problem

TYPES = {"float64": "F64", "float32": "F32"}
ENDINGS = (".npz", ".safetensors")


def check_ending(path: str) -> None:
    """Raises UsageError if parameters cannot be saved under this name."""
    if Path(path).suffix not in ENDINGS:
        raise UsageError("{path}: parameters are saved as .npz, or as .safetensors with PyTorch's names", path=path)


def save_weights(path: str, problem: Problem, values: Mapping[str, Any], scaling: Mapping[str, Any]) -> None:
    """Write the parameters, with 0 for what is pruned: .npz under our names, .safetensors under PyTorch's.

    What inputs were brought to scale by goes with them (see Parts.scaling). Raises UsageError.
    """
    check_ending(path)
    masked = {name: values[name] * values[f"mask{name}"] for name in problem.params if f"mask{name}" in values}
    values = {**values, **masked}
    params = {name: values[name] for name in (*problem.params, *remembered(problem.network))}
    if path.endswith(".npz"):
        kept = {SCALING[name]: number for name, number in scaling.items()}
        write_whole(path, lambda file: np.savez(file, **params, **kept))
    else:
        told = {SCALING[name]: json.dumps(np.asarray(number).tolist()) for name, number in scaling.items()}
        content = safetensors(to_torch(problem.network, values), told)
        write_whole(path, lambda file: file.write(content))


def safetensors(tensors: Mapping[str, Any], told: Mapping[str, str]) -> bytes:
    """The safetensors format: eight bytes with the header's length, a JSON header, raw numbers.

    `told` are texts that the header holds besides.
    """
    header: dict[str, Any] = {"__metadata__": dict(told)} if told else {}
    end = 0
    for name, tensor in tensors.items():
        start, end = end, end + tensor.nbytes
        header[name] = {"dtype": TYPES[str(tensor.dtype)], "shape": tensor.shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    numbers = b"".join(np.ascontiguousarray(tensor).tobytes() for tensor in tensors.values())
    return len(text).to_bytes(8, "little") + text + numbers
