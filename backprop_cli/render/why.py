"""Why is this number what it is? Where it comes from, which paths it takes to the loss, and what a nudge would do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np

from backprop_cli.language import plural, tr
from backprop_cli.notation import ONE, PRODUCT, Notation, Term, number
from backprop_cli.paths import Link, Path, Paths, Place, fused, paths, written_slope
from backprop_cli.render.blocks import Block, Fact, Formula, Gauge, Heading, Note, Tree, Worked
from backprop_cli.render.proof import proof
from backprop_cli.render.report import worked_out
from backprop_cli.trace import Step, Trace, downstream, held
from backprop_cli.verdict import Check
from backprop_cli.words import does, sentences

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

    @cached_property
    def passed(self) -> str:
        """The activation that a fused loss goes past; empty if there is none."""
        step = fused(self.trace)
        return step.operands[step.kernel.inner.target] if step and step.kernel.inner else ""

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
        here = np.array(self.trace[self.source], float)
        nudged = here.copy()
        nudged[self.place] += NUDGE
        with np.errstate(all="ignore"):
            before, after = (float(self.trace.replay("L", **{self.source: value})) for value in (here, nudged))
        return after - before

    def blocks(self, checks: Iterable[Check] = ()) -> Iterator[Block]:
        """Where it comes from, its paths to the loss, words, a nudge, and the witnesses' verdicts."""
        yield Fact(self.notation.entry(self.ref, self.place), self._number(self.value), result=True)
        asked = f"d{self.source}" if self.source and not self.trace.producer(self.ref) else self.ref
        if asked == "L" and self.notation.loss_is_sample:
            yield from self.origin("E", (0,))
        else:
            yield from self.origin(asked, self.place)
        if self.source:
            yield from self.ways()
            yield from self.cancelled()
        if words := list(self.words()):
            yield Heading(tr("IN WORDS"))
            yield from map(Note, words)
        if self.source:
            yield from self.nudge()
        yield from proof(self.notation, checks, self.digits, asked=True)

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
        labels = [tr("path {number}", number=count) for count in range(1, len(listed) + 1)]
        for label, path in zip(labels, listed, strict=True):
            numbers = self._product(path, names=False)
            yield Formula(self._product(path, names=True))
            yield Worked(label, "" if numbers == self._number(path.product) else numbers, self._signed(path.product))
        most = max(abs(path.product) for path in listed)
        for label, path, via in zip(labels, listed, self._vias(listed), strict=True):
            yield Gauge(label, self._signed(path.product), abs(path.product) / most if most else 0, via)
        if found.number > len(found.largest):
            yield Fact(tr("the others"), self._signed(found.total - sum(path.product for path in found.largest)))
        yield Fact(tr("total"), self._total())

    def _total(self) -> str:
        """What the paths come to, beside the engine's gradient."""
        total, engine = self.paths.total, self.trace.entry(f"d{self.source}", self.place)
        told = {"total": self._signed(total), "engine": self._signed(engine)}
        if self.source == self.passed:
            name = self.notation.name(self.source)
            return tr("{total}; the engine goes past {name} and does not need it", name=name, **told)
        return tr("{total}; the engine has {engine}", **told)

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

    def _vias(self, listed: Sequence[Path]) -> Iterator[str]:
        """For each path the weighted sums that it runs through, and what else tells it from a path through the same."""
        routes = [self._route(path) for path in listed]
        for route in routes:
            alike = [other for other in routes if _named(other) == _named(route)]
            told = [stage for stage in route if route[stage] or not all(stage in other for other in alike)]
            yield tr("through {entries}", entries=" → ".join(told)) if told else tr("straight to the end")

    def _route(self, path: Path) -> dict[str, bool]:
        """What a path runs through before the loss, and whether that is always named; of an expression, every step."""
        network = "E" in self.trace
        links = [link for link in path.links if link.step.phase == "forward"]
        return {self._stage(link): link.step.ref[0] == "z" if network else link.step.ref != "L" for link in links}

    def _stage(self, link: Link) -> str:
        """Where a link leads; and by which operand, if the step reads the same value twice."""
        step, entry = link.step, self.notation.entry(link.step.ref, link.place)
        if list(step.operands.values()).count(step.operands[link.operand]) == 1:
            return entry
        return tr("{entry} (operand {number})", entry=entry, number=list(step.operands).index(link.operand) + 1)

    # --- more -------------------------------------------------------------------------------------------------------

    def cancelled(self) -> Iterator[Block]:
        """Where a fused loss goes past an activation: the slope that does not appear, and how it cancels."""
        step = fused(self.trace)
        if step is None or not step.kernel.plain or not step.kernel.inner or self.source == "y":
            return
        inner, z, a = step.kernel.inner, step.operands["z"], self.passed
        long = Trace(**{ref: value for ref, value in self.trace.values.items() if ref not in (f"d{a}", f"d{z}")})
        long.steps = list(self.trace.of_phase("forward", "loss"))
        refs = {**step.operands, "dE": "dE", "E": step.ref, "da": f"d{a}"}
        with np.errstate(all="ignore"):
            for of, kernel in ((a, step.kernel.plain.gradients[inner.target]), (z, inner.gradients["z"])):
                long.run(f"d{of}", kernel, "backward", **{name: refs[name] for name in kernel.operands})
        notation, short = Notation(long), self._step(f"d{z}")
        yield Heading(tr("THE SLOPE THAT DOES NOT APPEAR"))
        told = {"activation": inner.name, "doc": tr(short.kernel.doc)}
        yield Note(tr("The slope of the {activation} is missing on purpose. {doc} The long way says", **told))
        for step in long.steps[-2:]:
            yield Formula(notation.formula(step))
        yield Note(tr("and the short way comes to the same:"))
        yield Formula(self.notation.formula(short))
        place = self._output(z)
        for step in long.steps[-2:]:
            yield worked_out(notation, step, place, self.digits)
        yield worked_out(self.notation, short, place, self.digits)

    def _output(self, z: str) -> Place:
        """The entry of the last z to show it for: the one asked about, or the first that the number reaches."""
        if self.source in (z, self.passed):
            return self.place
        return next(
            (link.place for link in self.paths.largest[0].links if link.step.ref == z), (0,) * np.ndim(self.trace[z])
        )

    def words(self) -> Iterator[str]:
        """What raising the number does to the loss; or what an optimizer's number has to do with a gradient."""
        step = self.trace.producer(self.ref)
        if self.source == "y" and "E" in self.trace:
            yield self._target()
        elif self.source and self.source == self.passed and self._step(self.source).kernel.name == "softmax":
            yield self._probability()
        elif self.source:
            yield from sentences(self.notation, self.source, self.place, self.digits)
        elif step and step.phase == "update":
            yield from self._learnt(step)
        elif f"{self.ref}_new" in self.trace:
            yield tr("It is what the optimizer remembers from the step before.")

    def _target(self) -> str:
        """Words about a target."""
        output = self._step("E").operands["a"]
        return tr(
            "{name} is the target of {output} = {value}: raising it {does} the loss.",
            name=self.notation.entry("y", self.place),
            output=self.notation.entry(output, self.place),
            value=self._number(self.trace.entry(output, self.place)),
            does=does(self.paths.total),
        )

    def _probability(self) -> str:
        """Words about an output of a softmax, of which a cross-entropy reads one alone."""
        told = {"name": self.notation.entry(self.source, self.place), "a": self.notation.name(self.source)}
        if self.trace.entry("y", self.place):
            return tr("Raising {name} alone lowers the loss; that the {a} sum to 1 is the softmax's doing.", **told)
        return tr("Raising {name} alone changes nothing: its target is 0. It counts because the {a} sum to 1.", **told)

    def _learnt(self, step: Step) -> Iterator[str]:
        """Words about what an update gives: the rule, what the gradient wants, and where that is explained."""
        yield tr(step.kernel.doc)
        updates = list(self.trace.of_phase("update"))
        for name in (ref for ref in self.trace.values if f"{ref}_new" in self.trace and f"d{ref}" in self.trace):
            if self.ref in downstream(updates, [f"d{name}"]):
                yield from sentences(self.notation, name, self.place, self.digits)
                gradient = self.notation.entry(f"d{name}", self.place)
                address = self.notation.address(f"d{name}", self.place)
                yield tr("It comes from {gradient}; why {address} shows its paths.", gradient=gradient, address=address)

    def nudge(self) -> Iterator[Block]:
        """What raising the value a little does to the loss: what the slope promises, and what really happens."""
        name, slope = self.notation.entry(self.source, self.place), self.paths.total
        written = number(slope, self.digits).within(PRODUCT)
        yield Heading(tr("IF {name} WERE {nudge:g} LARGER", name=name, nudge=NUDGE))
        yield Fact(tr("the slope promises"), f"{NUDGE:g}·{written} = {self._signed(NUDGE * slope)}")
        goal = self.trace.outcome
        changes = tr("the loss changes by") if "E" in self.trace else tr("{goal} changes by", goal=goal)
        yield Fact(changes, self._signed(self.truth))
        if held(self.trace) is not self.trace and self.source not in ("x", "y"):
            yield Note(tr("Weights are rounded: a small change may move none of them, and the gradient does not know."))

    def _number(self, value: object) -> str:
        return number(value, self.digits).text

    def _signed(self, value: object) -> str:
        return signed(value, self.digits)


def signed(value: object, digits: int) -> str:
    """A number with its sign, even if that is a plus."""
    text = number(value, digits).text
    return text if text[0] == "−" or text == "0" else f"+{text}"


def _named(route: Mapping[str, bool]) -> list[str]:
    return [stage for stage, named in route.items() if named]


def _count(found: Paths, listed: Sequence[Path]) -> str:
    """How many paths there are, and how many of them are not listed, and why."""
    count = plural(found.number, "path")
    if not any(path.product for path in listed):
        return tr("{paths}, worth 0", paths=count)
    if found.number > len(found.largest):
        return tr("{paths}, the {shown} largest shown", paths=count, shown=len(listed))
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
