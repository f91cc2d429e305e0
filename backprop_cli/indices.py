"""Where an array is read when the place is computed: a[n,k,stride*r+u-pad,s], as a convolution does.

An index is an axis's letter, or arithmetic (+ - * //) on letters, whole numbers, options such as a stride, and entries
of other arrays: W[x[n,t],e] is row x[n,t] of W. What lies outside an array counts as 0, so padding needs no word.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any

from backprop_cli.syntax import Apply, Axis, Entry, Node, Number, Reduce

Place = str | Node
"""One index: an axis's letter, `...`, or arithmetic."""

ARITHMETIC: dict[str, Callable[..., int]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "//": operator.floordiv, "%": operator.mod,
    "neg": operator.neg,
}  # fmt: skip


def where(place: Place, at: Mapping[str, Any], known: Mapping[str, Any]) -> int:
    """The number an index comes to. `at` says where on each axis we are, `known` the values that indices read."""
    match place:
        case str(axis) | Axis(axis):
            return int(at[axis])
        case Number(value):
            return int(value)
        case Entry(name, ()):
            return int(known[name])
        case Entry(name, places):
            return int(known[name][tuple(where(inner, at, known) for inner in places)])
        case Apply(op, args):
            return ARITHMETIC[op](*[where(arg, at, known) for arg in args])
    raise TypeError(f"{place} is no index")


def letters(place: Place) -> Iterator[str]:
    """The axes an index moves along."""
    match place:
        case str(axis) | Axis(axis):
            yield axis
        case Entry(_, places) | Apply(_, places):
            for inner in places:
                yield from letters(inner)


def reads(place: Place) -> Iterator[Entry]:
    """The values an index is computed from: options, and entries of other arrays."""
    match place:
        case Entry(_, places):
            yield place
            for inner in places:
                yield from reads(inner)
        case Apply(_, args):
            for arg in args:
                yield from reads(arg)


def computed(entry: Entry) -> bool:
    """Whether some index of an entry is more than a letter."""
    return not all(isinstance(place, str) for place in entry.axes)


def inside(node: Reduce, at: Mapping[str, Any], sizes: Mapping[str, Any]) -> Mapping[str, Any]:
    """`sizes` without the places along a sum's axes where a factor is read outside its array and so is 0."""
    if not (reading := list(filter(computed, _factors(node.body)))):
        return sizes
    kept = dict(sizes)
    for entry in reading:
        for place, length in zip(entry.axes, sizes[f"{entry.name}.shape"], strict=True):
            free = set(letters(place)) - at.keys()
            if len(free) == 1 and (axis := free.pop()) in node.axes:
                every = range(sizes[axis])
                kept[axis] = [here for here in every if 0 <= where(place, {**at, axis: here}, sizes) < length]
    return kept


def _factors(node: Node) -> Iterator[Entry]:
    """The entries that a product is made of."""
    match node:
        case Entry():
            yield node
        case Apply("*", args):
            yield from chain.from_iterable(map(_factors, args))


def fitting(place: Place, axis: str, length: int, sizes: Mapping[str, Any]) -> int:
    """How many values `axis` has if the index just stays on an array of `length`, the sizes of its other axes known.

    An index that starts at −2 is taken for padding: it may reach as far beyond the other end.
    """
    first = dict.fromkeys(letters(place), 0)
    last = {letter: sizes.get(letter, 1) - 1 for letter in first} | {axis: 0}
    start = where(place, first, sizes)
    step = where(place, {**first, axis: 1}, sizes) - start
    return (length - 1 - min(start, 0) - where(place, last, sizes)) // step + 1


def straight(place: Place, known: Mapping[str, Any]) -> tuple[dict[Place, int], int]:
    """An index as a sum: how often each letter, quotient or remainder occurs in it, and what is added: 2·r + u − 1."""
    match place:
        case str() | Axis() | Apply("//" | "%"):
            return {Axis(place) if isinstance(place, str) else place: 1}, 0
        case Apply("neg", (arg,)):
            return _scaled(straight(arg, known), -1)
        case Apply("+" | "-" as op, (p, q)):
            (first, start), (second, more) = straight(p, known), straight(q, known)
            if op == "-":
                second, more = _scaled((second, more), -1)
            return {part: first.get(part, 0) + second.get(part, 0) for part in {**first, **second}}, start + more
        case Apply("*", (p, q)):
            (first, by), (second, factor) = straight(p, known), straight(q, known)
            return _scaled((first, by), factor) if first else _scaled((second, factor), by)
    return {}, where(place, {}, known)


def _scaled(sum_: tuple[dict[Place, int], int], by: int) -> tuple[dict[Place, int], int]:
    parts, start = sum_
    return {part: times * by for part, times in parts.items()}, start * by
