"""Saving parameters, for `--params` of every command and for PyTorch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

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


def save_weights(path: str, problem: Problem, values: Mapping[str, Any]) -> None:
    """Write the parameters, with 0 for what is pruned: .npz under our names, .safetensors under PyTorch's.

    Raises UsageError.
    """
    check_ending(path)
    masked = {name: values[name] * values[f"mask{name}"] for name in problem.params if f"mask{name}" in values}
    values = {**values, **masked}
    params = {name: values[name] for name in (*problem.params, *remembered(problem.network))}
    if path.endswith(".npz"):
        write_whole(path, lambda file: np.savez(file, **params))
    else:
        content = safetensors(to_torch(problem.network, values))
        write_whole(path, lambda file: file.write(content))


def safetensors(tensors: Mapping[str, Any]) -> bytes:
    """The safetensors format: eight bytes with the header's length, a JSON header, raw numbers."""
    header: dict[str, Any] = {}
    end = 0
    for name, tensor in tensors.items():
        start, end = end, end + tensor.nbytes
        header[name] = {"dtype": TYPES[str(tensor.dtype)], "shape": tensor.shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    numbers = b"".join(np.ascontiguousarray(tensor).tobytes() for tensor in tensors.values())
    return len(text).to_bytes(8, "little") + text + numbers
