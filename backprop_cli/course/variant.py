"""One set of numbers for a lesson: its networks, run with the parameters and inputs that a seed draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from backprop_cli.addresses import read_address
from backprop_cli.api import Run, step
from backprop_cli.course.prose import HOLE
from backprop_cli.course.quantities import Name, Quantity
from backprop_cli.errors import UsageError, unknown
from backprop_cli.notation import Notation, number

DIGITS = 4
"""So many significant digits are shown in a text, where it does not say."""
Place = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Variant:
    """The networks of a lesson for one seed. `networks` are problem files' tables by name, the lesson's own is "".

    A table may say `after`: the network so many steps later.
    """

    networks: Mapping[str, Mapping[str, Any]]
    seed: int
    _runs: dict[str, Run] = field(default_factory=dict)
    _notations: dict[str, Notation] = field(default_factory=dict)

    def run(self, name: str = "") -> Run:
        """A network's training step. Raises UsageError."""
        if name not in self.networks:
            raise unknown("network", name, filter(None, self.networks))
        if name not in self._runs:
            table = {**self.networks[name]}
            after = table.pop("after", 0)
            self._runs[name] = step(**{"seed": self.seed, **table}).after(after)
        return self._runs[name]

    def notation(self, name: str = "") -> Notation:
        """How that network's values are written."""
        if name not in self._notations:
            self._notations[name] = Notation(self.run(name).trace)
        return self._notations[name]

    def where(self, name: Name) -> tuple[str, str, Place]:
        """The network, the value on its tape, and which part of it, from 0. Raises UsageError."""
        notation = self.notation(name.network)
        ref, _ = read_address(name.ref, notation)
        shape = np.shape(notation.trace[ref])
        before = (0,) if self._one_sample(notation, ref) else ()
        place = before + tuple(place - 1 for place in name.places)
        inside = all(0 <= at < size for at, size in zip(place, shape, strict=False))
        if len(place) > len(shape) or not inside:
            raise UsageError("{address}: {ref} has shape {shape}", address=name, ref=ref, shape=shape[len(before) :])
        return name.network, ref, place

    def find(self, name: Name) -> Any:
        """A number of the step, or an array. Raises UsageError."""
        network, ref, place = self.where(name)
        return np.asarray(self.run(network).trace[ref])[place]

    def value(self, quantity: Quantity) -> Any:
        """What an expression comes to. Raises UsageError, also where it is not finite."""
        found = quantity.value(self.find)
        if not np.isfinite(found).all():
            raise UsageError("{text!r} is not finite", text=str(quantity))
        return found

    def with_own(self, own: Mapping[Name, Any]) -> Find:
        """The numbers as they would be, had the learner's own in `own` been right."""
        return Find(self, own)

    def filled(self, text: str) -> str:
        """A text with its numbers put in. Raises UsageError."""

        def shown(found: Any) -> str:
            return written(self.value(Quantity(found[1].strip())), int(found[2] or DIGITS))

        return HOLE.sub(shown, text)

    @staticmethod
    def _one_sample(notation: Notation, ref: str) -> bool:
        return notation.single and notation.axes.get(ref, ())[:1] == ("n",)


class Find:
    """Looks values up on a tape on which some are the learner's own."""

    def __init__(self, variant: Variant, own: Mapping[Name, Any]) -> None:
        self.variant, self.own = variant, own

    @cached_property
    def _changed(self) -> dict[str, dict[str, Any]]:
        """For each network every value that would be different."""
        given: dict[str, dict[str, Any]] = {}
        for name, value in self.own.items():
            network, ref, place = self.variant.where(name)
            table = given.setdefault(network, {})
            array = np.array(table.get(ref, self.variant.run(network).trace[ref]), float)
            array[place] = value
            table[ref] = array[()]
        return {network: self.variant.run(network).trace.retrace(**table) for network, table in given.items()}

    def array(self, network: str, ref: str) -> Any:
        """A whole value, with its sample axis."""
        changed = self._changed.get(network, {})
        return changed.get(ref, self.variant.run(network).trace[ref])

    def __call__(self, name: Name) -> Any:
        network, ref, place = self.variant.where(name)
        return np.asarray(self.array(network, ref))[place]


def written(value: Any, digits: int) -> str:
    """A number, or several in brackets; rows of a matrix in brackets of their own."""
    array = np.asarray(value, float)
    if array.ndim == 0:
        return number(array, digits).text
    return f"[{', '.join(written(part, digits) for part in array)}]"
