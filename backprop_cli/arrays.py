"""Arrays from what people type and from the files they hand us: .csv, .json, .npy, .npz, .safetensors.

Nothing that is read is ever run: a pickle is refused, not loaded.
"""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from backprop_cli import files
from backprop_cli.errors import InputError, UsageError
from backprop_cli.language import tr

ENDINGS = (".json", ".csv", ".npy", ".npz", ".safetensors")
"""The endings that make a text the name of a file of numbers."""

SAFETENSORS_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4"}
SCALING = {"shift": "x_shift", "scale": "x_scale"}
"""What a file of parameters calls the numbers that inputs are brought to scale by; in safetensors they are metadata."""


def read_array(source: str, name: str) -> Any:
    """The array that `--x` or `--y` gives: `1,2,3`, samples apart by `;`, or a .json, .csv, .npy or .npz file."""
    suffix = Path(source).suffix
    if suffix == ".json":
        value = files.read_json(source)
        return numbers(value[name] if isinstance(value, dict) and name in value else value, f"{source}: {name}")
    if suffix == ".csv":
        return _read_csv(source)
    if suffix == ".npy":
        return numbers(_load(source), source)
    if suffix == ".npz":
        arrays = _read_npz(source)
        if name not in arrays and len(arrays) != 1:
            raise InputError(
                "{path}: no array named {name!r}; it holds {names}",
                path=source,
                name=name,
                names=", ".join(arrays) or tr("nothing"),
            )
        return numbers(arrays.get(name, next(iter(arrays.values()))), f"{source}: {name}")
    try:
        rows = [[float(part) for part in row.split(",")] for row in source.split(";")]
    except ValueError:
        raise UsageError(
            "--{name} {source!r}: expected numbers such as 1,2,3 (samples apart by ;) "
            "or a .json, .csv, .npy or .npz file",
            name=name,
            source=source,
        ) from None
    return numbers(rows[0] if len(rows) == 1 else rows, name)


def read_tensors(path: str, under: str = "") -> dict[str, Any]:
    """Named arrays from .npz, .safetensors or .json, in the order in which a model has them.

    In a JSON document they may stand one level down, under the name `under`. PyTorch's names tell their order
    (0.weight, 0.bias, 2.weight, …); other names keep the order of the file.
    """
    suffix = Path(path).suffix
    if suffix == ".npz":
        tensors = _read_npz(path)
    elif suffix == ".safetensors":
        tensors = _read_safetensors(path)
    elif suffix == ".json":
        tensors = _read_json_tensors(path, under)
    else:
        raise UsageError("{path}: named arrays come from a .npz, .safetensors or .json file", path=path)
    if not tensors:
        raise InputError("{path}: holds no arrays", path=path)
    if all(name.endswith((".weight", ".bias")) for name in tensors):
        return dict(sorted(tensors.items(), key=lambda item: _order(item[0])))
    return tensors


def _order(name: str) -> tuple[list[tuple[int, str]], bool]:
    """Layers by their numbers (2 before 10), and in each the weight before the bias."""
    layer, _, kind = name.rpartition(".")
    return [(int(part) if part.isdigit() else -1, part) for part in layer.split(".")], kind == "bias"


def numbers(value: Any, what: str) -> Any:
    """`value` as an array of finite numbers; raises UsageError saying what is wrong with it, and where."""
    try:
        array = np.asarray(value)
    except ValueError:
        raise UsageError("{what}: rows of different lengths", what=what) from None
    if array.dtype.kind not in "fiu":
        raise UsageError("{what}: expected numbers, found {found!r}", what=what, found=_first_stranger(array.tolist()))
    if not array.size:
        raise UsageError("{what}: empty", what=what)
    if not np.isfinite(array).all():
        place = np.argwhere(~np.isfinite(np.atleast_1d(array)))[0] + 1
        raise UsageError(
            "{what}[{place}] is {number}; every number must be finite",
            what=what,
            place=",".join(map(str, place)),
            number=np.atleast_1d(array)[tuple(place - 1)],
        )
    return array


def _first_stranger(value: Any) -> Any:
    """The first thing in nested lists that is not a number."""
    if isinstance(value, list):
        return next((found for part in value if (found := _first_stranger(part)) is not None), None)
    return None if isinstance(value, int | float) and not isinstance(value, bool) else value


def _load(path: str) -> Any:
    """What NumPy saved: an array from .npy, an archive of arrays from .npz. Pickled objects are refused, not loaded."""
    content = files.read_bytes(path)
    try:
        loaded = np.load(io.BytesIO(content), allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        if sum(item.file_size for item in loaded.zip.infolist()) > files.LIMIT:
            raise InputError(
                "{path}: unpacks to more than the limit of {most} MiB", path=path, most=files.LIMIT // 2**20
            )
        return dict(loaded)
    except _broken() as error:
        if "pickle" in str(error) or "Object arrays" in str(error):
            raise InputError(
                "{path}: holds pickled Python objects, which are never loaded; save plain numbers", path=path
            ) from None
        raise InputError("{path}: not a valid {ending} file", path=path, ending=Path(path).suffix) from None


def _broken() -> tuple[type[Exception], ...]:
    """What a broken file raises. Python asks only once something was raised, and by then zipfile is loaded."""
    import zipfile
    import zlib

    return (ValueError, EOFError, OSError, KeyError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error)


def _read_npz(path: str) -> dict[str, Any]:
    loaded = _load(path)
    if not isinstance(loaded, dict):
        raise InputError("{path}: a single array, not a .npz file of named ones", path=path)
    return loaded


def _read_safetensors(path: str) -> dict[str, Any]:
    """The safetensors format: eight bytes with the header's length, a JSON header, raw numbers."""
    content = files.read_bytes(path)
    try:
        start = 8 + int.from_bytes(content[:8], "little")
        if not 8 < start <= len(content):
            raise ValueError("a header that is longer than the file")
        header = json.loads(content[8:start])
        told = header.pop("__metadata__", {})
        tensors = {name: np.array(json.loads(told[name]), float) for name in SCALING.values() if name in told}
        for name, entry in header.items():
            first, last = entry["data_offsets"]
            if not 0 <= first <= last <= len(content) - start:
                raise ValueError("numbers beyond the end of the file")
            flat = np.frombuffer(content[start + first : start + last], SAFETENSORS_TYPES[entry["dtype"]])
            tensors[name] = flat.reshape(entry["shape"])
    except KeyError as error:
        raise InputError(
            "{path}: {name} is missing or a type of number this program does not read", path=path, name=error
        ) from None
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise InputError("{path}: not a valid {ending} file", path=path, ending=".safetensors") from None
    return tensors


def _read_json_tensors(path: str, under: str) -> dict[str, Any]:
    table = files.read_json(path)
    if isinstance(table, dict) and isinstance(table.get(under), dict):
        table = table[under]
    if not isinstance(table, dict):
        raise InputError('{path}: expected named arrays such as {{"dW1": [[0.1, 0.2]]}}', path=path)
    return {name: numbers(value, f"{path}: {name}") for name, value in table.items()}


def _read_csv(path: str) -> Any:
    """Rows of numbers apart by commas, semicolons or tabs; a first row of words is taken for a header."""
    rows = [re.split(r"[,;\t]", line) for line in files.read_text(path).splitlines() if line.strip()]
    lines = list(enumerate(rows, 1))
    if rows and not any(is_number(cell) for cell in rows[0]):
        lines = lines[1:]
    values = []
    for line, cells in lines:
        if (bad := next((cell.strip() for cell in cells if not is_number(cell)), None)) is not None:
            raise InputError("{path}:{line}: {cell!r} is not a number", path=path, line=line, cell=bad)
        values.append([float(cell) for cell in cells])
    return numbers(values, path)


def is_number(cell: str) -> bool:
    """Whether a cell of a table holds a number."""
    try:
        float(cell)
    except ValueError:
        return False
    return True
