"""What a problem file may say, and where problems come from: a file, a preset, or a bare description of a network."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from backprop_cli import files
from backprop_cli.arrays import ENDINGS
from backprop_cli.errors import UsageError, unknown
from backprop_cli.language import later, tr

PRESETS = Path(__file__).parent / "presets"
KEYS: dict[str, tuple[type, ...]] = {
    "net": (str,), "activation": (str, list), "bias": (bool,), "loss": (str,), "reduction": (str,), "l2": (int, float),
    "optimizer": (str,), "lr": (int, float), "frozen": (list,), "x": (), "y": (), "params": (dict, str),
    "seed": (int,), "init": (str,), "dtype": (str,), "tiny": (bool,), "eval": (bool,),
    "prune": (int, float), "quantize": (int,), "sheet": (dict,),
}  # fmt: skip
"""Every key, and the types its value may have; x and y are looked at later. `sheet` is for those who grade."""

NAMES: dict[tuple[type, ...], str] = {
    (str,): later("text"),
    (list,): later("a list"),
    (dict,): later("a table"),
    (str, list): later("text or a list"),
    (dict, str): later("a table or text"),
    (int,): later("a whole number"),
    (int, float): later("a number"),
    (bool,): later("true or false"),
}
"""How the types are called in a message."""
DEFAULT_NET = "3-4-2"


def preset_names() -> list[str]:
    """The presets that come with the program."""
    return sorted(path.stem for path in PRESETS.glob("*.toml"))


def is_file(source: str) -> bool:
    """Whether a source is a file, or standard input, rather than a description or a preset."""
    return source == "-" or source.endswith((".toml", ".json"))


def preset(name: str, tiny: bool = False) -> dict[str, Any]:
    """What a preset says; with `tiny` its small version, whose numbers can be followed by hand. Raises UsageError."""
    table = files.read_table(str(PRESETS / f"{name}.toml"))
    small = table.pop("tiny", None)
    if tiny and small is None:
        raise UsageError("{name} is small already; leave --tiny out", name=name)
    return table | (small if tiny else {})


def read_source(source: str, tiny: bool = False) -> dict[str, Any]:
    """What a source says, as the keys of a problem file.

    `source` is a description (`3-4-2`), a preset, a .toml or .json file, or `-` for standard input. Raises UsageError,
    which names every fault of a file at once, or InputError.
    """
    presets = preset_names()
    if source in presets:
        return preset(source, tiny)
    if not is_file(source):
        if "/" in source or "\\" in source:
            raise UsageError("{path}: the file of a problem ends in .toml or .json", path=source)
        if source[:1].isalpha() and " " not in source:
            raise unknown("preset", source, presets)
        if tiny:
            raise UsageError("--tiny is for presets; {net} is as small as you write it", net=source)
        return {"net": source}
    table = files.read_table(source)
    faults = [f"{_place(source, key)}: {fault}" for key, fault in find_faults(table)]
    if "net" not in table:
        faults.append(tr('{path}: it names no net; add a line such as net = "3-4-2"', path=source))
    if faults:
        raise UsageError("\n       ".join(faults))
    if table["net"] in presets:
        table = {**preset(table.pop("net"), tiny or table.pop("tiny", False)), **table}
    return {key: _beside(source, value) if key in ("x", "y", "params") else value for key, value in table.items()}


def _beside(source: str, value: Any) -> Any:
    """A file that a problem file names is looked for beside it."""
    named = source != "-" and isinstance(value, str) and value.endswith(ENDINGS)
    return str(Path(source).parent / value) if named else value


def find_faults(table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every key that is unknown or has a value of the wrong type, and what is wrong with it."""
    for key, value in table.items():
        if key not in KEYS:
            yield key, str(unknown("key", key, KEYS))
        elif KEYS[key] and (not isinstance(value, KEYS[key]) or (isinstance(value, bool) and KEYS[key] != (bool,))):
            yield key, tr("{key} = {value!r}: expected {kind}", key=key, value=value, kind=tr(NAMES[KEYS[key]]))
        elif isinstance(value, list) and key in ("activation", "frozen") and not all(isinstance(v, str) for v in value):
            yield key, tr("{key} = {value!r}: expected a list of names in quotes", key=key, value=value)


def _place(path: str, key: str) -> str:
    """`problem.toml:3`, if the line on which a key stands can be found."""
    if path.endswith(".toml"):
        for number, line in enumerate(files.read_text(path).splitlines(), 1):
            if re.match(rf"\s*\[?\"?{re.escape(key)}\"?\s*[=\]]", line):
                return f"{path}:{number}"
    return path
