"""Checkpoints: all that a training must know to go on, in a file that is whole whenever the power fails.

A file is written under another name, brought safely to the disk, and only then given its own name: at every moment
there is either the earlier one or the new one. It is an .npz file of plain arrays; nothing in it is ever run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any
from zlib import crc32

import numpy as np

from backprop_cli import arrays, files
from backprop_cli.errors import InputError, UsageError
from backprop_cli.fitting import Part
from backprop_cli.language import tr
from backprop_cli.training import State, Training

ABOUT, BEST = "about", "best "
"""The name of the array that holds everything but arrays, as JSON; what stands before the names of the best values."""
FREE = ("epochs",)
"""What may be another number when a training goes on."""
TO_THE_END = "cosine"
"""The schedule that depends on how many epochs there are to be; then they are not free either."""


def write_whole(path: str, write: Callable[[IO[bytes]], Any]) -> None:
    """Write a file such that the one of that name is replaced only by a whole one. Raises UsageError."""
    unfinished = Path(f"{path}.part")
    try:
        with unfinished.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        why = tr(error.strerror or str(error))
        raise UsageError("{path}: cannot be written: {why}", path=path, why=why) from None
    finally:
        unfinished.unlink(missing_ok=True)


def save(path: str, training: Training) -> None:
    """Write how far a training has come."""
    state = training.state
    best = {f"{BEST}{name}": value for name, value in (state.best or {}).items()}
    size = sum(np.asarray(value).nbytes for value in (*state.values.values(), *best.values()))
    if size > files.LIMIT:
        raise UsageError(
            "{path}: a checkpoint of {size:,} MiB is more than the {most} MiB that could be read again; do without",
            path=path,
            size=size // 2**20,
            most=files.LIMIT // 2**20,
        )
    about = json.dumps({"settings": settings(training), "history": state.history})
    content = {**state.values, **best, ABOUT: np.frombuffer(about.encode(), np.uint8)}
    write_whole(path, lambda file: np.savez(file, **content))


def load(path: str, training: Training) -> State:
    """Where the training that was saved stood. Raises InputError, or UsageError if it was another training."""
    content = arrays.read_tensors(path)
    try:
        about = json.loads(content.pop(ABOUT).tobytes())
        made, history = about["settings"], tuple(about["history"])
    except (KeyError, ValueError, TypeError):
        raise InputError("{path}: not a checkpoint of this program", path=path) from None
    _compare(path, made, json.loads(json.dumps(settings(training))))
    best = {name.removeprefix(BEST): value for name, value in content.items() if name.startswith(BEST)}
    values = {name: value for name, value in content.items() if not name.startswith(BEST)}
    started = training.state.values
    for found in (values, best or values):
        if {name: np.shape(value) for name, value in found.items()} != {n: np.shape(v) for n, v in started.items()}:
            raise InputError("{path}: not a checkpoint of this program", path=path)
    return State(values, history, best or None)


def settings(training: Training) -> dict[str, Any]:
    """What a training is, apart from how far it has come."""
    recipe = {name: value for name, value in training.recipe._asdict().items() if name not in FREE}
    if TO_THE_END in training.recipe.schedule:
        recipe |= {name: getattr(training.recipe, name) for name in FREE}
    parts = [part for part in (training.parts.train, training.parts.validation, training.parts.test) if part]
    return {
        **training.problem.settings,
        "dtype": str(training.problem.x.dtype),
        **recipe,
        "normalize": training.parts.normalized,
        "samples": [len(part) for part in parts],
        "data": _fingerprint(parts),
    }


def _fingerprint(parts: list[Part]) -> int:
    """A number that other data would hardly have."""
    found = 0
    for part in parts:
        for array in (part.x, part.y):
            found = crc32(np.ascontiguousarray(array).tobytes(), found)
    return found


def _compare(path: str, made: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raises UsageError if a checkpoint is of another training."""
    for name, value in now.items():
        if made.get(name) == value:
            continue
        if name == "data":
            raise UsageError("{path}: this checkpoint was made with other data", path=path)
        if name == "net":
            raise UsageError(
                "{path}: a checkpoint of another network: {made}, not {net}", path=path, made=made.get(name), net=value
            )
        raise UsageError(
            "{path}: this checkpoint was made with {name} {made}, not {value}; say the same again to go on",
            path=path,
            name=name,
            made=made.get(name),
            value=value,
        )
