"""Where a report goes, and in which form: the terminal, a pipe, a file; handsome, plain, JSON or a picture."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backprop_cli.errors import UsageError
from backprop_cli.language import tr
from backprop_cli.render import plain, terminal
from backprop_cli.render.blocks import Block, Fact, Outcome
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
            raise UsageError("{path} is a folder; name a file in it", path=self.output)
        if self.as_json and self.output != "-" and not self.output.endswith(".json"):
            raise UsageError("--json writes JSON; call the file something.json instead of {path}", path=self.output)
        if self.output != "-" and Path(self.output).exists() and not self.force:
            raise UsageError(
                "{path} is there already; choose another name, or add --force to overwrite it", path=self.output
            )

    @property
    def file(self) -> str | None:
        """The file that is written, if it is not the terminal."""
        return None if self.output == "-" else self.output

    @property
    def wants_json(self) -> bool:
        return self.as_json or self.output.endswith(".json")

    def say(self, text: str) -> str:
        """A text as the terminal can show it, for a prompt."""
        return look_at(sys.stdout, self.plain, self.colour).say(text)

    def report(self, blocks: Iterable[Block], title: str) -> None:
        """Show blocks as they come. `title` is written on the picture, if it is one."""
        if self.quiet:
            blocks = (
                block for block in blocks if isinstance(block, Outcome) or (isinstance(block, Fact) and block.result)
            )
        if self.output.endswith(".svg"):
            self.save(terminal.picture(blocks, title))
        elif self.output != "-":
            screen = Screen(80, "utf-8", colour=False, plain=self.plain)
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
            for line in plain.lines(block, screen):
                print(line)

    def _lines(self, block: Block, screen: Screen) -> Iterable[str]:
        return plain.lines(block, screen) if screen.plain else (line.plain for line in terminal.lines(block, screen))

    def save(self, text: str) -> None:
        """Write a text to the file, UTF-8 and with plain line ends. Raises UsageError."""
        try:
            Path(self.output).write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
        except OSError as error:
            why = tr(error.strerror or "")
            raise UsageError("{path}: cannot be written: {why}", path=self.output, why=why) from None
