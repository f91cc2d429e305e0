"""One address for every number: `W1[2,3]`, `delta1[2]`, `L`; with several samples the sample comes first, `z1[3;2]`.

People count from 1 and write as on paper, so the signs of the whiteboard are understood too: `δ₁[2]`, `∂L/∂W₁[2,3]`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

import numpy as np

from backprop_cli.errors import UsageError, unknown
from backprop_cli.language import plural
from backprop_cli.notation import GREEK, Notation
from backprop_cli.refs import canonical
from backprop_cli.trace import Trace

SHAPE = re.compile(r"(?P<name>[^\[\]\s]+)\s*(\[(?P<index>[^\[\]]*)\])?")


def read_address(text: str, notation: Notation) -> tuple[str, tuple[int, ...] | None]:
    """The value that an address names, and the entry (from 0); None if it names the whole value. Raises UsageError."""
    trace = notation.trace
    match = SHAPE.fullmatch(_typed(text, trace))
    if not match:
        raise UsageError("cannot read the address {text!r}; write it like W1[2,3], z2[1], delta1[2] or L", text=text)
    ref = _find(match["name"], notation)
    shape = np.shape(trace[ref])
    if match["index"] is None:
        only = not shape or (notation.single and notation.axes.get(ref) == ("n",))
        return ref, (0,) * len(shape) if only else None
    if not shape:
        raise UsageError("{text}: {name} is a single number; leave the index out", text=text, name=match["name"])
    try:
        places = [int(part) for part in re.split(r"[,;]", match["index"])]
    except ValueError:
        raise UsageError("{text}: an index is made of whole numbers, counted from 1", text=text) from None
    if notation.axes.get(ref, ())[:1] == ("n",) and notation.single and len(places) == len(shape) - 1:
        places = [1, *places]
    if len(places) != len(shape):
        axes = shape[1:] if notation.axes.get(ref, ())[:1] == ("n",) and notation.single and len(shape) > 1 else shape
        raise UsageError(
            "{text}: an index of {ref} has {numbers}, one for each axis of {shape}, as in {example}",
            text=text,
            ref=ref,
            numbers=plural(len(axes), "number"),
            example=notation.address(ref, (0,) * len(shape)),
            shape=axes,
        )
    for place, size in zip(places, shape, strict=True):
        if not 1 <= place <= size:
            raise UsageError(
                "{text}: there is no {place}; {ref} has shape {shape}, and indices count from 1",
                text=text,
                place=place,
                ref=ref,
                shape=shape,
            )
    return ref, tuple(place - 1 for place in places)


def _typed(text: str, trace: Trace) -> str:
    """The signs of the whiteboard as they are typed: `∂L/∂W₁′` is dW1_new."""
    plain = unicodedata.normalize("NFKC", text.strip())
    plain = re.sub(r"\((\d+)\)", r"@\1", plain)  # what was ⁽²⁾
    plain = re.sub(rf"[∂d](L|{re.escape(trace.outcome)})/[∂d]", "d", plain)
    name = plain.partition("[")[0]
    if name in trace or name.removeprefix("d") == trace.outcome:
        return plain
    for word, sign in {"delta": "δ", **GREEK}.items():
        plain = plain.replace(sign, word)
    return re.sub(r"^(mhat|vhat|[a-z])_(?=[A-Za-z]\d)", r"\1", re.sub(r"[′']", "_new", plain))


def _find(name: str, notation: Notation) -> str:
    """The value that people mean: aL is the last layer's output, m1 what the optimizer remembers of W1's gradients.

    The result of an expression goes by its own name.
    """
    trace = notation.trace
    own = {trace.outcome: "L", f"d{trace.outcome}": "dL"}
    for ref in (own.get(name, name), canonical(name)):
        if ref in trace:
            return ref
    layers = sum(re.fullmatch(r"z\d+", known) is not None for known in trace.values)
    if name.endswith("L") and (last := canonical(f"{name[:-1]}{layers}")) in trace:
        return last
    if (found := re.fullmatch(r"([a-z]+)(\d+)", name)) and (slot := f"{found[1]}W{found[2]}") in trace:
        return f"{slot}_new" if f"{slot}_new" in trace else slot
    raise unknown("value", name, _known(notation))


def _known(notation: Notation) -> Iterator[str]:
    """The names that people see: no constants, no parts of a gradient, and none that is 1 by definition.

    In a network every single number from outside is a setting, such as the width of a window; only lr is asked about.
    """
    trace = notation.trace
    settings = {ref for ref in notation.leaves if "E" in trace and np.ndim(trace[ref]) == 0} - {"lr"}
    for ref in trace.values:
        if not (ref in notation.ones or ref in settings or ref[0].isdigit() or re.search(r"_\d", ref)):
            yield notation.trace.outcome if ref == "L" else ref
