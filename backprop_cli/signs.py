"""Why a number has the sign it has: the signs of its factors, or which of its terms weigh more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from backprop_cli.formula import NUMBERS, positions
from backprop_cli.language import tr
from backprop_cli.notation import Notation, number
from backprop_cli.syntax import Apply, Entry, Node, Reduce
from backprop_cli.trace import Step


def sign_of(value: float) -> str:
    """`+`, `−` or `0`."""
    return "+" if value > 0 else "−" if value < 0 else "0"


def sign_argument(notation: Notation, step: Step, place: tuple[int, ...], digits: int = 3) -> str:
    """The argument for the sign of one entry of a step's result, without computing it exactly."""
    formula = notation.line(step)
    sizes = notation.sizes(step)
    operands = step.values(notation.trace.values)
    index = formula.index(place)

    def value(part: Node, at: dict[str, Any]) -> float:
        with np.errstate(all="ignore"):
            return float(formula.at(at, operands, NUMBERS, sizes, part))

    def terms(node: Node, at: dict[str, Any], sign: int = 1) -> Iterator[float]:
        match node:
            case Apply("+", (p, q)):
                yield from (*terms(p, at, sign), *terms(q, at, sign))
            case Apply("-", (p, q)):
                yield from (*terms(p, at, sign), *terms(q, at, -sign))
            case Reduce("sum" | "mean", axes, body):
                for more in positions(axes, sizes):
                    yield from terms(body, {**at, **more}, sign)
            case _:
                yield sign * value(node, at)

    def factors(node: Node) -> Iterator[Node]:
        if isinstance(node, Apply) and node.op in ("*", "/"):
            for arg in node.args:
                yield from factors(arg)
        else:
            yield node

    result = sign_of(value(formula.tree, index))
    found = list(factors(formula.tree))
    if len(found) > 1:
        product = " · ".join(f"({sign_of(value(factor, index))})" for factor in found)
        return tr("its factors have the signs {product}, which makes {result}", product=product, result=result)
    parts = list(terms(formula.tree, index))
    if len(parts) > 1:
        up = number(sum(part for part in parts if part > 0), digits).text
        down = number(sum(part for part in parts if part < 0), digits).text
        return tr("its terms come to {up} against {down}, which makes {result}", up=up, down=down, result=result)
    if isinstance(formula.tree, Entry):
        other = notation.name(step.operands[formula.tree.name])
        return tr("it is the same number as {other} there, which is {result}", other=other, result=result)
    return tr("with the numbers put in it comes to {result}", result=result)
