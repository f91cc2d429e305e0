"""Several sheets, one after another: which files, with which key, and what to do with those that cannot be read."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from backprop_cli import files
from backprop_cli.errors import BackpropError, InputError, UsageError
from backprop_cli.grading.key import Key, read_key
from backprop_cli.grading.marking import by_key
from backprop_cli.grading.result import Result, Reveal, failed, grade
from backprop_cli.grading.submission import read_sheet, sheet_id
from backprop_cli.language import plural, tr
from backprop_cli.render.blocks import Fact

FILLED = (".toml", ".json", ".csv", ".md", ".txt")
"""The endings of filled sheets in a folder."""
DOUBTFUL, MOSTLY = 0.6, 0.5
"""With a smaller share right, it is looked whether the numbers are those of another sheet: so many of them."""
PAUSE = 0.3
"""Seconds between two looks at a file."""
Keys = Mapping[str, Key]


def read_keys(source: str) -> dict[str, Key]:
    """The key of each sheet by the sheet's name, of a folder of keys; or one key for all. Raises UsageError."""
    if not Path(source).is_dir():
        key = read_key(source)
        return {key.id: key}
    keys = [read_key(str(path)) for path in sorted(Path(source).glob("*.toml"))]
    if not keys:
        raise InputError("{path}: there are no keys in this folder", path=source)
    return {key.id: key for key in keys}


def sheet_paths(sources: Iterable[str]) -> list[str]:
    """The files that were named, and of folders those that are sheets. Raises UsageError for an empty folder."""
    found: list[str] = []
    for source in sources:
        if Path(source).is_dir():
            inside = sorted(str(path) for path in Path(source).iterdir() if path.suffix in FILLED)
            if not inside:
                raise InputError("{path}: there are no filled sheets in this folder", path=source)
            found += inside
        else:
            found.append(source)
    return found


def grade_files(paths: Sequence[str], keys: Keys) -> Iterator[Result]:
    """The result of each file. One file that cannot be read is an error; of several, it is told among the results."""
    for path in paths:
        try:
            yield grade_file(path, keys)
        except BackpropError as error:
            if len(paths) == 1:
                raise
            yield failed(next(iter(keys.values())), Path(path).name, error)


def grade_file(path: str, keys: Keys) -> Result:
    """Mark one file. Raises InputError, or UsageError if no key is its own."""
    text = files.read_text(path)
    key = _own_key(text, path, keys)
    result = grade(key, read_sheet(text, path, key))
    poor = sum(item.status == "correct" for item in result.items) < DOUBTFUL * len(result.items)
    other = _meant_for(text, path, key, keys) if poor and len(keys) > 1 else None
    if other:
        said = tr("Most of the numbers are those of sheet {id}, not of this one.", id=other.id)
        return replace(result, remarks=(*result.remarks, said))
    return result


def _meant_for(text: str, path: str, key: Key, keys: Keys) -> Key | None:
    """The key that most of the numbers are right by, if it is not the sheet's own."""
    for other in keys.values():
        if other is not key and other.trace.values.keys() == key.trace.values.keys():
            sheet = read_sheet(text, path, other)
            right = sum(int(boxes.right.sum()) for boxes in by_key(other, sheet).values())
            filled = sum(len(cells) for cells in sheet.cells.values())
            if right > MOSTLY * filled:
                return other
    return None


def _own_key(text: str, path: str, keys: Keys) -> Key:
    """The key of a sheet: the only one there is, or that of the sheet's name."""
    if len(keys) == 1:
        return next(iter(keys.values()))
    name = sheet_id(text, path)
    if name not in keys:
        raise UsageError(
            "{path}: no key is that of sheet {name!r}; there are {count}",
            path=path,
            name=name[:30],
            count=plural(len(keys), "key"),
        )
    return keys[name]


def marked_whenever(path: str, keys: Keys) -> Iterator[list[Result]]:
    """Mark a file now, and again whenever it is saved. A file that cannot be read for once is told so."""
    last = -1.0
    while True:
        try:
            saved = Path(path).stat().st_mtime
        except OSError:
            saved = 0.0
        if saved != last:
            last = saved
            try:
                yield [grade_file(path, keys)]
            except BackpropError as error:
                yield [failed(next(iter(keys.values())), Path(path).name, error)]
        time.sleep(PAUSE)


def in_a_line(result: Result, reveal: Reveal) -> Fact:
    """How a sheet ended, in a line, with the mistakes that were named if they may be."""
    if result.fault:
        return Fact(result.name, result.fault, result=True)
    said = tr("{score} of {most} points", score=f"{result.score:g}", most=f"{result.most:g}")
    told = result.mistakes if reveal in ("diagnosis", "value") else ()
    names = ", ".join(f"{found.code} ({found.at})" for found in told)
    return Fact(result.name, f"{said}  {names}".rstrip(), result=True)


def exit_code(results: Iterable[Result], percent: float | None) -> int:
    """1 if a sheet has less than that, where it was asked for; 3 if one could not be marked."""
    results = list(results)
    if any(result.fault for result in results):
        return 3
    if percent is None:
        return 0
    return int(any(100 * result.score < percent * result.most or not result.most for result in results))
