"""Questions for numbers: how close is right, how few figures are too few, and which entry is wrong."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from backprop_cli.course.quantities import Name, Quantity
from backprop_cli.course.questions import ZERO, Judged, Question
from backprop_cli.course.variant import Find, Variant
from backprop_cli.errors import UsageError
from backprop_cli.language import tr
from backprop_cli.typed import keyed, read_number

SLACK = 0.6
"""An answer may be off by a little more than half a unit of the last digit asked for: it is rounded by hand."""
HALF, TWO_DIGITS = 0.500001, 0.1
"""What was rounded is off by half a unit of its last digit; with two digits that unit is a tenth of the number."""
DECIMAL = re.compile(r"[-+]?\d*\.?(?P<places>\d*)(e(?P<power>[-+]?\d+))?")


@dataclass(frozen=True, eq=False)
class Numbers(Question):
    """A number, or several: a vector or a matrix, as the answer's shape is."""

    answer: Quantity
    digits: int = 3
    wrong: Mapping[str, Quantity] = field(default_factory=dict)

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        return (self.answer, *self.wrong.values())

    @property
    def address(self) -> Name | None:
        return self.answer.address

    def judge(self, variant: Variant, typed: str, own: Find | None = None) -> Judged:
        truth = variant.value(self.answer)
        texts = split(typed, truth.shape)
        given = np.array([read_number(text) for text in texts.ravel()]).reshape(truth.shape)
        if self._close(given, truth):
            return Judged("right", value=given)
        if own and self._close(given, self.answer.value(own)):
            return Judged("carried", value=given)
        for name, value in self.wrong.items():
            if self._meant(texts, given, variant.value(value), TWO_DIGITS):
                return Judged("wrong", mistake=name, value=given)
        if self._meant(texts, given, truth):
            said = tr("Right as far as it goes; give {digits} significant digits.", digits=self.digits)
            return Judged("few", said, value=given)
        return Judged("wrong", self._where(variant, given, truth), value=given)

    def _where(self, variant: Variant, given: Any, truth: Any) -> str:
        """Of several numbers, which are wrong."""
        if not truth.shape:
            return ""
        bad = [place for place in np.ndindex(*truth.shape) if not self._close(given[place], truth[place])]
        if self._close(np.sort(given, axis=None), np.sort(truth, axis=None)):
            return tr("The numbers are right, but not where they stand.")
        if len(bad) == truth.size:
            return tr("None of the numbers is right.")
        names = ", ".join(",".join(str(at + 1) for at in place) for place in bad)
        return tr(
            "{count} of {all} are right; look again at {places}.",
            count=truth.size - len(bad),
            all=truth.size,
            places=names,
        )

    def _close(self, given: Any, value: Any) -> bool:
        """Whether all numbers are the same, as far as the digits go that are asked for."""
        value = np.asarray(value, float)
        with np.errstate(divide="ignore"):
            unit = np.where(abs(value) > ZERO, 10.0 ** (np.floor(np.log10(abs(value))) - self.digits + 1), ZERO)
        return bool((abs(given - value) <= SLACK * unit).all())

    def _meant(self, texts: Any, given: Any, value: Any, finest: float = 1.0) -> bool:
        """Whether what was typed is `value`, perhaps rounded to fewer digits than were asked for.

        A unit of the last digit typed must be no more than the share `finest` of each number.
        """
        value = np.broadcast_to(np.asarray(value, float), given.shape)

        def rounded(text: str, number: float, exact: float) -> bool:
            unit = unit_of(text)
            near = abs(number - exact) <= HALF * unit and unit <= finest * abs(exact)
            return self._close(number, exact) or (near and number != 0)

        return all(map(rounded, texts.ravel(), given.ravel(), value.ravel()))

    def model(self, variant: Variant) -> str:
        return typed_out(variant.value(self.answer), self.digits + 3)

    def expected(self, variant: Variant) -> Iterator[tuple[str, str]]:
        for name, value in self.wrong.items():
            yield name, typed_out(variant.value(value), self.digits + 3)


def unit_of(text: str) -> float:
    """What the last digit of a typed number counts: 0.01 for 0.37; 0 for arithmetic, which is exact."""
    found = DECIMAL.fullmatch(keyed(text).strip().lower())
    return 10.0 ** (int(found["power"] or 0) - len(found["places"] or "")) if found else 0.0


def split(typed: str, shape: tuple[int, ...]) -> Any:
    """The numbers that were typed, apart by commas or blanks, rows by semicolons. Raises UsageError."""
    plain = keyed(typed).strip()
    if not shape:
        return np.array(plain, object)
    plain = re.sub(r"\]\s*,?\s*\[", ";", plain).strip("[] ")
    rows = [re.split(r"\s*,\s*|\s+", row.strip("[] ,")) for row in plain.split(";") if row.strip("[] ,")]
    wanted = (1, *shape)[-2:]
    if (len(rows), *{len(row) for row in rows}) != wanted:
        raise UsageError(
            "expected {count} numbers, apart by commas (rows by semicolons): {rows} × {columns}",
            count=math.prod(shape),
            rows=wanted[0],
            columns=wanted[1],
        )
    return np.array(rows, object).reshape(shape)


def typed_out(value: Any, digits: int) -> str:
    """Numbers as one would type them."""
    array = np.asarray(value, float)
    if array.ndim == 0:
        return f"{float(array) + 0.0:.{digits}g}"
    if array.ndim == 1:
        return ", ".join(typed_out(entry, digits) for entry in array)
    return "; ".join(typed_out(row, digits) for row in array)
