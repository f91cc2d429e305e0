"""What if a number were different? What moves, what does not and why, and what the slope would have promised."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from backprop_cli.addresses import read_address
from backprop_cli.errors import UsageError
from backprop_cli.language import enumerated, later, listed, plural, tr
from backprop_cli.notation import Notation, number
from backprop_cli.paths import completed
from backprop_cli.render.blocks import Block, Fact, Heading, Matrix, Note, Plot
from backprop_cli.render.why import signed
from backprop_cli.syntax import Entry
from backprop_cli.trace import Trace, downstream
from backprop_cli.typed import read_number

COLUMNS = (later("was"), later("now"), later("change"))
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
    address, equals, value = text.replace("＝", "=").partition("=")
    if not equals:
        raise UsageError("{text!r}: write a change as an address and a value, such as W2[2,1]=-0.5", text=text)
    ref, place = read_address(address, notation)
    if place is None:
        example = notation.address(ref, (0,) * np.ndim(notation.trace[ref]))
        raise UsageError(
            "{text!r}: {ref} is a whole array; change one entry of it, such as {example}={value}",
            text=text, ref=ref, example=example, value=value,
        )  # fmt: skip
    change = Change(ref, place, read_number(value))
    check_token(notation.trace, ref, change.value)
    return change


def check_token(trace: Trace, ref: str, value: float) -> None:
    """Raises UsageError if a value that says which entry of another is read would say one that is not there."""
    for step in trace.steps:
        for entry in step.formula.reads:
            for axis, place in enumerate(entry.axes):
                if isinstance(place, Entry) and place.axes and step.operands[place.name] == ref:
                    last = np.shape(trace[step.operands[entry.name]])[axis] - 1
                    if value != int(value) or not 0 <= value <= last:
                        raise UsageError(
                            "{ref}: token {token:g} is not one of 0 … {last}", ref=ref, token=value, last=last
                        )


def read_sweep(text: str) -> tuple[float, float, int]:
    """`-4:4:81` as from, to, and how many. Raises UsageError."""
    try:
        low, high, count = text.split(":")
        found = read_number(low), read_number(high), int(count)
    except ValueError:
        raise UsageError("{text!r}: write a sweep as LOW:HIGH:COUNT, such as -4:4:81", text=text) from None
    if not (found[0] < found[1] and 2 <= found[2] <= MOST_POINTS):
        raise UsageError("{text!r}: a sweep goes from low to high in 2 to {most:,} points", text=text, most=MOST_POINTS)
    return found


class WhatIf:
    """A tape, and the same tape with some of its numbers changed."""

    def __init__(self, trace: Trace, changes: Sequence[Change], digits: int = 6) -> None:
        self.trace = trace
        self.changes = changes
        self.digits = digits
        self.notation = Notation(trace)
        self._check()

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
    def forecast(self) -> float:
        """What the slopes promise for the loss."""
        return sum(
            (slope or 0.0) * (value - float(self.trace.entry(ref, place)))
            for slope, (ref, place, value) in zip(self.slopes, self.changes, strict=True)
        )

    @cached_property
    def slopes(self) -> list[float | None]:
        """The slope of the loss in each number that is changed; None if it has none, as the learning rate or a mask."""
        wholes = {ref: completed(self.trace, [ref]) for ref, _, _ in self.changes}
        return [
            float(wholes[ref].entry(f"d{ref}", place)) if f"d{ref}" in wholes[ref] else None
            for ref, place, _ in self.changes
        ]

    def _check(self) -> None:
        """Raises UsageError for changes that contradict each other, or what the loss takes for granted."""
        for number_, (ref, place, _) in enumerate(self.changes):
            for other, at, _ in self.changes[:number_]:
                if (ref, place) == (other, at):
                    raise UsageError("{address} is changed twice", address=self.notation.address(ref, place))
                first, second = (other, ref) if ref in downstream(self.trace.steps, [other]) else (ref, other)
                if first != second and second in downstream(self.trace.steps, [first]):
                    raise UsageError(
                        "{second} is computed from {first}; change one of them at a time", second=second, first=first
                    )
        for value in self.now.values():
            if not np.isfinite(value).all():
                raise UsageError("with these numbers the step has no finite values")
        judge = self.trace.producer("E")
        if (
            "y" in self.now
            and judge
            and judge.kernel.name == "softmax_ce"
            and abs(self.now["y"].sum(1) - 1).max() > 1e-6
        ):
            raise UsageError("with a softmax the targets of a sample must sum to 1; change them together")

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
            was = self._number(self.trace.entry(ref, place))
            yield Fact(self.notation.entry(ref, place), f"{was} → {self._number(value)}")
        yield Heading(tr("WHAT MOVED"))
        moved = dict(self.moved())
        for phase, refs in self._by_phase(moved).items():
            yield Heading(tr(phase).capitalize(), 2)
            yield from self._table([(ref, place) for ref in refs for place in moved[ref] if len(moved[ref]) <= FEW])
            yield from (self._summary(ref, moved[ref]) for ref in refs if len(moved[ref]) > FEW)
        yield Heading(tr("WHAT DID NOT"))
        yield from self.still(moved)
        yield Heading(tr("THE LOSS") if "E" in self.trace else tr("THE VALUE OF {goal}", goal=self.trace.outcome))
        yield from self.loss()

    def _by_phase(self, refs: Iterable[str]) -> dict[str, list[str]]:
        """The values that moved, gathered by the phase of the step that made them."""
        refs = list(refs)
        phases: dict[str, list[str]] = {}
        for ref in refs:
            step = self.trace.producer(ref)
            if not (self.notation.trivial(ref) and "E" in refs):
                phases.setdefault(step.phase if step else later("changed"), []).append(ref)
        return phases

    def _table(self, entries: list[tuple[str, tuple[int, ...]]]) -> Iterator[Block]:
        """Entries that moved: was, now, change."""
        rows, cells, narrow = [], [], []
        for ref, place in entries:
            before, after = self.trace.entry(ref, place), np.asarray(self.now[ref])[place]
            was, now, change = map(self._number, (before, after, after - before))
            rows.append(self.notation.entry(ref, place))
            cells.append((was, now, change))
            narrow.append(Fact(rows[-1], f"{was} → {now} ({signed(after - before, self.digits)})", 4))
        columns = tuple(map(tr, COLUMNS))
        names = tuple(tuple(tr("{row}, {column}", row=row, column=column) for column in columns) for row in rows)
        if rows:
            yield Matrix("", tuple(rows), columns, tuple(cells), names, narrow=tuple(narrow))

    def _summary(self, ref: str, places: list[tuple[int, ...]]) -> Fact:
        change = np.asarray(self.now[ref]) - np.asarray(self.trace[ref])
        most = max(places, key=lambda place: abs(change[place]))
        told = {"where": self.notation.entry(ref, most), "by": self._number(change[most])}
        text = tr("{numbers} moved; most {where}, by {by}", numbers=plural(len(places), "number"), **told)
        return Fact(self.notation.name(ref), text, 4)

    def still(self, moved: dict[str, Any]) -> Iterator[Block]:
        """What did not move, and why."""
        if not moved:
            yield Note(tr("Nothing changes: it has this value already."))
            return
        apart, same, stops = self._still(moved)
        if apart:
            yield Note(tr("{names}: not computed from what was changed.", names=self._names(apart)))
        if same:
            yield Note(
                tr(
                    "{names}: computed from it, but came out the same; the change was stopped at {stops}.",
                    names=self._names(same), stops=self._names(stops),
                )
            )  # fmt: skip
        partly = [ref for ref, places in moved.items() if len(places) < np.size(self.trace[ref])]
        if partly:
            yield Note(tr("Of {names} only the entries above moved.", names=self._names(partly)))
        if not apart and not same and not partly:
            yield Note(tr("Everything that is computed moved."))

    def _still(self, moved: Collection[str]) -> tuple[list[str], list[str], list[str]]:
        """The values that depend on nothing that was changed; those that came out the same; where that began.

        A step may take a value for its size alone, as ∂L/∂E = 1/N does: that is not to depend on its numbers.
        """
        given = {ref for ref, _, _ in self.changes}
        names = set(map(self.notation.name, given))  # of a single sample, L and E are both called L
        reached = given.intersection(moved)
        apart, same, stops = [], [], []
        for step in self.trace.steps:
            read = {step.operands[entry.name] for entry in step.formula.reads}
            if read.isdisjoint(reached):
                apart.append(step.ref)
                continue
            reached.add(step.ref)
            if step.ref not in moved:
                same.append(step.ref)
                if not read.isdisjoint(moved):
                    stops.append(step.ref)

        def told(refs: list[str]) -> list[str]:
            return [ref for ref in refs if not self.notation.trivial(ref) and self.notation.name(ref) not in names]

        return told(apart), told(same), told(stops)

    def _names(self, refs: Iterable[str]) -> str:
        return enumerated(map(self.notation.name, refs))

    def sweep(self, low: float, high: float, count: int) -> Plot:
        """L for `count` values of the one changed number from `low` to `high`, and the tangent at its present value."""
        if len(self.changes) != 1:
            raise UsageError("a sweep moves one number; name one change only")
        ((ref, place, value),) = self.changes
        xs = np.linspace(low, high, count)
        array = np.array(self.trace[ref], float)
        here, loss = float(array[place]), float(self.trace["L"])
        ys = []
        with np.errstate(all="ignore"):
            for x in xs:
                check_token(self.trace, ref, x)
                array[place] = x
                ys.append(float(self.trace.replay("L", **{ref: array.copy()[()]})))
        if not np.isfinite(ys).all():
            raise UsageError(
                "L has no finite value everywhere from {low:g} to {high:g}; sweep a smaller range", low=low, high=high
            )
        slope = self.slopes[0] or 0.0
        tangent = tuple(loss + slope * (x - here) for x in xs)
        return Plot(
            self.notation.entry(ref, place),
            self.notation.name("L"),
            tuple(map(float, xs)),
            tuple(ys),
            tangent,
            (here, loss),
            (value, loss + self.truth),
        )

    def loss(self) -> Iterator[Block]:
        """The loss before and after, beside what the slopes promised."""
        was = float(self.trace["L"])
        now, change = self._number(was + self.truth), self._number(self.truth)
        yield Fact(tr("was"), self._number(was), result=True)
        yield Fact(tr("now"), tr("{now}, a change of {change}", now=now, change=change), result=True)
        told = zip(self.changes, self.slopes, strict=True)
        flat = [self.notation.entry(ref, place) for (ref, place, _), slope in told if slope is None]
        if flat and self.truth:
            yield Note(tr("Of {names} the loss has no slope, so nothing was promised.", names=listed(flat)))
            return
        yield Fact(tr("the slope promised a change of"), self._number(self.forecast))
        if self.truth:
            yield Note(self._judgement())

    def _judgement(self) -> str:
        """How good the forecast was, and what that says of the curve."""
        close, goal = abs(self.forecast - self.truth) < 0.05 * abs(self.truth), self.trace.outcome
        if "E" in self.trace:
            straight = tr("The forecast is close: the loss is nearly straight here.")
            return straight if close else tr("The forecast is off: the loss bends on the way.")
        straight = tr("The forecast is close: {goal} is nearly straight here.", goal=goal)
        return straight if close else tr("The forecast is off: {goal} bends on the way.", goal=goal)

    def _number(self, value: Any) -> str:
        return number(value, self.digits).text
