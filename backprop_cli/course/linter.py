"""Whether a lesson is right: on every seed, in each language, handsome and plain, before anybody takes it.

The model answers must be accepted, the wrong ones that have a name refused under that name, the languages say the same
in the same order, and a play from the first line to the last end in "done".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from backprop_cli.course.hints import ladder
from backprop_cli.course.lesson import LANGUAGES, Lesson, Text, course, find_lesson, folders, read_lesson
from backprop_cli.course.numbers import Numbers
from backprop_cli.course.prose import HOLE, Ask, Paragraph, Piece, Run, Sample, Title, holes, texts
from backprop_cli.course.questions import Choice, Formula, Order, Question
from backprop_cli.course.trial import Found, played, shows
from backprop_cli.course.variant import Variant
from backprop_cli.errors import BackpropError, UsageError
from backprop_cli.language import plural, tr
from backprop_cli.render.blocks import Block, Fact, Heading, Outcome

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
TRIVIAL = ("0", "1", "-1")
"""What somebody types who did not compute anything."""
FEWEST, FEWEST_KINDS = 4, 2
"""A lesson has at least so many questions, of so many kinds."""


class Fault(NamedTuple):
    """Something wrong, and where. A doubt is a fault only if one is strict."""

    lesson: str
    where: str
    text: str
    doubt: bool = False


class Checked(NamedTuple):
    """What was found in some lessons."""

    names: list[str]
    faults: list[Fault]
    strict: bool

    @property
    def exit_code(self) -> int:
        return int(any(self.strict or not fault.doubt for fault in self.faults))

    def blocks(self) -> Iterator[Block]:
        """The faults, lesson by lesson, and the last word."""
        for name in self.names:
            found = [fault for fault in self.faults if fault.lesson == name]
            if found:
                yield Heading(name, 2)
                for fault in found:
                    what = tr("doubt") if fault.doubt and not self.strict else tr("fault")
                    yield Fact(f"{what}, {fault.where}", fault.text, 2)
        lessons = plural(len(self.names), "lesson")
        if self.faults:
            faults = plural(len(self.faults), "fault")
            yield Outcome(not self.exit_code, tr("{lessons}: {faults}", lessons=lessons, faults=faults))
        else:
            yield Outcome(True, tr("{lessons}: nothing to find fault with", lessons=lessons))

    def document(self) -> dict[str, Any]:
        """The same as JSON."""
        faults = [fault._asdict() for fault in self.faults]
        return {"schema": "backprop.lesson-check/1", "lessons": self.names, "strict": self.strict, "faults": faults}


def check_lessons(name: str, strict: bool) -> Checked:
    """A lesson, a folder of lessons, or without a name the whole course."""
    if name and not (Path(name).is_dir() and any(folders(Path(name)))):
        paths = [find_lesson(name)]
    else:
        where = Path(name) if name else course()
        paths = sorted({*folders(where), *(text.parent for text in where.glob("*/*.md"))})
    return Checked([path.name for path in paths], [fault for path in paths for fault in faults(path)], strict)


def faults(folder: Path) -> Iterator[Fault]:
    """Everything wrong with the lesson in a folder."""
    try:
        lesson = read_lesson(folder)
        for text in lesson.texts.values():
            _ = text.pieces
        lesson.text("en")
    except BackpropError as error:
        where = next((f"{name}.md" for name in LANGUAGES if f"{name}.md" in str(error)), "lesson.toml")
        yield Fault(folder.name, where, str(error))
        return
    for where, what, doubt in chain(_fits(lesson), _languages(lesson), _numbers(lesson), shows(lesson), played(lesson)):
        yield Fault(lesson.name, where, what, doubt)


# --- text and logic go together --------------------------------------------------------------------------------------


def _fits(lesson: Lesson) -> Found:
    """Every question is asked, and all that its logic names has a text, in each language."""
    if len(lesson.questions) < FEWEST:
        yield "lesson.toml", tr("a lesson has at least {count} questions", count=FEWEST), True
    if len({type(question) for question in lesson.questions.values()}) < FEWEST_KINDS:
        yield "lesson.toml", tr("a lesson has questions of at least {count} kinds", count=FEWEST_KINDS), True
    for language, text in lesson.texts.items():
        file = f"{language}.md"
        if not any(isinstance(piece, Title) and piece.level == 1 for piece in text.pieces):
            yield file, tr("there is no # Title"), False
        if CONTROL.search(text.source):
            yield file, tr("there are control characters in it"), False
        for name in lesson.questions.keys() - text.asks.keys():
            yield file, tr("question {id} is not asked", id=name), False
        for name in text.asks.keys() - lesson.questions.keys():
            yield file, tr("question {id} is not in lesson.toml", id=name), False
        for name in lesson.questions.keys() & text.asks.keys():
            yield from ((file, fault, False) for fault in _entries(lesson.questions[name], text.asks[name]))


def _entries(question: Question, ask: Ask) -> Iterator[str]:
    """What the texts of a question lack, or have too many of."""
    wanted = {("right", "")}
    needed: set[tuple[str, str]] = set()
    match question:
        case Numbers(wrong=wrong) | Formula(wrong=wrong):
            needed = {("wrong", name) for name in wrong}
        case Choice(options=options):
            needed = {("option", name) for name in options}
            wanted |= {("wrong", name) for name in options}
        case Order(answer=answer):
            needed = {("item", name) for name in answer}
        case _:
            wanted |= {("wrong", sign) for sign in ("+", "−", "0")}
    if isinstance(question, Numbers):
        own = str(question.answer).replace(" ", "")
        for text in (*ask.hints, *(text for (word, _), text in ask.entries.items() if word == "wrong")):
            if own in (str(found).replace(" ", "") for found, _ in holes(text)):
                yield tr("question {id} gives its answer away: {text}", id=question.id, text=text)
    for word, name in sorted(needed - ask.entries.keys()):
        yield tr("question {id} has no text for: {entry}", id=question.id, entry=f"{word} {name}")
    for word, name in sorted(ask.entries.keys() - needed - wanted):
        yield tr("question {id} has a text for nothing: {entry}", id=question.id, entry=f"{word} {name}".strip())


def _languages(lesson: Lesson) -> Found:
    """The languages say the same, in the same order."""
    for language in LANGUAGES:
        if language not in lesson.texts:
            yield f"{language}.md", tr("the lesson is not there in this language"), True
    if len(lesson.texts) < len(LANGUAGES):
        return
    first, *others = lesson.texts.values()
    for other in others:
        here, there = ([_shape(piece) for piece in text.pieces] for text in (first, other))
        if here != there:
            at = next(
                (at for at, pair in enumerate(zip(here, there, strict=False)) if pair[0] != pair[1]),
                min(len(here), len(there)),
            )
            told = {"number": at + 1, "here": _at(here, at), "there": _at(there, at), "first": f"{first.language}.md"}
            yield f"{other.language}.md", tr("block {number} is {there}, but in {first} it is {here}", **told), False
        if other.made_of != first.fingerprint:
            fingerprint = f"<!-- of en.md {first.fingerprint} -->"
            yield (
                f"{other.language}.md",
                tr(
                    "a stale translation: en.md has changed since; once it is true again, write {line}",
                    line=fingerprint,
                ),
                True,
            )


def _shape(piece: Piece) -> str:
    """What kind of block a piece is, and whatever must be the same in all languages."""
    match piece:
        case Title(_, level):
            return f"heading {level}"
        case Paragraph(text, mark):
            numbers = [f"{{{{{expression}}}}}" for expression, _ in HOLE.findall(text)]
            return " ".join(["item" if mark else "paragraph", *sorted(numbers)])
        case Sample():
            return "code"
        case Run(command):
            return f"run {command}"
        case Ask(id, _, hints, entries):
            return f"ask {id}, {len(hints)} hints, {', '.join(sorted(' '.join(entry).strip() for entry in entries))}"


def _at(shapes: Sequence[str], at: int) -> str:
    return shapes[at] if at < len(shapes) else tr("nothing")


# --- numbers ---------------------------------------------------------------------------------------------------------


def _numbers(lesson: Lesson) -> Found:
    """On every seed: answers right and wrong are told apart, and whatever is computed can be."""
    told: set[tuple[str, str]] = set()
    for seed in lesson.seeds:
        variant = lesson.variant(seed)
        for question in lesson.questions.values():
            for what, doubt in _of_question(lesson, question, variant):
                if (question.id, what) not in told:
                    told.add((question.id, what))
                    yield tr("question {id}, seed {seed}", id=question.id, seed=seed), what, doubt
        for text in lesson.texts.values():
            if fault := _unfilled(text, variant):
                yield f"{text.language}.md, {tr('seed {seed}', seed=seed)}", fault, False
                return


def _of_question(lesson: Lesson, question: Question, variant: Variant) -> Iterator[tuple[str, bool]]:
    """What is wrong with a question for one seed."""
    try:
        model = question.judge(variant, question.model(variant))
        if model.verdict != "right":
            yield tr("the model answer is judged {verdict}", verdict=model.verdict), False
        for name, typed in question.expected(variant):
            found = question.judge(variant, typed)
            if found.verdict != "wrong":
                yield tr("wrong answer {name} cannot be told from the right one", name=name), False
            elif found.mistake != name:
                yield (
                    tr("wrong answer {name} is taken for {other}", name=name, other=found.mistake or tr("nothing")),
                    False,
                )
        if isinstance(question, Numbers):
            trivial = [typed for typed in TRIVIAL if _accepted(question, variant, typed)]
            if trivial:
                yield tr("{typed} is accepted, which somebody might guess", typed=trivial[0]), True
        for ask in (text.asks.get(question.id) for text in lesson.texts.values()):
            if ask:
                list(ladder(question, ask, variant))
                list(question.shown(variant, ask))
    except UsageError as error:
        yield str(error), False


def _accepted(question: Question, variant: Variant, typed: str) -> bool:
    try:
        return question.judge(variant, typed).verdict == "right"
    except UsageError:
        return False


def _unfilled(text: Text, variant: Variant) -> str:
    """Why a text's numbers cannot be put in; nothing if they can."""
    try:
        for each in texts(text.pieces):
            variant.filled(each)
    except UsageError as error:
        return str(error)
    return ""
