"""A lesson as a row of questions, each with the text before it; and that text as blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from backprop_cli.course.demonstrate import demonstrated
from backprop_cli.course.lesson import Lesson
from backprop_cli.course.prose import HOLE, Ask, Paragraph, Piece, Run, Sample, Title
from backprop_cli.course.questions import Question
from backprop_cli.course.variant import Variant
from backprop_cli.errors import InputError
from backprop_cli.render.blocks import Block, Heading, Prose


class Item(NamedTuple):
    """A question, in its place: the text before it, the set of numbers it is asked with, and what was said of them.

    `given` is all of the text before that has numbers in it, from the lesson's beginning.
    """

    lesson: Lesson
    language: str
    seed: int
    id: str
    before: tuple[Piece, ...] = ()
    given: tuple[Piece, ...] = ()

    @property
    def question(self) -> Question:
        return self.lesson.questions[self.id]

    @property
    def ask(self) -> Ask:
        return self.lesson.text(self.language).asks[self.id]


def items_of(lesson: Lesson, language: str, seed: int) -> tuple[list[Item], tuple[Piece, ...]]:
    """The questions of a lesson, each with the text before it; and the text after the last one.

    Raises InputError for a question that has no logic.
    """
    items: list[Item] = []
    before: list[Piece] = []
    given: list[Piece] = []
    for piece in lesson.text(language).pieces:
        if isinstance(piece, Ask) and piece.id not in lesson.questions:
            raise InputError(
                "{folder}: question {id} is asked, but is not in lesson.toml", folder=lesson.folder, id=piece.id
            )
        if isinstance(piece, Ask):
            items.append(Item(lesson, language, seed, piece.id, tuple(before), tuple(given)))
            given += [each for each in before if isinstance(each, Paragraph | Sample) and HOLE.search(each.text)]
            before = []
        else:
            before.append(piece)
    return items, tuple(before)


def shown(pieces: Sequence[Piece], variant: Variant) -> Iterator[Block]:
    """A text as blocks, its numbers put in and its commands run."""
    for piece in pieces:
        match piece:
            case Title(text, level):
                yield Heading(variant.filled(text), min(level, 2))
            case Paragraph(text, mark):
                yield Prose(variant.filled(text), mark)
            case Sample(text):
                lines = variant.filled(text).splitlines()
                yield from (Prose(line, " ", tight=at > 0) for at, line in enumerate(lines))
            case Run(command):
                yield from demonstrated(command, variant)
