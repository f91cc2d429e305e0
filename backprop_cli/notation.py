"""How a formula is written on the whiteboard: `z₁[o] = Σᵢ W₁[o,i]·x[i] + b₁[o]`.

A `Term` is a piece of written mathematics that knows how tightly it holds together, so that brackets appear only where
they are needed. `WRITTEN` is the algebra of terms: put terms into a formula, and the arithmetic comes out as text. All
text is Unicode here; a terminal that lacks a sign gets another spelling later, in one place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from backprop_cli.formula import Algebra, Formula
from backprop_cli.indices import Place, straight, where
from backprop_cli.language import tr
from backprop_cli.syntax import Apply, Axis, Entry, Node, Number, Pick, Reduce, Size
from backprop_cli.trace import Step, Trace

LOOSE, SUM, PRODUCT, POWER, ATOM = range(5)
SUBSCRIPTS = dict(zip("0123456789aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True))
SUPERSCRIPTS = dict(zip("0123456789t-", "⁰¹²³⁴⁵⁶⁷⁸⁹ᵗ⁻", strict=True))
GREEK = {"beta": "β", "eps": "ε", "mu": "μ", "rho": "ρ", "alpha": "α", "l2": "λ", "mhat": "m̂", "vhat": "v̂", "xhat": "x̂"}
LEADING = ((), ("n",), ("n", "i"), ("n", "t", "i"), ("n", "i", "r", "s"))
"""The letters of an input's axes, so many as it has, where no formula names them."""
MOST_TERMS = 8
"""The most terms of a sum that are written out."""


class Term(NamedTuple):
    """Written mathematics, and how tightly it holds together: LOOSE < SUM < PRODUCT < POWER < ATOM."""

    text: str
    hold: int = ATOM

    def within(self, hold: int) -> str:
        """The text, in brackets unless it holds at least that tightly."""
        return self.text if self.hold >= hold else f"({self.text})"


ONE = Term("1")
"""The number 1, which is left out as a factor: what `∂L/∂L` and the size of a batch of one come to."""


def number(value: Any, digits: int = 6) -> Term:
    """A number with so many significant digits: 0.3775, −1.2·10⁻⁵ written −1.2e-5."""
    text = f"{float(value) or 0.0:.{digits}g}"  # or 0.0: a minus zero is written 0
    mantissa, exponent, power = text.partition("e")
    text = mantissa + (f"e{int(power)}" if exponent else "")
    return Term(text.replace("-", "−", 1) if text[0] == "-" else text, SUM if text[0] == "-" else ATOM)


def _literal(value: float) -> Term:
    if value == 1:
        return ONE
    return Term("π") if value == np.pi else number(value, 17)


MINUS_ONE = Term("−1", SUM)


def _times(p: Term, q: Term) -> Term:
    if p is ONE or q is ONE:
        return q if p is ONE else p
    if p is MINUS_ONE:
        return _minus(q)
    return Term(f"{p.within(PRODUCT)}·{q.within(POWER)}", PRODUCT)


def _over(p: Term, q: Term) -> Term:
    return p if q is ONE else Term(f"{p.within(PRODUCT)}/{q.within(POWER)}", PRODUCT)


def _power(p: Term, q: Term) -> Term:
    return Term(f"{p.within(ATOM)}²" if q.text == "2" else f"{p.within(ATOM)}^{q.within(ATOM)}", POWER)


def _minus(p: Term) -> Term:
    return MINUS_ONE if p is ONE else Term(f"−{_unsigned(p, PRODUCT)}", PRODUCT)


def _unsigned(q: Term, hold: int) -> str:
    """What stands behind a sign: in brackets if it begins with a minus of its own."""
    return f"({q.text})" if q.text[0] == "−" or q.hold < hold else q.text


def _add(p: Term, q: Term) -> Term:
    return Term(f"{p.within(SUM)} + {_unsigned(q, SUM)}", SUM)


def _sum(terms: Iterator[Term]) -> Term:
    """A sum written out, its middle left out if it is long."""
    shown = list(islice(terms, MOST_TERMS))
    rest = list(terms)
    if len(shown) == 1:
        return shown[0]
    dots = [Term(tr("… {count} more …", count=len(rest) - 1))] if len(rest) > 1 else []
    first, *others = [*shown, *dots, *rest[-1:]]
    return Term(" + ".join([first.within(SUM), *(_unsigned(term, SUM) for term in others)]), SUM)


def _mean(terms: Iterator[Term]) -> Term:
    values = list(terms)
    return values[0] if len(values) == 1 else _over(_sum(iter(values)), Term(str(len(values))))


def _function(name: str) -> Callable[..., Term]:
    return lambda *args: Term(f"{name}({', '.join(arg.text for arg in args)})")


def _test(sign: str) -> Callable[[Term, Term], Term]:
    return lambda p, q: Term(f"[{p.text} {sign} {q.text}]")


WRITTEN: Algebra = {
    "+": _add,
    "-": lambda p, q: Term(f"{p.within(SUM)} − {_unsigned(q, PRODUCT)}", SUM),
    "*": _times, "/": _over, "**": _power, "neg": _minus,
    "exp": lambda p: Term(f"e^{p.within(ATOM)}", POWER),
    "log": _function("ln"), "sqrt": _function("√"), "tanh": _function("tanh"),
    "sin": _function("sin"), "cos": _function("cos"), "erf": _function("erf"), "round": _function("round"),
    "abs": lambda p: Term(f"|{p.text}|"),
    "max": _function("max"), "min": _function("min"),
    "largest": lambda terms: _function("max")(*terms),
    "where": lambda c, p, q: Term(tr("{p} if {c}, else {q}", p=p.text, c=c.text[1:-1], q=q.text), LOOSE),
    ">": _test(">"), "<": _test("<"), ">=": _test("≥"), "<=": _test("≤"), "==": _test("="),
    "sum": _sum, "mean": _mean, "number": _literal,
}  # fmt: skip


class Notation:
    """How the values of one trace are written: names, indices from 1, and formulas about them."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.single = np.size(trace.values.get("E", 0)) == 1
        self.ones = {ref for ref in trace.values if re.fullmatch(r"d[LEJ]\d*", ref) and np.all(trace[ref] == 1)}
        self.leaves = trace.values.keys() - {step.ref for step in trace.steps}
        self.loss_is_sample = self.single and "E" in trace and trace.producer("L") is not None and "J0" not in trace

    def trivial(self, ref: str) -> bool:
        """Values that say nothing: a gradient that is 1 by definition, and L where it is the loss of the one sample."""
        return ref in self.ones or (ref == "L" and self.loss_is_sample)

    @cached_property
    def axes(self) -> dict[str, tuple[str, ...]]:
        """The letters of each value's axes, as its formula has them: z1 is (n, o), W1 is (o, i)."""
        axes: dict[str, tuple[str, ...]] = {}
        for step in self.trace.steps:
            formula = step.formula.spread(self._dots(step, axes))
            for entry in formula.reads:
                axes.setdefault(step.operands[entry.name], _letters(entry))
            axes.setdefault(step.ref, formula.target.axes)
        return axes

    def _dots(self, step: Step, axes: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
        """What `...` stands for in a step: the axes of what it is a gradient of, or of the first value it reads."""
        dotted = [entry for entry in (step.formula.target, *step.formula.reads) if "..." in entry.axes]
        refs = {**step.operands, step.formula.target.name: step.ref[1:]}
        for entry in dotted:
            ref = refs[entry.name]
            if ref in axes and ref in self.trace:
                return axes[ref][: np.ndim(self.trace[ref]) - len(entry.axes) + 1]
        ranks = (np.ndim(self.trace[refs[entry.name]]) - len(entry.axes) + 1 for entry in dotted[1:])
        return LEADING[next(ranks, 0)]

    def line(self, step: Step) -> Formula:
        """A step's formula with every axis named."""
        return step.formula.spread(
            self.axes[step.ref][: np.ndim(self.trace[step.ref]) - len(step.formula.target.axes) + 1]
        )

    def sizes(self, step: Step) -> dict[str, Any]:
        """The size of every axis of that line."""
        return self.line(step).sizes(step.values(self.trace.values))

    def name(self, ref: str, index: str = "") -> str:
        """A value's written name: z₁, δ₁, ∂L/∂W₁, W₁′, m̂_W₁; `index` is written behind it."""
        if ref == "L" or (ref == "E" and self.loss_is_sample):
            return self.trace.outcome
        if ref[0].isdigit():
            return ref
        base, new, _ = ref.partition("_new")
        base, _, path = base.partition("_") if base.partition("_")[0] in self.trace else (base, "", "")
        if base[0] == "d" and base[1:] in self.trace:
            inner = self.name(base[1:])
            is_delta = re.fullmatch(r"z\d+|z[a-z]?\d+@\d+", base[1:])
            written = inner.replace("z", "δ", 1) if is_delta else f"∂{self.trace.outcome}/∂{inner}"
        elif param := self._remembered(base):
            slot = base.removesuffix(param)
            written = f"{GREEK.get(slot, slot)}_{_subscripted(param)}"
        else:
            word = next((word for word in GREEK if re.fullmatch(rf"{word}\d*", base)), "")
            written = _subscripted(GREEK.get(word, "") + base.removeprefix(word))
        return written + ("′" if new else "") + index + (self._way(ref) if path else "")

    def _remembered(self, ref: str) -> str:
        """The parameter that an optimizer's value belongs to: W1 for mW1, and for mhatW1."""
        ends = (ref[start:] for start in range(1, len(ref)) if ref[:start].islower())
        return next((end for end in ends if f"d{end}" in self.trace and end in self.leaves), "")

    def _way(self, ref: str) -> str:
        """Which use of a value a part of its gradient belongs to: ` through z₂`; and which operand, for `x·x`."""
        step = self.trace.producer(ref)
        outgoing = next((source for name, source in step.operands.items() if name[0] == "d"), "") if step else ""
        name, reader = self.name(outgoing[1:]), self.trace.producer(outgoing[1:])
        if step and reader and list(reader.operands.values()).count(ref[1:].partition("_")[0]) > 1:
            number = list(reader.operands).index(step.kernel.target[1:]) + 1
            return tr(" through {name} (operand {number})", name=name, number=number)
        return tr(" through {name}", name=name)

    def index(self, ref: str, places: tuple[Any, ...]) -> str:
        """An index between brackets, the sample first and left out if there is only one: [2,3], [1;2]."""
        axes = self.axes.get(ref, ())
        if axes[:1] == ("n",):
            sample, *rest = map(str, places)
            inner = ",".join(rest) if self.single else sample + (";" if rest else "") + ",".join(rest)
        else:
            inner = ",".join(map(str, places))
        return f"[{inner}]" if inner else ""

    def entry(self, ref: str, index: tuple[int, ...]) -> str:
        """One number by its written name: z₁[2]. The index counts from 0, what is written from 1."""
        return self.name(ref, self.index(ref, tuple(place + 1 for place in index)))

    def address(self, ref: str, index: tuple[int, ...]) -> str:
        """The same as people type it: z1[2]."""
        return ref + self.index(ref, tuple(int(place) + 1 for place in index))

    def formula(self, step: Step) -> str:
        """The step's formula, about the values it reads: both sides."""
        formula = self.line(step)
        left = self.name(step.ref, self.index(step.ref, formula.target.axes))
        return f"{left} = {self._written(formula.tree, step).text}"

    def _written(self, node: Node, step: Step) -> Term:
        match node:
            case Number(value):
                return _literal(value)
            case Size(axis):
                return self._size(axis, step)
            case Axis(axis):
                return Term(f"{axis}−1", SUM)
            case Entry(name, axes):
                ref = step.operands[name]
                places = tuple(self._place(place, step) for place in axes)
                return ONE if ref in self.ones else Term(self.name(ref, self.index(ref, places)))
            case Apply(op, args):
                return WRITTEN[op](*[self._written(arg, step) for arg in args])
            case Reduce("sum", (axis,), Pick(picked, args)) if axis == picked:
                return WRITTEN["sum"](self._written(arg, step) for arg in args)
            case Pick(axis, args):
                return self._picked(axis, args, step)
            case Reduce(op, axes, body):
                inner = self._written(body, step)
                if axes == ("n",) and self.single:
                    return inner
                over = axes[1:] if axes[0] == "n" and self.single else axes
                sign = {"sum": "Σ", "mean": "mean", "largest": "max"}[op] + "".join(SUBSCRIPTS[axis] for axis in over)
                return Term(f"{sign} {inner.within(PRODUCT)}", POWER)

    def _picked(self, axis: str, args: tuple[Node, ...], step: Step) -> Term:
        """One value of several: h₁⁽ᵗ⁾[k] of h₁⁽¹⁾[k], h₁⁽²⁾[k] …, and h₁⁽ᵗ⁻¹⁾[k] if they begin at h₁⁽⁰⁾[k]."""
        first = args[0]
        if isinstance(first, Entry) and (time := step.operands[first.name].partition("@")[2]):
            before = f"{axis}-1" if time == "0" else axis
            return Term(self._written(first, step).text.replace(_time(time), _time(before)))
        return Term(f"({', '.join(self._written(arg, step).text for arg in args)})[{axis}]")

    def _place(self, place: Place, step: Step) -> str:
        """An index as it is written, counted from 1: `r+u−1`, `2r+u−2`, `⌈o/4⌉`, `x[t]+1`."""
        match place:
            case str():
                return place
            case Axis(axis):
                return axis
            case Apply("//", (p, by)):
                return f"⌈{self._place(p, step)}/{where(by, {}, self.sizes(step))}⌉"
            case Apply("%", (p, by)):
                return f"({self._place(p, step)}−1) mod {where(by, {}, self.sizes(step))}+1"
            case Entry(name, places) if places:
                ref = step.operands[name]
                return f"{self.name(ref, self.index(ref, tuple(self._place(inner, step) for inner in places)))}+1"
        parts, start = straight(place, self.sizes(step))
        texts = ((self._place(part, step), times) for part, times in parts.items())
        moves = "+".join(("−" if times == -1 else "" if times == 1 else str(times)) + text for text, times in texts)
        rest = start + 1 - sum(parts.values())
        return (moves + (f"{rest:+d}" if rest or not moves else "")).replace("+-", "−").replace("-", "−").lstrip("+")

    def _size(self, axis: str, step: Step) -> Term:
        return ONE if self.sizes(step)[axis] == 1 else Term(axis.upper())


def _letters(entry: Entry) -> tuple[str, ...]:
    """A letter for each axis of a value; where the index is computed, one that the formula does not use."""
    free = iter("ijhxt")
    return tuple(
        place if isinstance(place, str) else next(letter for letter in free if letter not in entry.axes)
        for place in entry.axes
    )


def _subscripted(name: str) -> str:
    """`W1` as W₁, and h1@2, of time step 2, as h₁⁽²⁾."""
    base, _, time = name.partition("@")
    low = re.sub(r"\d+$", lambda digits: "".join(SUBSCRIPTS[digit] for digit in digits[0]), base)
    return low + (_time(time) if time else "")


def _time(text: str) -> str:
    """⁽²⁾ for 2, and ⁽ᵗ⁻¹⁾ for t-1."""
    return f"⁽{''.join(SUPERSCRIPTS[sign] for sign in text)}⁾"
