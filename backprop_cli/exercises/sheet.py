"""What stands on a sheet: what is given, what is asked for, and how to answer. How it looks is for the forms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from backprop_cli.glyphs import visible
from backprop_cli.grading.key import Key
from backprop_cli.language import tr
from backprop_cli.notation import number
from backprop_cli.refs import spoken
from backprop_cli.render.report import conventions

ANSWER_DIGITS = 8
COMMON = ("dense", "dense_no_bias", "dense_each", "sgd")
"""The kernels whose formula a student is expected to know."""


class Table(NamedTuple):
    """Numbers or boxes in rows: what they are called as it is typed and as it is written, and each cell's address."""

    name: str
    written: str
    addresses: tuple[tuple[str, ...], ...]
    cells: tuple[tuple[str, ...], ...]

    @property
    def flat(self) -> bool:
        """Whether it is a single row."""
        return len(self.cells) == 1


@dataclass(frozen=True, eq=False)
class Sheet:
    """One student's sheet; with `answers` it is the instructor's key to read."""

    key: Key
    answers: bool = False

    @property
    def title(self) -> str:
        """What it is, and which."""
        return tr("Key to worksheet {id}", id=self.key.id) if self.answers else tr("Worksheet {id}", id=self.key.id)

    @property
    def student(self) -> str:
        """Whose it is."""
        return visible(str(self.key.sheet.get("student", "")))

    @property
    def facts(self) -> Iterator[tuple[str, str]]:
        """The network, the conventions, and how exact the answers are to be."""
        yield tr("Network"), self.key.problem.summary
        yield tr("Loss"), tr(self.key.problem.network.loss.doc)
        yield tr("Conventions"), conventions()
        yield (
            tr("Answers"),
            tr(
                "{digits} significant digits. Rounding on the way is no mistake; an answer that follows from your own"
                " earlier one counts.",
                digits=self.key.digits,
            ),
        )

    @property
    def rules(self) -> list[str]:
        """The formulas that nobody knows by heart: of more than a dense layer, an activation or plain descent."""
        seen: set[str] = set()
        found = []
        for step in self.key.trace.of_phase("forward", "update"):
            kernel = step.kernel
            common = kernel.name in COMMON or kernel.target in ("a", "slope")
            if not common and kernel.name not in seen:
                seen.add(kernel.name)
                found.append(self.key.notation.formula(step))
        if self.key.problem.optimizer.state:
            names = ", ".join(self.key.problem.optimizer.state)
            numbers = {**self.key.problem.optimizer.options, **self.key.problem.numbers, "t": self.key.problem.step}
            write = self.key.notation.name
            told = ", ".join(f"{write(name)} = {number(value).text}" for name, value in numbers.items() if name != "lr")
            found.append(tr("{names} start at 0; {numbers}", names=names, numbers=told))
        return found

    @property
    def given(self) -> Iterator[Table]:
        """The numbers to begin with."""
        trace = self.key.trace
        names = ("x", "y", *self.key.problem.params, *(ref for ref in self.key.problem.state if np.any(trace[ref])))
        for ref in names:
            yield self._table(ref, lambda value: number(value, 12).text.replace("−", "-"))
        yield Table("lr", "lr", (("lr",),), ((f"{self.key.problem.numbers['lr']:g}",),))

    @property
    def asked(self) -> Iterator[Table]:
        """The boxes; empty, or with the answers."""
        for ref in self.key.asked:
            yield self._table(ref, self._answer if self.answers else lambda value: "")

    def _answer(self, value: float) -> str:
        return number(value, ANSWER_DIGITS).text.replace("−", "-")

    def _table(self, ref: str, write: Any) -> Table:
        """A value in rows. More than two axes are laid out one row for each of the first ones."""
        array = np.asarray(self.key.trace[ref], float)
        single = self.key.notation.single and self.key.notation.axes.get(ref, ())[:1] == ("n",) and array.ndim > 1
        rows = array.reshape(-1, array.shape[-1]) if array.ndim else array.reshape(1, 1)
        if single and array.ndim > 2:
            rows = array[0].reshape(-1, array.shape[-1])
        places = np.array(list(np.ndindex(*array.shape)), object)
        addresses = [self.key.address(ref, tuple(map(int, place))) for place in places]
        width = rows.shape[1]
        boxes = self.key.asked.get(ref)
        keep = np.ones(array.size, bool) if boxes is None else boxes.ravel()
        written = [write(value) if kept else "·" for value, kept in zip(array.ravel(), keep, strict=True)]
        return Table(
            spoken(ref),
            self.key.notation.name(ref),
            tuple(tuple(addresses[at : at + width]) for at in range(0, len(addresses), width)),
            tuple(tuple(written[at : at + width]) for at in range(0, len(written), width)),
        )
