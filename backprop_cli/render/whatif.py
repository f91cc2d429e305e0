"""What if a number were different? What moves, what does not and why, and what the slope would have promised."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from backprop_cli.addresses import read_address
from backprop_cli.errors import UsageError, plural
from backprop_cli.notation import Notation, number
from backprop_cli.render.blocks import Block, Fact, Heading, Matrix, Note, Plot
from backprop_cli.trace import Trace, downstream
from backprop_cli.typed import read_number

COLUMNS = ("was", "now", "change")
MOST_POINTS = 10_000
FEW = 12
"""Values with more entries than this that moved are summarised."""


class Change(NamedTuple):
    """One number of the tape, `ref[place]`, and what it would be."""

    ref: str
    place: tuple[int, ...]
    value: float


def read_change(text: str, notation: Notation) -> Change:
    """A change as people write it, `W2[2,1]=-0.5`. Raises UsageError."""
    address, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"{text!r}: write a change as an address and a value, such as W2[2,1]=-0.5")
    ref, place = read_address(address, notation)
    if place is None:
        example = notation.address(ref, (0,) * np.ndim(notation.trace[ref]))
        raise UsageError(f"{text!r}: {ref} is a whole array; change one entry of it, such as {example}={value}")
    return Change(ref, place, read_number(value))


def read_sweep(text: str) -> tuple[float, float, int]:
    """`-4:4:81` as from, to, and how many. Raises UsageError."""
    try:
        low, high, count = text.split(":")
        found = read_number(low), read_number(high), int(count)
    except ValueError:
        raise UsageError(f"{text!r}: write a sweep as LOW:HIGH:COUNT, such as -4:4:81") from None
    if not (found[0] < found[1] and 2 <= found[2] <= MOST_POINTS):
        raise UsageError(f"{text!r}: a sweep goes from low to high in 2 to {MOST_POINTS:,} points")
    return found


class WhatIf:
    """A tape, and the same tape with some of its numbers changed."""

    def __init__(self, trace: Trace, changes: Sequence[Change], digits: int = 6) -> None:
        self.trace = trace
        self.changes = changes
        self.digits = digits
        self.notation = Notation(trace)

    @cached_property
    def now(self) -> dict[str, Any]:
        """Every value that was changed or computed anew."""
        changed: dict[str, Any] = {}
        for ref, place, value in self.changes:
            array = changed.setdefault(ref, np.array(self.trace[ref], float))
            array[place] = value
        with np.errstate(all="ignore"):
            return self.trace.retrace(**{ref: array[()] for ref, array in changed.items()})

    @property
    def forecast(self) -> float | None:
        """What the slopes promise for the loss; None if a changed number has no slope on the tape."""
        total = 0.0
        for ref, place, value in self.changes:
            if f"d{ref}" not in self.trace or ref == "L":
                return None
            total += float(np.asarray(self.trace[f"d{ref}"])[place] * (value - np.asarray(self.trace[ref])[place]))
        return total

    @property
    def truth(self) -> float:
        """How much the loss really changes."""
        return float(self.now.get("L", self.trace["L"])) - float(self.trace["L"])

    def moved(self) -> Iterator[tuple[str, list[tuple[int, ...]]]]:
        """The values that moved, in the order of the tape, and the entries of each that did."""
        order = [ref for ref, _, _ in self.changes] + [step.ref for step in self.trace.steps]
        for ref in dict.fromkeys(order):
            if ref in self.now:
                differ = np.argwhere(np.asarray(self.now[ref] != self.trace[ref]))
                if len(differ):
                    yield ref, [tuple(map(int, place)) for place in differ]

    def blocks(self) -> Iterator[Block]:
        """The report: the change, what moved, what did not, and the loss."""
        for ref, place, value in self.changes:
            was = self._number(np.asarray(self.trace[ref])[place])
            yield Fact(self.notation.entry(ref, place), f"{was} → {self._number(value)}")
        yield Heading("WHAT MOVED")
        moved = dict(self.moved())
        for title, refs in self._by_phase(moved).items():
            yield Heading(title, 2)
            yield from self._table([(ref, place) for ref in refs for place in moved[ref] if len(moved[ref]) <= FEW])
            yield from (self._summary(ref, moved[ref]) for ref in refs if len(moved[ref]) > FEW)
        yield Heading("WHAT DID NOT")
        yield from self.still(moved)
        yield Heading("THE LOSS")
        yield from self.loss()

    def _by_phase(self, refs: Iterable[str]) -> dict[str, list[str]]:
        """The values that moved, gathered by the phase of the step that made them."""
        titles = {"forward": "Forward", "loss": "Loss", "backward": "Backward", "update": "Update"}
        phases: dict[str, list[str]] = {}
        for ref in refs:
            step = self.trace.producer(ref)
            if not (ref == "L" and self.notation.loss_is_sample):
                phases.setdefault(titles[step.phase] if step else "Changed", []).append(ref)
        return phases

    def _table(self, entries: list[tuple[str, tuple[int, ...]]]) -> Iterator[Block]:
        """Entries that moved: was, now, change."""
        rows, cells = [], []
        for ref, place in entries:
            was, now = np.asarray(self.trace[ref])[place], np.asarray(self.now[ref])[place]
            rows.append(self.notation.entry(ref, place))
            cells.append(tuple(map(self._number, (was, now, now - was))))
        names = tuple(tuple(f"{row}, {column}" for column in COLUMNS) for row in rows)
        if rows:
            yield Matrix("", tuple(rows), COLUMNS, tuple(cells), names)

    def _summary(self, ref: str, places: list[tuple[int, ...]]) -> Fact:
        change = np.asarray(self.now[ref]) - np.asarray(self.trace[ref])
        most = max(places, key=lambda place: abs(change[place]))
        where, by = self.notation.entry(ref, most), self._number(change[most])
        text = f"{plural(len(places), 'number')} moved; most {where}, by {by}"
        return Fact(self.notation.name(ref), text, 4)

    def still(self, moved: dict[str, Any]) -> Iterator[Block]:
        """What did not move, and why."""
        changed = [ref for ref, _, _ in self.changes]
        reached = downstream(self.trace.steps, changed)
        steps = [step.ref for step in self.trace.steps if not self._hidden(step.ref)]
        apart = [self.notation.name(ref) for ref in steps if ref not in reached]
        if apart:
            yield Note(f"{', '.join(apart)}: not computed from what was changed.")
        same = [self.notation.name(ref) for ref in steps if ref in reached and ref not in moved and ref not in changed]
        if same:
            yield Note(
                f"{', '.join(same)}: computed from it, but came out the same; the change was stopped on the way."
            )
        if not apart and not same:
            yield Note("Everything that is computed moved.")

    def _hidden(self, ref: str) -> bool:
        return ref in self.notation.ones or (ref == "L" and self.notation.loss_is_sample)

    def sweep(self, low: float, high: float, count: int) -> Plot:
        """L for `count` values of the one changed number from `low` to `high`, and the tangent at its present value."""
        (ref, place, _), *_ = self.changes
        xs = np.linspace(low, high, count)
        array = np.array(self.trace[ref], float)
        here, loss = float(array[place]), float(self.trace["L"])
        ys = []
        with np.errstate(all="ignore"):
            for x in xs:
                array[place] = x
                ys.append(float(self.trace.replay("L", **{ref: array.copy()[()]})))
        slope = float(np.asarray(self.trace[f"d{ref}"])[place]) if f"d{ref}" in self.trace else 0.0
        tangent = tuple(loss + slope * (x - here) for x in xs)
        return Plot(self.notation.entry(ref, place), "L", tuple(map(float, xs)), tuple(ys), tangent, (here, loss))

    def loss(self) -> Iterator[Block]:
        """The loss before and after, beside what the slopes promised."""
        was = float(self.trace["L"])
        yield Fact("was", self._number(was))
        yield Fact("now", f"{self._number(was + self.truth)}, a change of {self._number(self.truth)}")
        if self.forecast is None:
            yield Note("The changed number has no slope on the tape, so there is no forecast.")
            return
        yield Fact("the slope promised a change of", self._number(self.forecast))
        if self.truth:
            off = abs(self.forecast - self.truth) / abs(self.truth)
            close = "close: the loss is nearly straight here" if off < 0.05 else "off: the loss bends on the way"
            yield Note(f"The forecast is {close}.")

    def _number(self, value: Any) -> str:
        return number(value, self.digits).text
