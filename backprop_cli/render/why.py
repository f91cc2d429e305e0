"""Why is this number what it is? Where it comes from, which paths it takes to the loss, and what a nudge would do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

import numpy as np

from backprop_cli.language import plural, tr
from backprop_cli.notation import ONE, PRODUCT, Notation, Term, number
from backprop_cli.paths import Link, Path, Paths, Place, paths, written_slope
from backprop_cli.render.blocks import Block, Fact, Formula, Gauge, Heading, Note, Tree, Worked
from backprop_cli.render.proof import proof
from backprop_cli.render.report import worked_out
from backprop_cli.trace import Step, Trace
from backprop_cli.verdict import Check
from backprop_cli.words import sentences

NUDGE = 0.01
MOST_SOURCES = 12
"""The most sources of a number that are worked out on one level."""


class Why:
    """The explanation of one number, `ref[place]` on a tape."""

    def __init__(self, trace: Trace, ref: str, place: Place, digits: int = 6, most: int = 8, depth: int = 1) -> None:
        self.trace = trace
        self.notation = Notation(trace)
        self.ref = ref
        self.place = place
        self.digits = digits
        self.most = most
        self.depth = depth

    @property
    def source(self) -> str:
        """The value whose way to the loss is asked about: W1 for W1 and for dW1; none for L or an updated weight."""
        of = self.ref[1:] if self.ref[0] == "d" and self.ref[1:] in self.trace else self.ref
        return of if f"d{of}" in self.trace and not re.fullmatch(r"[LE]|J\d+", of) else ""

    @property
    def value(self) -> float:
        """The number itself."""
        return float(self.trace.entry(self.ref, self.place))

    @cached_property
    def paths(self) -> Paths:
        """Its paths to the loss, `most` of them one by one."""
        return paths(self.trace, self.source, self.place, self.most)

    @property
    def truth(self) -> float:
        """How much the loss really changes if the number is a little larger."""
        value = np.array(self.trace[self.source], float)
        value[self.place] += NUDGE
        with np.errstate(all="ignore"):
            return float(self.trace.replay("L", **{self.source: value})) - float(self.trace["L"])

    def blocks(self, checks: Iterable[Check] = ()) -> Iterator[Block]:
        """Where it comes from, its paths to the loss, words, a nudge, and the witnesses' verdicts."""
        yield Fact(self.notation.entry(self.ref, self.place), self._number(self.value))
        asked = f"d{self.source}" if self.source and not self.trace.producer(self.ref) else self.ref
        if asked == "L" and self.notation.loss_is_sample:
            yield from self.origin("E", (0,))
        else:
            yield from self.origin(asked, self.place)
        if self.source:
            yield from self.ways()
            yield from self.cancelled()
            yield Heading(tr("IN WORDS"))
            yield from map(Note, sentences(self.notation, self.source, self.place, self.digits))
            yield from self.nudge()
        yield from proof(self.notation, checks, self.digits)

    # --- where it comes from ----------------------------------------------------------------------------------------

    def origin(self, ref: str, place: Place) -> Iterator[Block]:
        """The formula with the numbers put in, and then those of its sources, one level after the other."""
        gradient = ref != self.ref and ref[0] == "d"
        yield Heading(tr("WHERE IT COMES FROM (ITS GRADIENT)") if gradient else tr("WHERE IT COMES FROM"))
        if not self.trace.producer(ref):
            yield Note(tr("It is given."))
        level = [(ref, place)]
        for depth in range(self.depth + 1):
            level = [(ref, place) for ref, place in level if self.trace.producer(ref)]
            if depth and level:
                yield Heading(tr("Its sources, {steps} back", steps=plural(depth, "step")), 2)
            formula = ""
            for ref, place in level[:MOST_SOURCES]:
                step = self._step(ref)
                if formula != (formula := self.notation.formula(step)):
                    yield Formula(formula)
                yield worked_out(self.notation, step, place, self.digits)
            if len(level) > MOST_SOURCES:
                yield Note(tr("and {more} more.", more=len(level) - MOST_SOURCES))
            level = list(dict.fromkeys(read for ref, place in level for read in self._reads(self._step(ref), place)))

    def _reads(self, step: Step, place: Place) -> Iterator[tuple[str, Place]]:
        """The entries that one entry of a step's result is computed from."""
        formula = step.formula
        sizes = step.sizes(self.trace.values)
        index = formula.index(place)
        for name in formula.operands:
            if step.operands[name] not in self.notation.ones:
                yield from ((step.operands[name], found) for found in formula.places(name, index, sizes))

    def _step(self, ref: str) -> Step:
        step = self.trace.producer(ref)
        assert step is not None
        return step

    # --- where it goes ----------------------------------------------------------------------------------------------

    def ways(self) -> Iterator[Block]:
        """A sketch, every path with its slopes as names and as numbers, and what they add up to."""
        found, name = self.paths, self.notation.entry(self.source, self.place)
        listed = [path for path in found.largest if path.product] or found.largest[:1]
        yield Heading(self._title(name, _count(found, listed)))
        yield sketch(self.notation, name, [path.links for path in listed])
        labelled = [(tr("path {number}", number=count), path) for count, path in enumerate(listed, 1)]
        for label, path in labelled:
            yield Formula(self._product(path, names=True))
            yield Worked(label, self._product(path, names=False), self._signed(path.product))
        most = max(abs(path.product) for path in listed)
        for label, path in labelled:
            share = abs(path.product) / most if most else 0
            yield Gauge(label, self._signed(path.product), share, self._via(path))
        if found.number > len(found.largest):
            yield Fact(tr("the others"), self._signed(found.total - sum(path.product for path in found.largest)))
        total, engine = self._signed(found.total), self._signed(self.trace[f"d{self.source}"][self.place])
        yield Fact(tr("total"), tr("{total}; the engine has {engine}", total=total, engine=engine))

    def _title(self, name: str, count: str) -> str:
        """From where to where, and by how many paths."""
        if "E" in self.trace:
            return tr("FROM {name} TO THE LOSS: {paths}", name=name, paths=count)
        return tr("FROM {name} TO {goal}: {paths}", name=name, goal=self.trace.outcome, paths=count)

    def _product(self, path: Path, names: bool) -> str:
        """A path's slopes, multiplied: as a student would write them."""

        def write(ref: str, place: Place) -> Term:
            if names:
                return Term(self.notation.entry(ref, place))
            return number(self.trace.entry(ref, place), self.digits)

        slopes = [written_slope(self.notation, link, write) for link in path.links]
        kept = [slope for slope in slopes if slope is not ONE]
        if len(kept) < 2:
            return kept[0].text if kept else "1"
        return "·".join(f"({slope.text})" if slope.text[0] == "−" else slope.within(PRODUCT) for slope in kept)

    def _via(self, path: Path) -> str:
        """The entries of the outer layers that tell one path from another."""
        network = "E" in self.trace
        between = [
            self.notation.entry(link.step.ref, link.place)
            for link in path.links
            if (link.step.ref[0] == "z" and link.step.phase == "forward" if network else link.step.ref != "L")
        ]
        return tr("through {entries}", entries=" → ".join(between)) if between else tr("straight to the end")

    # --- more -------------------------------------------------------------------------------------------------------

    def cancelled(self) -> Iterator[Block]:
        """Where a fused loss goes past an activation: the slope that does not appear, and how it cancels."""
        fused = next((step for step in self.trace.of_phase("loss") if step.kernel.plain), None)
        if fused is None or not fused.kernel.plain or not fused.kernel.inner:
            return
        inner, z = fused.kernel.inner, fused.operands["z"]
        a, slope = fused.operands[inner.target], self._step(f"d{z}")
        long = Trace(**self.trace.values)
        long.steps = [step for step in self.trace.steps if step.phase in ("forward", "loss")]
        refs = {**fused.operands, "dE": "dE", "E": fused.ref, "da": f"d{a}"}
        outer_kernel, inner_kernel = fused.kernel.plain.gradients[inner.target], inner.gradients["z"]
        with np.errstate(all="ignore"):
            long.run(f"d{a}", outer_kernel, "backward", **{name: refs[name] for name in outer_kernel.operands})
            del long.values[f"d{z}"]
            long.run(f"d{z}", inner_kernel, "backward", **{name: refs[name] for name in inner_kernel.operands})
        notation = Notation(long)
        yield Heading(tr("THE SLOPE THAT DOES NOT APPEAR"))
        told = {"activation": inner.name, "doc": tr(slope.kernel.doc)}
        yield Note(tr("The slope of the {activation} is missing on purpose. {doc} The long way says", **told))
        for step in long.steps[-2:]:
            yield Formula(notation.formula(step))
        yield Note(tr("and the short way comes to the same:"))
        yield Formula(self.notation.formula(slope))
        place = self._output(z)
        for step in long.steps[-2:]:
            yield worked_out(notation, step, place, self.digits)
        yield worked_out(self.notation, slope, place, self.digits)

    def _output(self, z: str) -> Place:
        """The entry of the last z to show it for: the one asked about, or the first that the number reaches."""
        if self.source == z:
            return self.place
        return next(
            (link.place for link in self.paths.largest[0].links if link.step.ref == z), (0,) * np.ndim(self.trace[z])
        )

    def nudge(self) -> Iterator[Block]:
        """What raising the value a little does to the loss: what the slope promises, and what really happens."""
        name, slope = self.notation.entry(self.source, self.place), self.paths.total
        written = number(slope, self.digits).within(PRODUCT)
        yield Heading(tr("IF {name} WERE {nudge:g} LARGER", name=name, nudge=NUDGE))
        yield Fact(tr("the slope promises"), f"{NUDGE:g}·{written} = {self._signed(NUDGE * slope)}")
        goal = self.trace.outcome
        changes = tr("the loss changes by") if "E" in self.trace else tr("{goal} changes by", goal=goal)
        yield Fact(changes, self._signed(self.truth))

    def _number(self, value: object) -> str:
        return number(value, self.digits).text

    def _signed(self, value: object) -> str:
        """A number with its sign, even if that is a plus."""
        text = self._number(value)
        return text if text[0] == "−" or text == "0" else f"+{text}"


def _count(found: Paths, listed: Sequence[Path]) -> str:
    """How many paths there are, and how many of them are not listed, and why."""
    count = plural(found.number, "path")
    if found.number > len(found.largest):
        return tr("{paths}, the {shown} largest shown", paths=count, shown=len(listed))
    if not found.total and not any(path.product for path in listed):
        return tr("{paths}, worth 0", paths=count)
    zeros = found.number - len(listed)
    if zeros == 1:
        return tr("{paths}, of which 1 is worth 0", paths=count)
    return tr("{paths}, of which {zeros} are worth 0", paths=count, zeros=zeros) if zeros else count


def sketch(notation: Notation, name: str, routes: Sequence[tuple[Link, ...]]) -> Tree:
    """The part of the network that the routes run through, as a tree from `name` to the loss."""
    branches: dict[str, list[tuple[Link, ...]]] = {}
    for route in routes:
        if route:
            entry = notation.entry(route[0].step.ref, route[0].place)
            branches.setdefault(entry, []).append(route[1:])
    if list(branches) == [name]:  # E and L of a single sample are one
        return sketch(notation, name, branches[name])
    return Tree(name, tuple(sketch(notation, entry, rest) for entry, rest in branches.items()))
