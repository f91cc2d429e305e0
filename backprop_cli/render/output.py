"""Where a report goes, and in which form: the terminal, a pipe, a file; handsome, plain, JSON or a picture."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backprop_cli.errors import UsageError
from backprop_cli.render import plain, terminal
from backprop_cli.render.blocks import Block, Fact, Outcome
from backprop_cli.render.glyphs import spell, visible
from backprop_cli.render.screen import Colour, Screen, look_at


@dataclass(frozen=True)
class Output:
    """The choices of the output options."""

    as_json: bool = False
    plain: bool = False
    colour: Colour = "auto"
    output: str = "-"
    force: bool = False
    quiet: bool = False

    def __post_init__(self) -> None:
        if Path(self.output).is_dir():
            raise UsageError(f"{self.output} is a folder; name a file in it")
        if self.as_json and self.output != "-" and not self.output.endswith(".json"):
            raise UsageError(f"--json writes JSON; call the file something.json instead of {self.output}")
        if self.output != "-" and Path(self.output).exists() and not self.force:
            raise UsageError(f"{self.output} is there already; choose another name, or add --force to overwrite it")

    @property
    def wants_json(self) -> bool:
        return self.as_json or self.output.endswith(".json")

    def say(self, text: str) -> str:
        """A text as the terminal can show it, for a prompt."""
        return spell(visible(text), look_at(sys.stdout, self.plain, self.colour).encoding)

    def report(self, blocks: Iterable[Block], title: str) -> None:
        """Show blocks as they come. `title` is written on the picture, if it is one."""
        if self.quiet:
            blocks = (
                block
                for block in blocks
                if isinstance(block, Outcome) or (isinstance(block, Fact) and block.label == "L")
            )
        if self.output.endswith(".svg"):
            self.save(terminal.picture(blocks, title))
        elif self.output != "-":
            screen = Screen(80, "ascii" if self.plain else "utf-8", colour=False, plain=self.plain)
            self.save("".join(f"{line}\n" for block in blocks for line in self._lines(block, screen)))
        else:
            self._print(blocks, look_at(sys.stdout, self.plain, self.colour))

    def document(self, make: Callable[[], Any]) -> None:
        """Write one JSON document: full precision, no escape sequences, non-finite numbers refused."""
        text = json.dumps(make(), ensure_ascii=self.output == "-", allow_nan=False)
        if self.output == "-":
            print(text)
        else:
            self.save(text + "\n")

    def _print(self, blocks: Iterable[Block], screen: Screen) -> None:
        if not screen.plain:
            terminal.write(blocks, screen, sys.stdout)
            return
        for block in blocks:
            for line in plain.lines(block, screen.width):
                print(line)

    def _lines(self, block: Block, screen: Screen) -> Iterable[str]:
        return (
            plain.lines(block, screen.width) if screen.plain else (line.plain for line in terminal.lines(block, screen))
        )

    def save(self, text: str) -> None:
        """Write a text to the file, UTF-8 and with plain line ends. Raises UsageError."""
        try:
            Path(self.output).write_text(text, encoding="utf-8", newline="\n")
        except OSError as error:
            raise UsageError(f"{self.output}: cannot be written: {error.strerror}") from None
