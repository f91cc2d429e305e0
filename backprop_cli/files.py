"""Reading the files that people hand us. Every trouble is one InputError that names the file, and the line."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

from backprop_cli.errors import InputError

LIMIT = 256 * 2**20
"""The largest file that is read, in bytes."""


def read_bytes(path: str) -> bytes:
    """The content of a file, or of standard input for `-`. Raises InputError if it is missing, or too large."""
    try:
        if path == "-":
            content = sys.stdin.buffer.read(LIMIT + 1)
        else:
            with Path(path).open("rb") as file:
                content = file.read(LIMIT + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    if len(content) > LIMIT:
        raise InputError(f"{path}: larger than the limit of {LIMIT // 2**20} MiB")
    return content


def read_text(path: str) -> str:
    """The same as text, which must be UTF-8."""
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text (byte {error.start}); save it as UTF-8") from None


def read_json(path: str) -> Any:
    """A JSON document."""
    try:
        return json.loads(read_text(path), object_pairs_hook=_once)
    except _Twice as twice:
        raise InputError(f"{path}: {twice} is given twice") from None
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}: not valid JSON: {error.msg} (column {error.colno})") from None
    except RecursionError:
        raise InputError(f"{path}: nested too deeply") from None


def read_table(path: str) -> dict[str, Any]:
    """A TOML or JSON file (by its ending; standard input may be either) whose top level has named values."""
    if path.endswith(".json"):
        table = read_json(path)
    else:
        text = read_text(path)
        try:
            table = json.loads(text) if path == "-" and text.lstrip().startswith("{") else tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            reason, _, place = str(error).partition(" (at ")
            line = place.removeprefix("line ").partition(",")[0]
            where = f"{path}:{line}" if line.isdigit() else path
            raise InputError(f"{where}: not valid TOML: {reason[:1].lower()}{reason[1:]}") from None
        except json.JSONDecodeError as error:
            raise InputError(f"{path}:{error.lineno}: not valid JSON: {error.msg}") from None
        except RecursionError:
            raise InputError(f"{path}: nested too deeply") from None
    if not isinstance(table, dict):
        raise InputError(f'{path}: expected named values such as net = "3-4-2" at the top level')
    return table


class _Twice(ValueError):
    """A name that stands twice in one JSON object."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; a name that stands twice would hide what the first one said."""
    table = dict(pairs)
    if len(table) < len(pairs):
        names = [name for name, _ in pairs]
        raise _Twice(repr(next(name for name in names if names.count(name) > 1)))
    return table
