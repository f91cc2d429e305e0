"""Sheets and keys for a whole class, as files.

DIR/sheets has what students fill in, DIR/print what they may have on paper, DIR/keys what is for whoever marks.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from backprop_cli import files
from backprop_cli.errors import InputError, UsageError
from backprop_cli.exercises.forms import FORMS, TO_FILL, key_text, markdown
from backprop_cli.exercises.sheet import Sheet
from backprop_cli.exercises.variants import Variants
from backprop_cli.grading.diagnosis import Collision
from backprop_cli.grading.key import Key
from backprop_cli.language import tr
from backprop_cli.problem_file import DEFAULT_NET, read_source
from backprop_cli.render.blocks import Block, Fact, Note, Outcome

SHEETS, PAPER, KEYS = "sheets", "print", "keys"
MOST_STUDENTS = 100_000
NAMES = ("name", "student", "姓名", "学生")
"""What the column of names may be called."""


def sheet_table(source: str | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """The problem file's table of a sheet: what the source says, and the options. Raises UsageError or InputError."""
    table = {**read_source(source or DEFAULT_NET, bool(options.get("tiny"))), **options}
    return {name: value for name, value in table.items() if name not in ("sheet", "tiny")}


def split_addresses(text: str) -> list[str]:
    """`backward,W1_new[1,2]` in its parts: a comma within brackets is part of an address."""
    return [part.strip() for part in re.split(r",(?![^\[]*\])", text) if part.strip()]


def read_roster(path: str) -> list[str]:
    """The names of a class: a column called name or student, or the first column. Raises InputError."""
    rows = [row for _, row in files.parse_csv(files.read_text(path), path) if any(cell.strip() for cell in row)]
    if not rows:
        raise InputError("{path}: there are no names in it", path=path)
    head = [cell.strip().lower() for cell in rows[0]]
    column = next((head.index(name) for name in NAMES if name in head), None)
    names = [row[column or 0].strip() for row in rows[column is not None :] if len(row) > (column or 0)]
    names = [name for name in names if name]
    if len(names) > MOST_STUDENTS:
        raise InputError("{path}: more than {most:,} names", path=path, most=MOST_STUDENTS)
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError("{path}: {name} is there twice; names must differ", path=path, name=twice)
    return names


def file_names(students: Iterable[str]) -> Iterator[str]:
    """A name for each student's files: letters and digits, and no two alike."""
    taken: set[str] = set()
    for number, student in enumerate(students, 1):
        plain = unicodedata.normalize("NFKC", student)
        base = re.sub(r"[^\w-]+", "-", plain).strip("-_")[:60] or ("sheet" if number == 1 else f"sheet-{number}")
        name = base if base.lower() not in taken else f"{base}-{number}"
        taken.add(name.lower())
        yield name


def make_sheets(
    variants: Variants, students: Sequence[str], seed: int, folder: Path, forms: Sequence[str], force: bool
) -> Iterator[Key]:
    """Write the sheets and keys, one student after another. Raises UsageError."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())) and not force:
        raise UsageError("{path} is there already; choose another name, or add --force to overwrite it", path=folder)
    for form in forms:
        if form not in FORMS:
            raise UsageError("{form!r} is not a form of a sheet: {known}", form=form, known=", ".join(FORMS))
    try:
        for part in (KEYS, *(_place(form) for form in forms)):
            (folder / part).mkdir(parents=True, exist_ok=True)
        for student, name in zip(students, file_names(students), strict=True):
            key = variants.draw(student, seed)
            for form in forms:
                _write(folder / _place(form) / f"{name}.{form}", FORMS[form](Sheet(key)))
            _write(folder / KEYS / f"{name}.toml", key_text(_table(key)))
            _write(folder / KEYS / f"{name}.md", markdown(Sheet(key, answers=True)))
            yield key
    except OSError as error:
        why = tr(error.strerror or "")
        raise UsageError("{path}: cannot be written: {why}", path=folder, why=why) from None


def _place(form: str) -> str:
    """The folder for sheets of a form."""
    return SHEETS if form in TO_FILL else PAPER


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _table(key: Key) -> dict[str, object]:
    """What a key file says: the problem with all its numbers, and the sheet."""
    sheet = {name: value for name, value in key.sheet.items() if name != "table"}
    return {**key.sheet["table"], "sheet": sheet}


def made_sheets(keys: Sequence[Key], variants: Variants, folder: Path) -> Iterator[Block]:
    """What was made, and what no numbers can tell apart."""
    key = keys[0]
    boxes = sum(int(asked.sum()) for asked in key.asked.values())
    yield Fact(
        tr("Sheets"),
        tr("{count} in {folder}, with {boxes} boxes each", count=len(keys), folder=folder / SHEETS, boxes=boxes),
    )
    if (folder / PAPER).is_dir():
        yield Fact(tr("To print"), str(folder / PAPER))
    yield Fact(tr("Keys"), str(folder / KEYS))
    yield Fact(tr("To mark them"), f"backprop grade {folder / SHEETS} --key {folder / KEYS}")
    if alike := sorted(map(_said, variants.alike)):
        yield Note(tr("No numbers can tell these apart: {pairs}", pairs="; ".join(alike)))
    sizes = _sizes(key)
    if twice := sorted({size for size in sizes if sizes.count(size) > 1}):
        same = ", ".join(map(str, twice))
        yield Note(
            tr("Samples, inputs or units of the same number ({same}) hide mixed-up rows and columns.", same=same)
        )
    yield Outcome(True, tr("every other mistake makes a number of its own"))


def _sizes(key: Key) -> list[int]:
    """How many samples (if several), inputs, and outputs of each layer there are, where that can be mixed up."""
    widths = [int(shape[0]) for shape in key.problem.network.shapes.values() if len(shape) == 2]
    inputs = [int(size) for size in key.trace["x"].shape[1:]]
    return [size for size in (key.samples, *inputs, *widths) if size > 1]


def made_document(keys: Sequence[Key], folder: Path) -> dict[str, Any]:
    """The same as a JSON document, backprop.exercise/1."""
    sheets = [{"id": key.id, "student": key.sheet["student"]} for key in keys]
    return {"schema": "backprop.exercise/1", "sheets": sheets, "folder": str(folder)}


def _said(collision: Collision) -> str:
    return f"{collision.ref}: {' = '.join(collision.codes)}"
