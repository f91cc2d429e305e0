"""What may be written in a formula, and the tree that Python's own parser makes of it.

    z[n,o]   W[...]   lr             an entry; `...` stands for any leading axes; a bare name is one number
    + - * / **   > < >= <=           a comparison is 1 where it holds and 0 where it does not
    exp log sqrt abs sin cos tanh erf  functions of one number
    max(p, q)   min(p, q)   where(c, p, q)
    sum[i](p)   mean[i,j](p)         over every value of the named axes
    size[n]   2   0.5   pi

Axis names are single letters that have a Unicode subscript, so that every formula can be printed properly.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

AXES = frozenset("aehijklmnoprstuvx")
REDUCTIONS = ("sum", "mean")
ARITY = {
    "exp": 1,
    "log": 1,
    "sqrt": 1,
    "abs": 1,
    "sin": 1,
    "cos": 1,
    "tanh": 1,
    "erf": 1,
    "max": 2,
    "min": 2,
    "where": 3,
}
OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**", ast.USub: "neg",
    ast.Gt: ">", ast.Lt: "<", ast.GtE: ">=", ast.LtE: "<=",
}  # fmt: skip


class FormulaError(ValueError):
    """A formula that its author must mend: it is not in the language above."""


class Number(NamedTuple):
    """A literal such as 2 or 0.5, or pi."""

    value: float


class Entry(NamedTuple):
    """One entry of an array, `W[o,i]`; a plain number such as `lr` has no axes."""

    name: str
    axes: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name}[{','.join(self.axes)}]" if self.axes else self.name


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


Node = Number | Entry | Size | Apply | Reduce


def walk(node: Node) -> Iterator[Node]:
    """A node and everything below it, left to right."""
    yield node
    match node:
        case Apply(_, args):
            yield from chain.from_iterable(map(walk, args))
        case Reduce(_, _, body):
            yield from walk(body)


def parse(text: str) -> tuple[Entry, Node]:
    """The two sides of a formula. Raises FormulaError."""
    try:
        (statement,) = ast.parse(text).body
    except (SyntaxError, ValueError) as error:
        raise FormulaError(f"not a formula: {text!r}") from error
    match statement:
        case ast.Assign(targets=[left], value=right) if isinstance(target := _read(left, text), Entry):
            tree = _read(right, text)
            entries = [target, *(node for node in walk(tree) if isinstance(node, Entry))]
            if both := {entry.name for entry in entries} & {axis for entry in entries for axis in entry.axes}:
                raise FormulaError(f"{', '.join(both)} cannot be both an axis and a value: {text!r}")
            return target, tree
    raise FormulaError(f"a formula reads  name[axes] = expression, not {text!r}")


def _read(node: ast.AST, text: str) -> Node:
    """Python's tree, narrowed to ours."""

    def axes(node: ast.AST) -> tuple[str, ...]:
        parts = node.elts if isinstance(node, ast.Tuple) else [node]
        names = tuple("..." if isinstance(part, ast.Constant) else getattr(part, "id", "") for part in parts)
        if "..." in names[1:] or not all(name in AXES or name == "..." for name in names):
            raise FormulaError(f"axes are letters from {''.join(sorted(AXES))}, `...` first: {text!r}")
        return names

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
            case ast.Subscript(value=ast.Name(id=name), slice=place):
                return Entry(name, axes(place))
            case ast.UnaryOp(op=op, operand=arg) if type(op) in OPERATORS:
                return Apply(OPERATORS[type(op)], (read(arg),))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
                return Apply(OPERATORS[type(op)], (read(left), read(right)))
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in OPERATORS:
                return Apply(OPERATORS[type(op)], (read(left), read(right)))
            case ast.Call(func=ast.Name(id=name), args=args) if ARITY.get(name) == len(args):
                return Apply(name, tuple(map(read, args)))
            case ast.Call(func=ast.Subscript(value=ast.Name(id=name), slice=place), args=[body]) if name in REDUCTIONS:
                return Reduce(name, axes(place), read(body))
        raise FormulaError(f"cannot read {ast.unparse(node)!r} in {text!r}")

    return read(node)
