"""What we are writing to: how wide, which signs, colour or not. Decided once, for every command."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Literal, NamedTuple, TextIO

from backprop_cli.glyphs import fits, spell, visible
from backprop_cli.language import later
from backprop_cli.lines import terminal_width

Colour = Literal["auto", "always", "never"]


class Screen(NamedTuple):
    """`encoding` is the stream's. With `wide`, signs of ambiguous width take two columns, so they are not used."""

    width: int
    encoding: str
    colour: bool
    plain: bool
    wide: bool = False

    @property
    def glyphs(self) -> str:
        """The name of the glyph set: unicode, legacy (some signs are spelled out) or ascii."""
        if self.plain or self.wide:
            return "ascii"
        if fits("∂σΣ₁ᵢᵀ²−✓█", self.encoding):
            return "unicode"
        return "legacy" if fits("·", self.encoding) else "ascii"

    def say(self, text: str) -> str:
        """A text in signs that this screen has; nothing in it can steer the terminal."""
        return spell(visible(text), self.encoding, simple=self.plain or self.wide)


def switched_on(environment: Mapping[str, str], *names: str) -> bool:
    """Whether any of these variables is set to something other than nothing or 0."""
    return any(environment.get(name, "") not in ("", "0") for name in names)


def look_at(stream: TextIO, plain: bool = False, colour: Colour = "auto") -> Screen:
    """What `stream` can show."""
    plain = plain or switched_on(os.environ, "BACKPROP_PLAIN", "ACCESSIBLE")
    coloured, _ = wants_colour(stream, plain, colour)
    columns = min(terminal_width(), 80) if plain else terminal_width()
    wide = os.environ.get("BACKPROP_AMBIGUOUS") == "2"
    return Screen(max(20, columns), stream.encoding or "ascii", coloured, plain, wide)


def wants_colour(stream: TextIO, plain: bool, colour: Colour = "auto") -> tuple[bool, str]:
    """Whether to use colour, and why. NO_COLOR wins over FORCE_COLOR; neither does anything in plain mode."""
    if plain:
        return False, later("plain mode")
    if colour != "auto":
        return colour == "always", "--color"
    if os.environ.get("NO_COLOR"):
        return False, "NO_COLOR"
    if switched_on(os.environ, "FORCE_COLOR"):
        return True, "FORCE_COLOR"
    if not stream.isatty():
        return False, later("no terminal")
    return (False, "TERM=dumb") if os.environ.get("TERM") == "dumb" else (True, later("a terminal"))
