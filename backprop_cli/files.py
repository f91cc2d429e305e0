"""Reading the files that people hand us. Every trouble is one InputError that names the file, and the line."""

from __future__ import annotations

import csv
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from backprop_cli.errors import InputError
from backprop_cli.language import tr

LIMIT = 256 * 2**20
"""The largest file that is read, in bytes."""

QUOTED = re.compile(r"""\(.*\)|'.*'|".*\"""")
"""What tomllib quotes of a file when it says what is wrong."""


def read_bytes(path: str) -> bytes:
    """The content of a file, or of standard input for `-`. Raises InputError if it is missing, or too large."""
    try:
        if path == "-":
            content = sys.stdin.buffer.read(LIMIT + 1)
        else:
            with Path(path).open("rb") as file:
                content = file.read(LIMIT + 1)
    except OSError as error:
        why = tr(error.strerror or str(error))
        raise InputError("{path}: cannot be read: {why}", path=path, why=why) from None
    if len(content) > LIMIT:
        raise InputError("{path}: larger than the limit of {most} MiB", path=path, most=LIMIT // 2**20)
    return content


def read_text(path: str) -> str:
    """The same as text, which must be UTF-8."""
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            "{path}: not UTF-8 text (byte {byte}); save it as UTF-8", path=path, byte=error.start
        ) from None


def read_json(path: str) -> Any:
    """A JSON document."""
    return parse_json(read_text(path), path)


def read_table(path: str) -> dict[str, Any]:
    """A TOML or JSON file (by its ending; standard input may be either) whose top level has named values."""
    text = read_text(path)
    json_like = path.endswith(".json") or (path == "-" and text.lstrip().startswith("{"))
    table = parse_json(text, path) if json_like else _toml(text, path)
    if not isinstance(table, dict):
        raise InputError('{path}: expected named values such as net = "3-4-2" at the top level', path=path)
    return table


def parse_json(text: str, path: str, **readers: Any) -> Any:
    """A JSON document from its text; `readers` say what becomes of a number, as in `parse_float=str`."""
    try:
        return json.loads(text, object_pairs_hook=_once, **readers)
    except _Twice as twice:
        where = _second(text, str(twice), path)
        raise InputError("{where}: {name} is given twice", where=where, name=repr(str(twice))) from None
    except json.JSONDecodeError as error:
        raise InputError(
            "{path}:{line}: not valid JSON: {why} (column {column})",
            path=path,
            line=error.lineno,
            why=tr(error.msg),
            column=error.colno,
        ) from None
    except RecursionError:
        raise InputError("{path}: nested too deeply", path=path) from None
    except ValueError:
        raise InputError("{path}: holds a whole number with too many digits", path=path) from None


def parse_csv(text: str, path: str, separator: str = ",") -> Iterator[tuple[int, list[str]]]:
    """The rows of a table from its text, each with the line it ends on."""
    rows = csv.reader(text.splitlines(), delimiter=separator)
    try:
        yield from ((rows.line_num, row) for row in rows)
    except csv.Error as error:
        raise InputError("{path}: not valid CSV: {why}", path=path, why=error) from None


def _toml(text: str, path: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reason, _, place = str(error).partition(" (at ")
        line = place.removeprefix("line ").partition(",")[0]
        where = f"{path}:{line}" if line.isdigit() else path
        raise InputError("{path}: not valid TOML: {why}", path=where, why=_told(reason)) from None
    except RecursionError:
        raise InputError("{path}: nested too deeply", path=path) from None
    except ValueError:
        raise InputError("{path}: holds a whole number with too many digits", path=path) from None


def _told(reason: str) -> str:
    """What tomllib says is wrong, in the reader's language; what it quotes stays as it is."""
    text = reason[:1].lower() + reason[1:]
    quoted = QUOTED.search(text)
    return tr(text.replace(quoted[0], "{quoted}"), quoted=quoted[0]) if quoted else tr(text)


def _second(text: str, name: str, path: str) -> str:
    """The path, and the line on which a name stands for the second time."""
    places = [found.start() for found in re.finditer(rf'"{re.escape(name)}"\s*:', text)]
    return f"{path}:{text.count(chr(10), 0, places[1]) + 1}" if len(places) > 1 else path


class _Twice(ValueError):
    """A name that stands twice in one JSON object."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; a name that stands twice would hide what the first one said."""
    table = dict(pairs)
    if len(table) < len(pairs):
        names = [name for name, _ in pairs]
        raise _Twice(next(name for name in names if names.count(name) > 1))
    return table
