"""A kernel as the loops a compiler would run, generated from its formula and ready to run in Python.

for n in range(N):
    for o in range(O):
        total = 0.0
        for i in range(I):
            total += W[o, i] * a[n, i]
        z[n, o] = total + b[o]
"""

from __future__ import annotations

import ast
from collections.abc import Mapping

from backprop_cli.formula import Formula
from backprop_cli.indices import Place, computed, letters
from backprop_cli.kernel import Kernel
from backprop_cli.syntax import Apply, Axis, Entry, Node, Number, Pick, Reduce, Size

CALLS = {
    "exp": "np.exp",
    "log": "np.log",
    "sqrt": "np.sqrt",
    "tanh": "np.tanh",
    "sin": "np.sin",
    "cos": "np.cos",
    "erf": "math.erf",
    "round": "np.round",
}
COMPARISONS = (">", "<", ">=", "<=", "==")


def source(name: str, kernel: Kernel, formula: Formula) -> str:
    """Python source of a function `name` that computes `formula`, the kernel's own with every axis named, by loops.

    It takes what the kernel takes, and needs `import math, numpy as np`.
    """
    target = formula.target
    sizes = _sizes(formula)
    found = " ".join(sizes.values())
    takes = [operand for operand in kernel.operands if operand in formula.operands or f"{operand}." in found]
    writer = _Writer()
    writer.add(f"def {name}({', '.join(takes)}):")
    writer.depth += 1
    writer.add(f'"""{formula}"""')
    for axis, found in sizes.items():
        writer.add(f"{_size(axis)} = {found}")
    if target.axes:
        writer.add(f"{target.name} = np.zeros([{', '.join(map(_size, target.axes))}])")
    with_loops = writer.depth
    writer.open_loops(target.axes)
    writer.add(f"{_entry(target)} = {_tidy(writer.expression(formula.tree))}")
    writer.depth = with_loops
    writer.add(f"return {target.name}")
    return "\n".join(writer.lines)


class _Writer:
    """Lines of Python, and how deep we are in their loops."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.depth = 0
        self.totals = 0

    def add(self, line: str) -> None:
        self.lines.append("    " * self.depth + line)

    def open_loops(self, axes: tuple[str, ...]) -> None:
        for axis in axes:
            self.add(f"for {axis} in range({_size(axis)}):")
            self.depth += 1

    def expression(self, node: Node) -> str:
        """The node as a Python expression; loops that it needs first are added before."""
        match node:
            case Number(value):
                return repr(value)
            case Size(axis):
                return _size(axis)
            case Axis(axis):
                return axis
            case Entry():
                return _entry(node)
            case Reduce(op, axes, body):
                return self.total(op, axes, body)
            case Apply(op, args):
                return _apply(op, [self.expression(arg) for arg in args])
            case Pick(axis, args):
                return f"[{', '.join(map(self.expression, args))}][{axis}]"

    def total(self, op: str, axes: tuple[str, ...], body: Node) -> str:
        """A sum, as loops before the line that needs it. Returns the expression that holds it."""
        self.totals += 1
        name = f"total{self.totals if self.totals > 1 else ''}"
        self.add(f"{name} = {'-math.inf' if op == 'largest' else '0.0'}")
        before = self.depth
        self.open_loops(axes)
        term = _tidy(self.expression(body))
        self.add(f"{name} = max({name}, {term})" if op == "largest" else f"{name} += {term}")
        self.depth = before
        return name if op != "mean" else f"({name} / ({' * '.join(map(_size, axes))}))"


def _apply(op: str, args: list[str]) -> str:
    if op == "neg":
        return f"(-{args[0]})"
    if op == "where":
        return f"({args[1]} if {args[0]} else {args[2]})"
    if op in COMPARISONS:
        return f"float({args[0]} {op} {args[1]})"
    if len(args) == 2 and not op.isalpha():
        return f"({args[0]} {op} {args[1]})"
    return f"{CALLS.get(op, op)}({', '.join(args)})"


def _sizes(formula: Formula) -> dict[str, str]:
    """Where each axis finds its size: {'o': 'W.shape[0]'}; a gradient's, if need be, on what it is the gradient of."""
    found = {**formula.bounds, **{axis: str(count) for axis, count in formula.counted.items()}}
    of, axes = formula.target.name.removeprefix("d"), formula.target.axes
    gradient = [Entry(of, axes)] if of != formula.target.name else []
    for entry in (*formula.reads, *gradient):
        for position, axis in enumerate(entry.axes):
            if isinstance(axis, str):
                found.setdefault(axis, f"{entry.name}.shape[{position}]")
    for entry in filter(computed, formula.reads):
        for position, place in enumerate(entry.axes):
            for axis in letters(place):
                found.setdefault(axis, _fitting(place, axis, f"{entry.name}.shape[{position}]"))
    return found


def _fitting(place: Place, axis: str, length: str) -> str:
    """How many values an axis has that occurs in a computed index only, as `indices.fitting` finds it."""
    others = set(letters(place)) - {axis}
    start, second = (_index(place, {**dict.fromkeys(others, "0"), axis: value}) for value in ("0", "1"))
    last = _index(place, {**{letter: f"({_size(letter)} - 1)" for letter in others}, axis: "0"})
    return _tidy(f"({length} - 1 - min({start}, 0) - ({last})) // ({second} - ({start})) + 1")


def _entry(entry: Entry) -> str:
    if not entry.axes:
        return entry.name
    places = [_index(place, {}) for place in entry.axes]
    read = f"{entry.name}[{', '.join(places)}]"
    if not computed(entry):
        return read
    inside = " and ".join(
        f"0 <= {text} < {entry.name}.shape[{position}]"
        for position, (place, text) in enumerate(zip(entry.axes, places, strict=True))
        if not isinstance(place, str)
    )
    return f"({read} if {inside} else 0.0)"


def _index(place: Place, at: Mapping[str, str]) -> str:
    """An index as Python, with the letters in `at` replaced."""
    match place:
        case str(axis) | Axis(axis):
            return at.get(axis, axis)
        case Number(value):
            return repr(value)
        case Entry(name, places):
            return f"{name}[{', '.join(_index(inner, at) for inner in places)}]" if places else name
        case Apply("neg", (arg,)):
            return f"(-{_index(arg, at)})"
        case Apply(op, (p, q)):
            return f"({_index(p, at)} {op} {_index(q, at)})"
    raise TypeError(f"{place} is no index")


def _size(axis: str) -> str:
    """How many values an axis has: N for n. E, J and L are losses already."""
    return f"{axis.upper()}_" if axis in "ejl" else axis.upper()


def _tidy(expression: str) -> str:
    """The same expression without the brackets that Python does not need."""
    return ast.unparse(ast.parse(expression, mode="eval"))
