"""What we are writing to: how wide, which signs, colour or not. Decided once, for every command."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from typing import Literal, NamedTuple, TextIO

from backprop_cli.render.glyphs import fits

Colour = Literal["auto", "always", "never"]


class Screen(NamedTuple):
    """`encoding` is the set of signs to keep to: the stream's own, or ascii in plain mode."""

    width: int
    encoding: str
    colour: bool
    plain: bool

    @property
    def glyphs(self) -> str:
        """The name of the glyph set: unicode, legacy (some signs are spelled out) or ascii."""
        if fits("∂σΣ₁ᵢᵀ²−✓█", self.encoding):
            return "unicode"
        return "legacy" if fits("·", self.encoding) else "ascii"


def switched_on(environment: Mapping[str, str], *names: str) -> bool:
    """Whether any of these variables is set to something other than nothing or 0."""
    return any(environment.get(name, "") not in ("", "0") for name in names)


def look_at(stream: TextIO, plain: bool = False, colour: Colour = "auto", width: int | None = None) -> Screen:
    """What `stream` can show. NO_COLOR wins over FORCE_COLOR; neither does anything in plain mode."""
    environment = os.environ
    plain = plain or switched_on(environment, "BACKPROP_PLAIN", "ACCESSIBLE")
    terminal = stream.isatty() and environment.get("TERM") != "dumb"
    wanted = {"always": True, "never": False}.get(colour)
    if wanted is None:
        wanted = not environment.get("NO_COLOR") and (terminal or switched_on(environment, "FORCE_COLOR"))
    columns = width or shutil.get_terminal_size((80, 24)).columns
    columns = min(columns, 80) if plain else columns
    ambiguous = environment.get("BACKPROP_AMBIGUOUS") == "2"
    encoding = "ascii" if plain or ambiguous else (stream.encoding or "ascii")
    return Screen(max(20, columns), encoding, wanted and not plain, plain)
