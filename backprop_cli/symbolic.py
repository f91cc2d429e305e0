"""The witness that does algebra: sympy differentiates the composed loss, knowing nothing of our chain rule.

For a weight w that enters the value r (a unit's z, say), the formulas from r to the loss are replayed with a symbol ζ
in the place of r and numbers everywhere else. What comes out is the loss as one expression in ζ, composed of every
layer in between; sympy differentiates it, and differentiates the one formula by which w enters r. Composed for each
unit rather than for each weight, this grows in proportion to the weights; one expression in all weights would explode.
Where even so it would grow too long, as through attention, what each step gives is cut off after the first order.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial, reduce
from math import prod
from typing import Any, NamedTuple

import numpy as np
import sympy

from backprop_cli.formula import NUMBERS, Algebra, coordinates, positions
from backprop_cli.indices import computed, letters
from backprop_cli.language import tr
from backprop_cli.numeric import finite_difference, one_sided
from backprop_cli.syntax import REDUCTIONS, Reduce, walk
from backprop_cli.trace import Step, Trace, downstream
from backprop_cli.verdict import EXACT, Check, Which, choose, judge, skipped

DIGITS = 30
"""Decimal digits of sympy's arithmetic: enough that its own rounding never matters."""

MOST_DIGITS = 2500
"""A probability such as 1 − e⁻¹⁰⁰⁰ needs hundreds of digits to differ from 1; beyond so many, algebra is too slow."""

MILD = 30
"""While no value is larger than this, floats will do for all that does not depend on ζ."""

MOST_USES = 200
"""The most often that ζ may occur in one composed loss; beyond that, what a step gives is taken to first order in ζ."""


class Most(NamedTuple):
    """How much algebra may be asked for.

    `short` and `cut` are the most terms of the formulas that are computed for one entry: of a short loss, and of one
    cut short. `uses` is how often units may occur in all composed losses together before only a sample is checked.
    """

    short: int
    cut: int
    uses: int


PATIENT, QUICK = Most(200_000, 2000, 2000), Most(20_000, 300, 80)
"""Seconds, for a check; and so that a step does not keep people waiting."""

TIE = 1e-12
"""Two branches closer than this are taken for equal: their difference may be rounding alone."""

ZETA = sympy.Symbol("zeta", real=True)  # being real spares sympy many questions

OCCURRENCES: Algebra = {
    **dict.fromkeys(NUMBERS, lambda *args: sum(args)),
    **dict.fromkeys(REDUCTIONS, sum),
    **dict.fromkeys(("max", "min"), max),
    **dict.fromkeys((">", "<", ">=", "<=", "=="), lambda p, q: 0),
    "largest": max,
    "where": lambda c, p, q: max(p, q),
    "number": lambda number: 0,
}
"""Not a formula's value but how often ζ occurs in it: a number counts 0, ζ counts 1, and of branches one is taken."""


class Sympy:
    """Composes and differentiates. It remembers what it found for each unit: all of a unit's weights need the same."""

    def __init__(self, trace: Trace, most: Most = PATIENT) -> None:
        self.trace = trace
        self.most = most
        self.steps = list(trace.of_phase("forward", "loss"))
        self.slopes: dict[tuple[str, tuple[int, ...]], Any] = {}
        largest = max(float(abs(np.asarray(trace[step.ref])).max()) for step in self.steps)
        self.digits = DIGITS + int(largest / 2 if largest > MILD else 0)
        self.lift = largest > MILD
        self.uses: dict[str, int] = {}
        self.tied = False

    def check(self, ref: str, which: Which = None) -> Check:
        """sympy's gradient of `ref` (such as W1) against the engine's, at the entries `which` chooses."""
        readers, work = self._readers(ref), self._work(ref)
        uses = max((self._occurrences(step.ref) for step in readers), default=0) if work <= self.most.short else 0
        if work > (self.most.short if uses <= MOST_USES else self.most.cut):
            told = tr("composing the loss anew for one entry takes {count:,} terms", count=work)
            patient = work <= (PATIENT.short if uses <= MOST_USES else PATIENT.cut)
            rest = tr("backprop check does it") if patient else tr("the other witnesses have no such limit")
            reason = tr("; ").join((told, rest))
            return skipped(self.trace, f"d{ref}", "symbolic", reason)
        if self.digits > MOST_DIGITS:
            reason = tr(
                "values of this size would take more than {count:,} digits; the other witnesses have no such limit",
                count=MOST_DIGITS,
            )
            return skipped(self.trace, f"d{ref}", "symbolic", reason)
        entries = choose(np.shape(self.trace[ref]), which)
        values = [sum(self._through(step, ref, tuple(entry)) for step in readers) for entry in entries.tolist()]
        found = np.array(values, float)
        if not np.isfinite(found).all():
            reason = tr("the composed loss leaves the range of its numbers")
            return skipped(self.trace, f"d{ref}", "symbolic", reason)
        check = judge(self.trace, f"d{ref}", "symbolic", entries, found, EXACT, partial(one_sided, self.trace, ref))
        if uses > MOST_USES:
            check = check.noting(tr("composed step by step, as it is long"))
        if (
            check.verdict == "disagree"
            and self.tied
            and finite_difference(self.trace, ref, which).verdict != "disagree"
        ):
            reason = tr("two branches tie here, and one unit cannot tell which counts")
            return skipped(self.trace, f"d{ref}", "symbolic", reason)
        return check

    def affordable(self, refs: Collection[str]) -> int | None:
        """How many entries of each of `refs` can be checked: None, all of them, if the work is within the budget.

        Work is counted in units times their uses in the composed loss, a few milliseconds each, and in weights.
        """
        budget = self.most.uses
        uses: dict[str, int] = {}
        for step in (step for ref in refs if self._work(ref) <= self.most.short for step in self._readers(ref)):
            uses[step.ref] = self._occurrences(step.ref)
            if uses[step.ref] > MOST_USES:
                uses[step.ref] = sum(map(self._terms, self._later(step.ref)))
            if uses[step.ref] > budget:
                return 1
        work = sum(int(np.size(self.trace[ref])) * count for ref, count in uses.items())
        weights = sum(int(np.size(self.trace[ref])) for ref in refs)
        if work <= budget and weights <= 10 * budget:
            return None
        return max(1, min(8, budget // (2 * max(uses.values(), default=1))))

    def _work(self, ref: str) -> int:
        """How many terms are computed for one entry: all that depends on it, once for each place that reads it."""
        work = 0
        for step in self._readers(ref):
            sizes = step.sizes(self.trace.values)
            read = next(entry for entry in step.formula.reads if step.operands[entry.name] == ref)
            own = {axis for place in read.axes for axis in letters(place)}
            places = prod(np.prod(sizes[axis], dtype=int) for axis in step.formula.target.axes if axis not in own)
            work += int(places) * sum(map(self._terms, self._later(step.ref)))
        return work

    def _later(self, ref: str) -> list[Step]:
        """The steps that depend on a value."""
        reached = downstream(self.steps, {ref}) - {ref}
        return [step for step in self.steps if step.ref in reached]

    def _terms(self, step: Step) -> int:
        """How many terms are added up for all of a step's result."""
        sizes = step.sizes(self.trace.values)
        sums = [prod(sizes[axis] for axis in node.axes) for node in walk(step.formula.tree) if isinstance(node, Reduce)]
        return int(np.size(self.trace[step.ref])) * max(sums, default=1)

    def _readers(self, ref: str) -> list[Step]:
        return [step for step in self.steps if ref in step.operands.values()]

    def _through(self, step: Step, ref: str, entry: tuple[int, ...]) -> Any:
        """The part of ∂L/∂w that runs through one step which reads w = ref[entry]."""
        formula, here = step.formula, self.trace.entry(ref, entry)
        operands = step.values({**self.trace.values, ref: _Marked(self.trace[ref], entry) if entry else ZETA})
        sizes = step.sizes(self.trace.values)
        total = 0
        for index in _reached(step, ref, entry, sizes):
            enters = formula.at(index, operands, self._algebra((ref, entry)), sizes)
            total += self._derivative(enters, here) * self.slope(step.ref, coordinates(formula.target.axes, index))
        return total

    def slope(self, ref: str, place: tuple[int, ...]) -> Any:
        """∂L/∂r for r = ref[place], from the loss composed as one expression in r."""
        if ref == "L":
            return 1
        if (ref, place) not in self.slopes:
            here = self.trace.entry(ref, place)
            long = self._occurrences(ref) > MOST_USES
            shorten = partial(self._first_order, here) if long else None
            loss = self._compose(ref, place, ZETA, self._algebra((ref, place)), lambda value: value, shorten)
            self.slopes[ref, place] = self._derivative(loss, here)
        return self.slopes[ref, place]

    def _occurrences(self, ref: str) -> int:
        """How often one entry of `ref` would occur in the composed loss; beyond MOST_USES, counting stops."""
        if ref not in self.uses:
            first = (0,) * np.ndim(self.trace[ref])
            nothing = lambda value: np.zeros(np.shape(value), object)[()]  # noqa: E731
            self.uses[ref] = self._compose(ref, first, 1, OCCURRENCES, nothing, most=MOST_USES)
        return self.uses[ref]

    def _compose(
        self,
        ref: str,
        place: tuple[int, ...],
        symbol: Any,
        algebra: Algebra,
        background: Callable[[Any], Any],
        shorten: Callable[[Any], Any] | None = None,
        most: int | None = None,
    ) -> Any:
        """L, replayed by the formulas from `ref` on, with `symbol` at one place of it; `shorten` is for each result.

        Where that comes to numbers and one of them is more than `most`, that one is the answer.
        """
        if ref == "L":
            return symbol
        marked = np.array(background(self.trace[ref]), object)
        marked[place] = symbol
        changed: dict[str, Any] = {ref: marked[()]}
        for step in self.steps:
            if not changed.keys().isdisjoint(step.operands.values()) and step.ref not in changed:
                operands = {
                    name: changed[source]
                    if source in changed
                    else self.trace[source]
                    if name in step.formula.indexed
                    else background(self.trace[source])
                    for name, source in step.operands.items()
                }
                found = step.formula.evaluate(operands, algebra)
                changed[step.ref] = shorten(found) if shorten else found
                if most is not None and (largest := np.max(changed[step.ref])) > most:
                    return largest
        return changed["L"]

    def _algebra(self, at: tuple[str, tuple[int, ...]]) -> Algebra:
        """What operators mean when some of the numbers are expressions in ζ, near the value that ζ has at `at`.

        Comparisons are decided by the numbers: near the point the loss is one smooth piece. Exactly on a kink the
        slope is that of one side.
        """
        value = sympy.Float(float(self.trace.entry(*at)), self.digits)
        lifted = partial(_lifted, self.digits, self.lift)

        def sign(p: Any, q: Any) -> float:
            difference = p - q
            if isinstance(difference, sympy.Expr):
                difference = difference.xreplace({ZETA: value})
                self.tied |= abs(difference) < TIE
            return float(difference)

        return {
            **{op: lifted(NUMBERS[op], NUMBERS[op]) for op in ("+", "-", "*", "/", "**", "neg")},
            **{
                op: lifted(NUMBERS[op], getattr(sympy, op))
                for op in ("exp", "log", "sqrt", "tanh", "sin", "cos", "erf")
            },
            **{op: lambda p, q, op=op: NUMBERS[op](sign(p, q), 0) for op in (">", "<", ">=", "<=", "==")},
            "max": lambda p, q: p if sign(p, q) > 0 else q,
            "min": lambda p, q: p if sign(p, q) < 0 else q,
            "largest": lambda terms: reduce(lambda p, q: p if sign(p, q) > 0 else q, terms),
            "abs": lambda p: p if sign(p, 0) > 0 else -p,
            "where": NUMBERS["where"],
            "number": NUMBERS["number"],
            "sum": partial(_sum, self.digits),
            "mean": partial(_mean, self.digits),
        }

    def _first_order(self, here: float, entries: Any) -> Any:
        """Expressions in ζ as f + f′·(ζ − ζ₀), which has the same slope and is short, whatever it was made of."""

        def shortened(entry: Any) -> Any:
            if not isinstance(entry, sympy.Expr) or not entry.has(ZETA):
                return entry
            at = sympy.Float(float(here), self.digits)
            return entry.xreplace({ZETA: at}) + self._derivative(entry, here) * (ZETA - at)

        return np.vectorize(shortened, otypes=[object])(entries)[()]

    def _derivative(self, expression: Any, here: float) -> Any:
        """The derivative of an expression in ζ, at the number that ζ stands for."""
        if not isinstance(expression, sympy.Expr):
            return 0.0
        return expression.diff(ZETA).xreplace({ZETA: sympy.Float(float(here), self.digits)})


class _Marked:
    """An array in which one entry is the symbol ζ; nothing is copied."""

    def __init__(self, values: Any, entry: tuple[int, ...]) -> None:
        self.values = values
        self.entry = entry

    def __getitem__(self, place: tuple[int, ...]) -> Any:
        return ZETA if place == self.entry else self.values[place]


def _reached(step: Step, ref: str, entry: tuple[int, ...], sizes: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Where in the step's result the entry `ref[entry]` is read: for W[o,i], every z[n,o] with this o."""
    target = step.formula.target.axes
    name = next(name for name, source in step.operands.items() if source == ref)
    if any(computed(read) for read in step.formula.reads if read.name == name):
        every = positions(target, sizes)
        yield from (index for index in every if entry in step.formula.places(name, index, sizes))
        return
    for index in positions(target, sizes):
        for read in step.formula.reads:
            if step.operands.get(read.name) == ref:
                known = {axis: index[axis] for axis in read.axes if axis in index}
                spread = len(entry) - len(read.axes) + 1
                given = dict(zip(read.axes, _grouped(entry, read.axes, spread), strict=True))
                if all(given[axis] == place for axis, place in known.items()):
                    yield index
                    break


def _grouped(entry: tuple[int, ...], axes: tuple[str, ...], spread: int) -> list[Any]:
    """An index cut up by axis, with `...` taking several numbers."""
    if "..." not in axes:
        return list(entry)
    return [entry[:spread], *entry[spread:]]


def _lifted(digits: int, always: bool, plain: Callable[..., Any], symbolic: Callable[..., Any]) -> Callable[..., Any]:
    """An operator that stays with floats while it can, and goes to sympy's long numbers when ζ comes in."""

    def apply(*args: Any) -> Any:
        if always or any(isinstance(arg, sympy.Expr) for arg in args):
            return symbolic(*[_exact(arg, digits) for arg in args])
        return plain(*args)

    return apply


def _exact(number: Any, digits: int) -> Any:
    """A float with all its digits, to sympy; whole numbers stay whole, so that squares stay squares."""
    if isinstance(number, sympy.Expr | int):
        return sympy.sympify(number)
    if np.isfinite(number) and number == int(number):
        return sympy.Integer(int(number))
    return sympy.Float(float(number), digits)


def _sum(digits: int, terms: Iterator[Any]) -> Any:
    """A sum with the plain numbers among its terms added up first."""
    values = list(terms)
    symbols = [term for term in values if isinstance(term, sympy.Expr)]
    number = sum(term for term in values if not isinstance(term, sympy.Expr))
    return sympy.Add(*symbols, _exact(number, digits)) if symbols else number


def _mean(digits: int, terms: Iterator[Any]) -> Any:
    values = list(terms)
    total = _sum(digits, iter(values))
    return total / sympy.Integer(len(values)) if isinstance(total, sympy.Expr) else total / len(values)
