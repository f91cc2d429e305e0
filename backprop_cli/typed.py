"""Numbers as people type them: `.37`, `3.7e-1`, `3/8`, `0.59*(1-0.59)`, full-width digits, the minus of a printed page.

What is typed is parsed and computed here; Python never evaluates it.
"""

from __future__ import annotations

import ast
import math
import operator
import re
import unicodedata
import warnings
from collections.abc import Callable

from backprop_cli.errors import UsageError

SIGNS = str.maketrans({"−": "-", "–": "-", "·": "*", "×": "*", "÷": "/", "²": "^2", "½": "(1/2)", "，": ","})
LONGEST = 200
"""More characters than a number by hand ever has."""

BINARY: dict[type[ast.AST], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: math.pow,
}
FUNCTIONS: dict[str, Callable[[float], float]] = {
    "exp": math.exp,
    "ln": math.log,
    "log": math.log,
    "sqrt": math.sqrt,
    "tanh": math.tanh,
    "abs": abs,
}


def keyed(text: str) -> str:
    """Full-width letters and the signs of a printed page, as a keyboard has them: `ｘ × ２` is `x * 2`."""
    return unicodedata.normalize("NFKC", text.translate(SIGNS)).translate(SIGNS)


def read_number(text: str) -> float:
    """The number that somebody typed, arithmetic included. Raises UsageError if it is none, or not finite."""
    plain = keyed(re.sub(r"(?<=\d)½", "+½", text)).strip()
    plain = re.sub(r"(?<=\d),(?=\d)(?!\d{3}\b)", ".", plain).replace("^", "**").removeprefix("=")
    try:
        if len(plain) > LONGEST:
            raise ValueError("too long")
        with warnings.catch_warnings(action="ignore"):
            value = _compute(ast.parse(plain.strip(), mode="eval").body)
    except (SyntaxError, ValueError, ArithmeticError, RecursionError, MemoryError):
        raise UsageError("{text!r} is not a number; write 0.37, 3/8, 3.7e-1 or 0.59*(1-0.59)", text=text) from None
    if not math.isfinite(value):
        raise UsageError("{text!r} is not finite", text=text)
    return value


def _compute(node: ast.expr) -> float:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return float(number)
        case ast.UnaryOp(op=ast.USub(), operand=arg):
            return -_compute(arg)
        case ast.UnaryOp(op=ast.UAdd(), operand=arg):
            return _compute(arg)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in BINARY:
            return BINARY[type(op)](_compute(left), _compute(right))
        case ast.Call(func=ast.Name(id=name), args=[arg], keywords=[]) if name in FUNCTIONS:
            return FUNCTIONS[name](_compute(arg))
        case ast.Name(id="e"):
            return math.e
    raise ValueError("not arithmetic")
