"""Plain output, to be read aloud: ASCII and the letters of the language, one fact a line, label first, no boxes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice

from backprop_cli.language import enumerated, tr
from backprop_cli.lines import fold
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
from backprop_cli.render.plot import facts
from backprop_cli.render.screen import Screen

PLAIN = Screen(80, "utf-8", colour=False, plain=True)


def lines(block: Block, screen: Screen = PLAIN) -> Iterator[str]:
    """A block as lines that fit the screen."""
    for line in map(screen.say, _facts(block)):
        if isinstance(block, Code):
            yield line
        else:
            yield from fold(line, screen.width)


def _facts(block: Block) -> Iterator[str]:
    match block:
        case Heading(text, level):
            if level == 1:
                yield ""
            yield labelled(tr("Part") if level == 1 else tr("Section"), text)
        case Fact(label, text):
            yield labelled(label, text)
        case Gauge(label, text, _, more):
            yield labelled(label, tr("{value}, {more}", value=text, more=more))
        case Formula(text):
            yield labelled(tr("Formula"), text)
        case Worked(left, middle, result):
            yield " = ".join(filter(None, (left, middle, result)))
        case Note(text):
            yield labelled(tr("Note"), text)
        case Prose(text, mark):
            yield f"{mark} {text}".lstrip()
        case Matrix(_, _, _, cells, entries, worked):
            every = zip(chain.from_iterable(entries), chain.from_iterable(cells), strict=True)
            yield from (f"{name} = {number}" for name, number in islice(every, worked, None))
        case Tree():
            yield from _feeds(block)
        case Graph():
            yield from graph.facts(block)
        case Plot():
            yield from facts(block)
        case Curves():
            yield from curves.facts(block)
        case Code(text):
            yield from text.splitlines()
        case Checked(name, check, worst):
            said = labelled(witness_name(check), check.summary)
            yield labelled(tr(check.verdict), tr("{value}, {more}", value=name, more=said))
            if worst:
                yield labelled(tr("worst entry"), worst)
        case Outcome(good, text):
            yield labelled(tr("correct") if good else tr("wrong"), text)


def _feeds(tree: Tree) -> Iterator[str]:
    """A tree as sentences: `a1[1] feeds z2[1], z2[2]`."""
    if tree.branches:
        others = enumerated(branch.name for branch in tree.branches)
        yield tr("{name} feeds {others}", name=tree.name, others=others)
        for branch in tree.branches:
            yield from _feeds(branch)
