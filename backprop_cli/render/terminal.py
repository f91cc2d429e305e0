"""The handsome output: colour where there is colour, hanging indents, matrices that fit the width.

Colour never says anything that the text does not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from html import unescape
from io import StringIO
from itertools import chain
from typing import TextIO

from rich.console import Console
from rich.text import Text

from backprop_cli.language import tr
from backprop_cli.lines import cells, fold, padded
from backprop_cli.render import curves, graph
from backprop_cli.render.blocks import (
    Block,
    Checked,
    Code,
    Curves,
    Fact,
    Formula,
    Gauge,
    Graph,
    Heading,
    Matrix,
    Note,
    Outcome,
    Plot,
    Prose,
    Tree,
    Worked,
    labelled,
    witness_name,
)
from backprop_cli.render.plot import drawn
from backprop_cli.render.screen import Screen

STYLES = {
    "heading": "bold cyan", "part": "bold", "label": "bold", "formula": "italic magenta", "left": "bold",
    "result": "bold green", "note": "yellow", "index": "dim", "good": "bold green", "bad": "bold red",
}  # fmt: skip
ADVANCE = 0.61
"""The width of a cell in a picture, for a height of 1; Rich writes letters 20 pixels high."""
WIDEST = 100
"""Lines of text are not made longer than this, however wide the terminal: long lines are hard to read."""
READABLE = 80
"""Nor the lines of a text that is read, longer than this."""
NARROWEST = 8
"""A branch of a tree has at least so many cells, however deep it is."""


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Whoever read us has left. Rich would end the program with 1, which means something else here."""
        raise BrokenPipeError


def write(blocks: Iterable[Block], screen: Screen, stream: TextIO, record: bool = False) -> Console:
    """Print blocks as they come. Returns the console, which can show them again if it was told to `record`."""
    console = _Console(
        file=stream, width=screen.width, record=record, force_terminal=screen.colour,
        color_system="standard" if screen.colour else None, no_color=not screen.colour,
        highlight=False, markup=False, emoji=False, legacy_windows=False,
    )  # fmt: skip
    begun = False
    for block in blocks:
        for line in lines(block, screen):
            if begun or line:
                console.print(line, soft_wrap=True)
            begun = True
    return console


def picture(blocks: Iterable[Block], title: str, width: int = 80) -> str:
    """The same as an SVG picture of a terminal.

    Rich's would fetch its font from the network, and squeeze Chinese, for it counts characters; both are mended.
    """
    console = write(blocks, Screen(width, "utf-8", True, False), StringIO(), record=True)
    svg = re.sub(r"\s*@font-face \{[^}]*\}", "", console.export_svg(title=title, font_aspect_ratio=ADVANCE))

    def measured(text: re.Match[str]) -> str:
        return f'textLength="{20 * ADVANCE * cells(unescape(text[2])):.5g}"{text[1]}>{text[2]}<'

    return re.sub(r'textLength="[^"]*"([^>]*)>([^<]*)<', measured, svg)


def html(blocks: Iterable[Block], width: int = 100) -> str:
    """The same as a piece of HTML, for a notebook."""
    console = write(blocks, Screen(width, "utf-8", True, False), StringIO(), record=True)
    return console.export_html(inline_styles=True, code_format="<pre>{code}</pre>")


def lines(block: Block, screen: Screen) -> Iterator[Text]:
    """A block as styled lines, none wider than the screen."""

    say = screen.say
    width = min(screen.width, WIDEST)
    match block:
        case Heading(text, 1):
            *before, title = fold(say(text), width, rest="")
            yield Text()
            yield from (Text(line, STYLES["heading"]) for line in before)
            yield Text.assemble(
                (title, STYLES["heading"]), (" " + say("─") * (width - cells(title) - 1), STYLES["index"])
            )
        case Heading(text):
            yield Text()
            yield from _wrapped(say(text), width, 0, STYLES["part"])
        case Fact(label, text, indent):
            yield from _labelled(say(label), say(text), width, indent)
        case Gauge(label, text, share, more):
            length = max(4, min(20, width - 60))
            bar = say("█") * round(length * share)
            yield from _labelled(say(label), f"{padded(say(text), 14)} {padded(bar, length)} {say(more)}", width, 0)
        case Formula(text):
            yield from _wrapped(say(text), width, 2, STYLES["formula"])
        case Worked(left, middle, result):
            yield from _worked(say(left), say(middle), say(result), width)
        case Note(text):
            yield from _wrapped(say("→ " + text), width, 2, STYLES["note"])
        case Prose(text, mark, tight):
            lead = say(f"  {mark} ") if mark else ""
            yield from () if tight else (Text(),)
            yield from map(Text, fold(say(text), min(width, READABLE), lead, " " * cells(lead)))
        case Matrix():
            yield from _matrix(block, screen)
        case Tree():
            across = list(_across(block, say))
            fits = max(map(cells, across)) + 2 <= width
            yield from (Text(f"  {line}") for line in (across if fits else _down(block, say, width - 2)))
        case Graph():
            picture = [f"  {line}" for line in graph.drawn(block, say)]
            fits = max(map(cells, picture)) <= width
            yield from map(Text, picture if fits else chain.from_iterable(_facts(block, say, width)))
        case Plot():
            yield from map(Text, drawn(block, width, say))
        case Curves():
            yield from map(Text, curves.drawn(block, width, say))
        case Code(text):
            yield from (Text(say(line)) for line in text.splitlines())
        case Checked(name, check, worst):
            mark, style = {"agree": ("✓", "good"), "disagree": ("✗", "bad")}.get(check.verdict, ("•", "note"))
            label = f"{say(mark)} {padded(tr(check.verdict), 8)} {padded(say(name), 7)} "
            first, *rest = _wrapped(say(labelled(witness_name(check), check.summary)), width - cells(label), 0, "")
            yield Text.assemble((label, STYLES[style]), first)
            yield from (Text("    ") + line for line in rest)
            if worst:
                yield from _wrapped(say(worst), width, 4, "")
        case Outcome(good, text):
            yield Text()
            yield from _wrapped(say(("✓ " if good else "✗ ") + text), width, 0, STYLES["good" if good else "bad"])


def _facts(block: Graph, say: Callable[[str], str], width: int) -> Iterator[list[str]]:
    """A graph that is too wide to draw, told node by node."""
    return (fold(say(fact), width, "  ", "    ") for fact in graph.facts(block))


def _wrapped(text: str, width: int, indent: int, style: str) -> Iterator[Text]:
    pad = " " * indent
    more = pad + ("  " if width > 30 else "")
    return (Text(line, style) for line in fold(text, width, pad, more))


def _labelled(label: str, text: str, width: int, indent: int) -> Iterator[Text]:
    pad = " " * indent
    first, *rest = fold(labelled(label, text), width, pad, pad + "  ")
    label_end = indent + len(label) + 1
    yield Text.assemble((first[:label_end], STYLES["label"]), first[label_end:])
    yield from map(Text, rest)


def _worked(left: str, middle: str, result: str, width: int) -> Iterator[Text]:
    """`left = middle = result`, continued under the right side."""
    text = " = ".join(filter(None, (left, middle, result)))
    indent = " " * min(4 + cells(left) + 3, width // 3)
    parts = fold(text, width, "    ", indent)
    for number, part in enumerate(parts):
        line = Text(part)
        if number == 0:
            line.stylize(STYLES["left"], 4, 4 + len(left))
        if number == len(parts) - 1 and part.endswith(result):
            line.stylize(STYLES["result"], len(part) - len(result))
        yield line


def _matrix(block: Matrix, screen: Screen) -> Iterator[Text]:
    """Rows and columns with their indices; columns that do not fit go below, or each row becomes a line."""
    say = screen.say
    names = [say(name) for name in (block.name, *block.rows)]
    columns = [say(name) for name in block.columns]
    numbers = [[say(cell) for cell in row] for row in block.cells]
    label = max(map(cells, names))
    column = max(map(cells, chain(columns, *numbers))) + 2
    at_once = max(1, (screen.width - 4 - label) // column)
    if block.narrow and at_once < len(columns):
        yield from chain.from_iterable(lines(fact, screen) for fact in block.narrow)
        return

    def right(text: str, wide: int) -> str:
        return " " * (wide - cells(text)) + text

    for start in range(0, len(columns), at_once):
        part = slice(start, start + at_once)
        head = "".join(right(name, column) for name in columns[part])
        yield Text.assemble(("    " + padded(names[0], label), STYLES["left"]), (head, STYLES["index"]))
        for name, row in zip(names[1:], numbers, strict=True):
            yield Text.assemble(
                ("    " + right(name, label), STYLES["index"]), ("".join(right(cell, column) for cell in row[part]), "")
            )


def _across(tree: Tree, say: Callable[[str], str]) -> Iterator[str]:
    """A tree from left to right; every sign is spelled before its width is counted on."""
    name = say(tree.name)
    if not tree.branches:
        yield name
    last = len(tree.branches) - 1
    for number, branch in enumerate(tree.branches):
        fork = say("→" if not last else "┬→" if number == 0 else "└→" if number == last else "├→")
        below = padded(say("│") if number < last else "", cells(fork))
        first, *rest = _across(branch, say)
        yield f"{name if number == 0 else ' ' * cells(name)} {fork} {first}"
        yield from (f"{' ' * cells(name)} {below} {line}" for line in rest)


def _down(tree: Tree, say: Callable[[str], str], width: int) -> Iterator[str]:
    """A tree from top to bottom, for a narrow screen: what does not branch in a line, its branches below it."""
    route = [tree.name]
    while len(tree.branches) == 1:
        (tree,) = tree.branches
        route.append(tree.name)
    yield from fold(say(" → ".join(route)), max(width, NARROWEST))
    for number, branch in enumerate(tree.branches, 1):
        fork = say("├→" if number < len(tree.branches) else "└→")
        below = padded(say("│") if number < len(tree.branches) else "", cells(fork))
        first, *rest = _down(branch, say, width - cells(fork) - 1)
        yield f"{fork} {first}"
        yield from (f"{below} {line}" for line in rest)
