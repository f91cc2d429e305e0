"""The arithmetic behind a mark, with the student's own numbers: how their number came about, and what it should be.

Below the level `value` nothing is shown that is not on the sheet already: where the student has no number, a name
stands, and what should come out is left open.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from functools import partial

import numpy as np

from backprop_cli.formula import Formula
from backprop_cli.grading.key import Key
from backprop_cli.grading.marks import Marks
from backprop_cli.grading.result import Item, Result, Reveal
from backprop_cli.kernel import Kernel
from backprop_cli.language import tr
from backprop_cli.notation import Notation, Term, number
from backprop_cli.render.blocks import Block, Heading, Note, Worked
from backprop_cli.render.blocks import Formula as Symbols
from backprop_cli.rewrites import Slip
from backprop_cli.trace import Step, Trace
from backprop_cli.worked import right_side

DIGITS = 6
TELLING = 1e-2
"""Who knows a number so close to another, as a share, knows the other."""


def explained(result: Result, reveal: Reveal, addresses: tuple[str, ...] = ()) -> Iterator[Block]:
    """For each mark that was asked for, or for all that are wrong, how it came about. Raises UsageError."""
    if result.marks is None:
        return
    wanted = [result.key.find(address) for address in addresses]
    for item in result.items:
        named = any(item.ref == ref and place in (None, item.place) for ref, place in wanted)
        if named or (not wanted and item.status == "wrong"):
            yield from _one(result.key, result.marks, item, reveal)


def _one(key: Key, marks: Marks, item: Item, reveal: Reveal) -> Iterator[Block]:
    step, place = key.steps.get(item.ref), item.place
    if item.ref == "L" and key.notation.trivial("L"):
        step, place = key.steps["E"], (0,)
    yield Heading(tr("{address} = {given}", address=item.address, given=item.given or "?"), 2)
    if item.note:
        yield Note(item.note)
    if step is None or not item.given:
        return
    notation = Notation(_own_tape(key.trace, marks))
    left = notation.entry(item.ref, item.place)
    write = partial(_written, key, marks, notation, item, reveal)
    cause = next((cause for cause in marks.causes if cause.ref == item.ref and cause.where[item.place]), None)
    slip = _slip(key, item.ref, cause.codes[0]) if cause and len(cause.codes) == 1 else None
    if slip and isinstance(slip.rule, Formula):
        wrong = Step(step.ref, Kernel(slip.rule, step.kernel.body), slip.operands, step.phase)
        yield Note(tr("Your number comes of:"))
        yield Worked(left, right_side(notation, wrong, place, write), item.given)
        yield Note(tr("What belongs there:"))
    yield Symbols(notation.formula(step))
    came_out = item.given if item.status in ("correct", "carried") and not cause else "?"
    if reveal == "value":
        expected = np.asarray(marks.expected.get(item.ref, key.values[item.ref]))[item.place]
        came_out = number(expected, DIGITS).text
    yield Worked(left, right_side(notation, step, place, write), came_out)


def _own_tape(trace: Trace, marks: Marks) -> Trace:
    """The tape with what is in the student's boxes, and what follows from it."""
    other = copy(trace)
    other.values = {**trace.values, **marks.own}
    return other


def _written(
    key: Key, marks: Marks, notation: Notation, item: Item, reveal: Reveal, ref: str, place: tuple[int, ...]
) -> Term:
    """A number of the student's own, or what is given; what they left out goes by its name.

    A value that is on no sheet, such as ∂L/∂a₁, is shown if it follows in one step from what they typed, and is not
    itself what this box should hold.
    """
    typed = ref in marks.boxes and marks.boxes[ref].typed[place]
    found = float(notation.trace.entry(ref, place))
    right = float(np.asarray(marks.expected.get(item.ref, key.values[item.ref]))[item.place])
    tells = abs(found - right) <= TELLING * abs(right)
    if reveal == "value" or typed or ref not in key.steps or (_follows(key, marks, ref) and not tells):
        return number(found, DIGITS)
    return Term(notation.entry(ref, place))


def _follows(key: Key, marks: Marks, ref: str) -> bool:
    """Whether a value follows in one step from what the student typed and what is given."""
    sources = [source for source in key.steps[ref].operands.values() if source in key.steps]
    typed = [source in marks.boxes and bool(marks.boxes[source].typed.all()) for source in sources]
    return ref not in marks.boxes and ref not in key.asked and bool(typed) and all(typed)


def _slip(key: Key, ref: str, code: str) -> Slip | None:
    """The mistake of the catalogue at a value; none for one that lies further back."""
    return next((slip for slip in key.slips.at(ref) if slip.code == code), None)
