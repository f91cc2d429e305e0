"""What a set of data is, wherever it comes from."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from backprop_cli.language import tr

Kind = Literal["points", "images", "table", "text"]


class Dataset(NamedTuple):
    """N samples x (N, …), and what is to come out for each, y: class numbers or values (N,), or arrays (N, …).

    A text is one long row of tokens x, without y. `test` is what its makers set apart for the last test. `names` are
    those of the classes, or the characters that the tokens stand for; `lines` those of the file on which samples stand.
    """

    name: str
    kind: Kind
    x: Any
    y: Any
    test: tuple[Any, Any] | None = None
    names: tuple[str, ...] = ()
    lines: tuple[int, ...] = ()

    def place(self, sample: int) -> str:
        """Where a sample, counted from 0, is to be found: `table.csv:7`, or by its number."""
        if self.lines:
            return f"{self.name}:{self.lines[sample]}"
        return tr("{name}, sample {number:,}", name=self.name, number=sample + 1)
