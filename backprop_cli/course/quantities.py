"""What a lesson computes with: `dz2[1] * W2[1,2]`, over the numbers of a step.

    W1[2,3]   z1[1]   L            a number of the step, counted from 1; with several samples the sample comes first
    dz1   W2[1]                    a whole array, or a row of it
    adam.W1_new[1,1]               the same of another of the lesson's networks
    + - * / **   @                 @ multiplies matrices
    > < >= <= ==                   a comparison is 1 where it holds and 0 where it does not
    exp log sqrt abs sign tanh sigmoid relu   of each number
    sum mean max min norm          of all numbers
    T                              rows for columns
    where(c, p, q)

It is parsed and computed here; Python never evaluates it. So a lesson from anywhere can do no harm.
"""

from __future__ import annotations

import ast
import operator
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from backprop_cli.errors import UsageError, unknown
from backprop_cli.typed import keyed

TIME = re.compile(r"(?<=\w)()@(\d+)")
"""A time step behind a name, h1@2, which Python's grammar does not have."""
LONGEST, MOST = 500, 100
"""The most characters of an expression, and the most parts."""
BINARY: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Pow: np.power, ast.MatMult: operator.matmul,
}  # fmt: skip
TESTS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Gt: operator.gt, ast.Lt: operator.lt, ast.GtE: operator.ge, ast.LtE: operator.le, ast.Eq: operator.eq,
}  # fmt: skip


def _sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "exp": np.exp, "log": np.log, "ln": np.log, "sqrt": np.sqrt, "abs": np.abs, "sign": np.sign, "tanh": np.tanh,
    "sin": np.sin, "cos": np.cos, "sigmoid": _sigmoid, "relu": lambda z: np.maximum(z, 0),
    "sum": np.sum, "mean": np.mean, "max": np.max, "min": np.min, "norm": np.linalg.norm, "T": np.transpose,
    "where": np.where,
}  # fmt: skip
THREE = ("where",)
"""The functions that take three values; all others take one."""


class Name(NamedTuple):
    """A value of a step: the network it belongs to ("" for the lesson's own), its name, and an entry, from 1."""

    network: str
    ref: str
    places: tuple[int, ...] = ()

    def __str__(self) -> str:
        network = f"{self.network}." if self.network else ""
        index = f"[{','.join(map(str, self.places))}]" if self.places else ""
        return f"{network}{self.ref}{index}"


Find = Callable[[Name], Any]


@dataclass(frozen=True)
class Quantity:
    """An expression over the numbers of a step. Raises UsageError, when made, if it is not in the language above."""

    text: str

    def __post_init__(self) -> None:
        for _ in _names(self._tree, self.text):
            pass

    def __str__(self) -> str:
        return self.text

    @cached_property
    def _tree(self) -> ast.expr:
        plain = TIME.sub(r"\1__at\2", keyed(self.text).strip().replace("^", "**"))
        try:
            if len(plain) > LONGEST:
                raise ValueError("too long")
            with warnings.catch_warnings(action="ignore"):
                tree = ast.parse(plain, mode="eval").body
            if sum(isinstance(node, ast.expr) for node in ast.walk(tree)) > MOST:
                raise ValueError("too long")
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise UsageError(
                "cannot read {text!r}; write it like dz2[1] * W2[1,2], in at most {most} characters",
                text=self.text,
                most=LONGEST,
            ) from None
        return tree

    @cached_property
    def names(self) -> tuple[Name, ...]:
        """The values it speaks of, each once."""
        return tuple(dict.fromkeys(_names(self._tree, self.text)))

    @property
    def address(self) -> Name | None:
        """The value that it is, if it computes nothing."""
        named = isinstance(self._tree, ast.Name | ast.Attribute | ast.Subscript)
        return self.names[0] if named else None

    def value(self, find: Find) -> Any:
        """What it comes to, an array or a number; `find` looks values up."""
        with np.errstate(all="ignore"):
            try:
                return np.asarray(_value(self._tree, find))
            except ValueError:
                raise UsageError("{text!r}: the shapes do not go together", text=self.text) from None


def read_formula(text: str, variables: Mapping[str, Any]) -> Quantity:
    """A formula that somebody typed, in the letters of `variables`; `2a(1 − a)` will do. Raises UsageError."""
    plain = re.sub(r"(?<=\d)\s*(?=[A-Za-z(])|(?<=\))\s*(?=[\w(])|(?<=\w)\s+(?=\w)", "*", keyed(text).strip())
    for letter in variables:
        plain = re.sub(rf"\b({letter})\s*\(", r"\1*(", plain)
    try:
        found = Quantity(plain)
    except UsageError:
        raise UsageError("cannot read {text!r}; write it like a*(1 - a)", text=text) from None
    for name in found.names:
        if str(name) not in variables:
            raise unknown("letter", str(name), variables)
    return found


def _names(node: ast.expr, text: str) -> Iterator[Name]:
    """The values in a tree, from left to right. Raises UsageError for anything that is not in the language."""
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return
        case ast.Name() | ast.Attribute() | ast.Subscript():
            yield _name(node, text)
            return
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=arg):
            args = [arg]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in BINARY:
            args = [left, right]
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in TESTS:
            args = [left, right]
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
            if len(args) != (3 if name in THREE else 1):
                raise UsageError("{text!r}: {name} takes another number of values", text=text, name=name)
        case ast.Call(func=ast.Name(id=name)):
            raise unknown("function", name, FUNCTIONS)
        case _:
            raise UsageError("{text!r}: {part!r} is not allowed here", text=text, part=ast.unparse(node))
    for arg in args:
        yield from _names(arg, text)


def _name(node: ast.expr, text: str) -> Name:
    match node:
        case ast.Name(id=ref):
            return Name("", ref.replace("__at", "@"))
        case ast.Attribute(value=ast.Name(id=network), attr=ref):
            return Name(network, ref.replace("__at", "@"))
        case ast.Subscript(value=ast.Name() | ast.Attribute() as value, slice=index):
            parts = index.elts if isinstance(index, ast.Tuple) else [index]
            places = [part.value for part in parts if isinstance(part, ast.Constant) and type(part.value) is int]
            if len(places) == len(parts):
                return _name(value, text)._replace(places=tuple(places))
    raise UsageError("{text!r}: {part!r} is not allowed here", text=text, part=ast.unparse(node))


def _value(node: ast.expr, find: Find) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name() | ast.Attribute() | ast.Subscript():
            return find(_name(node, ""))
        case ast.UnaryOp(op=op, operand=arg):
            return -_value(arg, find) if isinstance(op, ast.USub) else _value(arg, find)
        case ast.BinOp(left=left, op=op, right=right):
            return BINARY[type(op)](_float(_value(left, find)), _float(_value(right, find)))
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return TESTS[type(op)](_value(left, find), _value(right, find)) * 1.0
        case ast.Call(func=ast.Name(id=name), args=args):
            return FUNCTIONS[name](*(_float(_value(arg, find)) for arg in args))
    raise AssertionError(ast.dump(node))


def _float(value: Any) -> Any:
    """Whole numbers as others: 1/0 is ∞, and 2 ** 9 ** 9 too, instead of an error or a night's work."""
    return np.asarray(value) * 1.0
