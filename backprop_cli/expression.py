"""A written expression as a tape of elementary steps: `f = (x + y) * z` at x = −2, y = 5, z = −4.

The expression is parsed, never evaluated by Python. Each operation becomes a named step, v1, v2, …; a variable that is
used twice gets the gradients of both uses, like any other value on a tape.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from backprop_cli.errors import UsageError, unknown
from backprop_cli.kernel import Kernel
from backprop_cli.layers import KERNELS
from backprop_cli.trace import Trace, backward
from backprop_cli.typed import read_number

BINARY = {ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide", ast.Pow: "power"}
UNARY = {
    "exp": "exponential", "log": "logarithm", "ln": "logarithm", "sin": "sine", "cos": "cosine", "tanh": "tanh",
    "sqrt": "square_root", "abs": "absolute", "sigmoid": "sigmoid", "relu": "relu",
}  # fmt: skip
EXAMPLE = '--expr "f = (x + y) * z" --at x=-2,y=5,z=-4'
LONGEST = 1000
TAKEN = re.compile(r"d?v\d+|d[LE]")
"""The names of the steps and of their gradients."""


@dataclass(frozen=True, eq=False)
class Expression:
    """An expression and the values of its variables."""

    text: str
    name: str
    tree: ast.expr
    params: Mapping[str, float]

    @property
    def inputs(self) -> tuple[str, ...]:
        """What is given: the variables."""
        return tuple(self.params)

    @property
    def settings(self) -> dict[str, Any]:
        """What the problem is, for a JSON document."""
        return {"expr": self.text, "at": dict(self.params)}

    @property
    def state(self) -> dict[str, Any]:
        """Nothing is updated, so nothing is remembered."""
        return {}

    @property
    def frozen(self) -> tuple[str, ...]:
        """Nothing is updated, so nothing is frozen."""
        return ()

    @property
    def title(self) -> str:
        """The expression in one line."""
        return self.text

    def run(self) -> Trace:
        """Forward, then backward. Raises UsageError where a step has no finite value."""
        trace = Trace(**self.params)
        trace.outcome = self.name
        with np.errstate(all="ignore"):
            self._record(self.tree, trace, last=True)
            backward(trace, self.params)
        for step in trace.steps:
            if not np.isfinite(trace[step.ref]):
                raise UsageError(
                    "{kernel} has no finite value here ({ref}); choose other numbers",
                    kernel=step.kernel.name,
                    ref=step.ref,
                )
        return trace

    def _record(self, node: ast.expr, trace: Trace, last: bool = False) -> str:
        """Put a part of the expression on the tape. Returns the name of its value."""
        match node:
            case ast.Name(id=name):
                return name
            case ast.Constant(value=int() | float() as value):
                return str(value) if str(value) in trace else trace.leaf(str(value), np.float64(value))
        kernel, args = operation(node)
        refs = [self._record(arg, trace) for arg in args]
        count = len(trace.steps) + 1
        return trace.run(
            "L" if last else f"v{count}", kernel, "forward", **dict(zip(kernel.parameters, refs, strict=True))
        )


def read_expression(text: str, at: str) -> Expression:
    """`f = (x + y) * z` with `x=-2,y=5,z=-4`. Raises UsageError."""
    left, equals, right = text.partition("=")
    name = left.strip() if equals else "f"
    try:
        if len(text) > LONGEST:
            raise ValueError("too long")
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse((right if equals else text).strip().replace("^", "**"), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise UsageError(
            "cannot read the expression {text!r}; write it like {example}", text=text, example=EXAMPLE
        ) from None
    if not name.isidentifier():
        raise UsageError(
            "{name!r} cannot be the name of a value; write the expression like {example}", name=name, example=EXAMPLE
        )
    variables = list(dict.fromkeys(_variables(tree)))
    if isinstance(tree, ast.Name | ast.Constant) or not variables:
        raise UsageError(
            "{text!r} has nothing to differentiate; write an expression like {example}", text=text, example=EXAMPLE
        )
    values = _values(at)
    for variable in variables:
        if variable not in values:
            raise UsageError("{name} has no value; give it with --at {name}=1", name=variable)
        if "_" in variable or variable in ("L", "E", name) or TAKEN.fullmatch(variable) or variable[1:] in variables:
            raise UsageError(
                "{name} cannot be the name of a variable, the tape uses it; call it something else", name=variable
            )
    for given in values:
        if given not in variables:
            raise unknown("variable", given, variables)
    return Expression(text.strip(), name, tree, {variable: np.float64(values[variable]) for variable in variables})


def operation(node: ast.expr) -> tuple[Kernel, list[ast.expr]]:
    """The kernel that an operation of the expression stands for, and what it is applied to. Raises UsageError."""
    match node:
        case ast.BinOp(left=left, op=op, right=right) if type(op) in BINARY:
            return KERNELS[BINARY[type(op)]], [left, right]
        case ast.UnaryOp(op=ast.USub(), operand=arg):
            return KERNELS["negative"], [arg]
        case ast.Call(func=ast.Name(id="max"), args=[p, q], keywords=[]):
            return KERNELS["larger"], [p, q]
        case ast.Call(func=ast.Name(id=name), args=[arg], keywords=[]) if name in UNARY:
            return KERNELS[UNARY[name]], [arg]
        case ast.Call(func=ast.Name(id=name)) if name not in UNARY and name != "max":
            raise unknown("function", name, [*UNARY, "max"])
    raise UsageError(
        "{part!r} is not allowed in an expression; it may use + - * / **, max and {functions}",
        part=ast.unparse(node),
        functions=", ".join(UNARY),
    )


def _variables(node: ast.expr) -> list[str]:
    """The variables of an expression, as they appear. Raises UsageError for anything that is not in the language."""
    match node:
        case ast.Name(id=name):
            return [name]
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return []
    return [name for arg in operation(node)[1] for name in _variables(arg)]


def _values(at: str) -> dict[str, float]:
    values: dict[str, Any] = {}
    for part in filter(None, at.replace(";", ",").split(",")):
        name, equals, value = part.partition("=")
        if not equals:
            raise UsageError("--at {part!r}: write values like x=-2,y=5", part=part)
        values[name.strip()] = read_number(value)
    return values
