"""A lesson's text: Markdown with numbers in it, `{{ a1[2] }}`, and blocks that ask and show.

    ```{ask} z                    a question; its logic stands in lesson.toml under the same id
    What is z₁[1]?
    hint: Start with the products.
    wrong no_bias: What else is added?
    option up: It grows.
    ```
    ```{run}                      what a command shows; it is run when the text is
    why W1[1,1]
    ```

Only blocks are Markdown here: headings, paragraphs, lists, code. In a line every sign stays what it is, so that
mathematics is not eaten: `a*b*c` and `W_1` are shown as written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

from backprop_cli.course.quantities import Quantity
from backprop_cli.errors import InputError, UsageError

HOLE = re.compile(r"\{\{(.*?)(?:\|\s*(\d+)\s*)?\}\}")
"""A number that is computed: the expression, and how many digits are shown."""
FENCE = re.compile(r"\{(?P<kind>\w+)\}\s*(?P<id>[\w-]*)")
ENTRY = re.compile(r"(?P<word>hint|right|wrong|option|item)(?: (?P<id>[\w+−-]+))?: (?P<text>.*)")


class Paragraph(NamedTuple):
    """Some sentences; `mark` is what stands before them in a list."""

    text: str
    mark: str = ""


class Title(NamedTuple):
    """A heading."""

    text: str
    level: int


class Sample(NamedTuple):
    """Lines that are shown as they are."""

    text: str


class Run(NamedTuple):
    """A command whose output is shown."""

    command: str


@dataclass(frozen=True)
class Ask:
    """What is asked, in one language. `entries` are (word, id) to text: wrong answers' replies, options, items."""

    id: str
    text: str
    hints: tuple[str, ...]
    entries: Mapping[tuple[str, str], str]

    def said(self, word: str, name: str = "") -> str:
        """The text of an entry, or nothing."""
        return self.entries.get((word, name), "")


Piece = Paragraph | Title | Sample | Run | Ask


def read_prose(text: str, path: str) -> list[Piece]:
    """The pieces of a text, in order. Raises InputError, which names the line."""
    parser = MarkdownIt("commonmark").disable(["emphasis", "link", "image", "autolink", "html_inline", "html_block"])
    parser.disable(["escape", "entity", "reference"])
    tokens = parser.parse(re.sub(r"<!--.*?-->", lambda found: "\n" * found[0].count("\n"), text, flags=re.DOTALL))
    return list(_pieces(tokens, path))


def holes(text: str) -> Iterator[tuple[Quantity, int | None]]:
    """The numbers that a text leaves to be computed. Raises UsageError."""
    for expression, digits in HOLE.findall(text):
        yield Quantity(expression.strip()), int(digits) if digits else None


def texts(pieces: list[Piece]) -> Iterator[str]:
    """Every text of a lesson that may have numbers in it."""
    for piece in pieces:
        match piece:
            case Ask(_, text, hints, entries):
                yield from (text, *hints, *entries.values())
            case Paragraph(text) | Title(text) | Sample(text):
                yield text


def _pieces(tokens: list[Token], path: str) -> Iterator[Piece]:
    """What the parser found, as pieces."""
    marks: list[str] = []
    for at, token in enumerate(tokens):
        line = (token.map or [0])[0] + 1
        match token.type:
            case "heading_open":
                yield Title(_line(tokens[at + 1].content), int(token.tag[1]))
            case "list_item_open":
                marks.append(f"{token.info}." if token.info else "•")
            case "paragraph_open":
                yield Paragraph(_line(tokens[at + 1].content), marks.pop() if marks else "")
            case "code_block":
                yield Sample(token.content.rstrip("\n"))
            case "fence":
                yield _fence(token, f"{path}:{line}")


def _line(content: str) -> str:
    """A paragraph on one line; between Chinese characters a line's end is no blank. Code is kept together."""
    joined = re.sub(r"(?<=[^\x00-\x7f])\n(?=[^\x00-\x7f])", "", content.strip())
    whole = re.sub(r"`([^`]*)`", lambda found: found[1].replace(" ", "\N{NO-BREAK SPACE}"), joined.replace("\n", " "))
    return whole.replace("`", "")


def _fence(token: Token, place: str) -> Piece:
    """A fenced block. Raises InputError for one that is neither code nor known here."""
    found = FENCE.fullmatch(token.info.strip())
    if not found:
        if token.info.strip().startswith("{"):
            raise InputError("{place}: cannot read {info!r}; write {{ask}} id or {{run}}", place=place, info=token.info)
        return Sample(token.content.rstrip("\n"))
    if found["kind"] == "run":
        return Run(" ".join(token.content.split()))
    if found["kind"] == "ask" and found["id"]:
        return _ask(found["id"], token.content, place)
    raise InputError("{place}: cannot read {info!r}; write {{ask}} id or {{run}}", place=place, info=token.info)


def _ask(name: str, content: str, place: str) -> Ask:
    text: list[str] = []
    hints: list[str] = []
    entries: dict[tuple[str, str], str] = {}
    last: tuple[str, str] | None = None
    for line in filter(None, map(str.strip, content.splitlines())):
        found = ENTRY.fullmatch(line)
        if found and found["word"] == "hint":
            hints.append(_line(found["text"]))
            last = ("hint", "")
        elif found:
            last = (found["word"], found["id"] or "")
            if last in entries:
                raise InputError("{place}: {entry} stands there twice", place=place, entry=" ".join(last))
            entries[last] = _line(found["text"])
        elif last is None:
            text.append(line)
        elif last == ("hint", ""):
            hints[-1] = _line(f"{hints[-1]}\n{line}")
        else:
            entries[last] = _line(f"{entries[last]}\n{line}")
    if not text:
        raise InputError("{place}: question {name} asks nothing", place=place, name=name)
    return Ask(name, _line("\n".join(text)), tuple(hints), entries)


def check_holes(pieces: list[Piece], path: str) -> None:
    """Raises InputError for a number in the text that cannot be read."""
    for text in texts(pieces):
        try:
            list(holes(text))
        except UsageError as error:
            raise InputError("{path}: {fault}", path=path, fault=error) from None
