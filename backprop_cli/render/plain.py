"""Plain output: ASCII, no boxes, no colour, one fact a line, label first, verdict first. Made to be read aloud."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice

from backprop_cli.render import graph
from backprop_cli.render.blocks import (
    Block,
    Checked,
    Code,
    Fact,
    Formula,
    Gauge,
    Graph,
    Heading,
    Matrix,
    Note,
    Outcome,
    Plot,
    Tree,
    Worked,
)
from backprop_cli.render.glyphs import fold, spell, visible
from backprop_cli.render.plot import facts

WIDTH = 80


def lines(block: Block, width: int = WIDTH) -> Iterator[str]:
    """A block as lines of at most `width` characters."""
    for line in map(spell, map(visible, _facts(block))):
        if isinstance(block, Code):
            yield line
        else:
            yield from fold(line, width)


def _facts(block: Block) -> Iterator[str]:
    match block:
        case Heading(text, level):
            if level == 1:
                yield ""
            yield f"{'Part' if level == 1 else 'Section'}: {text}"
        case Fact(label, text):
            yield f"{label}: {text}"
        case Gauge(label, text, _, more):
            yield f"{label}: {text}, {more}"
        case Formula(text):
            yield f"Formula: {text}"
        case Worked(left, middle, result):
            yield " = ".join(filter(None, (left, middle, result)))
        case Note(text):
            yield f"Note: {text}"
        case Matrix(_, _, _, cells, entries, worked):
            every = zip(chain.from_iterable(entries), chain.from_iterable(cells), strict=True)
            yield from (f"{name} = {number}" for name, number in islice(every, worked, None))
        case Tree():
            yield from _feeds(block)
        case Graph():
            yield from graph.facts(block)
        case Plot():
            yield from facts(block)
        case Code(text):
            yield from text.splitlines()
        case Checked(name, check, worst):
            yield f"{check.verdict}: {name}, {check.witness.replace('_', ' ')}: {check.summary}"
            if worst:
                yield f"worst entry: {worst}"
        case Outcome(good, text):
            yield f"{'correct' if good else 'wrong'}: {text}"


def _feeds(tree: Tree) -> Iterator[str]:
    """A tree as sentences: `a1[1] feeds z2[1], z2[2]`."""
    if tree.branches:
        yield f"{tree.name} feeds {', '.join(branch.name for branch in tree.branches)}"
        for branch in tree.branches:
            yield from _feeds(branch)
