"""One line of mathematics: read it, check its shapes, compute it.

    z[n,o] = sum[i](W[o,i] * a[n,i]) + b[o]

says that entry (n, o) of z is a sum over i plus an entry of b. What is kept is a tree of five kinds of node (see
syntax.py). Whoever wants something of a formula walks that tree: `evaluate` below computes it, other files print it,
write it out with numbers, or turn it into loops.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache, reduce
from itertools import chain, product
from typing import Any

import numpy as np

from backprop_cli.errors import ShapeError
from backprop_cli.indices import computed, fitting, inside, letters, reads, where
from backprop_cli.language import tr
from backprop_cli.syntax import AXES, Apply, Axis, Entry, Node, Number, Pick, Reduce, Size, parse, walk

Algebra = Mapping[str, Callable[..., Any]]
"""What each operator means, and each literal number: on floats, on symbols, on written terms."""

Index = Mapping[str, Any]
"""Where on each axis we are (from 0); the value of `...` is a tuple."""


def _compare(test: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda p, q: test(p, q) * 1.0


def _mean(terms: Iterator[Any]) -> Any:
    values = list(terms)
    return sum(values) / len(values)


NUMBERS: Algebra = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "**": operator.pow,
    "neg": operator.neg, "exp": np.exp, "log": np.log, "sqrt": np.sqrt, "abs": abs,
    "sin": np.sin, "cos": np.cos, "tanh": np.tanh, "round": np.round,
    "erf": lambda p: np.float64(math.erf(p)), "max": max, "min": min, "where": lambda c, p, q: p if c else q,
    ">": _compare(operator.gt), "<": _compare(operator.lt), ">=": _compare(operator.ge), "<=": _compare(operator.le),
    "==": _compare(operator.eq), "sum": sum, "mean": _mean, "largest": max,
    "number": lambda number: number,
}  # fmt: skip

ARRAYS: Algebra = {
    **NUMBERS,
    "max": np.maximum, "min": np.minimum, "where": np.where, "largest": lambda terms: reduce(np.maximum, terms),
    "erf": lambda p: np.asarray(np.frompyfunc(math.erf, 1, 1)(p), float),
    **{sign: _compare(test) for sign, test in ((">", np.greater), ("<", np.less), ("==", np.equal))},
    **{sign: _compare(test) for sign, test in ((">=", np.greater_equal), ("<=", np.less_equal))},
}  # fmt: skip
"""The same for many entries at once: each axis is a grid of places."""


@dataclass(frozen=True)
class Formula:
    """One line of mathematics. `text` is all it holds; the rest is derived from it."""

    text: str

    def __str__(self) -> str:
        return self.text

    @cached_property
    def _parsed(self) -> tuple[Entry, Node, dict[str, str]]:
        return parse(self.text)

    @property
    def name(self) -> str:
        """The name of what the formula defines."""
        return self.text[: min(place for sign in "[ =" if (place := self.text.find(sign)) > 0)]

    @property
    def target(self) -> Entry:
        """What the formula defines: the left side."""
        return self._parsed[0]

    @property
    def tree(self) -> Node:
        """What it is defined as: the right side."""
        return self._parsed[1]

    @cached_property
    def reads(self) -> tuple[Entry, ...]:
        """Each different entry on the right side, in the order of first appearance."""
        return tuple(dict.fromkeys(node for node in walk(self.tree) if isinstance(node, Entry)))

    @cached_property
    def indexed(self) -> frozenset[str]:
        """The names of what indices and sizes are computed from: a stride, tokens."""
        places = (place for entry in self.reads for place in entry.axes)
        return frozenset((*self.bounds.values(), *(entry.name for place in places for entry in reads(place))))

    @property
    def bounds(self) -> dict[str, str]:
        """The axes whose size is a number among the operands, and its name."""
        return self._parsed[2]

    @cached_property
    def operands(self) -> tuple[str, ...]:
        """The names the right side reads, each once."""
        return tuple(dict.fromkeys((*(entry.name for entry in self.reads), *self.bounds.values())))

    @cached_property
    def picks(self) -> dict[str, tuple[str, int]]:
        """The operands that are read at one place of an axis only: the axis, and that place (from 0)."""
        nodes = (node for node in walk(self.tree) if isinstance(node, Pick))
        terms = ((node.axis, place, arg) for node in nodes for place, arg in enumerate(node.args))
        return {node.name: (axis, place) for axis, place, arg in terms for node in walk(arg) if isinstance(node, Entry)}

    @cached_property
    def counted(self) -> dict[str, int]:
        """The axes along which something is picked, and how many there are to pick from."""
        return {node.axis: len(node.args) for node in walk(self.tree) if isinstance(node, Pick)}

    @cached_property
    def functions(self) -> frozenset[str]:
        """The operators and functions it uses."""
        return frozenset(node.op for node in walk(self.tree) if isinstance(node, Apply | Reduce))

    def axes_of(self, operand: str) -> tuple[str, ...]:
        """The axes under which `operand` is first read, or those of the target."""
        return next(entry.axes for entry in (*self.reads, self.target) if entry.name == operand)

    def spread(self, letters: tuple[str, ...]) -> Formula:
        """The same line with `...` written out: for ('n', 'o'), `a[...] = tanh(z[...])` is `a[n,o] = tanh(z[n,o])`.

        A letter that is the name of a value already, such as Adam's v, makes room for another.
        """
        taken = {*self.operands, self.name}
        free = iter(sorted(AXES - taken - set(letters)))
        plain = ",".join(next(free) if letter in taken else letter for letter in letters)
        return Formula(self.text.replace("...", plain).replace("[,", "[").replace("[]", ""))

    def sizes(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The size of every axis, read off the operands' values, and what computed indices need besides."""
        return self.bind(
            {name: np.shape(value) for name, value in values.items()}, **{name: values[name] for name in self.indexed}
        )

    def bind(self, shapes: Mapping[str, tuple[int, ...]], **given: Any) -> dict[str, Any]:
        """The size of every axis (for `...` a tuple of sizes), read off the operands' shapes.

        `given` are sizes that no shape tells, and the values from which indices are computed. A gradient has the shape
        of what it is the gradient of, so the target `dW[o,i]` reads W's shape too. Raises ShapeError where two operands
        disagree, naming both and the axis.
        """
        bounds = {axis: int(given[name]) for axis, name in self.bounds.items()}
        sizes: dict[str, Any] = {**given, **bounds, **self.counted}
        source: dict[str, str] = {}
        of = Entry(self.target.name.removeprefix("d"), self.target.axes)
        for entry in (*self.reads, of, self.target):
            shape = shapes.get(entry.name)
            if shape is None:
                continue
            for axis, size in _pair(entry, shape):
                if sizes.setdefault(axis, size) != size:
                    first = source.get(axis)
                    shaped = first and tr("{name} with shape {shape}", name=first, shape=shapes[first])
                    raise ShapeError(
                        "{formula}: {name} has shape {shape}, so {axis} is {size}, but {source} says {expected}",
                        formula=self.text,
                        name=entry.name,
                        shape=shape,
                        axis=axis,
                        size=size,
                        source=shaped or tr("the layer"),
                        expected=sizes[axis],
                    )
                source.setdefault(axis, entry.name)
        self._fit(shapes, sizes)
        return sizes

    def _fit(self, shapes: Mapping[str, tuple[int, ...]], sizes: dict[str, Any]) -> None:
        """The sizes of axes that occur in computed indices only, and the shapes that such indices must stay within."""
        read = ((entry, shapes[entry.name]) for entry in filter(computed, self.reads) if entry.name in shapes)
        for entry, shape in read:
            sizes[f"{entry.name}.shape"] = shape
            for place, length in zip(entry.axes, shape, strict=True):
                for axis in filter(lambda axis: axis not in sizes, letters(place)):
                    sizes[axis] = fitting(place, axis, length, sizes)
                    if sizes[axis] < 1:
                        raise ShapeError(
                            "{name} with shape {shape} is smaller than the window that slides over it: {formula}",
                            formula=self.text,
                            name=entry.name,
                            shape=shape,
                        )

    def places(self, operand: str, index: Index, sizes: Mapping[str, Any]) -> Iterator[tuple[int, ...]]:
        """Every entry of `operand` that the target's entry at `index` reads: all z[n,j] for a softmax's a[n,o]."""
        axis, picked = self.picks.get(operand, ("", 0))
        for entry in self.reads:
            if entry.name == operand and index.get(axis, picked) == picked:
                axes = dict.fromkeys(axis for place in entry.axes for axis in letters(place))
                for more in positions(tuple(axis for axis in axes if axis not in index), sizes):
                    if (place := located(entry, {**index, **more}, sizes)) is not None:
                        yield place

    def index(self, place: tuple[int, ...]) -> dict[str, Any]:
        """An entry of the target as a value for each axis: (0, 2) of z[n,o] is {'n': 0, 'o': 2}."""
        return dict(_pair(self.target, place))

    def shape(self, entry: Entry, sizes: Mapping[str, Any]) -> tuple[int, ...]:
        """The shape of `entry` once every axis has a size."""
        return coordinates(entry.axes, sizes)

    def at(
        self,
        index: Index,
        operands: Mapping[str, Any],
        algebra: Algebra,
        sizes: Mapping[str, Any],
        part: Node | None = None,
    ) -> Any:
        """The target's entry at `index`, computed in `algebra` from arrays of that algebra's values.

        `part` is a part of the right side, to be computed instead of the whole.
        """

        def value(node: Node, at: Index) -> Any:
            match node:
                case Number(number):
                    return algebra["number"](number)
                case Size(axis):
                    return algebra["number"](sizes[axis])
                case Axis(axis):
                    return algebra["number"](at[axis])
                case Entry(name):
                    place = located(node, at, sizes)
                    if place is None:
                        return algebra["number"](0)
                    return operands[name][place] if place else operands[name]
                case Apply(op, args):
                    return algebra[op](*[value(arg, at) for arg in args])
                case Reduce(op, axes, body):
                    ranges = inside(node, at, sizes) if op == "sum" else sizes
                    return algebra[op](value(body, {**at, **more}) for more in positions(axes, ranges))
                case Pick(axis, args):
                    return value(args[at[axis]], at)

        return value(part or self.tree, index)

    def evaluate(self, operands: Mapping[str, Any], algebra: Algebra = NUMBERS) -> Any:
        """The whole target, entry by entry: slow, plain, and the judge of every fast body.

        `operands` maps names to arrays or numbers. Returns an array of the target's shape (a number if it has no
        axes). Raises ShapeError where the shapes do not fit.
        """
        sizes = self.sizes(operands)
        with np.errstate(all="ignore"):
            entries = [self.at(index, operands, algebra, sizes) for index in positions(self.target.axes, sizes)]
        if not self.target.axes:
            return entries[0]
        dtype = float if algebra is NUMBERS else object
        return np.array(entries, dtype).reshape(self.shape(self.target, sizes))[()]

    def at_places(self, operands: Mapping[str, Any], places: Iterable[Any] | None) -> Any:
        """The target with only these entries computed, one by one; the others are NaN. Without `places`, all are."""
        if places is None:
            return self.evaluate(operands)
        sizes = self.sizes(operands)
        found = np.full(self.shape(self.target, sizes), np.nan)
        with np.errstate(all="ignore"):
            for place in map(tuple, places):
                found[place] = self.at(self.index(place), operands, NUMBERS, sizes)
        return found

    @cached_property
    def plain(self) -> bool:
        """Whether each index is a letter, so that all entries can be computed at once."""
        return not self.counted and not any(map(computed, self.reads))

    def everywhere(self, operands: Mapping[str, Any]) -> Any:
        """The whole target again, every entry at once where each index is a letter. Raises ShapeError.

        An array under the target's own name says what shape it has, where the right side leaves that open.
        """
        if not self.plain:
            return self.evaluate(operands)
        shapes = tuple((name, np.shape(value)) for name, value in operands.items())
        shape, index, sizes = _laid_out(self, shapes, tuple((name, float(operands[name])) for name in self.indexed))
        with np.errstate(all="ignore"):
            found = self.at(index, operands, ARRAYS, sizes)
        return found if np.shape(found) == shape else np.broadcast_to(found, shape)


def positions(axes: tuple[str, ...], sizes: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every way to place the axes: {'o': 0, 'i': 0}, … `sizes` may also name the places on an axis."""

    def places(axis: str) -> Iterable[Any]:
        size = sizes[axis]
        return np.ndindex(*size) if axis == "..." else range(size) if isinstance(size, int) else size

    return (dict(zip(axes, place, strict=True)) for place in product(*map(places, axes)))


@lru_cache(4096)
def _laid_out(
    formula: Formula, shapes: tuple[tuple[str, tuple[int, ...]], ...], given: tuple[tuple[str, float], ...]
) -> tuple[tuple[int, ...], dict[str, Any], dict[str, Any]]:
    """The shape of a formula's target, every place of it (each axis laid along itself), and the size of every axis."""
    sizes = formula.bind(dict(shapes), **dict(given))
    shape = formula.shape(formula.target, sizes)
    grid: Any = tuple(np.ogrid[tuple(map(slice, shape))])
    return shape, formula.index(grid), sizes


def coordinates(axes: tuple[str, ...], at: Mapping[str, Any]) -> tuple[int, ...]:
    """The axes' values in a row, with `...` spread out: what NumPy takes between brackets, or a shape."""
    return tuple(chain.from_iterable(at[axis] if axis == "..." else (at[axis],) for axis in axes))


def located(entry: Entry, at: Index, sizes: Mapping[str, Any]) -> tuple[int, ...] | None:
    """Which entry of its array is read; None if a computed index leaves the array."""
    if not computed(entry):
        return coordinates(entry.axes, at)
    place = tuple(where(index, at, sizes) for index in entry.axes)
    inside = all(0 <= index < length for index, length in zip(place, sizes[f"{entry.name}.shape"], strict=True))
    return place if inside else None


def _pair(entry: Entry, shape: tuple[int, ...]) -> Iterator[tuple[str, Any]]:
    """Each axis of `entry` with its size in `shape`."""
    spread = len(shape) - len(entry.axes) + 1
    if spread < 0 or (spread != 1 and "..." not in entry.axes):
        raise ShapeError(
            "{entry} needs {count} axes, but {name} has shape {shape}",
            entry=entry,
            count=len(entry.axes),
            name=entry.name,
            shape=shape,
        )
    rest = shape
    for axis in entry.axes:
        size, rest = (rest[:spread], rest[spread:]) if axis == "..." else (rest[0], rest[1:])
        if isinstance(axis, str):
            yield axis, size
