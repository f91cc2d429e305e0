"""What stands in one box of a sheet: a number, and how exact it was typed. Nothing that is typed is ever evaluated."""

from __future__ import annotations

import math
import re
import unicodedata
from typing import NamedTuple

from backprop_cli.errors import UsageError
from backprop_cli.language import later, tr
from backprop_cli.typed import keyed

LONGEST = 40
"""The most characters of a number that is written by hand."""
SHOWN = 60
"""So much is repeated of what is no number."""
TOO_LONG = later("a number by hand has at most {most} characters; this has {count}")
NO_NUMBER = later("not a number; write it like 0.37, -1.2e-5 or 3/8")
DECIMAL = re.compile(r"([-+]?)(?=\.?\d)(\d*)\.?(\d*)(?:[eE]([-+]?\d{1,4}))?")
FRACTION = re.compile(r"([-+]?\d{1,9})/(\d{1,9})")
BLANK = frozenset(("", "?", "-", "_", "...", "…", "—", "–", "___"))


class Cell(NamedTuple):
    """A box: its text, the number, half a unit of the last digit typed, and what to say of how it was typed.

    A blank box, and one that holds no number, have `value` NaN; of the second, `fault` says what is wrong with it.
    """

    text: str
    value: float = math.nan
    half: float = 0.0
    note: str = ""
    fault: str = ""

    @property
    def blank(self) -> bool:
        """Whether nothing was typed."""
        return math.isnan(self.value) and not self.fault


def read_cell(text: str) -> Cell:
    """What was typed into a box."""
    try:
        return _read(text.strip())
    except UsageError as fault:
        return Cell(text if len(text) <= SHOWN else f"{text[:SHOWN]}…", fault=str(fault))


def _read(text: str) -> Cell:
    found = DECIMAL.fullmatch(text) if text.isascii() else None
    if found is None:
        plain = keyed(text).strip()
        if plain.endswith(".") and plain.count(".") == 2:
            plain = plain[:-1]  # the end of a sentence
        if plain in BLANK:
            return Cell(text)
        _refuse(text)
        note = tr("read as {number}", number=plain) if plain != text else ""
        if fraction := FRACTION.fullmatch(plain):
            if not int(fraction[2]):
                raise UsageError("it divides by 0")
            return Cell(text, int(fraction[1]) / int(fraction[2]), note=note)
        found = DECIMAL.fullmatch(plain)
        if not found:
            raise UsageError(NO_NUMBER)
        return _decimal(text, found)._replace(note=note)
    return _decimal(text, found)


def _decimal(text: str, found: re.Match[str]) -> Cell:
    """A decimal number, with or without a power of ten. Raises UsageError."""
    if len(text) > LONGEST:
        raise UsageError(TOO_LONG, most=LONGEST, count=len(text))
    sign, whole, places, power = found.groups()
    try:
        value = float(f"{sign}{whole or 0}.{places or 0}e{power or 0}")
        half = 10.0 ** (int(power or 0) - len(places)) / 2
    except OverflowError:
        value = half = math.inf
    if not math.isfinite(value) or not math.isfinite(half):
        raise UsageError("larger than any number of a computer")
    return Cell(text, value, half)


def _refuse(text: str) -> None:
    """Say what is wrong with what is nearly a number. Raises UsageError."""
    if len(text) > LONGEST:
        raise UsageError(TOO_LONG, most=LONGEST, count=len(text))
    plain = keyed(text).strip()
    bare = plain.lower().lstrip("+-")
    if bare in ("nan", "inf", "infinity", "∞"):
        raise UsageError("not a number that can be marked")
    if plain[0] in "=@" or (plain[0] in "+-" and plain[1:2].isalpha()):
        raise UsageError("a formula of a spreadsheet; write the number it comes to")
    if re.fullmatch(r"[-+]?[\d_]+(\.[\d_]*)?([eE][-+]?\d+)?", plain, re.ASCII) and "_" in plain:
        raise UsageError("leave the underscores out: 1000, not 1_000")
    if re.fullmatch(r"[-+]?\d+,\d+([eE][-+]?\d+)?", plain, re.ASCII):
        raise UsageError("write a point, not a comma: {number}", number=plain.replace(",", "."))
    if any(unicodedata.category(sign) == "Nd" and not sign.isascii() for sign in plain):
        raise UsageError("write the digits as 0 to 9")
