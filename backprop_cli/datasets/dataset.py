"""What a set of data is, wherever it comes from."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

Kind = Literal["points", "images", "table", "text"]


class Dataset(NamedTuple):
    """N samples x (N, …), and what is to come out for each, y: class numbers or values (N,), or arrays (N, …).

    A text is one long row of tokens x, without y. `test` is what its makers set apart for the last test. `names` are
    those of the classes, or the characters that the tokens stand for.
    """

    name: str
    kind: Kind
    x: Any
    y: Any
    test: tuple[Any, Any] | None = None
    names: tuple[str, ...] = ()
