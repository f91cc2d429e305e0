"""A lesson as it stands in its folder: logic in lesson.toml, once; text in en.md and zh.md."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from backprop_cli import files
from backprop_cli.course.numbers import Numbers
from backprop_cli.course.prose import Ask, Piece, Title, check_holes, read_prose
from backprop_cli.course.quantities import Quantity
from backprop_cli.course.questions import Choice, Formula, Order, Question, Sign, Spot
from backprop_cli.course.variant import Variant
from backprop_cli.errors import BackpropError, InputError, UsageError, unknown
from backprop_cli.language import tr
from backprop_cli.problem_file import KEYS as PROBLEM_KEYS

LANGUAGES = ("en", "zh")
MOST_VARIANTS, MOST_DIGITS = 1000, 10
FILE = "lesson.toml"
KEYS: dict[str, tuple[type, ...]] = {
    "article": (str,), "minutes": (int,), "variants": (int,), "network": (dict,), "networks": (dict,),
    "question": (list,),
}  # fmt: skip
OF = re.compile(r"<!--\s*of en\.md (?P<hash>[0-9a-f]{8})\s*-->")
"""In a translation: the fingerprint of the English text that it was made of."""


@dataclass(frozen=True, eq=False)
class Text:
    """A lesson's text in one language."""

    language: str
    path: Path

    @cached_property
    def source(self) -> str:
        return files.read_text(str(self.path))

    @cached_property
    def pieces(self) -> list[Piece]:
        """Its pieces in order. Raises InputError."""
        pieces = read_prose(self.source, str(self.path))
        check_holes(pieces, str(self.path))
        return pieces

    @property
    def title(self) -> str:
        return next((piece.text for piece in self.pieces if isinstance(piece, Title)), self.path.parent.name)

    @property
    def asks(self) -> dict[str, Ask]:
        """What is asked, by the question's id."""
        return {piece.id: piece for piece in self.pieces if isinstance(piece, Ask)}

    @property
    def fingerprint(self) -> str:
        """Eight signs that change whenever the text does."""
        return hashlib.sha256(self.source.encode()).hexdigest()[:8]

    @property
    def made_of(self) -> str:
        """Of a translation, the fingerprint of the text that it translates."""
        found = OF.search(self.source)
        return found["hash"] if found else ""


@dataclass(frozen=True, eq=False)
class Lesson:
    """A lesson that was read. `name` is that of its folder."""

    folder: Path
    table: Mapping[str, Any]
    questions: Mapping[str, Question]

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def key(self) -> str:
        """What it is remembered by: its name in the course, elsewhere the path of its folder."""
        folder = self.folder.resolve()
        return self.name if folder.parent == course().resolve() else str(folder)

    @property
    def number(self) -> str:
        """What stands before the name: 040."""
        return self.name.partition("-")[0]

    @property
    def minutes(self) -> int:
        return int(self.table.get("minutes", 10))

    @property
    def seeds(self) -> range:
        """The seeds that the lesson is meant for."""
        return range(1, int(self.table.get("variants", 20)) + 1)

    def next_seed(self, seed: int) -> int:
        """The seed after another; after the last comes the first."""
        return seed % self.seeds[-1] + 1

    @property
    def networks(self) -> dict[str, dict[str, Any]]:
        """Problem files' tables by name; what differs from the lesson's own is in the others."""
        own = dict(self.table.get("network", {}))
        return {"": own, **{name: {**own, **table} for name, table in self.table.get("networks", {}).items()}}

    def variant(self, seed: int) -> Variant:
        """The lesson's numbers for one seed."""
        return Variant(self.networks, seed)

    @cached_property
    def texts(self) -> dict[str, Text]:
        """The languages that the lesson is there in."""
        paths = {language: self.folder / f"{language}.md" for language in LANGUAGES}
        return {language: Text(language, path) for language, path in paths.items() if path.is_file()}

    def text(self, language: str) -> Text:
        """The text in a language, or in the first that there is. Raises InputError."""
        if not self.texts:
            raise InputError("{folder}: a lesson has a text, in en.md or zh.md", folder=self.folder)
        return self.texts.get(language) or next(iter(self.texts.values()))


def read_lesson(folder: Path) -> Lesson:
    """Raises InputError, which names the file and what is wrong in it."""
    path = str(folder / FILE)
    table = files.read_table(path)
    try:
        for key, value in table.items():
            if key not in KEYS:
                raise unknown("key", key, KEYS)
            if not isinstance(value, KEYS[key]) or isinstance(value, bool):
                raise UsageError("{key}: a value of another kind was expected", key=key)
        if not 1 <= table.get("variants", 1) <= MOST_VARIANTS or table.get("minutes", 1) < 1:
            raise UsageError("variants are 1 to {most}, and minutes at least 1", most=MOST_VARIANTS)
        _check_networks(table)
        questions = [read_question(each) for each in table.get("question", [])]
    except UsageError as error:
        raise InputError("{path}: {fault}", path=path, fault=error) from None
    ids = [question.id for question in questions]
    if twice := [name for name in ids if ids.count(name) > 1]:
        raise InputError("{path}: question {id} is there twice", path=path, id=twice[0])
    return Lesson(folder, table, dict(zip(ids, questions, strict=True)))


def _check_networks(table: Mapping[str, Any]) -> None:
    """Raises UsageError for a key that no network has."""
    for name, network in {"network": table.get("network", {}), **table.get("networks", {})}.items():
        if not isinstance(network, dict):
            raise UsageError("{name} is not a table of a network's keys", name=name)
        for key in network:
            if key not in (*PROBLEM_KEYS, "after"):
                raise unknown(tr("key of {name}", name=name), key, (*PROBLEM_KEYS, "after"))


def read_question(table: Any) -> Question:
    """One `[[question]]`. Raises UsageError, which names it."""
    if not isinstance(table, dict) or not isinstance(table.get("id"), str) or not re.fullmatch(r"[\w-]+", table["id"]):
        raise UsageError("every [[question]] has an id, a word")
    name, kind = table["id"], table.get("kind", "number")
    if kind not in READERS:
        raise UsageError("question {id}: {fault}", id=name, fault=unknown("kind", str(kind), READERS))
    needs, may, make = READERS[kind]
    given = set(table) - {"id", "kind"}
    for key in needs - given:
        raise UsageError("question {id}: {kind} needs {key}", id=name, kind=kind, key=key)
    for key in given - needs - may:
        raise UsageError("question {id}: {fault}", id=name, fault=unknown("key", key, needs | may))
    try:
        return make(name, table)
    except (TypeError, AttributeError, ValueError):
        raise UsageError("question {id}: a value of another kind was expected", id=name) from None
    except BackpropError as error:
        raise UsageError("question {id}: {fault}", id=name, fault=error) from None


def _digits(value: Any) -> int:
    """Raises UsageError for more than anybody types."""
    if not 1 <= int(value) <= MOST_DIGITS:
        raise UsageError("digits are 1 to {most}", most=MOST_DIGITS)
    return int(value)


def _quantities(table: Any) -> dict[str, Quantity]:
    return {name: Quantity(_text(text)) for name, text in dict(table).items()}


def _text(value: Any) -> str:
    """A text, or a number written as one."""
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise TypeError(value)
    return str(value)


def _words(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError(value)
    return tuple(map(_text, value))


READERS: dict[str, tuple[set[str], set[str], Callable[[str, Any], Question]]] = {
    "number": (
        {"answer"},
        {"digits", "wrong"},
        lambda name, t: Numbers(
            name, Quantity(_text(t["answer"])), _digits(t.get("digits", 3)), _quantities(t.get("wrong", {}))
        ),
    ),
    "sign": ({"answer"}, set(), lambda name, t: Sign(name, Quantity(_text(t["answer"])))),
    "choice": ({"options"}, set(), lambda name, t: Choice(name, _quantities(t["options"]))),
    "order": ({"answer"}, set(), lambda name, t: Order(name, _words(t["answer"]))),
    "formula": (
        {"answer", "letters"},
        {"wrong"},
        lambda name, t: Formula(
            name, Quantity(_text(t["answer"])), _words(t["letters"]), _quantities(t.get("wrong", {}))
        ),
    ),
    "spot": (
        {"entry", "value", "show"},
        set(),
        lambda name, t: Spot(name, Quantity(_text(t["entry"])), Quantity(_text(t["value"])), _words(t["show"])),
    ),
}
READERS["numbers"] = READERS["number"]
"""For each kind the keys it needs, those it may have, and how a question is made of them."""

COURSE = Path(__file__).parent.parent / "lessons"
"""Where the lessons are in an installed package; in a checkout they stand beside it."""


def course() -> Path:
    """The folder of the lessons that come with the program."""
    return COURSE if COURSE.is_dir() else COURSE.parent.parent / "lessons"


def folders(where: Path) -> Iterator[Path]:
    """The lessons' folders in a folder, in order."""
    return (path for path in sorted(where.iterdir()) if (path / FILE).is_file())


def find_lesson(name: str) -> Path:
    """The folder of a lesson, by its whole name, its number, its name alone, or a path. Raises InputError."""
    if "/" in name or "\\" in name or Path(name).is_dir():
        if (Path(name) / FILE).is_file():
            return Path(name)
        raise InputError("{path}: there is no {file}", path=name, file=FILE)
    known = list(folders(course()))
    for path in known:
        number, _, rest = path.name.partition("-")
        if name in (path.name, rest) or (
            name.isdigit() and int(name) in (int(number), int(number) // 10 if int(number) % 10 == 0 else -1)
        ):
            return path
    raise unknown("lesson", name, [path.name for path in known])
