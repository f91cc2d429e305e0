"""The catalogue of mistakes, read off the kernels and the rewrites: by code, where each is made and what is said."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any, NamedTuple

from backprop_cli.grading.candidates import ELSEWHERE, FACTORS, ORDERED, SCALED, SWAPPED
from backprop_cli.grading.diagnosis import CONSTANT
from backprop_cli.kernel import Kernel
from backprop_cli.language import later, tr
from backprop_cli.layers import KERNELS
from backprop_cli.optimizers import OPTIMIZERS
from backprop_cli.render.blocks import Block, Fact, Formula, Heading, Note
from backprop_cli.rewrites import REWRITES, other_slips

ANYWHERE = later("any number")
ORDER = later("the order of steps")
ROUNDED = later("No mistake: numbers were rounded on the way to fewer digits than are asked for.")


class Entry(NamedTuple):
    """A mistake: its code, where it is made, by which rule, and what is said of it."""

    code: str
    at: str
    rule: str
    text: str


def entries() -> Iterator[Entry]:
    """Everything that can be recognised."""
    for kernel in every_kernel():
        for mistake in kernel.mistakes:
            yield Entry(mistake.code, kernel.name, str(mistake.rule), mistake.text)
    for rewrite in REWRITES:
        yield Entry(rewrite.code, ORDER, "", rewrite.text)
    for code, text in other_slips():
        yield Entry(code, ORDER, "", text)
    for code, text in FACTORS.items():
        yield Entry(code, ANYWHERE, "", text)
    for code, text in (("index_order", ORDERED), ("digit_swap", SWAPPED), ("wrong_cell", ELSEWHERE)):
        yield Entry(code, ANYWHERE, "", text)
    yield Entry("decimal_slip", ANYWHERE, "", SCALED)
    yield Entry("rounded_early", ANYWHERE, "", ROUNDED)
    yield Entry("", ANYWHERE, "", CONSTANT)


def every_kernel() -> list[Kernel]:
    """The kernels of all layers and optimizers, their gradients, and what is fused of them."""
    todo: list[Kernel] = [*KERNELS.values(), *(rule for each in OPTIMIZERS.values() for rule in each.rules)]
    for kernel in todo:
        near = (*kernel.gradients.values(), kernel.plain, kernel.inner)
        todo += [other for other in near if other and other not in todo]
    return todo


def by_code() -> list[tuple[str, list[Entry]]]:
    """The entries of each code, those first that have a name."""
    ordered = sorted(entries(), key=lambda entry: (not entry.code, entry.code, entry.text))
    return [(code, list(found)) for code, found in groupby(ordered, key=lambda entry: entry.code)]


def catalogue_blocks() -> Iterator[Block]:
    """The catalogue to read."""
    for code, found in by_code():
        yield Heading(code or tr("without a name"), 2)
        for text, alike in groupby(found, key=lambda entry: entry.text):
            same = list(alike)
            yield Note(tr(text))
            yield Fact(tr("at"), ", ".join(dict.fromkeys(tr(entry.at) for entry in same)))
            if rules := list(dict.fromkeys(entry.rule for entry in same if entry.rule)):
                yield from map(Formula, rules)


def catalogue_document() -> dict[str, Any]:
    """The same as a JSON document, backprop.mistakes/1."""
    listed = [{**entry._asdict(), "text": tr(entry.text), "at": tr(entry.at)} for entry in entries()]
    return {"schema": "backprop.mistakes/1", "mistakes": listed}
