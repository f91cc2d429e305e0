"""Draws the numbers of a sheet, until no two mistakes come to the same, and no unit is dead or saturated."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np

from backprop_cli.errors import UsageError
from backprop_cli.grading.boxes import Boxes
from backprop_cli.grading.candidates import Case
from backprop_cli.grading.diagnosis import Collision, collisions
from backprop_cli.grading.hands import Hand
from backprop_cli.grading.key import Key
from backprop_cli.grading.slopes import with_slopes
from backprop_cli.language import plural
from backprop_cli.problem import load

MOST_DRAWS = 5000
MANY = 100
"""With so many pairs that no numbers tell apart, it does not matter if there is another."""
MOST_BOXES = 2000
"""More numbers than anybody fills in by hand."""
TRIES = 60
LR = 0.3
"""Not a number that could be taken for the ½ of a loss or the 1/n of a mean."""
SAMPLED = 3
"""So many draws show what no numbers can tell apart."""
STEEP, CLEAR = 0.05, 0.02
"""The least slope of an activation that is not saturated, and the least distance from the kink of a ReLU."""


class Variants:
    """Sheets that ask the same of different numbers. `table` is a problem file's, `sheet` what is asked."""

    def __init__(
        self,
        table: Mapping[str, Any],
        sheet: Mapping[str, Any],
        samples: int = 1,
        as_is: bool = False,
        any_units: bool = False,
    ) -> None:
        self.table = {"lr": LR, **table}
        self.sheet, self.samples, self.as_is, self.any_units = sheet, samples, as_is, any_units
        first = self._drawn(0)
        boxes = sum(int(asked.sum()) for asked in first.asked.values())
        if not boxes:
            raise UsageError("the sheet asks for nothing; see --ask")
        if boxes > MOST_BOXES:
            raise UsageError(
                "the sheet would have {boxes}; {most} are the most", boxes=plural(boxes, "number"), most=MOST_BOXES
            )
        others = [collisions_of(self._drawn(seed)) for seed in range(1, SAMPLED + 1)] if not as_is else []
        self.inseparable = set(collisions_of(first)).intersection(*others)
        self.relaxed: set[Collision] = set()

    @property
    def alike(self) -> set[Collision]:
        """The mistakes that are the same number on every sheet; one that changes nothing here is none."""
        every = self.inseparable | self.relaxed
        idle = {(found.ref, code) for found in every if "" in found.codes for code in found.codes}
        return {found for found in every if not any((found.ref, code) in idle for code in found.codes)}

    def draw(self, student: str, seed: int) -> Key:
        """The numbers of one student. Raises UsageError if none are found that will do."""
        if self.as_is:
            return self._named(self._drawn(0), student)
        start = int.from_bytes(hashlib.blake2s(f"{seed} {student}".encode(), digest_size=6).digest(), "big")
        drawn = (self._drawn(start + attempt) for attempt in range(MOST_DRAWS))
        alive = islice((key for key in drawn if self.any_units or lively(key)), TRIES)
        best: Key | None = None
        alike: set[Collision] = set()
        for key in alive:
            found = set(collisions_of(key)) - self.inseparable
            if best is None or len(found) < len(alike):
                best, alike = key, found
            if not alike or len(self.inseparable) > MANY:
                break
        if best is None:
            raise UsageError(
                "no numbers were found in {tries} draws that leave all units alive; see --any-units", tries=MOST_DRAWS
            )
        self.relaxed |= alike
        return self._named(best, student)

    def _drawn(self, seed: int) -> Key:
        """A key whose numbers come from a seed, and stand in it in full."""
        table = dict(self.table)
        if not self.as_is:
            table = {name: value for name, value in table.items() if name not in ("x", "y", "params", "seed")}
            drawn = load(None, **table, seed=seed)
            if self.samples > 1:
                rng = np.random.default_rng((seed, self.samples))
                x = rng.integers(5, 100, (self.samples, *drawn.x.shape[1:])) / 100
                drawn = load(None, **table, seed=seed, x=x.tolist())
        else:
            drawn = load(None, **table)
        full = {
            **table,
            "x": drawn.x.tolist(),
            "y": drawn.y.tolist(),
            "params": {name: value.tolist() for name, value in drawn.params.items()},
        }
        return Key(drawn, with_slopes(drawn.run()), {**self.sheet, "table": full})

    def _named(self, key: Key, student: str) -> Key:
        """The key as that of a student: the sheet has a name of its own, which depends on its numbers."""
        text = json.dumps({**key.sheet["table"], "student": student}, sort_keys=True)
        name = hashlib.blake2s(text.encode(), digest_size=4).hexdigest()
        return Key(key.problem, key.trace, {**key.sheet, "id": name, "student": student})


def collisions_of(key: Key) -> Iterator[Collision]:
    """Where on a sheet two mistakes, or a mistake and what is right, come to the same number."""
    right = Hand(key.trace)
    exact = {ref: np.zeros_like(key.values[ref]) for ref in key.asked}
    boxes = {ref: Boxes.of(key.values[ref], half, key.digits) for ref, half in exact.items()}
    for ref, asked in key.asked.items():
        with np.errstate(all="ignore"):
            yield from collisions(Case(key, ref, boxes[ref], asked, (right, right, right), boxes))


def lively(key: Key) -> bool:
    """Whether no activation is saturated, and no unit of a ReLU is near its kink, or off for every sample."""
    for step in key.trace.of_phase("forward"):
        value = key.values[step.ref]
        if step.kernel.name == "sigmoid" and (value * (1 - value) < STEEP).any():
            return False
        if step.kernel.name == "tanh" and (1 - value**2 < STEEP).any():
            return False
        if step.kernel.name == "relu":
            z = key.values[step.operands["z"]]
            if (abs(z) < CLEAR).any() or not (z > 0).reshape(-1, z.shape[-1]).any(0).all():
                return False
    return True
