"""A written expression as a tape of elementary steps: `f = (x + y) * z` at x = −2, y = 5, z = −4.

The expression is parsed, never evaluated by Python. Each operation becomes a named step, v1, v2, …; a variable that is
used twice gets the gradients of both uses, like any other value on a tape.
"""

from __future__ import annotations

import ast
import re
import sys
import unicodedata
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from backprop_cli.errors import UsageError, unknown
from backprop_cli.kernel import Kernel
from backprop_cli.language import tr
from backprop_cli.layers import KERNELS
from backprop_cli.trace import Step, Trace, backward
from backprop_cli.typed import keyed, read_number

BINARY = {ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide", ast.Pow: "power"}
UNARY = {
    "exp": "exponential", "log": "logarithm", "ln": "logarithm", "sin": "sine", "cos": "cosine", "tanh": "tanh",
    "sqrt": "square_root", "abs": "absolute", "sigmoid": "sigmoid", "relu": "relu",
}  # fmt: skip
EXAMPLE = '--expr "f = (x + y) * z" --at x=-2,y=5,z=-4'
LONGEST, MOST = 1000, 100
"""The most characters of an expression, and the most numbers, variables and operations in it."""
TAKEN = re.compile(r"d?v\d+|d?[LEJ]\d*")
"""The names of the steps, of losses, and of their gradients."""
LARGEST = sys.float_info.max
SEPARATORS = str.maketrans("；;，、＝", ",,,,=")


@dataclass(frozen=True, eq=False)
class Expression:
    """An expression and the values of its variables."""

    text: str
    name: str
    tree: ast.expr
    params: Mapping[str, float]

    @property
    def words(self) -> dict[int, list[str]]:
        """It has no layers."""
        return {}

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
    def scaled(self) -> bool:
        """Its variables are what they are."""
        return False

    @property
    def title(self) -> str:
        """The expression in one line."""
        return self.text

    def run(self) -> Trace:
        """Forward, then backward. Raises UsageError where a step has no finite value."""
        trace = Trace(**{name: np.float64(value) for name, value in self.params.items()})
        trace.outcome = self.name
        with np.errstate(all="ignore"):
            self._record(self.tree, trace, last=True)
            backward(trace, self.params)
        for step in trace.steps:
            if not np.isfinite(trace[step.ref]):
                raise self._fault(trace, step)
        return trace

    def _fault(self, trace: Trace, step: Step) -> UsageError:
        """What to say of a step that has no finite value, in names that people see."""
        if step.phase == "forward":
            return UsageError(
                "{kernel} has no finite value here ({ref}); choose other numbers",
                kernel=_said(step.kernel),
                ref=self.name if step.ref == "L" else step.ref,
            )
        differentiated = (other.kernel for other in trace.steps if step.kernel in other.kernel.gradients.values())
        name = step.ref[1:].partition("_")[0]
        kernel = next(differentiated, KERNELS["add"])
        told = {"kernel": _said(kernel), "name": name, "value": float(trace[name])}
        if np.isnan(trace[step.ref]):
            return UsageError("{kernel}: the slope is not defined at {name} = {value:g}; choose other numbers", **told)
        return UsageError("{kernel}: the slope is infinite at {name} = {value:g}; choose other numbers", **told)

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
    text = keyed(text).strip()
    left, equals, right = text.partition("=")
    name = left.strip() if equals else "f"
    tree = _parsed(text, right if equals else text)
    variables = list(dict.fromkeys(_variables(tree)))
    _check_names(name, variables)
    told = {"text": text, "example": EXAMPLE}
    if not variables:
        raise UsageError("{text!r} has nothing to differentiate; write an expression like {example}", **told)
    if isinstance(tree, ast.Name):
        raise UsageError("{text!r} is just a variable, with slope 1; add an operation, as in {example}", **told)
    values = _values(at)
    for variable in variables:
        if variable not in values:
            raise UsageError("{name} has no value; give it with --at {name}=1", name=variable)
    for given in values:
        if given not in variables:
            raise unknown("variable", given, variables)
    return Expression(text, name, tree, {variable: values[variable] for variable in variables})


def _parsed(text: str, right: str) -> ast.expr:
    """The right side of an expression as a tree, not larger than the program can follow. Raises UsageError."""
    try:
        if len(text) <= LONGEST:
            with warnings.catch_warnings(action="ignore"):
                tree = ast.parse(right.strip().replace("^", "**"), mode="eval").body
            if sum(isinstance(node, ast.expr) for node in ast.walk(tree)) <= MOST:
                return tree
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise UsageError(
            "cannot read the expression {text!r}; write it like {example}", text=text, example=EXAMPLE
        ) from None
    raise UsageError("the expression is too long; {most} numbers, variables and operations are the most", most=MOST)


def _check_names(result: str, variables: list[str]) -> None:
    """Raises UsageError for a name that something else on the tape has: v1, a loss, or dx where x is a variable."""
    slopes = {f"d{name}" for name in (*variables, result)}
    if not result.isidentifier() or (TAKEN.fullmatch(result) and result[0] in "dv") or result in slopes:
        raise UsageError(
            "{name!r} cannot be the name of a value; write the expression like {example}", name=result, example=EXAMPLE
        )
    for variable in variables:
        if "_" in variable or variable == result or TAKEN.fullmatch(variable) or variable in slopes:
            raise UsageError(
                "{name} cannot be the name of a variable, the tape uses it; call it something else", name=variable
            )


def operation(node: ast.expr) -> tuple[Kernel, list[ast.expr]]:
    """The kernel that an operation of the expression stands for, and what it is applied to. Raises UsageError."""
    match node:
        case ast.BinOp(left=left, op=op, right=right) if type(op) in BINARY:
            return KERNELS[BINARY[type(op)]], [left, right]
        case ast.UnaryOp(op=ast.USub(), operand=arg):
            return KERNELS["negative"], [arg]
        case ast.Call(func=ast.Name(id="max"), args=[p, q], keywords=[]):
            return KERNELS["larger"], [p, q]
        case ast.Call(func=ast.Name(id="max")):
            raise UsageError("max takes two values, as in max(x, 0)")
        case ast.Call(func=ast.Name(id=name), args=[arg], keywords=[]) if name in UNARY:
            return KERNELS[UNARY[name]], [arg]
        case ast.Call(func=ast.Name(id=name)) if name in UNARY:
            raise UsageError("{name} takes one value, as in {name}(x)", name=name)
        case ast.Call(func=ast.Name(id=name)):
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
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool) and abs(value) <= LARGEST:
            return []
    return [name for arg in operation(node)[1] for name in _variables(arg)]


def _said(kernel: Kernel) -> str:
    """What an operation is called: square root."""
    return tr(kernel.name.replace("_", " "))


def _values(at: str) -> dict[str, float]:
    values: dict[str, Any] = {}
    for part in filter(None, at.translate(SEPARATORS).split(",")):
        name, equals, value = part.partition("=")
        if not equals:
            raise UsageError("--at {part!r}: write values like x=-2,y=5", part=part)
        values[unicodedata.normalize("NFKC", name).strip()] = read_number(value)
    return values
