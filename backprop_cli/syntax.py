"""What may be written in a formula, and the tree that Python's own parser makes of it.

    z[n,o]   W[...]   lr             an entry; `...` stands for any leading axes; a bare name is one number
    a[n,k,2*r+u]   W[x[n,t],e]       a computed index, with + - * // %; what lies outside the array is 0
    + - * / **   > < >= <= ==        a comparison is 1 where it holds and 0 where it does not
    exp log sqrt abs sin cos tanh erf round  functions of one number
    max(p, q)   min(p, q)   where(c, p, q)
    sum[i](p)   mean[i,j](p)         over every value of the named axes; likewise largest[u,v](p)
    sum[u:m](p)   r[n,o:units] = …   an axis whose size no operand's shape tells: it is the number m
    pick[t](p, q, r)                 that of them which t says: p where at[t] is 0, q where it is 1; axis t has size 3
    size[n]   2   0.5   pi   at[t]   how many values an axis has; numbers; where on an axis we are, from 0

Axis names are single letters that have a Unicode subscript, so that every formula can be printed properly.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from functools import cache
from itertools import chain
from typing import Any, NamedTuple

AXES = frozenset("aehijklmnoprstuvx")
REDUCTIONS = ("sum", "mean", "largest")
ARITY = {
    "exp": 1,
    "log": 1,
    "sqrt": 1,
    "abs": 1,
    "sin": 1,
    "cos": 1,
    "tanh": 1,
    "erf": 1,
    "round": 1,
    "max": 2,
    "min": 2,
    "where": 3,
}
OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**", ast.USub: "neg",
    ast.Gt: ">", ast.Lt: "<", ast.GtE: ">=", ast.LtE: "<=", ast.Eq: "==",
}  # fmt: skip
INDEX: dict[type[ast.AST], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.FloorDiv: "//", ast.Mod: "%"}


class FormulaError(ValueError):
    """A formula that its author must mend: it is not in the language above."""


class Number(NamedTuple):
    """A literal such as 2 or 0.5, or pi."""

    value: float


class Entry(NamedTuple):
    """One entry of an array, `W[o,i]`; a plain number such as `lr` has no axes. An index may be computed."""

    name: str
    axes: tuple[Any, ...]

    def __str__(self) -> str:
        places = (place if isinstance(place, str) else "·" for place in self.axes)
        return f"{self.name}[{','.join(places)}]" if self.axes else self.name


class Axis(NamedTuple):
    """Where on an axis we are, from 0: `at[t]`, or a letter in a computed index."""

    name: str


class Size(NamedTuple):
    """How many values an axis has: `size[n]`."""

    axis: str


class Apply(NamedTuple):
    """An operator or a function and what it is applied to."""

    op: str
    args: tuple[Node, ...]


class Reduce(NamedTuple):
    """A sum or a mean over some axes."""

    op: str
    axes: tuple[str, ...]
    body: Node


class Pick(NamedTuple):
    """One of several terms: which one, the place on an axis says."""

    axis: str
    args: tuple[Node, ...]


Node = Number | Entry | Axis | Size | Apply | Reduce | Pick


def walk(node: Node) -> Iterator[Node]:
    """A node and everything below it, left to right."""
    yield node
    match node:
        case Apply(_, args) | Pick(_, args):
            yield from chain.from_iterable(map(walk, args))
        case Reduce(_, _, body):
            yield from walk(body)
        case Entry(_, axes):
            yield from chain.from_iterable(walk(place) for place in axes if not isinstance(place, str))


@cache
def parse(text: str) -> tuple[Entry, Node, dict[str, str]]:
    """The two sides of a formula, and the axes whose size is the number of that name. Raises FormulaError."""
    bounds: dict[str, str] = {}
    try:
        (statement,) = ast.parse(text).body
    except (SyntaxError, ValueError) as error:
        raise FormulaError(f"not a formula: {text!r}") from error
    match statement:
        case ast.Assign(targets=[left], value=right) if isinstance(target := _read(left, text, bounds), Entry):
            tree = _read(right, text, bounds)
            entries = [target, *(node for node in walk(tree) if isinstance(node, Entry))]
            letters = {axis for entry in entries for axis in entry.axes if isinstance(axis, str)}
            letters |= {node.name for node in walk(tree) if isinstance(node, Axis)}
            if both := {entry.name for entry in entries} & letters:
                raise FormulaError(f"{', '.join(both)} cannot be both an axis and a value: {text!r}")
            if any("..." in entry.axes[1:] for entry in entries) or not all(isinstance(a, str) for a in target.axes):
                raise FormulaError(f"`...` comes first, and the left side has plain axes: {text!r}")
            return target, tree, bounds
    raise FormulaError(f"a formula reads  name[axes] = expression, not {text!r}")


def _read(node: ast.AST, text: str, bounds: dict[str, str]) -> Node:
    """Python's tree, narrowed to ours; `bounds` takes up what is said of axes' sizes."""

    def axes(node: ast.AST) -> tuple[str, ...]:
        names = tuple(map(place, node.elts if isinstance(node, ast.Tuple) else [node]))
        if "..." in names[1:] or not all(isinstance(name, str) for name in names):
            raise FormulaError(f"axes are letters from {''.join(sorted(AXES))}, `...` first: {text!r}")
        return names

    def place(node: ast.AST) -> Any:
        """An index: a letter stays a letter; all else is arithmetic."""
        match node:
            case ast.Constant(value=value) if value is ...:
                return "..."
            case ast.Name(id=name) if name in AXES:
                return name
            case ast.Slice(lower=ast.Name(id=name), upper=ast.Name(id=bound), step=None) if name in AXES:
                bounds[name] = bound
                return name
        return index(node)

    def index(node: ast.AST) -> Node:
        match node:
            case ast.Constant(value=int() as number):
                return Number(number)
            case ast.Name(id=name):
                return Axis(name) if name in AXES else Entry(name, ())
            case ast.UnaryOp(op=ast.USub(), operand=arg):
                return Apply("neg", (index(arg),))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in INDEX:
                return Apply(INDEX[type(op)], (index(left), index(right)))
            case ast.Subscript(value=ast.Name(id=name), slice=inner):
                return Entry(name, places(inner))
        raise FormulaError(f"{ast.unparse(node)!r} is no index: {text!r}")

    def places(node: ast.AST) -> tuple[Any, ...]:
        return tuple(map(place, node.elts if isinstance(node, ast.Tuple) else [node]))

    def read(node: ast.AST) -> Node:
        match node:
            case ast.Constant(value=int() | float() as number):
                return Number(number)
            case ast.Name(id="pi"):
                return Number(math.pi)
            case ast.Name(id=name):
                return Entry(name, ())
            case ast.Subscript(value=ast.Name(id="size"), slice=ast.Name(id=axis)):
                return Size(axis)
            case ast.Subscript(value=ast.Name(id="at"), slice=ast.Name(id=axis)):
                return Axis(axis)
            case ast.Subscript(value=ast.Name(id=name), slice=inner):
                return Entry(name, places(inner))
            case ast.UnaryOp(op=op, operand=arg) if type(op) in OPERATORS:
                return Apply(OPERATORS[type(op)], (read(arg),))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
                return Apply(OPERATORS[type(op)], (read(left), read(right)))
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in OPERATORS:
                return Apply(OPERATORS[type(op)], (read(left), read(right)))
            case ast.Call(func=ast.Name(id=name), args=args) if ARITY.get(name) == len(args):
                return Apply(name, tuple(map(read, args)))
            case ast.Call(func=ast.Subscript(value=ast.Name(id="pick"), slice=ast.Name(id=axis)), args=args):
                return Pick(axis, tuple(map(read, args)))
            case ast.Call(func=ast.Subscript(value=ast.Name(id=name), slice=over), args=[body]) if name in REDUCTIONS:
                return Reduce(name, axes(over), read(body))
        raise FormulaError(f"cannot read {ast.unparse(node)!r} in {text!r}")

    return read(node)
