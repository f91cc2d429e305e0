"""Tries a key out on students made up: how many honest boxes are lost, and what becomes of every mistake."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from backprop_cli.grading.key import Key
from backprop_cli.grading.simulate import OUTCOMES, Tally, honest, pairs, single
from backprop_cli.language import plural, tr
from backprop_cli.render.blocks import Block, Fact, Heading, Note, Outcome

HONEST_DIGITS = range(2, 7)
MOST_SHOWN = 12
WELL = 0.02
"""The share of students with two mistakes of whom one may be called by a wrong name."""


class Trial:
    """What is found of some keys. Honest students write 2 to 6 digits, on a sheet that asks for as many."""

    def __init__(self, keys: Sequence[Key], couples: int, seed: int = 0) -> None:
        self.keys, self.couples = keys, couples
        self.rng = np.random.default_rng(seed)
        self.honest, self.single, self.double = Tally(), Tally(), Tally()

    @property
    def rounds(self) -> int:
        """How many parts the work has."""
        return len(self.keys) * 3

    def run(self) -> Iterator[None]:
        """Do it, part by part."""
        for key in self.keys:
            for digits in HONEST_DIGITS:
                honest(Key(key.problem, key.trace, {**key.sheet, "digits": digits}), digits, self.honest)
            yield
            single(key, key.digits, self.single, self.rng)
            yield
            pairs(key, key.digits, self.double, self.rng, self.couples)
            yield

    @property
    def good(self) -> bool:
        """Whether no honest box was lost, and no mistake was called by a wrong name."""
        double = sum(map(len, self.double.outcomes.values()))
        misnamed = self.double.count("misnamed")
        return not self.honest.rejected and not self.single.count("misnamed") and misnamed <= max(1, WELL * double)

    def document(self) -> dict[str, Any]:
        """The JSON document backprop.exercise-test/1."""
        return {
            "schema": "backprop.exercise-test/1",
            "honest": {"boxes": self.honest.boxes, "rejected": self.honest.rejected},
            "one_mistake": {outcome: self.single.outcomes.get(outcome, []) for outcome in OUTCOMES},
            "two_mistakes": {outcome: self.double.outcomes.get(outcome, []) for outcome in OUTCOMES},
            "ambiguous": sorted(map(list, self.single.pairs)),
            "not_carried": self.single.uncarried,
            "good": self.good,
        }

    def blocks(self) -> Iterator[Block]:
        """The same as a report."""
        yield Heading(tr("Honest students"))
        yield Fact(tr("boxes"), f"{self.honest.boxes:,}")
        yield from _listed(tr("lost though right"), self.honest.rejected)
        yield Heading(tr("One mistake each"))
        yield from _tallied(self.single)
        yield from _listed(tr("followed up wrongly"), self.single.uncarried)
        if self.single.pairs:
            said = "; ".join(" = ".join(codes) for codes in sorted(self.single.pairs))
            yield Note(tr("The same number: {pairs}", pairs=said))
        yield Heading(tr("Two mistakes each"))
        yield from _tallied(self.double)
        if self.good:
            yield Outcome(True, tr("no honest box is lost, and no mistake is called by a wrong name"))
        else:
            yield Outcome(False, tr("this key loses honest boxes, or calls mistakes by wrong names"))


def _tallied(tally: Tally) -> Iterator[Block]:
    for outcome, said in OUTCOMES.items():
        found = tally.outcomes.get(outcome, [])
        if outcome in ("silent", "misnamed"):
            yield from _listed(tr(said), found)
        else:
            yield Fact(tr(said), f"{len(found):,}")


def _listed(label: str, found: Sequence[str]) -> Iterator[Block]:
    """How many, and the first of them."""
    yield Fact(label, f"{len(found):,}")
    yield from (Fact("", text, indent=1) for text in found[:MOST_SHOWN])
    if len(found) > MOST_SHOWN:
        yield Fact("", tr("and {more}", more=plural(len(found) - MOST_SHOWN, "other")), indent=1)
