"""The forms of a filled sheet: TOML, JSON, CSV, Markdown tables, or plain lines such as `dz1 = [0.0087, 0.00995]`.

All come to the same: names, what stands behind them as it was typed, and on which line. Nothing is evaluated; a line
that is no answer is passed over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from backprop_cli import files
from backprop_cli.errors import InputError

Nested = str | list["Nested"]
"""A number as it was typed, or a list of such."""
Pair = tuple[str, Nested, int]

DEEPEST = 8
"""The most brackets within brackets."""
LINE = re.compile(
    r"""\s*(?:[-*>]\s+|\d+[.)]\s+)?(["`]?)(?P<name>[^\s"`=:：＝≈|\#\[\]]+(?:\s*\[[^\[\]=]*\])?)\1\s*[=:：＝≈]\s*(?P<rest>.*)"""
)
"""`name = value`, perhaps in a list of lines, and the name perhaps in quotes."""
TOKEN = re.compile(r"""[\[\],;，]|"[^"\n]*"|'[^'\n]*'|\#.*|[^\s\[\],;，"'\#]+""")
COMMENT = re.compile(r"(?:\s|^)#.*")
LOOSE = re.compile(r"\s*(?:[-*>]\s+)?[^\W\d]\w*\s*\[[\d,; ]+\].*\d")
"""A line that begins like an answer, and is none."""
KEY = re.compile(r'"([^"\\]*)"\s*:')
HEADINGS = ("address", "box", "地址")


def pairs(text: str, path: str) -> Iterator[Pair]:
    """What form it is, the ending of `path` says, or of standard input the first sign. Raises InputError."""
    if path.endswith(".json") or (path == "-" and text.lstrip().startswith("{")):
        return _of_json(text, path)
    if path.endswith(".csv"):
        return _of_csv(text, path)
    return _of_lines(text.splitlines(), path)


def _of_json(text: str, path: str) -> Iterator[Pair]:
    table = files.parse_json(text, path, parse_float=str, parse_int=str, parse_constant=str)
    if not isinstance(table, dict):
        raise InputError('{path}: expected an object such as {{"dz1": [0.1, 0.2]}}', path=path)
    lines = {found[1]: at for at, line in enumerate(text.splitlines(), 1) for found in KEY.finditer(line)}
    yield from ((name, value, lines.get(name, 0)) for name, value in _of_object(table, path, 0))


def _of_object(table: dict[str, Any], path: str, depth: int) -> Iterator[tuple[str, Nested]]:
    """The names of an object, and of those within it."""
    for name, value in table.items():
        if isinstance(value, dict) and depth < DEEPEST:
            yield from _of_object(value, path, depth + 1)
        else:
            yield name, _plain(value, path, 0)


def _plain(value: Any, path: str, depth: int) -> Nested:
    """A value of JSON as it was typed. Half of a sign, which JSON allows, is none."""
    if depth > DEEPEST:
        raise InputError("{path}: nested too deeply", path=path)
    if isinstance(value, list):
        return [_plain(part, path, depth + 1) for part in value]
    typed = "" if value is None else value if isinstance(value, str) else json.dumps(value)
    return typed.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _of_csv(text: str, path: str) -> Iterator[Pair]:
    """Rows of an address and a number. Other columns are passed over; the commas of an address need no quotes."""
    first = re.sub(r'"[^"]*"|\[[^\]]*\]', "", text.partition("\n")[0])
    separator = max(",;\t", key=first.count)
    for line, row in files.parse_csv(text, path, separator):
        while len(row) > 1 and row[0].count("[") > row[0].count("]"):
            row[:2] = [f"{row[0]}{separator}{row[1]}"]
        if len(row) > 1 and row[0].strip() and row[0].strip().lower() not in HEADINGS:
            yield row[0].strip(), row[1], line


def _of_lines(lines: list[str], path: str) -> Iterator[Pair]:
    """Lines `name = value`, where a list may go on over several; and the rows of tables."""
    rest = iter(enumerate(lines, 1))
    head: list[str] = []
    for number, line in rest:
        if line.lstrip().startswith("|"):
            inner = line.strip().removeprefix("|").removesuffix("|")
            cells = [cell.strip().strip("`*") for cell in inner.split("|")]
            yield from ((name, value, number) for name, value in _of_row(cells, head))
            head = head or cells
            continue
        head = []
        if found := LINE.match(line):
            last = re.split(r"[=≈＝]\s*(?=\[)", found["rest"])[-1]
            if last.startswith("["):
                yield found["name"], _list(last, rest, path, number), number
            else:
                yield found["name"], _number(last), number
        elif LOOSE.match(line):
            yield line.strip(), "", number


def _of_row(cells: list[str], head: list[str]) -> Iterator[tuple[str, str]]:
    """A row of a table: an address and its number; or, if the head counts 1, 2, …, a row of numbers."""
    if not head or set("".join(cells)) <= set(":- "):
        return
    if head[1:] == [str(place) for place in range(1, len(head))] and len(cells) == len(head):
        for column, cell in zip(head[1:], cells[1:], strict=True):
            yield f"{head[0]}[{cells[0]},{column}]" if cells[0][:1].isdigit() else f"{cells[0]}[{column}]", cell
    elif len(cells) >= 2 and cells[0]:
        yield cells[0], cells[1]


def _number(text: str) -> str:
    """A number, in quotes or not; of arithmetic, what stands behind the last `=`."""
    if quoted := re.fullmatch(r"""(["'])(.*?)\1\s*(\#.*)?""", text.strip()):
        return quoted[2]
    return re.split("[=≈＝]", COMMENT.sub("", text).strip().rstrip(",;"))[-1].strip()


def _list(first: str, rest: Iterator[tuple[int, str]], path: str, number: int) -> Nested:
    """A list that begins in one line and may end in another."""
    stack: list[list[Nested]] = [[]]
    before = ""
    line: str | None = first
    while line is not None:
        for found in TOKEN.finditer(line):
            token = found[0]
            if token == "[" and len(stack) <= DEEPEST:
                stack.append([])
            elif token == "]" and len(stack) > 1:
                inner = stack.pop()
                stack[-1].append(inner)
            elif token in ",;，":
                stack[-1] += [""] * (before in ("[", ",", ";", "，"))  # a box left blank
            elif token[0] != "#":
                stack[-1].append(token.strip("\"'"))
            if len(stack) == 1:
                return stack[0][0]
            before = token if token[0] != "#" else before
        _, line = next(rest, (0, None))
    raise InputError("{path}:{line}: a bracket is not closed, or one too many is", path=path, line=number)
