"""The marks of one sheet as they are told: box by box, with as much of the reasons as may be revealed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal, NamedTuple

from backprop_cli import __version__
from backprop_cli.errors import BackpropError
from backprop_cli.grading.diagnosis import Cause
from backprop_cli.grading.key import Key, Place
from backprop_cli.grading.marking import mark
from backprop_cli.grading.marks import Marks, boxes_of
from backprop_cli.grading.submission import Submission
from backprop_cli.language import later, plural, tr
from backprop_cli.notation import number
from backprop_cli.refs import spoken
from backprop_cli.render.blocks import Block, Fact, Heading, Note, Outcome, labelled

Reveal = Literal["none", "verdict", "diagnosis", "value"]
LEVELS: tuple[Reveal, ...] = ("none", "verdict", "diagnosis", "value")
Status = Literal["correct", "carried", "wrong", "blank", "invalid", "error"]
WORDS: dict[Status, str] = {
    "correct": later("correct"),
    "carried": later("carried"),
    "wrong": later("wrong"),
    "blank": later("blank"),
    "invalid": later("invalid"),
    "error": later("error"),
}
SHOWN_DIGITS = 6
SUSPECTED = 0.3
"""How sure a mistake is that a number only looks like."""


class Item(NamedTuple):
    """One box: what it is worth, what it got, what stands in it, and what is to be said of it."""

    address: str
    status: Status
    points: float
    most: float
    given: str
    mistake: str | None
    note: str
    ref: str
    place: Place


class Mistaken(NamedTuple):
    """A mistake that was recognised: where, in how many boxes it shows, and how sure that is."""

    code: str
    at: str
    evidence: int
    confidence: float


@dataclass(frozen=True, eq=False)
class Result:
    """What came of one sheet. `fault` says why it could not be marked at all; then it may have no key of its own."""

    name: str
    key: Key
    marks: Marks | None
    items: tuple[Item, ...] = ()
    mistakes: tuple[Mistaken, ...] = ()
    remarks: tuple[str, ...] = ()
    fault: str = ""

    @property
    def score(self) -> float:
        """The points it got."""
        return sum(item.points for item in self.items)

    @property
    def most(self) -> float:
        """The points there are."""
        return sum(item.most for item in self.items)

    @property
    def status(self) -> str:
        """pass, if nothing is lost; fail; or error, if it could not be marked."""
        return "error" if self.fault else "pass" if self.score == self.most > 0 else "fail"

    def document(self, reveal: Reveal = "diagnosis") -> dict[str, Any]:
        """The JSON document backprop.grade/1, with as much as may be revealed."""
        told = LEVELS.index(reveal)
        return {
            "schema": "backprop.grade/1",
            "tool": f"backprop {__version__}",
            "submission": self.name,
            "sheet": self.key.id if self.marks else "",
            "score": self.score,
            "max": self.most,
            "status": self.status,
            "items": [self._item(item, reveal) for item in self.items] if told else [],
            "mistakes": [found._asdict() for found in self.mistakes] if told > 1 else [],
            "remarks": list(self.remarks) if told > 1 else [],
            **({"fault": self.fault} if self.fault else {}),
        }

    def _item(self, item: Item, reveal: Reveal) -> dict[str, Any]:
        told = LEVELS.index(reveal)
        table = {
            "address": item.address,
            "status": item.status,
            "points": item.points,
            "max": item.most,
            "given": item.given,
            "mistake": item.mistake if told > 1 else None,
            "note": item.note if told > 1 or item.status == "invalid" else "",
        }
        if told > 2:
            table["key"] = float(self.key.values[item.ref][item.place])
        return table

    def blocks(self, reveal: Reveal = "diagnosis") -> Iterator[Block]:
        """The same as a report: how it ended, and then every box that is not simply right."""
        said = tr("{score} of {most} points", score=f"{self.score:g}", most=f"{self.most:g}")
        yield Outcome(self.status == "pass", labelled(self.name, self.fault or said))
        if self.fault:
            return
        if reveal == "none":
            return
        for status in WORDS:
            if count := sum(item.status == status for item in self.items):
                yield Fact(tr(WORDS[status]), plural(count, "number"))
        if reveal != "verdict":
            yield from map(Note, self.remarks)
        for ref, items in groupby(self.items, key=lambda item: item.ref):
            yield from self._of(ref, list(items), reveal)
        if carried := list(dict.fromkeys(item.ref for item in self.items if _simply_carried(item))):
            yield Heading(tr("What follows"), 2)
            names = tr(", ").join(map(spoken, carried))
            yield Note(tr("{names}: what follows from your own earlier numbers counts as right.", names=names))

    def _of(self, ref: str, items: list[Item], reveal: Reveal) -> Iterator[Block]:
        """What there is to say of the boxes of one value; those of which the same is said, together."""
        told = [item for item in items if not _simply_carried(item)]
        telling = [item for item in told if item.status != "correct" or (item.note and reveal != "verdict")]
        if not telling:
            return
        yield Heading(spoken(ref), 2)
        for (status, note), alike in groupby(telling, key=lambda item: (item.status, item.note)):
            same = list(alike)
            shown = ", ".join(f"{item.address} = {item.given}" if item.given else item.address for item in same)
            yield Fact(tr(WORDS[status]), shown)
            if reveal == "value":
                right = ", ".join(number(self.key.values[ref][item.place], SHOWN_DIGITS).text for item in same)
                yield Fact(tr("right is"), right, indent=1)
            if note and (reveal != "verdict" or status == "invalid"):
                yield Note(note)


def grade(key: Key, submission: Submission) -> Result:
    """Mark a sheet, and put the marks into words."""
    if problem := _not_for(key, submission):
        return Result(submission.name, key, None, fault=problem)
    marks = mark(key, submission)
    items = tuple(_items(key, submission, marks))
    mistakes = tuple(
        Mistaken(code, spoken(cause.ref), cause.evidence, cause.confidence)
        for cause in marks.causes
        if not cause.right
        for code in cause.codes
    )
    suspected = Counter((code, ref) for (ref, _), code in marks.suspected.items() if code)
    mistakes += tuple(Mistaken(code, spoken(ref), count, SUSPECTED) for (code, ref), count in suspected.items())
    remarks = [marks.custom] if marks.custom else []
    if submission.passed_over:
        names = ", ".join(name[:30] for name in submission.passed_over[:5])
        remarks.append(tr("Passed over, for the sheet has no such box: {names}", names=names))
    if not items:
        remarks.append(tr("There is nothing on it to be marked; write lines such as dz1 = [0.0087, 0.00995]."))
    for ref in submission.turned:
        remarks.append(tr("{name} has rows for columns; that is a convention.", name=spoken(ref)))
    return Result(submission.name, key, marks, items, mistakes, tuple(remarks))


def failed(key: Key, name: str, error: BackpropError) -> Result:
    """What is told of a sheet that could not be read."""
    return Result(name, key, None, fault=str(error))


def _not_for(key: Key, submission: Submission) -> str:
    """What to say if a sheet belongs to another key."""
    own = submission.about.get("sheet", "")
    if own and key.id and own != key.id:
        return tr("this is sheet {own}, but the key is that of sheet {id}", own=own[:30], id=key.id)
    return ""


def _items(key: Key, submission: Submission, marks: Marks) -> Iterator[Item]:
    """Every box with its marks. A mistake costs one box, the first in which it shows; the others follow from it."""
    charged: set[int] = set()
    for ref, place in boxes_of(key, submission):
        cell = submission.cells.get(ref, {}).get(place)
        status, mistake, note = _judged(marks, ref, place, charged) if cell else ("blank", None, "")
        if cell and cell.blank:
            status, mistake, note = "blank", None, ""
        elif cell and cell.fault:
            status, mistake, note = "invalid", None, cell.fault
        elif cell and cell.note:
            note = f"{note} {cell.note}".strip()
        most = key.points(ref, place)
        points = most if status in ("correct", "carried") else 0.0
        given = cell.text if cell else ""
        yield Item(key.address(ref, place), status, points, most, given, mistake, note, ref, place)


def _judged(marks: Marks, ref: str, place: Place, charged: set[int]) -> tuple[Status, str | None, str]:
    """The status of a box, the code of its mistake, and what to say of it."""
    note = marks.notes.get((ref, place), "")
    boxes = marks.boxes[ref]
    if boxes.right[place]:
        return "correct", "rounded_early" if (ref, place) in marks.early else None, note
    if boxes.carried[place]:
        return "carried", None, note
    cause = next((cause for cause in marks.causes if cause.ref == ref and cause.where[place]), None)
    if cause is None:
        return "wrong", None, note
    code = cause.codes[0] if len(cause.codes) == 1 else None
    if cause.right:
        return "correct", None, tr(cause.texts[0])
    if cause.same_as:
        return "carried", code, tr("The same mistake as at {address}; it costs once.", address=spoken(cause.same_as))
    if id(cause) in charged:
        return "carried", code, tr("The same mistake as before; it costs once.")
    charged.add(id(cause))
    return "wrong", code, note if note and not cause.codes else _told(cause)


def _told(cause: Cause) -> str:
    """A mistake in words; of several that come to the same number, all."""
    texts = list(dict.fromkeys(tr(text) for text in cause.texts))
    if len(texts) == 1:
        return texts[0]
    return tr("One of these, which come to the same number: {texts}", texts=" / ".join(texts))


def _simply_carried(item: Item) -> bool:
    return item.status == "carried" and not item.note


def graded_document(results: Iterable[Result], reveal: Reveal) -> dict[str, Any]:
    """One sheet's document, or a list of several."""
    documents = [result.document(reveal) for result in results]
    if len(documents) == 1:
        return documents[0]
    return {"schema": "backprop.grades/1", "grades": documents}
